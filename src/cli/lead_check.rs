//! `lead check FILE`: what each row of a sheet would get, without a node.

use crate::{
    domain::{Finding, Lang, LeadRules},
    intake::{RowVerdict, Sheet, SheetError, Verdict, check},
};
use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::{self, Write},
    path::Path,
};

/// How verdicts are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A table of the rows that need a look, and a summary.
    Table,
    /// One JSON object a row, nothing else.
    Json,
}

/// Why a check came to no end.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The file is no sheet of leads. Exit code 66 where it cannot be read, else 65.
    #[error(transparent)]
    Sheet(#[from] SheetError),
    /// The verdicts could not be written.
    #[error("cannot write the verdicts: {0}")]
    Output(#[from] io::Error),
    /// The verdicts could not be written as JSON.
    #[error("cannot write the verdicts: {0}")]
    Json(#[from] serde_json::Error),
}

/// How many rows got which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Leads that may be sent, with or without warnings.
    pub accepted: u64,
    /// Accepted rows that have warnings.
    pub warned: u64,
    /// The same lead further up.
    pub duplicates: u64,
    /// Not sent.
    pub rejected: u64,
    /// Blank.
    pub skipped: u64,
}

impl Summary {
    /// Counts one more row.
    pub fn count(&mut self, verdict: &RowVerdict) {
        match verdict.verdict {
            Verdict::Accept => {
                self.accepted += 1;
                self.warned += u64::from(!verdict.findings.is_empty());
            }
            Verdict::Duplicate => self.duplicates += 1,
            Verdict::Reject => self.rejected += 1,
            Verdict::Skip => self.skipped += 1,
        }
    }

    /// All rows.
    pub const fn rows(&self) -> u64 {
        self.accepted + self.duplicates + self.rejected + self.skipped
    }

    /// In one line.
    pub fn line(&self, lang: Lang) -> String {
        let Self {
            accepted,
            warned,
            duplicates,
            rejected,
            skipped,
        } = self;
        let rows = self.rows();
        match lang {
            Lang::Zh => format!(
                "共{rows}行：接受{accepted}（其中有提示{warned}），重复{duplicates}，拒绝{rejected}，跳过{skipped}"
            ),
            Lang::En => format!(
                "{rows} rows: {accepted} accepted ({warned} with warnings), {duplicates} duplicate, {rejected} rejected, \
                 {skipped} skipped"
            ),
        }
    }
}

/// Checks a file and prints what each row gets. A table shows the rows that need a look; accepted ones are counted. No
/// value of a cell is ever printed. The bar goes to stderr, where that is a terminal.
///
/// # Errors
/// The file is no sheet of leads, or `out` cannot be written.
pub fn run(
    path: &Path,
    rules: &LeadRules<'_>,
    format: Format,
    lang: Lang,
    out: &mut dyn Write,
) -> Result<Summary, CheckError> {
    let sheet = Sheet::open(path)?;
    let other_sheets = sheet.other_sheets();
    let bar = progress(sheet.len(), lang);
    let mut summary = Summary::default();
    let mut table = Rows::new(lang);
    for verdict in check(sheet, rules) {
        bar.inc(1);
        summary.count(&verdict);
        match format {
            Format::Json => {
                serde_json::to_writer(&mut *out, &verdict.to_json(lang, None))?;
                writeln!(out)?;
            }
            Format::Table => table.add(&verdict),
        }
    }
    bar.finish_and_clear();
    if format == Format::Table {
        table.print(out)?;
        writeln!(out, "{}", summary.line(lang))?;
        if other_sheets > 0 {
            writeln!(out, "{}", not_read(other_sheets, lang))?;
        }
    }
    out.flush()?;
    Ok(summary)
}

/// A bar on stderr; hidden where that is no terminal.
fn progress(rows: usize, lang: Lang) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(rows).unwrap_or(u64::MAX));
    let template = lang.pick(
        "核对 {wide_bar} {pos}/{len} 行",
        "checking {wide_bar} {pos}/{len} rows",
    );
    // Without a style the bar is plain, and still a bar.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn not_read(other_sheets: usize, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("只读取了第一张工作表，另有{other_sheets}张未读取"),
        Lang::En => format!("only the first worksheet was read; {other_sheets} more were not"),
    }
}

/// The table of rows that need a look.
struct Rows {
    table: Table,
    lang: Lang,
}

impl Rows {
    fn new(lang: Lang) -> Self {
        let mut table = Table::new();
        table
            .load_style(UTF8_FULL_CONDENSED)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(match lang {
                Lang::Zh => ["行", "结果", "列", "代码", "说明"],
                Lang::En => ["row", "verdict", "column", "code", "message"],
            });
        Self { table, lang }
    }

    fn add(&mut self, verdict: &RowVerdict) {
        for (nth, finding) in verdict.findings.iter().enumerate() {
            // The number once, so that the eye finds the next row.
            let (row, label) = if nth == 0 {
                (verdict.row.to_string(), verdict.verdict.label(self.lang))
            } else {
                (String::new(), "")
            };
            self.table.add_row([
                row,
                label.to_owned(),
                self.column(finding).to_owned(),
                finding.code.to_string(),
                verdict.message(finding, self.lang),
            ]);
        }
    }

    fn column(&self, finding: &Finding) -> &'static str {
        match (finding.column, self.lang) {
            (Some(column), Lang::Zh) => column.header_zh(),
            (Some(column), Lang::En) => column.as_str(),
            (None, _) => "",
        }
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.table.is_empty() {
            return Ok(());
        }
        writeln!(out, "{}", self.table)
    }
}
