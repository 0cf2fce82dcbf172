//! Exports: directories that somebody hands to an auditor. Whatever verifies is what was exported, byte for byte.

use super::{
    input::{Input, edit, nameless},
    world::{COUNTY, Tree, entry, node, signer},
};
use std::{collections::BTreeMap, fs, path::Path, sync::OnceLock};
use tempfile::TempDir;
use yichuan::{
    audit::{ExportedTree, TileWriter, entries, verify_export},
    entry::{Consultation, Kind},
    merkle::{consistency_proof, inclusion_proof},
};

/// Small, and with a second level of tiles.
const SIZES: [u64; 3] = [0, 3, 300];

struct Export {
    directory: TempDir,
    size: u64,
    files: BTreeMap<String, Vec<u8>>,
}

fn honest() -> &'static [Export] {
    static EXPORTS: OnceLock<Vec<Export>> = OnceLock::new();
    EXPORTS.get_or_init(|| SIZES.map(written).into())
}

fn written(size: u64) -> Export {
    let directory = TempDir::new().expect("a directory");
    let consulted = Kind::Consulted {
        how: Consultation::List,
        records: Vec::new(),
        overridden: false,
    };
    let leaf = entry(node(COUNTY), consulted).encode();
    let leaves = vec![leaf; usize::try_from(size).expect("small")];
    let mut writer = TileWriter::create(directory.path()).expect("an export");
    leaves
        .iter()
        .for_each(|leaf| writer.push(leaf).expect("an entry"));
    let tree = Tree::of(leaves.iter().map(Vec::as_slice));
    writer
        .finish(&tree.head(&signer(COUNTY)))
        .expect("an export");
    let mut files = BTreeMap::new();
    read_all(directory.path(), directory.path(), &mut files);
    Export {
        directory,
        size,
        files,
    }
}

fn read_all(root: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for item in fs::read_dir(directory).expect("a directory") {
        let path = item.expect("an item").path();
        if path.is_dir() {
            read_all(root, &path, files);
        } else {
            let name = path
                .strip_prefix(root)
                .expect("below")
                .to_str()
                .expect("text");
            files.insert(name.to_owned(), fs::read(&path).expect("a file"));
        }
    }
}

/// The files that the input changes.
fn export_changed(input: &mut Input<'_>, export: &Export) -> BTreeMap<String, Vec<u8>> {
    let mut changed = BTreeMap::new();
    let names: Vec<_> = export.files.keys().collect();
    for _ in 0..1 + input.byte() % 2 {
        let name = input.pick(&names);
        let mut content = changed.get(name).unwrap_or(&export.files[name]).clone();
        edit(input, &mut content);
        changed.insert(name.clone(), content);
    }
    changed.retain(|name, content| export.files[name] != *content);
    changed
}

/// Changed files of an honest export: nothing of it verifies, nothing panics.
pub(crate) fn export(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let export = &honest()[usize::from(input.byte()) % SIZES.len()];
    let changed = export_changed(&mut input, export);
    let root = export.directory.path();
    for (name, content) in &changed {
        fs::write(root.join(name), content).expect("a file");
    }
    let verdict = verify_export(root, &signer(COUNTY).verifier_key(), |_, _| {});
    // As `audit prove` and `replay` read before anybody verified.
    let read = entries(root, export.size).take_while(Result::is_ok).count();
    assert!(read as u64 <= export.size);
    let tree = ExportedTree::new(root, export.size);
    let proofs = (
        inclusion_proof(&tree, input.number() % export.size.max(1), export.size).is_ok(),
        consistency_proof(&tree, input.number() % (export.size + 1), export.size).is_ok(),
    );
    for name in changed.keys() {
        fs::write(root.join(name), &export.files[name]).expect("a file");
    }
    match verdict {
        Ok(log) => {
            assert!(changed.is_empty(), "a changed export verifies");
            assert_eq!(log.size(), export.size);
            assert!(proofs == (true, true) || export.size == 0);
        }
        Err(defect) => {
            assert!(!changed.is_empty(), "an honest export is refused: {defect}");
            nameless(bytes, &defect.to_string());
        }
    }
}
