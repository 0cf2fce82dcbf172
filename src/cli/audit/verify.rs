//! `audit verify` and `audit export`: every entry hashed here, and the root compared with what the log's key signed.

use super::{
    node_log::{checkpoint, each},
    report,
};
use crate::{
    api::json::Exported,
    audit::{
        ExportedTree, Inspection, Inspector, NotTheLog, TileWriter, Trusted, entries, verify_export,
    },
    cli::{
        context::{Context, block_on},
        exit::{Exit, Failure},
        print::{self, Format, progress},
    },
    domain::Lang,
    note::SignedCheckpoint,
    tls::Cards,
};
use std::path::Path;

/// Verifies the log of a node, as it stands now.
pub(super) fn live(trusted: Trusted, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let key = trusted.key.clone();
    let mut inspector = inspector(trusted)?;
    let inspection = block_on(async {
        let node = context.connect()?;
        let checkpoint = checkpoint(&node, &key).await?;
        each(&node, &checkpoint, context.lang(), |leaf| {
            Ok(inspector.push(leaf)?)
        })
        .await?;
        inspected(inspector, &checkpoint)
    })?;
    report::print(&inspection, context)
}

/// Verifies a directory. Asks nobody.
pub(super) fn export(
    dir: &Path,
    trusted: Trusted,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let inspection = export_inspected(dir, trusted, context.lang())
        .map_err(|failure| failure.at(dir.display()))?;
    report::print(&inspection, context)
}

/// Every file first, and then what the entries say.
fn export_inspected(dir: &Path, trusted: Trusted, lang: Lang) -> Result<Inspection, Failure> {
    let bar = progress(0, lang, "重算", "hashing");
    let log = verify_export(dir, &trusted.key, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    let tree = ExportedTree::new(dir, log.size());
    let mut inspector = inspector(trusted)?.with_tree(&tree);
    let bar = progress(log.size(), lang, "核验", "inspecting");
    for leaf in entries(dir, log.size()) {
        inspector.push(&leaf?)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    inspected(inspector, log.checkpoint())
}

fn inspector<'a>(trusted: Trusted) -> Result<Inspector<'a>, Failure> {
    Inspector::new(trusted, &Cards).map_err(|error| Failure::of(Exit::BadData, &error))
}

fn inspected(inspector: Inspector<'_>, head: &SignedCheckpoint) -> Result<Inspection, Failure> {
    inspector.finish(head).map_err(|error: NotTheLog| {
        Failure::of(Exit::BadData, &error).hint(
            "该节点出示的条目不是其日志所签，请保留证据",
            "the node shows entries that its log did not sign: keep the evidence",
        )
    })
}

/// Writes a node's log out, and verifies it on the way: there is no checkpoint in the directory otherwise.
pub(super) fn write_out(
    dir: &Path,
    vkey: Option<&str>,
    context: &mut Context<'_>,
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
        Format::Json => print::json(context.out, &Exported::from(&checkpoint))?,
        Format::Table => {
            let (size, dir) = (checkpoint.size(), dir.display());
            match context.lang() {
                Lang::Zh => writeln!(
                    context.out,
                    "{}：{size} 条已验证并写入 {dir}",
                    checkpoint.origin()
                )?,
                Lang::En => writeln!(
                    context.out,
                    "{}: {size} entries verified and written to {dir}",
                    checkpoint.origin()
                )?,
            }
        }
    }
    Ok(Exit::Done)
}
