//! `yichuan lead`: what officers do with leads.

mod answer;
mod list;
mod outputs;
mod push;
mod receipt;
mod rejected;
mod show;
mod template;

use super::{
    args::{Direction, LookArgs, NoteArgs, OverrideArgs, id},
    assign::{self, AssignArgs},
    context::Context,
    exit::{Exit, Failure},
    lead_check::{self, Added, CheckError, Summary},
};
use crate::{
    domain::{AssessmentOutcome, Jurisdiction, LeadRules, RecordId, ReturnReason},
    intake::SheetError,
};

pub(super) use push::{approved, foreign, known};

use answer::Answer;
use clap::{Args, Subcommand};
use list::ListArgs;
use outputs::{Outputs, RejectedArgs};
use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
};
use template::TemplateArgs;

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
    Check {
        /// 表格 / The sheet: an .xlsx workbook, or CSV.
        file: PathBuf,
        /// 本辖区 / Whose sheet it is. Else the configuration's.
        #[arg(long, value_name = "CODE", requires = "partners")]
        jurisdiction: Option<Jurisdiction>,
        /// 对方辖区 / Partners to assume. Else `check.partners` of the configuration.
        #[arg(long, value_name = "CODE,…", value_delimiter = ',')]
        partners: Vec<Jurisdiction>,
        #[command(flatten)]
        rejected: RejectedArgs,
    },
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
        note: NoteArgs,
        #[command(flatten)]
        over: OverrideArgs,
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
        note: NoteArgs,
        #[command(flatten)]
        over: OverrideArgs,
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
        note: NoteArgs,
        #[command(flatten)]
        over: OverrideArgs,
    },
    /// 指派 / Assign a lead to an officer or a unit: the others see that it exists, not what it says. For supervisors.
    Assign(AssignArgs),
}

pub(super) fn run(
    args: &LeadArgs,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match &args.command {
        LeadCommand::Template(args) => template::run(args, context, out),
        LeadCommand::Check {
            file,
            jurisdiction,
            partners,
            rejected,
        } => {
            let (own, partners) = whose(*jurisdiction, partners, context)?;
            check(file, own, &partners, rejected, context, out)
        }
        LeadCommand::Push {
            file,
            rejected,
            receipt,
        } => push::run(file, rejected, receipt.as_deref(), context, out),
        LeadCommand::List { list, direction } => list::run(list, *direction, context, out),
        LeadCommand::Inbox { list } => list::run(list, Direction::Received, context, out),
        LeadCommand::Show { lead, look } => show::run(*lead, *look, context, out),
        LeadCommand::Sign { leads, note, over } => {
            answer::run(leads, &Answer::Sign, note, *over, context, out)
        }
        LeadCommand::Assess {
            lead,
            outcome,
            note,
            over,
        } => answer::run(
            &[*lead],
            &Answer::Assess(*outcome),
            note,
            *over,
            context,
            out,
        ),
        LeadCommand::Return {
            lead,
            reason,
            note,
            over,
        } => answer::run(
            &[*lead],
            &Answer::Return(*reason),
            note,
            *over,
            context,
            out,
        ),
        LeadCommand::Assign(args) => assign::run(args, context, out),
    }
}

/// Whose sheet it is, and which partners are assumed.
fn whose(
    jurisdiction: Option<Jurisdiction>,
    partners: &[Jurisdiction],
    context: &Context<'_>,
) -> Result<(Jurisdiction, BTreeSet<Jurisdiction>), Failure> {
    let (own, partners) = match jurisdiction {
        Some(own) => (own, partners.to_vec()),
        None => {
            let config = context.config().map_err(|failure| {
                failure.hint(
                    "或用 --jurisdiction 与 --partners 写明辖区",
                    "or say whose sheet it is, with --jurisdiction and --partners",
                )
            })?;
            let assumed = match partners {
                [] => config.check.partners,
                named => named.to_vec(),
            };
            (config.jurisdiction, assumed)
        }
    };
    Ok((own, partners.into_iter().collect()))
}

fn check(
    file: &Path,
    own: Jurisdiction,
    partners: &BTreeSet<Jurisdiction>,
    rejected: &RejectedArgs,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let rules = LeadRules {
        own,
        partners,
        today: context.clock().now().shanghai_date(),
    };
    let mut outputs = Outputs::begin(file, rejected, None, context)?;
    let summary = lead_check::run_with(
        file,
        &rules,
        context.format(),
        context.lang(),
        out,
        &mut |row| {
            outputs
                .row(row, &Added::default(), None)
                .map_err(Ended::Failed)
        },
    );
    let summary = summary.map_err(|ended| match ended {
        Ended::Check(error) => check_failure(error, file),
        Ended::Failed(failure) => failure,
    })?;
    if let Some(rejected) = outputs.rejected {
        rejected.keep()?;
    }
    Ok(exit_of(&summary))
}

/// Why a check that writes rows came to no end.
enum Ended {
    Check(CheckError),
    Failed(Failure),
}

impl From<CheckError> for Ended {
    fn from(error: CheckError) -> Self {
        Self::Check(error)
    }
}

pub(super) const fn exit_of(summary: &Summary) -> Exit {
    if summary.rejected > 0 {
        Exit::SomeRejected
    } else {
        Exit::Done
    }
}

pub(super) fn check_failure(error: CheckError, file: &Path) -> Failure {
    match error {
        CheckError::Sheet(error) => sheet_failure(&error, file),
        CheckError::Output(error) => error.into(),
        CheckError::Json(error) => error.into(),
    }
}

pub(super) fn sheet_failure(error: &SheetError, file: &Path) -> Failure {
    use crate::domain::Lang;
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all others are about what is in the file"
    )]
    let exit = match error {
        SheetError::Unreadable(_) => Exit::NoInput,
        _ => Exit::BadData,
    };
    Failure::new(exit, error.message(Lang::Zh), error.message(Lang::En)).at(file.display())
}
