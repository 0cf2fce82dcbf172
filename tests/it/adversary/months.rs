//! Purge months are the sender's word, and bounded.

use super::{
    hostile::{Forger, Line, hello},
    world::{COUNTY, GUANGDONG, count, eager, introduce, leads_to, verify},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use yichuan::{
    cli::demo::cluster::Cluster,
    domain::{Clock, Timestamp},
    entry::Kind,
    rpc::pb,
    seal::PurgeMonth,
    telemetry::SystemClock,
};

/// The system's clock, so many seconds behind.
#[derive(Debug)]
struct Behind(AtomicU64);

impl Clock for Behind {
    fn now(&self) -> Timestamp {
        let behind = self.0.load(Ordering::SeqCst) * 1000;
        Timestamp::from_millis(SystemClock.now().millis() - behind)
    }
}

/// Regression: a month was looked at only where the node had no keys of it yet, so one that was over was still taken if
/// something had come for it in time.
#[tokio::test]
async fn regression_a_month_that_is_over_is_not_taken_though_its_keys_are_there() {
    const DAYS: u64 = 40 * 86_400;
    super::heard::install();
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(Behind(AtomicU64::new(DAYS)));
    let cluster = Cluster::start_with(dir.path(), &[COUNTY], eager(), |_| {
        Arc::clone(&clock) as Arc<dyn Clock>
    })
    .await
    .unwrap();
    let county = cluster.member(COUNTY);
    let (log, endpoint) = (county.node.log(), &county.config.listen.endpoint);
    let mut forger = Forger::new(GUANGDONG);
    introduce(
        endpoint,
        COUNTY,
        &forger.card(&"https://127.0.0.1:1".parse().unwrap()),
    )
    .await;
    let mut leads = leads_to(GUANGDONG);
    for fields in &mut leads {
        fields.destination_code = COUNTY.to_owned();
        fields.destination_place.clear();
    }
    let now = clock.now();
    let month = PurgeMonth::years_after(now, 0);
    let mut line = Line::open(endpoint, COUNTY, GUANGDONG, hello())
        .await
        .unwrap();
    for (nth, lead) in leads[..2].iter().enumerate() {
        let parcel = forger.lead_but(COUNTY, lead, |entry, sent| {
            entry.time = now;
            sent.terms.purge_month = month;
        });
        let answers = line.deliver(&forger, &[parcel]).await;
        let received = |kind: &Kind| matches!(kind, Kind::DispatchReceived(_));
        // By our clock alone it is over, and that may be wrong: it is not refused for good either.
        let untimely = answers.answers[0].not_yet() == pb::NotYet::Untimely;
        assert_eq!((count(log, received), untimely), (1, nth == 1));
        // The month ends.
        clock.0.store(0, Ordering::SeqCst);
    }
    verify(log);
    cluster.stop().await;
}
