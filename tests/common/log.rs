//! A log with nothing around it, for tests.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use yichuan::{
    domain::{Clock, Timestamp},
    log::{Log, LogOptions, OpenError, Proposal, TxnError},
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
