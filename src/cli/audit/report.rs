//! What an inspection came to, as people and programs read it.

use crate::{
    api::json::Inspected,
    audit::{CappedList, Inspection},
    cli::{
        context::Context,
        exit::{Exit, Failure},
        print::{self, Format, plain},
    },
    domain::Lang,
};
use std::io::Write;

/// Defects and remarks that a table shows; all are in the JSON, up to the inspection's own limit.
const SHOWN: usize = 20;

/// Prints it; a log with defects ends the command as bad data.
pub(super) fn print(inspection: &Inspection, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match context.format() {
        Format::Json => print::json(context.out, &Inspected::from(inspection))?,
        Format::Table => table(inspection, context.lang(), context.out)?,
    }
    if inspection.is_clean() {
        return Ok(Exit::Done);
    }
    let (defects, unknown) = (inspection.defects.total, inspection.unknown);
    let wrong = counted(defects, "thing in them is", "things in them are");
    let unread = counted(
        unknown,
        "entry of a newer program was",
        "entries of a newer program were",
    );
    Err(Failure::new(
        Exit::BadData,
        format!(
            "条目与签名的根一致，但其中 {defects} 处有误，{unknown} 条由更新的程序写入、无法核验"
        ),
        format!(
            "the entries are those under the signed root, but {wrong} wrong, and {unread} not read"
        ),
    ))
}

fn table(inspection: &Inspection, lang: Lang, out: &mut dyn Write) -> Result<(), Failure> {
    let Inspection {
        origin,
        entries,
        root,
        dispatches_sent: sent,
        received,
        refused,
        receipts,
        refusals,
        ..
    } = inspection;
    let (unanswered, evidence) = (inspection.unanswered.total, inspection.evidence.total);
    let verdict = match inspection.is_clean() {
        true => lang.pick("验证通过", "verified"),
        false => lang.pick("有误", "NOT IN ORDER"),
    };
    match lang {
        Lang::Zh => {
            writeln!(
                out,
                "{verdict}：{origin}，{entries} 条，逐条重算与签名的根一致"
            )?;
            writeln!(out, "根 {root}")?;
            writeln!(
                out,
                "发出 {sent}（回执 {receipts}，对方拒收 {refusals}，尚无答复 {unanswered}），收到 {received}，拒收 {refused}，\
                 证据 {evidence}"
            )?;
        }
        Lang::En => {
            writeln!(
                out,
                "{verdict}: {origin}, {}, each hashed here, under the root that was signed",
                counted(*entries, "entry", "entries")
            )?;
            writeln!(out, "root {root}")?;
            writeln!(
                out,
                "sent {sent} ({}, {}, {unanswered} unanswered), received {received}, refused {refused}, evidence {evidence}",
                counted(*receipts, "receipt", "receipts"),
                counted(*refusals, "refusal", "refusals"),
            )?;
        }
    }
    if !inspection.keys_from_log.is_empty() {
        let what = lang.pick(
            "回执凭下列对方公钥核验，而这些公钥只有本日志自己说过：请向各辖区线下核对，再以 --vkey 或 --partner-card 给出",
            "receipts were checked with these keys of partners, which only this log itself names: compare each with its \
             jurisdiction out of band, and give it with --vkey or --partner-card",
        );
        writeln!(out, "{what}\n{}", lines_of(&inspection.keys_from_log))?;
    }
    let defects = listed(&inspection.defects, |defect| {
        (defect.index, defect.code.as_str(), defect.what.clone())
    });
    let remarks = listed(&inspection.remarks, |remark| {
        (remark.index, remark.code.as_str(), remark.what.to_owned())
    });
    for (label, (total, rows)) in [
        (lang.pick("有误", "wrong"), defects),
        (lang.pick("提示", "remarks"), remarks),
    ] {
        if total == 0 {
            continue;
        }
        let mut table = print::table(lang, ["条目", "代码", "说明"], ["entry", "code", "what"]);
        for (index, code, what) in rows {
            table.add_row([index.to_string(), code.to_owned(), plain(&what)]);
        }
        writeln!(out, "{label}: {total}\n{table}")?;
    }
    Ok(())
}

/// Keys, each on a line.
pub(super) fn lines_of(keys: &[String]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| plain(key)).collect();
    keys.join("\n")
}

/// A number with its noun.
fn counted(number: u64, one: &str, several: &str) -> String {
    let noun = if number == 1 { one } else { several };
    format!("{number} {noun}")
}

/// How many there are, and the first of them.
fn listed<T>(
    items: &CappedList<T>,
    row: impl Fn(&T) -> (u64, &'static str, String),
) -> (u64, Vec<(u64, &'static str, String)>) {
    (
        items.total,
        items.first.iter().take(SHOWN).map(row).collect(),
    )
}
