//! Clocks that are an hour off, and one that jumps: nobody's clock moves anybody else's entries or deadlines, the skew is
//! seen on both sides, and what is dated absurdly waits until the clocks agree.

use crate::common::{heard, world};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use world::{
    COUNTY, GUANGDONG, ZHEJIANG, channel, count, eager, entries, leads_to, push, receipt_for, show,
    until, verify, within,
};
use yichuan::{
    access::Purpose,
    cli::demo::cluster::{Cluster, grounds},
    domain::{Clock, Timestamp},
    entry::Kind,
    exchange::CourierOptions,
    log::Log,
    node::Node,
    rpc::pb::{self, partners_client::PartnersClient, records_client::RecordsClient},
    telemetry::{Readiness, SystemClock},
};

const HOUR: i64 = 3_600;

/// The system's clock, off by so many seconds.
#[derive(Debug, Default)]
struct Off(AtomicI64);

impl Off {
    fn by(seconds: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(seconds)))
    }
}

impl Clock for Off {
    fn now(&self) -> Timestamp {
        let millis = self.0.load(Ordering::SeqCst) * 1000;
        Timestamp::from_millis(SystemClock.now().millis().saturating_add_signed(millis))
    }
}

/// The county keeps true time; the others are off.
async fn world(dir: &tempfile::TempDir, others: &[(&str, i64)]) -> Cluster {
    heard::install();
    let codes: Vec<&str> = [COUNTY]
        .into_iter()
        .chain(others.iter().map(|o| o.0))
        .collect();
    let cluster = Cluster::start_with(dir.path(), &codes, eager(), |config| {
        let off = others.iter().find(|o| o.0 == config.jurisdiction.as_str());
        Off::by(off.map_or(0, |off| off.1)) as Arc<dyn Clock>
    })
    .await
    .unwrap();
    cluster.introduce().await.unwrap();
    cluster
}

async fn ahead(cluster: &Cluster, node: &str, partner: &str) -> Option<i64> {
    let endpoint = &cluster.member(node).config.listen.endpoint;
    let mut client = PartnersClient::new(channel(endpoint, node, node, "officer-001"));
    let grounds = Some(grounds(node, Purpose::Screening));
    let listed = client
        .list_partners(pb::ListPartnersRequest { grounds })
        .await
        .unwrap()
        .into_inner();
    let partner = listed
        .partners
        .into_iter()
        .find(|p| p.jurisdiction == partner);
    partner.unwrap().clock_ahead_s
}

fn is_near(seconds: Option<i64>, expected: i64) -> bool {
    seconds.is_some_and(|seconds| (seconds - expected).abs() < 120)
}

/// Entry times never decrease, and are those of the node's own clock.
fn keeps_its_own_time(log: &Log, off: i64) {
    let now = SystemClock.now().millis().saturating_add_signed(off * 1000);
    let times: Vec<_> = entries(log)
        .iter()
        .map(|entry| entry.time.millis())
        .collect();
    assert!(times.is_sorted());
    assert!(
        times.iter().all(|time| time.abs_diff(now) < 120_000),
        "{times:?} at {now}"
    );
    verify(log);
}

#[tokio::test]
async fn an_hour_apart_they_exchange_and_each_keeps_its_own_time_and_deadlines() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = world(&dir, &[(GUANGDONG, HOUR), (ZHEJIANG, -HOUR)]).await;
    let county = cluster.member(COUNTY);
    for there in [GUANGDONG, ZHEJIANG] {
        push(
            &county.config.listen.endpoint,
            COUNTY,
            &leads_to(there)[..1],
        )
        .await;
    }
    within(cluster.settled()).await.unwrap();

    // A referral from each to the county: the county's own entry decides until when it signs.
    let mut signs = Vec::new();
    for there in [GUANGDONG, ZHEJIANG] {
        let endpoint = &cluster.member(there).config.listen.endpoint;
        let mut client = RecordsClient::new(channel(endpoint, there, there, "officer-001"));
        let request = pb::OpenReferralRequest {
            grounds: Some(grounds(there, Purpose::Case)),
            kind: pb::RecordKind::Assistance.into(),
            to: COUNTY.into(),
            referral: Some(pb::Referral {
                title: "协查".into(),
                matter: "请协助核查住处。".into(),
                ..Default::default()
            }),
            urgency: pb::Urgency::Urgent.into(),
            handling: pb::Handling::H0.into(),
        };
        let opened = within(client.open_referral(request)).await.unwrap();
        signs.push(opened.into_inner().record_id);
    }
    within(cluster.settled()).await.unwrap();
    let endpoint = &county.config.listen.endpoint;
    let mut client = RecordsClient::new(channel(endpoint, COUNTY, COUNTY, "officer-001"));
    let listed = client
        .list_records(pb::ListRecordsRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(COUNTY, Purpose::Assistance)),
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    let in_eight_hours = SystemClock.now().plus_seconds(8 * 3_600).millis();
    for id in &signs {
        let referral = listed.records.iter().find(|r| r.record_id == *id).unwrap();
        assert!(
            referral.due_ms.abs_diff(in_eight_hours) < 120_000,
            "{referral:?}"
        );
        assert_eq!(referral.obliged, COUNTY);
    }

    for (node, off) in [(COUNTY, 0), (GUANGDONG, HOUR), (ZHEJIANG, -HOUR)] {
        keeps_its_own_time(cluster.member(node).node.log(), off);
    }
    assert!(is_near(ahead(&cluster, COUNTY, GUANGDONG).await, HOUR));
    assert!(is_near(ahead(&cluster, COUNTY, ZHEJIANG).await, -HOUR));
    assert!(is_near(ahead(&cluster, GUANGDONG, COUNTY).await, -HOUR));
    // Nothing went between these two: they have greeted each other.
    assert!(is_near(
        ahead(&cluster, GUANGDONG, ZHEJIANG).await,
        -2 * HOUR
    ));
    cluster.stop().await;
}

fn is_refusal(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::DispatchRefused { .. } | Kind::RefusalLogged { .. }
    )
}

/// The county is a month behind, and knows it by its partners. What they send waits, and is taken when its clock is right.
#[tokio::test]
async fn regression_a_recipient_whose_clock_is_wrong_refuses_nothing_for_good_and_is_told_that_it_is_its_own()
 {
    heard::install();
    let dir = tempfile::tempdir().unwrap();
    let clock = Off::by(-30 * 24 * HOUR);
    let waits = CourierOptions {
        again_min: Duration::from_millis(10),
        again_max: Duration::from_millis(50),
        ..eager()
    };
    let codes = [COUNTY, GUANGDONG, ZHEJIANG];
    let cluster = Cluster::start_with(dir.path(), &codes, waits, |config| {
        match config.jurisdiction.as_str() {
            COUNTY => Arc::clone(&clock) as Arc<dyn Clock>,
            _ => Off::by(0),
        }
    })
    .await
    .unwrap();
    cluster.introduce().await.unwrap();
    let county = cluster.member(COUNTY);
    let mut sent = Vec::new();
    for there in [GUANGDONG, ZHEJIANG] {
        let mut fields = leads_to(there).remove(0);
        fields.destination_code = COUNTY.to_owned();
        fields.destination_place.clear();
        let endpoint = &cluster.member(there).config.listen.endpoint;
        let pushed = push(endpoint, there, &[fields]).await;
        sent.push((there, pushed[0].clone()));
    }
    for (there, lead) in &sent {
        let endpoint = &cluster.member(there).config.listen.endpoint;
        within(async {
            while show(endpoint, there, &lead.lead_id)
                .await
                .summary
                .unwrap()
                .put_off
                != "untimely"
            {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    // The one whose clock is wrong is told so, and nobody else.
    let Readiness::Warned(warnings) = (county.node.probe())() else {
        panic!("it does not know");
    };
    assert!(
        warnings[0].contains("behind those of 2 of 2 partners"),
        "{warnings:?}"
    );
    assert_eq!((cluster.member(GUANGDONG).node.probe())(), Readiness::Ready);

    clock.0.store(0, Ordering::SeqCst);
    for (there, lead) in &sent {
        let log = cluster.member(there).node.log();
        until(log, 1, receipt_for(lead.index)).await;
        assert_eq!(count(log, is_refusal), 0);
    }
    assert_eq!(count(county.node.log(), is_refusal), 0);
    verify(county.node.log());
    cluster.stop().await;
}

#[tokio::test]
async fn a_clock_that_jumps_back_an_hour_does_not_turn_the_log_back() {
    heard::install();
    let dir = tempfile::tempdir().unwrap();
    let clock = Off::by(0);
    let cluster = Cluster::start_with(dir.path(), &[COUNTY, GUANGDONG], eager(), |_| {
        Arc::clone(&clock) as Arc<dyn Clock>
    })
    .await
    .unwrap();
    cluster.introduce().await.unwrap();
    let endpoint = cluster.member(COUNTY).config.listen.endpoint.clone();
    let mut leads = leads_to(GUANGDONG).into_iter();
    push(&endpoint, COUNTY, &[leads.next().unwrap()]).await;
    clock.0.store(-HOUR, Ordering::SeqCst);
    push(&endpoint, COUNTY, &[leads.next().unwrap()]).await;
    within(cluster.settled()).await.unwrap();

    // Nor on the next start.
    cluster.stop().await;
    let mut members = cluster.into_members();
    members.truncate(1);
    let county = members.remove(0);
    let config = county.config;
    drop(county.node);
    let node = Node::start_with(&config, clock, eager()).await.unwrap();
    push(&endpoint, COUNTY, &[leads.next().unwrap()]).await;
    let times: Vec<_> = entries(node.log()).iter().map(|entry| entry.time).collect();
    assert!(times.is_sorted(), "{times:?}");
    verify(node.log());
    node.stop().await;
}
