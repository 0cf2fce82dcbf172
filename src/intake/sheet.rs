//! A workbook's sheet, row by row.

use super::{Place, RawCells, SheetError, Table, cell::Cell, guard, header::Header};
use crate::domain::{Column, Finding, FindingCode, SheetColumn};
use calamine::{Reader, SheetType, SheetVisible, Xlsx, XlsxError};
use std::{io::Cursor, path::Path, sync::Arc, vec};

/// The most rows of a file, headers and blank ones included.
pub const MAX_ROWS: u32 = 50_000;
/// The header is looked for in so many rows that have anything in them: above it may stand a title and a date.
const HEADER_WITHIN: usize = 10;
/// A row that names so many columns is the header.
const HEADER_COLUMNS: usize = 3;
/// The most text of all cells together, in bytes: one shared string may stand in every cell.
const MAX_TEXT_BYTES: usize = 256 * 1024 * 1024;

/// A row below the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<C: SheetColumn = Column> {
    /// Where it stands.
    pub place: Place,
    /// What is in it.
    pub content: Content<C>,
    /// Its cells as written.
    pub cells: RawCells,
}

/// What is in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<C: SheetColumn = Column> {
    /// Nothing in any column that the sheet is read for.
    Blank,
    /// Something.
    Filled {
        /// The text of each column.
        fields: Box<C::Fields>,
        /// What the cells themselves had wrong: columns that the sheet lacks, numbers that have lost digits.
        findings: Vec<Finding<C>>,
    },
}

/// A sheet of leads, or of what else has columns, read to its end: opening it finds everything that can be wrong with the file.
#[derive(Debug)]
pub struct Sheet<C: SheetColumn = Column> {
    table: Arc<Table>,
    other_sheets: usize,
    header: Header<C>,
    rows: Vec<RawRow>,
}

/// The cells of a row that hold something, each with its zero-based column.
#[derive(Debug)]
struct RawRow {
    row: u32,
    cells: Vec<(u32, Cell)>,
}

impl Sheet {
    /// Reads a sheet of leads, as [`Sheet::of`].
    ///
    /// # Errors
    /// As [`Sheet::of`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SheetError> {
        Self::of(path)
    }
}

impl<C: SheetColumn> Sheet<C> {
    /// Reads the first visible worksheet of an .xlsx workbook. The file is read once, into memory.
    ///
    /// # Errors
    /// The file cannot be read, is not an .xlsx workbook, is not fit to be parsed, or has no header.
    pub fn of(path: impl AsRef<Path>) -> Result<Self, SheetError> {
        let bytes = guard::read(path.as_ref())?;
        let mut workbook = Xlsx::new(Cursor::new(bytes)).map_err(damaged)?;
        let mut visible = workbook
            .sheets_metadata()
            .iter()
            .filter(|s| s.typ == SheetType::WorkSheet && s.visible == SheetVisible::Visible)
            .map(|s| s.name.clone());
        let name = visible.next().ok_or(SheetError::Empty)?;
        let other_sheets = visible.count();
        let mut rows = read_rows(&mut workbook, &name)?;
        let header_at = find_header::<C>(&rows)?;
        let mut data = rows.split_off(header_at + 1);
        let below = rows.pop().ok_or(SheetError::NoHeader)?;
        let header = Header::new(below.cells.iter().map(|(at, cell)| (*at, cell.as_header())))?;
        // Numbered in advance and never filled: the sheet ends above.
        let is_filled = |raw: &RawRow| raw.cells.iter().any(|(at, _)| header.at(*at).is_some());
        data.truncate(data.iter().rposition(is_filled).map_or(0, |last| last + 1));
        let table = Arc::new(Table::new(Some(name), below.row, as_written(&below.cells)));
        Ok(Self {
            table,
            other_sheets,
            header,
            rows: blanks_between(below.row, data),
        })
    }

    /// Its name in the workbook.
    pub fn name(&self) -> &str {
        self.table.name().unwrap_or_default()
    }

    /// How many more visible worksheets the workbook has. They are not read.
    pub const fn other_sheets(&self) -> usize {
        self.other_sheets
    }

    /// How many rows stand below the header, to the last that is not blank.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True where nothing stands below the header.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Its rows below the header, to the last that is not blank.
    pub fn rows(self) -> Rows<C> {
        Rows {
            missing: self
                .header
                .missing()
                .into_iter()
                .map(|column| Finding::new(column, FindingCode::MissingColumn))
                .collect(),
            header: self.header,
            table: self.table,
            nth: 0,
            rows: self.rows.into_iter(),
        }
    }
}

/// The rows of a sheet; from [`Sheet::rows`].
#[derive(Debug)]
pub struct Rows<C: SheetColumn = Column> {
    table: Arc<Table>,
    nth: u32,
    header: Header<C>,
    missing: Vec<Finding<C>>,
    rows: vec::IntoIter<RawRow>,
}

impl<C: SheetColumn> Iterator for Rows<C> {
    type Item = Row<C>;

    fn next(&mut self) -> Option<Row<C>> {
        let raw = self.rows.next()?;
        let mut fields = Box::<C::Fields>::default();
        let mut findings = self.missing.clone();
        let mut blank = true;
        let mut cells = as_written(&raw.cells);
        cells.resize(cells.len().max(self.table.header().len()), String::new());
        for (at, cell) in raw.cells {
            // A column that it is not read for: a serial number, or what no lead may say.
            let Some(column) = self.header.at(at) else {
                continue;
            };
            blank = false;
            let (text, found) = cell.into_text(column);
            *column.text_mut(&mut fields) = text;
            findings.extend(found.map(|code| Finding::new(column, code)));
        }
        let content = if blank {
            Content::Blank
        } else {
            Content::Filled { fields, findings }
        };
        self.nth += 1;
        Some(Row {
            place: Place {
                table: Arc::clone(&self.table),
                row: raw.row,
                nth: self.nth,
            },
            content,
            cells: RawCells::new(cells),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl<C: SheetColumn> ExactSizeIterator for Rows<C> {}

/// All rows that have anything in them.
fn read_rows(workbook: &mut Xlsx<Cursor<Vec<u8>>>, name: &str) -> Result<Vec<RawRow>, SheetError> {
    let is_1904 = workbook.has_1904_epoch();
    let mut reader = workbook.worksheet_cells_reader(name).map_err(damaged)?;
    let mut rows: Vec<RawRow> = Vec::new();
    let mut text_bytes = 0_usize;
    let mut last = None;
    while let Some(found) = reader.next_cell().map_err(damaged)? {
        let position = found.get_position();
        // A sheet that says a cell twice says one thing to the officer's program and another to this one.
        if last >= Some(position) {
            return Err(SheetError::Damaged);
        }
        last = Some(position);
        let Some(cell) = Cell::new(found.get_value(), is_1904) else {
            continue;
        };
        text_bytes += cell.text_bytes();
        if text_bytes > MAX_TEXT_BYTES {
            return Err(SheetError::Bomb);
        }
        let (row, column) = (position.0.saturating_add(1), position.1);
        if row > MAX_ROWS {
            return Err(SheetError::TooManyRows);
        }
        match rows.last_mut() {
            Some(raw) if raw.row == row => raw.cells.push((column, cell)),
            _ => rows.push(RawRow {
                row,
                cells: vec![(column, cell)],
            }),
        }
    }
    if rows.is_empty() {
        return Err(SheetError::Empty);
    }
    Ok(rows)
}

/// The text of cells, from the first column on, with nothing in those between.
fn as_written(cells: &[(u32, Cell)]) -> Vec<String> {
    let mut written = Vec::new();
    for (at, cell) in cells {
        // Columns are at most 16,384: the guard has looked.
        written.resize_with(usize::try_from(*at).unwrap_or(usize::MAX), String::new);
        written.push(cell.as_written());
    }
    written
}

/// Where the header stands: the first row that names three columns, else the first that names any.
fn find_header<C: SheetColumn>(rows: &[RawRow]) -> Result<usize, SheetError> {
    let named = |raw: &RawRow| {
        raw.cells
            .iter()
            .filter(|(_, cell)| super::header::column::<C>(cell.as_header()).is_some())
            .count()
    };
    let candidates = rows.get(..HEADER_WITHIN).unwrap_or(rows);
    candidates
        .iter()
        .position(|raw| named(raw) >= HEADER_COLUMNS)
        .or_else(|| candidates.iter().position(|raw| named(raw) > 0))
        .ok_or(SheetError::NoHeader)
}

/// Puts in the blank rows that a workbook leaves out, so that every number of the sheet gets a verdict.
fn blanks_between(mut last: u32, data: Vec<RawRow>) -> Vec<RawRow> {
    let mut rows = Vec::with_capacity(data.len());
    for raw in data {
        rows.extend((last + 1..raw.row).map(|row| RawRow {
            row,
            cells: Vec::new(),
        }));
        last = raw.row;
        rows.push(raw);
    }
    rows
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn damaged(error: XlsxError) -> SheetError {
    if matches!(
        error,
        XlsxError::FileNotFound(_) | XlsxError::RelationshipNotFound
    ) {
        SheetError::NotXlsx
    } else if matches!(error, XlsxError::CellError(_)) {
        SheetError::ErrorCell
    } else {
        SheetError::Damaged
    }
}
