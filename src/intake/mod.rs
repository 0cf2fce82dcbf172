//! Spreadsheets to leads, one verdict a row. Runs where the officer sits, never in the node: a workbook is a stranger's
//! file until it is read, and what reads it may be killed by it.
//!
//! [`Sheet::open`] reads a whole workbook or says why not; [`check`] gives each of its rows a verdict.

mod cell;
mod error;
mod guard;
mod header;
mod page;
mod receipt;
mod rejected;
mod sheet;
mod table;
mod template;
mod verdict;

pub use error::SheetError;
pub use guard::{MAX_FILE_BYTES, MAX_UNPACKED_BYTES};
pub use header::column as column_named;
pub use receipt::{Outcome, Proof, Receipt, ReceiptRow, receipt};
pub use rejected::{Fault, Refused, RefusedRow};
pub use sheet::{Content, MAX_ROWS, Row, Rows, Sheet};
pub use table::{Place, RawCells, Table};
pub use template::template;
pub use verdict::{JsonReason, JsonRow, Reads, RowVerdict, Verdict, check, check_form};
