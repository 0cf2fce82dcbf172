//! Reads an export: a C2SP tlog-tiles directory, whose files may be missing, damaged or forged.

use super::recompute::{MAX_LEAF_BYTES, Mismatch};
use crate::{
    merkle::{Frontier, Hash, NodeReader, TILE_HEIGHT, TILE_WIDTH, TileId, TilePath},
    note::NoteError,
};
use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// The file with the signed head, written last: a directory without one is not an export.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// Length of the number before each leaf in an entry bundle: a big-endian `u16`.
const PREFIX_BYTES: usize = 2;

/// The longest entry bundle.
const MAX_BUNDLE_BYTES: usize = TILE_WIDTH * (PREFIX_BYTES + MAX_LEAF_BYTES);

/// The first thing found wrong with an export. Files are named as in the export, entries counted from 0.
#[derive(Debug, thiserror::Error)]
pub enum ExportDefect {
    /// The file system failed, which says nothing about the export.
    #[error("{} could not be read", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no checkpoint.
    #[error("{} has no checkpoint: it is not an export, or an unfinished one", dir.display())]
    NoCheckpoint {
        /// The directory.
        dir: PathBuf,
    },
    /// The log's key did not sign the checkpoint.
    #[error("the file checkpoint is not this log's")]
    Checkpoint(#[from] NoteError),
    /// A file that the checkpoint's size requires is missing.
    #[error("{file} is missing, or not a regular file")]
    Missing {
        /// The file.
        file: TilePath,
    },
    /// A file or link among the tiles that a log of this size does not have.
    #[error(
        "{file} is not part of a log of {size} entries: remove it or find out who put it there"
    )]
    Extra {
        /// The file.
        file: String,
        /// The number of entries in the checkpoint.
        size: u64,
    },
    /// A tile's length does not match its name.
    #[error("{file} has {found} bytes instead of {expected}", expected = file.width() * Hash::LEN)]
    Length {
        /// The file.
        file: TilePath,
        /// Its length, or one more than expected.
        found: usize,
    },
    /// A bundle is not a sequence of entries, each with its length before it.
    #[error(
        "{file} cannot be divided into entries from entry {index} on: it was cut, extended or changed"
    )]
    Bundle {
        /// The file.
        file: TilePath,
        /// The first entry that cannot be read.
        index: u64,
    },
    /// The entry is not the one that was logged: it contradicts the tiles up to the signed root.
    #[error("entry {index} in {file} is not what was logged")]
    EntryChanged {
        /// The bundle.
        file: TilePath,
        /// The entry.
        index: u64,
    },
    /// The tile's hash is not that of what was logged: it contradicts the entries and the other tiles, up to the signed
    /// root.
    #[error("{file}: hash {position}, over the entries from {index} on, is not what was logged")]
    HashChanged {
        /// The tile.
        file: TilePath,
        /// The position in the tile.
        position: usize,
        /// The first entry under the hash.
        index: u64,
    },
    /// Entries were changed and the tiles below this one rebuilt to match; they contradict this tile, up to the signed
    /// root.
    #[error(
        "{file} shows that of the entries {index} to {last} at least one is not what was logged"
    )]
    EntriesChanged {
        /// The tile that was not rebuilt.
        file: TilePath,
        /// The first entry under the hash that differs.
        index: u64,
        /// The last one.
        last: u64,
    },
    /// Tile and entries contradict each other, and more is wrong, so that neither leads to the signed root.
    #[error(
        "{file} and the entries from {index} on contradict each other, and neither leads to the signed root"
    )]
    Contradiction {
        /// The tile.
        file: TilePath,
        /// The first entry under the hash that differs.
        index: u64,
    },
    /// Everything in the export is consistent, but it is not the log that was signed.
    #[error(
        "entries and tiles fit together, but they are not the log that the checkpoint was signed for"
    )]
    OtherLog(#[from] Mismatch),
}

/// Collects the hashes of a growing tree into tiles. Holds at most one tile of each level.
#[derive(Debug, Default)]
pub(super) struct TileRows {
    frontier: Frontier,
    /// By tile level, the tile that is not full yet.
    rows: Vec<Vec<Hash>>,
}

impl TileRows {
    pub(super) const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Appends a leaf and passes on each tile that it fills, from level 0 upward.
    pub(super) fn push<E>(
        &mut self,
        leaf: Hash,
        mut full: impl FnMut(TilePath, &[Hash]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { frontier, rows } = self;
        frontier.push_with(leaf, |level, _, hash| {
            if level % TILE_HEIGHT == 0 {
                let level = usize::from(level / TILE_HEIGHT);
                if rows.len() <= level {
                    rows.resize_with(level + 1, || Vec::with_capacity(TILE_WIDTH));
                }
                if let Some(row) = rows.get_mut(level) {
                    row.push(*hash);
                }
            }
        });
        for (level, row) in (0..).zip(rows) {
            if row.len() < TILE_WIDTH {
                break;
            }
            if let Some(path) = last_tile(level, frontier.size()) {
                full(path, row)?;
            }
            row.clear();
        }
        Ok(())
    }

    /// The tiles that are not full, from level 0 upward.
    pub(super) fn partial(&self) -> impl Iterator<Item = (TilePath, &[Hash])> {
        (0..)
            .zip(&self.rows)
            .filter(|(_, row)| !row.is_empty())
            .filter_map(|(level, row)| {
                Some((last_tile(level, self.frontier.size())?, row.as_slice()))
            })
    }
}

/// The rightmost tile of a level.
fn last_tile(level: u8, size: u64) -> Option<TilePath> {
    let hashes = size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT))?;
    let index = hashes.checked_sub(1)? / TILE_WIDTH as u64;
    TileId { level, index }.path_at(size)
}

/// Reads at most `limit` bytes and one more, so that a longer file is noticed. `None` if there is no regular file.
pub(super) fn read_file(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, ExportDefect> {
    let failed = |source| ExportDefect::Io {
        file: path.to_owned(),
        source,
    };
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Ok(None),
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(Some(bytes))
}

fn is_absent(error: &io::Error) -> bool {
    // Below a file in place of a directory there is nothing either.
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// The hashes in a tile's file, as many as its name says.
pub(super) fn read_tile(dir: &Path, file: TilePath) -> Result<Vec<Hash>, ExportDefect> {
    let expected = file.width() * Hash::LEN;
    let bytes =
        read_file(&dir.join(file.to_string()), expected)?.ok_or(ExportDefect::Missing { file })?;
    if bytes.len() != expected {
        return Err(ExportDefect::Length {
            file,
            found: bytes.len(),
        });
    }
    let (hashes, _) = bytes.as_chunks::<{ Hash::LEN }>();
    Ok(hashes.iter().copied().map(Hash::from).collect())
}

/// The bytes of a bundle, at most one more than the longest has.
pub(super) fn read_bundle(dir: &Path, file: TilePath) -> Result<Vec<u8>, ExportDefect> {
    read_file(&dir.join(file.to_string()), MAX_BUNDLE_BYTES)?.ok_or(ExportDefect::Missing { file })
}

/// Appends a leaf to a bundle. `false` if it is too long for one.
pub(super) fn append_to_bundle(bundle: &mut Vec<u8>, leaf: &[u8]) -> bool {
    let Ok(length) = u16::try_from(leaf.len()) else {
        return false;
    };
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(leaf);
    true
}

/// The first leaf of a bundle, and the rest. `None` if the bytes end before it does.
pub(super) fn split_bundle(bundle: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bundle.split_first_chunk::<PREFIX_BYTES>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// Refuses anything under `tile/` that a log of this size does not have. Empty directories do not matter.
pub(super) fn refuse_extra_files(dir: &Path, size: u64) -> Result<(), ExportDefect> {
    let mut directories = vec![dir.join("tile")];
    while let Some(directory) = directories.pop() {
        let failed = |source| ExportDefect::Io {
            file: directory.clone(),
            source,
        };
        let found = match fs::read_dir(&directory) {
            Ok(found) => found,
            Err(error) if is_absent(&error) => continue,
            Err(error) => return Err(failed(error)),
        };
        for item in found {
            let item = item.map_err(failed)?;
            let path = item.path();
            let kind = item.file_type().map_err(failed)?;
            if kind.is_dir() {
                directories.push(path);
                continue;
            }
            let name = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy();
            let known = name
                .parse::<TilePath>()
                .is_ok_and(|file| file.belongs_to(size));
            if !known || !kind.is_file() {
                return Err(ExportDefect::Extra {
                    file: name.into_owned(),
                    size,
                });
            }
        }
    }
    Ok(())
}

/// The tree in an export's tiles, to make proofs from. Only [`verify_export`](super::verify_export) tells whether it is
/// the log's.
#[derive(Clone, Debug)]
pub struct ExportedTree {
    dir: PathBuf,
    size: u64,
}

impl ExportedTree {
    /// The tree of an export of `size` entries.
    pub fn new(dir: &Path, size: u64) -> Self {
        Self {
            dir: dir.to_owned(),
            size,
        }
    }
}

impl NodeReader for ExportedTree {
    type Error = ExportDefect;

    fn node(&self, level: u8, index: u64) -> Result<Hash, ExportDefect> {
        let place = TileId::holding(level, index);
        let absent = || ExportDefect::Io {
            file: self.dir.clone(),
            source: io::Error::other("the export is too small to hold this tree node"),
        };
        let file = place.tile.path_at(self.size).ok_or_else(absent)?;
        place.root(&read_tile(&self.dir, file)?).ok_or_else(absent)
    }
}

/// The leaves of an export of `size` entries, in order. Ends after the first defect.
///
/// They are unverified: only [`verify_export`](super::verify_export) tells whether they are the log's.
pub fn entries(dir: &Path, size: u64) -> Entries {
    Entries {
        dir: dir.to_owned(),
        size,
        next: 0,
        bundle: VecDeque::new(),
    }
}

/// The leaves of an export, with one bundle in memory at a time.
#[derive(Debug)]
pub struct Entries {
    dir: PathBuf,
    size: u64,
    /// The entry after those in `bundle`.
    next: u64,
    bundle: VecDeque<Vec<u8>>,
}

impl Entries {
    fn read_next_bundle(&mut self) -> Result<(), ExportDefect> {
        let Some(file) = TilePath::entries_at(self.next / TILE_WIDTH as u64, self.size) else {
            return Ok(());
        };
        let bytes = read_bundle(&self.dir, file)?;
        let mut rest = bytes.as_slice();
        for _ in 0..file.width() {
            let (leaf, after) = split_bundle(rest).ok_or(ExportDefect::Bundle {
                file,
                index: self.next,
            })?;
            self.bundle.push_back(leaf.to_vec());
            self.next += 1;
            rest = after;
        }
        if rest.is_empty() {
            Ok(())
        } else {
            Err(ExportDefect::Bundle {
                file,
                index: self.next,
            })
        }
    }
}

impl Iterator for Entries {
    type Item = Result<Vec<u8>, ExportDefect>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bundle.is_empty()
            && self.next < self.size
            && let Err(defect) = self.read_next_bundle()
        {
            self.bundle.clear();
            self.next = self.size;
            return Some(Err(defect));
        }
        self.bundle.pop_front().map(Ok)
    }
}
