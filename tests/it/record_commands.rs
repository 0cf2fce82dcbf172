//! What `lead`, `referral` and `caught` explain and print, byte for byte: their help, tables in both languages, JSON lines
//! and complaints, as scripts and people know them. Set `YICHUAN_WRITE_FIXTURES` to write the fixtures anew.

use crate::common::leads;
use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use yichuan::{
    cli::demo::cluster::Cluster,
    domain::{ArrestNoticeColumn, ArrestNoticeFields, Column, LeadFields},
    exchange::CourierOptions,
};

const COUNTY: &str = "520624";
const PROVINCE: &str = "440000";

const LEAD: [&str; 10] = [
    "template", "check", "push", "list", "inbox", "show", "sign", "assess", "return", "assign",
];
const REFERRAL: [&str; 19] = [
    "open",
    "approve",
    "sign",
    "accept",
    "supplement",
    "supply",
    "return",
    "resubmit",
    "progress",
    "feedback",
    "confirm",
    "dispute",
    "correct",
    "close",
    "recall",
    "list",
    "show",
    "watch",
    "assign",
];
const CAUGHT: [&str; 4] = ["push", "list", "show", "assign"];

/// Runs the program; what it printed, what it complained of, and its exit code.
fn run(args: &[&str], stdin: &str, dir: &Path) -> (String, String, i32) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_yichuan"))
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("LANG", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may have closed it.
    drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (text(output.stdout), text(output.stderr), code)
}

/// Compares with the fixture of this name.
fn holds(name: &str, shown: &str) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/data", name]
        .iter()
        .collect();
    if std::env::var_os("YICHUAN_WRITE_FIXTURES").is_some() {
        fs::write(&path, shown).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap();
    for (at, (kept, shown)) in kept.lines().zip(shown.lines()).enumerate() {
        assert_eq!(shown, kept, "{name}, line {}", at + 1);
    }
    assert_eq!(shown.lines().count(), kept.lines().count(), "{name}");
}

#[test]
fn the_help_of_every_verb_is_as_it_was() {
    let mut shown = String::new();
    let kinds = [
        ("lead", &LEAD[..]),
        ("referral", &REFERRAL),
        ("caught", &CAUGHT),
    ];
    for (kind, verbs) in kinds {
        let verbs = verbs.iter().map(|verb| vec![kind, *verb, "--help"]);
        for args in [vec![kind, "--help"], vec![kind, "-h"]]
            .into_iter()
            .chain(verbs)
        {
            let (out, err, code) = run(&args, "", Path::new(env!("CARGO_MANIFEST_DIR")));
            assert_eq!((err.as_str(), code), ("", 0), "{args:?}");
            writeln!(shown, "$ yichuan {}\n{out}", args.join(" ")).unwrap();
        }
    }
    holds("record_help.txt", &shown);
}

/// Two nodes, and what was typed and printed at them.
struct World {
    cluster: Cluster,
    dir: tempfile::TempDir,
    /// Ids of records, in the order in which they were first seen.
    ids: Vec<String>,
    transcript: String,
}

impl World {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = CourierOptions::default();
        let cluster = Cluster::start(dir.path(), &[COUNTY, PROVINCE], options)
            .await
            .unwrap();
        cluster.introduce().await.unwrap();
        Self {
            cluster,
            dir,
            ids: Vec::new(),
            transcript: String::new(),
        }
    }

    async fn settled(&self) {
        let settled = self.cluster.settled();
        let settled = tokio::time::timeout(Duration::from_secs(60), settled).await;
        settled.unwrap().unwrap();
    }

    /// Somebody types a command at a node, and the transcript has what came of it; what was printed.
    fn told(&mut self, at: (&str, &str), options: &[&str], args: &[&str], stdin: &str) -> String {
        let (node, who) = at;
        let home = self.cluster.member(node).dir.clone();
        let config = home.join("node.toml");
        let mut typed = vec!["--config", config.to_str().unwrap(), "--as", who];
        typed.extend(["--purpose", "case"]);
        typed.extend(["--basis", "case:A5206240000002026110001"]);
        typed.extend(options);
        typed.extend(args);
        let run = || run(&typed, stdin, self.dir.path());
        let (out, err, code) = tokio::task::block_in_place(run);
        let said = format!(
            "$ yichuan {} {}\n{out}{err}exit {code}\n",
            options.join(" "),
            args.join(" ")
        );
        let port = self.cluster.member(node).config.client.node.to_string();
        let said = steady(&said.replace(&port, "NODE"), &mut self.ids);
        writeln!(self.transcript, "{said}").unwrap();
        out
    }

    /// In both languages, and as JSON.
    fn shown(&mut self, at: (&str, &str), args: &[&str], stdin: &str) {
        self.told(at, &["--lang", "zh"], args, stdin);
        self.told(at, &["--lang", "en"], args, stdin);
        self.told(at, &["--lang", "en", "--format", "json"], args, stdin);
    }
}

const JSON: [&str; 4] = ["--lang", "zh", "--format", "json"];
const ZH: [&str; 2] = ["--lang", "zh"];
const EN: [&str; 2] = ["--lang", "en"];

/// The text of this field in each line.
fn texts(lines: &str, key: &str) -> Vec<String> {
    let lines = lines.lines().map(|l| serde_json::from_str(l).unwrap());
    let text = |line: Value| line[key].as_str().unwrap_or_default().to_owned();
    lines.map(text).collect()
}

/// Without what differs from one run to the next: ids, times, places in logs, and the widths of columns that follow them.
fn steady(text: &str, ids: &mut Vec<String>) -> String {
    let mut steady = String::new();
    let mut rest = text;
    let mut before = ' ';
    while let Some(next) = rest.chars().next() {
        let (taken, put) = if let Some(id) = id_at(rest) {
            if !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
            }
            let nth = ids.iter().position(|known| known == id).unwrap();
            (id.len(), format!("ID{nth}"))
        } else if let Some(length) = time_at(rest) {
            (length, "TIME".to_owned())
        } else if next.is_ascii_digit() && in_a_log(&steady) {
            let digits = rest.chars().take_while(char::is_ascii_digit).count();
            (digits, "N".to_owned())
        } else if " ─═╌".contains(next) && before == next {
            (next.len_utf8(), String::new())
        } else {
            (next.len_utf8(), next.to_string())
        };
        before = next;
        steady.push_str(&put);
        rest = &rest[taken..];
    }
    steady
}

fn id_at(text: &str) -> Option<&str> {
    let id = text.get(..36)?;
    let hyphens: Vec<_> = id.match_indices('-').map(|(at, _)| at).collect();
    let is_id = id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    (is_id && hyphens == [8, 13, 18, 23]).then_some(id)
}

fn time_at(text: &str) -> Option<usize> {
    let shape = |text: &str| -> String {
        let digit = |c: char| if c.is_ascii_digit() { '0' } else { c };
        text.chars().map(digit).collect()
    };
    let begins = |with: &str| text.get(..with.len()).is_some_and(|it| shape(it) == with);
    let known = ["0000-00-00T00:00:00.000+00:00", "0000-00-00 00:00:00"];
    known.into_iter().find(|it| begins(it)).map(str::len)
}

/// Whether what comes next is a place in a log.
fn in_a_log(before: &str) -> bool {
    let ends = [
        "entry ",
        "第 ",
        "tree ",
        "树 ",
        "--after ",
        "_index\":",
        "tree_size\":",
        "\n│ ",
    ];
    ends.iter().any(|end| before.ends_with(end))
}

/// A sheet with these cells below the header.
fn sheet(path: &Path, header: Vec<String>, rows: Vec<Vec<String>>) {
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet();
    for (row, cells) in (0..).zip(std::iter::once(header).chain(rows)) {
        sheet.write_row(row, 0, cells).unwrap();
    }
    workbook.save(path).unwrap();
}

fn lead_sheet(path: &Path) {
    let fields = |n| leads::fields(n, "440304");
    let nobodys = LeadFields {
        resident_number: "522225190010142479".into(),
        ..fields(3)
    };
    let elsewhere = leads::fields(4, "650100");
    let rows = [fields(1), fields(2), nobodys, elsewhere, fields(1)];
    let cells = |row: &LeadFields| {
        let columns = Column::ALL.iter();
        columns.map(|c| row.get(*c).to_owned()).collect()
    };
    let header = Column::ALL.iter().map(|c| c.header_zh().to_owned());
    sheet(path, header.collect(), rows.iter().map(cells).collect());
}

fn caught_sheet(path: &Path) {
    let fields = |n| ArrestNoticeFields {
        number: format!("GD-2026-{n:04}"),
        name: format!("测试{n:06}"),
        sex: "男".into(),
        resident_number: leads::resident_number(n),
        registered_code: "520624101".into(),
        caught_on: "2024年5月6日".into(),
        caught_code: "440304".into(),
        conduct: "贩卖毒品".into(),
        measure: "刑事拘留".into(),
        case_number: "A4403040000002024050001".into(),
        ..ArrestNoticeFields::default()
    };
    let no_case = ArrestNoticeFields {
        case_number: String::new(),
        ..fields(12)
    };
    let rows = [fields(11), no_case, fields(11)];
    let cells = |row: &ArrestNoticeFields| {
        let columns = ArrestNoticeColumn::ALL.iter();
        columns.map(|c| row.get(*c).to_owned()).collect()
    };
    let header = ArrestNoticeColumn::ALL
        .iter()
        .map(|c| c.header_zh().to_owned());
    sheet(path, header.collect(), rows.iter().map(cells).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_verbs_print_is_as_it_was() {
    let mut world = World::start().await;
    leads_come_and_are_answered(&mut world).await;
    referrals_go_their_way(&mut world).await;
    notices_are_pushed_and_found(&mut world).await;
    world.cluster.stop().await;
    holds("record_commands.txt", &world.transcript);
}

const HERE: (&str, &str) = (COUNTY, "officer-001");
const CHIEF: (&str, &str) = (COUNTY, "supervisor-001");
const THERE: (&str, &str) = (PROVINCE, "officer-001");
const CHIEF_THERE: (&str, &str) = (PROVINCE, "supervisor-001");

async fn leads_come_and_are_answered(world: &mut World) {
    lead_sheet(&world.dir.path().join("leads.xlsx"));
    let partners = ["--jurisdiction", COUNTY, "--partners", PROVINCE];
    let check = [&["lead", "check", "leads.xlsx"][..], &partners].concat();
    world.shown(HERE, &check, "");
    world.told(HERE, &ZH, &["lead", "push", "leads.xlsx"], "");
    let pushed = world.told(HERE, &JSON, &["lead", "push", "leads.xlsx"], "");
    let files = ["--rejected", "rejected.xlsx", "--receipt", "receipt.xlsx"];
    let push = [&["lead", "push", "leads.xlsx"][..], &files].concat();
    world.told(HERE, &EN, &push, "");
    world.told(HERE, &EN, &push, "");
    world.told(HERE, &EN, &["lead", "push", "none.xlsx"], "");
    world.settled().await;
    let ids = texts(&pushed, "lead_id");
    let (first, second) = (ids[0].as_str(), ids[1].as_str());
    world.shown(HERE, &["lead", "list"], "");
    world.told(HERE, &EN, &["lead", "list", "--limit", "1"], "");
    world.told(HERE, &ZH, &["lead", "list", "--limit", "1", "--all"], "");
    let number = leads::resident_number(2);
    let about = ["lead", "inbox", "--number", "-", "--state", "delivered"];
    world.shown(THERE, &about, &format!("{number}\n"));
    world.told(THERE, &ZH, &["lead", "sign", first, second], "");
    world.told(THERE, &EN, &["lead", "sign", first], "");
    let found = ["lead", "assess", first, "--outcome", "verified"];
    let found = [&found[..], &["--note", "属实"]].concat();
    world.told(THERE, &JSON, &found, "");
    let back = ["lead", "return", second, "--reason", "not_competent"];
    world.told(THERE, &EN, &back, "");
    let assign = ["lead", "assign", first, "--to"];
    for (options, to) in [
        (&ZH[..], "officer/001"),
        (&EN, "officer/001"),
        (&JSON, "nobody"),
    ] {
        world.told(CHIEF_THERE, options, &[&assign[..], &[to]].concat(), "");
    }
    world.told(THERE, &ZH, &[&assign[..], &["nobody"]].concat(), "");
    world.settled().await;
    world.shown(HERE, &["lead", "show", first], "");
    world.shown(HERE, &["lead", "show", second, "--standing"], "");
    let stated = ["lead", "list", "--state", "returned,assessed"];
    world.shown(HERE, &stated, "");
    let unknown = "0198c6de-7f3a-7cc0-b0f3-0123456789ab";
    world.shown(HERE, &["lead", "show", unknown], "");
}

async fn referrals_go_their_way(world: &mut World) {
    let open = |kind, urgency| {
        [
            "referral",
            "open",
            "--kind",
            kind,
            "--to",
            PROVINCE,
            "--urgency",
            urgency,
            "--handling",
            "H0",
            "--title",
            "协查住址",
            "--matter",
            "请核实住址\n并说明来往",
            "--place",
            "440304",
        ]
    };
    let opened = world.told(HERE, &JSON, &open("assistance", "normal"), "");
    world.told(HERE, &ZH, &open("transfer", "urgent"), "");
    let transfers = [
        "referral", "list", "--kind", "transfer", "--state", "drafted",
    ];
    let drafted = world.told(HERE, &JSON, &transfers, "");
    let (asked, moved) = (
        texts(&opened, "referral_id").remove(0),
        texts(&drafted, "referral_id").remove(0),
    );
    let (asked, moved) = (asked.as_str(), moved.as_str());
    world.shown(HERE, &["referral", "show", moved], "");
    world.told(HERE, &EN, &["referral", "approve", moved], "");
    world.told(CHIEF, &ZH, &["referral", "approve", moved], "");
    world.settled().await;
    for (at, options, id, verb, note) in [
        (THERE, &ZH[..], asked, "sign", ""),
        (THERE, &EN, asked, "accept", "受理"),
        (THERE, &JSON, moved, "sign", ""),
        (THERE, &ZH, moved, "accept", ""),
        (THERE, &ZH, moved, "feedback", "已立案"),
        (THERE, &EN, moved, "feedback", ""),
    ] {
        let step = ["referral", verb, id, "--note", note];
        world.told(at, options, &step, "");
    }
    world.settled().await;
    let dispute = ["referral", "dispute", moved, "--note", "不符"];
    world.told(HERE, &ZH, &dispute, "");
    let restated = ["--title", "协查住址", "--matter", "请再核实"];
    let correct = [&["referral", "correct", asked][..], &restated].concat();
    world.told(HERE, &EN, &correct, "");
    let back = ["referral", "return", asked, "--reason", "out_of_purpose"];
    world.settled().await;
    world.told(THERE, &JSON, &back, "");
    let assign = ["referral", "assign", asked, "--to", "officer/001"];
    world.told(CHIEF_THERE, &EN, &assign, "");
    world.settled().await;
    world.shown(HERE, &["referral", "list"], "");
    world.shown(THERE, &["referral", "list", "--counterpart", COUNTY], "");
    world.told(HERE, &EN, &["referral", "list", "--limit", "1"], "");
    world.shown(HERE, &["referral", "show", moved], "");
    world.shown(HERE, &["referral", "show", asked, "--standing"], "");
}

async fn notices_are_pushed_and_found(world: &mut World) {
    caught_sheet(&world.dir.path().join("caught.xlsx"));
    world.told(THERE, &ZH, &["caught", "push", "caught.xlsx"], "");
    world.told(THERE, &EN, &["caught", "push", "caught.xlsx"], "");
    let pushed = world.told(THERE, &JSON, &["caught", "push", "caught.xlsx"], "");
    let form = [
        "caught",
        "push",
        "--form",
        "通报编号=GD-FORM-1",
        "name=-",
        "sex=男",
        "resident_number=-",
        "registered_code=520624",
        "caught_on=2024-05-06",
        "caught_code=440304",
        "conduct=贩卖毒品",
        "measure=刑事拘留",
        "case_number=A4403040000002024050001",
    ];
    let person = "钱癸子\n522225190010142478\n";
    world.told(THERE, &JSON, &form, person);
    world.told(THERE, &ZH, &form, person);
    world.told(THERE, &EN, &["caught", "push", "--form", "名=1"], "");
    world.settled().await;
    let id = texts(&pushed, "caught_id").remove(0);
    world.shown(HERE, &["caught", "list"], "");
    world.told(HERE, &ZH, &["caught", "list", "--limit", "1"], "");
    world.shown(THERE, &["caught", "list", "--name", "-"], "钱癸子\n");
    world.shown(THERE, &["caught", "show", &id], "");
    world.shown(HERE, &["caught", "show", &id, "--standing"], "");
}
