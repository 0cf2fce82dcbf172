//! Verdicts on the rows of a sheet, as they are printed.

use crate::{
    cli::{
        exit::{Exit, Failure},
        print::{self, Format},
    },
    domain::{Family, Finding, FindingCode, Lang, RecordColumn},
    intake::{JsonReason, RowVerdict, Verdict},
};
use comfy_table::Table;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    io::{self, Write},
    mem,
};

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
    pub fn count<C: RecordColumn>(&mut self, verdict: &RowVerdict<C>) {
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

    /// How a command ends that came to this.
    pub(super) const fn exit(&self) -> Exit {
        if self.rejected > 0 {
            Exit::SomeRejected
        } else {
            Exit::Done
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

/// What a node adds to the verdict on a row.
#[derive(Debug, Default)]
pub(super) struct Added {
    /// The record's id.
    pub(super) id: Option<String>,
    /// Reasons in words of the node, where it is newer than this program.
    pub(super) reasons: Vec<JsonReason>,
}

/// A row's verdict as one JSON object, with the record's id under the key of its family.
#[derive(Serialize)]
struct JsonVerdict {
    #[serde(skip_serializing_if = "Option::is_none")]
    sheet: Option<String>,
    row: u32,
    verdict: String,
    reasons: Vec<JsonReason>,
    #[serde(flatten)]
    id: BTreeMap<&'static str, Option<String>>,
}

/// Prints verdicts: JSON at once, a table at the end, or page by page where it is long.
pub(super) struct Report<'a> {
    format: Format,
    lang: Lang,
    /// Of the records whose ids a node gives with its verdicts; none where there is no node.
    family: Option<Family>,
    rows: Rows,
    summary: Summary,
    out: &'a mut dyn Write,
}

impl<'a> Report<'a> {
    /// The table names the worksheets, where there is more than one.
    pub(super) fn new(
        family: Option<Family>,
        worksheets: usize,
        format: Format,
        lang: Lang,
        out: &'a mut dyn Write,
    ) -> Self {
        Self {
            format,
            lang,
            family,
            rows: Rows::new(lang, family, worksheets > 1),
            summary: Summary::default(),
            out,
        }
    }

    /// The next row.
    pub(super) fn row<C: RecordColumn>(
        &mut self,
        verdict: &RowVerdict<C>,
        added: Added,
    ) -> Result<(), Failure> {
        self.summary.count(verdict);
        match self.format {
            Format::Json => {
                let row = verdict.to_json(self.lang, added.id);
                let key = self.family.unwrap_or(Family::Lead).id_key();
                let reasons = row.reasons.into_iter().chain(added.reasons).collect();
                let verdict = JsonVerdict {
                    sheet: row.sheet,
                    row: row.row,
                    verdict: row.verdict,
                    reasons,
                    id: BTreeMap::from([(key, row.lead_id)]),
                };
                print::json(self.out, &verdict)
            }
            Format::Table => {
                self.rows.add(verdict, &added);
                if self.rows.is_full() {
                    self.rows.print(self.out)?;
                }
                Ok(())
            }
        }
    }

    /// After the last row, or after the last that there will be.
    pub(super) fn finish(mut self) -> Result<Summary, Failure> {
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
    fn of<C: RecordColumn>(verdict: &RowVerdict<C>, added: &Added) -> Option<Self> {
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
    fn new(lang: Lang, family: Option<Family>, with_sheets: bool) -> Self {
        let mut header = match lang {
            Lang::Zh => vec!["行", "结果", "列", "代码", "说明"],
            Lang::En => vec!["row", "verdict", "column", "code", "message"],
        };
        if with_sheets {
            header.insert(0, lang.pick("工作表", "worksheet"));
        }
        header.extend(family.map(|family| family.id_label(lang)));
        let mut page = print::unheaded();
        page.set_header(header);
        Self {
            page,
            lang,
            with_ids: family.is_some(),
            with_sheets,
            passed: None,
        }
    }

    /// One line: row, verdict and reason, between the worksheet's name and the record's id.
    fn line(&mut self, sheet: Option<String>, cells: [String; 5], id: Option<String>) {
        let sheet = self.with_sheets.then(|| sheet.unwrap_or_default());
        let id = self.with_ids.then(|| id.unwrap_or_default());
        self.page.add_row(sheet.into_iter().chain(cells).chain(id));
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
        let label = Verdict::Skip.label(self.lang).to_owned();
        let said = code.message(self.lang).to_owned();
        let cells = [row, label, String::new(), code.to_string(), said];
        self.line(sheet, cells, None);
    }

    fn add<C: RecordColumn>(&mut self, verdict: &RowVerdict<C>, added: &Added) {
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
        let lang = self.lang;
        let column = |finding: &Finding<C>| {
            let column = finding.column;
            column.map_or("", |column| lang.pick(column.header_zh(), column.as_str()))
        };
        let findings = verdict.findings.iter().map(|finding| {
            [
                column(finding).to_owned(),
                finding.code.to_string(),
                verdict.message(finding, lang),
            ]
        });
        let reasons = added.reasons.iter().map(|reason| {
            let column = reason.column.as_deref().unwrap_or_default();
            [column, reason.code.as_str(), reason.message.as_str()].map(print::plain)
        });
        // What tells the row is said once, so that the eye finds the next one.
        let mut row = verdict.row().to_string();
        let mut label = verdict.verdict.label(lang).to_owned();
        let mut sheet = verdict.place.table.shown_name();
        let mut id = added.id.as_deref().map(print::plain);
        for [column, code, message] in findings.chain(reasons) {
            let (row, label) = (mem::take(&mut row), mem::take(&mut label));
            self.line(sheet.take(), [row, label, column, code, message], id.take());
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
