//! `kill -9` of either node at random moments of a push, then restart: every acknowledged lead is at its destination
//! exactly once, and both logs verify.
//!
//! `YICHUAN_KILLS` says how many kills, 12 unless told. Moments are drawn from a seed that is printed; `YICHUAN_SEED`
//! repeats one.
#![allow(
    clippy::cast_possible_truncation,
    clippy::result_large_err,
    reason = "a test that panics has failed"
)]

use crate::common::{leads, processes};
use processes::{Home, Logs, Process, Signal, UP};
use std::{
    cell::Cell,
    collections::BTreeMap,
    env,
    fmt::Debug,
    fs,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};
use tokio::{sync::mpsc, time::interval};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Status;
use yichuan::{
    access::Purpose,
    audit::{
        ExportedLog, ExportedTree, Flow, Inspector, LogVerifier, Reconciler, Side, Trusted,
        verify_export,
    },
    domain::{Clock as _, DispatchId, RecordId, RecordKind},
    entry::{DispatchAction, DispatchSent, Entry, Kind},
    merkle::Hash,
    note::SignedCheckpoint,
    rpc::pb,
    telemetry::SystemClock,
    tls::Cards,
};

const COUNTY: &str = "520624";
const PROVINCE: &str = "440000";
const LEADS_PER_PUSH: usize = 60;
/// What a node writes during a push, about; measured.
const BYTES_PER_PUSH: usize = 400_000;
/// What a node writes while it opens, about; measured.
const BYTES_TO_OPEN: usize = 600_000;

/// SplitMix64: enough to scatter moments, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

/// When a node is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// When the officer has so many verdicts on the rows of this push.
    Verdicts(usize),
    /// When the node has written so many bytes since the push began.
    Written(u64),
}

/// What is done to a node.
#[derive(Clone, Copy, Debug)]
struct Kill {
    victim: usize,
    moment: Moment,
    /// Rows under way at once.
    window: usize,
    /// Killed again as it opens, when it has written so many bytes.
    again: Option<u64>,
}

impl Kill {
    fn draw(random: &mut Random) -> Self {
        Self {
            victim: random.below(2),
            moment: match random.below(2) {
                0 => Moment::Verdicts(1 + random.below(LEADS_PER_PUSH)),
                _ => Moment::Written(random.below(BYTES_PER_PUSH) as u64),
            },
            window: [1, 8, LEADS_PER_PUSH][random.below(3)],
            again: (random.below(3) == 0).then(|| random.below(BYTES_TO_OPEN) as u64),
        }
    }
}

/// What an officer was told about a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Acknowledged {
    lead_id: String,
    log_index: u64,
}

struct Exchange {
    homes: [Home; 2],
    running: [Option<Process>; 2],
    /// By lead number.
    acknowledged: BTreeMap<String, Acknowledged>,
    /// Checkpoints that the nodes showed on the way.
    shown: [Vec<SignedCheckpoint>; 2],
}

/// Waits for progress of another process: asked again and again, as often as the timer allows.
async fn until(mut reached: impl FnMut() -> bool) {
    let mut ticks = interval(Duration::from_millis(1));
    while !reached() {
        ticks.tick().await;
    }
}

impl Exchange {
    async fn start(dir: &Path) -> Self {
        let homes = [COUNTY, PROVINCE].map(|code| Home::make(dir, code));
        let running = homes.each_ref().map(|home| Some(home.serve(Logs::INFO)));
        homes[0].introduce(&homes[1]).await;
        homes[1].introduce(&homes[0]).await;
        Self {
            homes,
            running,
            acknowledged: BTreeMap::new(),
            shown: Default::default(),
        }
    }

    /// Pushes leads with so many under way at once, remembers what is acknowledged, and tells `progress` how many are.
    async fn push(
        &mut self,
        leads: &[pb::Lead],
        window: usize,
        mut progress: impl FnMut(usize),
    ) -> Result<(), Status> {
        let grounds = self.homes[0].grounds(Purpose::Screening);
        let mut requests = (0_u64..)
            .zip(leads)
            .map(|(row, lead)| pb::PushRecordsRequest {
                grounds: grounds.clone(),
                row,
                content: Some(lead.clone().into()),
            });
        let (sender, receiver) = mpsc::unbounded_channel();
        for request in requests.by_ref().take(window) {
            sender.send(request).unwrap();
        }
        let mut sender = Some(sender);
        let mut verdicts = self.homes[0]
            .records()
            .push_records(UnboundedReceiverStream::new(receiver))
            .await?
            .into_inner();
        let mut came = 0;
        while let Some(verdict) = verdicts.message().await? {
            let lead = &leads[usize::try_from(verdict.row).unwrap()];
            self.remember(&lead.number, &verdict);
            came += 1;
            progress(came);
            match requests.next() {
                // The node may be gone.
                Some(request) => drop(sender.as_ref().map(|sender| sender.send(request))),
                None => sender = None,
            }
        }
        assert_eq!(came, leads.len(), "the stream ended without an error");
        Ok(())
    }

    /// What was acknowledged once stays so, word for word.
    fn remember(&mut self, number: &str, verdict: &pb::PushRecordsResponse) {
        let told = Acknowledged {
            lead_id: verdict.record_id.clone(),
            log_index: verdict.log_index,
        };
        match verdict.verdict() {
            pb::Verdict::Accept | pb::Verdict::Duplicate => {}
            pb::Verdict::Reject | pb::Verdict::Unspecified => panic!("row {}", verdict.row),
        }
        if let Some(before) = self.acknowledged.get(number) {
            assert_eq!(*before, told);
            assert_eq!(verdict.verdict(), pb::Verdict::Duplicate);
        }
        self.acknowledged.insert(number.to_owned(), told);
    }

    /// Kills a node at a moment of a push, starts it again, and pushes the same again.
    async fn survive(&mut self, kill: Kill, leads: &[pb::Lead]) {
        let victim = self.homes[kill.victim].clone();
        let mut process = self.running[kill.victim].take().unwrap();
        let before = process.written();
        let came = match kill.moment {
            Moment::Verdicts(enough) => self.kill_after(enough, &mut process, kill, leads).await,
            Moment::Written(bytes) => {
                let enough = before + bytes;
                self.kill_at(enough, &mut process, kill, leads).await
            }
        };
        let ended = process.ended();
        quiet(&ended.text());
        println!("    killed with {came} of {} verdicts", leads.len());
        if let Some(bytes) = kill.again {
            let mut opening = victim.spawn(Logs::INFO);
            until(|| opening.written() >= bytes || opening.has_said(UP)).await;
            let up = opening.has_said(UP);
            opening.kill();
            quiet(&opening.ended().text());
            println!(
                "    killed again, {}",
                if up { "up" } else { "as it opened" }
            );
        }
        self.running[kill.victim] = Some(victim.serve(Logs::INFO));
        self.push(leads, kill.window, |_| ()).await.unwrap();
        for (home, shown) in self.homes.iter().zip(&mut self.shown) {
            shown.push(home.checkpoint().await);
        }
    }

    /// When so many verdicts came.
    async fn kill_after(
        &mut self,
        enough: usize,
        process: &mut Process,
        kill: Kill,
        leads: &[pb::Lead],
    ) -> usize {
        let mut at_kill = 0;
        let pushed = self.push(leads, kill.window, |came| {
            if came == enough {
                process.kill();
                at_kill = came;
            }
        });
        // What had left the node before it died came still, and was remembered.
        let pushed = pushed.await;
        assert!(pushed.is_ok() || kill.victim == 0, "{pushed:?}");
        at_kill
    }

    /// When the process has written so many bytes, or is done with this push.
    async fn kill_at(
        &mut self,
        enough: u64,
        process: &mut Process,
        kill: Kill,
        leads: &[pb::Lead],
    ) -> usize {
        let (done, killed, verdicts) = (Cell::new(false), Cell::new(false), Cell::new(0));
        let county = self.homes[0].clone();
        let pushing = async {
            let pushed = self
                .push(leads, kill.window, |came| verdicts.set(came))
                .await;
            assert!(pushed.is_ok() || kill.victim == 0, "{pushed:?}");
            let waiting = async || matches!(county.outbox().await, Ok(1..));
            while !killed.get() && waiting().await {}
            done.set(true);
        };
        let killing = async {
            until(|| done.get() || process.written() >= enough).await;
            process.kill();
            killed.set(true);
            verdicts.get()
        };
        tokio::join!(killing, pushing).0
    }

    /// Exports both logs, stops both nodes in order, and gives the leaves. Everything in the logs verifies.
    async fn export_and_stop(&mut self, dir: &Path) -> [Vec<Vec<u8>>; 2] {
        let mut all = [Vec::new(), Vec::new()];
        for (at, home) in self.homes.iter().enumerate() {
            let export = export_directory(dir, home);
            let leaves = home.export(&export).await;
            let verified = verify_export(&export, &home.vkey, |_, _| {}).unwrap();
            assert_eq!(verified.checkpoint().size(), leaves.len() as u64);
            self.shown[at].push(verified.checkpoint().clone());

            let process = self.running[at].take().unwrap();
            process.signal(Signal::Term);
            let ended = process.ended();
            assert!(ended.status.success(), "{}", ended.text());
            quiet(&ended.text());
            // The file beside the store is behind the log or with it, never ahead.
            let kept = fs::read(home.config.data.join("checkpoint")).unwrap();
            let kept = home.vkey.verify(&kept).unwrap();
            // The auditor's look is the one entry that the export does not have.
            assert!(kept.size() <= leaves.len() as u64 + 1);
            if kept.size() <= leaves.len() as u64 {
                self.shown[at].push(kept);
            }

            let roots = roots(&leaves);
            for checkpoint in &self.shown[at] {
                let size = usize::try_from(checkpoint.size()).unwrap();
                assert_eq!(roots[size], *checkpoint.root(), "{} at {size}", home.code);
            }
            inspect(home, &leaves, verified.checkpoint());
            all[at] = leaves;
        }
        all
    }
}

/// What the log claims holds together.
fn inspect(home: &Home, leaves: &[Vec<u8>], head: &SignedCheckpoint) {
    let trusted = Trusted {
        key: home.vkey.clone(),
        partners: Vec::new(),
    };
    let mut inspector = Inspector::new(trusted, &Cards).unwrap();
    for leaf in leaves {
        inspector.push(leaf).unwrap();
    }
    let report = inspector.finish(head).unwrap();
    assert!(report.is_clean(), "{:?}", report.defects);
    assert!(report.remarks.is_empty(), "{:?}", report.remarks);
    assert!(report.unanswered.is_empty(), "{:?}", report.unanswered);
    assert!(report.evidence.is_empty(), "{:?}", report.evidence);
}

/// Both logs tell the same of every dispatch between them.
fn reconcile(exchange: &Exchange, dir: &Path, logs: &[Vec<Vec<u8>>; 2]) {
    let heads = exchange.shown.each_ref().map(|shown| {
        let newest = shown.iter().max_by_key(|checkpoint| checkpoint.size());
        newest.unwrap().clone()
    });
    let trees = [0, 1].map(|at| {
        let export = export_directory(dir, &exchange.homes[at]);
        ExportedTree::new(&export, heads[at].size())
    });
    let side = |at: usize| ExportedLog {
        key: &exchange.homes[at].vkey,
        size: heads[at].size(),
        tree: &trees[at],
    };
    let mut reconciler = Reconciler::new(&side(0), &side(1)).unwrap();
    for (side, leaves) in [Side::A, Side::B].into_iter().zip(logs) {
        for leaf in leaves {
            reconciler.push(side, leaf).unwrap();
        }
    }
    let told = reconciler.finish(&heads[0], &heads[1]).unwrap();
    let leads = exchange.acknowledged.len() as u64;
    let all = Flow {
        sent: leads,
        received: leads,
        refused: 0,
    };
    assert_eq!((told.a_to_b, told.b_to_a), (all, Flow::default()));
    assert!(told.pending.is_empty() && told.differences.is_empty());
}

fn export_directory(dir: &Path, home: &Home) -> PathBuf {
    dir.join(format!("export-{}", home.code))
}

fn entries(leaves: &[Vec<u8>]) -> Vec<Entry> {
    let entries = leaves.iter().map(|leaf| Entry::decode(leaf).unwrap());
    entries.collect()
}

/// The root at every size.
fn roots(leaves: &[Vec<u8>]) -> Vec<Hash> {
    let mut log = LogVerifier::new();
    let mut roots = vec![log.root()];
    for leaf in leaves {
        log.push(leaf).unwrap();
        roots.push(log.root());
    }
    roots
}

/// A node that was killed, or met one that was, has nothing to panic about and nobody to accuse.
fn quiet(said: &str) {
    assert!(!said.contains("panicked"), "{said}");
}

fn sent(entry: &Entry) -> Option<&DispatchSent> {
    match &entry.kind {
        Kind::DispatchSent(sent) if sent.action == DispatchAction::open(RecordKind::Lead) => {
            Some(sent)
        }
        _ => None,
    }
}

fn setting<T: FromStr<Err: Debug>>(name: &str) -> Option<T> {
    env::var(name).ok().map(|text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_lead_is_at_its_destination_exactly_once() {
    let kills: usize = setting("YICHUAN_KILLS").unwrap_or(12);
    let seed = setting("YICHUAN_SEED").unwrap_or_else(|| SystemClock.now().millis());
    println!("YICHUAN_SEED={seed} YICHUAN_KILLS={kills}");
    let mut random = Random(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut exchange = Exchange::start(dir.path()).await;
    let mut leads = Vec::new();
    let mut killed = 0;
    while killed < kills {
        let kill = Kill::draw(&mut random);
        println!("{killed}: {kill:?}");
        let from = leads.len();
        leads.extend((from..from + LEADS_PER_PUSH).map(|n| leads::lead(n, "440305")));
        exchange.survive(kill, &leads[from..]).await;
        killed += 1 + usize::from(kill.again.is_some());
    }
    assert_eq!(exchange.acknowledged.len(), leads.len());
    for home in &exchange.homes {
        home.drained().await;
    }
    arrived(&exchange, &leads).await;
    let logs = exchange.export_and_stop(dir.path()).await;
    reconcile(&exchange, dir.path(), &logs);
    let [county, province] = logs.each_ref().map(|leaves| entries(leaves));
    proved(&exchange, &county, &province);
}

/// At the destination every lead is listed once and opens to what was pushed.
async fn arrived(exchange: &Exchange, leads: &[pb::Lead]) {
    let destination = &exchange.homes[1];
    let mut records = destination.records();
    let grounds = destination.grounds(Purpose::Screening);
    let mut listed = Vec::new();
    let mut after_index = None;
    loop {
        let request = pb::ListRecordsRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: grounds.clone(),
            direction: pb::Direction::Received.into(),
            after_index,
            limit: 1000,
            ..Default::default()
        };
        let page = records.list_records(request).await.unwrap().into_inner();
        listed.extend(page.records.into_iter().map(|lead| lead.record_id));
        after_index = page.next_after;
        if after_index.is_none() {
            break;
        }
    }
    listed.sort();
    let mut expected: Vec<_> = exchange.acknowledged.values().map(|a| &a.lead_id).collect();
    expected.sort();
    assert_eq!(listed.iter().collect::<Vec<_>>(), expected);
    for lead in leads {
        let request = pb::ShowRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: grounds.clone(),
            record_id: exchange.acknowledged[&lead.number].lead_id.clone(),
            override_assignment: false,
            standing_only: false,
        };
        let opened = records.show_record(request).await.unwrap().into_inner();
        assert_eq!(
            opened.content.and_then(pb::PayloadContent::lead).as_ref(),
            Some(lead)
        );
    }
}

/// The logs prove it: what was acknowledged stands where the officer was told, was received once, and is receipted once.
fn proved(exchange: &Exchange, county: &[Entry], province: &[Entry]) {
    let mut received: BTreeMap<RecordId, Vec<DispatchId>> = BTreeMap::new();
    for entry in province {
        match &entry.kind {
            Kind::DispatchReceived(arrived) => {
                let entry = Entry::decode(&arrived.sender_entry).unwrap();
                let sent = sent(&entry).unwrap();
                received
                    .entry(sent.record)
                    .or_default()
                    .push(sent.dispatch_id);
            }
            Kind::DispatchRefused { .. } | Kind::EvidenceKept { .. } => panic!("{entry:?}"),
            _ => {}
        }
    }
    let mut receipts: BTreeMap<DispatchId, u32> = BTreeMap::new();
    for entry in county {
        match &entry.kind {
            Kind::ReceiptLogged { dispatch_id, .. } => {
                *receipts.entry(*dispatch_id).or_default() += 1;
            }
            Kind::RefusalLogged { .. } | Kind::EvidenceKept { .. } => panic!("{entry:?}"),
            _ => {}
        }
    }
    for told in exchange.acknowledged.values() {
        let at = usize::try_from(told.log_index).unwrap();
        let sent = sent(&county[at]).unwrap();
        assert_eq!(sent.record.to_string(), told.lead_id);
        assert_eq!(received[&sent.record], [sent.dispatch_id]);
        assert_eq!(receipts[&sent.dispatch_id], 1);
    }
    assert_eq!(received.len(), exchange.acknowledged.len());
    assert_eq!(receipts.len(), exchange.acknowledged.len());
}
