//! Spreadsheets to leads, one verdict a row.
