//! Gives each row a verdict.

use super::{Content, Place, RawCells, Row, Sheet};
use crate::domain::{
    Column, Finding, FindingCode, Lang, Parsed, RecordColumn, Rules, content::SheetRecord, keyed,
};
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

keyed! {
    /// What becomes of a row.
    pub enum Verdict {
        /// It can be sent.
        Accept = "accept" ("接受"),
        /// The same row appears further up.
        Duplicate = "duplicate" ("重复"),
        /// Not sent, for the reasons given.
        Reject = "reject" ("拒绝"),
        /// It is empty.
        Skip = "skip" ("跳过"),
    }
}

/// The verdict on one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowVerdict<C: RecordColumn = Column> {
    /// Its position.
    pub place: Place,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Why, the most important first; on an accepted row only warnings.
    pub findings: Vec<Finding<C>>,
    /// What was read, on an accepted row.
    pub parsed: Option<Parsed<C>>,
    /// The earlier row with the same number, for a duplicate or a changed row; it may be in another worksheet.
    pub first: Option<Place>,
    /// Its cells as written.
    pub cells: RawCells,
}

impl<C: RecordColumn> RowVerdict<C> {
    /// The sheet's own number of the row, from 1.
    pub const fn row(&self) -> u32 {
        self.place.row
    }

    /// A finding of this row in words, with the row that it refers to, and that row's worksheet if it is another one.
    pub fn message(&self, finding: &Finding<C>, lang: Lang) -> String {
        let said = finding.message(lang);
        let first = match (finding.code, &self.first) {
            (FindingCode::DuplicateInFile | FindingCode::ChangedContent, Some(first)) => first,
            _ => return said,
        };
        let row = first.row;
        let sheet = (first.table != self.place.table)
            .then(|| first.table.shown_name())
            .flatten();
        match (lang, sheet) {
            (Lang::Zh, None) => format!("{said}（第{row}行）"),
            (Lang::Zh, Some(sheet)) => format!("{said}（工作表“{sheet}”第{row}行）"),
            (Lang::En, None) => format!("{said} (row {row})"),
            (Lang::En, Some(sheet)) => format!("{said} (worksheet \"{sheet}\", row {row})"),
        }
    }

    /// The row as a JSON line; with `lead_id` if the node has given one.
    pub fn to_json(&self, lang: Lang, lead_id: Option<String>) -> JsonRow {
        let reason = |finding: &Finding<C>| JsonReason {
            column: finding.column.map(|column| column.as_str().to_owned()),
            code: finding.code.as_str().to_owned(),
            message: self.message(finding, lang),
        };
        JsonRow {
            sheet: self.place.table.shown_name(),
            row: self.row(),
            verdict: self.verdict.as_str().to_owned(),
            reasons: self.findings.iter().map(reason).collect(),
            lead_id,
        }
    }
}

/// A row's verdict as one JSON object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonRow {
    /// The worksheet's name; null for a CSV file and for a form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// The sheet's row number, or the number of the record.
    pub row: u32,
    /// `accept`, `duplicate`, `reject` or `skip`.
    pub verdict: String,
    /// Why; including warnings.
    pub reasons: Vec<JsonReason>,
    /// The lead's id; null if there is none.
    pub lead_id: Option<String>,
}

/// One reason for a verdict, or a warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonReason {
    /// The column's key; null if it is about the row.
    pub column: Option<String>,
    /// The stable code.
    pub code: String,
    /// In words, without the value.
    pub message: String,
}

/// Gives each row of a sheet its verdict, in the sheet's order.
pub fn check<C: RecordColumn>(
    sheet: Sheet<C>,
    rules: &Rules<'_>,
) -> impl ExactSizeIterator<Item = RowVerdict<C>> {
    let mut seen = Seen::default();
    sheet.rows().map(move |row| judge(row, rules, &mut seen))
}

/// The verdict on a single form, as if on the one row of a sheet.
pub fn check_form<C: RecordColumn>(fields: C::Fields, rules: &Rules<'_>) -> RowVerdict<C> {
    let row = Row {
        place: Place {
            table: Arc::default(),
            row: 1,
            nth: 1,
        },
        content: Content::Filled {
            fields: Box::new(fields),
            findings: Vec::new(),
        },
        cells: RawCells::default(),
    };
    judge(row, rules, &mut Seen::default())
}

fn judge<C: RecordColumn>(row: Row<C>, rules: &Rules<'_>, seen: &mut Seen) -> RowVerdict<C> {
    let Row {
        place,
        content,
        cells,
    } = row;
    let mut verdict = RowVerdict {
        place,
        verdict: Verdict::Skip,
        findings: Vec::new(),
        parsed: None,
        first: None,
        cells,
    };
    let (fields, findings) = match content {
        Content::Filled { fields, findings } => (fields, findings),
        Content::Skipped(code) => {
            verdict.findings = vec![Finding::on_row(code)];
            return verdict;
        }
    };
    let parsed = match parse::<C>(&fields, findings, rules) {
        Ok(parsed) => parsed,
        Err(findings) => {
            verdict.verdict = Verdict::Reject;
            verdict.findings = findings;
            return verdict;
        }
    };
    let (becomes, code, first) = match seen.note(&parsed.record, &verdict.place) {
        Before::Not => {
            verdict.verdict = Verdict::Accept;
            verdict.findings.clone_from(&parsed.warnings);
            verdict.parsed = Some(parsed);
            return verdict;
        }
        Before::Same(first) => (Verdict::Duplicate, FindingCode::DuplicateInFile, first),
        Before::Other(first) => (Verdict::Reject, FindingCode::ChangedContent, first),
    };
    verdict.verdict = becomes;
    verdict.findings = vec![Finding::new(C::NUMBER, code)];
    verdict.first = Some(first);
    verdict
}

/// Reads a row whose cells may have findings of their own.
fn parse<C: RecordColumn>(
    fields: &C::Fields,
    mut findings: Vec<Finding<C>>,
    rules: &Rules<'_>,
) -> Result<Parsed<C>, Vec<Finding<C>>> {
    // A cell that could not be read leaves its column empty: that it is empty is then not reported again.
    let taken: Vec<_> = findings
        .iter()
        .filter(|finding| !finding.is_warning())
        .map(|finding| finding.column)
        .collect();
    let parsed = SheetRecord::parse(fields, rules);
    let said = match &parsed {
        Ok(parsed) => &parsed.warnings,
        Err(findings) => findings,
    };
    for finding in said {
        if !taken.contains(&finding.column) && !findings.contains(finding) {
            findings.push(*finding);
        }
    }
    Finding::sort(&mut findings);
    match parsed {
        Ok(mut parsed) if findings.iter().all(Finding::is_warning) => {
            parsed.warnings = findings;
            Ok(parsed)
        }
        Ok(_) | Err(_) => Err(findings),
    }
}

/// The rows accepted so far, by digest: of a number, of its content, and the position. 80 bytes for each row, whatever
/// its content.
#[derive(Default)]
struct Seen(HashMap<[u8; 32], ([u8; 32], Place)>);

/// Whether a number occurred before.
enum Before {
    Not,
    Same(Place),
    Other(Place),
}

impl Seen {
    fn note<C: RecordColumn>(&mut self, record: &SheetRecord<C>, place: &Place) -> Before {
        let content = sha256(&record.canonical_content());
        match self.0.entry(sha256(record.number().as_bytes())) {
            Entry::Vacant(entry) => {
                entry.insert((content, place.clone()));
                Before::Not
            }
            Entry::Occupied(entry) => match entry.get() {
                (first, at) if *first == content => Before::Same(at.clone()),
                (_, at) => Before::Other(at.clone()),
            },
        }
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(digest(&SHA256, bytes).as_ref()) {
        *to = *from;
    }
    hash
}
