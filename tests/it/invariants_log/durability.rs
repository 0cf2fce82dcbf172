//! What an answer means: I1, I2, I6, I8.

use std::{
    fs,
    path::Path,
    sync::{Arc, mpsc},
    time::Duration,
};

use super::fixture::{Hold, Place, append, append_many, assert_holds, grown, leaf, leaves, signer};
use yichuan::{
    log::{
        Appended, Closure, CopyError, Log, LogHealth, OpenError, Proposal, ProposeError, ReadError,
        Txn, TxnError, View, ViewError, copy_verified,
    },
    merkle::leaf_hash,
    store::{
        Batch, Fault, LockError, MemoryStore, OpenStoreError, Order, Row, SledStore, Store,
        StoreError, keys,
    },
};

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
            matches!(&answer, Err(ProposeError::OutcomeUnknown(why))
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

/// I1: while a commit is on its way nothing of it is seen, though the engine has it already.
#[tokio::test(flavor = "multi_thread")]
async fn i1_nothing_is_seen_while_it_syncs() {
    let place = Place::new();
    let memory = grown(&place, 3).await;
    let (applied, on_its_way) = mpsc::channel();
    let (sync, may_sync) = mpsc::channel();
    let store = Arc::new(SlowSync {
        memory: Arc::clone(&memory),
        applied,
        may_sync: may_sync.into(),
    });
    let log = place.open(&store).unwrap();
    let row = Proposal::<_, TxnError>::new(|txn| {
        txn.put(b"\x10row", b"new")?;
        txn.append(leaf(3))
    });
    let mut pending = log.submit(row).await.unwrap();
    on_its_way.recv().unwrap();

    assert_eq!(memory.get(b"\x10row").unwrap(), Some(b"new".to_vec()));
    assert_eq!(log.checkpoint().size(), 3);
    assert_eq!(log.reader().entry(3).unwrap(), None);
    let early = tokio::time::timeout(Duration::ZERO, &mut pending).await;
    assert!(early.is_err(), "answered before it was synced");
    let (read, what_was_read) = mpsc::channel();
    let reader = log.reader();
    let reading = std::thread::spawn(move || {
        let row = reader.get(b"\x10row").unwrap();
        read.send((row, reader.size())).unwrap();
    });
    let early = what_was_read.recv_timeout(Duration::from_millis(100));
    assert!(early.is_err(), "read before it was synced: {early:?}");

    sync.send(()).unwrap();
    assert_eq!(*pending.await.unwrap(), 3);
    assert_eq!(what_was_read.recv().unwrap(), (Some(b"new".to_vec()), 4));
    reading.join().unwrap();
    drop(sync);
    log.close().await;
}

/// A store whose commits are applied at once and synced when told.
struct SlowSync {
    memory: Arc<MemoryStore>,
    applied: mpsc::Sender<()>,
    may_sync: std::sync::Mutex<mpsc::Receiver<()>>,
}

impl Store for SlowSync {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.get(key)
    }

    fn range(
        &self,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.memory.range(from, to, order, limit)
    }

    fn commit(&self, expected_size: u64, batch: &Batch) -> Result<(), StoreError> {
        self.memory.commit(expected_size, batch)?;
        self.applied.send(()).unwrap();
        self.may_sync.lock().unwrap().recv().unwrap();
        Ok(())
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
            Txn::put_long(txn, b"\x10payload", &vec![round as u8; 100_000])?;
            txn.append(leaf(index + 1))
        });
        let answered = log.propose(big).await.unwrap();

        let crashed = place.with_its_file();
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
    assert!(matches!(first.await, Err(ProposeError::OutcomeUnknown(_))));
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
                drop(txn.range(b"\x10", b"\x11", Order::Ascending, 1));
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
    let directory = place.path().join("removed");
    fs::create_dir(&directory).unwrap();
    options.checkpoint_file = directory.join("checkpoint");
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let log = Log::open(Arc::clone(&store), options).unwrap();
    // In one step: the file may just be written.
    fs::rename(&directory, place.path().join("elsewhere")).unwrap();
    // Its first entry may still be taken: the file follows.
    drop(log.propose(append(leaf(0))).await);
    log.close().await;
    let LogHealth::Closed { why } = log.health() else {
        panic!("open");
    };
    assert!(matches!(*why, Closure::CheckpointFile { .. }), "{why}");

    let mut options = place.options();
    options.checkpoint_file = place.path().join("missing").join("checkpoint");
    let opened = Log::open(Arc::new(MemoryStore::new()), options);
    assert!(
        matches!(opened, Err(OpenError::CheckpointFile { .. })),
        "{opened:?}"
    );
}

/// I2: not even a new start opens it again, because the kernel may call lost pages clean; a verified copy goes on.
#[tokio::test]
async fn i2_only_a_verified_copy_goes_on() {
    let place = Place::new();
    let store = grown(&place, 700).await;
    let log = place.open(&store).unwrap();
    let row = Proposal::new(|txn| {
        txn.put_long(b"\x10payload", &[5; 20_000])?;
        txn.append(leaf(700))
    });
    log.propose(row).await.unwrap();
    store.inject(Fault::CommitBefore(1));
    log.propose(append(leaf(701))).await.unwrap_err();
    log.close().await;
    let opened = place.open(&store);
    assert!(
        matches!(opened, Err(OpenError::FailedBefore { .. })),
        "{opened:?}"
    );

    let key = signer().verifier_key();
    let fresh = Place::new();
    let copy = Arc::new(SledStore::open(&fresh.path().join("data")).unwrap());
    assert_eq!(
        copy_verified(store.as_ref(), copy.as_ref(), &key).unwrap(),
        701
    );
    fs::copy(place.checkpoint_file(), fresh.checkpoint_file()).unwrap();
    let log = fresh.open(&copy).unwrap();
    assert_holds(&log, &leaves(701));
    let payload = log.reader().get_long(b"\x10payload").unwrap();
    assert_eq!(payload, Some(vec![5; 20_000]));
    append_many(&log, 701, 1_000).await;
    assert_holds(&log, &leaves(1_000));
    log.close().await;

    let again = copy_verified(store.as_ref(), copy.as_ref(), &key);
    assert!(matches!(again, Err(CopyError::NotFresh)));
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
    let place = Place::new();
    let store = grown(&place, 5).await;
    let elsewhere = place.with_its_file();
    let first = place.open(&store).unwrap();
    let second = elsewhere.open(&store).unwrap();
    append_many(&first, 5, 6).await;
    let refused = second.propose(append(b"fork".to_vec())).await;
    let Err(ProposeError::OutcomeUnknown(why)) = refused else {
        panic!("{refused:?}");
    };
    let moved = StoreError::SizeMoved {
        expected: 5,
        stored: 6,
    };
    assert_eq!(*why, Closure::Store(moved));
    assert_holds(&first, &leaves(6));
}

/// I8: a view's rows stand and fall with the entry that they follow from.
#[tokio::test]
async fn i8_views_stand_and_fall_with_their_entries() {
    let place = Place::new();
    let store = Arc::new(MemoryStore::new());
    let mut options = place.options();
    options.views = vec![Box::new(ByHash), Box::new(Picky)];
    let log = Log::open(Arc::clone(&store) as Arc<dyn Store>, options).unwrap();
    let held = Hold::start(&log).await;
    let two = Proposal::<_, TxnError>::new(|txn| {
        txn.put(b"\x10seen", b"0")?;
        let first = txn.append(leaf(0))?;
        // What the view put is in view at once.
        assert!(txn.get(&ByHash::key(&leaf(0)))?.is_some());
        txn.append(leaf(1))?;
        Ok(first)
    });
    let two = log.submit(two).await.unwrap();
    let unwanted = Proposal::new(|txn| {
        txn.append(leaf(2))?;
        txn.append(b"unwanted".to_vec())
    });
    let unwanted = log.submit(unwanted).await.unwrap();
    let after = log.submit(append(leaf(2))).await.unwrap();
    held.release();

    assert_eq!(*two.await.unwrap(), 0);
    let refused = unwanted.await;
    assert!(
        matches!(
            &refused,
            Err(ProposeError::Rejected(TxnError::View {
                view: "picky",
                index: 3,
                ..
            }))
        ),
        "{refused:?}"
    );
    assert_eq!(*after.await.unwrap(), 2);
    assert_holds(&log, &leaves(3));
    let reader = log.reader();
    for index in 0..3 {
        let row = reader.get(&ByHash::key(&leaf(index))).unwrap();
        assert_eq!(row, Some(index.to_be_bytes().to_vec()));
    }
    assert_eq!(reader.get(&ByHash::key(b"unwanted")).unwrap(), None);
    assert_eq!(reader.get(b"\x10seen").unwrap(), Some(b"2".to_vec()));
}

/// Finds entries by their hash.
struct ByHash;

impl ByHash {
    fn key(leaf: &[u8]) -> Vec<u8> {
        [&[keys::FIRST_VIEW], leaf_hash(leaf).as_ref()].concat()
    }
}

impl View for ByHash {
    fn name(&self) -> &'static str {
        "by-hash"
    }

    fn apply(&mut self, txn: &mut Txn<'_>, appended: &Appended<'_>) -> Result<(), ViewError> {
        let key = [&[keys::FIRST_VIEW], appended.hash.as_ref()].concat();
        Ok(txn.put(key, appended.index.to_be_bytes())?)
    }
}

/// Takes anything but one, and remembers in a row what it saw last.
struct Picky;

impl View for Picky {
    fn name(&self) -> &'static str {
        "picky"
    }

    fn apply(&mut self, txn: &mut Txn<'_>, appended: &Appended<'_>) -> Result<(), ViewError> {
        if appended.leaf == b"unwanted" {
            return Err(ViewError::entry("not this one"));
        }
        Ok(txn.put(b"\x10seen", appended.index.to_string())?)
    }
}
