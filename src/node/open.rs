//! Opens a node's store, keys and log, in this order. A storage error leaves the failure marker (I2).

use super::{StartError, data_dir::DataDir, rebuild::renew_layout};
use crate::{
    casework::Views,
    domain::{Clock, Jurisdiction},
    exchange::{Vault, VaultError},
    log::{self, Log, LogOptions, ReadError, View},
    note::LogSigner,
    store::{KeyFile, SledStore, Store, StoreError, keys},
    tls::Cards,
};
use std::sync::Arc;

/// All views of a node's log.
pub fn views(own: Jurisdiction, vault: &Arc<Vault>) -> Vec<Box<dyn View>> {
    vec![Box::new(Views::new(own, vault, Arc::new(Cards)))]
}

/// Wraps the log's store; tests inject faults with it.
pub type StoreLayer = Box<dyn FnOnce(SledStore) -> Arc<dyn Store> + Send>;

/// Opens store, keys and log as a starting node does. Blocks.
///
/// # Errors
/// What keeps the log from taking entries; nothing is left open then.
pub fn open_log(
    files: &DataDir,
    own: Jurisdiction,
    clock: Arc<dyn Clock>,
    layer: StoreLayer,
) -> Result<(Log, Arc<Vault>), StartError> {
    open_with(files, Arc::new(files.signer()?), own, clock, layer)
}

/// As [`open_log`], with the given signer.
pub(super) fn open_with(
    files: &DataDir,
    signer: Arc<LogSigner>,
    own: Jurisdiction,
    clock: Arc<dyn Clock>,
    layer: StoreLayer,
) -> Result<(Log, Arc<Vault>), StartError> {
    let store = layer(files.open_store::<StartError>()?);
    let failed = |error: &StoreError| log::write_failure_marker(&files.checkpoint(), error);
    let empty = store.get(&keys::HEAD).inspect_err(failed)?.is_none();
    let unkept = |error: &VaultError| {
        if let VaultError::Read(ReadError::Store(error)) = error {
            failed(error);
        } else if let VaultError::KeyFile(error) = error
            && error.may_be_unkept()
        {
            log::write_failure_marker(&files.checkpoint(), error);
        }
    };
    let vault = Vault::open(KeyFile::at(files.bucket_keys()), empty).inspect_err(unkept)?;
    vault.covers(store.as_ref()).inspect_err(unkept)?;
    let vault = Arc::new(vault);
    if !empty {
        renew_layout(files, own, store.as_ref(), &vault)?;
    }
    let mut options = LogOptions::new(signer, clock, files.checkpoint());
    options.views = views(own, &vault);
    Ok((Log::open(store, options)?, vault))
}
