//! Reads spreadsheets and gives each row a verdict. Runs on the officer's machine, never in the node: a workbook is
//! untrusted until it is read, and may crash the process that reads it.
//!
//! [`Sheet::open`] reads a file to its end or returns why it cannot; [`check`] reads it again and gives each of its
//! rows a verdict. Nothing of the rows is kept between the two: memory is bounded whatever a file holds or claims.
//!
//! Begin with `sheet.rs` and `verdict.rs`. Before them, `guard/` decides whether a file may be parsed at all,
//! `sheet_scan.rs` reads it the first time, and `locate_header.rs`, `header.rs` and `cell.rs` interpret it.
//! `template/`, `rejected.rs` and `receipt/` write sheets.

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
pub use verdict::{JsonReason, JsonRow, RowVerdict, Verdict, check, check_form};

use raw_row::RawRow;
