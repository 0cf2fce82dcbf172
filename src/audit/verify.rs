//! Verifies an export from end to end, and names what is wrong with it.

use super::{
    recompute::{VerifiedLog, compare},
    tiles::{
        CHECKPOINT, ExportDefect, ExportedTree, TileRows, read_bundle, read_file, read_tile,
        refuse_extra_files, split_bundle,
    },
};
use crate::{
    merkle::{
        Hash, TILE_HEIGHT, TILE_WIDTH, TilePath, inclusion_proof, leaf_hash, verify_inclusion,
    },
    note::{MAX_NOTE_BYTES, SignedCheckpoint, VerifierKey},
};
use std::path::Path;

/// Verifies an export completely: the checkpoint's signature, every entry, every hash in every tile, and that no file
/// under `tile/` is missing, truncated, too long or superfluous. `progress` gets the number of entries done and of all
/// entries.
///
/// Files other than `checkpoint` and `tile/` are not read, and nothing here relies on them.
///
/// # Errors
/// The first defect found, by its file and its first wrong entry or hash.
pub fn verify_export(
    dir: &Path,
    key: &VerifierKey,
    mut progress: impl FnMut(u64, u64),
) -> Result<VerifiedLog, ExportDefect> {
    let note = read_file(&dir.join(CHECKPOINT), MAX_NOTE_BYTES)?.ok_or_else(|| {
        ExportDefect::NoCheckpoint {
            dir: dir.to_owned(),
        }
    })?;
    let export = Export {
        dir,
        checkpoint: key.verify(&note)?,
    };
    let size = export.checkpoint.size();
    let mut rows = TileRows::default();
    progress(0, size);
    while let Some(file) = export.bundle_after(rows.frontier().size()) {
        export.check_bundle(file, &mut rows)?;
        progress(rows.frontier().size(), size);
    }
    for (file, hashes) in rows.partial() {
        export.check_tile(file, hashes)?;
    }
    refuse_extra_files(dir, size)?;
    Ok(compare(rows.frontier(), &export.checkpoint)?)
}

/// An export of which only the checkpoint is verified.
struct Export<'a> {
    dir: &'a Path,
    checkpoint: SignedCheckpoint,
}

impl Export<'_> {
    /// The bundle that begins with this entry.
    fn bundle_after(&self, entry: u64) -> Option<TilePath> {
        TilePath::entries_at(entry / TILE_WIDTH as u64, self.checkpoint.size())
            .filter(|_| entry < self.checkpoint.size())
    }

    /// Hashes the entries of a bundle, and compares the tiles that they fill.
    fn check_bundle(&self, file: TilePath, rows: &mut TileRows) -> Result<(), ExportDefect> {
        let bytes = read_bundle(self.dir, file)?;
        let mut rest = bytes.as_slice();
        for _ in 0..file.width() {
            let Some((leaf, after)) = split_bundle(rest) else {
                return Err(self.malformed_bundle(file, rows));
            };
            rows.push(leaf_hash(leaf), |tile, hashes| {
                self.check_tile(tile, hashes)
            })?;
            rest = after;
        }
        if rest.is_empty() {
            return Ok(());
        }
        Err(self.malformed_bundle(file, rows))
    }

    /// A changed length makes entries run into each other: the first one that differs tells where.
    fn malformed_bundle(&self, file: TilePath, rows: &TileRows) -> ExportDefect {
        let index = rows.frontier().size();
        let mut unfinished = rows.partial();
        if let Some((leaves, hashes)) = unfinished.next()
            && leaves.tile().is_some_and(|tile| tile.level == 0)
            && let Some(tile) = leaves
                .tile()
                .and_then(|tile| tile.path_at(self.checkpoint.size()))
            && let Err(earlier) = self.check_tile(tile, hashes)
        {
            return earlier;
        }
        ExportDefect::Bundle { file, index }
    }

    /// Compares recomputed hashes with a tile's file, as far as there are any.
    fn check_tile(&self, file: TilePath, computed: &[Hash]) -> Result<(), ExportDefect> {
        let stored = read_tile(self.dir, file)?;
        let differing = stored
            .iter()
            .zip(computed)
            .enumerate()
            .find(|(_, (a, b))| a != b);
        let Some((position, (stored, computed))) = differing else {
            return Ok(());
        };
        Err(self.blame(file, position, stored, computed))
    }

    /// Decides between a tile and entries that contradict each other: the signed root, through the other tiles, tells
    /// which is right.
    fn blame(
        &self,
        file: TilePath,
        position: usize,
        stored: &Hash,
        computed: &Hash,
    ) -> ExportDefect {
        let rise = file.tile().map_or(0, |tile| tile.level) * TILE_HEIGHT;
        let node = file.index() * TILE_WIDTH as u64 + position as u64;
        let (index, last) = (node << rise, ((node + 1) << rise) - 1);
        let size = self.checkpoint.size();
        let path = inclusion_proof(&ExportedTree::new(self.dir, size), index, size);
        // Above the row of this tile the tree is one over subtrees of 2^rise leaves, of which the last may be smaller.
        let leads_to_root = |node_hash| {
            path.as_ref()
                .ok()
                .and_then(|path| path.get(usize::from(rise)..))
                .is_some_and(|path| {
                    let nodes = size.div_ceil(1 << rise);
                    verify_inclusion(node_hash, node, nodes, path, self.checkpoint.root()).is_ok()
                })
        };
        if leads_to_root(computed) {
            ExportDefect::HashChanged {
                file,
                position,
                index,
            }
        } else if !leads_to_root(stored) {
            ExportDefect::Contradiction { file, index }
        } else if rise > 0 {
            ExportDefect::EntriesChanged { file, index, last }
        } else if let Some(file) = TilePath::entries_at(file.index(), size) {
            ExportDefect::EntryChanged { file, index }
        } else {
            ExportDefect::Contradiction { file, index }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{LogVerifier, Mismatch, TileWriter, entries},
        note::LogSigner,
    };
    use std::{fs, path::PathBuf};
    use tempfile::TempDir;

    fn signer() -> LogSigner {
        LogSigner::from_seed("520624.yichuan/log/1", &[7; 32]).unwrap()
    }

    /// Every fifth is empty: leaves need not be distinct, nor long.
    fn leaf(index: u64) -> Vec<u8> {
        if index % 5 == 4 {
            Vec::new()
        } else {
            format!("entry {index}").into_bytes()
        }
    }

    /// Writes an export in which the leaves that `change` returns stand, under the checkpoint of the true ones.
    fn export(size: u64, change: impl Fn(u64) -> Vec<u8>) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let (mut log, mut changed) = (LogVerifier::new(), LogVerifier::new());
        let mut writer = TileWriter::create(dir.path()).unwrap();
        for index in 0..size {
            log.push(&leaf(index)).unwrap();
            changed.push(&change(index)).unwrap();
            writer.push(&change(index)).unwrap();
        }
        writer.finish(&signer().sign(size, changed.root())).unwrap();
        let checkpoint = signer().sign(size, log.root());
        fs::write(dir.path().join(CHECKPOINT), checkpoint.note()).unwrap();
        dir
    }

    fn verify(dir: &TempDir) -> Result<VerifiedLog, ExportDefect> {
        verify_export(dir.path(), &signer().verifier_key(), |_, _| {})
    }

    /// The defect found after this change to one file.
    fn defect(dir: &TempDir, file: &str, change: impl FnOnce(&mut Vec<u8>)) -> ExportDefect {
        let path = dir.path().join(file);
        let intact = fs::read(&path).unwrap();
        let mut bytes = intact.clone();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let found = verify(dir).unwrap_err();
        fs::write(&path, intact).unwrap();
        found
    }

    #[test]
    fn an_intact_export_is_the_log_and_yields_its_entries() {
        for size in [0, 1, 2, 255, 256, 257, 600] {
            let dir = export(size, leaf);
            let log = verify(&dir).unwrap();
            assert_eq!((log.origin(), log.size()), ("520624.yichuan/log/1", size));
            let found: Vec<_> = entries(dir.path(), size).map(Result::unwrap).collect();
            assert_eq!(found, (0..size).map(leaf).collect::<Vec<_>>());
        }
    }

    #[test]
    fn progress_goes_from_nothing_to_all() {
        let dir = export(600, leaf);
        let mut seen = Vec::new();
        verify_export(dir.path(), &signer().verifier_key(), |done, all| {
            seen.push((done, all))
        })
        .unwrap();
        assert_eq!(seen, [(0, 600), (256, 600), (512, 600), (600, 600)]);
    }

    #[test]
    fn a_changed_entry_is_named() {
        let dir = export(600, leaf);
        for (file, at, index) in [
            ("tile/entries/000", 2, 0),
            ("tile/entries/001", 5, 256),
            ("tile/entries/002.p/88", 5, 512),
            // The length of entry 1, which stands behind the nine bytes of entry 0 with its own length.
            ("tile/entries/000", 10, 1),
            ("tile/entries/000", 9, 1),
        ] {
            let found = defect(&dir, file, |bytes| bytes[at] ^= 1);
            assert!(
                matches!(found, ExportDefect::EntryChanged { file: named, index: first }
                    if named.to_string() == file && first == index),
                "{found}"
            );
        }
    }

    #[test]
    fn a_changed_hash_is_named_at_every_level() {
        let dir = export(65_536 + 300, leaf);
        for (file, position, index) in [
            ("tile/0/000", 255, 255),
            ("tile/0/257.p/44", 1, 65_793),
            ("tile/1/000", 3, 768),
            ("tile/1/001.p/1", 0, 65_536),
            ("tile/2/000.p/1", 0, 0),
        ] {
            let found = defect(&dir, file, |bytes| bytes[32 * position] ^= 1);
            assert!(
                matches!(found, ExportDefect::HashChanged { file: named, position: at, index: first }
                    if named.to_string() == file && (at, first) == (position, index)),
                "{found}"
            );
        }
    }

    #[test]
    fn changed_entries_under_rebuilt_tiles_are_still_found() {
        let forged = |index| {
            if index == 300 {
                b"forged".to_vec()
            } else {
                leaf(index)
            }
        };
        let (dir, other) = (export(600, leaf), export(600, forged));
        let take = |file: &str| {
            fs::copy(other.path().join(file), dir.path().join(file)).unwrap();
            verify(&dir).unwrap_err()
        };
        let found = take("tile/entries/001");
        assert!(
            matches!(found, ExportDefect::EntryChanged { index: 300, .. }),
            "{found}"
        );
        let found = take("tile/0/001");
        assert!(
            matches!(found, ExportDefect::EntriesChanged { file, index: 256, last: 511 }
                if file.to_string() == "tile/1/000.p/2"),
            "{found}"
        );
        let found = take("tile/1/000.p/2");
        assert!(
            matches!(found, ExportDefect::OtherLog(Mismatch::Root { .. })),
            "{found}"
        );
    }

    #[test]
    fn when_nothing_leads_to_the_root_nobody_is_blamed() {
        let dir = export(600, leaf);
        let tile = dir.path().join("tile/0/002.p/88");
        let mut bytes = fs::read(&tile).unwrap();
        bytes[32 * 80] ^= 1;
        fs::write(tile, bytes).unwrap();
        let found = defect(&dir, "tile/entries/000", |bytes| bytes[5] ^= 1);
        assert!(
            matches!(found, ExportDefect::Contradiction { index: 0, .. }),
            "{found}"
        );
    }

    #[test]
    fn a_bundle_that_was_cut_or_extended_is_named() {
        let dir = export(600, leaf);
        let extended = defect(&dir, "tile/entries/000", |bytes| bytes.push(0));
        let cut = defect(&dir, "tile/entries/002.p/88", |bytes| {
            bytes.truncate(bytes.len() - 1)
        });
        for (found, name, first) in [
            (extended, "tile/entries/000", 256),
            (cut, "tile/entries/002.p/88", 599),
        ] {
            assert!(
                matches!(found, ExportDefect::Bundle { file, index }
                    if file.to_string() == name && index == first),
                "{found}"
            );
        }
        fs::write(dir.path().join("tile/entries/001"), "").unwrap();
        let mut left = entries(dir.path(), 600).skip(256);
        assert!(matches!(
            left.next(),
            Some(Err(ExportDefect::Bundle { index: 256, .. }))
        ));
        assert!(left.next().is_none(), "nothing follows a defect");
    }

    #[test]
    fn a_tile_of_another_length_is_named() {
        let dir = export(600, leaf);
        for file in ["tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2"] {
            for change in [
                |bytes: &mut Vec<u8>| bytes.push(0),
                |bytes: &mut Vec<u8>| bytes.truncate(31),
            ] {
                let found = defect(&dir, file, change);
                assert!(
                    matches!(found, ExportDefect::Length { file: named, .. }
                        if named.to_string() == file),
                    "{found}"
                );
            }
        }
    }

    #[test]
    fn every_file_is_missed() {
        let dir = export(600, leaf);
        for file in [
            "tile/entries/000",
            "tile/entries/002.p/88",
            "tile/0/001",
            "tile/0/002.p/88",
            "tile/1/000.p/2",
        ] {
            let path = dir.path().join(file);
            let intact = fs::read(&path).unwrap();
            fs::remove_file(&path).unwrap();
            let found = verify(&dir).unwrap_err();
            assert!(
                matches!(found, ExportDefect::Missing { file: named } if named.to_string() == file),
                "{found}"
            );
            fs::write(&path, intact).unwrap();
        }
        fs::remove_file(dir.path().join(CHECKPOINT)).unwrap();
        assert!(matches!(
            verify(&dir),
            Err(ExportDefect::NoCheckpoint { .. })
        ));
    }

    #[test]
    fn what_a_log_of_this_size_does_not_have_is_refused() {
        let dir = export(257, leaf);
        for file in [
            "tile/0/000.p/3",
            "tile/0/002",
            "tile/1/001",
            "tile/2/000.p/1",
            "tile/entries/000.p/1",
            "tile/entries/001.p/1.tmp",
            "tile/notes.txt",
        ] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "x").unwrap();
            let found = verify(&dir).unwrap_err();
            assert!(
                matches!(&found, ExportDefect::Extra { file: named, size: 257 } if named == file),
                "{found}"
            );
            fs::remove_file(path).unwrap();
        }
        assert!(verify(&dir).is_ok(), "empty directories do no harm");
        let empty = export(0, leaf);
        fs::create_dir_all(empty.path().join("tile/0")).unwrap();
        fs::write(empty.path().join("tile/0/000"), "x").unwrap();
        assert!(matches!(verify(&empty), Err(ExportDefect::Extra { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_no_file_of_an_export() {
        let dir = export(3, leaf);
        let tile = dir.path().join("tile/0/000.p/3");
        let elsewhere: PathBuf = dir.path().join("elsewhere");
        fs::rename(&tile, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &tile).unwrap();
        assert!(matches!(verify(&dir), Err(ExportDefect::Missing { .. })));
    }

    #[test]
    fn a_checkpoint_of_another_key_or_of_fewer_entries_is_not_this_log() {
        let dir = export(257, leaf);
        let other = LogSigner::from_seed("520624.yichuan/log/1", &[8; 32]).unwrap();
        assert!(matches!(
            verify_export(dir.path(), &other.verifier_key(), |_, _| {}),
            Err(ExportDefect::Checkpoint(_))
        ));
        let found = defect(&dir, CHECKPOINT, |note| note[30] ^= 1);
        assert!(matches!(found, ExportDefect::Checkpoint(_)), "{found}");
        // Truncating a log takes the key; then it is another log, whose files do not fit.
        let mut log = LogVerifier::new();
        log.push(&leaf(0)).unwrap();
        let older = signer().sign(1, log.root());
        let found = defect(&dir, CHECKPOINT, |note| {
            *note = older.note().as_bytes().to_vec()
        });
        assert!(matches!(found, ExportDefect::Missing { .. }), "{found}");
    }
}
