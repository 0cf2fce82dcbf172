//! Opens a store: everything around sled's own opening that a power cut or a failing disk demands.

use std::{
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{RwLock, atomic::AtomicBool},
    time::Duration,
};

use rustix::io::Errno;

use super::{
    SledStore, blobs::Blobs, close::LastHandle, config, flush_watchdog::FlushWatchdog, panic_text,
    preflight,
};
use crate::store::{DirectoryLock, LockError};

/// sled's cache in bytes: a quarter of its default.
const CACHE: u64 = 256 * 1024 * 1024;

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
        "could not {doing} {path}: {source}. Repair the disk and run `yichuan doctor`: it copies what is proved into a fresh \
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Batch, Store as _};

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
