//! Real nodes on loopback, and what tests ask of them.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};
use tonic::transport::Channel;
use yichuan::{
    access::Purpose,
    audit::LogVerifier,
    cli::demo::cluster::{Cluster, grounds},
    domain::{Jurisdiction, LeadFields, Rules},
    entry::{Entry, Kind},
    exchange::CourierOptions,
    log::Log,
    note::SignedCheckpoint,
    rpc::pb,
    store::{Order, Row},
    telemetry::SystemClock,
    tls::{Authority, Ca, Credentials, Dialer, EndpointUrl, NodeCard, TrustStore, dev},
};

pub(crate) const COUNTY: &str = "520624";
pub(crate) const GUANGDONG: &str = "440000";
pub(crate) const ZHEJIANG: &str = "330000";

/// No wait in these tests is longer.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("it did not happen in time")
}

/// A courier that tries again at once, as a test wants it.
pub(crate) fn eager() -> CourierOptions {
    CourierOptions {
        retry_min: Duration::from_millis(10),
        retry_max: Duration::from_millis(100),
        ..CourierOptions::default()
    }
}

pub(crate) fn code(text: &str) -> Jurisdiction {
    text.parse().unwrap()
}

pub(crate) async fn start(dir: &Path, codes: &[&str], waits: CourierOptions) -> Cluster {
    super::heard::install();
    Cluster::start(dir, codes, waits).await.unwrap()
}

pub(crate) async fn cluster(dir: &Path, codes: &[&str]) -> Cluster {
    let cluster = start(dir, codes, eager()).await;
    cluster.introduce().await.unwrap();
    cluster
}

/// The leads of the sample sheet that point to a province.
pub(crate) fn leads_to(province: &str) -> Vec<LeadFields> {
    let partners: BTreeSet<_> = [code(GUANGDONG), code(ZHEJIANG)].into();
    let rules = Rules {
        own: code(COUNTY),
        partners: &partners,
        today: jiff::civil::date(2026, 11, 23),
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/screening-sample.xlsx");
    let sheet = yichuan::intake::Sheet::open(&path).unwrap();
    yichuan::intake::check(sheet, &rules)
        .filter_map(|row| row.parsed)
        .filter(|parsed| parsed.route == code(province))
        .map(|parsed| parsed.record.to_fields())
        .collect()
}

fn authority(of: Jurisdiction) -> Authority {
    Authority::parse(dev::ca(of).unwrap().certificate.as_bytes()).unwrap()
}

/// A dialer that shows a development certificate, and trusts the node of `target`.
pub(crate) fn dialer(of: &str, identity: &str, target: &str) -> Arc<Dialer> {
    let identity = dev::identity(code(of), identity).unwrap();
    let credentials =
        Credentials::from_pem(identity.certificate.as_bytes(), identity.key.as_bytes()).unwrap();
    let mut trust = TrustStore::new(authority(code(of)), None).unwrap();
    if of != target {
        trust = trust.with(authority(code(target)), None).unwrap();
    }
    Dialer::new(
        Arc::new(credentials),
        Arc::new(trust),
        Arc::new(SystemClock),
    )
    .unwrap()
}

pub(crate) fn channel(endpoint: &EndpointUrl, target: &str, of: &str, identity: &str) -> Channel {
    dialer(of, identity, target).connect(endpoint, code(target))
}

/// A card of a development jurisdiction for a log and an address of the test's choice.
pub(crate) fn card(of: &str, vkey: &str, endpoint: &EndpointUrl) -> NodeCard {
    let ca = dev::ca(code(of)).unwrap();
    let facts = yichuan::tls::CardFacts {
        name: ca.name,
        endpoint,
        vkey,
    };
    let ca = Ca::from_pem(ca.certificate, ca.key).unwrap();
    NodeCard::make(&ca, &facts, &SystemClock).unwrap()
}

/// Makes the card's jurisdiction a partner of the node at `endpoint`.
pub(crate) async fn introduce(endpoint: &EndpointUrl, node: &str, card: &NodeCard) {
    let grounds = grounds(node, Purpose::Supervision);
    let admin = channel(endpoint, node, node, "admin-001");
    pb::partners_client::PartnersClient::new(admin)
        .propose_partner(pb::ProposePartnerRequest {
            grounds: Some(grounds.clone()),
            card: card.as_str().as_bytes().to_vec().into(),
        })
        .await
        .unwrap();
    let supervisor = channel(endpoint, node, node, "supervisor-001");
    pb::partners_client::PartnersClient::new(supervisor)
        .approve_partner(pb::ApprovePartnerRequest {
            grounds: Some(grounds),
            jurisdiction: card.jurisdiction().to_string(),
            fingerprint: card.fingerprint().to_string(),
            ..pb::ApprovePartnerRequest::default()
        })
        .await
        .unwrap();
}

/// Pushes leads at a node as its officer; every one is accepted.
pub(crate) async fn push(endpoint: &EndpointUrl, node: &str, leads: &[LeadFields]) -> Vec<Pushed> {
    let requests: Vec<_> = (1..)
        .zip(leads)
        .map(|(row, lead)| pb::PushRecordsRequest {
            grounds: Some(grounds(node, Purpose::Screening)),
            row,
            content: Some(pb::Lead::from(lead).into()),
        })
        .collect();
    let officer = channel(endpoint, node, node, "officer-001");
    let mut verdicts = pb::records_client::RecordsClient::new(officer)
        .push_records(tokio_stream::iter(requests))
        .await
        .unwrap()
        .into_inner();
    let mut pushed = Vec::new();
    while let Some(verdict) = verdicts.message().await.unwrap() {
        assert_eq!(verdict.verdict, pb::Verdict::Accept as i32);
        pushed.push(Pushed {
            lead_id: verdict.record_id,
            index: verdict.log_index,
        });
    }
    assert_eq!(pushed.len(), leads.len());
    pushed
}

/// A lead that is durable at its node.
#[derive(Clone, Debug)]
pub(crate) struct Pushed {
    pub(crate) lead_id: String,
    pub(crate) index: u64,
}

/// What a lead's summary says at its origin.
pub(crate) async fn show(
    endpoint: &EndpointUrl,
    node: &str,
    lead_id: &str,
) -> pb::ShowRecordResponse {
    let officer = channel(endpoint, node, node, "officer-001");
    pb::records_client::RecordsClient::new(officer)
        .show_record(pb::ShowRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: Some(grounds(node, Purpose::Screening)),
            record_id: lead_id.to_owned(),
            override_assignment: false,
            standing_only: false,
        })
        .await
        .unwrap()
        .into_inner()
}

/// All entries of a log, as they were written.
pub(crate) fn entries(log: &Log) -> Vec<Entry> {
    leaves(log)
        .iter()
        .map(|leaf| Entry::decode(leaf).unwrap())
        .collect()
}

pub(crate) fn leaves(log: &Log) -> Vec<Vec<u8>> {
    let found = log.reader().entries(0, usize::MAX, usize::MAX).unwrap();
    found.into_iter().map(|(_, leaf)| leaf).collect()
}

pub(crate) fn count(log: &Log, wanted: impl Fn(&Kind) -> bool) -> usize {
    entries(log).iter().filter(|e| wanted(&e.kind)).count()
}

/// Waits until the log has so many entries of a kind.
pub(crate) async fn until(log: &Log, many: usize, wanted: impl Fn(&Kind) -> bool) {
    within(async {
        let mut published = log.subscribe();
        loop {
            published.mark_unchanged();
            if count(log, &wanted) >= many {
                return;
            }
            published.changed().await.unwrap();
        }
    })
    .await;
}

/// A receipt for the dispatch at `index`.
pub(crate) fn receipt_for(index: u64) -> impl Fn(&Kind) -> bool {
    move |kind| matches!(kind, Kind::ReceiptLogged { sent_index, .. } if *sent_index == index)
}

/// A refusal of the dispatch at `index`.
pub(crate) fn refusal_for(index: u64) -> impl Fn(&Kind) -> bool {
    move |kind| matches!(kind, Kind::RefusalLogged { sent_index, .. } if *sent_index == index)
}

pub(crate) fn is_evidence(kind: &Kind) -> bool {
    matches!(kind, Kind::EvidenceKept { .. })
}

/// Recomputes the log from its leaves and compares with what it signed.
pub(crate) fn verify(log: &Log) -> SignedCheckpoint {
    let checkpoint = log.checkpoint();
    let mut verifier = LogVerifier::new();
    let size = usize::try_from(checkpoint.size()).unwrap();
    for (_, leaf) in log.reader().entries(0, size, usize::MAX).unwrap() {
        verifier.push(&leaf).unwrap();
    }
    verifier.finish(&checkpoint).unwrap().checkpoint().clone()
}

/// All rows of services between two prefixes.
pub(crate) fn rows(log: &Log, from: u8, to: u8) -> Vec<Row> {
    log.reader()
        .range(&[from], &[to], Order::Ascending, usize::MAX)
        .unwrap()
}

/// Everything that a node keeps: its log, but for who tried what they may not, and every row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    entries: Vec<Entry>,
    rows: Vec<Row>,
}

pub(crate) fn kept(log: &Log) -> Kept {
    Kept {
        entries: entries(log)
            .into_iter()
            .filter(|entry| !matches!(entry.kind, Kind::AttemptRefused(_)))
            .collect(),
        rows: rows(log, 0x10, 0x80),
    }
}

/// A lead from the county to Zhejiang gets its receipt: others are not held up.
pub(crate) async fn honest_traffic_flows(cluster: &Cluster, lead: &LeadFields) {
    let county = cluster.member(COUNTY);
    let endpoint = &county.config.listen.endpoint;
    let pushed = push(endpoint, COUNTY, std::slice::from_ref(lead)).await;
    until(county.node.log(), 1, receipt_for(pushed[0].index)).await;
}

/// Drafts a card as an admin of the node.
pub(crate) async fn propose(
    endpoint: &EndpointUrl,
    node: &str,
    card: &NodeCard,
) -> Result<pb::PartnerSummary, tonic::Status> {
    let admin = channel(endpoint, node, node, "admin-001");
    let proposed = pb::partners_client::PartnersClient::new(admin)
        .propose_partner(pb::ProposePartnerRequest {
            grounds: Some(grounds(node, Purpose::Supervision)),
            card: card.as_str().as_bytes().to_vec().into(),
        })
        .await?;
    Ok(proposed.into_inner())
}

/// Approves a drafted card as a supervisor of the node, who names these changes and accepts this log.
pub(crate) async fn approve(
    endpoint: &EndpointUrl,
    node: &str,
    card: &NodeCard,
    (changes, accept_new_log): (&[&str], &str),
) -> Result<pb::PartnerSummary, tonic::Status> {
    let approved = partners_as(endpoint, node, "supervisor-001")
        .approve_partner(pb::ApprovePartnerRequest {
            grounds: Some(grounds(node, Purpose::Supervision)),
            jurisdiction: card.jurisdiction().to_string(),
            fingerprint: card.fingerprint().to_string(),
            changes: changes.iter().map(|it| (*it).to_owned()).collect(),
            accept_new_log: accept_new_log.to_owned(),
        })
        .await?;
    Ok(approved.into_inner())
}

pub(crate) fn partners_as(
    endpoint: &EndpointUrl,
    node: &str,
    who: &str,
) -> pb::partners_client::PartnersClient<Channel> {
    pb::partners_client::PartnersClient::new(channel(endpoint, node, node, who))
}

pub(crate) async fn listed(endpoint: &EndpointUrl, node: &str, of: &str) -> pb::PartnerSummary {
    let listed = partners_as(endpoint, node, "supervisor-001")
        .list_partners(pb::ListPartnersRequest {
            grounds: Some(grounds(node, Purpose::Supervision)),
        })
        .await
        .unwrap();
    let mut partners = listed.into_inner().partners.into_iter();
    partners
        .find(|it| it.jurisdiction == of && it.state != pb::PartnerState::Draft as i32)
        .unwrap()
}
