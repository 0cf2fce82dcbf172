//! What damage and rollback cannot hide: I3, I4.

use std::{fs, sync::Arc, time::Duration};

use super::fixture::{Place, append, append_many, assert_holds, grown, leaf, leaves};
use yichuan::{
    log::{Closure, CopyError, Damage, LogHealth, OpenError, ReadError, copy_verified},
    store::{MemoryStore, Order, Store, keys},
};

/// I3: damage is found on open, and named.
#[tokio::test]
async fn i3_damage_is_found_on_open() {
    let place = Place::new();
    let store = grown(&place, 700).await;
    let damaged = |key: &[u8], change: &dyn Fn(&mut Vec<u8>)| {
        let store = Arc::new(store.copy());
        let mut row = store.get(key).unwrap().unwrap();
        change(&mut row);
        store.tamper(key, Some(row));
        match place.open(&store) {
            Err(OpenError::Damaged(damage)) => damage,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("opened"),
        }
    };
    let last = |row: &mut Vec<u8>| *row.last_mut().unwrap() ^= 1;
    let head = store.get(&keys::HEAD).unwrap().unwrap();
    let frontier_at = 1 + 8 + 8 + 2 + 8;

    // A leaf: the last byte of a frame is in its last leaf.
    let frames = store.range(&[keys::FRAME], &[keys::FRAME + 1], Order::Ascending, 9);
    let frames = frames.unwrap();
    assert!(frames.len() >= 2);
    let second = keys::frame_index(&frames[1].0).unwrap();
    assert_eq!(
        damaged(&frames[0].0, &last),
        Damage::Leaf { index: second - 1 }
    );
    // The shape of a frame.
    assert_eq!(
        damaged(&frames[0].0, &|row| row[0] = 9),
        Damage::Frame { index: 0 }
    );
    // The edges of the tiles, on both levels.
    assert_eq!(
        damaged(&keys::tile_half(0, 700 / 128), &last),
        Damage::TileEdge
    );
    assert_eq!(damaged(&keys::tile_half(1, 0), &last), Damage::TileEdge);
    // A full tile, which the root alone does not reach.
    assert_eq!(
        damaged(&keys::tile_half(0, 0), &|row| row[32 * 5] ^= 1),
        Damage::Tile { level: 0, index: 5 }
    );
    // A tile cut short.
    assert_eq!(
        damaged(&keys::tile_half(0, 700 / 128), &|row| row.truncate(32)),
        Damage::Tile {
            level: 0,
            index: 700 / 128 * 128 + 1
        }
    );
    // The frontier, the signature, the head, the identity.
    assert_eq!(
        damaged(&keys::HEAD, &|row| row[frontier_at] ^= 1),
        Damage::Frontier
    );
    assert_eq!(
        damaged(&keys::HEAD, &|row| row[head.len() - 9] ^= 1),
        Damage::Signature
    );
    assert_eq!(damaged(&keys::HEAD, &|row| row[0] = 9), Damage::Head);
    assert_eq!(
        damaged(&keys::IDENTITY, &|row| row.truncate(3)),
        Damage::Head
    );

    assert_holds(&place.open(&store).unwrap(), &leaves(700));
}

/// I3: whatever row of the log is lost, opening says so.
#[tokio::test]
async fn i3_no_row_of_the_log_can_be_lost_unnoticed() {
    let place = Place::new();
    let store = grown(&place, 700).await;
    let rows = store
        .range(&[0], &[keys::FIRST_SERVICE], Order::Ascending, 1000)
        .unwrap();
    assert!(rows.len() > 9);
    for (key, _) in rows {
        let store = Arc::new(store.copy());
        store.tamper(&key, None);
        let opened = place.open(&store);
        assert!(
            matches!(opened, Err(OpenError::Damaged(_))),
            "{key:x?}: {opened:?}"
        );
    }
}

/// I3: only the newest 10,000 leaves are read, so that opening does not slow down as the log grows.
#[tokio::test]
async fn i3_opening_reads_no_more_as_the_log_grows() {
    let place = Place::new();
    let store = grown(&place, 25_000).await;
    let reads = store.reads();
    let log = place.open(&store).unwrap();
    assert!(store.reads() - reads < 300, "{}", store.reads() - reads);
    log.close().await;
    // Damage in older leaves is the background scrub's to find.
    let store = Arc::new(store.copy());
    store.tamper(&keys::frame(0), None);
    place.open(&store).unwrap();
}

/// I3: damage that opening does not look for is found by the scrub, which closes the log, and is not copied.
#[tokio::test]
async fn i3_the_scrub_finds_what_opening_does_not_look_for() {
    let place = Place::new();
    let store = grown(&place, 11_000).await;
    let log = place.open(&store).unwrap();
    assert_eq!(log.scrub(Duration::ZERO).await.unwrap(), 11_000);
    log.close().await;
    let last = |row: &mut Vec<u8>| *row.last_mut().unwrap() ^= 1;
    type Change<'a> = (&'a [u8], &'a dyn Fn(&mut Vec<u8>), Damage);
    let changes: [Change<'_>; 4] = [
        (
            &keys::frame(0),
            &|row| row[5] ^= 1,
            Damage::Leaf { index: 0 },
        ),
        (
            &keys::frame(0),
            &|row| row[0] = 2,
            Damage::Frame { index: 0 },
        ),
        (
            &keys::tile_half(0, 0),
            &last,
            Damage::Tile {
                level: 0,
                index: 127,
            },
        ),
        (
            &keys::tile_half(1, 0),
            &|row| row[0] ^= 1,
            Damage::Tile { level: 1, index: 0 },
        ),
    ];
    for (key, change, damage) in changes {
        let place = place.with_its_file();
        let store = Arc::new(store.copy());
        let log = place.open(&store).unwrap();
        let mut row = store.get(key).unwrap().unwrap();
        change(&mut row);
        store.tamper(key, Some(row));
        match log.scrub(Duration::ZERO).await {
            Err(ReadError::Damaged(found)) => assert_eq!(found, damage),
            other => panic!("{other:?}"),
        }
        let LogHealth::Closed { why } = log.health() else {
            panic!("open");
        };
        assert_eq!(*why, Closure::Damaged(damage));
        let copied = copy_verified(store.as_ref(), &MemoryStore::new(), &log.verifier_key());
        assert!(matches!(
            copied,
            Err(CopyError::Source(OpenError::Damaged(_)))
        ));
    }
}

/// I4: a store behind the published checkpoint was rolled back and does not open.
#[tokio::test]
async fn i4_a_rolled_back_store_does_not_open() {
    let place = Place::new();
    let store = grown(&place, 5).await;
    let backup = Arc::new(store.copy());
    let log = place.open(&store).unwrap();
    append_many(&log, 5, 8).await;
    log.close().await;

    let opened = place.open(&backup);
    assert!(
        matches!(
            opened,
            Err(OpenError::RolledBack {
                stored: 5,
                published: 8
            })
        ),
        "{opened:?}"
    );
    let emptied = place.open(&Arc::new(MemoryStore::new()));
    assert!(matches!(
        emptied,
        Err(OpenError::RolledBack {
            stored: 0,
            published: 8
        })
    ));
    place.open(&store).unwrap().close().await;
}

/// I4: a store that went another way than the published checkpoint does not open, though it is longer.
#[tokio::test]
async fn i4_a_forked_store_does_not_open() {
    for (published, stored) in [(7, 7), (7, 9)] {
        let place = Place::new();
        let store = grown(&place, 5).await;
        let fork = Arc::new(store.copy());
        let other = place.with_its_file();
        let log = place.open(&store).unwrap();
        append_many(&log, 5, published).await;
        log.close().await;

        let log = other.open(&fork).unwrap();
        for index in 5..stored {
            log.propose(append(leaf(index + 100))).await.unwrap();
        }
        log.close().await;
        let opened = place.open(&fork);
        assert!(
            matches!(opened, Err(OpenError::Forked { size: 7 })),
            "{opened:?}"
        );
    }
}

/// I4: the file may lag behind the store, and catches up.
#[tokio::test]
async fn i4_the_file_may_lag() {
    let place = Place::new();
    let store = grown(&place, 5).await;
    let old = place.kept();
    let log = place.open(&store).unwrap();
    append_many(&log, 5, 300).await;
    log.close().await;
    fs::write(place.checkpoint_file(), old).unwrap();
    let log = place.open(&store).unwrap();
    log.close().await;
    assert_eq!(place.kept(), log.checkpoint().note());
    fs::write(place.checkpoint_file(), "something else").unwrap();
    let opened = place.open(&store);
    assert!(matches!(opened, Err(OpenError::ForeignCheckpoint { .. })));
}

/// I4: an older store without its file opened, and went on as another log. The file is there before the first entry, so
/// only a first start that was cut off has none.
#[tokio::test]
async fn regression_i4_a_log_whose_file_is_missing_does_not_open() {
    let place = Place::new();
    let store = Arc::new(MemoryStore::new());
    let log = place.open(&store).unwrap();
    // Not after a while, but when it is open.
    assert_eq!(place.kept(), log.checkpoint().note());
    log.close().await;
    fs::remove_file(place.checkpoint_file()).unwrap();
    let log = place.open(&store).unwrap();
    assert_eq!(place.kept(), log.checkpoint().note());
    append_many(&log, 0, 3).await;
    log.close().await;
    let kept = place.kept();
    fs::remove_file(place.checkpoint_file()).unwrap();
    let opened = place.open(&store);
    assert!(
        matches!(opened, Err(OpenError::NoCheckpointFile { size: 3, .. })),
        "{opened:?}"
    );
    fs::write(place.checkpoint_file(), kept).unwrap();
    place.open(&store).unwrap().close().await;
}
