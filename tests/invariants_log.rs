//! The invariants of the log and the store, each by its name in the design.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a test that panics or leaks a task has failed, and that is all"
)]

#[path = "common/log.rs"]
mod common;

use std::{
    fs,
    path::Path,
    sync::{Arc, Barrier, mpsc},
};

use common::{Place, SetClock, append, append_many, grown, leaf, signer};
use yichuan::{
    domain::Timestamp,
    log::{
        Closure, Damage, Log, LogHealth, LogOptions, OpenError, Proposal, ProposeError, ReadError,
        TxnError,
    },
    merkle::{leaf_hash, verify_consistency, verify_inclusion},
    note::LogSigner,
    store::{
        Batch, Fault, LockError, MemoryStore, OpenStoreError, SledStore, Store, StoreError, keys,
    },
};

fn assert_holds(log: &Log, leaves: &[Vec<u8>]) {
    let (reader, checkpoint) = (log.reader(), log.checkpoint());
    assert_eq!(checkpoint.size(), leaves.len() as u64);
    let proofs = reader.proofs();
    for (index, leaf) in (0..).zip(leaves) {
        assert_eq!(reader.entry(index).unwrap().as_ref(), Some(leaf), "{index}");
        let proof = proofs.inclusion(index, checkpoint.size()).unwrap();
        let hash = leaf_hash(leaf);
        verify_inclusion(&hash, index, checkpoint.size(), &proof, checkpoint.root()).unwrap();
    }
}

fn leaves(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(leaf).collect()
}

/// I1: no answer, and no signature that anyone can see, before its bytes are on disk.
#[tokio::test]
async fn i1_no_answer_before_disk() {
    for fault in [Fault::CommitBefore(1), Fault::CommitAfter(1)] {
        let place = Place::new();
        let store = grown(&place, 3).await;
        let log = place.open(&store).unwrap();
        let before = log.checkpoint();
        let mut followed = log.subscribe();
        followed.mark_unchanged();
        store.inject(fault);

        let row = Proposal::new(|txn| {
            txn.put(b"\x10row", b"unsynced")?;
            txn.append(leaf(3))
        });
        let answer = log.propose(row).await;

        assert!(
            matches!(&answer, Err(ProposeError::Unsettled(why))
                if matches!(**why, Closure::Store(StoreError::Injected))),
            "{answer:?}"
        );
        assert_eq!(log.checkpoint(), before);
        assert!(!followed.has_changed().unwrap());
        let reader = log.reader();
        assert_eq!(reader.entry(3).unwrap(), None);
        assert!(matches!(
            reader.inclusion_proof(3, 4),
            Err(ReadError::Unpublished {
                asked: 4,
                published: 3
            })
        ));
        assert!(matches!(reader.get(b"\x10row"), Err(ReadError::InDoubt)));
        log.close().await;
        assert_eq!(place.kept(), before.note());
    }
}

/// I1, on a real disk: what was answered is in a copy of the directory taken at that moment, as a crash would leave it.
#[tokio::test(flavor = "multi_thread")]
async fn i1_what_was_answered_survives_an_abrupt_end() {
    let place = Place::new();
    let data = place.path().join("data");
    let store = Arc::new(SledStore::open(&data).unwrap());
    let log = place.open(&store).unwrap();
    for round in 0..20 {
        let index = round * 2;
        log.propose(append(leaf(index))).await.unwrap();
        let big = Proposal::new(move |txn: &mut _| {
            yichuan::log::Txn::put_long(txn, b"\x10payload", &vec![round as u8; 100_000])?;
            txn.append(leaf(index + 1))
        });
        let answered = log.propose(big).await.unwrap();

        let crashed = Place::new();
        let copy = crashed.path().join("data");
        copy_directory(&data, &copy);
        let recovered = Arc::new(SledStore::open(&copy).unwrap());
        let recovered = crashed.open(&recovered).unwrap();
        assert_eq!(recovered.checkpoint(), *answered.checkpoint());
        assert_holds(&recovered, &leaves(index + 2));
        let payload = recovered.reader().get_long(b"\x10payload").unwrap();
        assert_eq!(payload, Some(vec![round as u8; 100_000]));
        recovered.close().await;
    }
    log.close().await;
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// I1: a rejection rests on what is in its batch, so it is not answered before that is on disk either.
#[tokio::test]
async fn i1_a_rejection_waits_for_what_it_rests_on() {
    let place = Place::new();
    let store = grown(&place, 1).await;
    let log = place.open(&store).unwrap();
    let held = Hold::start(&log).await;
    let first = log.submit(append(leaf(1))).await.unwrap();
    let duplicate = Proposal::<(), _>::new(|txn| Err(format!("already entry {}", txn.size() - 1)));
    let duplicate = log.submit(duplicate).await.unwrap();
    store.inject(Fault::CommitBefore(1));
    held.release();
    assert!(matches!(first.await, Err(ProposeError::Unsettled(_))));
    assert!(matches!(duplicate.await, Err(ProposeError::Closed(_))));
}

/// I2: any storage error closes the log for writing, and reads go on and say so.
#[tokio::test]
async fn i2_any_storage_error_closes_the_log() {
    for (fault, reads) in [
        (Fault::CommitBefore(1), false),
        (Fault::CommitAfter(1), false),
        (Fault::Read(1), true),
        (Fault::Read(2), true),
    ] {
        let place = Place::new();
        let store = grown(&place, 5).await;
        let log = place.open(&store).unwrap();
        assert_eq!(log.health(), LogHealth::Open);
        store.inject(fault);
        let commits = store.commits();
        let hurt = log.propose(Proposal::new(move |txn| {
            if reads {
                // That the proposal swallows the error changes nothing.
                drop(txn.get(b"\x10a"));
                drop(txn.range(b"\x10", b"\x11", yichuan::store::Order::Ascending, 1));
            }
            txn.append(leaf(5))
        }));
        assert!(hurt.await.is_err(), "{fault:?}");

        let LogHealth::Closed { why } = log.health() else {
            panic!("{fault:?} left the log open");
        };
        assert!(matches!(*why, Closure::Store(StoreError::Injected)));
        // The disk is well again, but nobody knows what it lost.
        let later = log.propose(append(leaf(5))).await;
        assert!(matches!(later, Err(ProposeError::Closed(_))), "{later:?}");
        assert_eq!(store.commits(), commits + u64::from(!reads));
        assert_holds(&log, &leaves(5));
        log.close().await;
    }
}

/// I2: failing to keep the published checkpoint is a storage error too.
#[tokio::test]
async fn i2_a_checkpoint_file_that_cannot_be_written_closes_the_log() {
    let place = Place::new();
    let mut options = place.options();
    options.checkpoint_file = place.path().join("missing").join("checkpoint");
    let log = Log::open(Arc::new(MemoryStore::new()), options).unwrap();
    log.close().await;
    let LogHealth::Closed { why } = log.health() else {
        panic!("open");
    };
    assert!(matches!(*why, Closure::CheckpointFile { .. }), "{why}");
}

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
    let frames = store.range(
        &[keys::FRAME],
        &[keys::FRAME + 1],
        yichuan::store::Order::Ascending,
        9,
    );
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
        .range(
            &[0],
            &[keys::FIRST_SERVICE],
            yichuan::store::Order::Ascending,
            1000,
        )
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
        let log = place.open(&store).unwrap();
        append_many(&log, 5, published).await;
        log.close().await;

        let other = Place::new();
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
    for lagging in [Some(old), None] {
        match lagging {
            Some(note) => fs::write(place.checkpoint_file(), note).unwrap(),
            None => fs::remove_file(place.checkpoint_file()).unwrap(),
        }
        let log = place.open(&store).unwrap();
        log.close().await;
        assert_eq!(place.kept(), log.checkpoint().note());
    }
    fs::write(place.checkpoint_file(), "something else").unwrap();
    let opened = place.open(&store);
    assert!(matches!(opened, Err(OpenError::ForeignCheckpoint { .. })));
}

/// I6: one process a store.
#[test]
fn i6_one_process_a_store() {
    let place = Place::new();
    let store = SledStore::open(place.path()).unwrap();
    let Err(OpenStoreError::Lock(LockError::Held { holder, .. })) = SledStore::open(place.path())
    else {
        panic!("two opened one store");
    };
    assert_eq!(holder, std::process::id().to_string());
    drop(store);
    SledStore::open(place.path()).unwrap();
}

/// I6: should two writers meet all the same, the second is refused before it overwrites anything.
#[tokio::test]
async fn i6_a_second_writer_is_refused() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let store = grown(&place, 5).await;
    let first = place.open(&store).unwrap();
    let second = elsewhere.open(&store).unwrap();
    append_many(&first, 5, 6).await;
    let refused = second.propose(append(b"fork".to_vec())).await;
    let Err(ProposeError::Unsettled(why)) = refused else {
        panic!("{refused:?}");
    };
    let moved = StoreError::SizeMoved {
        expected: 5,
        stored: 6,
    };
    assert_eq!(*why, Closure::Store(moved));
    assert_holds(&first, &leaves(6));
}

#[tokio::test]
async fn another_logs_store_does_not_open() {
    let place = Place::new();
    let store = grown(&place, 5).await;
    fs::remove_file(place.checkpoint_file()).unwrap();
    let open = |signer: LogSigner| {
        let options = LogOptions::new(signer, SetClock::at(0), place.checkpoint_file());
        Log::open(Arc::clone(&store) as Arc<dyn Store>, options)
    };
    let opened = open(LogSigner::from_seed(common::ORIGIN, &[8; 32]).unwrap());
    assert!(
        matches!(opened, Err(OpenError::WrongKey { .. })),
        "{opened:?}"
    );
    let opened = open(LogSigner::from_seed("330100.yichuan/log/1", &[7; 32]).unwrap());
    assert!(
        matches!(opened, Err(OpenError::WrongOrigin { .. })),
        "{opened:?}"
    );
    open(signer()).unwrap();
}

#[tokio::test]
async fn proofs_hold_around_every_tile_border() {
    let place = Place::new();
    let store = Arc::new(MemoryStore::new());
    let log = place.open(&store).unwrap();
    let sizes = [
        1, 2, 127, 128, 129, 255, 256, 257, 383, 384, 385, 512, 513, 65_535, 65_536, 65_537,
    ];
    let mut checkpoints = vec![log.checkpoint()];
    for size in sizes {
        append_many(&log, log.checkpoint().size(), size).await;
        checkpoints.push(log.checkpoint());
    }
    let reader = log.reader();
    let proofs = reader.proofs();
    for new in &checkpoints {
        assert_eq!(proofs.root(new.size()).unwrap(), *new.root());
        for old in checkpoints.iter().filter(|old| old.size() <= new.size()) {
            let proof = reader.consistency_proof(old.size(), new.size()).unwrap();
            verify_consistency(old.size(), old.root(), new.size(), new.root(), &proof).unwrap();
            let Some(index) = old.size().checked_sub(1) else {
                continue;
            };
            let proof = proofs.inclusion(index, new.size()).unwrap();
            assert_eq!(proof, reader.inclusion_proof(index, new.size()).unwrap());
            let hash = leaf_hash(&leaf(index));
            verify_inclusion(&hash, index, new.size(), &proof, new.root()).unwrap();
        }
    }
    let beyond = reader.consistency_proof(5, 65_538);
    assert!(matches!(beyond, Err(ReadError::Unpublished { .. })));
    assert!(matches!(
        reader.inclusion_proof(9, 9),
        Err(ReadError::NoSuchEntry { .. })
    ));
    assert!(matches!(
        reader.consistency_proof(9, 8),
        Err(ReadError::Shrinks { .. })
    ));
    log.close().await;
    place.open(&store).unwrap();
}

#[tokio::test]
async fn entries_of_every_length_come_back_in_order() {
    let place = Place::new();
    let store = Arc::new(SledStore::open(&place.path().join("data")).unwrap());
    let log = place.open(&store).unwrap();
    let lengths = [
        0, 1, 6_139, 6_140, 65_535, 12, 65_535, 65_535, 0, 5_000, 5_000,
    ];
    let leaves: Vec<Vec<u8>> = (0_u8..)
        .zip(lengths)
        .map(|(tag, length)| vec![tag; length])
        .collect();
    let all = leaves.clone();
    let indices = Proposal::new(move |txn| {
        all.into_iter()
            .map(|leaf| txn.append(leaf))
            .collect::<Result<Vec<_>, _>>()
    });
    let indices = log.propose(indices).await.unwrap();
    assert!(indices.iter().copied().eq(0..11));
    assert_holds(&log, &leaves);

    let reader = log.reader();
    for from in 0..leaves.len() {
        let read = reader.entries(from as u64, usize::MAX, usize::MAX).unwrap();
        let expected = (from as u64..).zip(leaves[from..].iter().cloned());
        assert!(read.into_iter().eq(expected), "{from}");
    }
    assert_eq!(reader.entries(2, 2, usize::MAX).unwrap().len(), 2);
    assert_eq!(reader.entries(2, 0, usize::MAX).unwrap().len(), 0);
    assert_eq!(reader.entries(11, 9, usize::MAX).unwrap().len(), 0);
    // At least one, however little room there is.
    assert_eq!(reader.entries(4, 9, 1).unwrap().len(), 1);
    assert_eq!(reader.entries(4, 9, 65_550).unwrap().len(), 2);

    let long = log.propose(append(vec![0; 65_536])).await;
    assert!(matches!(
        long,
        Err(ProposeError::Rejected(TxnError::LeafTooLong {
            length: 65_536
        }))
    ));
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_submitters_are_all_durable_and_each_in_order() {
    let place = Place::new();
    let store = Arc::new(SledStore::open(&place.path().join("data")).unwrap());
    let log = place.open(&store).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..64_u64 {
        let log = log.clone();
        tasks.spawn(async move {
            let mut indices = Vec::new();
            for round in 0..20_u64 {
                let bytes = [task.to_be_bytes(), round.to_be_bytes()].concat();
                let answered = log.propose(append(bytes.clone())).await.unwrap();
                let index = *answered;
                assert!(index < answered.checkpoint().size());
                assert!(answered.checkpoint().size() <= log.checkpoint().size());
                let read = log.read(move |reader| reader.entry(index)).await.unwrap();
                assert_eq!(read.unwrap(), Some(bytes));
                indices.push(index);
            }
            assert!(indices.is_sorted());
            indices
        });
    }
    let mut indices: Vec<u64> = tasks.join_all().await.concat();
    indices.sort_unstable();
    assert!(indices.into_iter().eq(0..64 * 20));
    log.close().await;
    drop(log);
    let reopened = place.open(&store).unwrap();
    assert_eq!(reopened.checkpoint().size(), 64 * 20);
    reopened.close().await;
}

#[tokio::test]
async fn a_batch_is_whatever_queued_meanwhile() {
    let place = Place::new();
    let store = grown(&place, 0).await;
    let log = place.open(&store).unwrap();
    let held = Hold::start(&log).await;
    let commits = store.commits();
    let mut pending = Vec::new();
    for index in 0..500 {
        pending.push(log.submit(append(leaf(index))).await.unwrap());
    }
    held.release();
    let mut checkpoints = Vec::new();
    for pending in pending {
        checkpoints.push(Arc::clone(pending.await.unwrap().checkpoint()));
    }
    assert_eq!(store.commits() - commits, 1);
    assert!(
        checkpoints
            .iter()
            .all(|checkpoint| checkpoint.size() == 500)
    );
}

/// Keeps the sequencer inside a proposal, so that others queue.
struct Hold(mpsc::Sender<()>);

impl Hold {
    async fn start(log: &Log) -> Self {
        let (release, released) = mpsc::channel::<()>();
        let reached = Arc::new(Barrier::new(2));
        let waiting = Arc::clone(&reached);
        let held = log.submit(Proposal::<(), ()>::new(move |_| {
            waiting.wait();
            released.recv().unwrap();
            Ok(())
        }));
        drop(held.await.unwrap());
        reached.wait();
        Self(release)
    }

    fn release(self) {
        self.0.send(()).unwrap();
    }
}

#[tokio::test]
async fn a_refused_proposal_leaves_nothing_and_hurts_nobody() {
    let place = Place::new();
    let store = grown(&place, 2).await;
    let log = place.open(&store).unwrap();
    let held = Hold::start(&log).await;
    let before = log.submit(append(leaf(2))).await.unwrap();
    let refused = Proposal::<(), _>::new(|txn| {
        txn.put(b"\x10refused", b"x").unwrap();
        txn.append(b"refused".to_vec()).unwrap();
        Err("no")
    });
    let refused = log.submit(refused).await.unwrap();
    let panicking = Proposal::<(), ()>::new(|txn| {
        txn.put(b"\x10panicked", b"x").unwrap();
        panic!("defect");
    });
    let panicking = log.submit(panicking).await.unwrap();
    // It swallows that its row was refused, and goes on to append.
    let spoiled = Proposal::new(|txn| {
        drop(txn.put([keys::HEAD[0]], b"forged"));
        txn.append(b"spoiled".to_vec())
    });
    let spoiled = log.submit(spoiled).await.unwrap();
    let after = log.submit(append(leaf(3))).await.unwrap();
    held.release();

    assert_eq!(*before.await.unwrap(), 2);
    assert_eq!(refused.await.unwrap_err(), ProposeError::Rejected("no"));
    assert_eq!(panicking.await.unwrap_err(), ProposeError::Panicked);
    assert!(matches!(spoiled.await, Err(ProposeError::Spoiled)));
    assert_eq!(*after.await.unwrap(), 3);
    assert_holds(&log, &leaves(4));
    let rows = store.range(b"\x10", b"\x80", yichuan::store::Order::Ascending, 9);
    assert!(rows.unwrap().is_empty());
    assert_eq!(log.health(), LogHealth::Open);
}

#[tokio::test]
async fn entry_time_never_runs_backwards() {
    let place = Place::new();
    let store = Arc::new(MemoryStore::new());
    let clock = SetClock::at(5_000);
    let open = || {
        let options = LogOptions::new(signer(), clock.clone(), place.checkpoint_file());
        Log::open(Arc::clone(&store) as Arc<dyn Store>, options).unwrap()
    };
    let stamp = |log: Log| async move {
        let proposal = Proposal::<Timestamp, TxnError>::new(|txn| {
            txn.append(b"x".to_vec())?;
            Ok(txn.now())
        });
        log.propose(proposal).await.unwrap().millis()
    };
    let log = open();
    assert_eq!(stamp(log.clone()).await, 5_000);
    clock.set(4_000);
    assert_eq!(stamp(log.clone()).await, 5_000);
    log.close().await;
    let log = open();
    assert_eq!(stamp(log.clone()).await, 5_000);
    clock.set(6_000);
    assert_eq!(stamp(log.clone()).await, 6_000);
}

#[tokio::test]
async fn closing_writes_what_was_queued_and_takes_no_more() {
    let place = Place::new();
    let store = grown(&place, 0).await;
    let log = place.open(&store).unwrap();
    let held = Hold::start(&log).await;
    let mut pending = Vec::new();
    for index in 0..10 {
        pending.push(log.submit(append(leaf(index))).await.unwrap());
    }
    let closing = tokio::spawn({
        let log = log.clone();
        async move { log.close().await }
    });
    held.release();
    closing.await.unwrap();
    for (expected, pending) in (0..).zip(pending) {
        assert_eq!(*pending.await.unwrap(), expected);
    }
    let late = log.propose(append(leaf(10))).await;
    assert!(matches!(late, Err(ProposeError::Closed(_))));
    assert_holds(&log, &leaves(10));
    assert_eq!(place.kept(), log.checkpoint().note());
    log.close().await;
}

#[test]
fn a_store_refuses_what_sled_would_not_sync() {
    let place = Place::new();
    let store = SledStore::open(place.path()).unwrap();
    let mut batch = Batch::new();
    batch.put(b"\x10k", vec![0; 6 * 1024 + 1]);
    let refused = store.commit(0, &batch);
    assert!(matches!(
        refused,
        Err(StoreError::ValueTooLong { length: 6145 })
    ));
    // The caller's mistake does not close the store; a blob file does.
    let mut batch = Batch::new();
    batch.put(b"\x10k", vec![0; 6 * 1024]);
    store.commit(0, &batch).unwrap();
    fs::write(place.path().join("sled/blobs/1"), b"unsynced").unwrap();
    assert!(matches!(
        store.commit(0, &batch),
        Err(StoreError::UnsyncedBlob)
    ));
    fs::remove_file(place.path().join("sled/blobs/1")).unwrap();
    assert!(matches!(store.commit(0, &batch), Err(StoreError::Failed)));
}
