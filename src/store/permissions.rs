//! Secrets are files of modes that let nobody but their owner get at them.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// A secret that others on the machine can get at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} has mode {mode:04o}, so that others on this machine can get at what nobody else may read: `chmod {wanted:o} {}`, \
     and see who could read it until now",
    path.display(),
    path.display()
)]
pub struct ExposedPath {
    /// The file or directory.
    pub path: PathBuf,
    /// As it is.
    pub mode: u32,
    /// As it should be.
    pub wanted: u32,
}

/// Refuses a file or directory that is there and that its group or others may read, write or enter.
///
/// # Errors
/// It is so.
pub fn require_private(path: &Path, wanted: u32) -> Result<(), ExposedPath> {
    // One that is not there, or cannot be looked at, whoever reads it says.
    let mode = fs::metadata(path).map_or(0, |found| found.permissions().mode() & 0o7777);
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(ExposedPath {
            path: path.to_owned(),
            mode,
            wanted,
        }),
    }
}
