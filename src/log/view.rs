//! Views: rows that follow from entries and are kept beside the log.

use super::{Txn, TxnError};
use crate::{entry::DecodedEntry, merkle::Hash};
use std::error::Error;

/// Keeps rows that follow from entries. The sequencer shows it every entry that is appended, and commits its rows
/// together with the entry.
///
/// A view keeps no state outside its rows: a proposal may still be dropped after its entries were shown, and a view is
/// rebuilt by showing it the log again.
pub trait View: Send {
    /// For errors and logs.
    fn name(&self) -> &'static str;

    /// Puts the rows that follow from this entry. Rows that the proposal put before it appended can be read. A view
    /// appends nothing.
    fn apply(&mut self, txn: &mut Txn<'_>, appended: &Appended<'_>) -> Result<(), ViewError>;
}

/// An entry as it is shown to views.
#[derive(Clone, Copy, Debug)]
pub struct Appended<'a> {
    /// Its index.
    pub index: u64,
    /// Its bytes.
    pub leaf: &'a [u8],
    /// The hash of its bytes.
    pub hash: &'a Hash,
    /// The decoded entry, if the caller that appends it passed it. `None` while views are rebuilt.
    pub known: Option<DecodedEntry<'a>>,
}

/// Why a view could not take an entry.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The transaction refused.
    #[error(transparent)]
    Txn(Box<TxnError>),
    /// The view cannot make sense of the entry or of its own rows.
    #[error(transparent)]
    Entry(Box<dyn Error + Send + Sync>),
}

impl ViewError {
    /// The view cannot make sense of the entry or of its own rows.
    pub fn entry(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Entry(error.into())
    }
}

impl From<TxnError> for ViewError {
    fn from(error: TxnError) -> Self {
        Self::Txn(Box::new(error))
    }
}
