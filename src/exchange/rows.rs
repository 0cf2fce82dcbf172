//! Reads rows in the same way inside and outside of a transaction.

use crate::{
    domain::RecordId,
    log::{ReadError, Reader, Txn, TxnError},
    merkle::Hash,
    store::{Order, Row},
};

/// A row could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// Inside a transaction.
    #[error(transparent)]
    Txn(#[from] TxnError),
    /// Outside of one.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A source of rows: a transaction with its own writes on top, or what is published.
pub trait Rows {
    /// The value under `key`.
    ///
    /// # Errors
    /// The store failed.
    fn row(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, RowError>;

    /// The long value under `key`; see [`crate::store::long_values`].
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

/// Where a dispatch is in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DispatchRow {
    /// Its index.
    pub(crate) index: u64,
    /// The hash of its leaf in its sender's log.
    pub(crate) leaf_hash: Hash,
    /// The record that it opens or acts on.
    pub(crate) record: RecordId,
}

impl DispatchRow {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.index.to_be_bytes().to_vec();
        bytes.extend_from_slice(self.leaf_hash.as_bytes());
        bytes.extend_from_slice(self.record.as_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (index, rest) = bytes.split_first_chunk::<8>()?;
        let (leaf_hash, record) = rest.split_first_chunk::<32>()?;
        Some(Self {
            index: u64::from_be_bytes(*index),
            leaf_hash: Hash::from(*leaf_hash),
            record: RecordId::from_slice(record).ok()?,
        })
    }
}
