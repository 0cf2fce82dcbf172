//! `yichuan audit`: what auditors do, trusting no node.

mod prove;
mod rebuild;
mod replay;
mod report;
mod verify;

use super::{
    client::Connection,
    context::{Context, read_card},
    exit::{Exit, Failure},
};
use crate::{
    audit::Trusted,
    note::{MalformedKey, VerifierKey},
    record::pb,
};
use clap::{Args, Subcommand};
use prove::ProveArgs;
use replay::ReplayArgs;
use std::{io::Write, path::PathBuf};

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

/// Keys that the auditor has from the jurisdictions themselves.
#[derive(Args, Debug)]
struct HeldArgs {
    /// 日志验证公钥 / A log's verifier key, a file or the text, as compared out of band. May be repeated: the log's first,
    /// then partners', which go before what the log says of them. Without any, the log's key is that on --card, else that
    /// in this node's data directory.
    #[arg(long, visible_alias = "key", value_name = "FILE|TEXT")]
    vkey: Vec<String>,
    /// 对方名片 / Cards of partners, as compared out of band, for the keys on them. May be repeated.
    #[arg(long, value_name = "FILE")]
    partner_card: Vec<PathBuf>,
}

impl HeldArgs {
    /// The log's key, and those of partners.
    fn keys(&self, context: &Context<'_>) -> Result<(VerifierKey, Vec<VerifierKey>), Failure> {
        let mut keys = self.vkey.iter().map(String::as_str);
        let own = context.verifier_key(keys.next())?;
        let given = keys.map(|key| context.verifier_key(Some(key)));
        let cards = self.partner_card.iter().map(|path| {
            let key = read_card(path)?.vkey().parse();
            key.map_err(|error: MalformedKey| Failure::of(Exit::BadData, &error).at(path.display()))
        });
        Ok((own, given.chain(cards).collect::<Result<_, _>>()?))
    }
}

pub(super) fn run(
    args: &AuditArgs,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match &args.command {
        AuditCommand::Replay(args) => replay::run(args, context, out),
        AuditCommand::Prove(args) => prove::run(args, context, out),
        AuditCommand::Verify { held, export } => {
            let (key, partners) = held.keys(context)?;
            let trusted = Trusted { key, partners };
            match export {
                Some(dir) => verify::export(dir, trusted, context, out),
                None => verify::live(trusted, context, out),
            }
        }
        AuditCommand::Export { dir, key } => {
            verify::write_out(dir, key.vkey.as_deref(), context, out)
        }
    }
}

/// Hands over a range of a node's leaves, one after the other, each with its index. `to` 0 is the newest checkpoint.
async fn leaves(
    node: &Connection,
    from: u64,
    to: u64,
    mut take: impl FnMut(u64, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let request = pb::ReplayRequest {
        grounds: node.grounds(),
        from,
        to,
    };
    let mut audit = node.audit();
    let mut messages = node
        .patient(async || audit.replay(request.clone()).await)
        .await?;
    let mut next = from;
    while let Some(message) = node.next(&mut messages).await? {
        if message.first != next {
            return Err(node.nonsense("entries that do not follow each other"));
        }
        for leaf in message.leaves {
            take(next, &leaf)?;
            next += 1;
        }
    }
    if to > 0 && next != to {
        return Err(node.nonsense("fewer entries than asked for"));
    }
    Ok(())
}
