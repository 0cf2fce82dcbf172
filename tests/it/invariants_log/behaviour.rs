//! What callers count on beside the invariants: order, proofs, batches, time, closing.

use std::{fs, sync::Arc};

use super::fixture::{
    self, Hold, Place, SetClock, append, append_many, assert_holds, grown, leaf, leaves, signer,
};
use yichuan::{
    domain::Timestamp,
    log::{Log, LogHealth, LogOptions, OpenError, Proposal, ProposeError, ReadError, TxnError},
    merkle::{leaf_hash, verify_consistency, verify_inclusion},
    note::LogSigner,
    store::{Batch, MemoryStore, Order, SledStore, Store, StoreError, keys},
};

#[tokio::test]
async fn another_logs_store_does_not_open() {
    let place = Place::new();
    let store = grown(&place, 5).await;
    let kept = place.kept();
    fs::remove_file(place.checkpoint_file()).unwrap();
    let open = |signer: LogSigner| {
        let options = LogOptions::new(signer, SetClock::at(0), place.checkpoint_file());
        Log::open(Arc::clone(&store) as Arc<dyn Store>, options)
    };
    let opened = open(LogSigner::from_seed(fixture::ORIGIN, &[8; 32]).unwrap());
    assert!(
        matches!(opened, Err(OpenError::WrongKey { .. })),
        "{opened:?}"
    );
    let opened = open(LogSigner::from_seed("330100.yichuan/log/1", &[7; 32]).unwrap());
    assert!(
        matches!(opened, Err(OpenError::WrongOrigin { .. })),
        "{opened:?}"
    );
    fs::write(place.checkpoint_file(), kept).unwrap();
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
    let rows = store.range(b"\x10", b"\x80", Order::Ascending, 9);
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
