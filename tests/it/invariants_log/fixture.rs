//! A log with nothing around it, for tests.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
};

use yichuan::{
    domain::{Clock, Timestamp},
    log::{Log, LogOptions, OpenError, Proposal, TxnError},
    merkle::{leaf_hash, verify_inclusion},
    note::LogSigner,
    store::{MemoryStore, Store},
};

pub(crate) const ORIGIN: &str = "520624.yichuan/log/1";

/// A clock that stands where it is put.
#[derive(Debug, Default)]
pub(crate) struct SetClock(AtomicU64);

impl SetClock {
    pub(crate) fn at(millis: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(millis)))
    }

    pub(crate) fn set(&self, millis: u64) {
        self.0.store(millis, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) fn signer() -> LogSigner {
    LogSigner::from_seed(ORIGIN, &[7; 32]).unwrap()
}

/// Where a log's checkpoint file lies.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Another place, with the file that this one has now.
    pub(crate) fn with_its_file(&self) -> Self {
        let other = Self::new();
        fs::copy(self.checkpoint_file(), other.checkpoint_file()).unwrap();
        other
    }

    pub(crate) fn checkpoint_file(&self) -> PathBuf {
        self.path().join("checkpoint")
    }

    pub(crate) fn options(&self) -> LogOptions {
        LogOptions::new(signer(), SetClock::at(1_000), self.checkpoint_file())
    }

    pub(crate) fn open(&self, store: &Arc<impl Store + 'static>) -> Result<Log, OpenError> {
        Log::open(Arc::clone(store) as Arc<dyn Store>, self.options())
    }

    /// The newest checkpoint in the file: note text.
    pub(crate) fn kept(&self) -> String {
        fs::read_to_string(self.checkpoint_file()).unwrap()
    }
}

/// A log of `size` small entries in memory, closed again.
pub(crate) async fn grown(place: &Place, size: u64) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let log = place.open(&store).unwrap();
    append_many(&log, 0, size).await;
    log.close().await;
    store
}

/// The bytes of test entry `index`.
pub(crate) fn leaf(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

pub(crate) fn append(bytes: Vec<u8>) -> Proposal<u64, TxnError> {
    Proposal::new(move |txn| txn.append(bytes))
}

/// Appends test entries `from..to`, many to a batch.
pub(crate) async fn append_many(log: &Log, from: u64, to: u64) {
    let mut pending = Vec::new();
    for index in from..to {
        pending.push(log.submit(append(leaf(index))).await.unwrap());
    }
    for (expected, pending) in (from..).zip(pending) {
        assert_eq!(*pending.await.unwrap(), expected);
    }
}

/// The log holds exactly these leaves, and proves each.
pub(crate) fn assert_holds(log: &Log, leaves: &[Vec<u8>]) {
    let (reader, checkpoint) = (log.reader(), log.checkpoint());
    assert_eq!(checkpoint.size(), leaves.len() as u64);
    let proofs = reader.proofs();
    for (index, leaf) in (0..).zip(leaves) {
        assert_eq!(reader.entry(index).unwrap().as_ref(), Some(leaf), "{index}");
        let proof = proofs.inclusion(index, checkpoint.size()).unwrap();
        let hash = leaf_hash(leaf);
        verify_inclusion(&hash, index, checkpoint.size(), &proof, checkpoint.root()).unwrap();
    }
}

/// The first test entries.
pub(crate) fn leaves(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(leaf).collect()
}

/// Keeps the sequencer inside a proposal, so that others queue.
pub(crate) struct Hold(mpsc::Sender<()>);

impl Hold {
    pub(crate) async fn start(log: &Log) -> Self {
        let (release, released) = mpsc::channel::<()>();
        let reached = Arc::new(Barrier::new(2));
        let waiting = Arc::clone(&reached);
        let held = log.submit(Proposal::<(), ()>::new(move |_| {
            waiting.wait();
            released.recv().unwrap();
            Ok(())
        }));
        drop(held.await.unwrap());
        reached.wait();
        Self(release)
    }

    pub(crate) fn release(self) {
        self.0.send(()).unwrap();
    }
}
