//! The store on disk: one sled tree, and what sled 0.34.7 lacks to survive a power cut. `tests/power_cuts` measures the
//! reason for each step: without it, power cuts lose acknowledged data.
//!
//! Begin with [`SledStore`]'s commit in this file. Around it: `preflight.rs` and `config.rs` run before sled opens,
//! `pages.rs` packs rows, `flush_watchdog.rs` wakes flushes that sled forgot, and `close.rs` closes it.

mod close;
mod config;
mod flush_watchdog;
mod pages;
mod preflight;

use std::{
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::{fs::Dir, io::Errno};

use super::{
    Batch, DirectoryLock, LockError, Order, Row, Store, StoreError, admit, admit_writer, keys,
};
use close::LastHandle;
use flush_watchdog::FlushWatchdog;

/// sled's cache in bytes: a quarter of its default.
const CACHE: u64 = 256 * 1024 * 1024;

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

/// How often sled's own lock is tried, and how long to wait in between.
const LOCK_TRIES: u32 = 500;
const LOCK_WAIT: Duration = Duration::from_millis(10);

/// Opens sled. The directory's lock is held, so sled's own lock can only be held by a thread of a store that this
/// process has just closed: sled releases its file a moment after its last handle is dropped.
fn open_sled(root: &Path, cache: u64) -> Result<sled::Db, OpenStoreError> {
    let refused = |said| OpenStoreError::Engine {
        path: root.to_owned(),
        said,
    };
    let mut tries = 0;
    loop {
        // Every commit flushes, so nothing is left to a timer.
        let config = sled::Config::new()
            .path(root)
            .cache_capacity(cache)
            .flush_every_ms(None);
        // sled panics on some damage instead of reporting it.
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()))
            .map_err(|panic| refused(panic_text(panic.as_ref())))?;
        match opened {
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                if tries == LOCK_TRIES {
                    return Err(refused(error.to_string()));
                }
                tries += 1;
                std::thread::sleep(LOCK_WAIT);
            }
            Err(sled::Error::Io(source)) => {
                return Err(OpenStoreError::of(
                    source,
                    "open the storage engine in",
                    root,
                ));
            }
            Err(error) => return Err(refused(error.to_string())),
            Ok(db) => return Ok(db),
        }
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenStoreError {
    /// Another process holds the directory, or it cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The file system failed.
    #[error("could not {doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A sync failed, or the engine met a failing disk. What is on disk of an earlier process's writes is unknown, and
    /// no later success means anything.
    #[error(
        "could not {doing} {path}: {source}. Mend the disk and run `yichuan doctor`: it copies what is proved into a fresh \
         directory to start from"
    )]
    Storage {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// sled refused or panicked.
    #[error(
        "the storage engine could not open {path}: {said}. Keep the directory as it is and run `yichuan doctor`: it \
         works on a copy, and puts what is proved into a fresh directory"
    )]
    Engine {
        /// The store's directory.
        path: PathBuf,
        /// What sled said.
        said: String,
    },
    /// sled's blob directory is not empty.
    #[error(
        "{path} is not empty: it holds values that were never synced. Run `yichuan doctor`: it copies what is proved \
         into a fresh directory to start from"
    )]
    UnsyncedBlobs {
        /// sled's blob directory.
        path: PathBuf,
    },
}

impl OpenStoreError {
    /// A refusal to open a file says nothing about the disk: the next start may succeed.
    fn of(source: io::Error, doing: &'static str, path: &Path) -> Self {
        let path = path.to_owned();
        if is_refusal(&source) {
            return Self::Io {
                doing,
                path,
                source,
            };
        }
        Self::Storage {
            doing,
            path,
            source,
        }
    }
}

/// Whether the system did nothing, and reported that, because it lacks permission, file descriptors or room. A sync
/// that reports this did lose something.
fn is_refusal(error: &io::Error) -> bool {
    let wanting = [Errno::MFILE, Errno::NFILE, Errno::NOSPC, Errno::DQUOT];
    let wanting = wanting.map(|errno| Some(errno.raw_os_error()));
    wanting.contains(&error.raw_os_error()) || error.kind() == io::ErrorKind::PermissionDenied
}

impl SledStore {
    /// Opens the store in `directory`, or creates it. sled's files go to `sled/` in it, the lock file beside.
    ///
    /// # Errors
    /// Another process holds it, the file system failed, or sled refused.
    pub fn open(directory: &Path) -> Result<Self, OpenStoreError> {
        let store = Self::open_copy(directory, CACHE)?;
        let empty = store.blobs.is_empty();
        let path = store.blobs.path.clone();
        match empty {
            Ok(true) => Ok(store),
            Ok(false) => Err(OpenStoreError::UnsyncedBlobs { path }),
            Err(source) => Err(OpenStoreError::Io {
                doing: "list",
                path,
                source,
            }),
        }
    }

    /// As [`SledStore::open`], for reading from a copy of a store, with at most about `cache` bytes in memory. Values
    /// that were never synced do not matter there; if there are some, the copy takes no commits.
    ///
    /// # Errors
    /// As [`SledStore::open`].
    pub fn open_copy(directory: &Path, cache: u64) -> Result<Self, OpenStoreError> {
        let at = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| OpenStoreError::Io {
                doing,
                path,
                source,
            }
        };
        let root = directory.join("sled");
        fs::create_dir_all(&root).map_err(at("create", &root))?;
        let lock = DirectoryLock::acquire(directory)?;

        discard_unfinished_snapshots(&root)
            .map_err(at("clear unfinished snapshots from", &root))?;
        config::write_if_new(&root)
            .map_err(|source| OpenStoreError::of(source, "configure", &root))?;
        preflight::read_all(&root)
            .map_err(|(path, source)| OpenStoreError::of(source, "read", &path))?;
        let db = open_sled(&root, cache)?;

        // sled creates its file without syncing it; a power cut then leaves a database that it takes for new.
        let blobs = root.join("blobs");
        for path in [&root.join("conf"), &root.join("db"), &blobs, &root] {
            sync(path)?;
        }
        sync(directory)?;
        if let Some(parent) = directory.parent().filter(|p| !p.as_os_str().is_empty()) {
            sync(parent)?;
        }

        let path = root.join("db");
        let file = File::open(&path).map_err(at("open", &path))?;
        let blobs = Blobs::open(blobs.clone()).map_err(at("open", &blobs))?;
        let watchdog = FlushWatchdog::start(&db).map_err(at("start a thread for", &root))?;
        Ok(Self {
            watchdog,
            last: LastHandle::to(&db),
            db,
            file,
            blobs,
            layout: RwLock::default(),
            needs_sync: AtomicBool::new(true),
            failed: AtomicBool::new(false),
            _lock: lock,
        })
    }

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

fn sync(path: &Path) -> Result<(), OpenStoreError> {
    let file = File::open(path).map_err(|source| OpenStoreError::of(source, "open", path))?;
    file.sync_all().map_err(|source| OpenStoreError::Storage {
        doing: "sync",
        path: path.to_owned(),
        source,
    })
}

/// Removes the snapshots that sled was still writing when it was killed. sled takes any `snap.*` for a snapshot, finds
/// a `snap.<lsn>.generating` torn, and no longer opens; it also writes the next one over it without truncating it
/// first. Until a snapshot is renamed, the previous one is in place and the log after that is complete: nothing is lost
/// with the unfinished ones.
fn discard_unfinished_snapshots(root: &Path) -> io::Result<()> {
    for item in fs::read_dir(root)? {
        let item = item?;
        let name = item.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            tracing::info!(file = %name, "an unfinished snapshot of the store is discarded");
            fs::remove_file(item.path())?;
        }
    }
    Ok(())
}

/// sled's directory of blobs, held open: a check that had to open a file could fail for lack of a descriptor, and close
/// a log whose disk is healthy.
struct Blobs {
    path: PathBuf,
    directory: Mutex<Dir>,
}

impl Blobs {
    fn open(path: PathBuf) -> io::Result<Self> {
        let directory = Mutex::new(Dir::new(File::open(&path)?)?);
        Ok(Self { path, directory })
    }

    fn is_empty(&self) -> io::Result<bool> {
        // A check that panicked starts over.
        let directory = self.directory.lock();
        let mut directory = directory.unwrap_or_else(PoisonError::into_inner);
        directory.rewind();
        while let Some(item) = directory.read() {
            if ![c".", c".."].contains(&item?.file_name()) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;
    use proptest::{collection::vec, prelude::*, sample};

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

    /// sled lets go of its file a moment after its last handle is dropped: a node that was stopped and started at once
    /// found it held.
    #[test]
    fn regression_a_store_opens_as_soon_as_sled_has_let_go_of_its_file() {
        let dir = tempfile::tempdir().unwrap();
        drop(SledStore::open(dir.path()).unwrap());
        let held = File::open(dir.path().join("sled/db")).unwrap();
        rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let (start, started) = std::sync::mpsc::channel();
        let holder = std::thread::spawn(move || {
            started.recv().unwrap();
            drop(held);
        });
        start.send(()).unwrap();
        SledStore::open(dir.path()).unwrap();
        holder.join().unwrap();
    }

    /// A full disk kept a store from opening, and the directory was given up for a broken one.
    #[test]
    fn regression_a_want_of_room_on_opening_is_no_storage_error() {
        let said = |errno: Errno| OpenStoreError::of(errno.into(), "open", Path::new("sled"));
        for wanting in [Errno::NOSPC, Errno::DQUOT, Errno::MFILE, Errno::ACCESS] {
            let said = said(wanting);
            assert!(matches!(said, OpenStoreError::Io { .. }), "{said}");
        }
        assert!(matches!(said(Errno::IO), OpenStoreError::Storage { .. }));
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

    /// Found by `kill -9` of a node that was opening: nothing would open the store again.
    #[test]
    fn a_snapshot_that_was_cut_off_while_it_was_written_harms_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("sled");
        let snapshots = || {
            fs::read_dir(&root)
                .unwrap()
                .map(|item| item.unwrap().file_name().into_string().unwrap())
                .filter(|name| name.starts_with("snap."))
                .collect::<Vec<_>>()
        };
        let store = SledStore::open(directory.path()).unwrap();
        let mut batch = Batch::new();
        batch.put(vec![0x10], vec![1; 900]);
        store.commit(0, &batch).unwrap();
        drop(store);
        // sled writes one when it opens what it closed.
        drop(SledStore::open(directory.path()).unwrap());
        let finished = snapshots();
        assert_eq!(finished.len(), 1, "{finished:?}");
        for (lsn, torn) in [(finished[0].as_str(), 0), ("snap.FFFFFFFFFFFFFFFF", 200)] {
            let unfinished = root.join(format!("{lsn}.generating"));
            fs::write(&unfinished, vec![0xee; torn]).unwrap();
            let store = SledStore::open(directory.path()).unwrap();
            assert_eq!(store.get(&[0x10]).unwrap(), Some(vec![1; 900]));
            assert!(!unfinished.exists());
        }
    }

    #[test]
    fn a_store_that_sled_cannot_open_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        drop(SledStore::open(directory.path()).unwrap());
        fs::write(
            directory.path().join("sled/conf"),
            "segment_size: 1\nnonsense",
        )
        .unwrap();
        let Err(error) = SledStore::open(directory.path()) else {
            panic!("opened");
        };
        assert!(error.to_string().contains("fresh directory"), "{error}");
    }
}
