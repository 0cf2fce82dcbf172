//! Whole cases between a county and a province, as officers play them: three processes of the program, each step a
//! command, every node killed and started again in the middle; then an auditor who trusts no node.

mod audited;

use crate::common::processes;
use audited::Audited;
use processes::{Home, Logs, Process};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::PathBuf};
use tempfile::TempDir;

const COUNTY: &str = "520624";
const GUANGDONG: &str = "440000";
const ZHEJIANG: &str = "330000";
const CASE: &str = "case:A5206240000002026110001";

/// Guangdong caught one of the county's residents.
const CAUGHT: [&str; 13] = [
    "caught",
    "push",
    "--form",
    "number=GD202600001",
    "name=钱癸子",
    "sex=男",
    "resident_number=522225190010142478",
    "registered_code=520624",
    "caught_on=2026-05-06",
    "caught_code=440304",
    "conduct=贩卖毒品",
    "measure=刑事拘留",
    "case_number=A4403040000002026050001",
];

/// What happens to a referral, one after the other.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// At this node this command is given on the referral, and it then stands so.
    Step(&'static str, &'static [&'static str], &'static str),
    /// The same, and the node is killed when it has answered.
    StepThenKill(&'static str, &'static [&'static str], &'static str),
    /// The node is killed.
    Kill(&'static str),
    /// It is started again.
    Start(&'static str),
    /// Both sides have everything, and say that it stands so.
    Settled(&'static str),
    /// Partners' officers ask the county's node.
    Partners,
}

use Op::{Kill, Partners, Settled, Start, Step, StepThenKill};

/// A supplement, a return and a new attempt, two interim feedbacks and a dispute; every node is killed once: the county's
/// as soon as it has answered, Guangdong's and Zhejiang's while something is on its way to Guangdong.
const COURSE: [Op; 33] = [
    Settled("delivered"),
    Step(GUANGDONG, &["sign"], "signed_for"),
    Settled("signed_for"),
    Step(GUANGDONG, &["supplement"], "supplement_requested"),
    Settled("supplement_requested"),
    Kill(GUANGDONG),
    Kill(ZHEJIANG),
    Step(COUNTY, &["supply"], "signed_for"),
    Start(GUANGDONG),
    Start(ZHEJIANG),
    Settled("signed_for"),
    Step(
        GUANGDONG,
        &["return", "--reason", "formalities_incomplete"],
        "returned",
    ),
    Settled("returned"),
    StepThenKill(COUNTY, &["resubmit"], "sent"),
    Start(COUNTY),
    Settled("delivered"),
    Step(GUANGDONG, &["sign"], "signed_for"),
    Step(GUANGDONG, &["accept"], "accepted"),
    Step(GUANGDONG, &["progress"], "in_progress"),
    Settled("in_progress"),
    Partners,
    Step(GUANGDONG, &["progress"], "in_progress"),
    Step(GUANGDONG, &["feedback"], "feedback_given"),
    Settled("feedback_given"),
    Step(COUNTY, &["dispute"], "disputed"),
    Settled("disputed"),
    Step(GUANGDONG, &["feedback"], "feedback_given"),
    Settled("feedback_given"),
    Partners,
    Step(COUNTY, &["confirm"], "confirmed"),
    Step(COUNTY, &["close"], "closed"),
    Settled("closed"),
    Partners,
];

/// What both logs then have, after the action that opened it.
const ACTIONS: [&str; 14] = [
    "referral_sign",
    "referral_request_supplement",
    "referral_supply",
    "referral_return",
    "referral_resubmit",
    "referral_sign",
    "referral_accept",
    "referral_progress",
    "referral_progress",
    "referral_feedback",
    "referral_dispute",
    "referral_feedback",
    "referral_confirm",
    "referral_close",
];

/// What a command left.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_json::from_str(&self.out).unwrap()
    }

    /// One value a line.
    fn rows(&self) -> Vec<Value> {
        assert_eq!(self.code, 0, "{}", self.err);
        let rows = self.out.lines().map(serde_json::from_str);
        rows.collect::<Result<_, _>>().unwrap()
    }
}

struct World {
    homes: BTreeMap<&'static str, Home>,
    running: BTreeMap<&'static str, Process>,
    /// The county's card, for others who ask its node.
    card: PathBuf,
    /// Referrals that were sent, by whom they were sent to.
    addressed: BTreeMap<&'static str, Vec<String>>,
    dir: TempDir,
}

impl World {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let codes = [COUNTY, GUANGDONG, ZHEJIANG];
        let homes = BTreeMap::from(codes.map(|code| (code, Home::make(dir.path(), code))));
        let running = homes.iter();
        let running = running.map(|(code, home)| (*code, home.serve(Logs::INFO)));
        let running = running.collect();
        for here in homes.values() {
            for there in homes.values().filter(|there| there.code != here.code) {
                here.introduce(there).await;
            }
        }
        let card = dir.path().join("sinan.card");
        fs::write(&card, homes[COUNTY].card().as_str()).unwrap();
        Self {
            homes,
            running,
            card,
            addressed: BTreeMap::new(),
            dir,
        }
    }

    /// A command of an officer of `of`.
    fn run(&self, of: &str, who: &str, basis: &str, args: &[&str]) -> Ran {
        let purpose = if of == COUNTY { "case" } else { "assistance" };
        let output = self.homes[of]
            .command(Logs::INFO)
            .args(["--as", who, "--purpose", purpose, "--basis", basis])
            .args(["--format", "json", "--lang", "en"])
            .args(args)
            .output()
            .unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The same, asking the county's node.
    fn ask_county(&self, of: &str, args: &[&str]) -> Ran {
        let asked = ["--card", self.card.to_str().unwrap()];
        self.run(of, "officer-001", CASE, &[&asked, args].concat())
    }

    /// Opens a referral and gives its id.
    fn open(&self, kind: &str, to: &str, state: &str) -> String {
        let args = ["referral", "open", "--kind", kind, "--to", to];
        let terms = ["--urgency", "urgent", "--handling", "H0"];
        let said = says("请协助核实落脚点和资金往来");
        let opened = self.run(
            COUNTY,
            "officer-001",
            CASE,
            &[&args[..], &terms, &said].concat(),
        );
        let opened = opened.json();
        assert_eq!(opened["state"], state);
        opened["referral_id"].as_str().unwrap().to_owned()
    }

    fn step(&self, node: &str, id: &str, command: &[&str], state: &str) {
        let (verb, options) = command.split_first().unwrap();
        let said = match *verb {
            "resubmit" => says("手续已补齐，再次请求协助").to_vec(),
            _ => vec!["--note", "见附注"],
        };
        let args = [&["referral", verb, id], options, &said].concat();
        let basis = format!("referral:{id}");
        let taken = self.run(node, "officer-001", &basis, &args).json();
        assert_eq!(taken["state"], state, "{command:?}");
        assert_eq!(taken["referral_id"], id);
    }

    fn show(&self, node: &str, id: &str) -> Value {
        let basis = format!("referral:{id}");
        self.run(node, "officer-001", &basis, &["referral", "show", id])
            .json()
    }

    async fn settled(&self) {
        for home in self.homes.values() {
            home.drained().await;
        }
    }

    fn kill(&mut self, node: &'static str) {
        let mut process = self.running.remove(node).unwrap();
        process.kill();
        let said = process.ended().text();
        assert!(!said.contains("panicked"), "{said}");
    }

    fn restart(&mut self, node: &'static str) {
        let process = self.homes[node].serve(Logs::INFO);
        assert!(self.running.insert(node, process).is_none());
    }

    async fn play(&mut self, id: &str, course: &[Op]) {
        for op in course {
            match *op {
                Step(node, command, state) => self.step(node, id, command, state),
                StepThenKill(node, command, state) => {
                    self.step(node, id, command, state);
                    self.kill(node);
                }
                Kill(node) => self.kill(node),
                Start(node) => self.restart(node),
                Settled(state) => {
                    self.settled().await;
                    for node in [COUNTY, GUANGDONG] {
                        assert_eq!(self.show(node, id)["state"], state, "at {node}");
                    }
                }
                Partners => self.partners_see_what_was_addressed_to_them(id),
            }
        }
    }

    /// Guangdong's officer finds at the county's node the referrals that went to Guangdong, and this one as its own node
    /// has it, but for whose receipts are held; Zhejiang's officer finds Zhejiang's, and cannot open this one.
    fn partners_see_what_was_addressed_to_them(&self, id: &str) {
        for partner in [GUANGDONG, ZHEJIANG] {
            let listed = self.ask_county(partner, &["referral", "list"]).rows();
            let ids: Vec<_> = listed
                .iter()
                .map(|row| row["referral_id"].as_str().unwrap())
                .collect();
            assert_eq!(ids, self.addressed[partner], "{partner}");
        }
        let show = ["referral", "show", id, "--standing"];
        let theirs = self.ask_county(GUANGDONG, &show).json();
        let own = self.show(GUANGDONG, id);
        assert_eq!(theirs["state"], own["state"]);
        let refused = self.ask_county(GUANGDONG, &["referral", "show", id]);
        assert_eq!((refused.code, refused.out.as_str()), (77, ""));
        assert!(refused.err.contains("at your own node"), "{}", refused.err);
        // What it says they read at their own node, notes too.
        assert!(own["referral"].is_object() && theirs["referral"].is_null());
        let steps = |(action, principal, _)| (action, principal);
        let all = happened(&theirs).into_iter();
        assert!(all.clone().all(|(_, _, note)| note.is_empty()));
        assert!(all.map(steps).eq(happened(&own).into_iter().map(steps)));
        let refused = self.ask_county(ZHEJIANG, &["referral", "show", id]);
        assert_eq!((refused.code, refused.out.as_str()), (66, ""));
        assert!(refused.err.contains("does not have it"), "{}", refused.err);
        // Officers of another jurisdiction only read.
        let acted = self.ask_county(GUANGDONG, &["referral", "feedback", id, "--note", "x"]);
        assert_eq!((acted.code, acted.out.as_str()), (77, ""));
    }

    /// Each step is in both logs, counts, and has its receipt where it was sent from.
    fn whole(&self, id: &str, opened: &str) {
        let expected: Vec<_> = [opened].into_iter().chain(ACTIONS).collect();
        for node in [COUNTY, GUANGDONG] {
            let shown = self.show(node, id);
            let events = shown["events"].as_array().unwrap();
            let actions = events.iter().map(|event| event["action"].as_str().unwrap());
            let actions: Vec<_> = actions.collect();
            assert_eq!(actions, expected, "at {node}");
            for event in events {
                let ours = event["principal"].as_str().unwrap().contains(node);
                assert_eq!(event["receipt"].is_object(), ours, "at {node}: {event}");
                assert_eq!(event["superseded"], false);
                assert_eq!(event["waiting"], false);
            }
            assert_eq!(shown["referral"]["matter"], "手续已补齐，再次请求协助");
            assert_eq!(shown["allowed"].as_array().unwrap().len(), 0);
        }
    }

    /// All three logs, exported as an auditor does.
    async fn audited(&self) -> [Audited; 3] {
        let mut logs = Vec::new();
        for code in [COUNTY, GUANGDONG, ZHEJIANG] {
            let to = self.dir.path().join(format!("export-{code}"));
            logs.push(Audited::of(&self.homes[code], to).await);
        }
        logs.try_into().unwrap()
    }
}

/// What a referral says, without anybody's name.
const fn says(matter: &str) -> [&str; 6] {
    ["--title", "协查", "--matter", matter, "--place", "440304"]
}

/// Who did what, as one node has it.
fn happened(shown: &Value) -> Vec<(&str, &str, &str)> {
    let events = shown["events"].as_array().unwrap();
    events
        .iter()
        .map(|event| {
            let text = |key: &str| event[key].as_str().unwrap_or_default();
            (text("action"), text("principal"), text("note"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assistance_case_and_a_transfer_are_played_to_the_end_and_proved() {
    let mut world = World::start().await;
    // Something that is nobody's but Zhejiang's.
    let other = world.open("assistance", "330100", "sent");
    world.addressed.insert(ZHEJIANG, vec![other]);

    let assistance = world.open("assistance", "440300", "sent");
    world.addressed.insert(GUANGDONG, vec![assistance.clone()]);
    world.play(&assistance, &COURSE).await;
    world.whole(&assistance, "referral_assistance");

    let transfer = world.open("transfer", "440300", "drafted");
    // A draft is nobody else's business, and leaves when a second person approves it, though the node went
    // down meanwhile.
    world.settled().await;
    world.partners_see_what_was_addressed_to_them(&assistance);
    let seen = world.ask_county(GUANGDONG, &["referral", "show", &transfer]);
    assert_eq!((seen.code, seen.out.as_str()), (66, ""));
    let approve = ["referral", "approve", &transfer];
    for officer in ["officer-001", "officer-002"] {
        let refused = world.run(COUNTY, officer, CASE, &approve);
        assert_eq!((refused.code, refused.out.as_str()), (77, ""));
    }
    world.kill(COUNTY);
    world.restart(COUNTY);
    let approved = world.run(COUNTY, "supervisor-001", CASE, &approve).json();
    assert_eq!(approved["state"], "sent");
    world
        .addressed
        .insert(GUANGDONG, vec![assistance.clone(), transfer.clone()]);
    world.play(&transfer, &COURSE).await;
    world.whole(&transfer, "referral_transfer");
    // The first case did not move meanwhile.
    world.whole(&assistance, "referral_assistance");

    // A caught notice travels back, and is there once the county is up again.
    world.kill(COUNTY);
    let notice = world.run(GUANGDONG, "officer-001", CASE, &CAUGHT).rows();
    assert_eq!(notice[0]["verdict"], "accept");
    world.restart(COUNTY);
    world.settled().await;
    let arrived = world
        .run(COUNTY, "officer-001", CASE, &["caught", "list"])
        .rows();
    assert_eq!(arrived[0]["caught_id"], notice[0]["caught_id"]);
    assert_eq!(arrived[0]["state"], "delivered");

    let [county, guangdong, zhejiang] = world.audited().await;
    for log in [&county, &guangdong, &zhejiang] {
        log.is_in_order();
    }
    // Of the 15 actions on each case the county took 6 and Guangdong 9, and Guangdong sent the notice.
    county.tells_the_same_as(&guangdong, [2 * 6, 2 * 9 + 1]);
    county.tells_the_same_as(&zhejiang, [1, 0]);
    guangdong.tells_the_same_as(&zhejiang, [0, 0]);
}
