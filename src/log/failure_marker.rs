//! A marker file that a storage error leaves beside the checkpoint file.
//!
//! While it is there the log does not open, because the kernel may misreport the state of the files (I2): after a
//! failed sync it may mark pages clean that are not on disk.

use std::{
    fmt::Display,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::OpenError;

/// Path of the marker that a storage error leaves for the next start, beside the checkpoint file.
pub fn failure_marker_file(checkpoint_file: &Path) -> PathBuf {
    let mut path = checkpoint_file.as_os_str().to_owned();
    path.push(".failed");
    path.into()
}

/// Path of the file, beside the checkpoint file, that keeps a checkpoint of this log that somebody showed and that the
/// log does not contain (I9). The log opens again only if it contains that checkpoint.
pub(crate) fn disowned_checkpoint_file(checkpoint_file: &Path) -> PathBuf {
    let mut path = checkpoint_file.as_os_str().to_owned();
    path.push(".disowned");
    path.into()
}

/// Writes the marker, so that the log does not open again in this directory. The disk may refuse this write too; then
/// the operator still has the log message. Blocks.
pub(crate) fn write(checkpoint_file: &Path, why: &impl Display) {
    let path = failure_marker_file(checkpoint_file);
    let left = File::create(&path).and_then(|mut file| {
        writeln!(file, "{why}")?;
        file.sync_all()
    });
    if let Err(error) = left {
        let path = path.display();
        tracing::error!("could not write the failure marker {path}: {error}");
    }
}

/// Fails if the marker is there. A marker that cannot be read counts as a marker.
///
/// # Errors
/// [`OpenError::FailedBefore`].
pub(crate) fn refuse_if_failed(checkpoint_file: &Path) -> Result<(), OpenError> {
    let path = failure_marker_file(checkpoint_file);
    let said = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => format!("it cannot be read: {error}"),
        Ok(said) => String::from_utf8_lossy(&said).trim_end().to_owned(),
    };
    Err(OpenError::FailedBefore { path, said })
}
