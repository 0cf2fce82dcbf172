use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

/// An exclusive lock on a data directory: one process for each store. Held until dropped; the kernel releases it when
/// the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    file: File,
}

/// Why a data directory could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error(
        "{path} is held by process {holder}: only one process can use a store; stop that one first"
    )]
    Held {
        /// The lock file.
        path: PathBuf,
        /// What the holder wrote there: its process id.
        holder: String,
    },
    /// The lock file cannot be made or locked.
    #[error("could not lock {path}: {source}")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DirectoryLock {
    /// Keeps others out without changing anything. `None` if there is no lock file, because then nobody has ever used
    /// the directory.
    pub(crate) fn hold_unchanged(directory: &Path) -> Result<Option<Self>, LockError> {
        let path = directory.join("lock");
        match File::open(&path) {
            Ok(file) => Self::lock(file, path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LockError::Io { path, source }),
        }
    }

    /// Locks `directory` by the file `lock` in it.
    pub(crate) fn acquire(directory: &Path) -> Result<Self, LockError> {
        let path = directory.join("lock");
        let failed = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        let mut lock = Self::lock(file, path.clone())?;
        let file = &mut lock.file;
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(lock)
    }

    fn lock(mut file: File, path: PathBuf) -> Result<Self, LockError> {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                // The holder may not have written its process id yet.
                if file.read_to_string(&mut holder).is_err() || holder.trim().is_empty() {
                    holder = "(unknown)".to_owned();
                }
                return Err(LockError::Held {
                    path,
                    holder: holder.trim().to_owned(),
                });
            }
            Err(errno) => {
                let source = errno.into();
                return Err(LockError::Io { path, source });
            }
        }
        Ok(Self { file })
    }
}

impl Drop for DirectoryLock {
    /// Unlocks explicitly: a child that was forked just now also has the file open, until it executes another program,
    /// and closing only our descriptor would leave it locked.
    fn drop(&mut self) {
        if let Err(errno) = flock(&self.file, FlockOperation::Unlock) {
            tracing::warn!(%errno, "the lock of a data directory could not be released");
        }
    }
}
