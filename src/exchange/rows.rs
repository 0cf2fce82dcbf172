//! Rows, read the same way inside a transaction and outside.

use crate::{
    log::{ReadError, Reader, Txn, TxnError},
    store::{Order, Row},
};

/// A row could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// Inside a transaction.
    #[error(transparent)]
    Txn(#[from] TxnError),
    /// Outside.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// What can be read: a transaction with its own writes on top, or what is published.
pub trait Rows {
    /// The value under `key`.
    ///
    /// # Errors
    /// The store failed.
    fn row(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, RowError>;

    /// The long value under `key`; see [`crate::store::long`].
    ///
    /// # Errors
    /// The store failed, or a part is missing.
    fn long_row(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, RowError>;

    /// Rows with `from <= key < to`, ascending, at most `limit`.
    ///
    /// # Errors
    /// The store failed.
    fn rows(&mut self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Row>, RowError>;
}

impl Rows for Txn<'_> {
    fn row(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, RowError> {
        Ok(self.get(key)?)
    }

    fn long_row(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, RowError> {
        Ok(self.get_long(key)?)
    }

    fn rows(&mut self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Row>, RowError> {
        Ok(self.range(from, to, Order::Ascending, limit)?)
    }
}

impl Rows for &Reader {
    fn row(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, RowError> {
        Ok(self.get(key)?)
    }

    fn long_row(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, RowError> {
        Ok(self.get_long(key)?)
    }

    fn rows(&mut self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Row>, RowError> {
        Ok(self.range(from, to, Order::Ascending, limit)?)
    }
}
