//! What a principal may ask for: refused with the quota's name and when to come back, slowed where numbers are tried out,
//! written down once, and never at the cost of others. Real TLS, real stores, a clock that the tests turn.

mod unpaid;

use crate::common::{counted::Counted, heard, leads, world};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tonic::{Code, Status, transport::Channel};
use world::{COUNTY, GUANGDONG, channel, count, eager, entries, until, within};
use yichuan::{
    access::{Attempt, AttemptReport, Grounds, Purpose, QuotaReport, Quotas},
    cli::demo::cluster::{Cluster, Member, grounds},
    domain::{Clock, EntryId, LeadFields, RecordId, Timestamp},
    entry::{Cause, Consultation, Entry, Kind},
    log::Log,
    node::Node,
    rpc::pb::{
        self, audit_client::AuditClient, partners_client::PartnersClient,
        records_client::RecordsClient,
    },
    telemetry::SystemClock,
};

/// The system's clock, so many milliseconds ahead.
#[derive(Debug, Default)]
struct Ahead(AtomicU64);

impl Ahead {
    fn forward(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemClock.now().millis() + self.0.load(Ordering::SeqCst))
    }
}

struct World {
    _dir: tempfile::TempDir,
    cluster: Cluster,
    counted: Counted,
    clock: Arc<Ahead>,
}

/// The county and Guangdong, both with these quotas.
async fn world(quotas: Quotas) -> World {
    let counted = Counted::start();
    heard::install();
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(Ahead::default());
    let cluster = Cluster::start_with(dir.path(), &[COUNTY, GUANGDONG], eager(), |config| {
        config.quotas = quotas;
        Arc::clone(&clock) as Arc<dyn Clock>
    })
    .await
    .unwrap();
    cluster.introduce().await.unwrap();
    World {
        _dir: dir,
        cluster,
        counted,
        clock,
    }
}

impl World {
    fn dial(&self, who: &str) -> Channel {
        let endpoint = &self.cluster.member(COUNTY).config.listen.endpoint;
        channel(endpoint, COUNTY, COUNTY, who)
    }

    fn log(&self, node: &str) -> &Log {
        self.cluster.member(node).node.log()
    }

    /// Stops the county and starts it again, without its partner.
    async fn restarted(self) -> (tempfile::TempDir, Member) {
        let mut members = self.cluster.into_members();
        for member in &members {
            member.node.stop().await;
        }
        members.truncate(1);
        let county = members.remove(0);
        let (config, clock) = (county.config, self.clock as Arc<dyn Clock>);
        drop(county.node);
        let node = Node::start_with(&config, clock, eager()).await.unwrap();
        let county = Member {
            config,
            node,
            ..county
        };
        (self._dir, county)
    }
}

/// Searches for the `n`th person. True where somebody was found.
async fn search(channel: Channel, n: usize) -> Result<bool, Status> {
    let request = pb::ListRecordsRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: Some(grounds(COUNTY, Purpose::Screening)),
        resident_number: leads::resident_number(n),
        ..Default::default()
    };
    let listed = within(RecordsClient::new(channel).list_records(request)).await?;
    Ok(!listed.into_inner().records.is_empty())
}

async fn list(channel: Channel) -> Result<(), Status> {
    let request = pb::ListRecordsRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: Some(grounds(COUNTY, Purpose::Screening)),
        ..Default::default()
    };
    within(RecordsClient::new(channel).list_records(request)).await?;
    Ok(())
}

/// Pushes leads; the verdicts, and how the stream ended where it ended badly.
async fn push(channel: Channel, leads: Vec<LeadFields>) -> (Vec<pb::Verdict>, Option<Status>) {
    let requests = (1..).zip(leads).map(|(row, lead)| pb::PushRecordsRequest {
        grounds: Some(grounds(COUNTY, Purpose::Screening)),
        row,
        content: Some(pb::Lead::from(&lead).into()),
    });
    let requests: Vec<_> = requests.collect();
    let pushing = RecordsClient::new(channel)
        .push_records(tokio_stream::iter(requests))
        .await;
    let mut verdicts = match pushing {
        Ok(verdicts) => verdicts.into_inner(),
        Err(status) => return (Vec::new(), Some(status)),
    };
    let mut said = Vec::new();
    loop {
        match within(verdicts.message()).await {
            Ok(Some(verdict)) => said.push(verdict.verdict()),
            Ok(None) => return (said, None),
            Err(status) => return (said, Some(status)),
        }
    }
}

fn leads(many: std::ops::Range<usize>) -> Vec<LeadFields> {
    many.map(|n| leads::fields(n, GUANGDONG)).collect()
}

/// The refusal names the quota and says when to come back.
fn exhausted(status: &Status, quota: &str) -> u64 {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.message().contains(quota), "{status:?}");
    let after = status.metadata().get("retry-after").unwrap();
    assert!(!status.details().is_empty());
    after.to_str().unwrap().parse().unwrap()
}

fn reports(log: &Log) -> Vec<QuotaReport> {
    let entries = entries(log).into_iter();
    entries
        .filter_map(|entry| match entry.kind {
            Kind::QuotaReached(report) => Some(report),
            _ => None,
        })
        .collect()
}

fn is_report(kind: &Kind) -> bool {
    matches!(kind, Kind::QuotaReached(_))
}

#[tokio::test]
async fn a_quota_that_is_used_up_names_itself_and_is_written_down_once() {
    let world = world(Quotas {
        calls_per_minute: 5,
        ..Quotas::default()
    })
    .await;
    let officer = world.dial("officer-001");
    for _ in 0..5 {
        list(officer.clone()).await.unwrap();
    }
    let size = world.log(COUNTY).checkpoint().size();
    for _ in 0..20 {
        let refused = list(officer.clone()).await.unwrap_err();
        let after = exhausted(&refused, "calls_per_minute");
        assert!((1..=12).contains(&after), "{after}");
        assert!(refused.message().contains('5'), "{refused:?}");
    }
    // Whoever asks under another name is answered.
    list(world.dial("officer-002")).await.unwrap();

    until(world.log(COUNTY), 1, is_report).await;
    let reports = reports(world.log(COUNTY));
    assert_eq!(reports.len(), 1);
    let report = &reports[0];
    assert_eq!(report.quota.as_str(), "calls_per_minute");
    assert_eq!(
        report.principal.to_string(),
        "spiffe://520624.yichuan/officer/001"
    );
    assert!(report.refused && report.limit == 5 && report.window_s == 60);
    // Twenty refusals cost two entries: that one, and the other officer's consultation.
    assert_eq!(world.log(COUNTY).checkpoint().size(), size + 2);
    assert!(
        world
            .counted
            .of("yichuan_quota_refusals_total{quota=\"calls_per_minute\"}")
            >= 20
    );

    world.clock.forward(12);
    list(officer).await.unwrap();
}

#[tokio::test]
async fn trying_out_numbers_is_slowed_refused_and_written_down_also_across_a_restart() {
    let world = world(Quotas {
        misses_per_hour: 1,
        ..Quotas::default()
    })
    .await;
    let officer = world.dial("officer-001");
    // Somebody who is there is no miss.
    assert!(push(officer.clone(), leads(7..8)).await.1.is_none());
    assert!(search(officer.clone(), 7).await.unwrap());
    assert!(!search(officer.clone(), 1).await.unwrap());
    let refused = search(officer.clone(), 2).await.unwrap_err();
    assert!(exhausted(&refused, "misses_per_hour") <= 3_600);
    // The same person again is not another.
    assert!(!search(officer.clone(), 1).await.unwrap());
    search(world.dial("officer-002"), 7).await.unwrap();
    // What is no search goes on.
    list(officer.clone()).await.unwrap();

    let of_001 = |report: &QuotaReport| report.principal.to_string().ends_with("officer/001");
    until(world.log(COUNTY), 3, is_report).await;
    let said: Vec<_> = reports(world.log(COUNTY))
        .into_iter()
        .filter(of_001)
        .collect();
    assert_eq!(said.len(), 2);
    assert!(!said[0].refused && said[1].refused);
    assert_eq!((said[1].counted, said[1].limit), (1, 1));
    for leaf in world::leaves(world.log(COUNTY)) {
        let text = String::from_utf8_lossy(&leaf);
        assert!((1..8).all(|n| !text.contains(&leads::resident_number(n))));
    }

    let clock = Arc::clone(&world.clock);
    let (_dir, county) = world.restarted().await;
    let officer = channel(
        &county.config.listen.endpoint,
        COUNTY,
        COUNTY,
        "officer-001",
    );
    let refused = search(officer.clone(), 2).await.unwrap_err();
    exhausted(&refused, "misses_per_hour");
    let said: Vec<_> = reports(county.node.log())
        .into_iter()
        .filter(of_001)
        .collect();
    assert_eq!(said.len(), 2, "reported again in the same window");
    clock.forward(3_600);
    assert!(!search(officer, 2).await.unwrap());
    county.node.stop().await;
}

#[tokio::test]
async fn while_one_is_slowed_others_and_its_own_other_calls_go_on() {
    let world = world(Quotas {
        searches_per_hour: 5,
        ..Quotas::default()
    })
    .await;
    let officer = world.dial("officer-001");
    let asking = |n| search(officer.clone(), n);
    // The first is answered at once; the last of these waits for seconds, as the next one would for too long.
    asking(0).await.unwrap();
    let slow = async { tokio::join!(asking(1), asking(2), asking(3)) };
    let others = async {
        let refused = asking(4).await.unwrap_err();
        exhausted(&refused, "searches_per_hour");
        list(officer.clone()).await.unwrap();
        let officer = world.dial("officer-002");
        list(officer.clone()).await.unwrap();
        search(officer.clone(), 0).await.unwrap();
        assert!(push(officer, leads(0..3)).await.1.is_none());
    };
    tokio::pin!(slow);
    tokio::select! {
        biased;
        _ = &mut slow => panic!("seven seconds of waiting were over first"),
        () = others => {}
    }
    let (one, two, three) = slow.await;
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
}

#[tokio::test]
async fn a_sheet_that_comes_too_fast_goes_at_a_steady_rate_and_is_taken_whole() {
    let world = world(Quotas {
        pushed_per_minute: 120,
        ..Quotas::default()
    })
    .await;
    let slowed = "yichuan_quota_slowed_total{quota=\"pushed_per_minute\"}";
    let before = world.counted.of(slowed);
    let (verdicts, ended) = push(world.dial("officer-001"), leads(0..123)).await;
    assert!(ended.is_none(), "{ended:?}");
    assert_eq!(verdicts, [pb::Verdict::Accept; 123]);
    assert!(world.counted.of(slowed) >= before + 2);
    assert!(reports(world.log(COUNTY)).is_empty());
}

#[tokio::test]
async fn a_days_share_of_pushes_ends_the_stream_and_keeps_what_came_before() {
    let world = world(Quotas {
        pushed_per_day: 3,
        ..Quotas::default()
    })
    .await;
    let (verdicts, ended) = push(world.dial("officer-001"), leads(0..10)).await;
    assert_eq!(verdicts, [pb::Verdict::Accept; 3]);
    assert!(exhausted(&ended.unwrap(), "pushed_per_day") <= 8 * 3_600);
    let sent = |kind: &Kind| matches!(kind, Kind::DispatchSent(_));
    assert_eq!(count(world.log(COUNTY), sent), 3);
    let (verdicts, ended) = push(world.dial("officer-002"), leads(3..5)).await;
    assert_eq!((verdicts.len(), ended.is_none()), (2, true));
}

#[tokio::test]
async fn what_a_number_stands_for_cannot_be_found_out_by_pushing() {
    let world = world(Quotas {
        conflicts_per_hour: 2,
        ..Quotas::default()
    })
    .await;
    let officer = world.dial("officer-001");
    assert!(push(officer.clone(), leads(0..1)).await.1.is_none());
    let guesses = (1..10).map(|n| LeadFields {
        number: leads::fields(0, GUANGDONG).number,
        ..leads::fields(n, GUANGDONG)
    });
    let (verdicts, ended) = push(officer.clone(), guesses.collect()).await;
    assert_eq!(verdicts, [pb::Verdict::Reject; 2]);
    exhausted(&ended.unwrap(), "conflicts_per_hour");
    // The same lead again is no guess.
    let (verdicts, ended) = push(officer, leads(0..1)).await;
    assert_eq!(
        (verdicts, ended.is_none()),
        (vec![pb::Verdict::Duplicate], true)
    );
}

#[tokio::test]
async fn streams_have_their_number_and_give_it_back() {
    let world = world(Quotas {
        streams: 2,
        ..Quotas::default()
    })
    .await;
    let watch = async |who| {
        let request = pb::WatchRecordsRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(COUNTY, Purpose::Assistance)),
            after_index: None,
        };
        let mut client = RecordsClient::new(world.dial(who));
        within(client.watch_records(request)).await
    };
    let first = watch("officer-001").await.unwrap();
    let _second = watch("officer-001").await.unwrap();
    let refused = watch("officer-001").await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().contains("quotas.streams"), "{refused:?}");
    watch("officer-002").await.unwrap();
    drop(first);
    // The node learns of it by a frame of its own.
    within(async {
        while watch("officer-001").await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_partner_that_sends_too_much_in_a_day_waits_and_loses_nothing() {
    let world = world(Quotas {
        dispatches_per_day: 2,
        ..Quotas::default()
    })
    .await;
    let received = |kind: &Kind| matches!(kind, Kind::DispatchReceived(_));
    let guangdong = world.log(GUANGDONG);
    for n in 0..2 {
        assert!(
            push(world.dial("officer-001"), leads(n..n + 1))
                .await
                .1
                .is_none()
        );
        until(guangdong, n + 1, received).await;
    }
    assert!(
        push(world.dial("officer-001"), leads(2..3))
            .await
            .1
            .is_none()
    );
    until(guangdong, 1, is_report).await;
    let report = reports(guangdong).remove(0);
    assert_eq!(report.principal.to_string(), "spiffe://520624.yichuan/node");
    assert_eq!(count(guangdong, received), 2);

    world.clock.forward(12 * 3_600);
    until(guangdong, 3, received).await;
    within(world.cluster.settled()).await.unwrap();
}

#[tokio::test]
async fn a_long_page_spends_as_much_as_the_short_ones_that_it_holds() {
    let world = world(Quotas {
        calls_per_minute: 15,
        ..Quotas::default()
    })
    .await;
    let mut records = RecordsClient::new(world.dial("officer-001"));
    let ask = |limit| pb::ListRecordsRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: Some(grounds(COUNTY, Purpose::Screening)),
        limit,
        ..pb::ListRecordsRequest::default()
    };
    records.list_records(ask(1_000)).await.unwrap();
    let refused = records.list_records(ask(1_000)).await.unwrap_err();
    exhausted(&refused, "calls_per_minute");
    // What was refused has spent its call.
    for _ in 0..4 {
        records.list_records(ask(100)).await.unwrap();
    }
    let refused = records.list_records(ask(1)).await.unwrap_err();
    exhausted(&refused, "calls_per_minute");
}

#[tokio::test]
async fn a_denied_call_spends_too() {
    let world = world(Quotas {
        calls_per_minute: 3,
        ..Quotas::default()
    })
    .await;
    let mut admin = PartnersClient::new(world.dial("auditor-001"));
    let ask = || pb::ListPartnersRequest { grounds: None };
    for _ in 0..3 {
        let denied = admin.list_partners(ask()).await.unwrap_err();
        assert_eq!(denied.code(), Code::PermissionDenied);
    }
    let refused = admin.list_partners(ask()).await.unwrap_err();
    exhausted(&refused, "calls_per_minute");
    tokio::time::timeout(
        Duration::from_secs(30),
        until(world.log(COUNTY), 1, is_report),
    )
    .await
    .unwrap();
}

fn is_trace(kind: &Kind) -> bool {
    matches!(kind, Kind::Consulted { .. })
}

async fn show(channel: Channel, lead_id: &str, basis: &str) -> Result<u64, Status> {
    let request = pb::ShowRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: Some(pb::Grounds {
            basis: basis.to_owned(),
            ..grounds(COUNTY, Purpose::Screening)
        }),
        record_id: lead_id.to_owned(),
        ..Default::default()
    };
    let shown = within(RecordsClient::new(channel).show_record(request)).await?;
    Ok(shown.into_inner().consulted_index)
}

#[tokio::test]
async fn regression_the_same_look_again_within_a_minute_is_one_entry() {
    let world = world(Quotas::default()).await;
    let (log, officer) = (world.log(COUNTY), world.dial("officer-001"));
    assert!(push(officer.clone(), leads(0..2)).await.1.is_none());
    within(world.cluster.settled()).await.unwrap();
    let listing = pb::ListRecordsRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: Some(grounds(COUNTY, Purpose::Screening)),
        ..Default::default()
    };
    let listed = RecordsClient::new(officer.clone())
        .list_records(listing)
        .await;
    let ids: Vec<_> = listed.unwrap().into_inner().records;
    let [one, other] = [&ids[0].record_id, &ids[1].record_id];
    let before = count(log, is_trace);
    let campaign = "campaign:520624-2026-01";
    let first = show(officer.clone(), one, campaign).await.unwrap();
    for _ in 0..20 {
        list(officer.clone()).await.unwrap();
        let again = show(officer.clone(), one, campaign).await.unwrap();
        assert_eq!(again, first);
    }
    assert_eq!(count(log, is_trace), before + 1);
    // Another record, basis, person or minute is another look; and so is a search for somebody else who is not there.
    show(officer.clone(), other, campaign).await.unwrap();
    show(officer.clone(), one, "campaign:520624-2026-02")
        .await
        .unwrap();
    show(world.dial("officer-002"), one, campaign)
        .await
        .unwrap();
    for n in [5, 6, 5, 6] {
        assert!(!search(officer.clone(), n).await.unwrap());
    }
    assert_eq!(count(log, is_trace), before + 6);
    world.clock.forward(60);
    let later = show(officer.clone(), one, campaign).await.unwrap();
    assert!(later > first);
    assert_eq!(count(log, is_trace), before + 7);
}

/// What came in after the entry of a look was read under it: by the log, before it was there.
#[tokio::test]
async fn regression_a_look_at_what_has_changed_meanwhile_is_another() {
    let world = world(Quotas::default()).await;
    let (log, officer) = (world.log(COUNTY), world.dial("officer-001"));
    assert!(push(officer.clone(), leads(0..1)).await.1.is_none());
    within(world.cluster.settled()).await.unwrap();
    let listing = || pb::ListRecordsRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: Some(grounds(COUNTY, Purpose::Screening)),
        ..Default::default()
    };
    let mut records = RecordsClient::new(officer.clone());
    let lead = records.list_records(listing()).await.unwrap().into_inner();
    let (lead, campaign) = (&lead.records[0].record_id, "campaign:520624-2026-01");
    let standing = || pb::ShowRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: Some(grounds(COUNTY, Purpose::Screening)),
        record_id: lead.clone(),
        standing_only: true,
        ..Default::default()
    };
    let mut looked = async || {
        let listed = records.list_records(listing()).await.unwrap().into_inner();
        let stands = records.show_record(standing()).await.unwrap().into_inner();
        let shown = show(officer.clone(), lead, campaign).await.unwrap();
        [listed.consulted_index, stands.consulted_index, shown]
    };
    let first = looked().await;
    assert_eq!(looked().await, first);
    // The partner signs for it.
    let endpoint = &world.cluster.member(GUANGDONG).config.listen.endpoint;
    let theirs = channel(endpoint, GUANGDONG, GUANGDONG, "officer-001");
    let answer = pb::ActOnRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: Some(grounds(GUANGDONG, Purpose::Screening)),
        record_id: lead.clone(),
        action: pb::Action::LeadSign.into(),
        ..Default::default()
    };
    RecordsClient::new(theirs)
        .act_on_record(answer)
        .await
        .unwrap();
    within(world.cluster.settled()).await.unwrap();
    let received = |kind: &Kind| matches!(kind, Kind::DispatchReceived(_));
    let came = entries(log).iter().rposition(|it| received(&it.kind));
    let came = u64::try_from(came.unwrap()).unwrap();
    let second = looked().await;
    assert!(second.iter().all(|look| *look > came), "{second:?} {came}");
    // And so is one at what was assigned meanwhile.
    let assign = pb::AssignRecordRequest {
        grounds: Some(grounds(COUNTY, Purpose::Screening)),
        record_id: lead.clone(),
        assignee: "officer/001".into(),
    };
    let mut supervisor = RecordsClient::new(world.dial("supervisor-001"));
    let assigned = supervisor.assign_record(assign).await.unwrap();
    let assigned = assigned.into_inner().log_index;
    let third = looked().await;
    assert!(third[0] > assigned && third[2] > assigned, "{third:?}");
}

#[tokio::test]
async fn regression_what_reading_adds_to_the_log_in_a_day_is_bounded() {
    let limit = 4_096;
    let world = world(Quotas {
        logged_bytes_per_day: limit,
        ..Quotas::default()
    })
    .await;
    let (log, officer) = (world.log(COUNTY), world.dial("officer-001"));
    let bytes = || -> usize {
        let traces = entries(log)
            .into_iter()
            .filter(|entry| is_trace(&entry.kind));
        traces.map(|entry| entry.encode().len()).sum()
    };
    let mut refused = None;
    for _ in 0..1_000 {
        // Beyond the minute in which it is the same look.
        world.clock.forward(60);
        if let Err(status) = list(officer.clone()).await {
            refused = Some(status);
            break;
        }
    }
    let after = exhausted(&refused.unwrap(), "logged_bytes_per_day");
    assert!(after <= 86_400);
    // And what the time since then gave back.
    let most = usize::try_from(limit).unwrap() * 5 / 4;
    assert!(bytes() <= most, "{}", bytes());
    until(log, 1, is_report).await;
    assert_eq!(reports(log)[0].quota.as_str(), "logged_bytes_per_day");
    // Others read on, and pushing has a quota of its own.
    list(world.dial("officer-002")).await.unwrap();
    assert!(push(officer, leads(0..2)).await.1.is_none());
}

fn attempts(log: &Log) -> Vec<AttemptReport> {
    let entries = entries(log).into_iter();
    entries
        .filter_map(|entry| match entry.kind {
            Kind::AttemptRefused(report) => Some(report),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn regression_who_tries_what_they_may_not_is_in_the_log_once_an_hour() {
    let world = world(Quotas::default()).await;
    let (log, admin) = (world.log(COUNTY), world.dial("admin-001"));
    let is_attempt = |kind: &Kind| matches!(kind, Kind::AttemptRefused(_));
    for _ in 0..30 {
        let refused = list(admin.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    until(log, 1, is_attempt).await;
    let unknown = "0198c6de-7f3a-7cc0-b0f3-0123456789ab";
    let officer = world.dial("officer-001");
    let refused = show(officer, unknown, "campaign:520624-2026-01").await;
    assert_eq!(refused.unwrap_err().code(), Code::NotFound);
    until(log, 2, is_attempt).await;
    let said: Vec<_> = attempts(log)
        .into_iter()
        .map(|it| (it.principal.to_string(), it.attempt, it.counted))
        .collect();
    let of = |who: &str| format!("spiffe://520624.yichuan/{who}");
    assert_eq!(
        said,
        [
            (of("admin/001"), Attempt::Role, 1),
            (of("officer/001"), Attempt::NotFound, 1)
        ]
    );
    // An hour later the next one says how many there were.
    world.clock.forward(3_600);
    list(admin).await.unwrap_err();
    until(log, 3, is_attempt).await;
    assert_eq!(attempts(log)[2].counted, 30);
}

#[tokio::test]
async fn regression_an_auditors_look_at_the_log_is_an_entry_and_ends_when_they_are_taken_off_the_list()
 {
    let world = world(Quotas::default()).await;
    let (log, auditor) = (world.log(COUNTY), world.dial("auditor-001"));
    // More than a connection takes in before it is read.
    for _ in 0..8 {
        let big = yichuan::log::Proposal::new(|txn| {
            for _ in 0..100 {
                let now = txn.now();
                let entry = Entry {
                    time: now,
                    id: EntryId::new(now),
                    cause: Cause {
                        principal: "spiffe://520624.yichuan/officer/001".parse().unwrap(),
                        grounds: Some(
                            Grounds::parse("screening", "campaign:520624-2026-01").unwrap(),
                        ),
                    },
                    kind: Kind::Consulted {
                        how: Consultation::List,
                        records: (0..1_000).map(|_| RecordId::new(now)).collect(),
                        overridden: false,
                    },
                };
                txn.append(entry.encode())?;
            }
            Ok::<_, yichuan::log::TxnError>(())
        });
        log.propose(big).await.unwrap();
    }
    let size = log.checkpoint().size();
    let replay = pb::ReplayRequest {
        grounds: Some(grounds(COUNTY, Purpose::Audit)),
        from: 0,
        to: 0,
    };
    let is_look = |kind: &Kind| match kind {
        Kind::Consulted { how, .. } => {
            *how == Consultation::Log {
                first: 0,
                count: size,
            }
        }
        _ => false,
    };
    let mut audit = AuditClient::new(auditor);
    let mut leaves = audit.replay(replay.clone()).await.unwrap().into_inner();
    leaves.message().await.unwrap().unwrap();
    assert_eq!(count(log, is_look), 1);
    let county = world.cluster.member(COUNTY);
    let mut config = county.config.clone();
    config.access.auditors.clear();
    county.node.reload(&config).await.unwrap();
    let mut read = 0;
    let ended = loop {
        match within(leaves.message()).await {
            Ok(Some(some)) => read += some.leaves.len(),
            Ok(None) => break None,
            Err(status) => break Some(status),
        }
    };
    assert_eq!(ended.unwrap().code(), Code::PermissionDenied);
    assert!(read < usize::try_from(size).unwrap());
    let refused = audit.replay(replay).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}
