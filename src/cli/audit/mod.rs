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
    domain::Jurisdiction,
    note::{MalformedKey, VerifierKey},
    record::pb,
};
use clap::{Args, Subcommand};
use prove::ProveArgs;
use replay::ReplayArgs;
use std::{collections::BTreeMap, io::Write, path::PathBuf};

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
        key: KeyArgs,
        /// 导出目录 / Verify this directory; asks no node.
        #[arg(long, value_name = "DIR")]
        export: Option<PathBuf>,
        /// 对方名片 / Cards of partners, as compared out of band: they go before those that the log keeps. May be
        /// repeated.
        #[arg(long, value_name = "FILE")]
        partner_card: Vec<PathBuf>,
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

pub(super) fn run(
    args: &AuditArgs,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match &args.command {
        AuditCommand::Replay(args) => replay::run(args, context, out),
        AuditCommand::Prove(args) => prove::run(args, context, out),
        AuditCommand::Verify {
            key,
            export,
            partner_card,
        } => {
            let trusted = Trusted {
                key: context.verifier_key(key.vkey.as_deref())?,
                partners: partner_keys(partner_card)?,
            };
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

/// The log keys on partners' cards.
fn partner_keys(cards: &[PathBuf]) -> Result<BTreeMap<Jurisdiction, VerifierKey>, Failure> {
    let key = |path: &PathBuf| {
        let card = read_card(path)?;
        let key = card
            .vkey()
            .parse()
            .map_err(|error: MalformedKey| Failure::of(Exit::BadData, &error).at(path.display()))?;
        Ok((card.jurisdiction(), key))
    };
    cards.iter().map(key).collect()
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
    let mut messages = node.call(audit.replay(request)).await?;
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
