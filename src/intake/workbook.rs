//! The worksheets of an .xlsx workbook, one row at a time.

use super::{
    RawRow, SheetError,
    cell::Cell,
    guard::{MAX_COLUMNS, MAX_ROW_BYTES},
};
use calamine::{Reader, SheetType, SheetVisible, Xlsx, XlsxError};
use std::{io::Cursor, ops::ControlFlow};

/// The most text of all cells together, in bytes: one shared string may stand in every cell.
const MAX_TEXT_BYTES: usize = 512 * 1024 * 1024;

/// A workbook that the guard has looked at.
pub(super) struct Workbook(Xlsx<Cursor<Vec<u8>>>);

impl Workbook {
    pub(super) fn open(bytes: Vec<u8>) -> Result<Self, SheetError> {
        Xlsx::new(Cursor::new(bytes)).map(Self).map_err(damaged)
    }

    /// The names of its worksheets, and whether they are visible.
    pub(super) fn sheets(&self) -> Vec<(String, bool)> {
        let all = self.0.sheets_metadata().iter();
        all.filter(|sheet| sheet.typ == SheetType::WorkSheet)
            .map(|sheet| (sheet.name.clone(), sheet.visible == SheetVisible::Visible))
            .collect()
    }

    /// Gives each row of a worksheet that has anything in it, in order, until told to stop.
    pub(super) fn rows(
        &mut self,
        name: &str,
        each: &mut dyn FnMut(RawRow) -> Result<ControlFlow<()>, SheetError>,
    ) -> Result<(), SheetError> {
        let is_1904 = self.0.has_1904_epoch();
        let mut reader = self.0.worksheet_cells_reader(name).map_err(damaged)?;
        let mut raw = RawRow {
            row: 0,
            cells: Vec::new(),
        };
        let (mut text_bytes, mut row_bytes) = (0, 0);
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
            let (row, column) = (position.0.saturating_add(1), position.1);
            if usize::try_from(column).is_ok_and(|column| column >= MAX_COLUMNS) {
                return Err(SheetError::TooManyColumns { row });
            }
            if raw.row != row {
                let next = RawRow {
                    row,
                    cells: Vec::new(),
                };
                let ready = std::mem::replace(&mut raw, next);
                row_bytes = 0;
                if !ready.cells.is_empty() && each(ready)?.is_break() {
                    return Ok(());
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
        }
        if !raw.cells.is_empty() {
            // The last row: whether to go on is no question.
            return each(raw).map(drop);
        }
        Ok(())
    }
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
