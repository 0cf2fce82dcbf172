//! Spreadsheets to leads, one verdict a row. Runs where the officer sits, never in the node: a workbook is a stranger's
//! file until it is read, and what reads it may be killed by it.
//!
//! [`Sheet::open`] reads a file to its end or says why not; [`check`] reads it again and gives each of its rows a verdict.
//! Between the two nothing of the rows is kept: memory is bounded whatever a file holds or claims.

mod aliases;
mod cell;
mod csv;
mod error;
mod footer_rows;
mod guard;
mod header;
mod locate_header;
mod lossy_cells;
mod note;
mod number_format;
mod page;
mod raw_row;
mod receipt;
mod rejected;
mod sheet;
mod sheet_scan;
mod table;
mod template;
mod text;
mod verdict;
mod workbook;

pub use error::SheetError;
pub use guard::{FileKind, MAX_FILE_BYTES, MAX_ROWS, MAX_UNPACKED_BYTES};
pub use header::column as column_named;
pub use note::Note;
pub use receipt::{Outcome, Proof, Receipt, ReceiptRow, receipt};
pub use rejected::{Fault, Refused, RefusedRow};
pub use sheet::{Content, Row, Rows, Sheet};
pub use table::{Place, RawCells, Table};
pub use template::template;
pub use verdict::{JsonReason, JsonRow, Reads, RowVerdict, Verdict, check, check_form};

use raw_row::RawRow;
