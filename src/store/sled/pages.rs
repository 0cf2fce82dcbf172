//! Rows on disk, packed into pages. sled splits a leaf at 16 rows, whatever their length, and rewrites the leaf and its
//! parent each time: a lead's nine small rows cost more than everything else that is done for it. So rows of the
//! families whose keys come in rising order ([`in_order`]) share pages of about 4 KiB.
//!
//! A page is stored under its anchor, a key of its family, and holds the family's rows from there to the next anchor.
//! It is `version u8, count u16`, then for each row, in order, `length of key u16, length of value u16, key, value`. A
//! page without rows is removed; an anchor stays when its own row is removed.

use crate::store::{Batch, Order, Row, StoreError, tables::in_order};
use sled::{IVec, Tree};
use std::ops::Bound::{Excluded, Included, Unbounded};

const VERSION: u8 = 1;
const HEADER: usize = 1 + 2;
const LENGTHS: usize = 2 + 2;

/// What a page holds in bytes, unless one row alone is longer.
const PAGE: usize = 4096;

/// The changes to apply to sled.
pub(super) type Writes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

type Slices<'a> = (&'a [u8], &'a [u8]);

fn is_packed(key: &[u8]) -> bool {
    key.first().is_some_and(|prefix| in_order(*prefix))
}

/// The rows of a page, in order.
fn rows(page: &[u8]) -> Result<impl Iterator<Item = Result<Slices<'_>, StoreError>>, StoreError> {
    let Some((&[VERSION, high, low], mut rest)) = page.split_first_chunk::<HEADER>() else {
        return Err(StoreError::PageDamaged);
    };
    let mut left = u16::from_be_bytes([high, low]);
    Ok(std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let row = first_row(rest).filter(|(_, behind)| left > 0 || behind.is_empty());
        let Some((row, behind)) = row else {
            left = 0;
            return Some(Err(StoreError::PageDamaged));
        };
        rest = behind;
        Some(Ok(row))
    }))
}

fn first_row(bytes: &[u8]) -> Option<(Slices<'_>, &[u8])> {
    let (&[k1, k2, v1, v2], rest) = bytes.split_first_chunk::<LENGTHS>()?;
    let (key, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([k1, k2])))?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([v1, v2])))?;
    Some(((key, value), rest))
}

fn length((key, value): &Slices<'_>) -> usize {
    LENGTHS + key.len() + value.len()
}

fn page_of(rows: &[Slices<'_>]) -> Vec<u8> {
    let mut page = Vec::with_capacity(HEADER + rows.iter().map(length).sum::<usize>());
    // The store admits no longer rows, and a page of 4 KiB has no more of them.
    let short = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    page.push(VERSION);
    page.extend_from_slice(&short(rows.len()));
    for (key, value) in rows {
        page.extend_from_slice(&short(key.len()));
        page.extend_from_slice(&short(value.len()));
        page.extend_from_slice(key);
        page.extend_from_slice(value);
    }
    page
}

/// The page that would hold `key`: its anchor and its bytes.
fn page_with(tree: &Tree, key: &[u8]) -> sled::Result<Option<(IVec, IVec)>> {
    let family = key.get(..1).unwrap_or_default();
    tree.range(family..=key).next_back().transpose()
}

/// The anchor of the page after that of `key`; `None` for the last page of its family.
fn next_anchor(tree: &Tree, key: &[u8]) -> sled::Result<Option<IVec>> {
    let behind = tree.range::<&[u8], _>((Excluded(key), Unbounded)).next();
    let anchor = behind.transpose()?.map(|(anchor, _)| anchor);
    Ok(anchor.filter(|anchor| anchor.first() == key.first()))
}

/// The value under `key`.
pub(super) fn get(tree: &Tree, key: &[u8]) -> sled::Result<Result<Option<Vec<u8>>, StoreError>> {
    if !is_packed(key) {
        return Ok(Ok(tree.get(key)?.map(|value| value.to_vec())));
    }
    let page = page_with(tree, key)?;
    Ok(page.map_or(Ok(None), |(_, page)| {
        for row in rows(&page)? {
            let (found, value) = row?;
            if found >= key {
                return Ok((found == key).then(|| value.to_vec()));
            }
        }
        Ok(None)
    }))
}

/// Rows with `from <= key < to`, in `order`, at most `limit`.
pub(super) fn range(
    tree: &Tree,
    from: &[u8],
    to: &[u8],
    order: Order,
    limit: usize,
) -> sled::Result<Result<Vec<Row>, StoreError>> {
    let first = if is_packed(from) {
        page_with(tree, from)?.map(|(anchor, _)| anchor)
    } else {
        None
    };
    let start = first.as_deref().unwrap_or(from);
    let stored = tree.range::<&[u8], _>((Included(start), Excluded(to)));
    let stored: &mut dyn Iterator<Item = _> = match order {
        Order::Ascending => &mut { stored },
        Order::Descending => &mut stored.rev(),
    };
    let mut found = Vec::new();
    // No page after the last row asked for is touched: it may be the damaged one.
    while found.len() < limit {
        let Some(item) = stored.next() else { break };
        let (key, value) = item?;
        if !is_packed(&key) {
            found.push((key.to_vec(), value.to_vec()));
            continue;
        }
        let taken = match unpacked(&value, from, to) {
            Ok(rows) => rows,
            Err(damaged) => return Ok(Err(damaged)),
        };
        let owned = |(key, value): Slices<'_>| (key.to_vec(), value.to_vec());
        let room = limit - found.len();
        match order {
            Order::Ascending => found.extend(taken.into_iter().take(room).map(owned)),
            Order::Descending => found.extend(taken.into_iter().rev().take(room).map(owned)),
        }
    }
    Ok(Ok(found))
}

fn unpacked<'a>(page: &'a [u8], from: &[u8], to: &[u8]) -> Result<Vec<Slices<'a>>, StoreError> {
    let within = |row: &Result<Slices<'_>, StoreError>| {
        row.as_ref()
            .map_or(true, |(key, _)| *key >= from && *key < to)
    };
    rows(page)?.filter(within).collect()
}

/// Turns a batch into changes to sled: rewritten pages, and rows of the other families as they are.
pub(super) fn writes(tree: &Tree, batch: &Batch) -> sled::Result<Result<Writes, StoreError>> {
    let mut writes = Writes::with_capacity(batch.len());
    let mut changes = batch.iter().peekable();
    while let Some((key, value)) = changes.next() {
        if !is_packed(key) {
            writes.push((key.to_vec(), value.map(<[u8]>::to_vec)));
            continue;
        }
        let page = page_with(tree, key)?;
        let end = next_anchor(tree, key)?;
        let mut own = vec![(key, value)];
        while let Some(change) = changes.next_if(|(next, _)| {
            next.first() == key.first() && end.as_deref().is_none_or(|end| *next < end)
        }) {
            own.push(change);
        }
        let (anchor, old) = match &page {
            Some((anchor, page)) => (&**anchor, rows(page).and_then(Iterator::collect)),
            None => (key, Ok(Vec::new())),
        };
        match old {
            Ok(old) => write(anchor, &old, &own, &mut writes),
            Err(damaged) => return Ok(Err(damaged)),
        }
    }
    Ok(Ok(writes))
}

/// Writes a page with its changes, as several pages if it has grown too long.
fn write(
    anchor: &[u8],
    old: &[Slices<'_>],
    changes: &[(&[u8], Option<&[u8]>)],
    writes: &mut Writes,
) {
    let appends = match (old.last(), changes.first()) {
        (Some((last, _)), Some((first, _))) => last < first,
        (None, _) | (_, None) => true,
    };
    let rows = merged(old, changes);
    if rows.is_empty() {
        if !old.is_empty() {
            writes.push((anchor.to_vec(), None));
        }
        return;
    }
    let total: usize = rows.iter().map(length).sum();
    // Rows appended at the end leave full pages behind; rows inserted between others leave room on both sides.
    let most = if appends {
        PAGE
    } else {
        total.div_ceil(total.div_ceil(PAGE))
    };
    let (mut from, mut bytes, mut key) = (0, 0, anchor);
    for (at, row) in rows.iter().enumerate() {
        if bytes > 0 && bytes + length(row) > most {
            writes.push((key.to_vec(), rows.get(from..at).map(page_of)));
            (from, bytes, key) = (at, 0, row.0);
        }
        bytes += length(row);
    }
    writes.push((key.to_vec(), rows.get(from..).map(page_of)));
}

/// Merges rows with changes to them, both in order.
fn merged<'a>(old: &[Slices<'a>], changes: &[(&'a [u8], Option<&'a [u8]>)]) -> Vec<Slices<'a>> {
    let mut rows = Vec::with_capacity(old.len() + changes.len());
    let mut old = old.iter().copied().peekable();
    for (key, value) in changes {
        while let Some(row) = old.next_if(|(stays, _)| stays < key) {
            rows.push(row);
        }
        old.next_if(|(replaced, _)| replaced == key);
        rows.extend(value.map(|value| (*key, value)));
    }
    rows.extend(old);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> sled::Db {
        let config = sled::Config::new().temporary(true);
        config.open().unwrap()
    }

    fn apply(tree: &Tree, changes: &[(u64, Option<usize>)]) {
        let mut batch = Batch::new();
        for (n, length) in changes {
            match length {
                Some(length) => batch.put(key(*n), vec![7; *length]),
                None => batch.delete(key(*n)),
            }
        }
        let mut rows = sled::Batch::default();
        for (key, value) in writes(tree, &batch).unwrap().unwrap() {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(key),
            }
        }
        tree.apply_batch(rows).unwrap();
    }

    /// Of a packed family.
    fn key(n: u64) -> Vec<u8> {
        [&[0x14][..], &n.to_be_bytes()].concat()
    }

    #[test]
    fn rows_that_come_in_order_fill_their_pages() {
        let tree = tree();
        for n in 0..4000 {
            apply(&tree, &[(n, Some(16))]);
        }
        let sizes: Vec<usize> = tree.iter().map(|page| page.unwrap().1.len()).collect();
        assert!(sizes.iter().all(|size| *size <= HEADER + PAGE));
        let (_, full) = sizes.split_last().unwrap();
        assert!(full.iter().all(|size| *size > PAGE * 9 / 10), "{sizes:?}");
    }

    /// The layout is on disks: these bytes never change.
    #[test]
    fn a_page_is_golden() {
        let tree = tree();
        apply(&tree, &[(1, Some(2)), (2, Some(0))]);
        let (anchor, page) = tree.first().unwrap().unwrap();
        assert_eq!(hex::encode(&anchor), "140000000000000001");
        let rows = "00090002 140000000000000001 0707 00090000 140000000000000002";
        assert_eq!(
            hex::encode(&page),
            format!("010002{}", rows.replace(' ', ""))
        );
    }

    #[test]
    fn pages_leave_nothing_behind() {
        let tree = tree();
        let all: Vec<_> = (0..500).map(|n| (n, Some(100))).collect();
        apply(&tree, &all);
        assert!(tree.len() > 5);
        let gone: Vec<_> = (0..500).map(|n| (n, None)).collect();
        let (early, late) = gone.split_at(250);
        apply(&tree, late);
        apply(&tree, early);
        assert!(tree.is_empty());
    }

    #[test]
    fn a_damaged_page_is_not_an_absent_row() {
        let tree = tree();
        apply(&tree, &[(1, Some(10)), (2, Some(10))]);
        let (anchor, page) = tree.first().unwrap().unwrap();
        for damage in [
            vec![],
            vec![2, 0, 0],
            page[..page.len() - 1].to_vec(),
            [&page, &[0][..]].concat(),
        ] {
            tree.insert(&anchor, damage).unwrap();
            let all = range(&tree, &[0x14], &[0x15], Order::Ascending, 9).unwrap();
            assert!(matches!(all, Err(StoreError::PageDamaged)));
            assert!(get(&tree, &key(2)).unwrap().is_err());
        }
    }
}
