//! One verdict a row.

use super::{Content, Row, Sheet};
use crate::domain::{Column, Finding, FindingCode, Lang, Lead, LeadFields, LeadRules, Parsed};
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
};

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// A lead that may be sent.
    Accept,
    /// The same lead stands further up.
    Duplicate,
    /// Not sent, for the reasons given.
    Reject,
    /// Nothing in it.
    Skip,
}

impl Verdict {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Accept, Self::Duplicate, Self::Reject, Self::Skip];

    /// The stable key, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Duplicate => "duplicate",
            Self::Reject => "reject",
            Self::Skip => "skip",
        }
    }

    /// In words.
    pub const fn label(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.as_str(),
            Lang::Zh => match self {
                Self::Accept => "接受",
                Self::Duplicate => "重复",
                Self::Reject => "拒绝",
                Self::Skip => "跳过",
            },
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The verdict on one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowVerdict {
    /// The sheet's own number, from 1.
    pub row: u32,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Why, the most important first; on an accepted row only warnings.
    pub findings: Vec<Finding>,
    /// The lead, on an accepted row.
    pub lead: Option<Parsed>,
    /// The row of the same lead number further up, on a duplicate or a changed one.
    pub first_row: Option<u32>,
}

impl RowVerdict {
    /// What a finding of this row says, with the row that it refers to.
    pub fn message(&self, finding: &Finding, lang: Lang) -> String {
        let said = finding.message(lang);
        match (finding.code, self.first_row, lang) {
            (FindingCode::DuplicateInFile | FindingCode::ChangedContent, Some(row), Lang::Zh) => {
                format!("{said}（第{row}行）")
            }
            (FindingCode::DuplicateInFile | FindingCode::ChangedContent, Some(row), Lang::En) => {
                format!("{said} (row {row})")
            }
            _ => said,
        }
    }

    /// As the JSON line; `lead_id` where the node has given one.
    pub fn to_json(&self, lang: Lang, lead_id: Option<String>) -> JsonRow {
        let reason = |finding: &Finding| JsonReason {
            column: finding.column.map(|column| column.as_str().to_owned()),
            code: finding.code.as_str().to_owned(),
            message: self.message(finding, lang),
        };
        JsonRow {
            row: self.row,
            verdict: self.verdict.as_str().to_owned(),
            reasons: self.findings.iter().map(reason).collect(),
            lead_id,
        }
    }
}

/// A row's verdict as one JSON object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonRow {
    /// The sheet's own number.
    pub row: u32,
    /// `accept`, `duplicate`, `reject` or `skip`.
    pub verdict: String,
    /// Why; warnings too.
    pub reasons: Vec<JsonReason>,
    /// The lead's id; null where there is none.
    pub lead_id: Option<String>,
}

/// One reason for a verdict, or a warning beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonReason {
    /// The column's key; null where it is about the row.
    pub column: Option<String>,
    /// The stable code.
    pub code: String,
    /// In words, without the value.
    pub message: String,
}

/// Gives each row of a sheet its verdict, in the sheet's order.
pub fn check<'a>(
    sheet: Sheet,
    rules: &'a LeadRules<'a>,
) -> impl ExactSizeIterator<Item = RowVerdict> + 'a {
    let mut seen = Seen::default();
    sheet.rows().map(move |row| judge(row, rules, &mut seen))
}

fn judge(row: Row, rules: &LeadRules<'_>, seen: &mut Seen) -> RowVerdict {
    let Row { row, content } = row;
    let verdict = |verdict, findings| RowVerdict {
        row,
        verdict,
        findings,
        lead: None,
        first_row: None,
    };
    match content {
        Content::Blank => verdict(Verdict::Skip, vec![Finding::on_row(FindingCode::BlankRow)]),
        Content::Filled { fields, findings } => match parse(*fields, findings, rules) {
            Err(findings) => verdict(Verdict::Reject, findings),
            Ok(parsed) => match seen.note(&parsed.lead, row) {
                Before::Not => RowVerdict {
                    findings: parsed.warnings.clone(),
                    lead: Some(parsed),
                    ..verdict(Verdict::Accept, Vec::new())
                },
                Before::Same(first) => RowVerdict {
                    first_row: Some(first),
                    ..verdict(
                        Verdict::Duplicate,
                        vec![Finding::new(Column::Number, FindingCode::DuplicateInFile)],
                    )
                },
                Before::Other(first) => RowVerdict {
                    first_row: Some(first),
                    ..verdict(
                        Verdict::Reject,
                        vec![Finding::new(Column::Number, FindingCode::ChangedContent)],
                    )
                },
            },
        },
    }
}

/// Reads a lead from a row whose cells may have had findings of their own.
fn parse(
    fields: LeadFields,
    mut findings: Vec<Finding>,
    rules: &LeadRules<'_>,
) -> Result<Parsed, Vec<Finding>> {
    // A cell that could not be taken leaves its column empty: that it is empty is then no news.
    let taken: Vec<_> = findings
        .iter()
        .filter(|finding| !finding.is_warning())
        .map(|finding| finding.column)
        .collect();
    let parsed = Lead::parse(fields, rules);
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
        Ok(parsed) if findings.iter().all(Finding::is_warning) => Ok(Parsed {
            warnings: findings,
            ..parsed
        }),
        Ok(_) | Err(_) => Err(findings),
    }
}

/// The leads accepted so far, by digests: a lead number, its content, and where it stood. 68 bytes a row, whatever is in it.
#[derive(Default)]
struct Seen(HashMap<[u8; 32], ([u8; 32], u32)>);

/// Whether a lead number was there before.
enum Before {
    Not,
    Same(u32),
    Other(u32),
}

impl Seen {
    fn note(&mut self, lead: &Lead, row: u32) -> Before {
        let content = sha256(&lead.canonical_content());
        match self.0.entry(sha256(lead.number().as_bytes())) {
            Entry::Vacant(entry) => {
                entry.insert((content, row));
                Before::Not
            }
            Entry::Occupied(entry) => match *entry.get() {
                (first, at) if first == content => Before::Same(at),
                (_, at) => Before::Other(at),
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
