//! Checks that files with secrets have modes that exclude everybody but their owner.

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
    /// Its mode.
    pub mode: u32,
    /// The mode that it should have.
    pub wanted: u32,
}

/// Refuses an existing file or directory that its group or others may read, write or enter.
///
/// # Errors
/// The mode gives access to others.
pub(crate) fn require_private(path: &Path, wanted: u32) -> Result<(), ExposedPath> {
    // If the file is missing or cannot be examined, whoever reads it reports that.
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
