//! Checks that the disk can read everything that sled is about to read.
//!
//! While it opens, sled 0.34.7 takes a failed read for the end of its log, and then writes over what follows: one
//! transient error permanently lost acknowledged data. So this module reads sled's files to their end first, and tells
//! an error from an end. What was read is in the kernel's cache when sled gets to it, as far as memory allows.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{Advice, fadvise};

/// Bytes read at once.
const BLOCK: usize = 1024 * 1024;

/// Reads every file of sled's in `root` to its end. Changes nothing.
///
/// # Errors
/// The file that the disk cannot read, and why.
pub(super) fn read_all(root: &Path) -> Result<(), (PathBuf, io::Error)> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| (path, source)
    };
    let mut block = vec![0; BLOCK];
    for item in fs::read_dir(root).map_err(unreadable(root))? {
        let path = item.map_err(unreadable(root))?.path();
        if path.is_file() {
            read_to_end(&path, &mut block).map_err(unreadable(&path))?;
        }
    }
    Ok(())
}

fn read_to_end(path: &Path, block: &mut [u8]) -> io::Result<()> {
    let file = File::open(path)?;
    if let Err(errno) = fadvise(&file, 0, None, Advice::Sequential) {
        tracing::debug!(%errno, "the store is read without read-ahead");
    }
    let mut at = 0;
    loop {
        match file.read_at(block, at) {
            Ok(0) => return Ok(()),
            Ok(count) => at += u64::try_from(count).unwrap_or(u64::MAX),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
