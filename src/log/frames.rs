//! Leaves as stored: those of one commit packed into frames under the index of their first leaf. A key for every leaf
//! costs a third of the throughput.
//!
//! A frame is `version u8, count u16`, then for each leaf `length u16, bytes`. A leaf that does not fit a frame has one
//! of its own, which its bytes fill; the rest continues under [`keys::continuation`].

use std::{collections::VecDeque, ops::ControlFlow};

use bytes::Bytes;

use super::{Damage, ReadError};
use crate::store::{Batch, MAX_VALUE, Order, Store, keys};

const VERSION: u8 = 1;
const HEADER: usize = 1 + 2;
const LENGTH: usize = 2;

/// How many missing leaves are handed out at once.
const MOST_LOOSE: u64 = 1024;

/// How many frames a long read takes from the store at once, at most.
const MOST_FRAMES_AT_ONCE: usize = 64;

/// Packs leaves, the first of which has index `first`.
pub(super) fn pack<'a>(first: u64, leaves: impl IntoIterator<Item = &'a Bytes>, rows: &mut Batch) {
    let mut frame = Frame::starting_at(first);
    for leaf in leaves {
        // Admitted leaves fit u16: see MAX_LEAF.
        let length = u16::try_from(leaf.len()).unwrap_or(u16::MAX).to_be_bytes();
        if frame.bytes.len() + LENGTH + leaf.len() > MAX_VALUE {
            frame = frame.write(rows);
        }
        frame.bytes.extend_from_slice(&length);
        let room = MAX_VALUE.saturating_sub(frame.bytes.len());
        let (fits, rest) = leaf.split_at(room.min(leaf.len()));
        frame.bytes.extend_from_slice(fits);
        frame.count += 1;
        for (part, chunk) in (1..).zip(rest.chunks(MAX_VALUE)) {
            rows.put(keys::continuation(frame.first, part), chunk);
        }
        if !rest.is_empty() {
            frame = frame.write(rows);
        }
    }
    frame.write(rows);
}

struct Frame {
    first: u64,
    count: u16,
    bytes: Vec<u8>,
}

impl Frame {
    fn starting_at(first: u64) -> Self {
        Self {
            first,
            count: 0,
            bytes: vec![0; HEADER],
        }
    }

    /// Writes the frame, unless it is empty, and begins the next.
    fn write(mut self, rows: &mut Batch) -> Self {
        if self.count == 0 {
            return self;
        }
        let [high, low] = self.count.to_be_bytes();
        if let Some(header) = self.bytes.first_chunk_mut::<HEADER>() {
            *header = [VERSION, high, low];
        }
        rows.put(keys::frame(self.first), self.bytes);
        Self::starting_at(self.first + u64::from(self.count))
    }
}

/// Calls `visit` with leaves `from..end` in order until it breaks. A leaf that is missing is damage: the caller asks
/// only for what the log has.
pub(super) fn visit(
    store: &dyn Store,
    from: u64,
    end: u64,
    mut visit: impl FnMut(u64, Vec<u8>) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    if from >= end {
        return Ok(());
    }
    let upto = keys::frame(from.saturating_add(1));
    let mut frames = store.range(&[keys::FRAME], &upto, Order::Descending, 1)?;
    let mut next = None;
    let mut at_once = 1;
    loop {
        for (key, value) in &frames {
            let first = keys::frame_index(key).ok_or(Damage::Frame { index: from })?;
            if next.is_some_and(|next| next != first) {
                return Err(Damage::Frame { index: first }.into());
            }
            let mut index = first;
            for leaf in Leaves::of(store, first, value)? {
                let leaf = leaf?;
                if index >= end || (index >= from && visit(index, leaf).is_break()) {
                    return Ok(());
                }
                index += 1;
            }
            next = Some(index);
        }
        let Some(start) = next.filter(|next| *next > from) else {
            return Err(Damage::Frame { index: from }.into());
        };
        if start >= end {
            return Ok(());
        }
        frames = store.range(
            &keys::frame(start),
            &keys::frame(end),
            Order::Ascending,
            at_once,
        )?;
        if frames.is_empty() {
            return Err(Damage::Frame { index: start }.into());
        }
        at_once = (at_once * 4).min(MOST_FRAMES_AT_ONCE);
    }
}

/// The leaves of one frame.
struct Leaves<'a> {
    store: &'a dyn Store,
    first: u64,
    alone: bool,
    left: u16,
    rest: &'a [u8],
}

impl<'a> Leaves<'a> {
    fn of(store: &'a dyn Store, first: u64, frame: &'a [u8]) -> Result<Self, Damage> {
        match frame.split_first_chunk::<HEADER>() {
            Some((&[VERSION, high, low], rest)) => {
                let left = u16::from_be_bytes([high, low]);
                let alone = left == 1;
                Ok(Self {
                    store,
                    first,
                    alone,
                    left,
                    rest,
                })
            }
            Some(_) | None => Err(Damage::Frame { index: first }),
        }
    }

    fn read(&mut self) -> Result<Vec<u8>, ReadError> {
        let damaged = Damage::Frame { index: self.first };
        let (length, rest) = self.rest.split_first_chunk::<LENGTH>().ok_or(damaged)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if let Some((leaf, rest)) = rest.split_at_checked(length) {
            self.rest = rest;
            return Ok(leaf.to_vec());
        }
        self.rest = &[];
        let mut leaf = rest.to_vec();
        let mut part = 1;
        while self.alone && leaf.len() < length {
            let row = self.store.get(&keys::continuation(self.first, part))?;
            leaf.extend_from_slice(&row.filter(|row| !row.is_empty()).ok_or(damaged)?);
            part += 1;
        }
        (leaf.len() == length).then_some(leaf).ok_or(damaged.into())
    }
}

impl Iterator for Leaves<'_> {
    type Item = Result<Vec<u8>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let leaf = self.read();
        if leaf.is_err() {
            self.left = 0;
        } else if self.left == 0 && !self.rest.is_empty() {
            return Some(Err(Damage::Frame { index: self.first }.into()));
        }
        Some(leaf)
    }
}

/// What is found where a leaf should be.
pub(super) struct LooseLeaf {
    pub(super) index: u64,
    /// Nothing where it is missing or cannot be read. What there is may be anything: hash it.
    pub(super) bytes: Option<Vec<u8>>,
    /// The frame that begins here is damaged elsewhere than in its leaves.
    pub(super) odd_frame: bool,
}

/// Goes over leaves `0..end` whatever is damaged: each index once, in order. For reading what is left.
pub(super) fn loose(store: &dyn Store, end: u64) -> Loose<'_> {
    Loose {
        store,
        next: 0,
        end,
        page: VecDeque::new(),
        leaves: VecDeque::new(),
        odd_frame: false,
    }
}

pub(super) struct Loose<'a> {
    store: &'a dyn Store,
    /// The next index to hand out.
    next: u64,
    end: u64,
    /// Frames that were read: first index, value.
    page: VecDeque<(u64, Vec<u8>)>,
    /// Leaves that were read, from `next` on.
    leaves: VecDeque<Option<Vec<u8>>>,
    odd_frame: bool,
}

impl Loose<'_> {
    /// Reads frames from index `from` on. Where the store cannot read them, looks further on, ever further.
    fn read(&mut self, from: u64) {
        let mut skip = 0_u64;
        while let Some(start) = from.checked_add(skip).filter(|start| *start < self.end) {
            let rows = self.store.range(
                &keys::frame(start),
                &keys::frame(self.end),
                Order::Ascending,
                MOST_FRAMES_AT_ONCE,
            );
            if let Ok(rows) = rows {
                let rows = rows.into_iter();
                self.page = rows
                    .filter_map(|(key, value)| Some((keys::frame_index(&key)?, value)))
                    .collect();
                return;
            }
            skip = (skip * 2).max(1);
        }
    }

    /// Makes leaves of the next frame, or of the gap before it.
    fn fill(&mut self) {
        if self.page.is_empty() {
            self.read(self.next);
        }
        let first = self.page.front().map_or(self.end, |(first, _)| *first);
        if first > self.next {
            let gap = (first - self.next).min(MOST_LOOSE);
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
        // The header's count may be what is damaged: what is there is what the lengths say.
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
        self.odd_frame =
            value.first_chunk() != Some(&[VERSION, high, low]) || !found.rest.is_empty();
        if self.leaves.is_empty() {
            self.leaves.push_back(None);
        }
    }
}

impl Iterator for Loose<'_> {
    type Item = LooseLeaf;

    fn next(&mut self) -> Option<LooseLeaf> {
        if self.next >= self.end {
            return None;
        }
        if self.leaves.is_empty() {
            self.fill();
        }
        let index = self.next;
        self.next += 1;
        Some(LooseLeaf {
            index,
            bytes: self.leaves.pop_front().flatten(),
            odd_frame: std::mem::take(&mut self.odd_frame),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    fn leaves(lengths: &[usize]) -> Vec<Bytes> {
        lengths
            .iter()
            .zip(0_u8..)
            .map(|(length, tag)| vec![tag; *length].into())
            .collect()
    }

    fn stored(first: u64, leaves: &[Bytes]) -> (MemoryStore, Batch) {
        let mut rows = Batch::new();
        pack(first, leaves, &mut rows);
        let store = MemoryStore::new();
        store.commit(0, &rows).unwrap();
        (store, rows)
    }

    fn read(store: &MemoryStore, from: u64, end: u64) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        let mut found = Vec::new();
        visit(store, from, end, |index, leaf| {
            found.push((index, leaf));
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    #[test]
    fn leaves_of_any_length_come_back_from_anywhere() {
        let fits = MAX_VALUE - HEADER - LENGTH;
        let leaves = leaves(&[
            0,
            1,
            500,
            3000,
            3000,
            fits,
            fits + 1,
            0,
            65_535,
            7,
            65_535,
            65_535,
            6144,
            1,
        ]);
        let (store, rows) = stored(1000, &leaves);
        assert!(
            rows.iter()
                .all(|(_, value)| value.unwrap().len() <= MAX_VALUE)
        );
        let end = 1000 + leaves.len() as u64;
        for (skipped, from) in (1000..end).enumerate() {
            let found = read(&store, from, end).unwrap();
            let expected = (from..).zip(leaves.iter().skip(skipped));
            assert!(
                found
                    .iter()
                    .map(|(i, leaf)| (*i, leaf.as_slice()))
                    .eq(expected.map(|(i, leaf)| (i, leaf.as_ref())))
            );
        }
    }

    #[test]
    fn small_leaves_share_a_frame() {
        let (_, rows) = stored(0, &leaves(&[100; 120]));
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn a_lost_frame_is_damage_wherever_it_was() {
        let leaves = leaves(&[4000; 9]);
        for lost in 0..9 {
            let (store, _) = stored(0, &leaves);
            store.tamper(&keys::frame(lost), None);
            let error = read(&store, 0, 9).unwrap_err();
            assert!(
                matches!(error, ReadError::Damaged(Damage::Frame { .. })),
                "{error}"
            );
        }
    }

    #[test]
    fn a_lost_or_cut_continuation_is_damage() {
        let leaves = leaves(&[65_535]);
        for (part, value) in [(3, None), (1, Some(vec![0; 9])), (10, Some(vec![]))] {
            let (store, _) = stored(0, &leaves);
            store.tamper(&keys::continuation(0, part), value);
            assert!(read(&store, 0, 1).is_err());
        }
    }

    #[test]
    fn frames_of_another_version_or_with_odd_lengths_are_damage() {
        for value in [
            vec![2, 0, 1, 0, 0],
            vec![VERSION, 0],
            vec![VERSION, 0, 0],
            vec![VERSION, 0, 1, 0],
            vec![VERSION, 0, 2, 0, 1, 9, 0, 9, 1],
            vec![VERSION, 0, 1, 0, 0, 7],
        ] {
            let store = MemoryStore::new();
            store.tamper(&keys::frame(0), Some(value.clone()));
            assert!(read(&store, 0, 1).is_err(), "{value:?}");
        }
    }
}
