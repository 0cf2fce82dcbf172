//! The worksheets of an .xlsx workbook, one row at a time.

use super::{
    RawRow, SheetError,
    cell::Cell,
    guard::{At, Layout, MAX_COLUMNS, MAX_ROW_BYTES},
    number_format::NumberFormat,
};
use calamine::{Reader, SheetType, SheetVisible, Xlsx, XlsxError};
use std::{collections::HashMap, io::Cursor, ops::ControlFlow};

/// The most text of all cells together, in bytes: one shared string may be used in every cell.
const MAX_TEXT_BYTES: usize = 512 * 1024 * 1024;

/// A workbook that the guard has checked.
pub(super) struct Workbook {
    xlsx: Xlsx<Cursor<Vec<u8>>>,
    /// By the worksheets' names.
    layouts: HashMap<String, Layout>,
}

impl Workbook {
    /// Opens a workbook, with what its worksheets have besides their values, in their order.
    pub(super) fn open(bytes: Vec<u8>, layouts: Vec<Layout>) -> Result<Self, SheetError> {
        let xlsx = Xlsx::new(Cursor::new(bytes)).map_err(damaged)?;
        let sheets = xlsx.sheets_metadata();
        // If they were counted differently, notes could not be matched to worksheets.
        if layouts.len() != sheets.len() {
            return Err(SheetError::Damaged);
        }
        let names = sheets.iter().map(|sheet| sheet.name.clone());
        let layouts = names.zip(layouts).collect();
        Ok(Self { xlsx, layouts })
    }

    /// The names of its worksheets, and whether they are visible.
    pub(super) fn sheets(&self) -> Vec<(String, bool)> {
        let all = self.xlsx.sheets_metadata().iter();
        all.filter(|sheet| sheet.typ == SheetType::WorkSheet)
            .map(|sheet| (sheet.name.clone(), sheet.visible == SheetVisible::Visible))
            .collect()
    }

    /// Passes each row of a worksheet that is not blank to `each`, in order, until told to stop.
    pub(super) fn rows(
        &mut self,
        name: &str,
        each: &mut dyn FnMut(RawRow) -> Result<ControlFlow<()>, SheetError>,
    ) -> Result<(), SheetError> {
        let Self { xlsx, layouts } = self;
        let none = Layout::default();
        let layout = layouts.get(name).unwrap_or(&none);
        let is_1904 = xlsx.has_1904_epoch();
        let mut reader = xlsx.worksheet_cells_reader(name).map_err(damaged)?;
        let mut beside = Beside::new(layout);
        let mut raw = RawRow::blank(0);
        let (mut text_bytes, mut row_bytes) = (0, 0);
        let mut last = None;
        let mut formats: HashMap<usize, NumberFormat> = HashMap::new();
        loop {
            let (position, cell, style) = match reader.next_cell_with_style_id() {
                Ok(Some((found, style))) => {
                    let cell = Cell::new(found.get_value(), is_1904);
                    (found.get_position(), cell, Some(style))
                }
                Ok(None) => break,
                // The reader continues after the cell, and the guard has noted where it is.
                Err(XlsxError::CellError(_)) => {
                    let position = beside.unknown_error().ok_or(SheetError::ErrorCell)?;
                    (position, Some(Cell::UNKNOWN_ERROR), None)
                }
                Err(error) => return Err(damaged(error)),
            };
            // A sheet that contains a cell twice means one thing to the officer's program and another to this one.
            if last >= Some(position) {
                return Err(SheetError::Damaged);
            }
            last = Some(position);
            let cell = cell.or_else(|| beside.uncomputed(position));
            let Some(mut cell) = beside.picture(position).or(cell) else {
                continue;
            };
            let mut is_struck = beside.is_struck(position);
            if let Some(style) = style {
                let format = formats
                    .entry(style)
                    .or_insert_with(|| NumberFormat::of(reader.styles().get(style)));
                is_struck |= format.is_struck;
                cell = cell.with_format(format);
            }
            let (row, column) = (position.0.saturating_add(1), position.1);
            if usize::try_from(column).is_ok_and(|column| column >= MAX_COLUMNS) {
                return Err(SheetError::TooManyColumns { row });
            }
            if raw.row != row {
                let mut ready = std::mem::replace(&mut raw, RawRow::blank(row));
                row_bytes = 0;
                if !ready.cells.is_empty() {
                    beside.add_to(&mut ready)?;
                    if each(ready)?.is_break() {
                        return Ok(());
                    }
                }
            }
            row_bytes += cell.text_bytes();
            text_bytes += cell.text_bytes();
            if row_bytes > MAX_ROW_BYTES {
                return Err(SheetError::LongRow { row });
            }
            if text_bytes > MAX_TEXT_BYTES {
                return Err(SheetError::TooMuchText);
            }
            raw.cells.push((column, cell));
            raw.struck.extend(is_struck.then_some(column));
        }
        if !raw.cells.is_empty() {
            beside.add_to(&mut raw)?;
            // The last row: whether to continue does not matter.
            return each(raw).map(drop);
        }
        Ok(())
    }
}

/// A worksheet's layout, consumed as its rows come.
struct Beside<'a> {
    unknown_errors: &'a [At],
    uncomputed: &'a [At],
    pictures: &'a [At],
    struck: &'a [At],
    hidden_rows: &'a [u32],
    /// Ranges that have not begun yet, by their first row, the next one last.
    merged: Vec<[At; 2]>,
    /// Ranges whose first cell has a value and which reach this row.
    covering: Vec<[At; 2]>,
}

impl<'a> Beside<'a> {
    fn new(layout: &'a Layout) -> Self {
        let mut merged = layout.merged.clone();
        merged.sort_unstable_by(|one, other| other.cmp(one));
        Self {
            unknown_errors: &layout.unknown_errors,
            uncomputed: &layout.uncomputed,
            pictures: &layout.pictures,
            struck: &layout.struck,
            hidden_rows: &layout.hidden_rows,
            merged,
            covering: Vec::new(),
        }
    }

    /// The position of the next error that the reader does not know.
    fn unknown_error(&mut self) -> Option<At> {
        let (at, rest) = self.unknown_errors.split_first()?;
        self.unknown_errors = rest;
        Some(*at)
    }

    /// A formula without a value at this position. Positions must rise.
    fn uncomputed(&mut self, position: At) -> Option<Cell> {
        is_next(&mut self.uncomputed, position).then_some(Cell::Uncomputed)
    }

    /// A picture at this position.
    fn picture(&mut self, position: At) -> Option<Cell> {
        is_next(&mut self.pictures, position).then_some(Cell::Picture)
    }

    /// Whether a part of the text at this position is struck through.
    fn is_struck(&mut self, position: At) -> bool {
        is_next(&mut self.struck, position)
    }

    /// Adds what the cells of a row do not show: that it is hidden, and which cells are merged into another.
    fn add_to(&mut self, raw: &mut RawRow) -> Result<(), SheetError> {
        let row = raw.row.saturating_sub(1);
        let before = self.hidden_rows.partition_point(|hidden| *hidden < row);
        self.hidden_rows = self.hidden_rows.get(before..).unwrap_or_default();
        raw.is_hidden = self.hidden_rows.first() == Some(&row);
        while let Some(range) = self.merged.pop_if(|[from, _]| from.0 <= row) {
            let [from, _] = range;
            // A merged range without a value hides nothing.
            if from.0 == row && raw.cells.iter().any(|(at, _)| *at == from.1) {
                self.covering.push(range);
            }
        }
        self.covering.retain(|[_, to]| to.0 >= row);
        let mut covered = Vec::new();
        for [from, to] in &self.covering {
            let columns = (from.1..=to.1).take(MAX_COLUMNS);
            covered.extend(columns.filter(|at| (row, *at) != *from));
            // Overlapping ranges, which no program makes.
            if covered.len() > 2 * MAX_COLUMNS {
                return Err(SheetError::Damaged);
            }
        }
        for at in covered {
            if let Err(place) = raw.cells.binary_search_by_key(&at, |(at, _)| *at) {
                raw.cells.insert(place, (at, Cell::Covered));
            }
        }
        Ok(())
    }
}

/// Whether a position is the next of the rising ones; earlier ones are skipped.
fn is_next(rising: &mut &[At], position: At) -> bool {
    let before = rising.partition_point(|at| *at < position);
    *rising = rising.get(before..).unwrap_or_default();
    rising.first() == Some(&position)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn damaged(error: XlsxError) -> SheetError {
    if matches!(error, XlsxError::CellError(_)) {
        SheetError::ErrorCell
    } else {
        SheetError::Damaged
    }
}
