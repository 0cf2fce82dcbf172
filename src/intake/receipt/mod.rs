//! The receipt of a push, 回执单: a sheet to print and to file, with the outcome of each row and its proof.
//!
//! It has no names and no citizen numbers: rows are identified by their position, the sheet's own lead numbers, and
//! ids.

mod words;

use super::page;
use crate::domain::{Lang, Timestamp};
use rust_xlsxwriter::{Format, FormatAlign, Workbook, Worksheet, XlsxError};
use std::path::Path;
use words::{Words, words};

/// The outcome of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// This push made it durable in the node's log.
    Logged,
    /// It was in the node's log before: nothing changed.
    AlreadyLogged,
    /// The same lead as a row before it.
    Repeated,
    /// Not sent, or not accepted, for the reasons given.
    Refused,
    /// The push ended before an answer came: the row may be in the log or not.
    Unknown,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Logged,
        Self::AlreadyLogged,
        Self::Repeated,
        Self::Refused,
        Self::Unknown,
    ];

    /// In words.
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Logged => lang.pick("新入日志", "logged"),
            Self::AlreadyLogged => lang.pick("先前已入日志", "already logged"),
            Self::Repeated => lang.pick("表内重复", "repeated"),
            Self::Refused => lang.pick("退回", "refused"),
            Self::Unknown => lang.pick("未得到答复", "no answer"),
        }
    }
}

/// One row of the sheet that was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptRow {
    /// The worksheet that it is in; `None` if the file has no worksheets.
    pub sheet: Option<String>,
    /// Its number there.
    pub row: u32,
    /// The sheet's own lead number; empty if it is unknown, or contains more than a number.
    pub number: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The lead's id; empty if there is none.
    pub lead_id: String,
    /// Index of its entry in the node's log.
    pub log_index: Option<u64>,
    /// The partner node that it goes to; empty if it goes nowhere.
    pub destination: String,
    /// The lead's state when the receipt was written; empty if that is unknown.
    pub state: String,
    /// Why it was refused; empty otherwise.
    pub reason: String,
}

/// The node's signed tree head, which covers every entry that the receipt names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The log's origin: `520624.yichuan/log/1`.
    pub origin: String,
    /// How many entries it covers.
    pub size: u64,
    /// RFC 6962 root, as the note writes it.
    pub root: String,
    /// The C2SP signed note.
    pub note: String,
    /// Whether the signature was verified here, with a key that did not come from the node itself.
    pub verified: bool,
}

/// The result of a push.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The node, by name and code.
    pub node: String,
    /// Who pushed, as a SPIFFE ID.
    pub principal: String,
    /// The purpose, in words.
    pub purpose: String,
    /// The basis: `campaign:520624-2026-01`.
    pub basis: String,
    /// Name of the file, without its directory.
    pub file: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// When the push began, by this machine's clock.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Rows that are not blank, in the sheet's order.
    pub rows: Vec<ReceiptRow>,
    /// Why it did not finish; `None` if it did.
    pub broken_off: Option<String>,
    /// The proof; `None` if the node gave none.
    pub proof: Option<Proof>,
}

const WIDTHS: [f64; COLUMNS] = [14.0, 7.0, 18.0, 16.0, 39.0, 10.0, 10.0, 26.0, 40.0];
const COLUMNS: usize = 9;
const LAST_COLUMN: u16 = 8;

/// The receipt as a workbook. Its cells are kept in an unnamed file in `directory` until it is saved; only the heights
/// of its rows stay in memory.
///
/// # Errors
/// The directory cannot be written.
pub fn receipt(receipt: &Receipt, lang: Lang, directory: &Path) -> Result<Workbook, XlsxError> {
    let words = words(lang);
    let mut workbook = Workbook::new();
    workbook.set_tempdir(directory)?;
    let sheet = workbook.add_worksheet_with_constant_memory()?;
    set_up(sheet, words)?;
    let mut page = Page { sheet, row: 0 };
    page.title(words.title)?;
    page.facts(receipt, words, lang)?;
    page.table(receipt, words, lang)?;
    page.proof(receipt, words)?;
    Ok(workbook)
}

fn set_up(sheet: &mut Worksheet, words: &Words) -> Result<(), XlsxError> {
    sheet
        .set_name(words.sheet)?
        .set_landscape()
        .set_paper_size(page::A4)
        .set_print_fit_to_pages(1, 0)
        .set_margins(0.4, 0.4, 0.5, 0.6, 0.3, 0.3)
        .set_screen_gridlines(false)
        .set_footer(words.footer);
    for (width, at) in WIDTHS.into_iter().zip(0_u16..) {
        sheet.set_column_width(at, width)?;
    }
    Ok(())
}

/// Written from top to bottom: in this mode the writer cannot return to an earlier row.
struct Page<'a> {
    sheet: &'a mut Worksheet,
    row: u32,
}

impl Page<'_> {
    fn title(&mut self, title: &str) -> Result<(), XlsxError> {
        self.sheet.set_row_height(self.row, 30)?.merge_range(
            self.row,
            0,
            self.row,
            LAST_COLUMN,
            title,
            &page::title().set_align(FormatAlign::Center),
        )?;
        self.row += 1;
        Ok(())
    }

    fn facts(&mut self, receipt: &Receipt, words: &Words, lang: Lang) -> Result<(), XlsxError> {
        let time = format!(
            "{} – {} (Asia/Shanghai)",
            receipt.began.shanghai_text(),
            receipt.ended.shanghai_text()
        );
        let grounds = format!("{}　{}", receipt.purpose, receipt.basis);
        for (name, text) in [
            (words.node, receipt.node.as_str()),
            (words.principal, &receipt.principal),
            (words.grounds, &grounds),
            (words.time, &time),
            (words.file, &receipt.file),
            (words.sha256, &receipt.sha256),
            (words.totals, &totals(&receipt.rows, lang)),
        ] {
            self.fact(name, text, &page::cell())?;
        }
        if let Some(why) = &receipt.broken_off {
            let text = format!("{why}\n{}", words.push_again);
            self.fact(words.broken_off, &text, &page::bad_cell())?;
        }
        self.row += 1;
        Ok(())
    }

    /// A line of the head or the foot: a name, and a text over the rest of the width.
    fn fact(&mut self, name: &str, text: &str, format: &Format) -> Result<(), XlsxError> {
        let rest: f64 = WIDTHS.iter().skip(2).sum();
        let name_format = page::cell().set_bold();
        let row = self.row;
        self.sheet
            .set_row_height(row, page::height([(text, rest)]))?
            .merge_range(row, 0, row, 1, name, &name_format)?
            .merge_range(row, 2, row, LAST_COLUMN, text, format)?;
        self.row += 1;
        Ok(())
    }

    fn table(&mut self, receipt: &Receipt, words: &Words, lang: Lang) -> Result<(), XlsxError> {
        let head = page::strong_header();
        self.sheet
            .set_repeat_rows(self.row, self.row)?
            .set_row_height(self.row, 22)?;
        for (text, at) in words.columns.into_iter().zip(0_u16..) {
            self.sheet
                .write_string_with_format(self.row, at, text, &head)?;
        }
        self.row += 1;
        let (cell, bad) = (page::cell(), page::bad_cell());
        for row in &receipt.rows {
            let format = match row.outcome {
                Outcome::Logged | Outcome::AlreadyLogged | Outcome::Repeated => &cell,
                Outcome::Refused | Outcome::Unknown => &bad,
            };
            let index = row.log_index.map(|index| index.to_string());
            let texts: [&str; COLUMNS] = [
                row.sheet.as_deref().unwrap_or_default(),
                &row.row.to_string(),
                &row.number,
                row.outcome.label(lang),
                &row.lead_id,
                index.as_deref().unwrap_or_default(),
                &row.destination,
                &row.state,
                &row.reason,
            ];
            self.sheet
                .set_row_height(self.row, page::height(texts.into_iter().zip(WIDTHS)))?;
            for (text, at) in texts.into_iter().zip(0_u16..) {
                self.sheet
                    .write_string_with_format(self.row, at, text, format)?;
            }
            self.row += 1;
        }
        self.row += 1;
        Ok(())
    }

    fn proof(&mut self, receipt: &Receipt, words: &Words) -> Result<(), XlsxError> {
        let cell = page::cell();
        match &receipt.proof {
            None => self.fact(words.proof, words.no_proof, &page::bad_cell())?,
            Some(proof) => {
                let verified = if proof.verified {
                    words.verified
                } else {
                    words.not_verified
                };
                let note = page::cell().set_font_name("Consolas");
                self.fact(words.proof, words.what_it_proves, &cell)?;
                self.fact(words.origin, &proof.origin, &cell)?;
                self.fact(words.size, &proof.size.to_string(), &cell)?;
                self.fact(words.root, &proof.root, &cell)?;
                self.fact(words.signature, verified, &cell)?;
                self.fact(words.note, &proof.note, &note)?;
            }
        }
        self.fact(words.how, words.how_to_verify, &cell)?;
        self.row += 1;
        self.sheet.set_row_height(self.row, 30)?;
        // Below the first columns, the ids and the reasons: with room to sign.
        for (text, at) in words.signatures.into_iter().zip([0, 4, 7]) {
            self.sheet.write_string(self.row, at, text)?;
        }
        page::end(self.sheet, self.row + 1)
    }
}

/// How many rows had which outcome.
fn totals(rows: &[ReceiptRow], lang: Lang) -> String {
    let counts = Outcome::ALL.map(|outcome| {
        let count = rows.iter().filter(|row| row.outcome == outcome).count();
        format!("{} {count}", outcome.label(lang))
    });
    let total = rows.len();
    let counts = counts.join(lang.pick("，", ", "));
    match lang {
        Lang::Zh => format!("共 {total} 行（空行不计）：{counts}"),
        Lang::En => format!("{total} rows, blank ones not counted: {counts}"),
    }
}
