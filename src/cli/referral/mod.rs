//! `yichuan referral`: matters that ask the other side to act, and the way back.

mod act;
mod content_args;
mod list;
mod show;
mod summary;
mod watch;

use super::{
    args::{LookArgs, NoteArgs, OverrideArgs, id},
    assign::{self, AssignArgs},
    context::Context,
    exit::{Exit, Failure},
};
use crate::{
    domain::{RecordId, ReturnReason},
    entry::ReferralAct,
};
use act::OpenArgs;
use clap::{Args, Subcommand};
use content_args::ContentArgs;
use list::ListArgs;
use std::io::Write;
pub(super) use summary::state;
use watch::WatchArgs;

/// 协查、移送 / Referrals.
#[derive(Args, Debug)]
pub(super) struct ReferralArgs {
    #[command(subcommand)]
    command: ReferralCommand,
}

/// A step that is said in a note.
#[derive(Args, Debug)]
struct NoteStep {
    /// 协查标识 / The referral's id.
    #[arg(value_parser = id::<RecordId>)]
    referral: RecordId,
    #[command(flatten)]
    note: NoteArgs,
    #[command(flatten)]
    over: OverrideArgs,
}

/// A step that says the whole referral anew.
#[derive(Args, Debug)]
struct Restatement {
    /// 协查标识 / The referral's id.
    #[arg(value_parser = id::<RecordId>)]
    referral: RecordId,
    #[command(flatten)]
    said: ContentArgs,
    #[command(flatten)]
    over: OverrideArgs,
}

#[derive(Debug, Subcommand)]
enum ReferralCommand {
    /// 发起 / Open a referral. Assistance leaves at once; a transfer is a draft until it is approved.
    Open(Box<OpenArgs>),
    /// 审批 / Approve a drafted transfer and send it. For a supervisor who did not draft it.
    Approve {
        /// 协查标识 / The referral's id.
        #[arg(value_parser = id::<RecordId>)]
        referral: RecordId,
    },
    /// 签收 / Sign for a referral that came to this node.
    Sign(NoteStep),
    /// 受理 / Take it on.
    Accept(NoteStep),
    /// 要求补充 / Ask the originator for what is missing.
    Supplement(NoteStep),
    /// 补充材料 / Supply what was asked for.
    Supply(NoteStep),
    /// 退回 / Return it.
    Return {
        #[command(flatten)]
        step: NoteStep,
        /// 理由 / not_competent, formalities_incomplete, subject_mismatch, duplicate_of or out_of_purpose.
        #[arg(long)]
        reason: ReturnReason,
    },
    /// 重新提交 / Make a new attempt with what was returned, as it reads from now on.
    Resubmit(Box<Restatement>),
    /// 阶段反馈 / Tell how far it is.
    Progress(NoteStep),
    /// 结果反馈 / Tell the result.
    Feedback(NoteStep),
    /// 确认 / Be content with the result.
    Confirm(NoteStep),
    /// 异议 / Dispute the result.
    Dispute(NoteStep),
    /// 更正 / Put right what it said, as it reads from now on.
    Correct(Box<Restatement>),
    /// 办结（移送须先确认） / End it, its result confirmed; an assistance also while it is disputed.
    Close(NoteStep),
    /// 撤回（移送限受理之前） / Take it back; a transfer only until its recipient has accepted it.
    Recall(NoteStep),
    /// 列出 / List referrals without opening them.
    List(Box<ListArgs>),
    /// 查看 / Open one: what it says, what happened, and the steps that may be taken now. Is logged.
    Show {
        /// 协查标识 / The referral's id.
        #[arg(value_parser = id::<RecordId>)]
        referral: RecordId,
        #[command(flatten)]
        look: LookArgs,
    },
    /// 关注 / Follow referrals as they change, until interrupted. Ids and states only.
    Watch(WatchArgs),
    /// 指派 / Assign a referral to an officer or a unit: the others see that it exists, not what it says. For supervisors.
    Assign(AssignArgs),
}

pub(super) fn run(
    args: &ReferralArgs,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    use ReferralCommand as C;
    let mut noted = |act, step: &NoteStep| act::note(act, step, None, context, out);
    match &args.command {
        C::Sign(step) => noted(ReferralAct::Sign, step),
        C::Accept(step) => noted(ReferralAct::Accept, step),
        C::Supplement(step) => noted(ReferralAct::RequestSupplement, step),
        C::Supply(step) => noted(ReferralAct::Supply, step),
        C::Progress(step) => noted(ReferralAct::Progress, step),
        C::Feedback(step) => noted(ReferralAct::Feedback, step),
        C::Confirm(step) => noted(ReferralAct::Confirm, step),
        C::Dispute(step) => noted(ReferralAct::Dispute, step),
        C::Close(step) => noted(ReferralAct::Close, step),
        C::Recall(step) => noted(ReferralAct::Recall, step),
        C::Return { step, reason } => {
            act::note(ReferralAct::Return, step, Some(*reason), context, out)
        }
        C::Resubmit(step) => act::restate(ReferralAct::Resubmit, step, context, out),
        C::Correct(step) => act::restate(ReferralAct::Correct, step, context, out),
        C::Open(args) => act::open(args, context, out),
        C::Approve { referral } => act::approve(*referral, context, out),
        C::List(args) => list::run(args, context, out),
        C::Show { referral, look } => show::run(*referral, *look, context, out),
        C::Watch(args) => watch::run(args, context, out),
        C::Assign(args) => assign::run(args, context, out),
    }
}
