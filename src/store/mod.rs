//! The store that keeps everything, and the layout of its keys.
//!
//! A [`Store`] is a sorted map with atomic, durable commits. [`SledStore`] keeps it on disk; [`MemoryStore`] keeps it
//! in memory and fails on request. Calls block: never make them on an async worker.
//!
//! Begin with the trait here, then `keys.rs` (the log's rows) and `tables.rs` (everybody else's). `sled/` is the engine
//! on disk and everything specific to it.

mod batch;
mod directory_lock;
mod disk_reserve;
pub mod durable;
mod key_file;
pub mod keys;
pub mod long_values;
mod memory;
mod permissions;
mod sled;
pub mod tables;

use std::{io, sync::Arc};

pub use self::sled::{OpenStoreError, SledStore};
pub use batch::Batch;
pub(crate) use directory_lock::DirectoryLock;
pub use directory_lock::LockError;
pub(crate) use disk_reserve::DiskReserve;
pub use disk_reserve::DiskShort;
pub use key_file::{KeyFile, KeyFileError};
pub use memory::{Fault, MemoryStore};
pub use permissions::ExposedPath;
pub(crate) use permissions::require_private;

/// The longest value in bytes. [`long_values`] cuts up longer ones; sled would put them, unsynced, into files of their
/// own.
pub const MAX_VALUE: usize = 6 * 1024;

/// The longest key in bytes.
pub const MAX_KEY: usize = 512;

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// A sorted map of byte strings with atomic and durable commits by one writer.
pub trait Store: Send + Sync {
    /// The value under `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Rows with `from <= key < to`, in `order`, at most `limit`.
    fn range(
        &self,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;

    /// Applies all of `batch` or nothing. It is on disk when this returns `Ok`; after an error it is unknown which of
    /// the two the disk holds.
    ///
    /// `expected_size` is the log's size before this commit. It is compared with the stored head ([`keys::HEAD`]), so
    /// that a second writer is refused before it can overwrite anything.
    fn commit(&self, expected_size: u64, batch: &Batch) -> Result<(), StoreError>;

    /// Syncs what the last commit left for later, for which no caller needs to wait. If this is not called, the next
    /// commit does it first. After an error the store takes no more commits; what was committed stands.
    fn sync_deferred(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The order of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest key first.
    Ascending,
    /// Largest key first.
    Descending,
}

/// Why a store could not read or commit.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// A value above [`MAX_VALUE`]. Nothing was written.
    #[error(
        "a value of {length} bytes is above the limit of {MAX_VALUE}; cut it up with store::long_values"
    )]
    ValueTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A key above [`MAX_KEY`], or an empty one. Nothing was written.
    #[error("a key of {length} bytes; keys have 1 to {MAX_KEY}")]
    KeyLength {
        /// Its length in bytes.
        length: usize,
    },
    /// Somebody else wrote to this store. Nothing was written.
    #[error(
        "the store holds a log of {stored} entries, the writer believed {expected}: two processes write to it; stop both \
         and verify the log before one goes on"
    )]
    SizeMoved {
        /// What the writer believed.
        expected: u64,
        /// What is stored.
        stored: u64,
    },
    /// The head row is damaged.
    #[error("the log's head row is damaged; restore the verified prefix into a fresh directory")]
    HeadDamaged,
    /// A page of rows is damaged.
    #[error(
        "a page of stored rows is damaged, or of an older layout; restore the verified prefix into a fresh directory"
    )]
    PageDamaged,
    /// A long value lacks a part, or its first part is damaged.
    #[error("a stored value lacks a part; restore the verified prefix into a fresh directory")]
    PartMissing,
    /// sled wrote a blob file, which it never syncs.
    #[error("sled wrote into blobs/, which it does not sync: the commit is not acknowledged")]
    UnsyncedBlob,
    /// The file system failed.
    #[error("could not {doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The engine failed.
    #[error("the storage engine could not {doing}: {said}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// What it said.
        said: String,
    },
    /// An earlier commit failed; what the disk holds since then is unknown.
    #[error(
        "an earlier commit failed, so this store takes no more; reopen it from a verified copy"
    )]
    Failed,
    /// A fault that a test asked for.
    #[error("injected fault")]
    Injected,
}

impl StoreError {
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            doing,
            source: Arc::new(source),
        }
    }
}

/// The checks that every store makes before it writes.
fn admit(batch: &Batch) -> Result<(), StoreError> {
    for (key, value) in batch.iter() {
        if key.is_empty() || key.len() > MAX_KEY {
            return Err(StoreError::KeyLength { length: key.len() });
        }
        if let Some(value) = value
            && value.len() > MAX_VALUE
        {
            return Err(StoreError::ValueTooLong {
                length: value.len(),
            });
        }
    }
    Ok(())
}

/// Refuses a writer that expects another log size than the stored head states.
fn admit_writer(expected: u64, head: Option<&[u8]>) -> Result<(), StoreError> {
    let stored = match head {
        None => 0,
        Some(head) => keys::head_size(head).ok_or(StoreError::HeadDamaged)?,
    };
    if stored != expected {
        return Err(StoreError::SizeMoved { expected, stored });
    }
    Ok(())
}
