//! Creates files and directories whose names are on disk when the call returns.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

/// Creates a directory, and missing ones above it. All new names survive a power cut.
///
/// # Errors
/// The file system failed.
pub fn create_directory(path: &Path, mode: u32) -> io::Result<()> {
    let made: Vec<&Path> = path.ancestors().take_while(|path| !path.exists()).collect();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)?;
    // Includes the directory itself: an earlier attempt may have created it and been interrupted before this sync.
    let named = made.into_iter().chain([path]);
    named.filter_map(Path::parent).try_for_each(sync_directory)
}

/// Writes a file that is there completely or not at all. Its name is durable once its directory is synced.
///
/// # Errors
/// The file system failed.
pub fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    // Left by an attempt that was interrupted.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

/// Makes the names in a directory durable. The empty path stands for the current directory: it is the parent of a
/// relative path with one component.
///
/// # Errors
/// The file system failed.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    File::open(path)?.sync_all()
}
