//! The program as an operator's service manager sees it: what signals do, and that one process serves a store.

mod checked;
mod secrets;

use crate::common::{der, leads, processes};
use processes::{DEADLINE, Home, Logs, Process, Signal};
use std::{fs, time::Duration};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    sync::mpsc,
    time::{interval, timeout},
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Streaming;
use yichuan::{access::Purpose, rpc::pb, tls::dev};

const COUNTY: &str = "520624";

struct Served {
    home: Home,
    process: Process,
    _dir: TempDir,
}

/// A county's node that knows a province's, whose own node is not there.
async fn served() -> Served {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::make(dir.path(), COUNTY);
    let process = home.serve(Logs::INFO);
    home.introduce(&Home::make(dir.path(), "440000")).await;
    Served {
        home,
        process,
        _dir: dir,
    }
}

/// A push that goes on until its sender is dropped.
struct Push {
    requests: mpsc::UnboundedSender<pb::PushRecordsRequest>,
    verdicts: Streaming<pb::PushRecordsResponse>,
}

impl Push {
    async fn begin(home: &Home, n: usize) -> Self {
        let (requests, receiver) = mpsc::unbounded_channel();
        requests.send(request(home, n)).unwrap();
        let verdicts = home
            .records()
            .push_records(UnboundedReceiverStream::new(receiver))
            .await
            .unwrap()
            .into_inner();
        Self { requests, verdicts }
    }

    async fn verdict(&mut self, expected: pb::Verdict) -> u64 {
        let verdict = self.verdicts.message().await.unwrap().unwrap();
        assert_eq!(verdict.verdict(), expected);
        verdict.log_index
    }
}

fn request(home: &Home, n: usize) -> pb::PushRecordsRequest {
    pb::PushRecordsRequest {
        grounds: home.grounds(Purpose::Screening),
        row: n as u64,
        content: Some(leads::lead(n, "440305").into()),
    }
}

const STOPPING: &str = "stopping: told to";

#[tokio::test(flavor = "multi_thread")]
async fn term_lets_a_push_finish_takes_no_other_and_exits_0() {
    let Served {
        home,
        process,
        _dir,
    } = served().await;
    let mut push = Push::begin(&home, 0).await;
    push.verdict(pb::Verdict::Accept).await;
    process.signal(Signal::Term);
    process.wait_for(STOPPING);
    push.requests.send(request(&home, 1)).unwrap();
    let index = push.verdict(pb::Verdict::Accept).await;
    refuses_connections(&home).await;
    push.requests.send(request(&home, 2)).unwrap();
    push.verdict(pb::Verdict::Accept).await;
    let Push {
        requests,
        mut verdicts,
    } = push;
    drop(requests);
    assert!(verdicts.message().await.unwrap().is_none());
    let ended = process.ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.text());
    assert!(
        ended.text().contains("the node is stopped"),
        "{}",
        ended.text()
    );

    // What was acknowledged while it drained is there.
    let _process = home.serve(Logs::INFO);
    let mut again = Push::begin(&home, 1).await;
    assert_eq!(again.verdict(pb::Verdict::Duplicate).await, index);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_term_leaves_at_once() {
    let Served {
        home,
        process,
        _dir,
    } = served().await;
    let mut unfinished = Push::begin(&home, 0).await;
    unfinished.verdict(pb::Verdict::Accept).await;
    process.signal(Signal::Term);
    process.wait_for(STOPPING);
    process.signal(Signal::Term);
    let ended = process.ended();
    assert_eq!(ended.status.code(), Some(70), "{}", ended.text());
    assert!(
        ended.text().contains("told to stop twice"),
        "{}",
        ended.text()
    );
    assert!(
        !ended.text().contains("the node is stopped"),
        "{}",
        ended.text()
    );
    let _process = home.serve(Logs::INFO);
}

#[tokio::test(flavor = "multi_thread")]
async fn hup_with_a_broken_certificate_keeps_the_old_one_serving() {
    let Served {
        home,
        process,
        _dir,
    } = served().await;
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let other = dev::identity("440000".parse().unwrap(), "node").unwrap();
    let own = dev::identity(home.code, "node").unwrap();
    let officer = dev::identity(home.code, "officer-001").unwrap();
    for (certificate, key) in [
        ("", own.key),
        (broken, own.key),
        (own.certificate, officer.key),
        (officer.certificate, officer.key),
        (other.certificate, other.key),
    ] {
        fs::write(&home.config.tls.cert, certificate).unwrap();
        fs::write(&home.config.tls.key, key).unwrap();
        let refusals = process.count("the reload is refused");
        process.signal(Signal::Hup);
        process.wait_for_nth("the reload is refused", refusals + 1);
        // A connection made now is met with the old certificate.
        home.records().list_records(list(&home)).await.unwrap();
    }
    fs::write(&home.config.tls.cert, own.certificate).unwrap();
    fs::write(&home.config.tls.key, own.key).unwrap();
    process.signal(Signal::Hup);
    process.wait_for("certificates and policy are reloaded");
    home.records().list_records(list(&home)).await.unwrap();
    process.signal(Signal::Term);
    assert!(process.ended().status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_store_is_refused_and_told_who_holds_it() {
    let Served {
        home,
        process,
        _dir,
    } = served().await;
    let mut command = home.command(Logs::INFO);
    command
        .args(["--lang", "en", "serve"])
        .env("YICHUAN__LISTEN__ADDRESS", "127.0.0.1:0")
        .env("YICHUAN__LISTEN__ADMIN", "127.0.0.1:0");
    let second = Process::spawn(command).ended();
    assert_eq!(second.status.code(), Some(70), "{}", second.text());
    let holder = format!("is held by process {}: ", process.id());
    assert!(second.text().contains(&holder), "{}", second.text());
    // The first is none the worse for it.
    home.records().list_records(list(&home)).await.unwrap();

    // One that was killed holds nothing.
    let mut process = process;
    process.kill();
    process.ended();
    let third = home.serve(Logs::INFO);
    home.records().list_records(list(&home)).await.unwrap();
    third.signal(Signal::Term);
    assert!(third.ended().status.success());
}

/// Waits until nobody listens any more. Another process decides when: it is asked until the deadline.
async fn refuses_connections(home: &Home) {
    let asking = async {
        let mut ticks = interval(Duration::from_millis(5));
        while TcpStream::connect(home.config.listen.address).await.is_ok() {
            ticks.tick().await;
        }
    };
    timeout(DEADLINE, asking).await.unwrap();
}

fn list(home: &Home) -> pb::ListRecordsRequest {
    pb::ListRecordsRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: home.grounds(Purpose::Screening),
        ..Default::default()
    }
}
