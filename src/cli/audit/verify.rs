//! `audit verify` and `audit export`: every entry hashed here, and the root compared with what the log's key signed.

use super::leaves;
use crate::{
    audit::{LogVerifier, TileWriter, VerifiedLog, verify_export},
    cli::{
        client::Connection,
        context::{Context, block_on},
        exit::{Exit, Failure},
        print::{self, Format, progress},
    },
    domain::Lang,
    note::{SignedCheckpoint, VerifierKey},
    record::pb,
};
use serde::Serialize;
use std::{io::Write, path::Path};

/// Verifies the log of a node, as it stands now.
pub(super) fn live(
    vkey: Option<&str>,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let key = context.verifier_key(vkey)?;
    let log = block_on(async {
        let node = context.connect()?;
        let checkpoint = checkpoint(&node, &key).await?;
        let mut verifier = LogVerifier::new();
        each(&node, &checkpoint, context.lang(), |leaf| {
            Ok(verifier.push(leaf)?)
        })
        .await?;
        Ok(verifier.finish(&checkpoint)?)
    })?;
    print(&log, context, out)
}

/// Verifies a directory. Asks nobody.
pub(super) fn export(
    dir: &Path,
    vkey: Option<&str>,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let key = context.verifier_key(vkey)?;
    let bar = progress(0, context.lang(), "验证", "verifying");
    let verified = verify_export(dir, &key, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let log = verified.map_err(|defect| Failure::from(defect).at(dir.display()))?;
    print(&log, context, out)
}

/// Writes a node's log out, and verifies it on the way: there is no checkpoint in the directory otherwise.
pub(super) fn write_out(
    dir: &Path,
    vkey: Option<&str>,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let key = context.verifier_key(vkey)?;
    let checkpoint = block_on(async {
        let node = context.connect()?;
        let checkpoint = checkpoint(&node, &key).await?;
        let mut tiles = TileWriter::create(dir)?;
        each(&node, &checkpoint, context.lang(), |leaf| {
            Ok(tiles.push(leaf)?)
        })
        .await?;
        tiles.finish(&checkpoint)?;
        Ok(checkpoint)
    })?;
    match context.format() {
        Format::Json => print::json(out, &Found::of(&checkpoint))?,
        Format::Table => {
            let (size, dir) = (checkpoint.size(), dir.display());
            match context.lang() {
                Lang::Zh => writeln!(out, "{}：{size} 条已验证并写入 {dir}", checkpoint.origin())?,
                Lang::En => writeln!(
                    out,
                    "{}: {size} entries verified and written to {dir}",
                    checkpoint.origin()
                )?,
            }
        }
    }
    Ok(Exit::Done)
}

/// The node's newest checkpoint, once its signature is found to be the log's.
async fn checkpoint(node: &Connection, key: &VerifierKey) -> Result<SignedCheckpoint, Failure> {
    let request = pb::GetCheckpointRequest {
        grounds: node.grounds(),
    };
    let mut audit = node.audit();
    let answer = node.call(audit.get_checkpoint(request)).await?;
    key.verify(&answer.checkpoint).map_err(|error| {
        Failure::from(error).hint(
            "所给公钥须是该节点日志的公钥，且线下核对过；如无误，则该节点出示了不是其日志的内容，请保留证据",
            "the key must be that of this node's log, compared out of band; if it is, the node shows what its log did not \
             sign: keep the evidence",
        )
    })
}

/// Hands over every leaf under a checkpoint.
async fn each(
    node: &Connection,
    checkpoint: &SignedCheckpoint,
    lang: Lang,
    mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let size = checkpoint.size();
    if size == 0 {
        return Ok(());
    }
    let bar = progress(size, lang, "验证", "verifying");
    leaves(node, 0, size, |_, leaf| {
        bar.inc(1);
        take(leaf)
    })
    .await?;
    bar.finish_and_clear();
    Ok(())
}

#[derive(Serialize)]
struct Found<'a> {
    verified: bool,
    origin: &'a str,
    size: u64,
    root: String,
}

impl<'a> Found<'a> {
    fn of(checkpoint: &'a SignedCheckpoint) -> Self {
        Self {
            verified: true,
            origin: checkpoint.origin(),
            size: checkpoint.size(),
            root: checkpoint.root().to_string(),
        }
    }
}

fn print(log: &VerifiedLog, context: &Context<'_>, out: &mut dyn Write) -> Result<Exit, Failure> {
    match context.format() {
        Format::Json => print::json(out, &Found::of(log.checkpoint()))?,
        Format::Table => {
            let (origin, size, root) = (log.origin(), log.size(), log.root());
            match context.lang() {
                Lang::Zh => writeln!(
                    out,
                    "验证通过：{origin}，{size} 条，逐条重算与签名的根一致\n根 {root}"
                )?,
                Lang::En => writeln!(
                    out,
                    "verified: {origin}, {size} entries, each hashed here, under the root that was signed\nroot {root}"
                )?,
            }
        }
    }
    Ok(Exit::Done)
}
