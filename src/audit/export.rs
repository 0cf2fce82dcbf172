//! Writes a log as a C2SP tlog-tiles directory.

use super::{
    recompute::{LeafTooLong, Mismatch, compare},
    tiles::{CHECKPOINT, TileRows, append_to_bundle},
};
use crate::{
    merkle::{Hash, TILE_WIDTH, TilePath, leaf_hash},
    note::SignedCheckpoint,
    store::durable,
};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Why an export, or a case file, was not written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The directory is not empty.
    #[error("{} is not empty: name a new directory", dir.display())]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
    },
    /// The file system failed.
    #[error("{} could not be written", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A leaf that no bundle can hold.
    #[error(transparent)]
    LeafTooLong(#[from] LeafTooLong),
    /// The leaves are not those for which the checkpoint was signed.
    #[error(
        "the entries read are not the log that was signed, so the export was left without a checkpoint"
    )]
    Mismatch(#[from] Mismatch),
}

/// Writes an export, leaf by leaf. Holds one bundle and one tile of each level in memory.
///
/// Each file appears under its name only when it is complete and synced, and `checkpoint` after all others. Dropped
/// before [`TileWriter::finish`] it leaves a directory that is not an export.
#[derive(Debug)]
pub struct TileWriter {
    dir: PathBuf,
    rows: TileRows,
    bundle: Vec<u8>,
}

impl TileWriter {
    /// Creates the directory; an empty one may exist.
    ///
    /// # Errors
    /// It is not empty, or cannot be created.
    pub fn create(dir: &Path) -> Result<Self, ExportError> {
        create_empty(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            rows: TileRows::default(),
            bundle: Vec::new(),
        })
    }

    /// Leaves so far.
    pub const fn size(&self) -> u64 {
        self.rows.frontier().size()
    }

    /// Takes the next leaf.
    ///
    /// # Errors
    /// The leaf is too long, or a file cannot be written. The export is then useless.
    pub fn push(&mut self, leaf: &[u8]) -> Result<(), ExportError> {
        let index = self.size();
        if !append_to_bundle(&mut self.bundle, leaf) {
            return Err(LeafTooLong {
                index,
                found: leaf.len(),
            }
            .into());
        }
        let dir = &self.dir;
        self.rows.push(leaf_hash(leaf), |tile, hashes| {
            write_tile(dir, tile, hashes)
        })?;
        if self.size().is_multiple_of(TILE_WIDTH as u64) {
            self.write_bundle()?;
        }
        Ok(())
    }

    /// Writes what is left and then, if the leaves are those for which it was signed, the checkpoint.
    ///
    /// # Errors
    /// They are not, or a file cannot be written. There is no checkpoint then.
    pub fn finish(mut self, checkpoint: &SignedCheckpoint) -> Result<(), ExportError> {
        compare(self.rows.frontier(), checkpoint)?;
        self.write_bundle()?;
        for (tile, hashes) in self.rows.partial() {
            write_tile(&self.dir, tile, hashes)?;
        }
        sync_directories(&self.dir)?;
        write_file(&self.dir.join(CHECKPOINT), checkpoint.note().as_bytes())?;
        sync(&self.dir)
    }

    /// The entries since the last full bundle, if there are any.
    fn write_bundle(&mut self) -> Result<(), ExportError> {
        if self.bundle.is_empty() {
            return Ok(());
        }
        let index = (self.size() - 1) / TILE_WIDTH as u64;
        if let Some(file) = TilePath::entries_at(index, self.size()) {
            write_file(&self.dir.join(file.to_string()), &self.bundle)?;
        }
        self.bundle.clear();
        Ok(())
    }
}

/// Creates a directory, with its parents; an empty one may exist.
pub(super) fn create_empty(dir: &Path) -> Result<(), ExportError> {
    let failed = |source| ExportError::Io {
        path: dir.to_owned(),
        source,
    };
    durable::create_directory(dir, 0o777).map_err(failed)?;
    if fs::read_dir(dir).map_err(failed)?.next().is_some() {
        return Err(ExportError::NotEmpty {
            dir: dir.to_owned(),
        });
    }
    Ok(())
}

fn write_tile(dir: &Path, file: TilePath, hashes: &[Hash]) -> Result<(), ExportError> {
    let bytes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
    write_file(&dir.join(file.to_string()), &bytes)
}

/// Writes to a temporary name first, so that a file that exists is complete.
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    let failed = |source| ExportError::Io {
        path: path.to_owned(),
        source,
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let unfinished = path.with_extension("tmp");
    let mut file = File::create_new(&unfinished).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&unfinished, path).map_err(failed)
}

/// Makes the names of all files durable.
fn sync_directories(dir: &Path) -> Result<(), ExportError> {
    let mut directories = vec![dir.to_owned()];
    while let Some(directory) = directories.pop() {
        sync(&directory)?;
        let failed = |source| ExportError::Io {
            path: directory.clone(),
            source,
        };
        for item in fs::read_dir(&directory).map_err(failed)? {
            let item = item.map_err(failed)?;
            if item.file_type().map_err(failed)?.is_dir() {
                directories.push(item.path());
            }
        }
    }
    Ok(())
}

pub(super) fn sync(directory: &Path) -> Result<(), ExportError> {
    let failed = |source| ExportError::Io {
        path: directory.to_owned(),
        source,
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{audit::LogVerifier, merkle::Hash, note::LogSigner};

    fn signer() -> LogSigner {
        LogSigner::from_seed("520624.yichuan/log/1", &[7; 32]).unwrap()
    }

    #[test]
    fn an_export_never_goes_into_a_directory_that_holds_something() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("new/export");
        assert!(TileWriter::create(&target).is_ok(), "made with its parents");
        assert!(TileWriter::create(&target).is_ok(), "still empty");
        fs::write(target.join("something"), "").unwrap();
        let refused = TileWriter::create(&target).unwrap_err();
        assert!(matches!(refused, ExportError::NotEmpty { .. }), "{refused}");
    }

    #[test]
    fn entries_that_were_not_signed_for_are_left_without_a_checkpoint() {
        for (entries, size, root) in [
            (&["a", "b"][..], 3, None),
            (&["a", "b"], 1, None),
            (&[], 1, None),
            (&["a", "b"], 2, Some(Hash::from([0; 32]))),
            (&[], 0, Some(Hash::from([0; 32]))),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let mut writer = TileWriter::create(dir.path()).unwrap();
            let mut log = LogVerifier::new();
            for entry in entries {
                writer.push(entry.as_bytes()).unwrap();
                log.push(entry.as_bytes()).unwrap();
            }
            let checkpoint = signer().sign(size, root.unwrap_or_else(|| log.root()));
            let refused = writer.finish(&checkpoint).unwrap_err();
            assert!(matches!(refused, ExportError::Mismatch(_)), "{refused}");
            assert!(!dir.path().join(CHECKPOINT).exists());
        }
    }

    #[test]
    fn the_longest_leaf_fits_and_a_longer_one_is_refused_by_its_index() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = TileWriter::create(dir.path()).unwrap();
        writer.push(&[b'x'; 65_535]).unwrap();
        let refused = writer.push(&[b'x'; 65_536]).unwrap_err();
        let expected = LeafTooLong {
            index: 1,
            found: 65_536,
        };
        assert!(matches!(refused, ExportError::LeafTooLong(found) if found == expected));
        let mut log = LogVerifier::new();
        log.push(&[b'x'; 65_535]).unwrap();
        assert_eq!(log.push(&[b'x'; 65_536]), Err(expected));
    }
}
