//! The key file: bucket keys, outside the store and outside its backups.

use crate::seal::{Keyring, KeyringDefect};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// The longest key file that is read, in bytes.
const LIMIT: u64 = 1024 * 1024;

/// The key file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file system failed.
    #[error("could not {doing} the key file {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is damaged, or not a key file.
    #[error("{}: {defect}", path.display())]
    Defect {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        defect: KeyringDefect,
    },
}

impl KeyFileError {
    /// Whether a file that looks written may not be on disk: then nothing may depend on it.
    pub fn may_be_unkept(&self) -> bool {
        matches!(self, Self::Io { doing: "sync", .. })
    }
}

/// The file that holds a node's keyring. It is written completely, atomically, and synced before any key in it is used.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// The file at `path`, which need not exist yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Reads the keyring; `None` if there is no file.
    ///
    /// # Errors
    /// The file system failed, or the file is damaged.
    pub fn load(&self) -> Result<Option<Keyring>, KeyFileError> {
        let bytes = match fs::metadata(&self.path) {
            Ok(meta) if meta.len() > LIMIT => return Err(self.defect(KeyringDefect::Format)),
            Ok(_) => zeroize::Zeroizing::new(fs::read(&self.path).map_err(self.io("read"))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.io("read")(error)),
        };
        Keyring::from_bytes(&bytes)
            .map(Some)
            .map_err(|defect| self.defect(defect))
    }

    /// Writes the keyring: to a new file, synced, renamed over the old one, then the directory synced.
    ///
    /// # Errors
    /// The file system failed; the old file is then intact.
    pub fn save(&self, ring: &Keyring) -> Result<(), KeyFileError> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let new = self.path.with_extension("new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(self.io("replace")(error));
            }
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .map_err(self.io("create"))?;
        file.write_all(&ring.to_bytes()).map_err(self.io("write"))?;
        file.sync_all().map_err(self.io("sync"))?;
        fs::rename(&new, &self.path).map_err(self.io("replace"))?;
        File::open(directory)
            .and_then(|d| d.sync_all())
            .map_err(self.io("sync"))
    }

    fn io(&self, doing: &'static str) -> impl Fn(io::Error) -> KeyFileError + use<> {
        let path = self.path.clone();
        move |source| KeyFileError::Io {
            doing,
            path: path.clone(),
            source,
        }
    }

    fn defect(&self, defect: KeyringDefect) -> KeyFileError {
        KeyFileError::Defect {
            path: self.path.clone(),
            defect,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::PurgeMonth;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn is_private_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyFile::at(dir.path().join("keys"));
        assert!(file.load().unwrap().is_none());
        let mut ring = Keyring::generate().unwrap();
        file.save(&ring).unwrap();
        ring.add_bucket(PurgeMonth::new(203_101).unwrap()).unwrap();
        file.save(&ring).unwrap();
        assert_eq!(file.load().unwrap().unwrap().to_bytes(), ring.to_bytes());
        let mode = fs::metadata(dir.path().join("keys"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        KeyFile::at(&path)
            .save(&Keyring::generate().unwrap())
            .unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[20] ^= 1;
        fs::write(&path, bytes).unwrap();
        let said = KeyFile::at(&path).load().unwrap_err().to_string();
        assert!(said.contains("checksum"), "{said}");
    }
}
