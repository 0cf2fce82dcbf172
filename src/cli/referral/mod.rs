//! `yichuan referral`: matters that ask the other side to act, and the way back.

mod content_args;

use super::{
    args::{Direction, LookArgs, NumberArgs, OverrideArgs, StepArgs, When, id},
    client::Connection,
    context::{Context, block_on},
    exit::{Exit, Failure},
    record::{
        act,
        assign::{self, AssignArgs},
        client, family,
        list::{self, PageArgs, TimeArgs},
        row::{Answer, Query, Step},
        show,
        watch::{self, WatchArgs},
    },
};
use crate::{
    domain::{
        Action, Family, Handling, Jurisdiction, Locality, RecordId, RecordKind, ReturnReason,
        State, Urgency,
    },
    entry::{self, pb},
};
use clap::{Args, Subcommand};
use content_args::ContentArgs;

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
    step: StepArgs,
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

#[derive(Args, Debug)]
struct OpenArgs {
    /// 种类 / assistance 办案协作, or transfer 案件移送.
    #[arg(long, value_parser = RecordKind::referral)]
    kind: RecordKind,
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

/// Which referrals. All filters given must hold. With several `-`, stdin has a line for the number, then one for the
/// name.
#[derive(Args, Debug)]
struct ListArgs {
    /// 方向 / Which way they went.
    #[arg(long, value_enum, default_value = "both")]
    direction: Direction,
    /// 状态 / In one of these states: drafted, sent, delivered, signed_for, supplement_requested, returned, accepted,
    /// in_progress, feedback_given, confirmed, disputed, closed, recalled, forwarded, refused.
    #[arg(long, value_name = "STATE,…", value_delimiter = ',', value_parser = family::state(Family::Referral))]
    state: Vec<State>,
    /// 种类 / assistance or transfer.
    #[arg(long, value_parser = RecordKind::referral)]
    kind: Option<RecordKind>,
    /// 对方 / With this jurisdiction, whichever way.
    #[arg(long, value_name = "CODE")]
    counterpart: Option<Jurisdiction>,
    /// 紧急程度 / As urgent: normal, urgent or critical.
    #[arg(long)]
    urgency: Option<Urgency>,
    #[command(flatten)]
    times: TimeArgs,
    /// 到期 / Something is due before this time.
    #[arg(long, value_name = "TIME")]
    due_before: Option<When>,
    #[command(flatten)]
    number: NumberArgs,
    /// 姓名 / About a person of this name. Write - and give it on stdin, on the line after the number's.
    #[arg(long, value_name = "-", allow_hyphen_values = true)]
    name: Option<String>,
    /// 指向地代码 / About this place, exactly.
    #[arg(long, value_name = "CODE")]
    place: Option<Locality>,
    /// 毒品种类 / About this substance, exactly.
    #[arg(long, value_name = "TEXT")]
    substance: Option<String>,
    #[command(flatten)]
    over: OverrideArgs,
    #[command(flatten)]
    page: PageArgs,
}

impl ListArgs {
    fn query(&self, context: &Context<'_>) -> Result<Query, Failure> {
        // Before stdin is waited for.
        context.grounds()?;
        let lang = context.lang();
        let counterpart = self.counterpart.map(|code| code.to_string());
        Ok(Query {
            direction: Some(self.direction),
            states: self.state.clone(),
            kind: self.kind,
            counterpart: counterpart.unwrap_or_default(),
            urgency: self.urgency,
            due_before_ms: self.due_before.map_or(0, When::millis),
            // In the order in which they stand on stdin.
            number: self.number.value(lang)?,
            name: list::name(self.name.as_deref(), lang)?,
            place: self.place.as_ref().map_or("", Locality::as_str).to_owned(),
            substance: self.substance.clone().unwrap_or_default(),
            overriding: self.over.assignment,
            ..self.page.query(self.times)
        })
    }
}

pub(super) fn run(args: &ReferralArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    use ReferralCommand as C;
    let mut noted = |act, args: &NoteStep, reason| {
        let step = Step::noted(act, &args.step, context)?;
        take(args.referral, &Step { reason, ..step }, context)
    };
    match &args.command {
        C::Sign(step) => noted(Action::Sign, step, None),
        C::Accept(step) => noted(Action::Accept, step, None),
        C::Supplement(step) => noted(Action::RequestSupplement, step, None),
        C::Supply(step) => noted(Action::Supply, step, None),
        C::Progress(step) => noted(Action::Progress, step, None),
        C::Feedback(step) => noted(Action::Feedback, step, None),
        C::Confirm(step) => noted(Action::Confirm, step, None),
        C::Dispute(step) => noted(Action::Dispute, step, None),
        C::Close(step) => noted(Action::Close, step, None),
        C::Recall(step) => noted(Action::Recall, step, None),
        C::Return { step, reason } => noted(Action::Return, step, Some(*reason)),
        C::Resubmit(step) => restate(Action::Resubmit, step, context),
        C::Correct(step) => restate(Action::Correct, step, context),
        C::Open(args) => open(args, context),
        C::Approve { referral } => {
            let ask = async |node: &Connection| client::approve(node, *referral).await;
            answered(context, ask).map_err(|failure| failure.at(referral))
        }
        C::List(args) => {
            let query = args.query(context)?;
            list::run(Family::Referral, query, args.page, context)
        }
        C::Show { referral, look } => show::run(Family::Referral, *referral, *look, context),
        C::Watch(args) => watch::run(args, context),
        C::Assign(args) => assign::run(args, context),
    }
}

fn open(args: &OpenArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    // Before stdin is waited for.
    context.grounds()?;
    let request = pb::OpenReferralRequest {
        grounds: None,
        kind: entry::kind_to_wire(args.kind),
        to: args.to.to_string(),
        referral: Some(args.said.read(context.lang())?),
        urgency: entry::urgency_to_wire(args.urgency),
        handling: entry::handling_to_wire(args.handling),
    };
    answered(context, async |node: &Connection| {
        client::open_referral(node, &request).await
    })
}

/// A step that says the whole referral anew.
fn restate(act: Action, args: &Restatement, context: &mut Context<'_>) -> Result<Exit, Failure> {
    context.grounds()?;
    let step = Step {
        action: act,
        outcome: None,
        reason: None,
        note: String::new(),
        restated: Some(args.said.read(context.lang())?),
        overriding: args.over.assignment,
    };
    take(args.referral, &step, context)
}

fn take(referral: RecordId, step: &Step, context: &mut Context<'_>) -> Result<Exit, Failure> {
    answered(context, async |node: &Connection| {
        client::act(Family::Referral, node, referral, step).await
    })
    .map_err(|failure| failure.at(referral))
}

/// Asks for a step and prints where the referral stands then.
fn answered(
    context: &mut Context<'_>,
    ask: impl AsyncFnOnce(&Connection) -> Result<Answer, Failure>,
) -> Result<Exit, Failure> {
    let answer = block_on(async { ask(&context.connect()?).await })?;
    act::print(Family::Referral, &answer, context)?;
    Ok(Exit::Done)
}
