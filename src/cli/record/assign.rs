//! To whom a record is, from here on.

use super::client;
use crate::{
    access::{Assignee, MalformedAssignee},
    cli::{
        args::id,
        context::{Context, block_on},
        exit::{Exit, Failure},
        print::{self, Format},
    },
    domain::{Lang, RecordId},
};
use clap::Args;
use serde::Serialize;
use std::str::FromStr;

/// An assignment.
#[derive(Args, Debug)]
pub(in crate::cli) struct AssignArgs {
    /// 标识 / The record's id.
    #[arg(value_parser = id::<RecordId>)]
    record: RecordId,
    /// 指派给 / officer/001, unit/narcotics (one of `access.units` at the node), or nobody: open to all officers again.
    #[arg(long, value_name = "officer/NO|unit/NAME|nobody")]
    to: To,
}

/// To whom.
#[derive(Clone, Debug)]
struct To(Option<Assignee>);

impl FromStr for To {
    type Err = MalformedAssignee;

    fn from_str(text: &str) -> Result<Self, MalformedAssignee> {
        match text {
            "nobody" => Ok(Self(None)),
            assignee => assignee.parse().map(|assignee| Self(Some(assignee))),
        }
    }
}

#[derive(Serialize)]
struct Assigned<'a> {
    record_id: String,
    assigned_to: Option<&'a str>,
    log_index: u64,
}

pub(in crate::cli) fn run(args: &AssignArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let record = args.record;
    let assignee = args.to.0.as_ref().map(ToString::to_string);
    let assigned = block_on(async {
        let node = context.connect()?;
        client::assign(&node, record, args.to.0.as_ref()).await
    });
    let index = assigned.map_err(|failure| failure.at(record))?;
    match context.format() {
        Format::Json => print::json(
            context.out,
            &Assigned {
                record_id: record.to_string(),
                assigned_to: assignee.as_deref(),
                log_index: index,
            },
        )?,
        Format::Table => match (context.lang(), assignee) {
            (Lang::Zh, Some(who)) => {
                writeln!(context.out, "{record}：已指派给 {who}，日志第 {index} 条")?
            }
            (Lang::Zh, None) => writeln!(context.out, "{record}：已取消指派，日志第 {index} 条")?,
            (Lang::En, Some(who)) => {
                writeln!(
                    context.out,
                    "{record}: assigned to {who}, entry {index} of the log"
                )?;
            }
            (Lang::En, None) => {
                writeln!(
                    context.out,
                    "{record}: assigned to nobody, entry {index} of the log"
                )?;
            }
        },
    }
    Ok(Exit::Done)
}
