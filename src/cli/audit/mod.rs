//! `yichuan audit`: what auditors do, trusting no node.

mod held;
mod node_log;
mod prove;
mod rebuild;
mod replay;
mod report;
mod verify;

use super::{
    context::Context,
    exit::{Exit, Failure},
};
use crate::audit::Trusted;
use clap::{Args, Subcommand};
use held::HeldArgs;
use prove::ProveArgs;
use replay::ReplayArgs;
use std::path::PathBuf;

/// 审计 / The log: replay it, verify it, write it out.
#[derive(Args, Debug)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// 回放 / Replay the log: who did what, when, why. With --rebuild, make a stopped node's views anew.
    Replay(Box<ReplayArgs>),
    /// 验证 / Verify that the log is what its key signed, and that what it says holds together: the node's log, or one
    /// written out. This machine recomputes.
    Verify {
        #[command(flatten)]
        held: HeldArgs,
        /// 导出目录 / Verify this directory; asks no node.
        #[arg(long, value_name = "DIR")]
        export: Option<PathBuf>,
    },
    /// 存证 / Prove single entries to somebody who has no log: the dispatches of a record with their receipts, or one entry,
    /// into a directory for a case file. With --check, verify such a directory; asks no node.
    Prove(Box<ProveArgs>),
    /// 导出 / Write the log out as a C2SP tlog-tiles directory, which others can verify.
    Export {
        /// 新目录 / Directory to make; must not hold anything.
        dir: PathBuf,
        #[command(flatten)]
        key: KeyArgs,
    },
}

#[derive(Args, Debug)]
struct KeyArgs {
    /// 日志验证公钥 / The log's verifier key, a file or the text, as compared out of band. Else that on
    /// --card, else that in this node's data directory.
    #[arg(long, value_name = "FILE|TEXT")]
    vkey: Option<String>,
}

pub(super) fn run(args: &AuditArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match &args.command {
        AuditCommand::Replay(args) => replay::run(args, context),
        AuditCommand::Prove(args) => prove::run(args, context),
        AuditCommand::Verify { held, export } => {
            let (key, partners) = held.keys(context)?;
            let trusted = Trusted { key, partners };
            match export {
                Some(dir) => verify::export(dir, trusted, context),
                None => verify::live(trusted, context),
            }
        }
        AuditCommand::Export { dir, key } => verify::write_out(dir, key.vkey.as_deref(), context),
    }
}
