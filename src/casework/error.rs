//! Why records could not be listed, opened or acted on.

use super::row_codec::{RowDamaged, RowsError};
use crate::{
    access::Denial,
    domain::RecordId,
    exchange::{RowError, VaultError},
    log::{ProposeError, ReadError},
    store::DiskShort,
};
use std::fmt;

/// A record could not be listed, opened or acted on.
#[derive(Debug, thiserror::Error)]
pub enum CaseworkError {
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

impl From<RowDamaged> for CaseworkError {
    fn from(damaged: RowDamaged) -> Self {
        Self::Rows(damaged.into())
    }
}

impl From<RowError> for CaseworkError {
    fn from(error: RowError) -> Self {
        Self::Rows(error.into())
    }
}

/// The log did not take what was proposed, for no reason of the caller's.
pub(super) fn log_error<E: fmt::Display>(error: ProposeError<E>) -> CaseworkError {
    CaseworkError::Log(error.to_string())
}
