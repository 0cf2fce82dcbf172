//! `yichuan caught`: notices to the origin about its residents who were caught.

mod list;
mod push;
mod show;

use super::{
    args::id,
    context::Context,
    exit::{Exit, Failure},
};
use crate::domain::RecordId;
use clap::{Args, Subcommand};
use list::ListArgs;
use push::PushArgs;
use std::io::Write;

/// 抓获通报 / Caught notices.
#[derive(Args, Debug)]
pub(super) struct CaughtArgs {
    #[command(subcommand)]
    command: CaughtCommand,
}

#[derive(Debug, Subcommand)]
enum CaughtCommand {
    /// 发送 / Push notices, from a sheet or one by form. The same again changes nothing.
    Push(PushArgs),
    /// 列出 / List notices without opening them.
    List(Box<ListArgs>),
    /// 查看 / Open one: what it says, and the recipient's proof. Is logged.
    Show {
        /// 通报标识 / The notice's id.
        #[arg(value_parser = id::<RecordId>)]
        notice: RecordId,
        /// 只看状态 / Only where it stands and what proves it, also of what is not yours to open here.
        #[arg(long)]
        standing: bool,
    },
}

pub(super) fn run(
    args: &CaughtArgs,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match &args.command {
        CaughtCommand::Push(push) => push::run(push, context, out),
        CaughtCommand::List(list) => list::run(list, context, out),
        CaughtCommand::Show { notice, standing } => show::run(*notice, *standing, context, out),
    }
}
