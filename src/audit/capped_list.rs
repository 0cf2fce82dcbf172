//! Lists that stay small however much there is to list.

use serde::Serialize;

/// The most items of a list that are kept; all are counted.
pub const LISTED_LIMIT: usize = 1_000;

/// A count, and the first [`LISTED_LIMIT`] of the items counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CappedList<T> {
    /// How many there are.
    pub total: u64,
    /// The first of them.
    pub first: Vec<T>,
}

impl<T> Default for CappedList<T> {
    fn default() -> Self {
        Self {
            total: 0,
            first: Vec::new(),
        }
    }
}

impl<T> CappedList<T> {
    /// Counts an item, and keeps it if there is room.
    pub(super) fn push(&mut self, item: T) {
        self.total += 1;
        if self.first.len() < LISTED_LIMIT {
            self.first.push(item);
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.total == 0
    }
}

impl<T> Extend<T> for CappedList<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.push(item));
    }
}
