//! Leaves as stored: the leaves of one commit are packed into frames under the index of their first leaf. One key for
//! each leaf would cost a third of the throughput.
//!
//! A frame is `version u8, count u16`, then for each leaf `length u16, bytes`. A leaf that does not fit into a frame
//! fills one of its own and continues under [`keys::continuation`].

use std::ops::ControlFlow;

use bytes::Bytes;

use super::{Damage, ReadError};
use crate::store::{Batch, MAX_VALUE, Order, Store, keys};

pub(super) const VERSION: u8 = 1;
pub(super) const HEADER: usize = 1 + 2;
const LENGTH: usize = 2;

/// How many frames a long read takes from the store at once.
pub(super) const MAX_FRAMES_AT_ONCE: usize = 64;

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

/// Calls `visit` with leaves `from..end` in order until it breaks. A missing leaf is damage: the caller asks only for
/// what the log contains.
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
        at_once = (at_once * 4).min(MAX_FRAMES_AT_ONCE);
    }
}

/// The leaves of one frame.
pub(super) struct Leaves<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) first: u64,
    pub(super) alone: bool,
    pub(super) left: u16,
    pub(super) rest: &'a [u8],
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

    pub(super) fn read(&mut self) -> Result<Vec<u8>, ReadError> {
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
