//! Lists that come page by page, and what is the same about all that happened to a record.

use super::{
    client::Connection,
    context::Context,
    exit::Failure,
    labels::action,
    print::{self, Format, plain, remark, rfc3339},
};
use crate::{domain::Lang, entry::pb};
use clap::Args;
use comfy_table::Table;
use serde::Serialize;
use std::{collections::BTreeSet, io::Write};

/// Which page.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct PageArgs {
    /// 从此之后 / After this index in the node's log, as the page before said.
    #[arg(long, value_name = "INDEX")]
    pub(super) after: Option<u64>,
    /// 每页条数 / At most so many a page: 100, with --all 1,000, unless said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: Option<u32>,
    /// 全部 / All pages.
    #[arg(long)]
    all: bool,
}

impl PageArgs {
    /// Records to ask for at once.
    pub(super) fn limit(self) -> u32 {
        self.limit.unwrap_or(if self.all { 1000 } else { 100 })
    }

    /// After which index the next page to ask for begins; none where this was the last one wanted. Says so where there
    /// are more.
    pub(super) fn next(
        self,
        asked: Option<u64>,
        next: Option<u64>,
        node: &Connection,
        lang: Lang,
    ) -> Result<Option<u64>, Failure> {
        let Some(next) = next else { return Ok(None) };
        if asked.is_some_and(|asked| next <= asked) {
            return Err(node.nonsense("pages that do not go on"));
        }
        if self.all {
            return Ok(Some(next));
        }
        remark(&match lang {
            Lang::Zh => format!("还有更多：--after {next}，或 --all"),
            Lang::En => format!("there are more: --after {next}, or --all"),
        });
        Ok(None)
    }
}

/// So many rows are laid out as one table. A longer list is several, so that it is never all in memory, and is read while
/// it comes.
const ROWS_AT_ONCE: usize = 1000;

/// Notes beneath a list are as many.
const MAX_NOTES: usize = 20;

/// JSON row by row, tables piece by piece.
pub(super) struct Listing {
    format: Format,
    lang: Lang,
    table: Table,
    rows: usize,
    notes: BTreeSet<String>,
}

impl Listing {
    pub(super) fn new<const N: usize>(context: &Context<'_>, zh: [&str; N], en: [&str; N]) -> Self {
        Self::of(context.format(), context.lang(), zh, en)
    }

    fn of<const N: usize>(format: Format, lang: Lang, zh: [&str; N], en: [&str; N]) -> Self {
        Self {
            format,
            lang,
            table: print::table(lang, zh, en),
            rows: 0,
            notes: BTreeSet::new(),
        }
    }

    pub(super) const fn lang(&self) -> Lang {
        self.lang
    }

    /// Says something about rows beneath the list, once. Not in JSON, where each row says it.
    pub(super) fn note(&mut self, note: String) {
        if self.notes.len() < MAX_NOTES {
            self.notes.insert(note);
        }
    }

    pub(super) fn row<const N: usize>(
        &mut self,
        json: &impl Serialize,
        cells: impl FnOnce(Lang) -> [String; N],
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        self.rows += 1;
        match self.format {
            Format::Json => print::json(out, json),
            Format::Table => {
                self.table.add_row(cells(self.lang));
                if self.table.row_count() >= ROWS_AT_ONCE {
                    self.piece(out)?;
                }
                Ok(())
            }
        }
    }

    /// Prints what there is so far, and begins anew.
    fn piece(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        if self.table.is_empty() {
            return Ok(());
        }
        writeln!(out, "{}", self.table)?;
        out.flush()?;
        let mut next = print::unheaded();
        if let Some(header) = self.table.header() {
            next.set_header(header.clone());
        }
        self.table = next;
        Ok(())
    }

    /// With how many of what there were.
    pub(super) fn finish(mut self, what: &str, out: &mut dyn Write) -> Result<(), Failure> {
        if self.format == Format::Json {
            return Ok(());
        }
        self.piece(out)?;
        for note in &self.notes {
            writeln!(out, "{note}")?;
        }
        let rows = self.rows;
        match self.lang {
            Lang::Zh => writeln!(out, "共{rows}条")?,
            Lang::En => writeln!(out, "{rows} {what}")?,
        }
        Ok(())
    }
}

/// A receipt, as JSON.
#[derive(Serialize)]
pub(super) struct JsonReceipt<'a> {
    log_index: u64,
    partner_origin: &'a str,
    partner_index: u64,
    tree_size: u64,
    time: Option<String>,
}

impl<'a> From<&'a pb::ReceiptSummary> for JsonReceipt<'a> {
    fn from(receipt: &'a pb::ReceiptSummary) -> Self {
        Self {
            log_index: receipt.log_index,
            partner_origin: &receipt.partner_origin,
            partner_index: receipt.partner_index,
            tree_size: receipt.tree_size,
            time: rfc3339(receipt.time_ms),
        }
    }
}

/// A receipt in one line; empty where there is none.
pub(super) fn receipt_line(receipt: Option<&pb::ReceiptSummary>, lang: Lang) -> String {
    let Some(receipt) = receipt else {
        return String::new();
    };
    let (origin, index, size) = (
        plain(&receipt.partner_origin),
        receipt.partner_index,
        receipt.tree_size,
    );
    let time = print::time(receipt.time_ms);
    match lang {
        Lang::Zh => format!("{origin} 第 {index} 条（树 {size}），{time}"),
        Lang::En => format!("{origin} entry {index} (tree {size}), {time}"),
    }
}

/// An action, and whether it counts.
pub(super) fn action_label(value: i32, superseded: bool, waiting: bool, lang: Lang) -> String {
    let (en, zh) = action(value);
    let standing = match (superseded, waiting) {
        (true, _) => lang.pick("（已被取代）", " (superseded)"),
        (false, true) => lang.pick("（等待前序）", " (waits for what it follows)"),
        (false, false) => "",
    };
    format!("{}{standing}", lang.pick(zh, en))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    /// Counts lines, and keeps none.
    #[derive(Default)]
    struct Counted(usize);

    impl Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.iter().filter(|byte| **byte == b'\n').count();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn regression_a_list_without_end_is_printed_as_it_is_read() {
        let mut listing = Listing::of(Format::Table, Lang::En, ["甲", "乙"], ["id", "state"]);
        let mut out = Counted::default();
        for row in 0..100_000_usize {
            let cells = |_| [row.to_string(), "sent".to_owned()];
            listing.row(&row, cells, &mut out).unwrap();
            assert!(listing.table.row_count() < ROWS_AT_ONCE);
            // All but what one piece holds is out.
            assert!(out.0 + ROWS_AT_ONCE > row, "{row}: {}", out.0);
            listing.note(format!("note {row}"));
        }
        assert_eq!(listing.notes.len(), MAX_NOTES);
        listing.finish("rows", &mut out).unwrap();
    }
}
