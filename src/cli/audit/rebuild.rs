//! `audit replay --rebuild`: the views of a stopped node, made anew from its log and compared with those stored.

use crate::{
    cli::{
        context::Context,
        exit::{Exit, Failure},
        print::{self, Format, progress},
    },
    domain::Lang,
    node::{self, RebuildNodeError, Rebuilt},
    store::{LockError, OpenStoreError, tables},
};
use serde::Serialize;
use std::io::Write;

/// Asks no node: it works on the data directory of one that is stopped.
pub(super) fn run(write: bool, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let config = context.config()?;
    let bar = progress(0, context.lang(), "重建视图", "rebuilding");
    let rebuilt = node::rebuild_views(&config, write, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let rebuilt = rebuilt.map_err(|error| failure(&error))?;
    match context.format() {
        Format::Json => print::json(context.out, &Report::of(&rebuilt))?,
        Format::Table => table(&rebuilt, context.lang(), context.out)?,
    }
    let differing = rebuilt.differing();
    if write || differing == 0 {
        return Ok(Exit::Done);
    }
    Err(Failure::new(
        Exit::BadData,
        format!("{differing} 行视图与日志不符，未作改动；用 --write 以重建的替换"),
        format!(
            "{differing} rows of the views do not follow from the log; nothing was changed, --write replaces them"
        ),
    ))
}

fn failure(error: &RebuildNodeError) -> Failure {
    match error {
        RebuildNodeError::OpenStore(OpenStoreError::Lock(LockError::Held { .. })) => {
            Failure::of(Exit::Unreachable, error).hint(
                "视图只能在节点停止时重建：先停止该节点（TERM），再执行本命令",
                "views are rebuilt while the node is stopped: stop it (TERM), then run this again",
            )
        }
        RebuildNodeError::Files(_) => Failure::of(Exit::Configuration, error),
        RebuildNodeError::Rebuild(_) => Failure::of(Exit::BadData, error),
        RebuildNodeError::OpenStore(_)
        | RebuildNodeError::Vault(_)
        | RebuildNodeError::Store(_)
        | RebuildNodeError::Scratch { .. } => Failure::of(Exit::Internal, error),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    origin: &'a str,
    entries: u64,
    root: String,
    differing: u64,
    written: u64,
    families: Vec<Family>,
}

#[derive(Serialize)]
struct Family {
    prefix: String,
    name: &'static str,
    rows: u64,
    missing: u64,
    changed: u64,
    surplus: u64,
}

impl<'a> Report<'a> {
    fn of(rebuilt: &'a Rebuilt) -> Self {
        Self {
            origin: &rebuilt.origin,
            entries: rebuilt.entries,
            root: rebuilt.root.to_string(),
            differing: rebuilt.differing(),
            written: rebuilt.written,
            families: families(rebuilt).collect(),
        }
    }
}

fn families(rebuilt: &Rebuilt) -> impl Iterator<Item = Family> {
    rebuilt.families.iter().map(|(prefix, counted)| Family {
        prefix: format!("{prefix:02x}"),
        name: tables::family_name(*prefix),
        rows: counted.rows,
        missing: counted.missing,
        changed: counted.changed,
        surplus: counted.surplus,
    })
}

fn table(rebuilt: &Rebuilt, lang: Lang, out: &mut dyn Write) -> Result<(), Failure> {
    let mut table = print::table(
        lang,
        ["前缀", "视图", "行", "缺失", "不同", "多余"],
        ["prefix", "view", "rows", "missing", "changed", "surplus"],
    );
    for family in families(rebuilt) {
        let counts = [family.rows, family.missing, family.changed, family.surplus];
        let mut cells = vec![family.prefix, family.name.to_owned()];
        cells.extend(counts.map(|count| count.to_string()));
        table.add_row(cells);
    }
    let Rebuilt {
        origin,
        entries,
        root,
        written,
        ..
    } = rebuilt;
    let differing = rebuilt.differing();
    writeln!(out, "{table}")?;
    match lang {
        Lang::Zh => writeln!(
            out,
            "{origin}：{entries} 条，逐条重算与签名的根一致\n根 {root}\n视图不符 {differing} 行，写入 {written} 行"
        )?,
        Lang::En => writeln!(
            out,
            "{origin}: {entries} entries, each hashed here, under the root that was signed\nroot {root}\n\
             {differing} rows of the views differ, {written} written"
        )?,
    }
    Ok(())
}
