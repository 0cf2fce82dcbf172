//! No log line, metric, error or file holds anything about a person: three nodes log all they can while everything is
//! done that officers do, well and badly; then all that left the nodes, and all that they keep, is searched.

mod misuse;
mod persons;
mod referrals;
mod secrets;

use crate::common::{leads, processes};
use persons::CAMPAIGN_NOTE;
use processes::{DEADLINE, Home, Logs, Process, Signal};
use secrets::{Secrets, forms};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tonic::{Response, Status};
use yichuan::{access::Purpose, domain::LeadFields, entry::Entry, rpc::pb};

const COUNTY: &str = "520624";
const GUANGDONG: &str = "440000";
const ZHEJIANG: &str = "330000";
const SAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/screening-sample.xlsx"
);

/// All that is searched: what it is, and its bytes.
#[derive(Default)]
struct Seen(Vec<(String, Vec<u8>)>);

impl Seen {
    fn add(&mut self, what: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((what.into(), bytes.into()));
    }

    /// A refusal as its caller gets it.
    fn refusal<T>(&mut self, what: &str, answer: Result<Response<T>, Status>) {
        let Err(status) = answer else {
            panic!("{what} was not refused");
        };
        self.status(what, &status);
    }

    fn status(&mut self, what: &str, status: &Status) {
        let shown = format!(
            "{status} {status:?} {} {:?}",
            status.message(),
            status.metadata()
        );
        self.add(format!("status of {what}"), shown);
        self.add(format!("details of {what}"), status.details());
    }

    /// A command's stdout and stderr.
    fn command(&mut self, what: &str, output: &Output) {
        self.add(format!("stdout of {what}"), output.stdout.clone());
        self.add(format!("stderr of {what}"), output.stderr.clone());
    }

    /// Every file below a directory, and its name.
    fn files(&mut self, dir: &Path) {
        for item in fs::read_dir(dir).unwrap() {
            let path = item.unwrap().path();
            self.add("a file's name", path.to_string_lossy().into_owned());
            if path.is_dir() {
                self.files(&path);
            } else {
                let bytes = fs::read(&path).unwrap();
                self.add(path.display().to_string(), bytes);
            }
        }
    }
}

/// Runs a command as somebody of the node's jurisdiction.
fn run(home: &Home, who: &str, args: &[&str], stdin: &str) -> Output {
    run_for(home, who, "screening", args, stdin)
}

/// The same for another purpose.
fn run_for(home: &Home, who: &str, purpose: &str, args: &[&str], stdin: &str) -> Output {
    let mut command = home.command(LOUD);
    let mut child = command
        .args(["--as", who, "--purpose", purpose, "--basis"])
        .arg(format!("campaign:{}-2026-01", home.code))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that fails early reads none of it.
    drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
    child.wait_with_output().unwrap()
}

const LOUD: Logs = Logs {
    level: "trace",
    format: "json",
};
const LOUD_TEXT: Logs = Logs {
    format: "text",
    ..LOUD
};

struct Nodes {
    county: Home,
    guangdong: Home,
    zhejiang: Home,
}

impl Nodes {
    fn make(dir: &Path) -> Self {
        let [county, guangdong, zhejiang] =
            [COUNTY, GUANGDONG, ZHEJIANG].map(|code| Home::make(dir, code));
        Self {
            county,
            guangdong,
            zhejiang,
        }
    }

    const fn all(&self) -> [&Home; 3] {
        [&self.county, &self.guangdong, &self.zhejiang]
    }

    fn serve(&self) -> [Process; 3] {
        [
            self.county.serve(LOUD),
            self.guangdong.serve(LOUD),
            self.zhejiang.serve(LOUD_TEXT),
        ]
    }

    async fn introduce(&self) {
        for here in self.all() {
            for there in self.all() {
                if here.code != there.code {
                    here.introduce(there).await;
                }
            }
        }
    }

    async fn settle(&self) {
        for home in self.all() {
            home.drained().await;
        }
    }
}

async fn inbox(home: &Home) -> Vec<String> {
    let request = pb::ListRecordsRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: home.grounds(Purpose::Screening),
        direction: pb::Direction::Received.into(),
        limit: 1000,
        ..Default::default()
    };
    let listed = home
        .records()
        .list_records(request)
        .await
        .unwrap()
        .into_inner();
    listed
        .records
        .into_iter()
        .map(|lead| lead.record_id)
        .collect()
}

/// What a node's admin port says.
async fn admin(home: &Home, path: &str) -> Vec<u8> {
    let asking = async {
        let mut tcp = TcpStream::connect(home.admin).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer).await.unwrap();
        answer
    };
    timeout(DEADLINE, asking).await.unwrap()
}

/// Officers push two sheets, one of them twice, and the second again with other content.
fn push_sheets(nodes: &Nodes, leads: &[LeadFields], dir: &Path, seen: &mut Seen) {
    let (sheet, changed, wrong) = (
        dir.join("sheet.xlsx"),
        dir.join("changed.xlsx"),
        dir.join("wrong.xlsx"),
    );
    persons::write_sheet(&sheet, leads);
    let other = leads.iter().cloned().map(|mut fields| {
        fields.facts.push_str("，另有新情况");
        fields
    });
    persons::write_sheet(&changed, &other.collect::<Vec<_>>());
    persons::write_sheet(&wrong, &persons::misfilled(&leads[0]));
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    for (path, format, lang, expected) in [
        (SAMPLE.to_owned(), "table", "zh", 1),
        (SAMPLE.to_owned(), "json", "en", 1),
        (text(&sheet), "json", "zh", 0),
        (text(&sheet), "table", "en", 0),
        (text(&changed), "json", "zh", 1),
        (text(&wrong), "table", "zh", 1),
        (text(&wrong), "json", "en", 1),
    ] {
        for what in ["check", "push"] {
            let args = ["--format", format, "--lang", lang, "lead", what, &path];
            let output = run(&nodes.county, "officer-001", &args, "");
            let shown = String::from_utf8_lossy(&output.stdout).into_owned();
            if what == "push" {
                assert_eq!(output.status.code(), Some(expected), "{path} {output:?}");
            }
            assert!(!shown.is_empty());
            seen.command(&format!("lead {what} {path}"), &output);
        }
    }
}

/// Provinces find, open and answer what came.
async fn answer(nodes: &Nodes, leads: &[LeadFields], seen: &mut Seen) -> BTreeMap<String, Vec<u8>> {
    let mut opened = BTreeMap::new();
    for (home, lead) in [(&nodes.guangdong, &leads[0]), (&nodes.zhejiang, &leads[1])] {
        let number = format!("{}\n", lead.resident_number);
        let args = ["--format", "json", "lead", "inbox", "--number", "-"];
        let output = run(home, "officer-001", &args, &number);
        assert!(output.status.success(), "{output:?}");
        seen.command("lead inbox --number", &output);
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let id = found["lead_id"].as_str().unwrap().to_owned();
        for format in ["table", "json"] {
            let output = run(
                home,
                "officer-001",
                &["--format", format, "lead", "show", &id],
                "",
            );
            assert!(output.status.success(), "{output:?}");
            seen.add("stderr of lead show", output.stderr);
            // Here it may be, and so here it must be found.
            opened.insert(lead.number.clone(), output.stdout);
        }
        let sign = ["lead", "sign", &id, "--note", "-"];
        let end: &[&str] = if home.code.as_str() == GUANGDONG {
            &[
                "lead",
                "assess",
                &id,
                "--outcome",
                "verified",
                "--note",
                "-",
            ]
        } else {
            &[
                "lead",
                "return",
                &id,
                "--reason",
                "not_competent",
                "--note",
                "-",
            ]
        };
        for args in [&sign[..], end, end] {
            let output = run(home, "officer-001", args, CAMPAIGN_NOTE);
            seen.command(&args.join(" "), &output);
        }
        nodes.settle().await;
        let shown = run(&nodes.county, "officer-001", &["lead", "show", &id], "");
        assert!(shown.status.success(), "{shown:?}");
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert!(shown.contains(CAMPAIGN_NOTE), "{shown}");
    }
    opened
}

/// What auditors take away.
async fn audit(nodes: &Nodes, dir: &Path, seen: &mut Seen) {
    for home in nodes.all() {
        let export = dir.join("exports").join(home.code.as_str());
        let mut decoded = String::new();
        for leaf in home.export(&export).await {
            writeln!(decoded, "{:?}", Entry::decode(&leaf).unwrap()).unwrap();
        }
        seen.add(format!("entries of {}", home.code), decoded);
        seen.files(&export);
        for args in [
            ["--format", "json", "audit", "replay"],
            ["--format", "table", "audit", "replay"],
            ["--format", "json", "audit", "verify"],
        ] {
            let mut args = args.to_vec();
            args.extend(["--purpose", "audit"]);
            let output = run(home, "auditor-001", &args, "");
            assert!(output.status.success(), "{output:?}");
            seen.command("audit", &output);
        }
    }
}

async fn operate(nodes: &Nodes, seen: &mut Seen) {
    for home in nodes.all() {
        for path in ["/metrics", "/readyz", "/healthz"] {
            let answer = admin(home, path).await;
            assert!(answer.starts_with(b"HTTP/1.1 200"));
            seen.add(format!("{path} of {}", home.code), answer);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_about_a_person_leaves_a_node_but_to_who_opens_a_record() {
    let dir = tempfile::tempdir().unwrap();
    let leads: Vec<_> = (0..12)
        .map(|n| persons::lead(n, if n % 2 == 0 { "440305" } else { "330106" }))
        .collect();
    let mut values = persons::secrets_of_sheet(Path::new(SAMPLE));
    for (n, lead) in leads.iter().enumerate() {
        values.extend(persons::secrets(lead, &format!("lead {n}")));
    }
    values.insert("note".into(), CAMPAIGN_NOTE.into());
    values.extend(referrals::secrets());
    let secrets = Secrets::new(&values);

    let mut seen = Seen::default();
    let nodes = Nodes::make(dir.path());
    let processes = nodes.serve();
    nodes.introduce().await;
    push_sheets(&nodes, &leads, dir.path(), &mut seen);
    nodes.settle().await;
    let opened = answer(&nodes, &leads, &mut seen).await;
    let referred = referrals::exchange(&nodes, &mut seen).await;
    referrals::put_wrongly(&nodes, &mut seen).await;
    misuse::type_wrongly(&nodes, &leads[2], &mut seen);
    misuse::call_wrongly(&nodes, &leads[2], &mut seen).await;
    audit(&nodes, dir.path(), &mut seen).await;
    operate(&nodes, &mut seen).await;
    // Once more, so that what a store says when it opens is there too.
    stop(&nodes, processes, &mut seen);
    let processes = nodes.serve();
    nodes.settle().await;
    stop(&nodes, processes, &mut seen);
    for home in nodes.all() {
        seen.files(&home.dir);
    }

    // The search finds what officers were shown on purpose, so it would find it elsewhere.
    for lead in &leads[..2] {
        let found = secrets.leaks(&opened[&lead.number]);
        let label = persons::secrets(lead, "");
        assert!(found.len() >= label.len(), "{found:?}");
    }
    let found = secrets.leaks(&referred);
    for label in referrals::shown() {
        assert!(
            found.iter().any(|leak| leak.what == label),
            "{label} was not shown"
        );
    }
    let bytes: usize = seen.0.iter().map(|(_, bytes)| bytes.len()).sum();
    println!(
        "{} places, {bytes} bytes, {} secrets",
        seen.0.len(),
        values.len()
    );
    let mut leaks = Vec::new();
    for (place, bytes) in &seen.0 {
        let found = secrets.leaks(bytes);
        leaks.extend(found.iter().map(|leak| format!("{place}: {leak}\n")));
    }
    let first: String = leaks.iter().take(20).cloned().collect();
    assert!(leaks.is_empty(), "{} leaks, first\n{first}", leaks.len());
}

fn stop(nodes: &Nodes, processes: [Process; 3], seen: &mut Seen) {
    for (home, process) in nodes.all().into_iter().zip(processes) {
        process.signal(Signal::Term);
        let ended = process.ended();
        assert!(ended.status.success());
        assert!(ended.said.len() > 10_000, "tracing is on");
        seen.add(format!("what the node of {} said", home.code), ended.said);
    }
}

#[test]
fn a_secret_is_found_in_every_form() {
    let lead = persons::lead(3, GUANGDONG);
    let values = persons::secrets(&lead, "it");
    let secrets = Secrets::new(&values);
    for (label, value) in &values {
        for (form, planted) in forms(value) {
            let mut line = b"{\"message\":\"a lead was pushed\",\"lead\":\"".to_vec();
            line.extend(planted);
            line.extend(b"\"}");
            let found = secrets.leaks(&line);
            assert!(
                found
                    .iter()
                    .any(|leak| leak.what == *label && leak.form == form),
                "{label} {form}"
            );
        }
    }
    assert_eq!(secrets.leaks(b"{\"message\":\"a lead was pushed\"}"), []);
}
