//! What the officers of the story do with a lead that held: ask for assistance with it, and hand a case over.

use super::{
    cluster::Cluster,
    officers::{Refused, records, refused},
    places::{CASE, COUNTY, GUANGDONG, ZHEJIANG},
};
use crate::rpc::pb::{self, Action, RecordState, records_client::RecordsClient};
use anyhow::{Context as _, ensure};
use tonic::transport::Channel;

/// The assistance case as the two sides bring it to its end: whose node, what, and in which words.
const STEPS: [(&str, Action, &str); 10] = [
    (GUANGDONG, Action::ReferralSign, "已签收"),
    (
        GUANGDONG,
        Action::ReferralRequestSupplement,
        "请补充近三个月的资金流水要点",
    ),
    (
        COUNTY,
        Action::ReferralSupply,
        "近三个月每月末有同一账户汇入，金额相近",
    ),
    (GUANGDONG, Action::ReferralAccept, "受理，由禁毒支队办理"),
    (
        GUANGDONG,
        Action::ReferralProgress,
        "落脚点已核实，正在核对资金往来",
    ),
    (
        GUANGDONG,
        Action::ReferralFeedback,
        "落脚点属实，资金往来未见异常",
    ),
    (COUNTY, Action::ReferralDispute, "补充材料所述汇款未见说明"),
    (
        GUANGDONG,
        Action::ReferralFeedback,
        "重新核对：汇款来自涉案账户，材料已固定",
    ),
    (COUNTY, Action::ReferralConfirm, "结果清楚"),
    (COUNTY, Action::ReferralClose, "办结"),
];

/// A step that was taken.
#[derive(Debug)]
pub(super) struct Taken {
    /// At whose node.
    pub(super) node: &'static str,
    /// By whom there.
    pub(super) by: &'static str,
    pub(super) action: Action,
    /// Where the referral stood then.
    pub(super) state: RecordState,
    /// The step's entry in that node's log.
    pub(super) index: u64,
}

/// A referral that went its way.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) id: String,
    /// Leads that it carries.
    pub(super) leads: Vec<String>,
    pub(super) taken: Vec<Taken>,
    /// Of the steps, those of which the county holds Guangdong's receipt, and the other way round.
    pub(super) receipts: [usize; 2],
}

fn referrals(
    cluster: &Cluster,
    node: &str,
    of: &str,
    who: &str,
) -> anyhow::Result<RecordsClient<Channel>> {
    Ok(RecordsClient::new(cluster.channel(node, of, who)?))
}

/// Why: the county works on its case, its partners help.
fn grounds(of: &str, basis: String) -> Option<pb::Grounds> {
    let purpose = if of == COUNTY {
        pb::Purpose::Case
    } else {
        pb::Purpose::Assistance
    };
    Some(pb::Grounds {
        purpose: purpose.into(),
        basis,
    })
}

/// The same, on a referral.
fn about(of: &str, id: &str) -> Option<pb::Grounds> {
    grounds(of, format!("referral:{id}"))
}

async fn open(
    cluster: &Cluster,
    kind: pb::RecordKind,
    title: &str,
    matter: &str,
    leads: Vec<String>,
) -> anyhow::Result<(String, Taken)> {
    let request = pb::OpenReferralRequest {
        grounds: grounds(COUNTY, format!("case:{CASE}")),
        kind: kind.into(),
        to: "440300".into(),
        referral: Some(pb::Referral {
            title: title.into(),
            matter: matter.into(),
            case_number: CASE.into(),
            place_code: "440304".into(),
            lead_ids: leads,
            ..pb::Referral::default()
        }),
        urgency: pb::Urgency::Urgent.into(),
        handling: pb::Handling::H0.into(),
    };
    let mut county = referrals(cluster, COUNTY, COUNTY, "officer-001")?;
    let answer = county.open_referral(request).await?.into_inner();
    let action = if kind == pb::RecordKind::Transfer {
        Action::ReferralTransfer
    } else {
        Action::ReferralAssistance
    };
    let taken = taken(COUNTY, "officer-001", action, &answer);
    Ok((answer.record_id, taken))
}

fn taken(node: &'static str, by: &'static str, action: Action, answer: &pb::ActionTaken) -> Taken {
    Taken {
        node,
        by,
        action,
        state: answer.state(),
        index: answer.log_index,
    }
}

/// Takes a step, and waits until the other side has proved that it has it.
async fn step(
    cluster: &Cluster,
    id: &str,
    (node, action, note): (&'static str, Action, &str),
) -> anyhow::Result<Taken> {
    let request = pb::ActOnRecordRequest {
        family: pb::RecordFamily::Referral.into(),
        grounds: about(node, id),
        record_id: id.to_owned(),
        action: action.into(),
        note: note.to_owned(),
        ..pb::ActOnRecordRequest::default()
    };
    let mut client = referrals(cluster, node, node, "officer-001")?;
    let answer = client.act_on_record(request).await?.into_inner();
    cluster.settled().await?;
    Ok(taken(node, "officer-001", action, &answer))
}

async fn show(
    cluster: &Cluster,
    node: &str,
    of: &str,
    id: &str,
    standing_only: bool,
) -> anyhow::Result<Result<pb::ShowRecordResponse, tonic::Status>> {
    let request = pb::ShowRecordRequest {
        family: pb::RecordFamily::Referral.into(),
        grounds: about(of, id),
        record_id: id.to_owned(),
        override_assignment: false,
        standing_only,
    };
    let mut client = referrals(cluster, node, of, "officer-001")?;
    let shown = client.show_record(request).await;
    Ok(shown.map(tonic::Response::into_inner))
}

/// Both nodes tell the same of a referral, and each holds the other's receipt for what it sent.
async fn agreed(
    cluster: &Cluster,
    id: String,
    taken: Vec<Taken>,
    state: RecordState,
) -> anyhow::Result<Case> {
    let mut receipts = [0; 2];
    let mut histories = Vec::new();
    let mut leads = Vec::new();
    for (node, held) in [COUNTY, GUANGDONG].into_iter().zip(&mut receipts) {
        let shown = show(cluster, node, node, &id, false).await??;
        let now = shown.summary.context("a summary")?.state();
        ensure!(now == state, "{node} has the referral as {now:?}");
        *held = shown.events.iter().filter(|e| e.receipt.is_some()).count();
        leads = shown
            .content
            .and_then(pb::PayloadContent::referral)
            .context("what it says")?
            .lead_ids;
        histories.push(shown.events.iter().map(pb::RecordEvent::action).collect());
    }
    let histories: [Vec<Action>; 2] = histories.try_into().unwrap_or_default();
    let [county, guangdong] = &histories;
    ensure!(
        county == guangdong && receipts.iter().sum::<usize>() == county.len(),
        "the two nodes tell the referral differently"
    );
    Ok(Case {
        id,
        leads,
        taken,
        receipts,
    })
}

/// The county asks Guangdong for assistance with a lead that Guangdong verified, to the end.
pub(super) async fn assist(cluster: &Cluster, lead: &str) -> anyhow::Result<Case> {
    let (id, opened) = open(
        cluster,
        pb::RecordKind::Assistance,
        "协查落脚点和资金往来",
        "请协助核实所附线索中人员的落脚点和资金往来",
        vec![lead.to_owned()],
    )
    .await?;
    cluster.settled().await?;
    let mut taken = vec![opened];
    for told in STEPS {
        taken.push(step(cluster, &id, told).await?);
    }
    agreed(cluster, id, taken, RecordState::Closed).await
}

/// A transfer that waits for approval.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) id: String,
    pub(super) drafted: Taken,
    /// Who tried to let it leave, and see it.
    pub(super) refused: Vec<Refused>,
}

async fn approve(
    cluster: &Cluster,
    id: &str,
    who: &str,
) -> anyhow::Result<Result<pb::ActionTaken, tonic::Status>> {
    let request = pb::ApproveRecordRequest {
        grounds: about(COUNTY, id),
        record_id: id.to_owned(),
    };
    let mut client = referrals(cluster, COUNTY, COUNTY, who)?;
    let answered = client.approve_record(request).await;
    Ok(answered.map(tonic::Response::into_inner))
}

/// An officer drafts a transfer, and tries to let it leave without a supervisor.
pub(super) async fn draft(cluster: &Cluster, lead: &str) -> anyhow::Result<Draft> {
    let (id, drafted) = open(
        cluster,
        pb::RecordKind::Transfer,
        "移送案件",
        "主要犯罪地在贵省，现将案件移送，请依法办理",
        vec![lead.to_owned()],
    )
    .await?;
    ensure!(
        drafted.state == RecordState::Drafted,
        "a transfer left without approval"
    );
    let refused = vec![
        refused(
            "拟稿民警自己批准",
            "the drafter approving it",
            approve(cluster, &id, "officer-001").await?.map(drop),
        )?,
        refused(
            "另一名民警批准",
            "another officer approving it",
            approve(cluster, &id, "officer-002").await?.map(drop),
        )?,
        refused(
            "广东民警在思南节点上查看这份拟稿",
            "an officer of Guangdong opening the draft at Sinan's node",
            show(cluster, COUNTY, GUANGDONG, &id, false)
                .await?
                .map(drop),
        )?,
    ];
    Ok(Draft {
        id,
        drafted,
        refused,
    })
}

/// What an officer of a partner finds at the county's node.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) leads: usize,
    pub(super) referrals: Vec<String>,
}

/// What partners' officers see at the county's node with certificates of their own.
#[derive(Debug)]
pub(super) struct SeenByPartners {
    pub(super) guangdong: Found,
    /// Steps of the assistance case that Guangdong's officer sees.
    pub(super) steps: usize,
    pub(super) zhejiang: Found,
    /// An officer of Zhejiang opening the assistance case.
    pub(super) refused: Refused,
}

async fn find(cluster: &Cluster, of: &str) -> anyhow::Result<Found> {
    let why = || grounds(of, format!("case:{CASE}"));
    let mut client = referrals(cluster, COUNTY, of, "officer-001")?;
    let request = pb::ListRecordsRequest {
        family: pb::RecordFamily::Referral.into(),
        grounds: why(),
        ..pb::ListRecordsRequest::default()
    };
    let listed = client.list_records(request).await?.into_inner();
    let mut records = records(cluster, COUNTY, of, "officer-001")?;
    let request = pb::ListRecordsRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: why(),
        limit: 1000,
        ..pb::ListRecordsRequest::default()
    };
    let leads = records.list_records(request).await?.into_inner().records;
    ensure!(
        leads.iter().all(|lead| lead.destination == of),
        "an officer of {of} was shown what is not theirs"
    );
    let referrals = listed.records.into_iter().map(|r| r.record_id);
    Ok(Found {
        leads: leads.len(),
        referrals: referrals.collect(),
    })
}

/// Two partners ask the county's node.
pub(super) async fn seen_by_partners(
    cluster: &Cluster,
    case: &Case,
) -> anyhow::Result<SeenByPartners> {
    let guangdong = find(cluster, GUANGDONG).await?;
    let zhejiang = find(cluster, ZHEJIANG).await?;
    ensure!(
        guangdong.referrals.as_slice() == [case.id.as_str()] && zhejiang.referrals.is_empty(),
        "a partner was shown another's referral, or a draft"
    );
    // Where it stands is shown here; what it says, at home.
    let opened = show(cluster, COUNTY, GUANGDONG, &case.id, true).await??;
    ensure!(
        opened.content.is_none(),
        "a partner opened a referral away from home"
    );
    let tried = show(cluster, COUNTY, ZHEJIANG, &case.id, false).await?;
    Ok(SeenByPartners {
        guangdong,
        steps: opened.events.len(),
        zhejiang,
        refused: refused(
            "浙江民警查看思南与广东之间的协作",
            "an officer of Zhejiang opening the case between Sinan and Guangdong",
            tried.map(drop),
        )?,
    })
}

/// The supervisor approves the draft, and Guangdong takes the case over.
pub(super) async fn transfer(cluster: &Cluster, draft: Draft) -> anyhow::Result<Case> {
    let Draft { id, drafted, .. } = draft;
    let approved = approve(cluster, &id, "supervisor-001").await??;
    cluster.settled().await?;
    let approval = taken(
        COUNTY,
        "supervisor-001",
        Action::ReferralTransfer,
        &approved,
    );
    let mut taken = vec![drafted, approval];
    for told in [
        (GUANGDONG, Action::ReferralSign, "已签收"),
        (GUANGDONG, Action::ReferralAccept, "已受理，另行立案"),
    ] {
        taken.push(step(cluster, &id, told).await?);
    }
    agreed(cluster, id, taken, RecordState::Accepted).await
}

/// A caught notice, as the county has it.
#[derive(Debug)]
pub(super) struct Caught {
    pub(super) id: String,
    /// Its entry in the log of whoever sent it.
    pub(super) index: u64,
    /// The look at it, in the county's log.
    pub(super) consulted: u64,
}

/// Guangdong caught the person of the lead that held, and tells the county, which reads it.
pub(super) async fn caught(cluster: &Cluster, lead_id: &str) -> anyhow::Result<Caught> {
    let mut guangdong = RecordsClient::new(cluster.channel(GUANGDONG, GUANGDONG, "officer-001")?);
    let shown = records(cluster, GUANGDONG, GUANGDONG, "officer-001")?
        .show_record(pb::ShowRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: grounds(GUANGDONG, format!("case:{CASE}")),
            record_id: lead_id.to_owned(),
            override_assignment: false,
            standing_only: false,
        })
        .await?
        .into_inner();
    let lead = shown
        .content
        .and_then(pb::PayloadContent::lead)
        .context("the lead")?;
    let request = pb::PushRecordsRequest {
        grounds: grounds(GUANGDONG, format!("case:{CASE}")),
        row: 1,
        content: Some(
            pb::CaughtNotice {
                number: "GD202600001".into(),
                name: lead.name,
                sex: lead.sex,
                resident_number: lead.resident_number,
                registered_code: COUNTY.into(),
                caught_on: lead.collected_on,
                caught_code: "440304".into(),
                conduct: lead.conduct,
                measure: "刑事拘留".into(),
                case_number: "A4403040000002026050001".into(),
                lead_id: lead_id.to_owned(),
                ..Default::default()
            }
            .into(),
        ),
    };
    let mut verdicts = guangdong
        .push_records(tokio_stream::iter([request]))
        .await?
        .into_inner();
    let verdict = verdicts.message().await?.context("a verdict")?;
    ensure!(
        verdict.verdict() == pb::Verdict::Accept,
        "the notice is not accepted"
    );
    cluster.settled().await?;

    let mut county = RecordsClient::new(cluster.channel(COUNTY, COUNTY, "officer-001")?);
    let shown = county
        .show_record(pb::ShowRecordRequest {
            family: pb::RecordFamily::ArrestNotice.into(),
            grounds: grounds(COUNTY, format!("case:{CASE}")),
            record_id: verdict.record_id.clone(),
            override_assignment: false,
            standing_only: false,
        })
        .await?
        .into_inner();
    Ok(Caught {
        id: verdict.record_id,
        index: verdict.log_index,
        consulted: shown.consulted_index,
    })
}
