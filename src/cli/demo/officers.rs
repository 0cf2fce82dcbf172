//! What the officers of the story do, each over the wire with a certificate of their own.

use super::{
    cluster::{Cluster, grounds},
    places::{COUNTY, GUANGDONG, ZHEJIANG},
};
use crate::domain::Clock as _;
use crate::{
    access::Purpose,
    domain::{Lang, Rules},
    intake::{self, Verdict},
    rpc::{RefusedFor, pb},
    telemetry::SystemClock,
};
use anyhow::{Context as _, bail};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};
use tonic::{Code, Status};

pub(super) type Records = pb::records_client::RecordsClient<tonic::transport::Channel>;

pub(super) fn records(
    cluster: &Cluster,
    node: &str,
    of: &str,
    who: &str,
) -> anyhow::Result<Records> {
    Ok(Records::new(cluster.channel(node, of, who)?))
}

/// What became of a sheet.
#[derive(Debug, Default)]
pub(super) struct Pushed {
    pub(super) rows: usize,
    pub(super) accepted: usize,
    pub(super) duplicates: usize,
    pub(super) skipped: usize,
    /// Rejected rows: sheet row, column, code.
    pub(super) rejected: Vec<(u32, String, &'static str)>,
    pub(super) to: BTreeMap<String, usize>,
    pub(super) took: Duration,
}

/// The county's officer checks a sheet and pushes what is fit.
pub(super) async fn push(cluster: &Cluster, sheet: &Path) -> anyhow::Result<Pushed> {
    let partners: BTreeSet<_> = [GUANGDONG, ZHEJIANG]
        .into_iter()
        .filter_map(|c| c.parse().ok())
        .collect();
    let rules = Rules {
        own: COUNTY.parse()?,
        partners: &partners,
        today: SystemClock.now().shanghai_date(),
    };
    let mut pushed = Pushed::default();
    let mut requests = Vec::new();
    for row in intake::check(intake::Sheet::open(sheet)?, &rules) {
        pushed.rows += 1;
        match (row.verdict, row.parsed) {
            (Verdict::Accept, Some(parsed)) => {
                *pushed.to.entry(parsed.route.to_string()).or_default() += 1;
                requests.push(pb::PushRecordsRequest {
                    grounds: Some(grounds(COUNTY, Purpose::Screening)),
                    row: u64::from(row.place.row),
                    content: Some(pb::Lead::from(&parsed.record.to_fields()).into()),
                });
            }
            (Verdict::Duplicate, _) => pushed.duplicates += 1,
            (Verdict::Skip, _) => pushed.skipped += 1,
            (Verdict::Reject | Verdict::Accept, _) => {
                let first = row.findings.iter().find(|f| !f.is_warning());
                let finding = first.context("a rejected row has a finding")?;
                let column = finding
                    .column
                    .map(|c| c.header_zh().to_owned())
                    .unwrap_or_default();
                pushed
                    .rejected
                    .push((row.place.row, column, finding.code.as_str()));
            }
        }
    }
    let mut records = records(cluster, COUNTY, COUNTY, "officer-001")?;
    let started = SystemClock.now().millis();
    let mut verdicts = records
        .push_records(tokio_stream::iter(requests))
        .await?
        .into_inner();
    while let Some(verdict) = verdicts.message().await? {
        match pb::Verdict::try_from(verdict.verdict) {
            Ok(pb::Verdict::Accept) => pushed.accepted += 1,
            Ok(pb::Verdict::Duplicate) => pushed.duplicates += 1,
            Ok(pb::Verdict::Reject | pb::Verdict::Unspecified) | Err(_) => {
                bail!(
                    "the node rejects row {}, which the sheet's check accepted",
                    verdict.row
                )
            }
        }
    }
    pushed.took = Duration::from_millis(SystemClock.now().millis().saturating_sub(started));
    Ok(pushed)
}

/// What the provinces' officers did.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) waiting: BTreeMap<&'static str, usize>,
    /// Signed for and assessed as verified, at Guangdong.
    pub(super) verified: String,
    /// Returned, at Zhejiang.
    pub(super) returned: String,
}

async fn inbox(cluster: &Cluster, code: &str) -> anyhow::Result<Vec<pb::RecordSummary>> {
    let mut records = records(cluster, code, code, "officer-001")?;
    let request = pb::ListRecordsRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: Some(grounds(code, Purpose::Screening)),
        direction: pb::Direction::Received.into(),
        states: vec![pb::RecordState::Delivered.into()],
        limit: 1000,
        ..Default::default()
    };
    Ok(records.list_records(request).await?.into_inner().records)
}

/// The provinces read and answer: one lead verified, one returned, all others signed for.
pub(super) async fn read_and_answer(cluster: &Cluster) -> anyhow::Result<Read> {
    let mut waiting = BTreeMap::new();
    let mut first = BTreeMap::new();
    for code in [GUANGDONG, ZHEJIANG] {
        let leads = inbox(cluster, code).await?;
        waiting.insert(code, leads.len());
        let mut records = records(cluster, code, code, "officer-001")?;
        let grounds = grounds(code, Purpose::Screening);
        for (at, lead) in leads.iter().enumerate() {
            let mut answer = pb::ActOnRecordRequest {
                family: pb::RecordFamily::Lead.into(),
                grounds: Some(grounds.clone()),
                record_id: lead.record_id.clone(),
                action: pb::Action::LeadSign.into(),
                ..Default::default()
            };
            if at == 0 && code == ZHEJIANG {
                answer.action = pb::Action::LeadReturn.into();
                answer.return_reason = pb::ReturnReason::NotCompetent.into();
                answer.note = "人员已迁往他省".into();
            }
            records.act_on_record(answer).await?;
        }
        let lead = leads
            .first()
            .context("an inbox is empty")?
            .record_id
            .clone();
        if code == GUANGDONG {
            records
                .show_record(pb::ShowRecordRequest {
                    family: pb::RecordFamily::Lead.into(),
                    grounds: Some(grounds.clone()),
                    record_id: lead.clone(),
                    override_assignment: false,
                    standing_only: false,
                })
                .await?;
            records
                .act_on_record(pb::ActOnRecordRequest {
                    family: pb::RecordFamily::Lead.into(),
                    grounds: Some(grounds),
                    record_id: lead.clone(),
                    action: pb::Action::LeadAssess.into(),
                    outcome: pb::AssessmentOutcome::Verified.into(),
                    note: "线索属实，已立案侦查".into(),
                    ..Default::default()
                })
                .await?;
        }
        first.insert(code, lead);
    }
    Ok(Read {
        waiting,
        verified: first.remove(GUANGDONG).unwrap_or_default(),
        returned: first.remove(ZHEJIANG).unwrap_or_default(),
    })
}

/// What the county sees of two leads: their state, and the receipts it holds.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) lead_id: String,
    pub(super) state: pb::RecordState,
    pub(super) receipt: pb::ReceiptSummary,
    pub(super) consulted_index: u64,
}

/// The county's officer looks at what became of the two leads.
pub(super) async fn seen_by_county(cluster: &Cluster, read: &Read) -> anyhow::Result<Vec<Seen>> {
    let mut records = records(cluster, COUNTY, COUNTY, "officer-001")?;
    let mut seen = Vec::new();
    for lead_id in [&read.verified, &read.returned] {
        let request = pb::ShowRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: Some(grounds(COUNTY, Purpose::Screening)),
            record_id: lead_id.clone(),
            override_assignment: false,
            standing_only: false,
        };
        let shown = records.show_record(request).await?.into_inner();
        let summary = shown.summary.context("a summary")?;
        let receipt = shown
            .events
            .into_iter()
            .find_map(|e| e.receipt)
            .context("a receipt")?;
        seen.push(Seen {
            lead_id: lead_id.clone(),
            state: summary.state(),
            receipt,
            consulted_index: shown.consulted_index,
        });
    }
    Ok(seen)
}

/// Something that was tried and must be refused.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) zh: &'static str,
    pub(super) en: &'static str,
    said: String,
    reason: Option<RefusedFor>,
}

impl Refused {
    /// In Chinese where there are words for it, else in the node's own.
    pub(super) fn said(&self, lang: Lang) -> &str {
        match self.reason.filter(|_| lang == Lang::Zh) {
            Some(reason) => reason.label(Lang::Zh),
            None => &self.said,
        }
    }
}

/// What was tried was refused, and as it should be.
pub(super) fn refused(
    zh: &'static str,
    en: &'static str,
    tried: Result<(), Status>,
) -> anyhow::Result<Refused> {
    match tried {
        Err(status)
            if status.code() == Code::PermissionDenied || status.code() == Code::NotFound =>
        {
            Ok(Refused {
                zh,
                en,
                said: status.message().to_owned(),
                reason: RefusedFor::of(&status),
            })
        }
        Err(status) => bail!(
            "{en}: refused, but as {:?}: {}",
            status.code(),
            status.message()
        ),
        Ok(()) => bail!("{en}: was not refused"),
    }
}

/// Tries what nobody may do.
pub(super) async fn refusals(cluster: &Cluster, read: &Read) -> anyhow::Result<Vec<Refused>> {
    let show = |of: &'static str, grounds| pb::ShowRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds,
        record_id: if of == ZHEJIANG {
            read.verified.clone()
        } else {
            read.returned.clone()
        },
        override_assignment: false,
        standing_only: false,
    };
    let mut all = Vec::new();
    let mut own = records(cluster, COUNTY, COUNTY, "officer-001")?;
    let tried = own.show_record(show(COUNTY, None)).await.map(drop);
    all.push(refused(
        "不说明用途和依据就查看",
        "reading without purpose and basis",
        tried,
    )?);

    let mut foreign = records(cluster, COUNTY, ZHEJIANG, "officer-001")?;
    let tried = foreign
        .show_record(show(ZHEJIANG, Some(grounds(ZHEJIANG, Purpose::Screening))))
        .await;
    all.push(refused(
        "浙江民警查看发往广东的线索",
        "an officer of Zhejiang opening a lead that went to Guangdong",
        tried.map(drop),
    )?);

    let mut foreign = records(cluster, COUNTY, GUANGDONG, "officer-001")?;
    let tried = foreign
        .act_on_record(pb::ActOnRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: Some(grounds(GUANGDONG, Purpose::Screening)),
            record_id: read.verified.clone(),
            action: pb::Action::LeadSign.into(),
            ..Default::default()
        })
        .await;
    all.push(refused(
        "广东民警在思南节点上代为签收",
        "an officer of Guangdong answering at Sinan's node",
        tried.map(drop),
    )?);

    let mut auditor = records(cluster, COUNTY, COUNTY, "auditor-001")?;
    let request = pb::PushRecordsRequest {
        grounds: Some(grounds(COUNTY, Purpose::Audit)),
        row: 1,
        content: Some(pb::Lead::default().into()),
    };
    let tried = auditor.push_records(tokio_stream::iter([request])).await;
    all.push(refused(
        "审计人员推送线索",
        "an auditor pushing leads",
        tried.map(drop),
    )?);
    Ok(all)
}
