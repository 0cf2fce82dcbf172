//! Reads what is left of damaged leaves: every leaf that the store can still read.

use std::collections::VecDeque;

use super::frames::{HEADER, Leaves, MAX_FRAMES_AT_ONCE, VERSION};
use crate::store::{Order, Row, Store, StoreError, keys};

/// How many missing leaves are handed out at once.
const MAX_GAP: u64 = 1024;

/// What was found where a leaf should be.
pub(super) struct ScannedLeaf {
    pub(super) index: u64,
    /// `None` where the leaf is missing or cannot be read. The bytes may be anything: hash them.
    pub(super) bytes: Option<Vec<u8>>,
    /// The frame that begins here is damaged outside its leaves.
    pub(super) frame_damaged: bool,
}

/// Visits leaves `0..end` whatever is damaged: each index once, in order.
pub(super) fn leaves(store: &dyn Store, end: u64) -> LenientScan<'_> {
    LenientScan {
        store,
        next: 0,
        end,
        unreadable_upto: 0,
        page: VecDeque::new(),
        leaves: VecDeque::new(),
        frame_damaged: false,
    }
}

pub(super) struct LenientScan<'a> {
    store: &'a dyn Store,
    /// The next index to hand out.
    next: u64,
    end: u64,
    /// No frame that begins before this index, and was not read yet, can be read.
    unreadable_upto: u64,
    /// Frames that were read: index of the first leaf, value.
    page: VecDeque<(u64, Vec<u8>)>,
    /// Leaves that were read, from `next` on.
    leaves: VecDeque<Option<Vec<u8>>>,
    frame_damaged: bool,
}

impl LenientScan<'_> {
    /// Reads frames from index `from` on. A page that the store cannot read fails every read that touches it, so around
    /// it frames are read one at a time, from each index in turn, and no sound one is skipped.
    fn read(&mut self, from: u64) {
        let mut start = from.max(self.unreadable_upto);
        let mut at_once = MAX_FRAMES_AT_ONCE;
        while start < self.end {
            match self.frames(start, at_once) {
                Ok(rows) => {
                    self.page = rows
                        .into_iter()
                        .filter_map(|(key, value)| Some((keys::frame_index(&key)?, value)))
                        .collect();
                    return;
                }
                Err(_) if at_once > 1 => at_once = 1,
                Err(_) => {
                    start += 1;
                    self.unreadable_upto = start;
                }
            }
        }
    }

    fn frames(&self, start: u64, at_once: usize) -> Result<Vec<Row>, StoreError> {
        let (from, upto) = (keys::frame(start), keys::frame(self.end));
        self.store.range(&from, &upto, Order::Ascending, at_once)
    }

    /// Queues the leaves of the next frame, or the gap before it.
    fn fill(&mut self) {
        if self.page.is_empty() {
            self.read(self.next);
        }
        let first = self.page.front().map_or(self.end, |(first, _)| *first);
        if first > self.next {
            let gap = (first - self.next).min(MAX_GAP);
            self.leaves.extend((0..gap).map(|_| None));
            return;
        }
        let Some((first, value)) = self.page.pop_front() else {
            return;
        };
        if self.page.is_empty() {
            self.read(first.saturating_add(1));
        }
        let upto = self.page.front().map_or(self.end, |(next, _)| *next);
        // The header's count may be the damaged part, so the lengths decide what is there.
        let mut found = Leaves {
            store: self.store,
            first,
            alone: true,
            left: u16::MAX,
            rest: value.get(HEADER..).unwrap_or_default(),
        };
        let mut index = first;
        while index < upto && !found.rest.is_empty() {
            let leaf = found.read().ok();
            let ended = leaf.is_none();
            if index >= self.next {
                self.leaves.push_back(leaf);
            }
            index += 1;
            if ended {
                break;
            }
        }
        let count = u16::try_from(index - first).unwrap_or(u16::MAX);
        let [high, low] = count.to_be_bytes();
        self.frame_damaged =
            value.first_chunk() != Some(&[VERSION, high, low]) || !found.rest.is_empty();
        if self.leaves.is_empty() {
            self.leaves.push_back(None);
        }
    }
}

impl Iterator for LenientScan<'_> {
    type Item = ScannedLeaf;

    fn next(&mut self) -> Option<ScannedLeaf> {
        if self.next >= self.end {
            return None;
        }
        if self.leaves.is_empty() {
            self.fill();
        }
        let index = self.next;
        self.next += 1;
        Some(ScannedLeaf {
            index,
            bytes: self.leaves.pop_front().flatten(),
            frame_damaged: std::mem::take(&mut self.frame_damaged),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        log::frames,
        store::{Batch, MemoryStore},
    };

    /// Around one page that could not be read, reading went on ever further away: what lay between was called lost.
    #[test]
    fn regression_a_page_that_cannot_be_read_costs_no_other_leaf() {
        let bytes = vec![bytes::Bytes::from(vec![7; 2000]); 900];
        let mut rows = Batch::new();
        frames::pack(0, &bytes, &mut rows);
        let firsts: Vec<u64> = rows
            .iter()
            .filter_map(|(key, _)| keys::frame_index(key))
            .collect();
        assert!(firsts.len() > 4 * MAX_FRAMES_AT_ONCE, "{}", firsts.len());
        // Pages of eight frames, as sled's: the first, two beside each other, every other one, the last.
        let pages: Vec<&[u64]> = firsts.chunks(8).collect();
        let last = pages.len() - 1;
        for bad in [
            vec![0],
            vec![3, 4],
            vec![9, 11, 13],
            vec![last],
            (0..=last).collect(),
        ] {
            let store = MemoryStore::new();
            store.commit(0, &rows).unwrap();
            let mut lost = Vec::new();
            for page in bad {
                let end = pages.get(page + 1).map_or(900, |next| next[0]);
                store.spoil(&keys::frame(pages[page][0]), &keys::frame(end));
                lost.extend(pages[page][0]..end);
            }
            let found: Vec<ScannedLeaf> = leaves(&store, 900).collect();
            assert!(found.iter().map(|leaf| leaf.index).eq(0..900));
            let missing: Vec<u64> = found
                .iter()
                .filter(|leaf| leaf.bytes.is_none())
                .map(|leaf| leaf.index)
                .collect();
            assert_eq!(missing, lost);
        }
    }
}
