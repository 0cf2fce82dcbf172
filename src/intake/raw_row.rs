//! A row as it comes from a file, before its columns are known.

use super::{cell::Cell, header::Header};
use crate::domain::SheetColumn;

/// The cells of a row that are not empty, each with its zero-based column.
#[derive(Debug)]
pub(super) struct RawRow {
    /// The row's number, from 1.
    pub(super) row: u32,
    pub(super) cells: Vec<(u32, Cell)>,
    /// Whether the worksheet hides it.
    pub(super) is_hidden: bool,
    /// Columns with text that is struck through, wholly or in part.
    pub(super) struck: Vec<u32>,
}

impl RawRow {
    pub(super) const fn blank(row: u32) -> Self {
        Self {
            row,
            cells: Vec::new(),
            is_hidden: false,
            struck: Vec::new(),
        }
    }

    /// The texts of its cells, from the first column on, with empty ones between.
    pub(super) fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        for (at, cell) in &self.cells {
            // There are few columns: the reader of the row has checked that.
            texts.resize_with(usize::try_from(*at).unwrap_or(usize::MAX), String::new);
            texts.push(cell.as_written());
        }
        texts
    }

    /// As [`RawRow::texts`], fit to be returned under a header.
    pub(super) fn given_back<C: SheetColumn>(&self, header: &Header<C>) -> Vec<String> {
        let mut texts = Vec::new();
        for (at, cell) in &self.cells {
            texts.resize_with(usize::try_from(*at).unwrap_or(usize::MAX), String::new);
            texts.push(cell.as_given_back(header.at(*at)));
        }
        texts
    }

    /// Whether any column that the sheet is read for is filled.
    pub(super) fn is_filled<C: SheetColumn>(&self, header: &Header<C>) -> bool {
        let mut cells = self.cells.iter();
        cells.any(|(at, cell)| *cell != Cell::Covered && header.at(*at).is_some())
    }

    /// The number of columns, up to the last one that is not empty.
    pub(super) fn width(&self) -> usize {
        let last = self
            .cells
            .last()
            .and_then(|(at, _)| usize::try_from(*at).ok());
        last.map_or(0, |at| at + 1)
    }

    /// The first column that is filled and has no heading above it.
    pub(super) fn unheaded(&self, headings: &[String]) -> Option<u32> {
        let has_heading = |at: u32| {
            let heading = usize::try_from(at).ok().and_then(|at| headings.get(at));
            heading.is_some_and(|heading| !heading.trim().is_empty())
        };
        let filled = self.cells.iter().filter(|(_, cell)| *cell != Cell::Covered);
        let mut columns = filled.map(|(at, _)| *at);
        columns.find(|at| !has_heading(*at))
    }

    /// How many bytes of text it holds.
    pub(super) fn text_bytes(&self) -> usize {
        self.cells.iter().map(|(_, cell)| cell.text_bytes()).sum()
    }
}
