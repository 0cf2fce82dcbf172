//! What the recorded process does: two nodes as their users know them, from `init` on. It notes what it was told.
//!
//! Run again over what a power cut left, it goes on there: the same leads are pushed again, and more.

use super::{leads::lead, processes::Home, recording::pack};
use std::{
    env,
    fs::{self, File, OpenOptions},
    io::Write as _,
    net::SocketAddr,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::task::JoinSet;
use tokio_stream::wrappers::UnboundedReceiverStream;
use yichuan::{
    access::Purpose,
    config::Config,
    domain::{Clock, Timestamp},
    exchange::{CourierOptions, Outbox},
    log::Log,
    node::{Node, data_dir::DataDir},
    rpc::pb,
    telemetry::SystemClock,
};

pub(crate) const COUNTY: &str = "520624";
pub(crate) const PROVINCE: &str = "440000";
pub(crate) const NODES: [&str; 2] = [COUNTY, PROVINCE];

/// Where the recorded process finds its nodes; it is only run where this is set.
pub(crate) const MACHINE: &str = "POWER_CUTS_MACHINE";
/// Which run over the same nodes this is, from 0.
pub(crate) const RUN: &str = "POWER_CUTS_RUN";

const MONTH_S: u64 = 31 * 24 * 3600;
/// Purge months in a run, so that the key file changes between acknowledged leads.
const MONTHS: u64 = 3;
const OFFICERS: [&str; 2] = ["officer-001", "officer-002"];
/// Leads of one officer in one month, and how many of them are on their way at once.
const LEADS: usize = 20;
const WINDOW: usize = 6;
/// The same in the first month of this run: commits are then longer than several of sled's segments.
const BUSY_RUN: u64 = 2;
const BUSY: usize = 300;
/// A run pushes from here times its number on, a month from there times its own.
const LEADS_PER_RUN: usize = 3000;
const LEADS_PER_MONTH: usize = 1000;

/// The system's clock, some months ahead.
#[derive(Debug, Default)]
struct Ahead(AtomicU64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        let ahead = self.0.load(Ordering::SeqCst);
        SystemClock.now().plus_seconds(ahead * MONTH_S)
    }
}

/// Tells the recorder; one note is one write.
#[derive(Clone)]
struct Notes(Arc<Mutex<File>>);

impl Notes {
    fn open(machine: &Path) -> Self {
        let path = machine.join(".notes");
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        Self(Arc::new(Mutex::new(file)))
    }

    fn say(&self, note: String) {
        self.0.lock().unwrap().write_all(note.as_bytes()).unwrap();
    }

    /// Notes every checkpoint as soon as it is published.
    fn follow(&self, of: &'static str, log: &Log) {
        let (notes, mut published) = (self.clone(), log.subscribe());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        thread::spawn(move || {
            loop {
                let newest = Arc::clone(&published.borrow_and_update());
                notes.say(format!(
                    "published {of} {} {}",
                    newest.size(),
                    newest.root()
                ));
                if runtime.block_on(published.changed()).is_err() {
                    return;
                }
            }
        });
    }
}

struct World {
    homes: [Home; 2],
    nodes: Vec<Node>,
    clock: Arc<Ahead>,
    notes: Notes,
}

fn home(machine: &Path, code: &str, notes: &Notes) -> Home {
    let dir = machine.join(code);
    let path = dir.join("node.toml");
    let config = Config::parse(&path, &fs::read_to_string(&path).unwrap(), []).unwrap();
    let code = config.jurisdiction;
    let vkey = match DataDir::at(&config.data).signer() {
        Ok(signer) => signer.verifier_key(),
        // Here `init` was cut off, or was never run.
        Err(_) => yichuan::node::data_dir::create(&config.data, code).unwrap(),
    };
    notes.say(format!("made {code} {vkey}"));
    Home {
        code,
        dir,
        config,
        admin: SocketAddr::from(([127, 0, 0, 1], 0)),
        vkey,
    }
}

async fn start(home: &Home, of: &'static str, clock: &Arc<Ahead>, notes: &Notes) -> Node {
    let waits = CourierOptions {
        retry_min: Duration::from_millis(5),
        retry_max: Duration::from_millis(50),
        ..CourierOptions::default()
    };
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let node = Node::start_with(&home.config, clock, waits).await.unwrap();
    notes.follow(of, node.log());
    node
}

impl World {
    async fn start(machine: &Path, run: u64) -> Self {
        let notes = Notes::open(machine);
        let clock = Arc::new(Ahead(AtomicU64::new(run * MONTHS)));
        let homes = NODES.map(|code| home(machine, code, &notes));
        let nodes = vec![
            start(&homes[0], NODES[0], &clock, &notes).await,
            start(&homes[1], NODES[1], &clock, &notes).await,
        ];
        homes[0].introduce(&homes[1]).await;
        homes[1].introduce(&homes[0]).await;
        Self {
            homes,
            nodes,
            clock,
            notes,
        }
    }

    /// Both nodes stop in order and start again.
    async fn restart(&mut self) {
        for (at, code) in NODES.into_iter().enumerate() {
            let node = self.nodes.remove(at);
            node.stop().await;
            drop(node);
            let node = start(&self.homes[at], code, &self.clock, &self.notes).await;
            self.nodes.insert(at, node);
        }
    }

    /// Officers push at once, each some leads; the province signs for what comes meanwhile.
    async fn push(&self, from: usize, leads: usize, window: usize) {
        let mut tasks = JoinSet::new();
        for (at, officer) in OFFICERS.iter().enumerate() {
            let first = from + at * leads;
            let (home, notes) = (self.homes[0].clone(), self.notes.clone());
            tasks.spawn(async move {
                push_leads(&home, officer, first..first + leads, window, &notes).await;
            });
        }
        let (home, notes) = (self.homes[1].clone(), self.notes.clone());
        tasks.spawn(async move { sign_some(&home, &notes).await });
        tasks.join_all().await;
    }

    /// An officer of the county looks at leads that were answered.
    async fn consult(&self) {
        let home = &self.homes[0];
        let mut records = home.records();
        let request = pb::ListRecordsRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: home.grounds(Purpose::Screening),
            direction: pb::Direction::Sent.into(),
            limit: 3,
            ..Default::default()
        };
        let listed = records.list_records(request).await.unwrap().into_inner();
        self.notes
            .say(format!("told {COUNTY} {}", listed.consulted_index));
        for lead in listed.records {
            let request = pb::ShowRecordRequest {
                family: pb::RecordFamily::Lead.into(),
                grounds: home.grounds(Purpose::Screening),
                record_id: lead.record_id,
                override_assignment: false,
                standing_only: false,
            };
            let shown = records.show_record(request).await.unwrap().into_inner();
            self.notes
                .say(format!("told {COUNTY} {}", shown.consulted_index));
        }
    }

    /// Waits until all that was sent has its proof.
    async fn settled(&self) {
        for (node, partner) in self.nodes.iter().zip(self.homes.iter().rev()) {
            let (log, to) = (node.log(), partner.code);
            let mut published = log.subscribe();
            let waiting = async || log.read(move |reader| Outbox::waiting(reader, to, 1)).await;
            while waiting().await.unwrap().unwrap() > 0 {
                published.changed().await.unwrap();
            }
        }
    }

    /// Writes down both logs.
    fn write_down(&self, to: &Path) {
        for (node, of) in self.nodes.iter().zip(NODES) {
            let reader = node.log().reader();
            let entries = reader.entries(0, usize::MAX, usize::MAX).unwrap();
            let leaves: Vec<_> = entries.into_iter().map(|(_, leaf)| leaf).collect();
            fs::write(to.join(format!("{of}.leaves")), pack(&leaves)).unwrap();
        }
    }
}

async fn push_leads(home: &Home, officer: &str, leads: Range<usize>, window: usize, notes: &Notes) {
    let mut rest = leads.map(|n| pb::PushRecordsRequest {
        grounds: home.grounds(Purpose::Screening),
        row: u64::try_from(n).unwrap(),
        content: Some(lead(n, "440305").into()),
    });
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    for request in rest.by_ref().take(window) {
        sender.send(request).unwrap();
    }
    let mut sender = Some(sender);
    let mut records = pb::records_client::RecordsClient::new(home.channel(officer));
    let answered = records
        .push_records(UnboundedReceiverStream::new(receiver))
        .await;
    let mut verdicts = answered.unwrap().into_inner();
    while let Some(verdict) = verdicts.message().await.unwrap() {
        notes.say(format!(
            "told {COUNTY} {} {}",
            verdict.log_index, verdict.record_id
        ));
        match rest.next() {
            Some(request) => sender.as_ref().unwrap().send(request).unwrap(),
            None => sender = None,
        }
    }
}

/// Signs for what has come so far.
async fn sign_some(home: &Home, notes: &Notes) {
    let mut records = home.records();
    let request = pb::ListRecordsRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: home.grounds(Purpose::Screening),
        direction: pb::Direction::Received.into(),
        states: vec![pb::RecordState::Delivered.into()],
        limit: 12,
        ..Default::default()
    };
    let listed = records.list_records(request).await.unwrap().into_inner();
    notes.say(format!("told {PROVINCE} {}", listed.consulted_index));
    for lead in listed.records {
        let request = pb::ActOnRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: home.grounds(Purpose::Screening),
            record_id: lead.record_id,
            action: pb::Action::LeadSign.into(),
            ..Default::default()
        };
        let answered = records.act_on_record(request).await.unwrap().into_inner();
        notes.say(format!("told {PROVINCE} {}", answered.log_index));
    }
}

/// The recorded process.
pub(crate) async fn run(machine: PathBuf) {
    let run: u64 = env::var(RUN).unwrap().parse().unwrap();
    let mut world = World::start(&machine, run).await;
    let first = usize::try_from(run).unwrap() * LEADS_PER_RUN;
    if run > 0 {
        // What was acknowledged before the cut has its old index; what was not may be new.
        world.push(first - LEADS_PER_RUN, LEADS, WINDOW).await;
    }
    for month in 0..MONTHS {
        world.clock.0.store(run * MONTHS + month, Ordering::SeqCst);
        let (leads, window) = if (run, month) == (BUSY_RUN, 0) {
            (BUSY, BUSY)
        } else {
            (LEADS, WINDOW)
        };
        let from = first + usize::try_from(month).unwrap() * LEADS_PER_MONTH;
        world.push(from, leads, window).await;
        if month == 1 {
            world.consult().await;
            world.settled().await;
            world.restart().await;
        }
    }
    world.settled().await;
    world.write_down(machine.parent().unwrap());
    // Not stopped: the power went.
}
