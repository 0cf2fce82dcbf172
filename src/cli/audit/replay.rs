//! `audit replay`: entries as rows. What the node shows here is not verified; `audit verify` does that. With `--rebuild`,
//! entries as what follows from them: the views.

use super::{node_log::leaves, rebuild};
use crate::{
    access::Purpose,
    audit::{KindName, PrincipalFilter, ReplayFilter, ReplayRow},
    cli::{
        args::{When, id},
        context::{Context, block_on},
        exit::{Exit, Failure},
        print::{self, Format, plain},
    },
    domain::{Jurisdiction, Lang, RecordId, Timestamp},
};
use clap::Args;
use comfy_table::Table;
use std::io::Write;

#[derive(Args, Debug)]
pub(super) struct ReplayArgs {
    /// 种类 / Of these kinds: dispatch_sent, dispatch_received, consulted, …
    #[arg(long, value_name = "KIND,…", value_delimiter = ',')]
    kind: Vec<KindName>,
    /// 何人 / Of this principal (spiffe://520624.yichuan/officer/001), jurisdiction (520624) or role (officer).
    #[arg(long, value_name = "WHO")]
    principal: Option<PrincipalFilter>,
    /// 用途 / With this purpose; --purpose is that of this call.
    #[arg(long, value_name = "PURPOSE")]
    with_purpose: Option<Purpose>,
    /// 对方 / With this jurisdiction at the other end.
    #[arg(long, value_name = "CODE")]
    counterpart: Option<Jurisdiction>,
    /// 自 / Written at or after: 2026-03-05, '2026-03-05 14:00', in Asia/Shanghai.
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// 之前 / Written before.
    #[arg(long, value_name = "TIME")]
    before: Option<When>,
    /// 起始条目 / From this index.
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    from: u64,
    /// 终止条目 / Up to, not including, this index.
    #[arg(long, value_name = "INDEX", value_parser = clap::value_parser!(u64).range(1..))]
    to: Option<u64>,
    /// 线索标识 / About this record: sent, received, answered or consulted.
    #[arg(long, value_name = "ID")]
    #[arg(value_parser = id::<RecordId>)]
    record: Option<RecordId>,
    /// 重建视图 / On the machine of a stopped node: make its views anew from the log and compare them with those stored.
    #[arg(long, conflicts_with_all = [
        "kind", "principal", "with_purpose", "counterpart", "since", "before", "from", "to", "record",
    ])]
    rebuild: bool,
    /// 写入 / With --rebuild: replace what differs.
    #[arg(long, requires = "rebuild")]
    write: bool,
}

pub(super) fn run(args: &ReplayArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    if args.rebuild {
        return rebuild::run(args.write, context);
    }
    let time = |when: When| Timestamp::from_millis(when.millis());
    let filter = ReplayFilter {
        kinds: args.kind.iter().copied().collect(),
        principal: args.principal.clone(),
        purpose: args.with_purpose,
        record: args.record,
        counterpart: args.counterpart,
        since: args.since.map(time),
        before: args.before.map(time),
        from: args.from,
        to: args.to,
    };
    let mut printer = Printer::new(context);
    block_on(async {
        let node = context.connect()?;
        leaves(
            &node,
            args.from,
            args.to.unwrap_or(0),
            |index, leaf| match filter.row(index, leaf) {
                Some(row) => printer.row(&row, context.out),
                None => Ok(()),
            },
        )
        .await
    })?;
    printer.finish(context.out)?;
    Ok(Exit::Done)
}

/// A table is printed in pieces of so many rows: a log may be long, and a terminal is read while it runs.
const ROWS_AT_ONCE: usize = 1000;

/// JSON row by row, tables piece by piece.
struct Printer {
    format: Format,
    lang: Lang,
    table: Table,
    rows: u64,
}

impl Printer {
    fn new(context: &Context<'_>) -> Self {
        Self {
            format: context.format(),
            lang: context.lang(),
            table: empty(context.lang()),
            rows: 0,
        }
    }

    fn row(&mut self, row: &ReplayRow, out: &mut dyn Write) -> Result<(), Failure> {
        self.rows += 1;
        if self.format == Format::Json {
            return print::json(out, row);
        }
        let purpose = row.purpose.unwrap_or_default();
        let grounds = format!("{purpose} {}", row.basis.as_deref().unwrap_or_default());
        self.table.add_row([
            row.index.to_string(),
            row.time_ms.map_or_else(String::new, print::time),
            row.kind.to_owned(),
            plain(row.principal.as_deref().unwrap_or_default()),
            plain(grounds.trim()),
            plain(&what(row)),
        ]);
        if self.table.row_count() >= ROWS_AT_ONCE {
            writeln!(out, "{}", self.table)?;
            self.table = empty(self.lang);
        }
        Ok(())
    }

    fn finish(self, out: &mut dyn Write) -> Result<(), Failure> {
        if self.format == Format::Json {
            return Ok(());
        }
        if !self.table.is_empty() {
            writeln!(out, "{}", self.table)?;
        }
        let rows = self.rows;
        match self.lang {
            Lang::Zh => writeln!(out, "共{rows}条")?,
            Lang::En => writeln!(out, "{rows} entries")?,
        }
        Ok(())
    }
}

fn empty(lang: Lang) -> Table {
    print::table(
        lang,
        ["条目", "时间", "种类", "何人", "用途与依据", "内容"],
        ["entry", "time", "kind", "by", "purpose and basis", "what"],
    )
}

/// Who reached which quota.
fn quota(row: &ReplayRow) -> Option<String> {
    let (who, quota) = (row.who.as_deref()?, row.quota?);
    let (counted, limit) = (
        row.counted.unwrap_or_default(),
        row.limit.unwrap_or_default(),
    );
    let became = if row.refused == Some(true) {
        "refused"
    } else {
        "slowed"
    };
    Some(format!("{who} {quota} {counted}/{limit} {became}"))
}

fn attempt(row: &ReplayRow) -> Option<String> {
    let (who, attempt) = (row.who.as_deref()?, row.attempt?);
    let counted = row.counted.unwrap_or_default();
    Some(format!("{who} {attempt} × {counted}"))
}

/// What an entry is about, in one line.
fn what(row: &ReplayRow) -> String {
    let route = match (&row.from, &row.to) {
        (Some(from), Some(to)) => Some(format!("{from} → {to}")),
        (None, Some(to)) => Some(format!("→ {to}")),
        (_, None) => None,
    };
    let records = row
        .records
        .as_ref()
        .map(|records| match records.as_slice() {
            [] => "0".to_owned(),
            [one] => one.clone(),
            [first, more @ ..] => format!("{first} + {}", more.len()),
        });
    [
        row.action.map(str::to_owned),
        row.how.map(str::to_owned),
        row.overridden.map(|_| "overridden".to_owned()),
        row.range.map(|[first, count]| format!("{first} + {count}")),
        attempt(row),
        route,
        row.record.clone(),
        row.assignee.as_ref().map(|who| match who.as_str() {
            "" => "→ nobody".to_owned(),
            who => format!("→ {who}"),
        }),
        records,
        quota(row),
        row.return_reason.map(str::to_owned),
        row.refusal.map(str::to_owned),
        row.jurisdiction.clone(),
        row.origin.clone(),
        row.defect.clone(),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(" ")
}
