//! Logs that running nodes wrote, against the auditor's own machine: what is honest must pass.

use std::{collections::BTreeSet, error::Error, path::Path};
use tempfile::TempDir;
use yichuan::{
    access::Purpose,
    audit::{
        ExportedLog, ExportedTree, Inspection, Inspector, Reconciler, Reconciliation, TileWriter,
        Trusted, VerifiedLog, entries, feed, verify_export,
    },
    cli::demo::cluster::{Cluster, grounds},
    domain::{Jurisdiction, Parsed, Rules},
    exchange::CourierOptions,
    note::VerifierKey,
    rpc::pb,
    tls::Cards,
};

const COUNTY: &str = "520624";
const PROVINCES: [&str; 2] = ["440000", "330000"];

fn leads(most: usize) -> Vec<pb::Lead> {
    let partners: BTreeSet<Jurisdiction> = PROVINCES.map(|code| code.parse().unwrap()).into();
    let rules = Rules {
        own: COUNTY.parse().unwrap(),
        partners: &partners,
        today: jiff::civil::date(2026, 11, 23),
    };
    let sheet = Path::new("tests/data/screening-sample.xlsx");
    yichuan::intake::check(yichuan::intake::Sheet::open(sheet).unwrap(), &rules)
        .filter_map(|row| {
            let Parsed { record: lead, .. } = row.parsed?;
            Some(pb::Lead::from(&lead.to_fields()))
        })
        .take(most)
        .collect()
}

async fn push(cluster: &Cluster, leads: Vec<pb::Lead>) {
    let channel = cluster.channel(COUNTY, COUNTY, "officer-001").unwrap();
    let mut records = pb::records_client::RecordsClient::new(channel);
    let requests: Vec<_> = (1..)
        .zip(leads)
        .map(|(row, lead)| pb::PushRecordsRequest {
            grounds: Some(grounds(COUNTY, Purpose::Screening)),
            row,
            content: Some(lead.into()),
        })
        .collect();
    let pushed = records.push_records(tokio_stream::iter(requests)).await;
    let mut verdicts = pushed.unwrap().into_inner();
    while let Some(verdict) = verdicts.message().await.unwrap() {
        assert_eq!(verdict.verdict, pb::Verdict::Accept as i32);
    }
}

/// A province reads its inbox, and signs for the first lead in it.
async fn answer(cluster: &Cluster, province: &str) {
    let channel = cluster.channel(province, province, "officer-001").unwrap();
    let mut records = pb::records_client::RecordsClient::new(channel);
    let grounds = grounds(province, Purpose::Screening);
    let inbox = records
        .list_records(pb::ListRecordsRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: Some(grounds.clone()),
            direction: pb::Direction::Received.into(),
            limit: 100,
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    records
        .act_on_record(pb::ActOnRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: Some(grounds),
            record_id: inbox.records[0].record_id.clone(),
            action: pb::Action::LeadSign.into(),
            ..Default::default()
        })
        .await
        .unwrap();
}

/// A node's log as its auditor holds it.
struct Export {
    dir: TempDir,
    key: VerifierKey,
    log: VerifiedLog,
    tree: ExportedTree,
}

impl Export {
    async fn of(cluster: &Cluster, code: &str) -> Self {
        let member = cluster.member(code);
        let log = member.node.log();
        let head = log.checkpoint();
        let count = usize::try_from(head.size()).unwrap();
        let leaves = log.read(move |reader| reader.entries(0, count, usize::MAX));
        let dir = tempfile::tempdir().unwrap();
        let mut writer = TileWriter::create(dir.path()).unwrap();
        for (_, leaf) in leaves.await.unwrap().unwrap() {
            writer.push(&leaf).unwrap();
        }
        writer.finish(&head).unwrap();
        let key = member.vkey.parse().unwrap();
        let log = verify_export(dir.path(), &key, |_, _| {}).unwrap();
        let tree = ExportedTree::new(dir.path(), log.size());
        Self {
            dir,
            key,
            log,
            tree,
        }
    }

    fn leaves(&self) -> impl Iterator<Item = Result<Vec<u8>, Box<dyn Error>>> + use<> {
        entries(self.dir.path(), self.log.size()).map(|leaf| leaf.map_err(Box::from))
    }

    fn inspect(&self) -> Inspection {
        let trusted = Trusted {
            key: self.key.clone(),
            partners: Vec::new(),
        };
        let mut inspector = Inspector::new(trusted, &Cards)
            .unwrap()
            .with_tree(&self.tree);
        for leaf in self.leaves() {
            inspector.push(&leaf.unwrap()).unwrap();
        }
        inspector.finish(self.log.checkpoint()).unwrap()
    }

    fn reconcile(&self, other: &Self) -> Reconciliation {
        let exports = [self, other].map(|export| ExportedLog {
            key: &export.key,
            size: export.log.size(),
            tree: &export.tree,
        });
        let mut reconciler = Reconciler::new(&exports[0], &exports[1]).unwrap();
        feed(&mut reconciler, self.leaves(), other.leaves()).unwrap();
        reconciler
            .finish(self.log.checkpoint(), other.log.checkpoint())
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_running_nodes_write_passes_inspection_and_reconciles() {
    let dir = tempfile::tempdir().unwrap();
    let codes = [COUNTY, PROVINCES[0], PROVINCES[1]];
    let cluster = Cluster::start(dir.path(), &codes, CourierOptions::default())
        .await
        .unwrap();
    cluster.introduce().await.unwrap();
    push(&cluster, leads(40)).await;
    cluster.settled().await.unwrap();
    for province in PROVINCES {
        answer(&cluster, province).await;
    }
    cluster.settled().await.unwrap();

    let county = Export::of(&cluster, COUNTY).await;
    let report = county.inspect();
    assert!(report.is_clean(), "{:?}", report.defects);
    assert!(report.remarks.is_empty(), "{:?}", report.remarks);
    let told = (report.dispatches_sent, report.receipts, report.received);
    assert_eq!(told, (40, 40, 2));
    assert!(report.unanswered.is_empty());

    let (mut sent, mut answered) = (0, 0);
    for province in PROVINCES {
        let province = Export::of(&cluster, province).await;
        let report = province.inspect();
        assert!(report.is_clean(), "{:?}", report.defects);
        assert_eq!(report.consultations.len(), 1, "the inbox was read");
        let both = county.reconcile(&province);
        assert!(
            both.differences.is_empty() && both.pending.is_empty(),
            "{both:?}"
        );
        assert_eq!(both.a_to_b.received, both.a_to_b.sent);
        assert_eq!(both.b_to_a.received, 1);
        sent += both.a_to_b.sent;
        answered += both.b_to_a.sent;
    }
    assert_eq!((sent, answered), (40, 2));
    cluster.stop().await;
}
