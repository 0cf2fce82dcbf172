//! Refused rows, written back as they were, each with its reasons, so that they can be corrected and pushed again.
//!
//! The added columns come first, and reading ignores them; every other cell is text, as it was written.

use super::{header::column, lossy_cells, page};
use crate::domain::{FindingCode, Lang, SheetColumn};
use rust_xlsxwriter::{Format, Note, Workbook, XlsxError};
use std::{borrow::Cow, collections::BTreeSet, path::Path};

/// Prefix of the headers of added columns, before a colon. Reading ignores such columns; if a corrected sheet is
/// refused again, new ones replace them.
const ADDED: [&str; 2] = ["驿传", "yichuan"];
/// Headers of columns for content without a column: fields of a row that has shifted, which is refused until somebody
/// has moved them to their place; and jottings beside the table, which are not read.
const SURPLUS: [&str; 2] = ["驿传：多出的内容", "yichuan: surplus"];
const JOTTED: [&str; 2] = ["驿传：表外的内容", "yichuan: beside the table"];
/// Separates two cells that are written into one.
const BETWEEN: &str = " | ";
/// How many rows have notes at their bad cells; with more, spreadsheet programs become slow. All rows have the reasons.
const NOTED_ROWS: u64 = 1_000;
const WIDTHS: [f64; 4] = [14.0, 12.0, 44.0, 36.0];
const CELL_WIDTH: f64 = 22.0;
/// The longest name of a worksheet.
const MAX_NAME: usize = 31;

/// One reason for which a row was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault<C> {
    /// The column that it is about; `None` if it is about the row, or about a column that is unknown here.
    pub column: Option<C>,
    /// Its code; `None` if a newer node gave a reason that is unknown here.
    pub code: Option<FindingCode>,
    /// In words, without the value.
    pub message: String,
}

/// A row that was refused.
#[derive(Debug)]
pub struct RefusedRow<'a, C> {
    /// The worksheet that it is in; `None` if the file has no worksheets.
    pub sheet: Option<&'a str>,
    /// Its number there.
    pub row: u32,
    /// The header of that worksheet, as written.
    pub header: &'a [String],
    /// Its cells, as written, in the order of the header, and what follows beyond it.
    pub cells: &'a [String],
    /// Whether a row of its table is longer than the header.
    pub is_exceeded: bool,
    /// Why it was refused.
    pub faults: Vec<Fault<C>>,
}

/// Refused rows on their way into a workbook. Their cells are kept in unnamed files until it is saved; only the heights
/// of the rows stay in memory, 40 MB for 100,000.
pub struct Refused<C> {
    workbook: Workbook,
    lang: Lang,
    formats: Formats,
    page: Option<Page<C>>,
    names: BTreeSet<String>,
    rows: u64,
}

struct Formats {
    head: Format,
    added_head: Format,
    cell: Format,
    bad: Format,
    struck: Format,
}

/// The worksheet that is being written.
struct Page<C> {
    sheet: Option<String>,
    header: Vec<String>,
    columns: Vec<Placed<C>>,
    /// The next row.
    row: u32,
}

/// A column of the page.
#[derive(Clone, Copy)]
struct Placed<C> {
    from: From,
    column: Option<C>,
}

/// Where a column's cells are in the rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    At(usize),
    /// Nowhere: the rows lack it.
    Nowhere,
    /// Beyond the header, or where an earlier sheet of refused rows has kept that.
    Beyond {
        kept: Option<usize>,
        is_surplus: bool,
        takes_rest: bool,
    },
}

impl From {
    /// The text of a cell, and its header if the file has one.
    fn text<'a>(self, cells: &'a [String], header: usize) -> Cow<'a, str> {
        let at = |at: usize| cells.get(at).map_or("", String::as_str);
        match self {
            Self::At(from) => Cow::Borrowed(at(from)),
            Self::Nowhere => Cow::Borrowed(""),
            Self::Beyond {
                kept, takes_rest, ..
            } => {
                let rest = cells
                    .get(header..)
                    .filter(|_| takes_rest)
                    .unwrap_or_default();
                let all = kept
                    .map(at)
                    .into_iter()
                    .chain(rest.iter().map(String::as_str));
                let all: Vec<_> = all.filter(|text| !text.trim().is_empty()).collect();
                Cow::Owned(all.join(BETWEEN))
            }
        }
    }
}

impl<C: SheetColumn> Refused<C> {
    /// Starts without rows. What the rows contain is kept in unnamed files in `directory` meanwhile.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn new(lang: Lang, directory: &Path) -> Result<Self, XlsxError> {
        let mut workbook = Workbook::new();
        workbook.set_tempdir(directory)?;
        Ok(Self {
            workbook,
            lang,
            formats: Formats {
                head: page::pale_header(),
                added_head: page::strong_header(),
                cell: page::cell(),
                bad: page::bad_cell(),
                struck: page::bad_cell().set_font_strikethrough(),
            },
            page: None,
            names: BTreeSet::new(),
            rows: 0,
        })
    }

    /// How many rows there are.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// All rows as a workbook.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn into_workbook(mut self) -> Result<Workbook, XlsxError> {
        self.end()?;
        Ok(self.workbook)
    }

    /// Ends the page that is being written.
    fn end(&mut self) -> Result<(), XlsxError> {
        match (self.page.take(), self.workbook.worksheets_mut().last_mut()) {
            (Some(page), Some(sheet)) => page::end(sheet, page.row),
            (None, _) | (_, None) => Ok(()),
        }
    }

    /// Adds a row, in the order of the file.
    ///
    /// # Errors
    /// The directory cannot be written, or the row breaks a limit of the format.
    pub fn push(&mut self, refused: &RefusedRow<'_, C>) -> Result<(), XlsxError> {
        let mut page = match self.page.take_if(|page| page.is_of(refused)) {
            Some(page) => page,
            None => {
                self.end()?;
                self.begin(refused)?
            }
        };
        self.rows += 1;
        let written = self.write(&mut page, refused);
        self.page = Some(page);
        written
    }

    /// Begins a page for each worksheet of the file: they may have different columns.
    fn begin(&mut self, refused: &RefusedRow<'_, C>) -> Result<Page<C>, XlsxError> {
        let name = self.name(refused.sheet);
        let (lang, head) = (self.lang, &self.formats.head);
        let columns = columns(refused);
        let sheet = self.workbook.add_worksheet_with_constant_memory()?;
        sheet
            .set_name(name)?
            .set_freeze_panes(1, first_column())?
            .set_landscape()
            .set_paper_size(page::A4)
            // So many columns would be unreadable on one page: each page repeats which row it is and why it was
            // refused.
            .set_print_fit_to_pages(3, 0)
            .set_repeat_rows(0, 0)?
            .set_repeat_columns(0, first_column().saturating_sub(1))?
            .set_row_height(0, 36)?;
        let added = added(lang);
        for ((text, width), at) in added.into_iter().zip(WIDTHS).zip(0_u16..) {
            sheet
                .set_column_width(at, width)?
                .write_string_with_format(0, at, text, &self.formats.added_head)?;
        }
        for (placed, at) in columns.iter().zip(first_column()..) {
            let text = match placed.from {
                From::At(from) => refused.header.get(from).map_or("", String::as_str),
                From::Nowhere => placed
                    .column
                    .map_or("", |column| lang.pick(column.header_zh(), column.as_str())),
                From::Beyond { is_surplus, .. } => {
                    let [zh, en] = if is_surplus { SURPLUS } else { JOTTED };
                    lang.pick(zh, en)
                }
            };
            sheet
                .set_column_width(at, CELL_WIDTH)?
                .write_string_with_format(0, at, cell(text), head)?;
        }
        Ok(Page {
            sheet: refused.sheet.map(str::to_owned),
            header: refused.header.to_vec(),
            columns,
            row: 1,
        })
    }

    /// The worksheet's own name, if it has one that the format allows and no other page has.
    fn name(&mut self, sheet: Option<&str>) -> String {
        let allowed = |name: &&str| {
            !name.trim().is_empty()
                && name.encode_utf16().count() <= MAX_NAME
                && !name.contains(['[', ']', ':', '*', '?', '/', '\\'])
                && !name.starts_with('\'')
                && !name.ends_with('\'')
        };
        let number = self.names.len() + 1;
        let plain = format!("{} {number}", self.lang.pick("退回", "refused"));
        let name = sheet.filter(allowed).unwrap_or(&plain).to_owned();
        if self.names.insert(name.to_lowercase()) {
            return name;
        }
        self.names.insert(plain.to_lowercase());
        plain
    }

    fn write(&mut self, page: &mut Page<C>, refused: &RefusedRow<'_, C>) -> Result<(), XlsxError> {
        let Self {
            workbook,
            lang,
            formats,
            rows,
            ..
        } = self;
        let (lang, row) = (*lang, page.row);
        // There is a page, so there is a worksheet.
        let Some(sheet) = workbook.worksheets_mut().last_mut() else {
            return Ok(());
        };
        page.row += 1;
        let reasons = reasons(&refused.faults, lang);
        let mut todo = todo(&refused.faults, lang);
        let text = |placed: &Placed<C>| placed.from.text(refused.cells, refused.header.len());
        let mut texts = page.columns.iter().map(text);
        if texts.any(|text| page::is_cut(&text, page::MAX_TEXT)) {
            todo.push('\n');
            todo.push_str(lang.pick(
                "超过 32767 字的单元格在本表中已截短，以“…”结尾，全文见原表",
                "a cell of more than 32,767 characters is cut here and ends in …; the original sheet has all of it",
            ));
        }
        let added = [
            refused.sheet.unwrap_or_default(),
            &refused.row.to_string(),
            &reasons,
            &todo,
        ];
        sheet.set_row_height(row, page::height(added.into_iter().zip(WIDTHS)))?;
        for (text, at) in added.into_iter().zip(0_u16..) {
            sheet.write_string_with_format(row, at, cell(text), &formats.cell)?;
        }
        for (placed, at) in page.columns.iter().zip(first_column()..) {
            let faults = refused.faults.iter();
            let text = text(placed);
            let is_surplus = matches!(
                placed.from,
                From::Beyond {
                    is_surplus: true,
                    ..
                }
            );
            let found: Vec<_> = faults
                .filter(|fault| {
                    let is_here = fault.column.is_some() && fault.column == placed.column;
                    let has_shifted = fault.code == Some(FindingCode::SurplusFields);
                    is_here || (is_surplus && has_shifted && !text.is_empty())
                })
                .collect();
            let text = found
                .iter()
                .find_map(|fault| marked(fault.code?, &text, lang))
                .map_or(text, Cow::Owned);
            // Without its line the text would pass for valid.
            let is_struck = refused.faults.iter().any(|fault| {
                let is_here = fault.column.is_none() || fault.column == placed.column;
                fault.code == Some(FindingCode::StruckOut) && is_here
            });
            let format = match (is_struck, found.is_empty()) {
                (true, _) => &formats.struck,
                (false, true) => &formats.cell,
                (false, false) => &formats.bad,
            };
            sheet.write_string_with_format(row, at, cell(&text), format)?;
            if !found.is_empty() && *rows <= NOTED_ROWS {
                let says: Vec<_> = found.iter().map(|fault| fault.message.as_str()).collect();
                let says = says.join("\n");
                let says = page::fitting(&says, page::MAX_NOTE);
                let note = Note::new(says).add_author_prefix(false);
                sheet.insert_note(row, at, &note)?;
            }
        }
        Ok(())
    }
}

impl<C> Page<C> {
    fn is_of(&self, refused: &RefusedRow<'_, C>) -> bool {
        self.sheet.as_deref() == refused.sheet && self.header == refused.header
    }
}

/// Cuts a text to what a cell takes: a cell of another file may hold more.
fn cell(text: &str) -> Cow<'_, str> {
    page::fitting(text, page::MAX_TEXT)
}

/// Where the columns of the file begin.
fn first_column() -> u16 {
    u16::try_from(WIDTHS.len()).unwrap_or(u16::MAX)
}

const fn added(lang: Lang) -> [&'static str; 4] {
    match lang {
        Lang::Zh => [
            "驿传：原工作表",
            "驿传：原行号",
            "驿传：退回原因",
            "驿传：如何处理",
        ],
        Lang::En => [
            "yichuan: worksheet",
            "yichuan: row",
            "yichuan: reason",
            "yichuan: what to do",
        ],
    }
}

/// Whether this is the header of a column that was added here.
pub(super) fn is_added(header: &str) -> bool {
    let (before, after) = header.split_once(['：', ':']).unwrap_or_default();
    ADDED.contains(&before) && !after.is_empty()
}

/// Whether this is the header of the column for content without a column.
pub(super) fn is_surplus(header: &str) -> bool {
    SURPLUS.contains(&header)
}

/// The columns of the file except those that were added to it, the ones that it lacks, and content without a column.
fn columns<C: SheetColumn>(refused: &RefusedRow<'_, C>) -> Vec<Placed<C>> {
    let header = refused.header.iter().enumerate();
    let mut columns: Vec<_> = header
        .filter(|(_, text)| !is_added(text))
        .map(|(from, text)| Placed {
            from: From::At(from),
            column: column::<C>(text),
        })
        .collect();
    let missing = refused
        .faults
        .iter()
        .filter(|fault| fault.code == Some(FindingCode::MissingColumn))
        .filter_map(|fault| fault.column);
    columns.extend(missing.map(|column| Placed {
        from: From::Nowhere,
        column: Some(column),
    }));
    // A row longer than its header has shifted in a CSV file; in a worksheet it has a jotting beside it.
    let is_csv = refused.sheet.is_none();
    for (is_surplus, named) in [(true, SURPLUS), (false, JOTTED)] {
        let mut header = refused.header.iter();
        let kept = header.position(|text| named.contains(&text.as_str()));
        let takes_rest = refused.is_exceeded && is_surplus == is_csv;
        columns.extend((kept.is_some() || takes_rest).then_some(Placed {
            from: From::Beyond {
                kept,
                is_surplus,
                takes_rest,
            },
            column: None,
        }));
    }
    columns
}

/// What is written instead of a value that the cell has lost; for a citizen number, what is left of it. As plain text
/// it might pass for a valid one: one wrong number in eleven does.
fn marked(code: FindingCode, kept: &str, lang: Lang) -> Option<String> {
    let mark = lossy_cells::marker(code, lang)?;
    let is_number = matches!(code, FindingCode::NumericId | FindingCode::RoundedId);
    let kept = kept.chars().filter(|_| is_number).take(15);
    Some(kept.chain(mark.chars()).collect())
}

fn reasons<C: SheetColumn>(faults: &[Fault<C>], lang: Lang) -> String {
    let lines: Vec<_> = faults
        .iter()
        .map(|fault| match (fault.column, lang) {
            (Some(column), Lang::Zh) => format!("{}：{}", column.header_zh(), fault.message),
            (Some(column), Lang::En) => format!("{}: {}", column.as_str(), fault.message),
            (None, _) => fault.message.clone(),
        })
        .collect();
    lines.join("\n")
}

/// What the officer has to do with the row.
fn todo<C>(faults: &[Fault<C>], lang: Lang) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for fault in faults {
        let line = advice(fault.code, lang);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.join("\n")
}

const fn advice(code: Option<FindingCode>, lang: Lang) -> &'static str {
    match code {
        Some(FindingCode::NoPartnerCard | FindingCode::NoOriginPartner) => lang.pick(
            "表中不用改：先由管理员与对方交换名片并经批准，再推送本表；急需的，按原渠道移送",
            "nothing to mend here: an admin exchanges cards with them first; then push this file. If it is urgent, use the \
             old channel",
        ),
        Some(FindingCode::OwnCountyDestination | FindingCode::OwnResident) => lang.pick(
            "由本地办理，删去此行；代码填错的，改正后再推送本表",
            "handle it yourselves and delete this row; or correct the code and push this file",
        ),
        Some(FindingCode::ChangedContent) => lang.pick(
            "换一个新编号，再推送本表；内容有误的，先改正内容",
            "use a new number and push this file; correct the content first where it is wrong",
        ),
        Some(FindingCode::NoFactualBasis) => lang.pick(
            "补写针对此人的具体事实；没有事实的，删去此行，不得发送",
            "write down what is known of this person; without facts, delete the row: it must not be sent",
        ),
        Some(FindingCode::SurplusFields) => lang.pick(
            "把“驿传：多出的内容”一列中的文字放回应在的列，再清空该格；各列有错位的一并改正，然后推送本表",
            "put what stands under \"yichuan: surplus\" where it belongs and clear that cell; mend what has shifted, and push \
             this file",
        ),
        Some(FindingCode::StruckOut) => lang.pick(
            "作废的删去此行；有效的去掉删除线，再推送本表",
            "delete the row if it no longer holds; else take the line away, and push this file",
        ),
        Some(FindingCode::MissingColumn) => lang.pick(
            "本表已补上缺少的列，填好标红的单元格后，再推送本表",
            "the columns that were missing are here now: fill the red cells, and push this file",
        ),
        Some(_) => lang.pick(
            "改正标红的单元格后，再推送本表",
            "mend the red cells, and push this file",
        ),
        None => lang.pick(
            "按原因改正后，再推送本表",
            "mend what the reason says, and push this file",
        ),
    }
}
