//! The desk of an officer: one handle on everything that may be done with records.

use super::{looks::Looks, rows::RowsError};
use crate::{
    access::Denial,
    domain::{Clock, Jurisdiction, RecordId},
    exchange::{Directory, Outbox, Vault, VaultError},
    log::{Log, ProposeError, ReadError},
    seal::PurgeMonth,
    store::DiskShort,
};
use std::{fmt, sync::Arc};

/// What officers do with records.
#[derive(Clone)]
pub struct Desk {
    pub(super) log: Log,
    pub(super) own: Jurisdiction,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) vault: Arc<Vault>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) directory: Arc<Directory>,
    pub(super) looks: Arc<Looks>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

/// A record could not be listed, opened or acted on.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// There is no such record, or not for this caller: which of the two is not said.
    #[error("no record {0} is here for you; list those that are")]
    NotFound(RecordId),
    /// It is there, and not for this caller to open or to act on.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The view or the log failed to read.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// The log failed to read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A payload failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The payload's key is destroyed.
    #[error("the content of record {0} is erased; the log still proves its exchange")]
    Erased(RecordId),
    /// There is no room for new records.
    #[error(transparent)]
    Disk(#[from] DiskShort),
    /// The log takes no writes.
    #[error("{0}")]
    Log(String),
}

impl Desk {
    /// Asks for room for a new record, and makes its purge month's keys, once a month, off the async workers.
    pub(super) async fn ready_for_new(&self, month: PurgeMonth) -> Result<(), DeskError> {
        self.vault.admit()?;
        match self.vault.ready(&self.log, month).await {
            // That closed the log.
            Err(VaultError::KeyFile(error)) => Err(DeskError::Log(error.to_string())),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(()),
        }
    }

    /// The desk of a node.
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

pub(super) fn log_error<E: fmt::Display>(error: ProposeError<E>) -> DeskError {
    DeskError::Log(error.to_string())
}
