//! Reading the log: entries, proofs and rows. Nothing is seen before it is published.

use std::{
    ops::ControlFlow,
    sync::{Arc, Weak},
};

use super::{frames, shared::Shared, tiles::TileReader};
use crate::{
    merkle::{self, Hash, ProofError},
    note::SignedCheckpoint,
    store::{Order, Row, Store, StoreError, long_values},
};

/// Reads the log. Blocks: on an async worker use [`Log::read`](super::Log::read).
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
    /// Dropped together with the caller that waits for the answer. `None` for reads without such a caller.
    caller: Option<Weak<()>>,
}

/// Why a read failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// The read asks for more than is published.
    #[error("asked about {asked} entries, but the published log has {published}")]
    Unpublished {
        /// The size asked about.
        asked: u64,
        /// The size published.
        published: u64,
    },
    /// The proof asked for would be of an entry that the log does not have.
    #[error("entry {index} is not in a log of {size} entries")]
    NoSuchEntry {
        /// The entry asked for.
        index: u64,
        /// The size of the log.
        size: u64,
    },
    /// The proof asked for would be that a log shrank.
    #[error("a log of {new} entries cannot continue one of {old}")]
    Shrinks {
        /// The size claimed to be older.
        old: u64,
        /// The size claimed to be newer.
        new: u64,
    },
    /// What is stored is not what was written.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The row was being written when the store failed: it is unknown what the disk holds.
    #[error("this was being written when the store failed, so what the disk holds is unknown")]
    InDoubt,
    /// The read was cut off: it panicked, its caller has gone, or the node is stopping.
    #[error("the read was cut off; ask again")]
    CutOff,
}

/// What in a store is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The head row, or the identity row beside it.
    #[error("the head row is damaged or missing")]
    Head,
    /// The signature on the stored checkpoint.
    #[error("the signature on the stored checkpoint does not verify")]
    Signature,
    /// The stored frontier does not have the signed root.
    #[error("the stored frontier does not have the root of the signed checkpoint")]
    Frontier,
    /// The stored tiles do not have the signed root.
    #[error("the edge of the stored tiles does not have the root of the signed checkpoint")]
    TileEdge,
    /// A hash is missing from a tile, or does not match what is below it.
    #[error("hash {index} of tile level {level} is damaged or missing")]
    Tile {
        /// The tile level: tree level divided by 8.
        level: u8,
        /// The hash's index on that level.
        index: u64,
    },
    /// A frame of leaves cannot be read.
    #[error("the stored entries at {index} are damaged or missing")]
    Frame {
        /// Where reading stopped.
        index: u64,
    },
    /// An entry does not have its signed hash.
    #[error("entry {index} is not what was signed")]
    Leaf {
        /// The entry's index.
        index: u64,
    },
}

impl From<ProofError<Self>> for ReadError {
    fn from(error: ProofError<Self>) -> Self {
        match error {
            ProofError::NoSuchLeaf { index, size } => Self::NoSuchEntry { index, size },
            ProofError::Shrinks { old, new } => Self::Shrinks { old, new },
            ProofError::Node(error) => error,
        }
    }
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            caller: None,
        }
    }

    /// Limits the reader to the lifetime of this caller.
    pub(super) fn for_caller(mut self, caller: &Arc<()>) -> Self {
        self.caller = Some(Arc::downgrade(caller));
        self
    }

    /// Fails once the caller has gone. Asked before each read.
    fn wanted(&self) -> Result<(), ReadError> {
        match &self.caller {
            Some(caller) if caller.strong_count() == 0 => Err(ReadError::CutOff),
            Some(_) | None => Ok(()),
        }
    }

    fn store(&self) -> &dyn Store {
        self.shared.store.as_ref()
    }

    /// The newest published checkpoint.
    pub fn checkpoint(&self) -> Arc<SignedCheckpoint> {
        self.shared.checkpoint()
    }

    /// Entries published.
    pub fn size(&self) -> u64 {
        self.checkpoint().size()
    }

    /// The bytes of one entry; `None` when it is not published.
    pub fn entry(&self, index: u64) -> Result<Option<Vec<u8>>, ReadError> {
        self.wanted()?;
        if index >= self.size() {
            return Ok(None);
        }
        let mut found = None;
        let visited = frames::visit(self.store(), index, index + 1, |_, leaf| {
            found = Some(leaf);
            ControlFlow::Break(())
        });
        self.shared.close_on_failure(visited)?;
        Ok(found)
    }

    /// Entries from index `from` in order, until `max_count` of them or `max_bytes` of leaves are reached or the
    /// published log ends. At least one, if there is one, so that the caller makes progress.
    pub fn entries(
        &self,
        from: u64,
        max_count: usize,
        max_bytes: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        self.wanted()?;
        let count = u64::try_from(max_count).unwrap_or(u64::MAX);
        let end = self.size().min(from.saturating_add(count));
        let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut bytes = 0_usize;
        let visited = frames::visit(self.store(), from, end, |index, leaf| {
            bytes = bytes.saturating_add(leaf.len());
            if bytes > max_bytes && !found.is_empty() {
                return ControlFlow::Break(());
            }
            found.push((index, leaf));
            ControlFlow::Continue(())
        });
        self.shared.close_on_failure(visited)?;
        Ok(found)
    }

    /// Proofs over what is published now. Proofs that are near each other share their work.
    pub fn proofs(&self) -> Proofs<'_> {
        Proofs {
            shared: &self.shared,
            tiles: TileReader::new(self.store()),
            published: self.size(),
        }
    }

    /// Proves that entry `index` is in the log of `size` entries.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        self.proofs().inclusion(index, size)
    }

    /// Proves that the log of `new` entries continues that of `old`.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
        self.proofs().consistency(old, new)
    }

    /// The value under `key`. Waits for a commit that is under way.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.wanted()?;
        let gate = self.shared.reading();
        if gate.doubts(key) {
            return Err(ReadError::InDoubt);
        }
        let read = self.store().get(key).map_err(ReadError::from);
        drop(gate);
        self.shared.close_on_failure(read)
    }

    /// The long value under `key`; see [`long_values`].
    pub fn get_long(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.wanted()?;
        let gate = self.shared.reading();
        let read = long_values::join(key, |part| {
            if gate.doubts(part) {
                return Err(ReadError::InDoubt);
            }
            Ok(self.store().get(part)?)
        });
        drop(gate);
        self.shared.close_on_failure(read)
    }

    /// Rows with `from <= key < to`, in `order`, at most `limit`. Waits for a commit that is under way.
    pub fn range(
        &self,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, ReadError> {
        self.wanted()?;
        let gate = self.shared.reading();
        if gate.doubts_in(from, to) {
            return Err(ReadError::InDoubt);
        }
        let read = self.store().range(from, to, order, limit);
        drop(gate);
        self.shared.close_on_failure(read.map_err(ReadError::from))
    }
}

/// Proofs over the log as it was published when this was made.
pub struct Proofs<'a> {
    shared: &'a Shared,
    tiles: TileReader<'a>,
    published: u64,
}

impl Proofs<'_> {
    /// The largest size that can be proved.
    pub fn published(&self) -> u64 {
        self.published
    }

    /// The root of the log of `size` entries.
    pub fn root(&self, size: u64) -> Result<Hash, ReadError> {
        self.admit(size)?;
        self.shared
            .close_on_failure(merkle::root_at(&self.tiles, size))
    }

    /// Proves that entry `index` is in the log of `size` entries.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        self.admit(size)?;
        let proof = merkle::inclusion_proof(&self.tiles, index, size);
        self.shared.close_on_failure(proof.map_err(ReadError::from))
    }

    /// Proves that the log of `new` entries continues that of `old`.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
        self.admit(new)?;
        let proof = merkle::consistency_proof(&self.tiles, old, new);
        self.shared.close_on_failure(proof.map_err(ReadError::from))
    }

    /// The stored hash of entry `index`.
    pub fn leaf_hash(&self, index: u64) -> Result<Hash, ReadError> {
        self.admit(index.saturating_add(1))?;
        let hash = merkle::NodeReader::node(&self.tiles, 0, index);
        self.shared.close_on_failure(hash)
    }

    fn admit(&self, asked: u64) -> Result<(), ReadError> {
        let published = self.published;
        if asked > published {
            return Err(ReadError::Unpublished { asked, published });
        }
        Ok(())
    }
}
