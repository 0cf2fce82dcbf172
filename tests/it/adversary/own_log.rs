//! Partners that show an honest node 'its own' checkpoint: only what bears its signature and is not in its log closes it.

use super::{
    hostile::{Forger, Line, hello},
    world::{
        COUNTY, GUANGDONG, ZHEJIANG, code, eager, honest_traffic_flows, introduce, leads_to,
        propose, push, start, verify, within,
    },
};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tonic::{Code, Status};
use yichuan::{
    cli::demo::cluster::Cluster,
    domain::Clock as _,
    log::{Closure, LogHealth},
    merkle,
    node::{Node, StartError, data_dir::DataDir},
    note::{LogSigner, SignedCheckpoint},
    rpc::{RefusedFor, pb},
    telemetry::{Readiness, SystemClock},
    tls::{Ca, EndpointUrl, Validity, dev},
};

fn note(head: &SignedCheckpoint) -> bytes::Bytes {
    head.note().as_bytes().to_vec().into()
}

/// The county, an honest partner, and a hostile one with a card.
async fn world(dir: &tempfile::TempDir) -> (Cluster, Forger) {
    let cluster = start(dir.path(), &[COUNTY, ZHEJIANG], eager()).await;
    cluster.introduce().await.unwrap();
    let forger = Forger::new(GUANGDONG);
    let nowhere = "https://127.0.0.1:1".parse().unwrap();
    let endpoint = &cluster.member(COUNTY).config.listen.endpoint;
    introduce(endpoint, COUNTY, &forger.card(&nowhere)).await;
    (cluster, forger)
}

#[tokio::test]
async fn a_checkpoint_that_only_looks_like_ours_or_is_an_old_one_closes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, forger) = world(&dir).await;
    let county = cluster.member(COUNTY);
    let (log, endpoint) = (county.node.log(), &county.config.listen.endpoint);
    let old = log.checkpoint();
    honest_traffic_flows(&cluster, &leads_to(ZHEJIANG)[0]).await;
    let ours = DataDir::at(&county.config.data).signer().unwrap();
    let beyond = (log.checkpoint().size() + 100, merkle::leaf_hash(b"never"));
    let namesake = LogSigner::generate(log.origin()).unwrap();
    let successor = format!("{COUNTY}.yichuan/log/2");
    let successor = LogSigner::generate(&successor).unwrap();
    let mut flipped = ours.sign(beyond.0, beyond.1).note().to_owned();
    flipped = flipped.replacen(&beyond.0.to_string(), &(beyond.0 + 1).to_string(), 1);
    let shown = [
        (
            "our name under another key",
            note(&namesake.sign(beyond.0, beyond.1)),
        ),
        (
            "another log of our name",
            note(&successor.sign(beyond.0, beyond.1)),
        ),
        (
            "our signature on something else",
            flipped.into_bytes().into(),
        ),
        ("its own", note(&forger.head())),
        ("nonsense", b"nonsense".to_vec().into()),
        ("an old one", note(&old)),
        ("the newest", note(&log.checkpoint())),
    ];
    for (what, note) in shown {
        let told = [
            pb::RelayHello {
                checkpoint: note.clone(),
                ..hello()
            },
            pb::RelayHello {
                witnessed: vec![note],
                ..hello()
            },
        ];
        for hello in told {
            let opened = Line::open(endpoint, COUNTY, GUANGDONG, hello).await;
            assert!(opened.is_ok(), "{what}");
            assert_eq!(log.health(), LogHealth::Open, "{what}");
        }
    }
    honest_traffic_flows(&cluster, &leads_to(ZHEJIANG)[1]).await;
    verify(log);
    cluster.stop().await;
}

/// In the hello, as what it holds of us; and beside it, as what it passes on.
#[tokio::test]
async fn i9_a_checkpoint_of_ours_that_is_not_in_our_log_closes_it_wherever_in_a_greeting_it_stands()
{
    for passed_on in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (cluster, _) = world(&dir).await;
        let county = cluster.member(COUNTY);
        let (log, endpoint) = (county.node.log(), &county.config.listen.endpoint);
        let ours = DataDir::at(&county.config.data).signer().unwrap();
        // No larger than the log, but over something else.
        let size = log.checkpoint().size();
        let other = ours.sign(size - passed_on as u64, merkle::leaf_hash(b"other"));
        let mut told = hello();
        if passed_on {
            told.witnessed = vec![note(&other)];
        } else {
            told.checkpoint = note(&other);
        }
        let opened = Line::open(endpoint, COUNTY, GUANGDONG, told).await;
        if let Err(status) = &opened {
            assert_eq!(status.code(), Code::FailedPrecondition);
            assert_eq!(RefusedFor::of(status), Some(RefusedFor::RolledBack));
        }
        assert_eq!(opened.is_ok(), passed_on);
        let why = within(log.until_closed()).await;
        assert!(
            matches!(*why, Closure::Disowned { by, .. } if by == code(GUANGDONG)),
            "{why}"
        );
        let kept = std::fs::read(county.config.data.join("checkpoint.disowned")).unwrap();
        assert_eq!(kept, other.note().as_bytes());
        verify(log);
        cluster.stop().await;
    }
}

/// It accepts a connection and never says a word.
#[tokio::test]
async fn a_partner_that_never_answers_makes_a_start_wait_no_longer_than_it_may() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = start(dir.path(), &[COUNTY], eager()).await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let there = format!("https://{}", silent.local_addr().unwrap());
    let endpoint = cluster.member(COUNTY).config.listen.endpoint.clone();
    let card = Forger::new(GUANGDONG).card(&there.parse().unwrap());
    introduce(&endpoint, COUNTY, &card).await;
    cluster.stop().await;
    let county = cluster.into_members().remove(0);
    let mut config = county.config;
    config.exchange.start_wait = Duration::from_millis(200);
    drop(county.node);
    let node = within(Node::start_with(&config, Arc::new(SystemClock), eager()))
        .await
        .unwrap();
    let Readiness::Warned(warnings) = (node.probe())() else {
        panic!("it does not say that it asked nobody");
    };
    assert!(
        warnings[0].contains("no partner could be asked"),
        "{warnings:?}"
    );
    push(&endpoint, COUNTY, &leads_to(GUANGDONG)[..1]).await;
    node.stop().await;
}

/// A county that has a partner at `there` and begins to start, with what it held before.
struct Beginning {
    _dir: tempfile::TempDir,
    endpoint: EndpointUrl,
    ours: LogSigner,
    held: u64,
    starting: JoinHandle<Result<Node, StartError>>,
    writing: JoinHandle<Result<pb::PartnerSummary, Status>>,
}

impl Beginning {
    /// It waits, and so does what is to be written.
    async fn with_partner_at(there: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cluster = start(dir.path(), &[COUNTY], eager()).await;
        let endpoint = cluster.member(COUNTY).config.listen.endpoint.clone();
        let forger = Forger::new(GUANGDONG);
        introduce(&endpoint, COUNTY, &forger.card(&there.parse().unwrap())).await;
        cluster.stop().await;
        let county = cluster.into_members().remove(0);
        let held = county.node.log().checkpoint().size();
        let mut config = county.config;
        config.exchange.start_wait = Duration::from_secs(25);
        let ours = DataDir::at(&config.data).signer().unwrap();
        drop(county.node);
        let address = config.listen.address;
        let starting = TaskTracker::new()
            .spawn(async move { Node::start_with(&config, Arc::new(SystemClock), eager()).await });
        within(async {
            while tokio::net::TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        let card = forger.card(&"https://127.0.0.1:2".parse().unwrap());
        let to = endpoint.clone();
        let mut writing =
            TaskTracker::new().spawn(async move { propose(&to, COUNTY, &card).await });
        let waits = tokio::time::timeout(Duration::from_secs(2), &mut writing);
        assert!(waits.await.is_err(), "written before anybody was asked");
        Self {
            _dir: dir,
            endpoint,
            ours,
            held,
            starting,
            writing,
        }
    }
}

/// It is not reached, calls itself, and brings a newer revocation list, as it does where the store is an older copy: its
/// hello was not looked at before the list was in the log, and that not before the node had waited in vain.
#[tokio::test]
async fn regression_what_a_partner_holds_of_our_log_is_looked_at_before_its_list_is_kept() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let there = format!("https://{}", silent.local_addr().unwrap());
    let county = Beginning::with_partner_at(&there).await;
    let ca = dev::ca(code(GUANGDONG)).unwrap();
    let ca = Ca::from_pem(ca.certificate, ca.key).unwrap();
    let month = Validity::days(SystemClock.now(), 30);
    let newest = county
        .ours
        .sign(county.held + 7, merkle::leaf_hash(b"newer"));
    let told = pb::RelayHello {
        crl: ca.crl(1_000, &[], month).unwrap().into_bytes().into(),
        checkpoint: note(&newest),
        ..hello()
    };
    let opened = Line::open(&county.endpoint, COUNTY, GUANGDONG, told);
    let opened = tokio::time::timeout(Duration::from_secs(10), opened).await;
    let refused = opened.expect("the hello waits for the list").err().unwrap();
    assert_eq!(RefusedFor::of(&refused), Some(RefusedFor::RolledBack));
    county.writing.await.unwrap().unwrap_err();
    let node = county.starting.await.unwrap().unwrap();
    assert_eq!(node.log().checkpoint().size(), county.held);
    let LogHealth::Closed { why } = node.log().health() else {
        panic!("it takes writes");
    };
    assert!(matches!(*why, Closure::Disowned { .. }), "{why}");
    node.stop().await;
}
