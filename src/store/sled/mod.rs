//! The store on disk: one sled tree, and what sled 0.34.7 lacks to survive a power cut. `tests/power_cuts` measures the
//! reason for each step: without it, power cuts lose acknowledged data.
//!
//! Begin with [`SledStore`]'s commit in this file. Around it: `open.rs` opens a store, after `preflight.rs` and `config.rs`,
//! `pages.rs` packs rows, `flush_watchdog.rs` wakes flushes that sled forgot, and `close.rs` closes it.

mod blobs;
mod close;
mod config;
mod flush_watchdog;
mod open;
mod pages;
mod preflight;

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{Batch, DirectoryLock, Order, Row, Store, StoreError, admit, admit_writer, keys};
use blobs::Blobs;
use close::LastHandle;
use flush_watchdog::FlushWatchdog;
pub use open::OpenStoreError;

/// A store in a directory, held by one process.
pub struct SledStore {
    // First, so that it drops its handle before sled is to close.
    watchdog: FlushWatchdog,
    db: sled::Db,
    /// A second handle to sled's file: `flush` only starts write-back, so the sync is ours. It is opened before the
    /// first write and kept, because the kernel reports a failed write-back once to each handle, even if another sync
    /// (sled's flusher) met it first and swallowed it.
    file: File,
    blobs: Blobs,
    /// Held for writing while a commit is applied: a range reads page by page, and rows move between pages.
    layout: RwLock<()>,
    /// Whether the last commit left unsynced changes behind.
    needs_sync: AtomicBool,
    failed: AtomicBool,
    // After all other handles.
    last: LastHandle,
    // Last, so that it is released after sled has closed its file.
    _lock: DirectoryLock,
}

impl SledStore {
    /// Calls `report` if the store fails to close, unless a commit failed before: the state of the disk is unknown
    /// then, as it is after a failed commit. The store closes when it is dropped.
    pub fn when_closing_fails(&mut self, report: impl FnOnce(&StoreError) + Send + Sync + 'static) {
        self.last.report_to(Box::new(report));
    }

    fn write(&self, expected_size: u64, batch: &Batch) -> Result<(), StoreError> {
        let head = self.get(&keys::HEAD)?;
        admit_writer(expected_size, head.as_deref())?;
        // Until the end: writes that reads cause in sled must not come between, see `tidy`.
        let _alone = self.layout.write().unwrap_or_else(PoisonError::into_inner);
        let mut rows = sled::Batch::default();
        for (key, value) in guarded("read pages", || pages::writes(&self.db, batch))?? {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(key),
            }
        }
        self.sync_what_is_left()?;
        guarded("apply a commit", || self.db.apply_batch(rows.clone()))?;
        self.flush()?;
        self.sync()?;
        self.tidy(rows)?;
        let empty = self.blobs.is_empty();
        if !empty.map_err(StoreError::io("list sled's blobs/"))? {
            return Err(StoreError::UnsyncedBlob);
        }
        Ok(())
    }

    /// Lets sled split and merge the nodes that a commit has left too full or too empty. The result must be synced
    /// before the next commit.
    ///
    /// sled leaves that work to whoever accesses the node next, mostly a reader, and logs it outside of any batch. Such
    /// bytes count as stable for sled once `sync_file_range` has returned, and the header of each segment that begins
    /// later says that they are there. If a power cut loses them and leaves such a header, sled finds a hole in its log
    /// and discards all of it, including what was synced long before. The bytes of a batch do not count before its end.
    /// So the same batch is applied once more: it changes nothing, but visits each node that it changed before, and
    /// what sled then does is inside a batch.
    fn tidy(&self, again: sled::Batch) -> Result<(), StoreError> {
        self.needs_sync.store(true, Ordering::Release);
        guarded("tidy up after a commit", || self.db.apply_batch(again))
    }

    /// Syncs what [`SledStore::tidy`] left, and what reads may have caused.
    fn sync_what_is_left(&self) -> Result<(), StoreError> {
        if self.flush()? > 0 || self.needs_sync.load(Ordering::Acquire) {
            self.sync()?;
            self.needs_sync.store(false, Ordering::Release);
        }
        Ok(())
    }

    fn flush(&self) -> Result<usize, StoreError> {
        self.watchdog
            .guard(|| guarded("flush a commit", || self.db.flush()))
    }

    /// `flush` only starts write-back.
    fn sync(&self) -> Result<(), StoreError> {
        let synced = self.file.sync_data();
        synced.map_err(StoreError::io("sync sled's file"))
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        if self.failed.load(Ordering::Acquire) {
            return self.last.say_nothing();
        }
        let flushed = self
            .watchdog
            .guard(|| guarded("flush on closing", || self.db.flush()));
        let synced = self.file.sync_data();
        let synced = synced.map_err(StoreError::io("sync sled's file on closing"));
        if let Err(error) = flushed.and(synced) {
            self.last.fail(&error);
        }
    }
}

impl Store for SledStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let _still = self.layout.read().unwrap_or_else(PoisonError::into_inner);
        guarded("read a row", || pages::get(&self.db, key))?
    }

    fn range(
        &self,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let _still = self.layout.read().unwrap_or_else(PoisonError::into_inner);
        guarded("read rows", || {
            pages::range(&self.db, from, to, order, limit)
        })?
    }

    fn commit(&self, expected_size: u64, batch: &Batch) -> Result<(), StoreError> {
        admit(batch)?;
        if self.failed.load(Ordering::Acquire) {
            return Err(StoreError::Failed);
        }
        // After a failed sync the kernel may mark lost pages clean: no later success would mean anything.
        self.write(expected_size, batch)
            .inspect_err(|_| self.failed.store(true, Ordering::Release))
    }

    fn sync_deferred(&self) -> Result<(), StoreError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(StoreError::Failed);
        }
        self.sync_what_is_left()
            .inspect_err(|_| self.failed.store(true, Ordering::Release))
    }
}

/// Calls sled, and turns its errors and panics into ours.
pub(super) fn guarded<T>(
    doing: &'static str,
    call: impl FnOnce() -> sled::Result<T>,
) -> Result<T, StoreError> {
    let said = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(sled::Error::Io(source))) => return Err(StoreError::io(doing)(source)),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic_text(panic.as_ref()),
    };
    Err(StoreError::Engine { doing, said })
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    format!("it panicked: {}", text.unwrap_or("without a word"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;
    use proptest::{collection::vec, prelude::*, sample};
    use std::fs;

    #[derive(Clone, Debug)]
    enum Op {
        Commit(Vec<(Vec<u8>, Option<Vec<u8>>)>),
        Range(Vec<u8>, Vec<u8>, bool, usize),
        Reopen,
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        vec(sample::select(vec![0x10, 0x11, 0x40, 0xff]), 1..4)
    }

    fn op() -> impl Strategy<Value = Op> {
        let value = (any::<u8>(), sample::select(vec![0, 1, 900, 6144]))
            .prop_map(|(byte, length)| vec![byte; length]);
        prop_oneof![
            5 => vec((key(), prop::option::weighted(0.7, value)), 0..30).prop_map(Op::Commit),
            5 => (key(), key(), any::<bool>(), 0..40_usize)
                .prop_map(|(from, to, down, limit)| Op::Range(from, to, down, limit)),
            1 => Just(Op::Reopen),
        ]
    }

    /// A look whether sled wrote a blob needed a file to open; where connections had taken the last one, the log closed. Runs
    /// itself again, in a process that opens no more files once its store is open.
    #[test]
    fn regression_a_commit_needs_no_file_to_open() {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        const ALONE: &str = "YICHUAN_TEST_OPENS_NO_MORE_FILES";
        const NAME: &str = "store::sled::tests::regression_a_commit_needs_no_file_to_open";
        if std::env::var_os(ALONE).is_none() {
            let alone = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", NAME, "--nocapture"])
                .env(ALONE, "1")
                .output()
                .unwrap();
            assert!(alone.status.success(), "{alone:?}");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let store = SledStore::open(directory.path()).unwrap();
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let limit = |current| setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
        limit(Some(0));
        assert!(File::open(directory.path()).is_err());
        for n in 0..3 {
            let mut batch = Batch::new();
            batch.put(vec![0x10, n], vec![n; 900]);
            store.commit(0, &batch).unwrap();
        }
        limit(maximum);
        fs::write(directory.path().join("sled/blobs/1"), b"unsynced").unwrap();
        let mut batch = Batch::new();
        batch.put(vec![0x10], vec![1]);
        let refused = store.commit(0, &batch);
        assert!(
            matches!(refused, Err(StoreError::UnsyncedBlob)),
            "{refused:?}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// sled behaves as a sorted map, also after it was opened again.
        #[test]
        fn the_disk_behaves_as_memory_does(ops in vec(op(), 1..40)) {
            let directory = tempfile::tempdir().unwrap();
            let model = MemoryStore::new();
            let mut disk = Some(SledStore::open(directory.path()).unwrap());
            for op in ops {
                let store = disk.as_ref().unwrap();
                match op {
                    Op::Commit(rows) => {
                        let mut batch = Batch::new();
                        for (key, value) in rows {
                            match value {
                                Some(value) => batch.put(key, value),
                                None => batch.delete(key),
                            }
                        }
                        model.commit(0, &batch).unwrap();
                        store.commit(0, &batch).unwrap();
                    }
                    Op::Range(from, to, down, limit) => {
                        let order = if down { Order::Descending } else { Order::Ascending };
                        prop_assert_eq!(
                            store.range(&from, &to, order, limit).unwrap(),
                            model.range(&from, &to, order, limit).unwrap()
                        );
                        prop_assert_eq!(store.get(&from).unwrap(), model.get(&from).unwrap());
                    }
                    Op::Reopen => {
                        drop(disk.take());
                        disk = Some(SledStore::open(directory.path()).unwrap());
                    }
                }
            }
        }
    }
}
