//! Word of a storage error, left beside the checkpoint file, so that the log does not open again on files that the kernel
//! may have lied about (I2): after a failed sync it may call pages clean that are not on disk.

use std::{
    fmt::Display,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::OpenError;

/// Where word of a storage error is left for the next start, beside the checkpoint file.
pub fn failure_marker_file(checkpoint_file: &Path) -> PathBuf {
    let mut path = checkpoint_file.as_os_str().to_owned();
    path.push(".failed");
    path.into()
}

/// Where a checkpoint of this log is kept that somebody showed and that the log does not contain (I9), beside the
/// checkpoint file. The log opens again only where it is in it.
pub fn disowned_checkpoint_file(checkpoint_file: &Path) -> PathBuf {
    let mut path = checkpoint_file.as_os_str().to_owned();
    path.push(".disowned");
    path.into()
}

/// Leaves word of a storage error: the log does not open again in this directory. The disk may refuse this too; then the
/// operator has the message. Blocks.
pub fn write(checkpoint_file: &Path, why: &impl Display) {
    let path = failure_marker_file(checkpoint_file);
    let left = File::create(&path).and_then(|mut file| {
        writeln!(file, "{why}")?;
        file.sync_all()
    });
    if let Err(error) = left {
        let path = path.display();
        tracing::error!("could not leave word of it in {path}: {error}");
    }
}

/// Refuses a directory in which word was left. Word that cannot be read is word.
///
/// # Errors
/// [`OpenError::FailedBefore`].
pub fn refuse_if_failed(checkpoint_file: &Path) -> Result<(), OpenError> {
    let path = failure_marker_file(checkpoint_file);
    let said = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => format!("it cannot be read: {error}"),
        Ok(said) => String::from_utf8_lossy(&said).trim_end().to_owned(),
    };
    Err(OpenError::FailedBefore { path, said })
}
