//! Examples of what is written to disk: exports, and rows of the store.

use super::{Examples, NOW, checkpoint, code, dispatch, leaves, lines, record, signer};
use std::{fs, path::Path, sync::Arc};
use yichuan::{
    audit::{TileWriter, verify_export},
    domain::{Clock, Timestamp},
    log::{Log, LogOptions, Proposal, TxnError},
    store::{MemoryStore, Store, keys, long_values, tables},
};

pub(crate) fn export(examples: &mut Examples) {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = TileWriter::create(dir.path()).unwrap();
    leaves().iter().for_each(|leaf| writer.push(leaf).unwrap());
    writer.finish(&checkpoint()).unwrap();
    verify_export(dir.path(), &signer().verifier_key(), |_, _| {}).unwrap();

    let mut files = Vec::new();
    files_below(dir.path(), dir.path(), &mut files);
    files.sort();
    let sizes = files
        .iter()
        .map(|(name, bytes)| (format!("{bytes:>4}"), name.as_str()));
    examples.insert("export", lines(sizes));
    examples.insert(
        "bundle",
        fs::read(dir.path().join("tile/entries/000.p/3")).unwrap(),
    );
}

fn files_below(root: &Path, dir: &Path, files: &mut Vec<(String, u64)>) {
    for item in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if item.path().is_dir() {
            files_below(root, &item.path(), files);
        } else {
            let name = item
                .path()
                .strip_prefix(root)
                .unwrap()
                .display()
                .to_string();
            files.push((name, item.metadata().unwrap().len()));
        }
    }
}

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// The rows of the small log, whose leaves were committed together.
pub(crate) async fn rows(examples: &mut Examples) {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::new());
    let options = LogOptions::new(signer(), Arc::new(Still), dir.path().join("checkpoint"));
    let log = Log::open(Arc::clone(&store) as Arc<dyn Store>, options).unwrap();
    let all = Proposal::new(|txn| {
        leaves()
            .into_iter()
            .try_for_each(|leaf| txn.append(leaf).map(drop))
    });
    log.propose::<(), TxnError>(all).await.unwrap();
    log.close().await;
    for (name, key) in [
        ("row-frame", keys::frame(0).to_vec()),
        ("row-tile", keys::tile_half(0, 0).to_vec()),
        ("row-head", keys::HEAD.to_vec()),
        ("row-identity", keys::IDENTITY.to_vec()),
    ] {
        examples.insert(name, store.get(&key).unwrap().unwrap());
    }
    let kept = fs::read_to_string(dir.path().join("checkpoint")).unwrap();
    assert_eq!(kept, checkpoint().note());
}

pub(crate) fn row_keys(examples: &mut Examples) {
    let to = code("520624");
    let keys: [(&[u8], _); 20] = [
        (&keys::frame(258), "frame whose first leaf is 258"),
        (&keys::continuation(258, 1), "leaf 258, first continuation"),
        (&keys::tile_half(1, 2), "tile level 1, half 2"),
        (&keys::HEAD, "head"),
        (&keys::IDENTITY, "identity"),
        (
            &long_values::part_key(&tables::payload(258), 0),
            "payload of entry 258, part 0",
        ),
        (
            &tables::payload_key(203_103, 258),
            "its key, due for purge in 2031-03",
        ),
        (&tables::dispatch(to, dispatch()), "dispatch from 520624"),
        (
            &tables::refused(to, &[0xaa; 32]),
            "leaf aa… from 520624, refused",
        ),
        (
            &tables::outbox(to, 258),
            "entry 258 waits for 520624's receipt",
        ),
        (
            &tables::witness(to, "520624.yichuan/log/1"),
            "newest checkpoint of 520624's log 1",
        ),
        (&tables::record(record()), "record"),
        (
            &tables::record_by_state(0, 1, 5, 258),
            "lead (0) of entry 258, received (1), signed for (5)",
        ),
        (
            &tables::record_event(record(), 258),
            "action on the record, entry 258",
        ),
        (
            &tables::subject(203_103, &[0xbb; 16], 258),
            "record of entry 258 by its subject's tag bb…",
        ),
        (
            &tables::number(&[0xcc; 32]),
            "lead or notice by its number's tag cc…",
        ),
        (&tables::partner(to, true), "proposed card of 520624"),
        (&tables::POLICY, "newest policy"),
        (&tables::record_change(258), "entry 258 changed a referral"),
        (&tables::LAYOUT, "layout of the views"),
    ];
    examples.insert(
        "keys",
        lines(keys.map(|(key, what)| (hex::encode(key), what))),
    );
}
