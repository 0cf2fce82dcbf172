//! What the officers of the story do with a lead that held: ask for assistance with it, and hand a case over.

use super::{
    cluster::Cluster,
    officers::{Refused, desk, refused},
    places::{CASE, COUNTY, GUANGDONG, ZHEJIANG},
};
use crate::rpc::pb::{
    self, Action, ReferralState, caught_client::CaughtClient, referrals_client::ReferralsClient,
};
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
    pub(super) state: ReferralState,
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
) -> anyhow::Result<ReferralsClient<Channel>> {
    Ok(ReferralsClient::new(cluster.channel(node, of, who)?))
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
    kind: pb::ReferralKind,
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
    let action = match kind {
        pb::ReferralKind::Transfer => Action::ReferralTransfer,
        pb::ReferralKind::Assistance | pb::ReferralKind::Unspecified => Action::ReferralAssistance,
    };
    let taken = taken(COUNTY, "officer-001", action, &answer);
    Ok((answer.referral_id, taken))
}

fn taken(
    node: &'static str,
    by: &'static str,
    action: Action,
    answer: &pb::ReferralAnswer,
) -> Taken {
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
    let request = pb::ActOnReferralRequest {
        grounds: about(node, id),
        referral_id: id.to_owned(),
        action: action.into(),
        note: note.to_owned(),
        ..pb::ActOnReferralRequest::default()
    };
    let mut client = referrals(cluster, node, node, "officer-001")?;
    let answer = client.act_on_referral(request).await?.into_inner();
    cluster.settled().await?;
    Ok(taken(node, "officer-001", action, &answer))
}

async fn show(
    cluster: &Cluster,
    node: &str,
    of: &str,
    id: &str,
    standing_only: bool,
) -> anyhow::Result<Result<pb::ShowReferralResponse, tonic::Status>> {
    let request = pb::ShowReferralRequest {
        grounds: about(of, id),
        referral_id: id.to_owned(),
        override_assignment: false,
        standing_only,
    };
    let mut client = referrals(cluster, node, of, "officer-001")?;
    let shown = client.show_referral(request).await;
    Ok(shown.map(tonic::Response::into_inner))
}

/// Both nodes tell the same of a referral, and each holds the other's receipt for what it sent.
async fn agreed(
    cluster: &Cluster,
    id: String,
    taken: Vec<Taken>,
    state: ReferralState,
) -> anyhow::Result<Case> {
    let mut receipts = [0; 2];
    let mut histories = Vec::new();
    let mut leads = Vec::new();
    for (node, held) in [COUNTY, GUANGDONG].into_iter().zip(&mut receipts) {
        let shown = show(cluster, node, node, &id, false).await??;
        let now = shown.summary.context("a summary")?.state();
        ensure!(now == state, "{node} has the referral as {now:?}");
        *held = shown.events.iter().filter(|e| e.receipt.is_some()).count();
        leads = shown.referral.context("what it says")?.lead_ids;
        histories.push(shown.events.iter().map(pb::ReferralEvent::action).collect());
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
        pb::ReferralKind::Assistance,
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
    agreed(cluster, id, taken, ReferralState::Closed).await
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
) -> anyhow::Result<Result<pb::ReferralAnswer, tonic::Status>> {
    let request = pb::ApproveReferralRequest {
        grounds: about(COUNTY, id),
        referral_id: id.to_owned(),
    };
    let mut client = referrals(cluster, COUNTY, COUNTY, who)?;
    let answered = client.approve_referral(request).await;
    Ok(answered.map(tonic::Response::into_inner))
}

/// An officer drafts a transfer, and tries to let it leave without a supervisor.
pub(super) async fn draft(cluster: &Cluster, lead: &str) -> anyhow::Result<Draft> {
    let (id, drafted) = open(
        cluster,
        pb::ReferralKind::Transfer,
        "移送案件",
        "主要犯罪地在贵省，现将案件移送，请依法办理",
        vec![lead.to_owned()],
    )
    .await?;
    ensure!(
        drafted.state == ReferralState::Drafted,
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
    let request = pb::ListReferralsRequest {
        grounds: why(),
        ..pb::ListReferralsRequest::default()
    };
    let listed = client.list_referrals(request).await?.into_inner();
    let mut desk = desk(cluster, COUNTY, of, "officer-001")?;
    let request = pb::ListLeadsRequest {
        grounds: why(),
        limit: 1000,
        ..pb::ListLeadsRequest::default()
    };
    let leads = desk.list_leads(request).await?.into_inner().leads;
    ensure!(
        leads.iter().all(|lead| lead.destination == of),
        "an officer of {of} was shown what is not theirs"
    );
    let referrals = listed.referrals.into_iter().map(|r| r.referral_id);
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
        opened.referral.is_none(),
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
    agreed(cluster, id, taken, ReferralState::Accepted).await
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
    let mut guangdong = CaughtClient::new(cluster.channel(GUANGDONG, GUANGDONG, "officer-001")?);
    let shown = desk(cluster, GUANGDONG, GUANGDONG, "officer-001")?
        .show_lead(pb::ShowLeadRequest {
            grounds: grounds(GUANGDONG, format!("case:{CASE}")),
            lead_id: lead_id.to_owned(),
            override_assignment: false,
            standing_only: false,
        })
        .await?
        .into_inner();
    let lead = shown.lead.context("the lead")?;
    let request = pb::PushCaughtRequest {
        grounds: grounds(GUANGDONG, format!("case:{CASE}")),
        row: 1,
        notice: Some(pb::CaughtNotice {
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
        }),
    };
    let mut verdicts = guangdong
        .push_caught(tokio_stream::iter([request]))
        .await?
        .into_inner();
    let verdict = verdicts.message().await?.context("a verdict")?;
    ensure!(
        verdict.verdict() == pb::Verdict::Accept,
        "the notice is not accepted"
    );
    cluster.settled().await?;

    let mut county = CaughtClient::new(cluster.channel(COUNTY, COUNTY, "officer-001")?);
    let shown = county
        .show_caught(pb::ShowCaughtRequest {
            grounds: grounds(COUNTY, format!("case:{CASE}")),
            caught_id: verdict.caught_id.clone(),
            standing_only: false,
        })
        .await?
        .into_inner();
    Ok(Caught {
        id: verdict.caught_id,
        index: verdict.log_index,
        consulted: shown.consulted_index,
    })
}
