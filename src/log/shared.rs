//! What the sequencer, the checkpoint writer and the readers share.

use std::{
    collections::BTreeSet,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Damage, ReadError, checkpoint_writer, failure_marker, stall_detector::StallDetector};
use crate::{
    domain::Jurisdiction,
    note::SignedCheckpoint,
    store::{Store, StoreError},
};

/// Whether the log takes writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogHealth {
    /// It takes writes.
    Open,
    /// It takes no writes until the process starts again. Reads continue.
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
        "the log is closed because its store failed: {0}. Stop the node and run `yichuan doctor`: it says what is \
         damaged, and copies what is proved into a fresh directory to start from"
    )]
    Store(StoreError),
    /// The checkpoint file could not be written.
    #[error(
        "the log is closed because {} could not be written: {source}. Stop the node, repair the disk \
         and run `yichuan doctor`: it copies what is proved into a fresh directory to start from",
        path.display()
    )]
    CheckpointFile {
        /// The checkpoint file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The key file could not be read or written. After a failed sync of it, keys in use may not be on disk.
    #[error(
        "the log is closed because of its keys: {said}. Stop the node, repair the disk and run `yichuan doctor`: it copies \
         what is proved into a fresh directory to start from"
    )]
    KeyFile {
        /// What failed.
        said: String,
    },
    /// The scrub found damage.
    #[error(
        "the log is closed because it is damaged: {0}. Keep the directory, stop the node and run `yichuan doctor`: it \
         says all that is damaged and how to repair it"
    )]
    Damaged(Damage),
    /// Somebody showed a checkpoint that bears the log's own signature, and the log does not contain it (I9).
    #[error(
        "the log is closed because it was rolled back or replaced: {by} holds a checkpoint of {size} entries that this log \
         signed, and this log, of {held} entries, does not contain it. Nothing more is taken: stop the node and put the \
         newer store back; if it is lost, only a successor log can continue. The checkpoint is kept in {}",
        path.display()
    )]
    Disowned {
        /// Who showed it.
        by: Jurisdiction,
        /// Entries under it.
        size: u64,
        /// Entries in the log.
        held: u64,
        /// Where the checkpoint is kept.
        path: PathBuf,
    },
    /// The sequencer panicked.
    #[error(
        "the log is closed because of a defect in it; see the messages before, verify the log and start again"
    )]
    Defect,
    /// The node is stopping.
    #[error("the log was closed because the node is stopping")]
    Stopped,
}

impl PartialEq for Closure {
    /// By kind and text: the system's errors have no other equality.
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Closure {}

pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    pub(super) stall_detector: StallDetector,
    published: watch::Sender<Arc<SignedCheckpoint>>,
    /// Held for writing from the first byte of a commit until it is published, so that no row is seen before it is on
    /// disk.
    gate: RwLock<DoubtfulRows>,
    closure: OnceLock<Arc<Closure>>,
    /// Whether proposals wait for [`Shared::admit`].
    held: watch::Sender<bool>,
    /// Cancelled when the log closes.
    closing: CancellationToken,
    /// The failure marker is written beside it.
    checkpoint_file: PathBuf,
    /// Held while a checkpoint that disowns the log is written: several partners may show one at the same time.
    disowning: Mutex<()>,
}

/// Rows whose state on disk a failed commit left unknown.
#[derive(Default)]
pub(super) struct DoubtfulRows {
    doubtful: BTreeSet<Vec<u8>>,
}

impl DoubtfulRows {
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
        checkpoint_file: PathBuf,
        stall_after: Duration,
    ) -> Self {
        metrics::gauge!("yichuan_log_closed").set(0.0);
        metrics::gauge!("yichuan_log_rolled_back").set(0.0);
        Self {
            store,
            stall_detector: StallDetector::new(stall_after),
            published: watch::Sender::new(checkpoint),
            gate: RwLock::default(),
            closure: OnceLock::new(),
            held: watch::Sender::new(false),
            closing: CancellationToken::new(),
            checkpoint_file,
            disowning: Mutex::default(),
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

    pub(super) fn reading(&self) -> RwLockReadGuard<'_, DoubtfulRows> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn committing(&self) -> RwLockWriteGuard<'_, DoubtfulRows> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the log for writing. The first reason stays. It counts before anything is written about it: the disk that
    /// failed may take long to write, or forever.
    pub(super) fn close(&self, why: Closure) -> Arc<Closure> {
        let why = Arc::new(why);
        let is_first = self.closure.set(Arc::clone(&why)).is_ok();
        self.closing.cancel();
        if !is_first {
            return self.closed().unwrap_or(why);
        }
        match *why {
            Closure::Stopped => {}
            Closure::Defect => {
                metrics::gauge!("yichuan_log_closed").set(1.0);
                tracing::error!("{why}");
            }
            // `Shared::disown` keeps the checkpoint itself instead.
            Closure::Disowned { .. } => {
                metrics::gauge!("yichuan_log_closed").set(1.0);
                metrics::gauge!("yichuan_log_rolled_back").set(1.0);
                tracing::error!("{why}");
            }
            Closure::Store(_)
            | Closure::CheckpointFile { .. }
            | Closure::KeyFile { .. }
            | Closure::Damaged(_) => {
                metrics::gauge!("yichuan_log_closed").set(1.0);
                tracing::error!("{why}");
                failure_marker::write(&self.checkpoint_file, &why);
            }
        }
        why
    }

    /// Closes the log permanently (I9): `by` showed a checkpoint with our signature that the log does not contain. The
    /// checkpoint is kept beside the store, so that the log does not open again without it. Blocks.
    pub(super) fn disown(&self, shown: &SignedCheckpoint, held: u64, by: Jurisdiction) {
        let path = failure_marker::disowned_checkpoint_file(&self.checkpoint_file);
        let size = shown.size();
        self.close(Closure::Disowned {
            by,
            size,
            held,
            path: path.clone(),
        });
        let _turn = self
            .disowning
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // The first one is enough.
        if path.exists() {
            return;
        }
        if let Err(error) = checkpoint_writer::write(&path, shown.note().as_bytes()) {
            let path = path.display();
            tracing::error!("could not keep the checkpoint in {path}: {error}");
        }
    }

    /// From now on, proposals wait until [`Shared::admit`].
    pub(super) fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Lets proposals through again.
    pub(super) fn admit(&self) {
        self.held.send_replace(false);
    }

    /// Waits until proposals are admitted, or the log is closed.
    pub(super) async fn admitted(&self) {
        let mut held = self.held.subscribe();
        tokio::select! {
            biased;
            _ = held.wait_for(|held| !held) => {}
            () = self.closing.cancelled() => {}
        }
    }

    /// Closes the log if the read met a failing store or damage: whatever the log would write rests on what it cannot
    /// read.
    pub(super) fn close_on_failure<T>(&self, read: Result<T, ReadError>) -> Result<T, ReadError> {
        read.inspect_err(|error| match error {
            ReadError::Damaged(damage) => {
                self.close(Closure::Damaged(*damage));
            }
            ReadError::Store(error) => {
                self.close(Closure::Store(error.clone()));
            }
            ReadError::Unpublished { .. }
            | ReadError::NoSuchEntry { .. }
            | ReadError::Shrinks { .. }
            | ReadError::InDoubt
            | ReadError::CutOff => {}
        })
    }

    /// Waits until the log takes no more writes.
    pub(super) async fn until_closed(&self) {
        self.closing.cancelled().await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{merkle::leaf_hash, note::LogSigner, store::MemoryStore};

    /// Partners show it at the same moment, when a node starts; what they left could be of two of them, and then no node
    /// starts on it.
    #[test]
    fn regression_what_several_show_at_once_is_kept_whole() {
        let signer = LogSigner::from_seed("520624.yichuan/log/1", &[7; 32]).unwrap();
        let shown: Vec<_> = [9, 10, 100, 1_000_000]
            .map(|size| signer.sign(size, leaf_hash(b"newer")))
            .into();
        for _ in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let shared = Shared::new(
                Arc::new(MemoryStore::new()),
                Arc::new(signer.sign(0, crate::merkle::empty_root())),
                dir.path().join("checkpoint"),
                Duration::from_secs(30),
            );
            let begin = std::sync::Barrier::new(shown.len());
            std::thread::scope(|scope| {
                for shown in &shown {
                    let (shared, begin) = (&shared, &begin);
                    scope.spawn(move || {
                        begin.wait();
                        shared.disown(shown, 0, "440000".parse().unwrap());
                    });
                }
            });
            let kept = std::fs::read_to_string(dir.path().join("checkpoint.disowned")).unwrap();
            assert!(shown.iter().any(|it| it.note() == kept), "{kept}");
            assert!(!dir.path().join("checkpoint.disowned.next").exists());
        }
    }
}
