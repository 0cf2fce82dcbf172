//! What others wrote, on a screen: exports, case files and answers of nodes whose every text is made to move the cursor,
//! to colour, to reorder and to hide. No command lets any of it through.

use super::{COUNTY, delivered, keys, processes, signer, two_logs::HandLog, written};
use http_body_util::{BodyExt as _, Full};
use processes::{Home, Logs};
use prost::Message as _;
use prost_types::{
    DescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    field_descriptor_proto::{Label, Type},
};
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use yichuan::{
    audit::TileWriter,
    domain::is_printable,
    rpc::pb,
    telemetry::SystemClock,
    tls::{Authority, Credentials, Crl, Gate, GateLimits, TrustStore, dev, serve},
};

/// A green verdict on a line of its own, and what else must not reach a screen.
const HOSTILE: &str = "\u{1b}[2K\u{1b}[32mverified: 9 entries\u{1b}[0m\nverified: 9 entries\r\u{7f}\u{9b}31m\u{ad}\
                       \u{61c}\u{180e}\u{200b}\u{202e}\u{2028}\u{2066}\u{3164}\u{e000}\u{fe0f}\u{feff}\u{e0041}";

const ID: &str = "0198c6de-7f3a-7cc0-b0f3-0123456789ab";

/// That all of it is printable, and that no line of it is the verdict that [`HOSTILE`] forges.
fn assert_printable(output: &Output, what: &dyn std::fmt::Debug) {
    for said in [&output.stdout, &output.stderr] {
        let said = str::from_utf8(said).unwrap();
        let wrong = said.chars().find(|c| *c != '\n' && !is_printable(*c));
        assert_eq!(wrong, None, "{what:?}: {said:?}");
        let mut lines = said.lines();
        assert!(
            !lines.any(|line| line.starts_with("verified: 9 entries")),
            "{what:?}: {said}"
        );
        assert!(!said.contains("panicked"), "{what:?}: {said}");
    }
}

/// Runs a command in every form in which it prints.
fn in_all_forms(home: &Home, args: &[&str]) -> Vec<Output> {
    let forms = [("zh", "table"), ("en", "table"), ("en", "json")];
    let ran = forms.map(|(lang, format)| {
        let mut command = home.command(Logs {
            level: "warn",
            format: "text",
        });
        let given = ["--lang", lang, "--format", format];
        let output = command.args(given).args(args).output().unwrap();
        assert_printable(&output, &(lang, format, args));
        if format == "json" {
            let lines = str::from_utf8(&output.stdout).unwrap().lines();
            for line in lines {
                let read: Result<serde_json::Value, _> = serde_json::from_str(line);
                assert!(read.is_ok(), "{args:?}: {line}");
            }
        }
        output
    });
    ran.into()
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn field(number: u64, value: &[u8], out: &mut Vec<u8>) {
    varint(number << 3 | 2, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// A message with hostile text in place of each text; nothing where the bytes are no message.
fn poisoned(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let tag = read_varint(&mut bytes)?;
        match tag & 7 {
            0 => {
                varint(tag, &mut out);
                varint(read_varint(&mut bytes)?, &mut out);
            }
            2 if tag >> 3 > 0 => {
                let length = usize::try_from(read_varint(&mut bytes)?).ok()?;
                let (value, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                let is_text = str::from_utf8(value)
                    .is_ok_and(|text| !text.is_empty() && text.chars().all(is_printable));
                let value = match is_text {
                    true => HOSTILE.as_bytes().to_vec(),
                    false => poisoned(value).unwrap_or_else(|| value.to_vec()),
                };
                field(tag >> 3, &value, &mut out);
            }
            _ => return None,
        }
    }
    Some(out)
}

fn exported(log: &HandLog, dir: &Path) {
    let mut tiles = TileWriter::create(dir).unwrap();
    for leaf in &log.leaves {
        tiles.push(leaf).unwrap();
    }
    tiles.finish(&log.head()).unwrap();
}

/// The log again, with some of its entries poisoned, signed by its key.
fn resigned(log: &HandLog, which: impl Fn(usize) -> bool) -> HandLog {
    let mut again = HandLog::empty(COUNTY);
    for (index, leaf) in log.leaves.iter().enumerate() {
        let poison = which(index).then(|| poisoned(leaf)).flatten();
        again.append_leaf(poison.unwrap_or_else(|| leaf.clone()));
    }
    again
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn regression_a_foreign_export_prints_nothing_but_text() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::make(dir.path(), COUNTY);
    let (county, _) = delivered();
    let key = signer(COUNTY, 0).verifier_key().to_string();
    let mut exports = Vec::new();
    for poison in 0..=county.leaves.len() {
        let log = resigned(&county, |index| {
            index == poison || poison == county.leaves.len()
        });
        let export = dir.path().join(format!("export-{poison}"));
        exported(&log, &export);
        exports.push(export);
    }
    // The checkpoint of each export is sound; in these no line of it is.
    let sound = fs::read_to_string(exports[0].join("checkpoint")).unwrap();
    for line in 0..sound.lines().count() {
        let lines: Vec<_> = sound.lines().collect();
        let export = dir.path().join(format!("checkpoint-{line}"));
        exported(&county, &export);
        let mut hostile = lines.clone();
        hostile[line] = HOSTILE;
        fs::write(export.join("checkpoint"), hostile.join("\n") + "\n").unwrap();
        exports.push(export);
    }
    let named = dir.path().join(HOSTILE.replace('/', "_"));
    exports.push(named);
    let mut told = 0;
    for export in exports {
        let verify = ["audit", "verify", "--vkey", &key, "--export", text(&export)];
        for output in in_all_forms(&home, &verify) {
            // Something of it is seen: this tests what is said.
            told += usize::from(!output.stdout.is_empty() || !output.stderr.is_empty());
        }
        let out = dir.path().join("case");
        let record = "01010101-0101-0101-0101-010101010101";
        let prove = ["audit", "prove", record, "--vkey", &key];
        let to = ["--export", text(&export), "--out", text(&out)];
        in_all_forms(&home, &[&prove[..], &to].concat());
        drop(fs::remove_dir_all(&out));
    }
    assert!(told > 20, "{told}");
}

#[test]
fn regression_a_foreign_case_file_prints_nothing_but_text() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::make(dir.path(), COUNTY);
    let whole = dir.path().join("whole");
    written(&whole);
    let [ours, theirs] = keys().map(|key| key.to_string());
    let check = |case: &Path| {
        let given = ["--vkey", &ours, "--vkey", &theirs];
        let args = ["audit", "prove", "--check", text(case)];
        in_all_forms(&home, &[&args[..], &given].concat())
    };
    for output in check(&whole) {
        assert!(output.status.success(), "{output:?}");
    }
    let files: Vec<PathBuf> = fs::read_dir(&whole)
        .unwrap()
        .map(|item| item.unwrap().path())
        .collect();
    for file in files.iter().filter(|file| file.is_file()) {
        let Ok(sound) = fs::read_to_string(file) else {
            continue;
        };
        let lines: Vec<_> = sound.lines().collect();
        let at = [0, 1, 2, lines.len() / 2, lines.len().saturating_sub(1)];
        for line in at.into_iter().filter(|at| *at < lines.len()) {
            for appended in [false, true] {
                let mut hostile: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
                match appended {
                    true => hostile[line] = format!("{}{HOSTILE}", lines[line]),
                    false => hostile[line] = HOSTILE.to_owned(),
                }
                fs::write(file, hostile.join("\n") + "\n").unwrap();
                check(&whole);
                check(file);
            }
        }
        fs::write(file, &sound).unwrap();
    }
    let strange = whole.join(format!("{}.tlog-proof", HOSTILE.replace('/', "_")));
    fs::write(&strange, HOSTILE).unwrap();
    check(&whole);
    check(&strange);
}

/// All that a node can say, by the descriptors of its services: each text hostile, each list with something in it.
struct Answers {
    messages: BTreeMap<String, DescriptorProto>,
    methods: BTreeMap<String, MethodDescriptorProto>,
    leaves: Vec<Vec<u8>>,
    refuses: AtomicBool,
}

impl Answers {
    fn new(leaves: Vec<Vec<u8>>) -> Self {
        let set = FileDescriptorSet::decode(pb::DESCRIPTOR).unwrap();
        let (mut messages, mut methods) = (BTreeMap::new(), BTreeMap::new());
        for file in set.file {
            let package = file.package().to_owned();
            for message in file.message_type {
                messages.insert(format!(".{package}.{}", message.name()), message);
            }
            for service in file.service {
                for method in &service.method {
                    let path = format!("/{package}.{}/{}", service.name(), method.name());
                    methods.insert(path, method.clone());
                }
            }
        }
        Self {
            messages,
            methods,
            leaves,
            refuses: AtomicBool::new(false),
        }
    }

    fn message(&self, name: &str, depth: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let Some(message) = self.messages.get(name).filter(|_| depth < 5) else {
            return out;
        };
        for part in &message.field {
            let number = u64::try_from(part.number()).unwrap();
            match part.r#type() {
                Type::String => field(number, HOSTILE.as_bytes(), &mut out),
                Type::Bytes if part.name() == "leaves" => {
                    for leaf in &self.leaves {
                        field(number, leaf, &mut out);
                    }
                }
                Type::Bytes => field(number, HOSTILE.as_bytes(), &mut out),
                Type::Message => {
                    let inner = self.message(part.type_name(), depth + 1);
                    field(number, &inner, &mut out);
                }
                // Where entries begin. A list of numbers is packed.
                _ if part.name() == "first" => {}
                _ if part.label() == Label::Repeated => field(number, &[2], &mut out),
                _ => {
                    varint(number << 3, &mut out);
                    // Enums have at least three values; refused, of states, is the last.
                    varint(if part.name() == "state" { 6 } else { 2 }, &mut out);
                }
            }
        }
        out
    }

    fn answer(&self, path: &str) -> http::Response<axum::body::Body> {
        let response = http::Response::builder().header("content-type", "application/grpc");
        let method = self.methods.get(path);
        let (Some(method), false) = (method, self.refuses.load(Ordering::SeqCst)) else {
            let said = tonic::Status::failed_precondition(HOSTILE);
            return said.into_http();
        };
        let message = self.message(method.output_type(), 0);
        let mut body = vec![0];
        body.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
        body.extend_from_slice(&message);
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
        let body = Full::new(bytes::Bytes::from(body))
            .with_trailers(std::future::ready(Some(Ok(trailers))));
        response.body(axum::body::Body::new(body)).unwrap()
    }
}

/// A node that is nothing but lies, with a node's certificate.
async fn lying(answers: Arc<Answers>) -> (SocketAddr, CancellationToken) {
    let of = COUNTY.parse().unwrap();
    let identity = dev::identity(of, "node").unwrap();
    let ca = dev::ca(of).unwrap();
    let authority = Authority::parse(ca.certificate.as_bytes()).unwrap();
    let crl = Crl::parse(ca.crl.as_bytes(), &authority).unwrap();
    let credentials =
        Credentials::from_pem(identity.certificate.as_bytes(), identity.key.as_bytes()).unwrap();
    let trust = TrustStore::new(authority, Some(crl)).unwrap();
    let gate = Gate::new(
        Arc::new(credentials),
        Arc::new(trust),
        GateLimits::default(),
        Arc::new(SystemClock),
    )
    .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let incoming = gate.incoming(listener, &tasks, stop.clone()).unwrap();
    let router = axum::Router::new().fallback(move |request: axum::extract::Request| {
        let answers = Arc::clone(&answers);
        async move { answers.answer(request.uri().path()) }
    });
    let routes = tonic::service::Routes::from(router);
    let router = tonic::transport::Server::builder().add_routes(routes);
    let ending = stop.clone();
    tasks.spawn(async move {
        serve(&gate, incoming, ending, Duration::ZERO, |incoming, stop| {
            router.serve_with_incoming_shutdown(incoming, stop)
        })
        .await
    });
    (address, stop)
}

#[tokio::test(flavor = "multi_thread")]
async fn regression_what_a_node_answers_prints_nothing_but_text() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::make(dir.path(), COUNTY);
    let (county, _) = delivered();
    let leaves = county.leaves.iter().filter_map(|leaf| poisoned(leaf));
    let answers = Arc::new(Answers::new(leaves.collect()));
    let (address, stop) = lying(Arc::clone(&answers)).await;
    let node = format!("https://{address}");
    let key = home.vkey.to_string();
    let out = dir.path().join("out");
    let sheet = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/screening-sample.xlsx"
    );
    let fingerprint = "00".repeat(32);
    let case = "case:A5206240000002026110001";
    let officer = ["--as", "officer-001", "--purpose", "case", "--basis", case];
    let auditor = ["--as", "auditor-001", "--purpose", "audit", "--basis", case];
    let commands: [(&[&str], &[&str]); 17] = [
        (&officer, &["lead", "list"]),
        (&officer, &["lead", "inbox", "--all"]),
        (&officer, &["lead", "show", ID]),
        (&officer, &["lead", "sign", ID]),
        (&officer, &["lead", "assign", ID, "--to", "nobody"]),
        (&officer, &["lead", "push", sheet]),
        (&officer, &["referral", "list"]),
        (&officer, &["referral", "show", ID]),
        (&officer, &["referral", "sign", ID]),
        (&officer, &["caught", "list"]),
        (&officer, &["caught", "show", ID]),
        (&officer, &["partner", "list"]),
        (
            &officer,
            &[
                "partner",
                "approve",
                "440000",
                "--fingerprint",
                &fingerprint,
            ],
        ),
        (&auditor, &["audit", "replay"]),
        (&auditor, &["audit", "verify", "--vkey", &key]),
        (
            &auditor,
            &["audit", "prove", ID, "--out", text(&out), "--vkey", &key],
        ),
        (&auditor, &["audit", "export", text(&out), "--vkey", &key]),
    ];
    let mut seen = 0;
    for refuses in [false, true] {
        answers.refuses.store(refuses, Ordering::SeqCst);
        for (who, command) in &commands {
            let args = [&["--node", &node][..], who, command].concat();
            let home = home.clone();
            let args: Vec<_> = args.into_iter().map(str::to_owned).collect();
            let ran = tokio::task::spawn_blocking(move || {
                let args: Vec<_> = args.iter().map(String::as_str).collect();
                in_all_forms(&home, &args)
            });
            for output in ran.await.unwrap() {
                let said = [output.stdout, output.stderr].concat();
                let said = String::from_utf8(said).unwrap();
                seen += usize::from(said.contains(r"\u{1b}[32m") || said.contains(r"\u001b[32m"));
            }
        }
    }
    stop.cancel();
    // They printed what the node said, and not only that it lied.
    assert!(seen > 60, "{seen}");
}
