//! `lead check FILE`: what each row of a sheet would get, without a node.

pub use super::print::Format;

use super::print;
use crate::{
    domain::{Finding, FindingCode, Lang, LeadRules, SheetColumn},
    intake::{JsonReason, JsonRow, Note, RowVerdict, Sheet, SheetError, Verdict, check},
};
use comfy_table::Table;
use serde::Serialize;
use std::{
    io::{self, Write},
    path::Path,
};

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
    pub fn count<C, P>(&mut self, verdict: &RowVerdict<C, P>) {
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
    run_with(path, rules, format, lang, out, &mut |_| Ok(()))
}

/// As [`run`], with each row's verdict handed to `each` too.
pub(super) fn run_with<E: From<CheckError>>(
    path: &Path,
    rules: &LeadRules<'_>,
    format: Format,
    lang: Lang,
    out: &mut dyn Write,
    each: &mut dyn FnMut(&RowVerdict) -> Result<(), E>,
) -> Result<Summary, E> {
    let sheet = Sheet::open(path).map_err(CheckError::from)?;
    tell(sheet.notes(), lang);
    let length = u64::try_from(sheet.len()).unwrap_or(u64::MAX);
    let bar = print::progress(length, lang, "核对", "checking");
    let mut report = Report::new(format, lang, Ids::None, out).naming_sheets(sheet.tables().len());
    for verdict in check(sheet, rules) {
        bar.inc(1);
        each(&verdict)?;
        report.row(&verdict, Added::default())?;
    }
    bar.finish_and_clear();
    Ok(report.finish()?)
}

/// Says beside the data what of a file was not read.
pub(super) fn tell(notes: &[Note], lang: Lang) {
    for note in notes.iter().filter(|note| !note.is_expected()) {
        print::remark(&print::redacted(&print::plain(&note.message(lang))));
    }
}

/// What a node adds to the verdict on a row.
#[derive(Debug, Default)]
pub(super) struct Added {
    /// The record's id.
    pub(super) lead_id: Option<String>,
    /// Reasons in words of the node, where it is newer than this program.
    pub(super) reasons: Vec<JsonReason>,
}

/// What the ids are of that a node gives with its verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ids {
    /// There is no node.
    None,
    /// Leads.
    Leads,
    /// Caught notices.
    Caught,
}

/// A row's verdict on a caught notice as one JSON object; that on a lead is a [`JsonRow`].
#[derive(Serialize)]
struct JsonCaughtRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    sheet: Option<String>,
    row: u32,
    verdict: String,
    reasons: Vec<JsonReason>,
    caught_id: Option<String>,
}

impl From<JsonRow> for JsonCaughtRow {
    fn from(row: JsonRow) -> Self {
        Self {
            sheet: row.sheet,
            row: row.row,
            verdict: row.verdict,
            reasons: row.reasons,
            caught_id: row.lead_id,
        }
    }
}

/// Prints verdicts: JSON at once, a table at the end, or page by page where it is long.
pub(super) struct Report<'a> {
    format: Format,
    lang: Lang,
    ids: Ids,
    rows: Rows,
    summary: Summary,
    out: &'a mut dyn Write,
}

impl<'a> Report<'a> {
    pub(super) fn new(format: Format, lang: Lang, ids: Ids, out: &'a mut dyn Write) -> Self {
        Self {
            format,
            lang,
            ids,
            rows: Rows::new(lang, ids, false),
            summary: Summary::default(),
            out,
        }
    }

    /// With the names of the worksheets in the table, where there is more than one.
    pub(super) fn naming_sheets(mut self, sheets: usize) -> Self {
        self.rows = Rows::new(self.lang, self.ids, sheets > 1);
        self
    }

    /// The next row.
    pub(super) fn row<C: SheetColumn, P>(
        &mut self,
        verdict: &RowVerdict<C, P>,
        added: Added,
    ) -> Result<(), CheckError> {
        self.summary.count(verdict);
        match self.format {
            Format::Json => {
                let mut row = verdict.to_json(self.lang, added.lead_id);
                row.reasons.extend(added.reasons);
                match self.ids {
                    Ids::None | Ids::Leads => serde_json::to_writer(&mut *self.out, &row)?,
                    Ids::Caught => {
                        serde_json::to_writer(&mut *self.out, &JsonCaughtRow::from(row))?;
                    }
                }
                writeln!(self.out)?;
            }
            Format::Table => {
                self.rows.add(verdict, &added);
                if self.rows.is_full() {
                    self.rows.print(self.out)?;
                }
            }
        }
        Ok(())
    }

    /// After the last row, or after the last that there will be.
    pub(super) fn finish(mut self) -> Result<Summary, CheckError> {
        if self.format == Format::Table {
            self.rows.add_passed();
            self.rows.print(self.out)?;
            writeln!(self.out, "{}", self.summary.line(self.lang))?;
        }
        self.out.flush()?;
        Ok(self.summary)
    }
}

/// So many lines are laid out as one table. A longer list is several, so that it is never all in memory.
const PAGE_LINES: usize = 1_000;

/// The table of rows that need a look.
struct Rows {
    page: Table,
    lang: Lang,
    with_ids: bool,
    with_sheets: bool,
    passed: Option<Passed>,
}

/// Rows one below the other that were passed over for the same reason: one line, however many they are.
struct Passed {
    sheet: Option<String>,
    code: FindingCode,
    rows: [u32; 2],
}

impl Passed {
    /// A row that was passed over, and for no other reason.
    fn of<C: SheetColumn, P>(verdict: &RowVerdict<C, P>, added: &Added) -> Option<Self> {
        match verdict.findings.as_slice() {
            [finding] if verdict.verdict == Verdict::Skip && added.reasons.is_empty() => {
                Some(Self {
                    sheet: verdict.place.table.shown_name(),
                    code: finding.code,
                    rows: [verdict.row(); 2],
                })
            }
            _ => None,
        }
    }

    fn is_followed_by(&self, next: &Self) -> bool {
        self.sheet == next.sheet
            && self.code == next.code
            && self.rows[1].checked_add(1) == Some(next.rows[0])
    }
}

impl Rows {
    fn new(lang: Lang, ids: Ids, with_sheets: bool) -> Self {
        let mut header = match lang {
            Lang::Zh => vec!["行", "结果", "列", "代码", "说明"],
            Lang::En => vec!["row", "verdict", "column", "code", "message"],
        };
        if with_sheets {
            header.insert(0, lang.pick("工作表", "worksheet"));
        }
        match ids {
            Ids::None => {}
            Ids::Leads => header.push(lang.pick("线索标识", "lead id")),
            Ids::Caught => header.push(lang.pick("通报标识", "caught id")),
        }
        let mut page = print::unheaded();
        page.set_header(header);
        Self {
            page,
            lang,
            with_ids: ids != Ids::None,
            with_sheets,
            passed: None,
        }
    }

    /// Lays out the rows that were passed over and are waiting for more of them.
    fn add_passed(&mut self) {
        let Some(Passed { sheet, code, rows }) = self.passed.take() else {
            return;
        };
        let [first, last] = rows;
        let row = if first == last {
            first.to_string()
        } else {
            format!("{first}–{last}")
        };
        let mut cells = Vec::new();
        if self.with_sheets {
            cells.push(sheet.unwrap_or_default());
        }
        let label = Verdict::Skip.label(self.lang).to_owned();
        let said = code.message(self.lang).to_owned();
        cells.extend([row, label, String::new(), code.to_string(), said]);
        if self.with_ids {
            cells.push(String::new());
        }
        self.page.add_row(cells);
    }

    fn add<C: SheetColumn, P>(&mut self, verdict: &RowVerdict<C, P>, added: &Added) {
        if let Some(next) = Passed::of(verdict, added) {
            match &mut self.passed {
                Some(before) if before.is_followed_by(&next) => before.rows[1] = next.rows[1],
                Some(_) | None => {
                    self.add_passed();
                    self.passed = Some(next);
                }
            }
            return;
        }
        // An accepted row has no line, and ends a run all the same: its number lies between.
        self.add_passed();
        let findings = verdict.findings.iter().map(|finding| {
            [
                self.column(finding).to_owned(),
                finding.code.to_string(),
                verdict.message(finding, self.lang),
            ]
        });
        let reasons = added.reasons.iter().map(|reason| {
            [
                print::plain(reason.column.as_deref().unwrap_or_default()),
                print::plain(&reason.code),
                print::plain(&reason.message),
            ]
        });
        let reasons: Vec<_> = findings.chain(reasons).collect();
        for (nth, reason) in reasons.into_iter().enumerate() {
            // The number once, so that the eye finds the next row.
            let is_first = nth == 0;
            let (row, label, lead_id) = if is_first {
                let lead_id = added.lead_id.as_deref().map(print::plain);
                let label = verdict.verdict.label(self.lang);
                (
                    verdict.row().to_string(),
                    label,
                    lead_id.unwrap_or_default(),
                )
            } else {
                (String::new(), "", String::new())
            };
            let mut cells = Vec::new();
            if self.with_sheets {
                let name = is_first.then(|| verdict.place.table.shown_name());
                cells.push(name.flatten().unwrap_or_default());
            }
            cells.extend([row, label.to_owned()]);
            cells.extend(reason);
            if self.with_ids {
                cells.push(lead_id);
            }
            self.page.add_row(cells);
        }
    }

    fn column<C: SheetColumn>(&self, finding: &Finding<C>) -> &'static str {
        match (finding.column, self.lang) {
            (Some(column), Lang::Zh) => column.header_zh(),
            (Some(column), Lang::En) => column.as_str(),
            (None, _) => "",
        }
    }

    fn is_full(&self) -> bool {
        self.page.row_count() >= PAGE_LINES
    }

    /// Prints what was added, and begins anew.
    fn print(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.page.is_empty() {
            return Ok(());
        }
        writeln!(out, "{}", self.page)?;
        let mut next = print::unheaded();
        if let Some(header) = self.page.header() {
            next.set_header(header.clone());
        }
        self.page = next;
        Ok(())
    }
}
