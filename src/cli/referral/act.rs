//! `referral open`, `approve`, and every later step.

use super::{
    NoteStep, Restatement,
    content_args::ContentArgs,
    summary::{kind_to_wire, state},
};
use crate::{
    cli::{
        args,
        client::Connection,
        context::{Context, block_on},
        exit::{Exit, Failure},
        print::{self, Format, plain},
    },
    domain::{
        Handling, Jurisdiction, Lang, RecordId, ReturnReason, Urgency, referral::ReferralKind,
    },
    entry::{self, DispatchAction, ReferralAct, pb},
    rpc::{NodeChannel, pb::referrals_client::ReferralsClient},
};
use clap::Args;
use serde::Serialize;
use std::io::Write;
use tonic::{Response, Status};

type Client = ReferralsClient<NodeChannel>;

#[derive(Args, Debug)]
pub(super) struct OpenArgs {
    /// 种类 / assistance 办案协作, or transfer 案件移送.
    #[arg(long)]
    kind: ReferralKind,
    /// 发往 / The jurisdiction that is to act.
    #[arg(long, value_name = "CODE")]
    to: Jurisdiction,
    /// 紧急程度 / normal 普通, urgent 紧急 or critical 特急.
    #[arg(long)]
    urgency: Urgency,
    /// 处理限制 / H0, H1, H2 or H3. A transfer is evidence, which H1 forbids.
    #[arg(long)]
    handling: Handling,
    #[command(flatten)]
    said: ContentArgs,
}

pub(super) fn open(
    args: &OpenArgs,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    // Before stdin is waited for.
    context.grounds()?;
    let said = args.said.read(context.lang())?;
    answered(context, out, async |node, mut client: Client| {
        let request = pb::OpenReferralRequest {
            grounds: node.grounds(),
            kind: kind_to_wire(args.kind).into(),
            to: args.to.to_string(),
            referral: Some(said.clone()),
            urgency: entry::urgency_to_wire(args.urgency),
            handling: entry::handling_to_wire(args.handling),
        };
        client.open_referral(request).await
    })
}

pub(super) fn approve(
    referral: RecordId,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    answered(context, out, async |node, mut client: Client| {
        let request = pb::ApproveReferralRequest {
            grounds: node.grounds(),
            referral_id: referral.to_string(),
        };
        client.approve_referral(request).await
    })
    .map_err(|failure| failure.at(referral))
}

/// A step that is said in a note.
pub(super) fn note(
    act: ReferralAct,
    step: &NoteStep,
    reason: Option<ReturnReason>,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    context.grounds()?;
    let request = pb::ActOnReferralRequest {
        return_reason: reason.map_or(0, entry::return_reason_to_wire),
        note: args::text(&step.note.note)?,
        override_assignment: step.over.assignment,
        ..request(act, step.referral)
    };
    take(request, step.referral, context, out)
}

/// A step that says the whole referral anew.
pub(super) fn restate(
    act: ReferralAct,
    step: &Restatement,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    context.grounds()?;
    let request = pb::ActOnReferralRequest {
        referral: Some(step.said.read(context.lang())?),
        override_assignment: step.over.assignment,
        ..request(act, step.referral)
    };
    take(request, step.referral, context, out)
}

fn request(act: ReferralAct, referral: RecordId) -> pb::ActOnReferralRequest {
    pb::ActOnReferralRequest {
        referral_id: referral.to_string(),
        action: DispatchAction::Referral(act).to_wire(),
        ..pb::ActOnReferralRequest::default()
    }
}

fn take(
    mut request: pb::ActOnReferralRequest,
    referral: RecordId,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    answered(context, out, async |node, mut client: Client| {
        request.grounds = node.grounds();
        client.act_on_referral(request.clone()).await
    })
    .map_err(|failure| failure.at(referral))
}

#[derive(Serialize)]
struct Answered<'a> {
    referral_id: &'a str,
    state: &'static str,
    log_index: u64,
}

/// Asks for a step and prints where the referral stands then.
fn answered(
    context: &Context<'_>,
    out: &mut dyn Write,
    mut ask: impl AsyncFnMut(&Connection, Client) -> Result<Response<pb::ReferralAnswer>, Status>,
) -> Result<Exit, Failure> {
    let answer = block_on(async {
        let node = context.connect()?;
        node.patient(async || ask(&node, node.referrals()).await)
            .await
    })?;
    let (key, zh) = state(answer.state);
    let index = answer.log_index;
    match context.format() {
        Format::Json => print::json(
            out,
            &Answered {
                referral_id: &answer.referral_id,
                state: key,
                log_index: index,
            },
        )?,
        Format::Table => {
            let referral = plain(&answer.referral_id);
            match context.lang() {
                Lang::Zh => writeln!(out, "{referral}：{zh}，日志第 {index} 条")?,
                Lang::En => writeln!(out, "{referral}: {key}, entry {index} of the log")?,
            }
        }
    }
    Ok(Exit::Done)
}
