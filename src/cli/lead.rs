//! `yichuan lead`: what officers do with leads.

use super::{
    args::{Direction, LookArgs, NumberArgs, OverrideArgs, StepArgs, id},
    context::{Context, block_on},
    exit::{Exit, Failure},
    record::{
        act,
        assign::{self, AssignArgs},
        client, family,
        list::{self, PageArgs, TimeArgs},
        row::{Query, Step},
        sheet::{
            check::{self, CheckArgs},
            outputs::{Outputs, RejectedArgs},
            push,
            submission::Source,
            template::{self, TemplateArgs},
        },
        show,
    },
};
use crate::domain::{
    Action, AssessmentOutcome, Column, Family, Jurisdiction, RecordId, ReturnReason, State, Urgency,
};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// 线索 / Leads.
#[derive(Args, Debug)]
pub(super) struct LeadArgs {
    #[command(subcommand)]
    command: LeadCommand,
}

#[derive(Debug, Subcommand)]
enum LeadCommand {
    /// 空表模板 / Write an empty sheet to fill, with drop-downs and a page that explains each column.
    Template(TemplateArgs),
    /// 核对表格 / Check a sheet, row by row. Nothing leaves this machine.
    Check(CheckArgs),
    /// 发送表格 / Check a sheet and push the accepted rows. The same sheet again changes nothing.
    Push {
        /// 表格 / The sheet: an .xlsx workbook, or CSV.
        file: PathBuf,
        #[command(flatten)]
        rejected: RejectedArgs,
        /// 回执单 / Write a receipt here, to print and to file: what became of each row, and what proves it.
        #[arg(long, value_name = "OUT.xlsx")]
        receipt: Option<PathBuf>,
    },
    /// 列出 / List leads without opening them; sent ones, if not said otherwise.
    List {
        #[command(flatten)]
        list: ListArgs,
        /// 方向 / Which way they went.
        #[arg(long, value_enum, default_value = "sent")]
        direction: Direction,
    },
    /// 收到的线索 / List received leads without opening them.
    Inbox {
        #[command(flatten)]
        list: ListArgs,
    },
    /// 查看 / Open one lead: what it says, what happened, and the partner's proofs. Is logged.
    Show {
        /// 线索标识 / The lead's id.
        #[arg(value_parser = id::<RecordId>)]
        lead: RecordId,
        #[command(flatten)]
        look: LookArgs,
    },
    /// 签收 / Sign for leads that came to this node.
    Sign {
        /// 线索标识 / The leads' ids.
        #[arg(required = true)]
        #[arg(value_parser = id::<RecordId>)]
        leads: Vec<RecordId>,
        #[command(flatten)]
        step: StepArgs,
    },
    /// 核查 / Say what the assessment of a lead found.
    Assess {
        /// 线索标识 / The lead's id.
        #[arg(value_parser = id::<RecordId>)]
        lead: RecordId,
        /// 结果 / verified 属实, unfounded 不实 or arrested 已抓获.
        #[arg(long)]
        outcome: AssessmentOutcome,
        #[command(flatten)]
        step: StepArgs,
    },
    /// 退回 / Return a lead.
    Return {
        /// 线索标识 / The lead's id.
        #[arg(value_parser = id::<RecordId>)]
        lead: RecordId,
        /// 理由 / not_competent, formalities_incomplete, subject_mismatch, duplicate_of or out_of_purpose.
        #[arg(long)]
        reason: ReturnReason,
        #[command(flatten)]
        step: StepArgs,
    },
    /// 指派 / Assign a lead to an officer or a unit: the others see that it exists, not what it says. For supervisors.
    Assign(AssignArgs),
}

/// Which leads. All filters given must hold.
#[derive(Args, Debug)]
struct ListArgs {
    /// 状态 / In one of these states: sent, delivered, signed_for, assessed, returned, refused.
    #[arg(long, value_name = "STATE,…", value_delimiter = ',', value_parser = family::state(Family::Lead))]
    state: Vec<State>,
    /// 来自 / From this jurisdiction.
    #[arg(long, value_name = "CODE")]
    origin: Option<Jurisdiction>,
    /// 发往 / To the node of this jurisdiction.
    #[arg(long, value_name = "CODE")]
    destination: Option<Jurisdiction>,
    /// 紧急程度 / As urgent: normal, urgent or critical.
    #[arg(long)]
    urgency: Option<Urgency>,
    #[command(flatten)]
    times: TimeArgs,
    #[command(flatten)]
    number: NumberArgs,
    #[command(flatten)]
    over: OverrideArgs,
    #[command(flatten)]
    page: PageArgs,
}

impl ListArgs {
    fn query(&self, direction: Direction, context: &Context<'_>) -> Result<Query, Failure> {
        // Before stdin is waited for.
        context.grounds()?;
        let code = |code: Option<Jurisdiction>| code.map(|code| code.to_string());
        Ok(Query {
            direction: Some(direction),
            states: self.state.clone(),
            origin: code(self.origin).unwrap_or_default(),
            destination: code(self.destination).unwrap_or_default(),
            urgency: self.urgency,
            number: self.number.value(context.lang())?,
            overriding: self.over.assignment,
            ..self.page.query(self.times)
        })
    }
}

pub(super) fn run(args: &LeadArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    use LeadCommand as C;
    let mut listed = |list: &ListArgs, direction| {
        let query = list.query(direction, context)?;
        list::run(Family::Lead, query, list.page, context)
    };
    match &args.command {
        C::List { list, direction } => listed(list, *direction),
        C::Inbox { list } => listed(list, Direction::Received),
        C::Template(args) => template::run(args, context),
        C::Check(args) => check::command(args, context),
        C::Push {
            file,
            rejected,
            receipt,
        } => {
            // Whoever has mistyped a file hears of it before anybody is asked anything.
            let outputs = Outputs::<Column>::begin(file, rejected, receipt.as_deref(), context)?;
            let sheet = Source::open(file)?;
            outputs.unchanged()?;
            push::run(sheet, outputs, context)
        }
        C::Show { lead, look } => show::run(Family::Lead, *lead, *look, context),
        C::Sign { leads, step } => {
            let step = Step::noted(Action::Sign, step, context)?;
            act(leads, &step, context)
        }
        C::Assess {
            lead,
            outcome,
            step,
        } => {
            let step = Step::noted(Action::Assess, step, context)?;
            let outcome = Some(*outcome);
            act(&[*lead], &Step { outcome, ..step }, context)
        }
        C::Return { lead, reason, step } => {
            let step = Step::noted(Action::Return, step, context)?;
            let reason = Some(*reason);
            act(&[*lead], &Step { reason, ..step }, context)
        }
        C::Assign(args) => assign::run(args, context),
    }
}

/// Takes the step on one lead after the other, and stops at the first where it is refused.
fn act(leads: &[RecordId], step: &Step, context: &mut Context<'_>) -> Result<Exit, Failure> {
    block_on(async {
        let node = context.connect()?;
        for lead in leads {
            let answer = client::act(Family::Lead, &node, *lead, step).await;
            let answer = answer.map_err(|failure| failure.at(lead))?;
            act::print(Family::Lead, &answer, context)?;
        }
        Ok(Exit::Done)
    })
}
