//! Three nodes, real TLS, real stores: leads go out, are answered, and are proved.

use std::{collections::BTreeSet, path::Path};
use yichuan::{
    access::Purpose,
    cli::demo::cluster::{Cluster, grounds},
    domain::{Parsed, Rules},
    exchange::CourierOptions,
    rpc::pb,
};

#[path = "../../examples/push_and_follow.rs"]
#[allow(dead_code, reason = "its `main` is for whoever runs the example")]
mod push_and_follow;

const COUNTY: &str = "520624";
const GUANGDONG: &str = "440000";
const ZHEJIANG: &str = "330000";

fn sample() -> Vec<(u64, pb::Lead)> {
    let partners: BTreeSet<_> = [GUANGDONG, ZHEJIANG].map(|c| c.parse().unwrap()).into();
    let rules = Rules {
        own: COUNTY.parse().unwrap(),
        partners: &partners,
        today: jiff::civil::date(2026, 11, 23),
    };
    let sheet =
        yichuan::intake::Sheet::open(Path::new("tests/data/screening-sample.xlsx")).unwrap();
    yichuan::intake::check(sheet, &rules)
        .filter_map(|row| {
            let Parsed { record: lead, .. } = row.parsed?;
            Some((u64::from(row.place.row), pb::Lead::from(&lead.to_fields())))
        })
        .collect()
}

async fn push(cluster: &Cluster, leads: &[(u64, pb::Lead)]) -> Vec<pb::PushRecordsResponse> {
    let channel = cluster.channel(COUNTY, COUNTY, "officer-001").unwrap();
    let mut records = pb::records_client::RecordsClient::new(channel);
    let grounds = grounds(COUNTY, Purpose::Screening);
    let requests: Vec<_> = leads
        .iter()
        .map(|(row, lead)| pb::PushRecordsRequest {
            grounds: Some(grounds.clone()),
            row: *row,
            content: Some(lead.clone().into()),
        })
        .collect();
    let mut verdicts = records
        .push_records(tokio_stream::iter(requests))
        .await
        .unwrap()
        .into_inner();
    let mut all = Vec::new();
    while let Some(verdict) = verdicts.message().await.unwrap() {
        all.push(verdict);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sheet_goes_out_and_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(
        dir.path(),
        &[COUNTY, GUANGDONG, ZHEJIANG],
        CourierOptions::default(),
    )
    .await
    .unwrap();
    cluster.introduce().await.unwrap();
    let leads = sample();
    assert_eq!(leads.len(), 188);
    let verdicts = push(&cluster, &leads).await;
    assert!(
        verdicts
            .iter()
            .all(|v| v.verdict == pb::Verdict::Accept as i32)
    );
    cluster.settled().await.unwrap();

    // The same sheet again changes nothing.
    let before = cluster.member(COUNTY).node.log().checkpoint().size();
    let again = push(&cluster, &leads).await;
    assert!(
        again
            .iter()
            .all(|v| v.verdict == pb::Verdict::Duplicate as i32)
    );
    assert_eq!(
        verdicts.iter().map(|v| &v.record_id).collect::<Vec<_>>(),
        again.iter().map(|v| &v.record_id).collect::<Vec<_>>()
    );
    assert_eq!(
        cluster.member(COUNTY).node.log().checkpoint().size(),
        before
    );

    // Guangdong lists, opens, signs and assesses.
    let channel = cluster
        .channel(GUANGDONG, GUANGDONG, "officer-001")
        .unwrap();
    let mut records = pb::records_client::RecordsClient::new(channel);
    let grounds_there = grounds(GUANGDONG, Purpose::Screening);
    let inbox = records
        .list_records(pb::ListRecordsRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: Some(grounds_there.clone()),
            direction: pb::Direction::Received.into(),
            limit: 1000,
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert!(!inbox.records.is_empty());
    let lead_id = inbox.records[0].record_id.clone();
    let answer = |action: pb::Action, outcome: pb::AssessmentOutcome| {
        let request = pb::ActOnRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: Some(grounds_there.clone()),
            record_id: lead_id.clone(),
            action: action.into(),
            outcome: outcome.into(),
            ..Default::default()
        };
        let mut records = records.clone();
        async move { records.act_on_record(request).await }
    };
    answer(pb::Action::LeadSign, pb::AssessmentOutcome::Unspecified)
        .await
        .unwrap();
    answer(pb::Action::LeadSign, pb::AssessmentOutcome::Unspecified)
        .await
        .unwrap_err();
    answer(pb::Action::LeadAssess, pb::AssessmentOutcome::Verified)
        .await
        .unwrap();
    cluster.settled().await.unwrap();

    let channel = cluster.channel(COUNTY, COUNTY, "officer-001").unwrap();
    let mut county = pb::records_client::RecordsClient::new(channel);
    let shown = county
        .show_record(pb::ShowRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: Some(grounds(COUNTY, Purpose::Screening)),
            record_id: lead_id.clone(),
            override_assignment: false,
            standing_only: false,
        })
        .await
        .unwrap()
        .into_inner();
    let summary = shown.summary.unwrap();
    assert_eq!(summary.state, pb::RecordState::Assessed as i32);
    assert_eq!(summary.outcome, pb::AssessmentOutcome::Verified as i32);
    assert_eq!(shown.events.len(), 3);
    assert!(shown.events[0].receipt.is_some());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_pushes_a_lead_once_and_follows_it_to_its_receipt() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(dir.path(), &[COUNTY, GUANGDONG], CourierOptions::default())
        .await
        .unwrap();
    cluster.introduce().await.unwrap();
    let county = cluster.member(COUNTY);
    let node = county.config.listen.endpoint.as_str();
    let certificates = county.dir.join("certs");
    let run = || push_and_follow::push_and_follow(node, &certificates, "officer-001", GUANGDONG);
    let shown = run().await.unwrap();
    let again = run().await.unwrap();
    let receipt = shown.events[0].receipt.as_ref().unwrap();
    assert_eq!(receipt.partner_origin, "440000.yichuan/log/1");
    assert_eq!(again.events, shown.events);
    let lead = shown.summary.unwrap().record_id;
    assert_eq!(again.summary.unwrap().record_id, lead);
    cluster.stop().await;
}
