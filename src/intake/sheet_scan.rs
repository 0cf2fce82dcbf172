//! The first reading of a file: which tables it has, where their headers are, and where they end. It keeps nothing of
//! the rows below a header, and finds everything that can be wrong with the file, so that the second reading cannot
//! fail.

use super::{
    Note, RawRow, SheetError, Table,
    csv::{DELIMITERS, Records},
    footer_rows::reason_to_skip,
    guard::{CheckedFile, MAX_ROWS},
    header::{Header, letters},
    locate_header::{self, HEADER_WITHIN, LocatedHeader},
    text::Text,
    workbook::Workbook,
};
use crate::domain::SheetColumn;
use std::{collections::BTreeSet, ops::ControlFlow, sync::Arc};

/// What rows are read from.
pub(super) enum Source {
    Workbook(Box<Workbook>),
    Csv { text: Text, delimiter: u8 },
}

/// A table that will be read.
pub(super) struct TablePlan<C> {
    pub(super) table: Arc<Table>,
    pub(super) header: Header<C>,
    /// The last row with content in a column that is read, or the header's.
    pub(super) last: u32,
    /// Whether citizen numbers have lost their last digits.
    pub(super) is_rounded: bool,
}

/// A file that can be read.
pub(super) struct ScannedFile<C> {
    pub(super) source: Source,
    pub(super) plans: Vec<TablePlan<C>>,
    pub(super) notes: Vec<Note>,
}

/// Reads a file once.
pub(super) fn scan<C: SheetColumn>(file: CheckedFile) -> Result<ScannedFile<C>, SheetError> {
    match file {
        CheckedFile::Workbook(bytes, layouts) => workbook(Workbook::open(bytes, layouts)?),
        CheckedFile::Text(bytes) => csv(Text::new(bytes)),
    }
}

fn workbook<C: SheetColumn>(mut workbook: Workbook) -> Result<ScannedFile<C>, SheetError> {
    let mut notes = Vec::new();
    let mut plans: Vec<TablePlan<C>> = Vec::new();
    let mut is_filled = false;
    let mut rows_left = MAX_ROWS;
    let sheets = workbook.sheets();
    let names: BTreeSet<&str> = sheets.iter().map(|(name, _)| name.as_str()).collect();
    if names.len() < sheets.len() {
        // Two sheets of one name: it would be ambiguous which one is meant.
        return Err(SheetError::Damaged);
    }
    let is_visible = |(_, is_visible): &(String, bool)| *is_visible;
    if !sheets.is_empty() && !sheets.iter().any(is_visible) {
        return Err(SheetError::NoneVisible);
    }
    let is_alone = sheets.iter().filter(|(_, is_visible)| *is_visible).count() == 1;
    for (sheet, is_visible) in sheets {
        if !is_visible {
            notes.push(Note::Hidden { sheet });
            continue;
        }
        let mut table = TableScan::new(rows_left);
        let scanned = workbook
            .rows(&sheet, &mut |row| table.row(row))
            .and_then(|()| table.end());
        let end = scanned.map_err(|error| {
            // This error is about the whole file.
            if is_alone || matches!(error, SheetError::TooMuchText) {
                return error;
            }
            SheetError::InSheet {
                sheet: sheet.clone(),
                error: Box::new(error),
            }
        })?;
        match end {
            End::Nothing => {}
            End::NoHeader => {
                is_filled = true;
                notes.push(Note::NoHeader { sheet });
            }
            End::Table(found, below) => {
                is_filled = true;
                rows_left = rows_left.saturating_sub(below.last);
                let name = (!is_alone).then_some(sheet.as_str());
                notes.extend(self::notes(name, &found, &below));
                plans.push(plan(Some(sheet), found, &below));
            }
        }
    }
    if plans.is_empty() {
        return Err(if is_filled {
            SheetError::NoHeader
        } else {
            SheetError::Empty
        });
    }
    Ok(ScannedFile {
        source: Source::Workbook(Box::new(workbook)),
        plans,
        notes,
    })
}

fn csv<C: SheetColumn>(text: Text) -> Result<ScannedFile<C>, SheetError> {
    let mut delimiter = None;
    let mut failed = None;
    for candidate in DELIMITERS {
        let (rows, broken) = first_rows(&text, candidate);
        match (locate_header::header::<C>(&rows), broken) {
            // If the file is truncated below a header, that is found and reported when the rest is read.
            (Ok(Some(_)), _) => {
                delimiter = Some(candidate);
                break;
            }
            // With the wrong delimiter, text follows each closing mark.
            (Ok(None), None | Some(SheetError::StrayQuote { .. })) => {}
            (Err(error), _) | (Ok(None), Some(error)) => failed = failed.or(Some(error)),
        }
    }
    let Some(delimiter) = delimiter else {
        return Err(failed.unwrap_or(SheetError::NoHeader));
    };
    let mut table = TableScan::new(MAX_ROWS);
    let mut records = Records::new(&text, delimiter);
    while let Some(row) = records.next()? {
        if table.row(row)?.is_break() {
            break;
        }
    }
    let End::Table(found, mut below) = table.end()? else {
        return Err(SheetError::NoHeader);
    };
    if let Some((record, fields)) = records.unended()
        && record == below.last_record
        && fields < found.texts.len()
    {
        return Err(SheetError::BreaksOff { record });
    }
    // Beyond the last column a row has shifted, which its finding reports.
    below
        .unheaded
        .take_if(|at| usize::try_from(*at).is_ok_and(|at| at >= found.texts.len()));
    let notes = notes(None, &found, &below);
    let plans = vec![plan(None, found, &below)];
    Ok(ScannedFile {
        source: Source::Csv { text, delimiter },
        plans,
        notes,
    })
}

/// The first rows, and why reading stopped if the file cannot be read further.
fn first_rows(text: &Text, delimiter: u8) -> (Vec<RawRow>, Option<SheetError>) {
    let mut records = Records::new(text, delimiter);
    let mut rows = Vec::new();
    while rows.len() < HEADER_WITHIN {
        match records.next() {
            Ok(Some(row)) => rows.push(row),
            Ok(None) => break,
            Err(error) => return (rows, Some(error)),
        }
    }
    (rows, None)
}

/// Notes on what of a table is not read.
fn notes<C: SheetColumn>(
    sheet: Option<&str>,
    found: &LocatedHeader<C>,
    below: &BelowHeader,
) -> Vec<Note> {
    let mut notes = Vec::new();
    notes.extend(found.header.is_in_part().then(|| Note::PartHeader {
        sheet: sheet.map(str::to_owned),
        row: found.row,
    }));
    notes.extend(found.above.map(|rows| Note::AboveHeader {
        sheet: sheet.map(str::to_owned),
        rows,
    }));
    notes.extend(found.header.unknown(sheet, &found.texts));
    notes.extend(below.unheaded.map(|at| Note::NoHeading {
        sheet: sheet.map(str::to_owned),
        letters: letters(at),
    }));
    notes.extend((below.hidden > 0).then(|| Note::HiddenRows {
        sheet: sheet.map(str::to_owned),
        rows: below.hidden,
    }));
    notes
}

fn plan<C>(name: Option<String>, found: LocatedHeader<C>, below: &BelowHeader) -> TablePlan<C> {
    let LocatedHeader {
        texts, header, row, ..
    } = found;
    TablePlan {
        last: below.last.max(row),
        table: Arc::new(Table::new(name, row, texts, below.width)),
        header,
        is_rounded: below.is_rounded,
    }
}

fn least(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    one.into_iter().chain(other).min()
}

/// What was seen below a header.
#[derive(Default)]
struct BelowHeader {
    /// The last row with content in a column that is read; 0 if there is none.
    last: u32,
    /// The same, without footers.
    last_record: u32,
    /// The first column with content below the header and no heading in it.
    unheaded: Option<u32>,
    /// The number of columns of the longest row.
    width: usize,
    /// How many hidden rows have content.
    hidden: u32,
    is_rounded: bool,
}

impl BelowHeader {
    /// Takes a row below the header. Rows that are numbered in advance and never filled in do not count as the end.
    fn row<C: SheetColumn>(
        &mut self,
        row: &RawRow,
        found: &LocatedHeader<C>,
        limit: u32,
    ) -> Result<(), SheetError> {
        self.unheaded = least(self.unheaded, row.unheaded(&found.texts));
        self.width = self.width.max(row.width());
        if !row.is_filled(&found.header) {
            return Ok(());
        }
        if row.row > limit {
            return Err(SheetError::FarRow { row: row.row });
        }
        self.last = row.row;
        if reason_to_skip(row, &found.header).is_none() {
            self.last_record = row.row;
            self.hidden += u32::from(row.is_hidden);
        }
        let is_number = |at: u32| found.header.at(at).is_some_and(C::is_citizen_number);
        let mut cells = row.cells.iter();
        self.is_rounded |= cells.any(|(at, cell)| is_number(*at) && cell.is_rounded_number());
        Ok(())
    }
}

/// A table being scanned: its first rows until the header is found among them, then only what [`BelowHeader`] keeps.
struct TableScan<C> {
    first: Vec<RawRow>,
    found: Option<LocatedHeader<C>>,
    below: BelowHeader,
    /// Set for a table without a header in its first rows, which is not read further.
    is_over: bool,
    limit: u32,
}

/// The result for a table.
enum End<C> {
    Nothing,
    NoHeader,
    Table(LocatedHeader<C>, BelowHeader),
}

impl<C: SheetColumn> TableScan<C> {
    fn new(limit: u32) -> Self {
        Self {
            first: Vec::new(),
            found: None,
            below: BelowHeader::default(),
            is_over: false,
            limit,
        }
    }

    fn row(&mut self, row: RawRow) -> Result<ControlFlow<()>, SheetError> {
        match &self.found {
            Some(found) => {
                if row.row > found.row {
                    self.below.row(&row, found, self.limit)?;
                }
            }
            None => {
                self.first.push(row);
                if self.first.len() >= HEADER_WITHIN {
                    self.find()?;
                }
            }
        }
        Ok(if self.is_over {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }

    fn find(&mut self) -> Result<(), SheetError> {
        self.found = locate_header::header(&self.first)?;
        self.is_over = self.found.is_none();
        if let Some(found) = &self.found {
            for row in self.first.iter().filter(|row| row.row > found.row) {
                self.below.row(row, found, self.limit)?;
            }
        }
        Ok(())
    }

    fn end(mut self) -> Result<End<C>, SheetError> {
        if self.first.is_empty() {
            return Ok(End::Nothing);
        }
        if self.found.is_none() && !self.is_over {
            self.find()?;
        }
        Ok(match self.found {
            Some(found) => End::Table(found, self.below),
            None => End::NoHeader,
        })
    }
}
