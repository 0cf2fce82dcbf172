//! Whether the disk gives what sled is about to read.
//!
//! sled 0.34.7 takes a read that fails while it opens for the end of its log, and then writes over what follows: one
//! transient error lost what was acknowledged for good. So its files are read once before, to the end, by somebody who
//! tells an error from an end. What was read is in the kernel's cache when sled comes to it, as far as memory reaches.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{Advice, fadvise};

/// So much is read at once, in bytes.
const BLOCK: usize = 1024 * 1024;

/// Reads every file of sled's in `root` to its end. Changes nothing.
///
/// # Errors
/// What the disk does not give, and why.
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
