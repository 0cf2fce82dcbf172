//! A row as it comes from a file, before anything is known of its columns.

use super::{cell::Cell, header::Header};
use crate::domain::SheetColumn;

/// The cells of a row that hold something, each with its zero-based column.
#[derive(Debug)]
pub(super) struct RawRow {
    /// From 1.
    pub(super) row: u32,
    pub(super) cells: Vec<(u32, Cell)>,
    /// True where the worksheet does not show it.
    pub(super) is_hidden: bool,
    /// Columns in which what stands there, or a part of it, is struck through.
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

    /// The text of its cells, from the first column on, with nothing in those between.
    pub(super) fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        for (at, cell) in &self.cells {
            // Columns are few: whoever read the row has looked.
            texts.resize_with(usize::try_from(*at).unwrap_or(usize::MAX), String::new);
            texts.push(cell.as_written());
        }
        texts
    }

    /// As [`RawRow::texts`], fit to be given back under a header.
    pub(super) fn given_back<C: SheetColumn>(&self, header: &Header<C>) -> Vec<String> {
        let mut texts = Vec::new();
        for (at, cell) in &self.cells {
            texts.resize_with(usize::try_from(*at).unwrap_or(usize::MAX), String::new);
            texts.push(cell.as_given_back(header.at(*at)));
        }
        texts
    }

    /// True where something stands in a column that the sheet is read for.
    pub(super) fn is_filled<C: SheetColumn>(&self, header: &Header<C>) -> bool {
        let mut cells = self.cells.iter();
        cells.any(|(at, cell)| *cell != Cell::Covered && header.at(*at).is_some())
    }

    /// So many columns it has, to the last that holds something.
    pub(super) fn width(&self) -> usize {
        let last = self
            .cells
            .last()
            .and_then(|(at, _)| usize::try_from(*at).ok());
        last.map_or(0, |at| at + 1)
    }

    /// The first column in which something stands without a heading above it.
    pub(super) fn unheaded(&self, headings: &[String]) -> Option<u32> {
        let has_heading = |at: u32| {
            let heading = usize::try_from(at).ok().and_then(|at| headings.get(at));
            heading.is_some_and(|heading| !heading.trim().is_empty())
        };
        let filled = self.cells.iter().filter(|(_, cell)| *cell != Cell::Covered);
        let mut columns = filled.map(|(at, _)| *at);
        columns.find(|at| !has_heading(*at))
    }

    /// Bytes of text that it holds.
    pub(super) fn text_bytes(&self) -> usize {
        self.cells.iter().map(|(_, cell)| cell.text_bytes()).sum()
    }
}
