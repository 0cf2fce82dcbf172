//! Rebuilds the views of a stopped node from its log (I8).

use super::{
    data_dir::{DataDir, DataDirError},
    views,
};
use crate::{
    casework::LAYOUT,
    config::Config,
    domain::Jurisdiction,
    exchange::{Vault, VaultError},
    log::{self, FamilyComparison, OpenError, RebuildError},
    merkle::Hash,
    note::VerifierKey,
    store::{KeyFile, OpenStoreError, SledStore, Store, StoreError, tables},
};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A node's views were not rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildNodeError {
    /// Its files.
    #[error(transparent)]
    Files(#[from] DataDirError),
    /// The store does not open, most often because the node runs.
    #[error(transparent)]
    OpenStore(#[from] OpenStoreError),
    /// The bucket keys.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The log or a view.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// Comparing or writing failed. After a failed write the directory does not open again; run `yichuan doctor`.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The directory in which they are made.
    #[error("could not clear {}: {source}; remove it and run this again", path.display())]
    Scratch {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<OpenError> for RebuildNodeError {
    fn from(error: OpenError) -> Self {
        Self::Rebuild(error.into())
    }
}

/// Rebuilt views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// The log's origin.
    pub origin: String,
    /// Entries that they follow from, each hashed again.
    pub entries: u64,
    /// The signed root over them.
    pub root: Hash,
    /// How the stored rows compare, by the first byte of their keys.
    pub families: BTreeMap<u8, FamilyComparison>,
    /// How many rows were put or removed.
    pub written: u64,
}

impl Rebuilt {
    /// How many stored rows differed from those that follow from the log.
    pub fn differing(&self) -> u64 {
        self.families
            .values()
            .map(FamilyComparison::differing)
            .sum()
    }
}

/// Rebuilds the views of a stopped node and compares them with those stored; with `write`, replaces them. `progress`
/// gets the number of entries done and of all entries. Blocks.
///
/// # Errors
/// The node runs, its log does not pass its checks, or a file or store fails.
pub fn rebuild_views(
    config: &Config,
    write: bool,
    progress: impl FnMut(u64, u64),
) -> Result<Rebuilt, RebuildNodeError> {
    let files = DataDir::at(&config.data);
    let key = files.signer()?.verifier_key();
    // Takes the lock: a running node is left alone.
    let store = files.open_store::<RebuildNodeError>()?;
    // Never "empty": without the log's keys its views would be built as if everything were erased.
    let vault = Arc::new(Vault::open(KeyFile::at(files.bucket_keys()), false)?);
    vault.covers(&store)?;
    let parts = (&store as &dyn Store, &key, &vault);
    rebuild_in(&files, config.jurisdiction, parts, write, progress)
}

/// Rebuilds the views in a store if an older program kept them in another layout. Blocks.
pub(super) fn renew_layout(
    files: &DataDir,
    own: Jurisdiction,
    store: &dyn Store,
    vault: &Arc<Vault>,
) -> Result<(), RebuildNodeError> {
    if store.get(&tables::LAYOUT)?.as_deref() == Some(&[LAYOUT]) {
        return Ok(());
    }
    tracing::info!("an older program kept the views: they are rebuilt");
    let key = files.signer()?.verifier_key();
    let rebuilt = rebuild_in(files, own, (store, &key, vault), true, |_, _| {})?;
    let (entries, rows) = (rebuilt.entries, rebuilt.written);
    tracing::info!(entries, rows, "the views are rebuilt");
    Ok(())
}

fn rebuild_in(
    files: &DataDir,
    own: Jurisdiction,
    (store, key, vault): (&dyn Store, &VerifierKey, &Arc<Vault>),
    write: bool,
    progress: impl FnMut(u64, u64),
) -> Result<Rebuilt, RebuildNodeError> {
    let scratch = Scratch::in_place_of(files.rebuilt_views())?;
    let made = SledStore::open(&scratch.0)?;
    let rebuilt = log::rebuild_views(
        store,
        (key, &files.checkpoint()),
        &mut views(own, vault),
        &made,
        progress,
    )?;
    let families = rebuilt.compare()?;
    // A commit that failed may have left a hole that a later success hides until the next power cut.
    let written = if write {
        let failed = |error: &StoreError| log::write_failure_marker(&files.checkpoint(), error);
        rebuilt.write_or(failed)?
    } else {
        0
    };
    let checkpoint = rebuilt.checkpoint();
    Ok(Rebuilt {
        origin: checkpoint.origin().to_owned(),
        entries: checkpoint.size(),
        root: *checkpoint.root(),
        families,
        written,
    })
}

/// A directory that is removed when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    /// Removes one that an interrupted run left.
    fn in_place_of(path: PathBuf) -> Result<Self, RebuildNodeError> {
        clear(&path).map_err(|source| RebuildNodeError::Scratch {
            path: path.clone(),
            source,
        })?;
        Ok(Self(path))
    }
}

fn clear(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        removed => removed?,
    }
    fs::create_dir(path)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "could not be removed; remove it by hand");
        }
    }
}
