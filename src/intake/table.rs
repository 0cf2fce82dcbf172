//! How a file was read: its tables, and the positions of rows in them.

use super::note::shown;
use std::{fmt, sync::Arc};

/// One worksheet of a workbook, or a CSV file, as found: its name, and its header as written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Table {
    name: Option<String>,
    header_row: u32,
    header: Vec<String>,
    width: usize,
}

impl Table {
    pub(super) const fn new(
        name: Option<String>,
        header_row: u32,
        header: Vec<String>,
        width: usize,
    ) -> Self {
        Self {
            name,
            header_row,
            header,
            width,
        }
    }

    /// The worksheet's name; `None` for a CSV file and for a form.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The worksheet's name, fit for display: short, on one line, and without a number that may identify a person.
    pub fn shown_name(&self) -> Option<String> {
        self.name().map(shown)
    }

    /// The row in which the header ends, from 1; 0 for a form, which has none.
    pub const fn header_row(&self) -> u32 {
        self.header_row
    }

    /// The texts of the header, cell by cell from the first column on; empty for a column without one. A header of two
    /// rows is joined into one.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Whether there is content to the right of the header: in a CSV file rows have shifted, in a worksheet somebody
    /// has made a note.
    pub const fn is_exceeded(&self) -> bool {
        self.width > self.header.len()
    }
}

/// The position of a row.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// The worksheet or file that it is in.
    pub table: Arc<Table>,
    /// The worksheet's own row number, or the number of the record in a CSV file, from 1.
    pub row: u32,
    /// Its number among all rows of the file that get a verdict, from 1, across its worksheets.
    pub nth: u32,
}

/// The sheet's name and the numbers; without the header, which would fill a page.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("sheet", &self.table.name())
            .field("row", &self.row)
            .field("nth", &self.nth)
            .finish()
    }
}

/// The cells of a row as written, from the first column on, in the order of [`Table::header`], so that the row can be
/// written back. Numbers and dates are as a person would type them. At least as many as the header has.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RawCells(Vec<String>);

impl RawCells {
    /// Pads the cells to the length of the header.
    pub(super) fn new(mut cells: Vec<String>, header: usize) -> Self {
        cells.resize(cells.len().max(header), String::new());
        Self(cells)
    }

    /// Cell by cell.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

/// Only how many there are: their content is about people.
impl fmt::Debug for RawCells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawCells({})", self.0.len())
    }
}
