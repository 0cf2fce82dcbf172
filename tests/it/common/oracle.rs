//! Checks an export with other people's code: `signed_note`, `tlog_tiles` and `sigstore-merkle` share nothing with this
//! crate and must come to the same verdict.

use signed_note::{Note, StandardVerifier, VerifierList};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};
use tlog_tiles::{HashReader, Tile, TileHashReader, TileReader};
use yichuan::{
    audit::{self, ExportedTree},
    merkle::{self, Hash},
    note::VerifierKey,
};

const HEIGHT: u8 = 8;

/// Panics unless all oracles, and this crate, find that `dir` is a complete export of `leaves_expected` entries, signed
/// with the key `vkey` (C2SP vkey text).
pub(crate) fn check_export(dir: &Path, vkey: &str, leaves_expected: u64) {
    let (size, root) = check_note(dir, vkey);
    assert_eq!(size, leaves_expected, "entries in the checkpoint");
    check_files(dir, size);
    if size == 0 {
        assert_eq!(root.0, tlog_tiles::EMPTY_HASH.0);
    } else {
        check_tiles(dir, size, root);
        check_proofs(dir, size, root);
    }
    // Last, so that what the oracles must refuse is not refused for them.
    let ours: VerifierKey = vkey.parse().expect("our own reading of the key");
    let log = audit::verify_export(dir, &ours, |_, _| {}).expect("our own verdict");
    assert_eq!((log.size(), log.root().as_bytes()), (size, &root.0));
}

/// `signed_note` verifies the signature, `tlog_tiles` reads the text.
fn check_note(dir: &Path, vkey: &str) -> (u64, tlog_tiles::Hash) {
    let bytes = fs::read(dir.join("checkpoint")).expect("a checkpoint");
    let note = Note::from_bytes(&bytes).expect("a signed note");
    assert_eq!(note.to_bytes(), bytes, "one spelling");
    let verifier = StandardVerifier::new(vkey).expect("a verifier key");
    let known = VerifierList::new(vec![Box::new(verifier)]);
    let (verified, _) = note.verify(&known).expect("signed with the key");
    assert_eq!(verified.len(), 1);
    let checkpoint =
        tlog_tiles::Checkpoint::from_bytes(note.text()).expect("the text of a checkpoint");
    let (name, _) = vkey.split_once('+').expect("a key with a name");
    assert_eq!(checkpoint.origin(), name);
    assert_eq!(checkpoint.extension(), "");
    (checkpoint.size(), *checkpoint.hash())
}

/// The files under `tile/` are those that `tlog_tiles` would publish, no fewer and no more.
fn check_files(dir: &Path, size: u64) {
    let mut expected = BTreeSet::new();
    for mut tile in Tile::new_tiles(HEIGHT, 0, size) {
        expected.insert(dir.join(c2sp_path(&tile)));
        if tile.level() == 0 {
            tile.set_is_data();
            expected.insert(dir.join(c2sp_path(&tile)));
        }
    }
    let mut found = BTreeSet::new();
    let mut directories = vec![dir.join("tile")];
    while let Some(directory) = directories.pop() {
        let Ok(items) = fs::read_dir(&directory) else {
            assert_eq!(size, 0, "{} cannot be listed", directory.display());
            continue;
        };
        for item in items {
            let path = item.unwrap().path();
            if path.is_dir() {
                directories.push(path)
            } else {
                assert!(found.insert(path))
            }
        }
    }
    assert_eq!(found, expected);
}

/// The crate has Go's names, with the height and `data`; C2SP left the one out and calls the other `entries`.
fn c2sp_path(tile: &Tile) -> String {
    tile.path()
        .replacen("tile/8/", "tile/", 1)
        .replacen("tile/data/", "tile/entries/", 1)
}

/// The export's files, for `tlog_tiles` to read and authenticate.
struct Files<'a>(&'a Path);

impl TileReader for Files<'_> {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        Ok(tiles.iter().map(|tile| read_tile(self.0, tile)).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

fn read_tile(dir: &Path, tile: &Tile) -> Vec<u8> {
    let path: PathBuf = dir.join(c2sp_path(tile));
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `tlog_tiles` authenticates every tile up to the signed root, and hashes every entry.
fn check_tiles(dir: &Path, size: u64, root: tlog_tiles::Hash) {
    let files = Files(dir);
    let authentic = TileHashReader::new(size, root, &files);
    for tile in Tile::new_tiles(HEIGHT, 0, size) {
        let (level, first) = (tile.level() * HEIGHT, tile.level_index() << HEIGHT);
        let indexes: Vec<u64> = (first..first + u64::from(tile.width()))
            .map(|n| tlog_tiles::stored_hash_index(level, n))
            .collect();
        let hashes = authentic.read_hashes(&indexes).expect("authentic hashes");
        let concatenated: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
        assert_eq!(concatenated, read_tile(dir, &tile), "{}", c2sp_path(&tile));
        if tile.level() == 0 {
            let mut bundle = tile;
            bundle.set_is_data();
            let leaves = split_bundle(&read_tile(dir, &bundle));
            let recomputed: Vec<_> = leaves
                .iter()
                .map(|leaf| tlog_tiles::record_hash(leaf))
                .collect();
            assert!(
                recomputed == hashes,
                "{} does not hash to its tile",
                c2sp_path(&bundle)
            );
        }
    }
}

/// C2SP tlog-tiles: each entry behind its length, a big-endian 16-bit number.
fn split_bundle(bundle: &[u8]) -> Vec<Vec<u8>> {
    let mut leaves = Vec::new();
    let mut rest = bundle;
    while let [high, low, after @ ..] = rest {
        let (leaf, next) = after.split_at(usize::from(*high) << 8 | usize::from(*low));
        leaves.push(leaf.to_vec());
        rest = next;
    }
    assert!(rest.is_empty(), "half a length at the end");
    leaves
}

/// Proofs from our prover convince `sigstore-merkle` and `tlog_tiles`; proofs from `tlog_tiles` are the same, and
/// convince our verifier.
fn check_proofs(dir: &Path, size: u64, root: tlog_tiles::Hash) {
    let tree = ExportedTree::new(dir, size);
    let files = Files(dir);
    let theirs = TileHashReader::new(size, root, &files);
    let our_root = Hash::from(root.0);
    for index in samples(size) {
        let leaf_index = tlog_tiles::stored_hash_index(0, index);
        let leaf = theirs.read_hashes(&[leaf_index]).unwrap()[0];
        let proof = merkle::inclusion_proof(&tree, index, size).unwrap();
        sigstore_merkle::verify_inclusion_proof(
            &leaf.0.into(),
            index,
            size,
            &convert(&proof),
            &root.0.into(),
        )
        .unwrap_or_else(|error| panic!("sigstore refuses entry {index} of {size}: {error}"));
        let their_proof = tlog_tiles::prove_record(size, index, &theirs).unwrap();
        tlog_tiles::check_record(&their_proof, size, root, index, leaf).unwrap();
        assert_eq!(from_theirs(&their_proof), proof, "entry {index} of {size}");
        let leaf = Hash::from(leaf.0);
        merkle::verify_inclusion(&leaf, index, size, &from_theirs(&their_proof), &our_root)
            .unwrap();
    }
    for old in samples(size + 1) {
        let old_root = merkle::root_at(&tree, old).unwrap();
        let proof = merkle::consistency_proof(&tree, old, size).unwrap();
        sigstore_merkle::verify_consistency_proof(
            old,
            size,
            &convert(&proof),
            &(*old_root.as_bytes()).into(),
            &root.0.into(),
        )
        .unwrap_or_else(|error| panic!("sigstore refuses {old} before {size}: {error}"));
        merkle::verify_consistency(old, &old_root, size, &our_root, &proof).unwrap();
        // The other implementation has no proof from an empty tree.
        if old > 0 {
            let their_root = tlog_tiles::tree_hash(old, &theirs).unwrap();
            assert_eq!(their_root.0, *old_root.as_bytes());
            let their_proof = tlog_tiles::prove_tree(size, old, &theirs).unwrap();
            tlog_tiles::check_tree(&their_proof, size, root, old, their_root).unwrap();
            assert_eq!(from_theirs(&their_proof), proof, "{old} before {size}");
        }
    }
}

fn from_theirs(proof: &[tlog_tiles::Hash]) -> Vec<Hash> {
    proof.iter().map(|hash| Hash::from(hash.0)).collect()
}

/// To the hash type of `sigstore-merkle`, which that crate does not name.
fn convert<T: From<[u8; 32]>>(proof: &[Hash]) -> Vec<T> {
    proof.iter().map(|hash| T::from(*hash.as_bytes())).collect()
}

/// Some numbers below `end`: all around the ends and the borders of tiles, and some between.
fn samples(end: u64) -> BTreeSet<u64> {
    let borders = [0, 1, 2, 128, 256, 512, 65_536, end / 3, end / 2, end];
    let around = borders
        .iter()
        .flat_map(|border| border.saturating_sub(3)..border + 3);
    around
        .chain((0..20).map(|part| end / 20 * part))
        .filter(|number| *number < end)
        .collect()
}
