//! What the sequencer, the keeper and the readers share.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Write},
    path::PathBuf,
    sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use tokio::sync::watch;

use super::Damage;
use crate::{
    note::SignedCheckpoint,
    store::{Store, StoreError},
};

/// Whether the log takes writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogHealth {
    /// It does.
    Open,
    /// It does not, and will not until the process starts again. Reads go on.
    Closed {
        /// Why not.
        why: Arc<Closure>,
    },
}

/// Why a log takes no writes.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Closure {
    /// The store failed. What the disk holds of the last commit is unknown, and after a failed sync no later success
    /// means anything.
    #[error(
        "the log is closed because its store failed: {0}. Stop the node, copy the verified prefix into a fresh directory \
         and start from that"
    )]
    Store(StoreError),
    /// The checkpoint file could not be written.
    #[error(
        "the log is closed because {} could not be written: {source}. Mend the disk, verify the log and start again",
        path.display()
    )]
    CheckpointFile {
        /// The checkpoint file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The scrub found damage.
    #[error(
        "the log is closed because it is damaged: {0}. Keep the directory; copy the verified prefix into a fresh one, or \
         begin a successor"
    )]
    Damaged(Damage),
    /// The sequencer panicked.
    #[error(
        "the log is closed because of a defect in it; see the messages before, verify the log and start again"
    )]
    Defect,
    /// Somebody closed it.
    #[error("the log was closed because the node is stopping")]
    Stopped,
}

impl PartialEq for Closure {
    /// By kind and text: what systems say has no other equality.
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Closure {}

pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    published: watch::Sender<Arc<SignedCheckpoint>>,
    /// Held for writing from the first byte of a commit until it is published, so that no row is seen before it is on
    /// disk.
    gate: RwLock<Gate>,
    closure: OnceLock<Arc<Closure>>,
    /// Where to leave word of a storage error.
    failure_file: PathBuf,
}

/// Rows that a failed commit left in doubt.
#[derive(Default)]
pub(super) struct Gate {
    doubtful: BTreeSet<Vec<u8>>,
}

impl Gate {
    pub(super) fn doubts(&self, key: &[u8]) -> bool {
        self.doubtful.contains(key)
    }

    pub(super) fn doubts_in(&self, from: &[u8], to: &[u8]) -> bool {
        let first = self
            .doubtful
            .range::<[u8], _>((std::ops::Bound::Included(from), std::ops::Bound::Unbounded));
        first.take(1).any(|key| key.as_slice() < to)
    }

    pub(super) fn doubt(&mut self, key: &[u8]) {
        self.doubtful.insert(key.to_vec());
    }
}

impl Shared {
    pub(super) fn new(
        store: Arc<dyn Store>,
        checkpoint: Arc<SignedCheckpoint>,
        failure_file: PathBuf,
    ) -> Self {
        Self {
            store,
            published: watch::Sender::new(checkpoint),
            gate: RwLock::default(),
            closure: OnceLock::new(),
            failure_file,
        }
    }

    pub(super) fn checkpoint(&self) -> Arc<SignedCheckpoint> {
        Arc::clone(&self.published.borrow())
    }

    pub(super) fn publish(&self, checkpoint: Arc<SignedCheckpoint>) {
        self.published.send_replace(checkpoint);
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<SignedCheckpoint>> {
        self.published.subscribe()
    }

    pub(super) fn reading(&self) -> RwLockReadGuard<'_, Gate> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn committing(&self) -> RwLockWriteGuard<'_, Gate> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the log for writing. The first reason stays.
    pub(super) fn close(&self, why: Closure) -> Arc<Closure> {
        let first = self.closure.get_or_init(|| {
            match why {
                Closure::Stopped => {}
                Closure::Defect => tracing::error!("{why}"),
                Closure::Store(_) | Closure::CheckpointFile { .. } | Closure::Damaged(_) => {
                    tracing::error!("{why}");
                    self.leave_word(&why);
                }
            }
            Arc::new(why)
        });
        Arc::clone(first)
    }

    /// So that the log does not open again on files that the kernel may have lied about (I2). The disk may refuse this
    /// too; then the operator has the message.
    fn leave_word(&self, why: &Closure) {
        let left = File::create(&self.failure_file).and_then(|mut file| {
            writeln!(file, "{why}")?;
            file.sync_all()
        });
        if let Err(error) = left {
            let path = self.failure_file.display();
            tracing::error!("could not leave word of it in {path}: {error}");
        }
    }

    pub(super) fn closed(&self) -> Option<Arc<Closure>> {
        self.closure.get().map(Arc::clone)
    }

    pub(super) fn health(&self) -> LogHealth {
        match self.closed() {
            None => LogHealth::Open,
            Some(why) => LogHealth::Closed { why },
        }
    }
}
