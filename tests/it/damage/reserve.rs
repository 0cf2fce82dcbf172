//! The disk's reserve: new records stop before the disk is full, and what is under way goes on.

use super::{
    full_disk::{SmallDisk, fetch, fill, serve_with_reserve},
    leads,
    processes::{DEADLINE, Home, Logs},
    stopped::{COUNTY, GUANGDONG, Stopped, push, stop},
};
use std::{fs, time::Duration};
use yichuan::{
    access::Purpose,
    log::failure_marker_file,
    rpc::{RefusedFor, pb},
};

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let asking = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while !is_so() {
            ticks.tick().await;
        }
    };
    let asked = tokio::time::timeout(DEADLINE, asking).await;
    assert!(asked.is_ok(), "never so: {what}");
}

/// Who pushes without end must not bring the node to where it can write nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_refuses_new_records_before_it_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(dir.path(), 48) else {
        return;
    };
    let ballast = disk.at.join("ballast");
    fs::write(&ballast, vec![7; 10 * 1024 * 1024]).unwrap();
    let home = Home::make(&disk.at, COUNTY);
    let away = Home::make(dir.path(), GUANGDONG);
    let process = serve_with_reserve(&home, 24);
    home.introduce(&away).await;
    let (mut pushed, mut last) = (0, None);
    let refused = loop {
        let (acknowledged, ended) = fill(&home, pushed).await;
        last = acknowledged.last().map(|(_, lead)| lead.clone()).or(last);
        pushed += 40;
        if let Some(status) = ended {
            break status;
        }
        assert!(pushed < 20_000, "the disk never filled");
    };
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted, "{refused}");
    assert_eq!(RefusedFor::of(&refused), Some(RefusedFor::DiskShort));
    let metrics = fetch(home.admin, "/metrics");
    assert!(metrics.contains("yichuan_log_closed 0"), "{metrics}");
    assert!(metrics.contains("yichuan_disk_short 1"), "{metrics}");
    // Who reads about a person leaves a trace, and there is room for it.
    let before = home.checkpoint().await.size();
    let show = pb::ShowRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: home.grounds(Purpose::Screening),
        record_id: last.unwrap(),
        ..pb::ShowRecordRequest::default()
    };
    home.records().show_record(show).await.unwrap();
    assert!(home.checkpoint().await.size() > before);

    // Room is made; nothing has to be started again.
    fs::remove_file(&ballast).unwrap();
    until("there is room again", || {
        fetch(home.admin, "/readyz").starts_with("HTTP/1.1 200")
    })
    .await;
    push(&home, vec![leads::lead(30_000, "440305")]).await;
    stop(process);
    assert!(!failure_marker_file(&home.config.data.join("checkpoint")).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_room_takes_receipts_and_leaves_deliveries_with_their_sender() {
    let stopped = Stopped::new().await;
    let (home, partner) = (&stopped.home, &stopped.partner);
    let process = home.serve(Logs::INFO);
    let pushed = push(home, vec![leads::lead(40, "440305")]).await;
    assert!(
        home.outbox().await.unwrap() > 3,
        "the partner is not up yet"
    );
    stop(process);

    // No disk has so much room.
    let process = serve_with_reserve(home, u32::MAX);
    let ready = fetch(home.admin, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    assert!(ready.contains("disk"), "{ready}");
    let there = partner.serve(Logs::INFO);
    // Three wait for somebody who is never up.
    let receipts =
        || fetch(home.admin, "/metrics").contains("yichuan_receipts_total{partner=\"440000\"} 1");
    until("the receipt is logged", receipts).await;
    assert_eq!(home.outbox().await.unwrap(), 3);
    let (_, refused) = fill(home, 50).await;
    assert_eq!(
        RefusedFor::of(&refused.unwrap()),
        Some(RefusedFor::DiskShort)
    );
    // Below half of it there is no room for traces: nobody reads without one.
    let before = home.checkpoint().await.size();
    let list = pb::ListRecordsRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: home.grounds(Purpose::Screening),
        ..pb::ListRecordsRequest::default()
    };
    let refused = home.records().list_records(list).await.unwrap_err();
    assert_eq!(RefusedFor::of(&refused), Some(RefusedFor::DiskShort));
    assert!(
        refused.message().contains("receipts and answers"),
        "{refused}"
    );
    let show = pb::ShowRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: home.grounds(Purpose::Screening),
        record_id: pushed[0].record_id.clone(),
        ..pb::ShowRecordRequest::default()
    };
    let refused = home.records().show_record(show).await.unwrap_err();
    assert_eq!(RefusedFor::of(&refused), Some(RefusedFor::DiskShort));
    assert_eq!(home.checkpoint().await.size(), before);

    push(partner, vec![leads::lead(60, COUNTY)]).await;
    there.wait_for("takes no more from this node for now");
    assert_eq!(partner.outbox().await.unwrap(), 1);
    stop(process);
    let process = home.serve(Logs::INFO);
    partner.drained().await;
    stop(process);
    stop(there);
}

/// Each of these is an entry too, and there is no end to them.
#[tokio::test(flavor = "multi_thread")]
async fn regression_drafts_assignments_and_steps_ask_for_room_too() {
    let stopped = Stopped::new().await;
    let home = &stopped.home;
    let process = home.serve(Logs::INFO);
    let pushed = push(home, vec![leads::lead(40, "440305")]).await;
    let referrals = || pb::records_client::RecordsClient::new(home.channel("officer-001"));
    let open = pb::OpenReferralRequest {
        grounds: home.grounds(Purpose::Case),
        kind: pb::RecordKind::Assistance.into(),
        to: GUANGDONG.into(),
        referral: Some(pb::Referral {
            title: "协查".into(),
            matter: "核实居住情况".into(),
            ..pb::Referral::default()
        }),
        urgency: pb::Urgency::Normal.into(),
        handling: pb::Handling::H0.into(),
    };
    let opened = referrals().open_referral(open).await.unwrap().into_inner();
    stop(process);

    // No disk has so much room.
    let process = serve_with_reserve(home, u32::MAX);
    let before = home.checkpoint().await.size();
    let channel = home.channel("supervisor-001");
    let assign = pb::AssignRecordRequest {
        grounds: home.grounds(Purpose::Case),
        record_id: pushed[0].record_id.clone(),
        assignee: "officer/001".to_owned(),
    };
    // It is not this node's to answer, which is asked later.
    let answer = pb::ActOnRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: home.grounds(Purpose::Case),
        record_id: pushed[0].record_id.clone(),
        action: pb::Action::LeadSign.into(),
        ..pb::ActOnRecordRequest::default()
    };
    let answered = home.records().act_on_record(answer).await.map(|_| ());
    let mut records = pb::records_client::RecordsClient::new(channel.clone());
    let assigned = records.assign_record(assign).await.map(|_| ());
    let recall = pb::ActOnRecordRequest {
        family: pb::RecordFamily::Referral.into(),
        grounds: home.grounds(Purpose::Case),
        record_id: opened.record_id,
        action: pb::Action::ReferralRecall.into(),
        note: "不再需要".to_owned(),
        ..pb::ActOnRecordRequest::default()
    };
    let recalled = referrals().act_on_record(recall).await.map(|_| ());
    let mut partners = pb::partners_client::PartnersClient::new(channel);
    // Not this very card: that one is approved.
    let mut moved = stopped.partner.clone();
    moved.config.listen.endpoint = "https://127.0.0.1:2".parse().unwrap();
    let propose = pb::ProposePartnerRequest {
        grounds: home.grounds(Purpose::Supervision),
        card: moved.card().as_str().as_bytes().to_vec().into(),
    };
    let proposed = partners.propose_partner(propose).await.map(|_| ());
    for done in [answered, assigned, recalled, proposed] {
        let refused = done.unwrap_err();
        assert_eq!(RefusedFor::of(&refused), Some(RefusedFor::DiskShort));
    }
    assert_eq!(home.checkpoint().await.size(), before);
    stop(process);
}
