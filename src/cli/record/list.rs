//! Lists of records, page by page.

use super::{
    client,
    row::{Query, Row},
    told::Told,
};
use crate::{
    cli::{
        args::{self, When},
        client::Connection,
        context::{Context, block_on},
        exit::{Exit, Failure},
        print::{self, Format, plain, remark},
    },
    domain::{Family, Lang},
};
use clap::Args;
use comfy_table::Table;
use std::{collections::BTreeSet, io::Write};

/// When records were entered.
#[derive(Args, Clone, Copy, Debug)]
pub(in crate::cli) struct TimeArgs {
    /// 自 / Entered in the node's log at or after: 2026-03-05, '2026-03-05 14:00', in Asia/Shanghai.
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// 之前 / Entered before.
    #[arg(long, value_name = "TIME")]
    before: Option<When>,
}

/// Which page.
#[derive(Args, Clone, Copy, Debug)]
pub(in crate::cli) struct PageArgs {
    /// 从此之后 / After this index in the node's log, as the page before said.
    #[arg(long, value_name = "INDEX")]
    after: Option<u64>,
    /// 每页条数 / At most so many a page: 100, with --all 1,000, unless said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: Option<u32>,
    /// 全部 / All pages.
    #[arg(long)]
    all: bool,
}

impl PageArgs {
    /// The first page of what was entered at these times.
    pub(in crate::cli) fn query(self, times: TimeArgs) -> Query {
        Query {
            since_ms: times.since.map_or(0, When::millis),
            before_ms: times.before.map_or(0, When::millis),
            after: self.after,
            limit: self.limit.unwrap_or(if self.all { 1000 } else { 100 }),
            ..Query::default()
        }
    }

    /// After which index the next page to ask for begins; none where this was the last one wanted. Says so where there
    /// are more.
    fn next(
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

/// The name of whom records are about; with `-`, the next line on stdin. Empty where none was given.
pub(in crate::cli) fn name(typed: Option<&str>, lang: Lang) -> Result<String, Failure> {
    typed.map_or_else(
        || Ok(String::new()),
        |typed| args::line("--name", typed, lang),
    )
}

/// Prints what the query finds: one page, or with `--all` every page.
pub(in crate::cli) fn run(
    family: Family,
    mut query: Query,
    page: PageArgs,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    block_on(async {
        let node = context.connect()?;
        let mut listing = Listing::new(family, context.format(), context.lang());
        loop {
            let found = client::list(family, &node, query.clone()).await?;
            for row in &found.rows {
                listing.row(row, context.out)?;
            }
            query.after = page.next(query.after, found.next, &node, context.lang())?;
            if query.after.is_none() {
                break;
            }
        }
        listing.finish(context.out)
    })?;
    Ok(Exit::Done)
}

/// So many rows are laid out as one table. A longer list is several, so that it is never all in memory, and is read while
/// it comes.
const ROWS_AT_ONCE: usize = 1000;

/// Notes beneath a list are as many.
const MAX_NOTES: usize = 20;

/// JSON row by row, tables piece by piece.
struct Listing {
    family: Family,
    format: Format,
    lang: Lang,
    table: Table,
    rows: usize,
    /// Said of several rows, and beneath the list once. In JSON each row says it.
    notes: BTreeSet<String>,
}

impl Listing {
    fn new(family: Family, format: Format, lang: Lang) -> Self {
        let mut table = print::unheaded();
        let headings = family
            .listed()
            .iter()
            .map(|([zh, en], _)| lang.pick(zh, en));
        table.set_header(std::iter::once(family.id_label(lang)).chain(headings));
        Self {
            family,
            format,
            lang,
            table,
            rows: 0,
            notes: BTreeSet::new(),
        }
    }

    fn row(&mut self, row: &Row, out: &mut dyn Write) -> Result<(), Failure> {
        self.rows += 1;
        let told = Told {
            row,
            family: self.family,
            lang: self.lang,
        };
        if self.format == Format::Json {
            return print::json(out, &told);
        }
        if self.notes.len() < MAX_NOTES {
            self.notes.extend(told.refused());
        }
        let cells = self.family.listed().iter().map(|(_, text)| text(&told));
        self.table
            .add_row(std::iter::once(plain(&row.id)).chain(cells));
        if self.table.row_count() >= ROWS_AT_ONCE {
            self.piece(out)?;
        }
        Ok(())
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

    /// With how many there were.
    fn finish(mut self, out: &mut dyn Write) -> Result<(), Failure> {
        if self.format == Format::Json {
            return Ok(());
        }
        self.piece(out)?;
        for note in &self.notes {
            writeln!(out, "{note}")?;
        }
        let (rows, many) = (self.rows, self.family.many());
        match self.lang {
            Lang::Zh => writeln!(out, "共{rows}条")?,
            Lang::En => writeln!(out, "{rows} {many}")?,
        }
        Ok(())
    }
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
        let mut listing = Listing::new(Family::ArrestNotice, Format::Table, Lang::En);
        let mut out = Counted::default();
        for row in 0..100_000_usize {
            let refused = Row {
                id: row.to_string(),
                refusal: format!("note_{row}"),
                ..Row::default()
            };
            listing.row(&refused, &mut out).unwrap();
            assert!(listing.table.row_count() < ROWS_AT_ONCE);
            // All but what one piece holds is out.
            assert!(out.0 + ROWS_AT_ONCE > row, "{row}: {}", out.0);
        }
        assert_eq!(listing.notes.len(), MAX_NOTES);
        listing.finish(&mut out).unwrap();
    }
}
