//! Nodes, each a process of its own: what an officer waits for, and what the sender's node waits for.

use crate::{
    child::{self, Child},
    echo::pump,
    leads, machine,
    measure::{Counter, Sample, Window, closed_loop},
    processes::Home,
};
use std::{
    collections::VecDeque,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::sync::{Mutex, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};
use yichuan::{
    access::Purpose,
    config::Config,
    domain::{Clock, Jurisdiction},
    node::Node,
    rpc::pb::{self, records_client::RecordsClient},
    store::{Order, tables},
    telemetry::{LogFormat, Metrics, SystemClock, init_logs},
};

const SENDER: &str = "520624";
const RECIPIENT: &str = "440000";
/// Where the leads point: below the recipient.
const DESTINATION: &str = "440304";

/// Quotas that a benchmark would spend in seconds: it is one officer for all.
const UNBOUNDED: [&str; 7] = [
    "YICHUAN__QUOTAS__CALLS_PER_MINUTE",
    "YICHUAN__QUOTAS__PUSHED_PER_MINUTE",
    "YICHUAN__QUOTAS__PUSHED_PER_DAY",
    "YICHUAN__QUOTAS__DISPATCHES_PER_MINUTE",
    "YICHUAN__QUOTAS__DISPATCHES_PER_DAY",
    "YICHUAN__QUOTAS__LOGGED_BYTES_PER_DAY",
    "YICHUAN__QUOTAS__STREAMS",
];

/// The child's part: a node as `yichuan serve` runs it. Beside, it prints which dispatch waits longest for its receipt,
/// whenever that changes: everything before it is received, and its receipt is in this log.
pub(crate) async fn serve(config: &Path, partner: &str) {
    init_logs(LogFormat::Text, "error").unwrap();
    let _metrics = Metrics::install().unwrap();
    let unbounded = UNBOUNDED.map(|name| (name.to_owned(), u32::MAX.to_string()));
    let everywhere = ["PER_PRINCIPAL", "PER_ADDRESS"].map(|of| {
        let name = format!("YICHUAN__LIMITS__CONNECTIONS_{of}");
        (name, "1024".to_owned())
    });
    let settings = std::env::vars().chain(unbounded).chain(everywhere);
    let config = Config::load(Some(config), settings).unwrap();
    let partner: Jurisdiction = partner.parse().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let node = Node::start(&config, clock).await.unwrap();
    println!("up");
    let log = node.log().clone();
    let mut published = log.subscribe();
    let (from, to) = (
        tables::outbox(partner, 0),
        tables::outbox(partner, u64::MAX),
    );
    let runtime = tokio::runtime::Handle::current();
    let watching = thread::spawn(move || {
        let (reader, mut told) = (log.reader(), 0);
        while runtime.block_on(published.changed()).is_ok() {
            let size = published.borrow_and_update().size();
            // Published rows only: this waits while a commit is under way.
            let oldest = reader.range(&from, &to, Order::Ascending, 1).unwrap();
            let oldest = oldest.first().and_then(|row| tables::outbox_index(&row.0));
            let oldest = oldest.unwrap_or(size);
            if oldest > told {
                told = oldest;
                let mut out = std::io::stdout().lock();
                writeln!(out, "{oldest}").unwrap();
            }
        }
    });
    tokio::task::spawn_blocking(move || watching.join().unwrap())
        .await
        .unwrap();
    drop(node);
}

/// A served node.
struct Served {
    home: Home,
    child: Mutex<Child>,
}

impl Served {
    async fn start(dir: &Path, code: &str, partner: &str) -> Self {
        let home = Home::make(dir, code);
        let mut child = Self::process(&home.config.path, partner);
        assert_eq!(child.line().await, "up");
        Self {
            home,
            child: Mutex::new(child),
        }
    }

    fn process(config: &Path, partner: &str) -> Child {
        child::start(&["--node", config.to_str().unwrap(), partner])
    }
}

/// A sender's node, and its partner's where there is one.
pub(crate) struct Nodes {
    sender: Served,
    recipient: Option<Served>,
    numbers: Counter,
    officers: Mutex<Vec<RecordsClient<Channel>>>,
}

impl Nodes {
    /// One node; its partner is known, and down: nothing is delivered beside.
    pub(crate) async fn sender_alone(dir: &Path) -> Self {
        Self::start(dir, false).await
    }

    pub(crate) async fn pair(dir: &Path) -> Self {
        Self::start(dir, true).await
    }

    async fn start(dir: &Path, both: bool) -> Self {
        let sender = Served::start(dir, SENDER, RECIPIENT).await;
        let recipient = if both {
            let recipient = Served::start(dir, RECIPIENT, SENDER).await;
            recipient.home.introduce(&sender.home).await;
            sender.home.introduce(&recipient.home).await;
            Some(recipient)
        } else {
            let recipient = Home::make(dir, RECIPIENT);
            sender.home.introduce(&recipient).await;
            None
        };
        Self {
            sender,
            recipient,
            numbers: Counter::default(),
            officers: Mutex::default(),
        }
    }

    fn request(&self) -> pb::PushRecordsRequest {
        let n = self.numbers.next();
        pb::PushRecordsRequest {
            grounds: None,
            row: u64::try_from(n).unwrap(),
            content: Some(leads::lead(n, DESTINATION).into()),
        }
    }

    async fn open(&self, records: &mut RecordsClient<Channel>, room: usize) -> PushStream {
        let (requests, queued) = mpsc::channel(room);
        let mut first = self.request();
        first.grounds = self.sender.home.grounds(Purpose::Screening);
        requests.try_send(first).unwrap();
        let answers = records
            .push_records(ReceiverStream::new(queued))
            .await
            .unwrap();
        let mut stream = PushStream {
            requests,
            answers: answers.into_inner(),
        };
        stream.answer().await;
        stream
    }

    /// One stream of one officer, with so many leads in flight: from push until the answer with the index.
    pub(crate) async fn stream(&self, in_flight: usize, window: Window) -> Sample {
        let mut records = self.sender.home.records();
        let PushStream { requests, answers } = self.open(&mut records, in_flight).await;
        let answers = futures_util::StreamExt::map(answers, |answer| answer.map(accepted));
        pump(in_flight, window, answers, || {
            requests.try_send(self.request()).unwrap();
        })
        .await
    }

    /// So many officers, each with a connection of their own and one lead in flight.
    pub(crate) async fn officers(self: &Arc<Self>, count: usize, window: Window) -> Sample {
        let mut officers = self.officers.lock().await;
        while officers.len() < count {
            officers.push(self.sender.home.records());
        }
        let mut workers = Vec::new();
        for records in officers.iter_mut().take(count) {
            let stream = Arc::new(Mutex::new(self.open(records, 1).await));
            let nodes = Arc::clone(self);
            workers.push(move || {
                let (stream, request) = (Arc::clone(&stream), nodes.request());
                async move {
                    let mut stream = stream.lock().await;
                    stream.requests.send(request).await.unwrap();
                    stream.answer().await;
                }
            });
        }
        // Connections and first leads took their time.
        closed_loop(workers, window.restarted()).await.0
    }

    /// One stream, with so many leads in flight: from push until the receipt is in the sender's log.
    pub(crate) async fn end_to_end(&self, in_flight: usize, window: Window) -> Sample {
        let mut child = self.sender.child.lock().await;
        let mut records = self.sender.home.records();
        let mut stream = self.open(&mut records, in_flight).await;
        let mut sample = Sample::new(window);
        let (mut pushed, mut logged) = (VecDeque::new(), VecDeque::new());
        let mut oldest = 0;
        for _ in 0..in_flight {
            stream.requests.try_send(self.request()).unwrap();
            pushed.push_back(Instant::now());
        }
        loop {
            while let Some((index, began)) = logged.front().copied()
                && index < oldest
            {
                logged.pop_front();
                sample.finished(began);
                if !window.is_over() {
                    pushed.push_back(Instant::now());
                    stream.requests.try_send(self.request()).unwrap();
                }
            }
            if pushed.is_empty() && logged.is_empty() {
                return sample;
            }
            tokio::select! {
                index = stream.answer(), if !pushed.is_empty() => {
                    logged.push_back((index, pushed.pop_front().unwrap()));
                }
                line = child.lines().recv() => oldest = line.unwrap().parse().unwrap(),
            }
        }
    }

    /// Pushes until the log has at least so many leads more.
    pub(crate) async fn grow(&self, leads: usize) {
        const IN_FLIGHT: usize = 1024;
        let mut records = self.sender.home.records();
        let mut stream = self.open(&mut records, IN_FLIGHT).await;
        for n in 0..leads + IN_FLIGHT {
            if n >= IN_FLIGHT {
                stream.answer().await;
            }
            if n < leads {
                stream.requests.send(self.request()).await.unwrap();
            }
        }
    }

    /// Processor time that the nodes have taken so far.
    pub(crate) async fn cpu(&self) -> Duration {
        let mut cpu = machine::cpu(self.sender.child.lock().await.id());
        if let Some(recipient) = &self.recipient {
            cpu += machine::cpu(recipient.child.lock().await.id());
        }
        cpu
    }

    pub(crate) async fn memory_mib(&self) -> u64 {
        machine::memory_mib(self.sender.child.lock().await.id())
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.sender.home.config.data.clone()
    }
}

struct PushStream {
    requests: mpsc::Sender<pb::PushRecordsRequest>,
    answers: Streaming<pb::PushRecordsResponse>,
}

impl PushStream {
    /// The index of the next lead that is durable.
    async fn answer(&mut self) -> u64 {
        accepted(self.answers.message().await.unwrap().unwrap())
    }
}

fn accepted(answer: pb::PushRecordsResponse) -> u64 {
    assert_eq!(answer.verdict(), pb::Verdict::Accept, "{answer:?}");
    answer.log_index
}
