//! The real store fails at its nth operation, before or after what it did persisted (I2). Whatever n is: the log closes
//! and says so, nothing was acknowledged that is not there, and a repaired copy goes on.
//!
//! A log alone is tried at every n. Of a node that exchanges over real connections, CI tries `YICHUAN_FAULTS` moments (6
//! unless told); `all` tries each operation.

use super::{
    leads,
    processes::{DEADLINE, Home},
    stopped::{Copy, Stopped},
};
use std::{
    collections::BTreeMap,
    env, fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};
use yichuan::{
    access::Purpose,
    config::Config,
    entry::{Entry, Kind},
    exchange::CourierOptions,
    log::{Closure, Log, LogHealth, LogOptions, OpenError, Proposal, TxnError, copy_verified},
    merkle::leaf_hash,
    node::{
        Node,
        doctor::{RepairOptions, repair},
    },
    note::{LogSigner, SignedCheckpoint},
    rpc::pb,
    store::{Batch, MemoryStore, Order, Row, SledStore, Store, StoreError},
    telemetry::{Readiness, SystemClock},
};

/// When an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fault {
    /// Which one, from 1; gets, ranges and commits are counted together.
    nth: u64,
    /// After it was done: a commit is then on disk, and yet said to have failed.
    after: bool,
}

/// A store that fails once.
struct FaultStore<S> {
    inner: S,
    fault: Option<Fault>,
    done: AtomicU64,
    fired: AtomicBool,
}

impl<S: Store> FaultStore<S> {
    fn new(inner: S, fault: Option<Fault>) -> Self {
        Self {
            inner,
            fault,
            done: AtomicU64::new(0),
            fired: AtomicBool::new(false),
        }
    }

    fn has_fired(&self) -> bool {
        self.fired.load(Ordering::SeqCst)
    }

    fn operations(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    fn call<T>(&self, call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let nth = 1 + self.done.fetch_add(1, Ordering::SeqCst);
        let Some(fault) = self.fault.filter(|fault| fault.nth == nth) else {
            return call();
        };
        self.fired.store(true, Ordering::SeqCst);
        if fault.after {
            call()?;
        }
        Err(StoreError::Injected)
    }
}

impl<S: Store> Store for FaultStore<S> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.call(|| self.inner.get(key))
    }

    fn range(
        &self,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.call(|| self.inner.range(from, to, order, limit))
    }

    fn commit(&self, expected_size: u64, batch: &Batch) -> Result<(), StoreError> {
        self.call(|| self.inner.commit(expected_size, batch))
    }

    fn sync_deferred(&self) -> Result<(), StoreError> {
        self.call(|| self.inner.sync_deferred())
    }
}

const ORIGIN: &str = "520624.yichuan/log/1";

fn signer() -> LogSigner {
    LogSigner::from_seed(ORIGIN, &[7; 32]).unwrap()
}

/// Appends entries with rows beside them, reads, proves, scrubs. What was acknowledged, and the newest checkpoint seen.
async fn work(
    store: Arc<dyn Store>,
    checkpoint: &Path,
    acknowledged: &mut BTreeMap<u64, Vec<u8>>,
) -> Option<(Log, Arc<SignedCheckpoint>)> {
    let options = LogOptions::new(signer(), Arc::new(SystemClock), checkpoint.to_owned());
    let log = Log::open(store, options).ok()?;
    for round in 0..4_u8 {
        let leaf = format!("entry {round}").into_bytes();
        let bytes = leaf.clone();
        let written = log
            .propose(Proposal::<u64, TxnError>::new(move |txn| {
                drop(txn.get(b"\x10seen")?);
                txn.put(b"\x10seen", vec![round])?;
                txn.put_long(b"\x10payload", &vec![round; 9_000])?;
                txn.append(bytes)
            }))
            .await;
        if let Ok(index) = written {
            acknowledged.insert(*index, leaf);
        }
        let reader = log.reader();
        drop(reader.get_long(b"\x10payload"));
        drop(reader.entry(0));
        drop(reader.inclusion_proof(0, 1));
    }
    drop(log.scrub(Duration::ZERO).await);
    let seen = log.checkpoint();
    Some((log, seen))
}

async fn fails_at_every_operation<S: Store + 'static>(
    fresh: impl Fn(&Path) -> S,
    step: usize,
) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let counted = Arc::new(FaultStore::new(fresh(&dir.path().join("data")), None));
    let (log, _) = work(
        Arc::clone(&counted) as Arc<_>,
        &dir.path().join("checkpoint"),
        &mut BTreeMap::new(),
    )
    .await
    .unwrap();
    log.close().await;
    let operations = counted.operations();
    let mut tried = 0;
    for nth in (1..=operations).step_by(step) {
        for after in [false, true] {
            let fault = Fault { nth, after };
            let dir = tempfile::tempdir().unwrap();
            let kept = dir.path().join("checkpoint");
            let store = Arc::new(FaultStore::new(
                fresh(&dir.path().join("data")),
                Some(fault),
            ));
            let mut acknowledged = BTreeMap::new();
            let worked = work(Arc::clone(&store) as Arc<_>, &kept, &mut acknowledged).await;
            tried += 1;
            let Some((log, seen)) = worked else {
                assert!(store.has_fired(), "{fault:?}");
                // It did not open: nothing was promised.
                assert!(acknowledged.is_empty());
                let options = LogOptions::new(signer(), Arc::new(SystemClock), kept);
                let again = Log::open(store, options).unwrap_err();
                assert!(
                    matches!(again, OpenError::FailedBefore { .. }),
                    "{fault:?}: {again}"
                );
                continue;
            };
            // What nobody waits for has been done too.
            log.close().await;
            assert!(store.has_fired(), "{fault:?}");
            let LogHealth::Closed { why } = log.health() else {
                panic!("{fault:?} left the log open");
            };
            assert!(matches!(*why, Closure::Store(_)), "{fault:?}: {why}");
            // The same directory does not open again, and a verified copy does, with all that was acknowledged.
            let options = || LogOptions::new(signer(), Arc::new(SystemClock), kept.clone());
            Log::open(Arc::clone(&store) as Arc<_>, options()).unwrap_err();
            let copy = Arc::new(MemoryStore::new());
            copy_verified(store.as_ref(), copy.as_ref(), &signer().verifier_key()).unwrap();
            fs::remove_file(yichuan::log::failure_marker_file(&kept)).unwrap();
            let log = Log::open(copy, options()).unwrap();
            let reader = log.reader();
            for (index, leaf) in &acknowledged {
                assert_eq!(
                    reader.entry(*index).unwrap().as_ref(),
                    Some(leaf),
                    "{fault:?}"
                );
            }
            let root = reader.proofs().root(seen.size()).unwrap();
            assert_eq!(
                root,
                *seen.root(),
                "{fault:?}: a checkpoint that was shown is contradicted"
            );
            log.close().await;
        }
    }
    tried
}

#[tokio::test(flavor = "multi_thread")]
async fn i2_a_log_closes_whichever_operation_fails() {
    let tried = fails_at_every_operation(|_| MemoryStore::new(), 1).await;
    println!("{tried} faults in memory");
    assert!(tried > 50, "{tried}");
    let every = if env::var("YICHUAN_FAULTS").is_ok_and(|faults| faults == "all") {
        1
    } else {
        17
    };
    let tried = fails_at_every_operation(|data| SledStore::open(data).unwrap(), every).await;
    println!("{tried} faults on disk");
}

/// The disk that failed may take its time with the word of it, or for ever: here the word goes into a pipe that nobody
/// reads.
#[tokio::test(flavor = "multi_thread")]
async fn i2_a_log_is_closed_before_word_of_it_is_written() {
    let opened = async |fault| {
        let dir = tempfile::tempdir().unwrap();
        let kept = dir.path().join("checkpoint");
        let store = Arc::new(FaultStore::new(MemoryStore::new(), fault));
        let options = LogOptions::new(signer(), Arc::new(SystemClock), kept.clone());
        let log = Log::open(Arc::clone(&store) as Arc<_>, options).unwrap();
        (dir, kept, store, log)
    };
    let (_dir, _, store, log) = opened(None).await;
    let nth = store.operations() + 1;
    log.close().await;
    let (_dir, kept, _, log) = opened(Some(Fault { nth, after: false })).await;
    let pipe = yichuan::log::failure_marker_file(&kept);
    let (mode, fifo) = (rustix::fs::Mode::RWXU, rustix::fs::FileType::Fifo);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, fifo, mode, 0).unwrap();
    let reader = log.reader();
    let reading = std::thread::spawn(move || reader.get(b"\x10seen").unwrap_err());
    let closed = tokio::time::timeout(DEADLINE, log.until_closed()).await;
    assert!(closed.unwrap().to_string().contains("yichuan doctor"));
    assert!(matches!(log.health(), LogHealth::Closed { .. }));
    let refused = log.propose(Proposal::<u64, TxnError>::new(|txn| {
        txn.append(b"late".to_vec())
    }));
    refused.await.unwrap_err();
    let said = fs::read_to_string(&pipe).unwrap();
    assert!(said.contains("yichuan doctor"), "{said}");
    reading.join().unwrap();
    log.close().await;
}

fn eager() -> CourierOptions {
    CourierOptions {
        retry_min: Duration::from_millis(10),
        retry_max: Duration::from_millis(100),
        ..CourierOptions::default()
    }
}

/// What an officer was told is durable: by log index.
type Acknowledged = BTreeMap<u64, String>;

/// Pushes leads one by one. What was acknowledged, and how the first that was not ended.
async fn push(
    home: &Home,
    numbers: std::ops::Range<usize>,
) -> (Acknowledged, Option<tonic::Status>) {
    let mut acknowledged = Acknowledged::new();
    for number in numbers {
        let request = pb::PushRecordsRequest {
            grounds: home.grounds(Purpose::Screening),
            row: 1,
            content: Some(leads::lead(number, "440305").into()),
        };
        let pushed = home
            .records()
            .push_records(tokio_stream::iter([request]))
            .await;
        let verdict = match pushed {
            Ok(answered) => answered.into_inner().message().await,
            Err(status) => Err(status),
        };
        match verdict {
            Ok(Some(verdict)) => {
                assert_eq!(verdict.verdict(), pb::Verdict::Accept);
                acknowledged.insert(verdict.log_index, verdict.record_id);
            }
            Ok(None) => return (acknowledged, None),
            Err(status) => return (acknowledged, Some(status)),
        }
    }
    (acknowledged, None)
}

async fn drained(node: &Node) {
    let log = node.log().clone();
    let mut published = log.subscribe();
    let guangdong = super::stopped::GUANGDONG.parse().unwrap();
    loop {
        published.mark_unchanged();
        let waiting = log
            .read(move |reader| yichuan::exchange::Outbox::waiting(reader, guangdong, 1))
            .await;
        if matches!(waiting, Ok(Ok(0))) || published.changed().await.is_err() {
            return;
        }
    }
}

/// What a node with a closed log does not serve.
const WRITES: [&str; 4] = [
    "",
    "yichuan.v1.Exchange",
    "yichuan.v1.Records",
    "yichuan.v1.Partners",
];

async fn serving(home: &Home, service: &str) -> ServingStatus {
    let mut health =
        tonic_health::pb::health_client::HealthClient::new(home.channel("officer-001"));
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    health.check(request).await.unwrap().into_inner().status()
}

struct Ran {
    fired: bool,
    operations: u64,
    acknowledged: Acknowledged,
    shown: Option<SignedCheckpoint>,
}

/// Starts the county's node on a store that fails, exchanges, and stops it.
async fn exchange(home: &Home, fault: Option<Fault>) -> Ran {
    let slot = Arc::new(std::sync::Mutex::new(None));
    let layer: yichuan::node::StoreLayer = {
        let slot = Arc::clone(&slot);
        Box::new(move |store| {
            let store = Arc::new(FaultStore::new(store, fault));
            *slot.lock().unwrap() = Some(Arc::clone(&store));
            store
        })
    };
    let clock = Arc::new(SystemClock);
    let started = Node::start_on(&home.config, clock, eager(), layer).await;
    let store = slot.lock().unwrap().take().unwrap();
    let node = match started {
        Ok(node) => node,
        Err(error) => {
            assert!(store.has_fired(), "{error}");
            return Ran {
                fired: true,
                operations: store.operations(),
                acknowledged: Acknowledged::new(),
                shown: None,
            };
        }
    };
    let (acknowledged, refused) = push(home, 50..52).await;
    let closed = tokio::time::timeout(DEADLINE, async {
        tokio::select! {
            why = node.log().until_closed() => Some(why),
            () = drained(&node) => None,
        }
    });
    closed.await.unwrap();
    if store.has_fired() {
        // Whoever met the fault may have been the last to do anything.
        let closed = tokio::time::timeout(DEADLINE, node.log().until_closed()).await;
        let why = closed.unwrap().to_string();
        assert!(why.contains("yichuan doctor"), "{why}");
        let Readiness::NotReady(reasons) = (node.probe())() else {
            panic!("{fault:?}: ready");
        };
        assert!(reasons[0].contains("the log is closed"), "{reasons:?}");
        let asking = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(5));
            for service in WRITES {
                while serving(home, service).await != ServingStatus::NotServing {
                    ticks.tick().await;
                }
            }
        };
        tokio::time::timeout(DEADLINE, asking).await.unwrap();
        let (none, later) = push(home, 60..61).await;
        let later = later.unwrap();
        assert!(none.is_empty());
        assert_eq!(later.code(), Code::Unavailable, "{later}");
        assert!(later.message().contains("takes no writes now"), "{later}");
        // Auditors read on.
        assert_eq!(
            home.checkpoint().await.size(),
            node.log().checkpoint().size()
        );
    } else {
        assert!(refused.is_none(), "{refused:?}");
    }
    let shown = Some(SignedCheckpoint::clone(&node.log().checkpoint()));
    node.stop().await;
    Ran {
        fired: store.has_fired(),
        operations: store.operations(),
        acknowledged,
        shown,
    }
}

/// After the repair: all that was acknowledged is there, is delivered once, and no checkpoint that was shown is
/// contradicted.
async fn recovered(home: &Home, copy: &Copy, ran: &Ran, fault: Fault) {
    let (into, scratch) = (copy.beside("repaired"), copy.beside("scratch"));
    fs::create_dir(&scratch).unwrap();
    let options = RepairOptions {
        into: into.clone(),
        from: Vec::new(),
        scratch,
    };
    let repaired = repair(&home.config, &options, |_, _| {}).unwrap();
    assert!(repaired.done, "{fault:?} {:?}", repaired.examination);
    fs::rename(copy.data(), copy.beside("damaged")).unwrap();
    fs::rename(&into, copy.data()).unwrap();
    let node = Node::start_with(&home.config, Arc::new(SystemClock), eager())
        .await
        .unwrap();
    tokio::time::timeout(DEADLINE, drained(&node))
        .await
        .unwrap();
    let reader = node.log().reader();
    if let Some(shown) = &ran.shown {
        let root = reader.proofs().root(shown.size()).unwrap();
        assert_eq!(root, *shown.root(), "{fault:?}");
    }
    let entries = reader.entries(0, usize::MAX, usize::MAX).unwrap();
    let decoded: Vec<_> = entries
        .iter()
        .map(|(_, leaf)| (leaf_hash(leaf), Entry::decode(leaf).unwrap().kind))
        .collect();
    for (index, lead) in &ran.acknowledged {
        let Kind::DispatchSent(sent) = &decoded[*index as usize].1 else {
            panic!("{fault:?}: entry {index} is no lead");
        };
        assert_eq!(sent.record.to_string(), *lead, "{fault:?}");
        let receipts = decoded.iter().filter(
            |(_, kind)| matches!(kind, Kind::ReceiptLogged { sent_index, .. } if sent_index == index),
        );
        assert_eq!(receipts.count(), 1, "{fault:?}");
    }
    node.stop().await;
}

fn config_of(copy: &Copy, like: &Home) -> Config {
    copy.home(like).config
}

#[tokio::test(flavor = "multi_thread")]
async fn i2_a_node_closes_says_so_and_recovers_whichever_operation_fails() {
    let stopped = Stopped::new().await;
    let away = Stopped::copy_of(&stopped.partner);
    let partner = config_of(&away, &stopped.partner);
    let start_partner =
        async |config: &Config| Node::start_with(config, Arc::new(SystemClock), eager()).await;
    let counted = {
        let copy = stopped.copy();
        let node = start_partner(&partner).await.unwrap();
        let ran = exchange(&copy.home(&stopped.home), None).await;
        node.stop().await;
        assert_eq!(ran.acknowledged.len(), 2);
        ran.operations
    };
    let faults = env::var("YICHUAN_FAULTS").unwrap_or_else(|_| "6".to_owned());
    let step = match faults.as_str() {
        "all" => 1,
        count => (counted / count.parse::<u64>().unwrap().max(1)).max(1),
    };
    let (mut tried, mut fired) = (0, 0);
    let moments = (1..counted).skip(step as usize / 2).step_by(step as usize);
    let faults = moments.flat_map(|nth| [false, true].map(|after| Fault { nth, after }));
    for fault in faults {
        tried += 1;
        let copy = stopped.copy();
        let home = copy.home(&stopped.home);
        let away = Stopped::copy_of(&stopped.partner);
        let node = start_partner(&config_of(&away, &stopped.partner))
            .await
            .unwrap();
        let ran = exchange(&home, Some(fault)).await;
        fired += u32::from(ran.fired);
        recovered(&home, &copy, &ran, fault).await;
        node.stop().await;
    }
    println!(
        "{fired} of {tried} faults met an operation; a start, two pushes and their receipts are {counted}"
    );
    // What the node does runs together, so the last of them may come to nothing.
    assert!(fired * 2 > tried, "{fired} of {tried}");
}
