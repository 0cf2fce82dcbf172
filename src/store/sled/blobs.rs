//! Checks that sled has put no values into blob files, which it never syncs.

use std::{
    fs::File,
    io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use rustix::fs::Dir;

/// sled's directory of blobs, held open: a check that had to open a file could fail for lack of a descriptor, and close
/// a log whose disk is healthy.
pub(super) struct Blobs {
    pub(super) path: PathBuf,
    directory: Mutex<Dir>,
}

impl Blobs {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let directory = Mutex::new(Dir::new(File::open(&path)?)?);
        Ok(Self { path, directory })
    }

    pub(super) fn is_empty(&self) -> io::Result<bool> {
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
