//! The casework of an officer: one handle on everything that may be done with records.

use super::{
    error::{CaseworkError, log_error},
    recent_looks::Looks,
};
use crate::{
    domain::{Clock, Jurisdiction},
    exchange::{Directory, Outbox, Vault, VaultError},
    log::{Durable, Log, Proposal, ProposeError, Txn},
    seal::PurgeMonth,
};
use std::{fmt, sync::Arc};

/// What officers do with records.
#[derive(Clone)]
pub struct Casework {
    pub(super) log: Log,
    pub(super) own: Jurisdiction,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) vault: Arc<Vault>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) directory: Arc<Directory>,
    pub(super) looks: Arc<Looks>,
}

impl fmt::Debug for Casework {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Casework")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

impl Casework {
    /// Asks for room for a new record, and makes its purge month's keys, once a month, off the async workers.
    pub(super) async fn ready_for_new(&self, month: PurgeMonth) -> Result<(), CaseworkError> {
        self.vault.admit()?;
        match self.vault.ready(&self.log, month).await {
            // That closed the log.
            Err(VaultError::KeyFile(error)) => Err(CaseworkError::Log(error.to_string())),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(()),
        }
    }

    /// Has the log decide something and append what follows from it. When this returns, it is durable.
    pub(super) async fn commit<T: Send + 'static, E>(
        &self,
        decide: impl FnOnce(&mut Txn<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<Durable<T>, E>
    where
        E: From<CaseworkError> + fmt::Display + Send + 'static,
    {
        match self.log.propose(Proposal::new(decide)).await {
            Ok(done) => Ok(done),
            Err(ProposeError::Rejected(refused)) => Err(refused),
            Err(error) => Err(log_error(error).into()),
        }
    }

    /// The casework of a node.
    pub fn new(
        log: Log,
        own: Jurisdiction,
        clock: Arc<dyn Clock>,
        vault: Arc<Vault>,
        outbox: Arc<Outbox>,
        directory: Arc<Directory>,
    ) -> Self {
        Self {
            log,
            own,
            clock,
            vault,
            outbox,
            directory,
            looks: Arc::default(),
        }
    }
}
