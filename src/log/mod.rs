//! The append-only log: one writer, durable commits, checkpoints and proofs.
//!
//! Callers hand a [`Proposal`] to the [`Log`]. The sequencer runs on a thread of its own. It lets each proposal decide
//! on top of all those before it, and commits everything that queued meanwhile as one batch: frames of leaves, tiles,
//! head, views and rows. It then syncs the batch, publishes it under a new checkpoint, and answers each caller with a
//! [`Durable`]. Nobody sees a signature or a row before its bytes are on disk. Any storage error closes the log for
//! writing.
//!
//! Begin with `sequencer.rs`, which makes the commits, and `txn.rs`, which is what a proposal sees. `open.rs` has the
//! checks that a log passes before it opens; `salvage.rs` and `lenient_scan.rs` read what is left of a damaged one.

mod checkpoint_writer;
mod failure_marker;
mod frames;
mod head;
mod lenient_scan;
mod open;
mod options;
mod proposal;
mod reader;
mod rebuild;
mod salvage;
mod scrub;
mod sequencer;
mod shared;
mod stall_detector;
mod tiles;
mod txn;
mod view;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::{Semaphore, mpsc, watch};

pub use failure_marker::failure_marker_file;
pub(crate) use failure_marker::{
    disowned_checkpoint_file, refuse_if_failed, write as write_failure_marker,
};
pub use open::OpenError;
pub use open::{check, kept_checkpoint};
pub use options::LogOptions;
pub use proposal::{Durable, Pending, Proposal, ProposeError};
pub use reader::{Damage, Proofs, ReadError, Reader};
pub use rebuild::{FamilyComparison, RebuildError, RebuiltViews, rebuild_views};
pub use salvage::{CopyError, copy_verified};
pub(crate) use salvage::{DamageReport, LeafSource, StoredLeaves};
pub use shared::{Closure, LogHealth};
pub use txn::{MAX_LEAF, MAX_PROPOSAL, Txn, TxnError};
pub use view::{Appended, View, ViewError};

use crate::{
    domain::Jurisdiction,
    note::{SignedCheckpoint, VerifierKey},
    store::{KeyFileError, Store},
};
use checkpoint_writer::CheckpointWriter;
use proposal::Job;
use sequencer::Sequencer;
use shared::Shared;

/// Reads end with their next row once their callers have gone. A disk that hangs delays a stop by no more than this.
const READS_END_WITHIN: Duration = Duration::from_secs(10);

/// The log. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    inner: Arc<Inner>,
    /// Whether its proposals skip the wait for [`Log::admit_writes`].
    is_ahead: bool,
}

struct Inner {
    shared: Arc<Shared>,
    key: VerifierKey,
    /// `None` once closed.
    queue: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    thread: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    reads: Arc<Semaphore>,
    /// How many permits `reads` has in all.
    places: u32,
}

impl Log {
    /// Opens the log in `store`, or creates it. Blocks.
    ///
    /// # Errors
    /// The store fails, holds another log, is damaged, or is older than what was published.
    pub fn open(store: Arc<dyn Store>, options: LogOptions) -> Result<Self, OpenError> {
        let file = &options.checkpoint_file;
        let opened = open::open(store.as_ref(), &options.signer, file).inspect_err(|error| {
            // A commit that failed while the log was created is to be trusted no more than a later one.
            if let OpenError::Store(failed) = error {
                write_failure_marker(file, failed);
            }
        })?;
        let key = options.signer.verifier_key();
        let shared = Arc::new(Shared::new(
            store,
            Arc::clone(&opened.checkpoint),
            options.checkpoint_file.clone(),
            options.stall_after,
        ));
        let checkpoint_writer =
            CheckpointWriter::start(options.checkpoint_file, Arc::clone(&shared))
                .map_err(OpenError::Thread)?;
        checkpoint_writer.submit(opened.checkpoint);
        let sequencer = Sequencer {
            shared: Arc::clone(&shared),
            checkpoint_writer,
            signer: options.signer,
            clock: options.clock,
            views: options.views,
            frontier: opened.frontier,
            edges: opened.edges,
            last_time: opened.last_time,
        };
        let (sender, queue) = mpsc::channel(options.queue.max(1));
        let places = u32::try_from(options.reads.max(1)).unwrap_or(u32::MAX);
        let thread = std::thread::Builder::new()
            .name("log-sequencer".to_owned())
            .spawn(move || sequencer.run(queue))
            .map_err(OpenError::Thread)?;
        Ok(Self {
            inner: Arc::new(Inner {
                shared,
                key,
                queue: Mutex::new(Some(sender)),
                thread: tokio::sync::Mutex::new(Some(thread)),
                reads: Arc::new(Semaphore::new(places as usize)),
                places,
            }),
            is_ahead: false,
        })
    }

    /// Queues a proposal and waits for its answer. What it decided is then on disk and published.
    ///
    /// # Errors
    /// The proposal rejected itself, or the log is closed or closes meanwhile.
    pub async fn propose<T, E>(
        &self,
        proposal: Proposal<T, E>,
    ) -> Result<Durable<T>, ProposeError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        self.submit(proposal).await?.await
    }

    /// Queues a proposal and waits only for room in the queue. The answer is awaited separately, so that one caller can
    /// have many proposals under way. They are decided in the order of submission.
    ///
    /// # Errors
    /// The log is closed.
    pub async fn submit<T, E>(
        &self,
        proposal: Proposal<T, E>,
    ) -> Result<Pending<T, E>, ProposeError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let closed = || {
            let why = self.inner.shared.closed();
            ProposeError::Closed(why.unwrap_or_else(|| Arc::new(Closure::Stopped)))
        };
        if !self.is_ahead {
            self.inner.shared.admitted().await;
        }
        if let Some(why) = self.inner.shared.closed() {
            return Err(ProposeError::Closed(why));
        }
        let sender = self.inner.sender().clone().ok_or_else(closed)?;
        let (job, pending) = proposal::ticket(proposal);
        sender.send(job).await.map_err(|_| closed())?;
        Ok(pending)
    }

    /// The newest published checkpoint.
    pub fn checkpoint(&self) -> Arc<SignedCheckpoint> {
        self.inner.shared.checkpoint()
    }

    /// Follows the newest published checkpoint. It does not report that the log closes: ask [`Log::health`].
    pub fn subscribe(&self) -> watch::Receiver<Arc<SignedCheckpoint>> {
        self.inner.shared.subscribe()
    }

    /// A reader. It blocks: on an async worker use [`Log::read`].
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.inner.shared))
    }

    /// Runs a read where it may block, with a bounded number at once. A read whose caller has gone keeps its permit
    /// until it ends; its reader returns nothing more, so that it ends soon.
    ///
    /// # Errors
    /// [`ReadError::CutOff`] when the read panicked or the runtime is shutting down.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> T + Send + 'static,
    ) -> Result<T, ReadError> {
        let place = Arc::clone(&self.inner.reads).acquire_owned().await;
        let place = place.map_err(|_| ReadError::CutOff)?;
        let caller = Arc::new(());
        let reader = self.reader().for_caller(&caller);
        let reading = tokio::task::spawn_blocking(move || {
            // The reader is dropped before its permit: whoever holds all permits knows that no read has the store.
            let (_place, reader) = (place, reader);
            read(&reader)
        });
        let done = reading.await;
        drop(caller);
        done.map_err(|_| ReadError::CutOff)
    }

    /// From now on proposals wait until [`Log::admit_writes`] or the end of the log, except those of [`Log::ahead`].
    /// Reads continue.
    pub fn hold_writes(&self) {
        self.inner.shared.hold();
    }

    /// Lets the waiting proposals through, and all later ones.
    pub fn admit_writes(&self) {
        self.inner.shared.admit();
    }

    /// The same log, whose proposals do not wait while others are held.
    pub fn ahead(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            is_ahead: true,
        }
    }

    /// Compares a checkpoint that bears this log's signature with the log, and returns whether the log contains it. If
    /// it does not, the store was rolled back or replaced, whoever showed the checkpoint: the log closes permanently
    /// (I9), and the checkpoint is kept beside the store.
    ///
    /// Nothing is shown before it is published, so a checkpoint that somebody holds is in the log by the time it comes
    /// back.
    ///
    /// # Errors
    /// The store failed, so the comparison has no result.
    pub async fn contains(
        &self,
        shown: SignedCheckpoint,
        by: Jurisdiction,
    ) -> Result<bool, ReadError> {
        let shared = Arc::clone(&self.inner.shared);
        let compared = self.read(move |reader| {
            let proofs = reader.proofs();
            let (size, held) = (shown.size(), proofs.published());
            let contained = size <= held && proofs.root(size)? == *shown.root();
            if !contained {
                shared.disown(&shown, held, by);
            }
            Ok(contained)
        });
        compared.await?
    }

    /// Closes the log because its key file failed (I2): the keys for what would be written may not be on disk. Blocks.
    pub fn close_for_keys(&self, error: &KeyFileError) {
        let said = error.to_string();
        self.inner.shared.close(Closure::KeyFile { said });
    }

    /// The key that the log's checkpoints verify with.
    pub fn verifier_key(&self) -> VerifierKey {
        self.inner.key.clone()
    }

    /// The log's name, unique among all logs.
    pub fn origin(&self) -> &str {
        self.inner.key.name()
    }

    /// Waits until the log takes no more writes, and returns why.
    pub async fn until_closed(&self) -> Arc<Closure> {
        let shared = &self.inner.shared;
        shared.until_closed().await;
        shared
            .closed()
            .unwrap_or_else(|| Arc::new(Closure::Stopped))
    }

    /// Whether the log takes writes.
    pub fn health(&self) -> LogHealth {
        self.inner.shared.health()
    }

    /// Takes no more proposals, writes those in the queue, joins the log's threads, and waits for the reads under way:
    /// they hold the store even if their callers have gone. Later reads still work.
    pub async fn close(&self) {
        drop(self.inner.sender().take());
        self.inner.shared.admit();
        let mut thread = self.inner.thread.lock().await;
        if let Some(thread) = thread.take() {
            let joined = tokio::task::spawn_blocking(|| thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the log's sequencer panicked");
            }
        }
        let all = self.inner.reads.acquire_many(self.inner.places);
        if tokio::time::timeout(READS_END_WITHIN, all).await.is_err() {
            tracing::warn!("a read of the store did not end in time");
        }
    }
}

impl Inner {
    fn sender(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Sender<Box<dyn Job>>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("origin", &self.origin())
            .field("size", &self.checkpoint().size())
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Clock, Timestamp},
        note::LogSigner,
        store::MemoryStore,
    };
    use std::sync::mpsc::channel;

    #[derive(Debug)]
    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_772_640_000_000)
        }
    }

    /// A clock that fails is a panic where nobody catches one.
    #[derive(Debug)]
    struct Broken;

    impl Clock for Broken {
        fn now(&self) -> Timestamp {
            panic!("no time");
        }
    }

    /// Callers heard that the node was stopping.
    #[tokio::test]
    async fn regression_who_waits_while_the_sequencer_panics_hears_of_a_defect() {
        let dir = tempfile::tempdir().unwrap();
        let signer = LogSigner::from_seed("520624.yichuan/log/1", &[7; 32]).unwrap();
        let options = LogOptions::new(signer, Arc::new(Broken), dir.path().join("checkpoint"));
        let log = Log::open(Arc::new(MemoryStore::new()), options).unwrap();
        let proposal = Proposal::<u64, TxnError>::new(|txn| txn.append(b"late".to_vec()));
        let refused = log.propose(proposal).await.unwrap_err();
        let ProposeError::OutcomeUnknown(why) = refused else {
            panic!("{refused}");
        };
        assert_eq!(*why, Closure::Defect);
        assert_eq!(*log.until_closed().await, Closure::Defect);
    }

    /// A read whose caller had gone had the store, and its directory's lock, when the log was closed: what came next did not
    /// get the directory.
    #[tokio::test(flavor = "multi_thread")]
    async fn regression_a_log_that_is_closed_has_no_read_under_way() {
        let dir = tempfile::tempdir().unwrap();
        let signer = LogSigner::from_seed("520624.yichuan/log/1", &[7; 32]).unwrap();
        let options = LogOptions::new(signer, Arc::new(Still), dir.path().join("checkpoint"));
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let log = Log::open(Arc::clone(&store), options).unwrap();
        let (begun, has_begun) = channel();
        let (go, gone) = channel::<()>();
        let asking = tokio::time::timeout(
            Duration::from_millis(1),
            log.read(move |_| {
                begun.send(()).unwrap();
                gone.recv().unwrap();
            }),
        );
        asking.await.unwrap_err();
        has_begun.recv().unwrap();
        let closing = tokio::time::timeout(Duration::from_millis(50), log.close());
        closing.await.unwrap_err();
        go.send(()).unwrap();
        log.close().await;
        drop(log);
        assert_eq!(Arc::strong_count(&store), 1);
    }

    /// Who asks and hangs up again and again must not have more reads under way than there are places.
    #[tokio::test]
    async fn regression_a_read_whose_caller_has_gone_keeps_its_place_and_ends() {
        let dir = tempfile::tempdir().unwrap();
        let signer = LogSigner::from_seed("520624.yichuan/log/1", &[7; 32]).unwrap();
        let file = dir.path().join("checkpoint");
        let mut options = LogOptions::new(signer, Arc::new(Still), file);
        options.reads = 1;
        let log = Log::open(Arc::new(MemoryStore::new()), options).unwrap();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (go_on, goes_on) = channel();
        let (read, reads) = channel();
        let mut reading = Box::pin(log.read(move |reader| {
            begun.send(()).unwrap();
            goes_on.recv().unwrap();
            read.send(reader.get(&[0x46])).unwrap();
        }));
        tokio::select! {
            biased;
            _ = &mut reading => panic!("nobody told it to go on"),
            begun = begins => begun.unwrap(),
        }
        drop(reading);
        assert_eq!(log.inner.reads.available_permits(), 0);
        go_on.send(()).unwrap();
        assert!(matches!(reads.recv().unwrap(), Err(ReadError::CutOff)));
        // The place is free again, and who stays is answered.
        let found = log.read(|reader| reader.get(&[0x46])).await;
        assert_eq!(found.unwrap().unwrap(), None);
    }
}
