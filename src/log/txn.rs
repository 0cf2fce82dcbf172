//! What a proposal sees: the store, with everything earlier in the batch on top, and its own writes on top of that.
//! Nothing reaches the store before the proposal has agreed.

use bytes::Bytes;

use super::view::{Appended, View, ViewError};
use crate::{
    domain::Timestamp,
    entry::{DecodedEntry, Entry},
    merkle::{Hash, leaf_hash},
    store::{Batch, MAX_KEY, MAX_VALUE, Order, Row, Store, StoreError, keys, long_values},
};

/// The longest leaf in bytes.
pub const MAX_LEAF: usize = 65_535;

/// What one proposal may write, leaves and rows together, in bytes.
pub const MAX_PROPOSAL: usize = 4 * 1024 * 1024;

/// Why a transaction refused. It is spoiled from then on: whatever the proposal returns, nothing of it is written.
#[derive(Debug, thiserror::Error)]
pub enum TxnError {
    /// The store failed. The log closes for writing.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A leaf above [`MAX_LEAF`].
    #[error(
        "an entry of {length} bytes is above the limit of {MAX_LEAF}; keep what is long in the payload"
    )]
    LeafTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A value above [`MAX_VALUE`].
    #[error("a row of {length} bytes is above the limit of {MAX_VALUE}; use put_long")]
    ValueTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// More than [`MAX_PROPOSAL`] in one proposal.
    #[error("one proposal writes more than {MAX_PROPOSAL} bytes; split it up")]
    TooMuch,
    /// A key above [`MAX_KEY`].
    #[error("a key of {length} bytes; keys have at most {MAX_KEY}")]
    KeyTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A key of the log's own families, or an empty one.
    #[error("keys that begin with {prefix:#04x} are the log's own")]
    ReservedKey {
        /// The key's first byte.
        prefix: u8,
    },
    /// A view appended.
    #[error("a view may not append entries")]
    ViewAppends,
    /// A view could not take an entry.
    #[error("the view {view} could not take entry {index}: {source}")]
    View {
        /// Its name.
        view: &'static str,
        /// The entry's index.
        index: u64,
        /// Why.
        source: ViewError,
    },
}

/// Entries and rows that are decided on but not yet stored.
#[derive(Debug, Default)]
pub(super) struct Staged {
    pub(super) rows: Batch,
    pub(super) leaves: Vec<(Bytes, Hash)>,
    /// Leaves and rows together.
    pub(super) bytes: usize,
}

impl Staged {
    pub(super) fn extend(&mut self, later: Self) {
        self.rows.extend(later.rows);
        self.leaves.extend(later.leaves);
        self.bytes += later.bytes;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.leaves.is_empty()
    }

    fn leaf_count(&self) -> u64 {
        self.leaves.len().try_into().unwrap_or(u64::MAX)
    }
}

/// One proposal's window on the log while it decides.
pub struct Txn<'a> {
    store: &'a dyn Store,
    earlier: &'a Staged,
    own: Staged,
    views: &'a mut [Box<dyn View>],
    in_view: bool,
    base: u64,
    now: Timestamp,
    spoiled: Option<Spoiled>,
}

/// Why nothing of a proposal may be written.
pub(super) enum Spoiled {
    Store(StoreError),
    Misuse,
}

impl<'a> Txn<'a> {
    /// Sees `store` with a log of `base` entries, and on top of it what is `earlier` in the same batch.
    pub(super) fn new(
        store: &'a dyn Store,
        base: u64,
        earlier: &'a Staged,
        views: &'a mut [Box<dyn View>],
        now: Timestamp,
    ) -> Self {
        Self {
            store,
            earlier,
            own: Staged::default(),
            views,
            in_view: false,
            base,
            now,
            spoiled: None,
        }
    }

    /// What was written, or why nothing may be written.
    pub(super) fn finish(self) -> Result<Staged, Spoiled> {
        match self.spoiled {
            None => Ok(self.own),
            Some(spoiled) => Err(spoiled),
        }
    }

    /// The time to write into entries: the clock's, but never before the newest entry's.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The index that the next entry will get.
    pub fn size(&self) -> u64 {
        self.base + self.earlier.leaf_count() + self.own.leaf_count()
    }

    /// The value under `key`.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, TxnError> {
        for staged in [&self.own, self.earlier] {
            if let Some(value) = staged.rows.get(key) {
                return Ok(value.map(<[u8]>::to_vec));
            }
        }
        let value = self.store.get(key);
        value.map_err(|error| self.spoil(error.into()))
    }

    /// The long value under `key`; see [`long_values`].
    pub fn get_long(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, TxnError> {
        long_values::join(key, |key| self.get(key)).map_err(|error| self.spoil(error))
    }

    /// Rows with `from <= key < to`, in `order`, at most `limit`.
    pub fn range(
        &mut self,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, TxnError> {
        let mut staged: Vec<(&[u8], Option<&[u8]>)> = self.own.rows.range(from, to).collect();
        let own = staged.len();
        let earlier = self.earlier.rows.range(from, to);
        staged.extend(earlier.filter(|(key, _)| self.own.rows.get(key).is_none()));
        if own > 0 && own < staged.len() {
            staged.sort_unstable_by_key(|(key, _)| *key);
        }
        // Staged rows may hide this many stored ones.
        let enough = limit.saturating_add(staged.len());
        let stored = match self.store.range(from, to, order, enough) {
            Ok(stored) => stored,
            Err(error) => return Err(self.spoil(error.into())),
        };
        if staged.is_empty() {
            return Ok(stored);
        }
        if order == Order::Descending {
            staged.reverse();
        }
        Ok(merged(stored, &staged, order, limit))
    }

    /// Sets `key` to `value`, at most [`MAX_VALUE`] bytes.
    pub fn put(
        &mut self,
        key: impl Into<Vec<u8>>,
        value: impl Into<Vec<u8>>,
    ) -> Result<(), TxnError> {
        let (key, value) = (key.into(), value.into());
        self.admit_key(&key)?;
        let length = value.len();
        if length > MAX_VALUE {
            return Err(self.spoil(TxnError::ValueTooLong { length }));
        }
        self.admit_bytes(key.len() + length)?;
        self.own.rows.put(key, value);
        Ok(())
    }

    /// Sets the long value under `key`, at most [`long_values::MAX_LONG`] bytes; see [`long_values`].
    pub fn put_long(&mut self, key: &[u8], value: &[u8]) -> Result<(), TxnError> {
        // A shorter value must not keep the tail of a longer one.
        self.delete_long(key)?;
        self.put_new_long(key, value)
    }

    /// Sets the long value under a new `key`: it does not look for an old value.
    pub fn put_new_long(&mut self, key: &[u8], value: &[u8]) -> Result<(), TxnError> {
        let length = value.len();
        let rows = long_values::split(key, value)
            .map_err(|_| self.spoil(TxnError::ValueTooLong { length }))?;
        rows.into_iter()
            .try_for_each(|(key, value)| self.put(key, value))
    }

    /// Removes `key`, if it is there.
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) -> Result<(), TxnError> {
        let key = key.into();
        self.admit_key(&key)?;
        self.admit_bytes(key.len())?;
        self.own.rows.delete(key);
        Ok(())
    }

    /// Removes the long value under `key`, if it is there.
    pub fn delete_long(&mut self, key: &[u8]) -> Result<(), TxnError> {
        let Some(first) = self.get(&long_values::part_key(key, 0))? else {
            return Ok(());
        };
        let keys = long_values::part_keys(key, &first).map_err(|error| self.spoil(error.into()))?;
        keys.into_iter().try_for_each(|key| self.delete(key))
    }

    /// Appends an entry, given as its final bytes, and returns its index. Every view sees it at once.
    pub fn append(&mut self, leaf: Vec<u8>) -> Result<u64, TxnError> {
        self.append_as(leaf, None)
    }

    /// As [`Txn::append`], and spares views from decoding the entry.
    pub fn append_decoded(
        &mut self,
        leaf: Vec<u8>,
        known: DecodedEntry<'_>,
    ) -> Result<u64, TxnError> {
        debug_assert!(Entry::decode(&leaf).is_ok_and(|entry| entry == *known.entry));
        self.append_as(leaf, Some(known))
    }

    fn append_as(
        &mut self,
        leaf: Vec<u8>,
        known: Option<DecodedEntry<'_>>,
    ) -> Result<u64, TxnError> {
        let length = leaf.len();
        if length > MAX_LEAF {
            return Err(self.spoil(TxnError::LeafTooLong { length }));
        }
        if self.in_view {
            return Err(self.spoil(TxnError::ViewAppends));
        }
        self.admit_bytes(length)?;
        let (index, hash, leaf) = (self.size(), leaf_hash(&leaf), Bytes::from(leaf));
        self.own.leaves.push((leaf.clone(), hash));

        let views = std::mem::take(&mut self.views);
        self.in_view = true;
        let appended = Appended {
            index,
            leaf: &leaf,
            hash: &hash,
            known,
        };
        let applied = views.iter_mut().try_for_each(|view| {
            view.apply(self, &appended)
                .map_err(|source| TxnError::View {
                    view: view.name(),
                    index,
                    source,
                })
        });
        self.in_view = false;
        self.views = views;
        applied.map_err(|error| self.spoil(error))?;
        Ok(index)
    }

    fn admit_key(&mut self, key: &[u8]) -> Result<(), TxnError> {
        // The store would refuse it too, but only in the commit, and that would close the log.
        let length = key.len();
        if length > MAX_KEY {
            return Err(self.spoil(TxnError::KeyTooLong { length }));
        }
        match key.first() {
            Some(&prefix) if prefix >= keys::FIRST_SERVICE => Ok(()),
            first => {
                let prefix = first.copied().unwrap_or_default();
                Err(self.spoil(TxnError::ReservedKey { prefix }))
            }
        }
    }

    fn admit_bytes(&mut self, bytes: usize) -> Result<(), TxnError> {
        self.own.bytes += bytes;
        if self.own.bytes > MAX_PROPOSAL {
            return Err(self.spoil(TxnError::TooMuch));
        }
        Ok(())
    }

    fn spoil(&mut self, error: TxnError) -> TxnError {
        // A failure of the store is graver: it closes the log.
        if let TxnError::Store(failure) = &error {
            self.spoiled = Some(Spoiled::Store(failure.clone()));
        } else if self.spoiled.is_none() {
            self.spoiled = Some(Spoiled::Misuse);
        }
        error
    }
}

/// Merges staged rows over stored ones, both in `order`, at most `limit`.
fn merged(
    stored: Vec<Row>,
    staged: &[(&[u8], Option<&[u8]>)],
    order: Order,
    limit: usize,
) -> Vec<Row> {
    let comes_first = |a: &[u8], b: &[u8]| match order {
        Order::Ascending => a < b,
        Order::Descending => a > b,
    };
    let mut rows = Vec::new();
    let mut stored = stored.into_iter().peekable();
    for (key, value) in staged {
        while let Some(row) = stored.next_if(|(stored, _)| comes_first(stored, key)) {
            rows.push(row);
        }
        stored.next_if(|(stored, _)| stored == key);
        rows.extend(value.map(|value| (key.to_vec(), value.to_vec())));
    }
    rows.extend(stored);
    rows.truncate(limit);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Puts and deletes of the keys 0 to 19, within a service's prefix.
    fn writes() -> impl Strategy<Value = Vec<(u8, Option<u8>)>> {
        prop::collection::vec((0..20_u8, prop::option::of(any::<u8>())), 0..25)
    }

    fn key(number: u8) -> Vec<u8> {
        vec![keys::FIRST_SERVICE, number]
    }

    fn batch(writes: &[(u8, Option<u8>)], model: &mut BTreeMap<Vec<u8>, Vec<u8>>) -> Batch {
        let mut batch = Batch::new();
        for (number, value) in writes {
            match value {
                Some(value) => {
                    batch.put(key(*number), [*value]);
                    model.insert(key(*number), vec![*value]);
                }
                None => {
                    batch.delete(key(*number));
                    model.remove(&key(*number));
                }
            }
        }
        batch
    }

    proptest! {
        /// Stored, earlier in the batch, own: a transaction sees one map.
        #[test]
        fn a_transaction_sees_one_map(
            stored in writes(), earlier in writes(), own in writes(),
            from in 0..21_u8, to in 0..21_u8, limit in 0..25_usize, descending: bool,
        ) {
            let mut model = BTreeMap::new();
            let store = MemoryStore::new();
            store.commit(0, &batch(&stored, &mut model)).unwrap();
            let earlier = Staged { rows: batch(&earlier, &mut model), ..Staged::default() };
            let mut txn = Txn::new(&store, 0, &earlier, &mut [], Timestamp::default());
            for (number, value) in &own {
                match value {
                    Some(value) => txn.put(key(*number), [*value]).unwrap(),
                    None => txn.delete(key(*number)).unwrap(),
                }
            }
            batch(&own, &mut model);

            let order = if descending { Order::Descending } else { Order::Ascending };
            let rows = txn.range(&key(from), &key(to), order, limit).unwrap();
            let mut expected: Vec<Row> = model
                .iter()
                .filter(|(k, _)| (key(from)..key(to)).contains(*k))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            if descending {
                expected.reverse();
            }
            expected.truncate(limit);
            prop_assert_eq!(rows, expected);
            for number in 0..20 {
                let found = txn.get(&key(number)).unwrap();
                prop_assert_eq!(found.as_ref(), model.get(&key(number)));
            }
        }
    }

    #[test]
    fn a_shorter_long_value_leaves_no_tail() {
        let (store, earlier) = (MemoryStore::new(), Staged::default());
        let mut txn = Txn::new(&store, 0, &earlier, &mut [], Timestamp::default());
        txn.put_long(&key(1), &[1; 50_000]).unwrap();
        txn.put_long(&key(1), &[2; 7_000]).unwrap();
        assert_eq!(txn.get_long(&key(1)).unwrap(), Some(vec![2; 7_000]));
        let rows = txn.range(&key(0), &key(9), Order::Ascending, 99).unwrap();
        assert_eq!(rows.len(), 2);
        txn.delete_long(&key(1)).unwrap();
        assert_eq!(txn.get_long(&key(1)).unwrap(), None);
        let rows = txn.range(&key(0), &key(9), Order::Ascending, 99).unwrap();
        assert!(rows.is_empty());
    }

    #[test]
    fn what_the_store_would_refuse_spoils_the_proposal_alone() {
        let (store, earlier) = (MemoryStore::new(), Staged::default());
        type Misuse = fn(&mut Txn<'_>) -> Result<(), TxnError>;
        let refused: [Misuse; 6] = [
            |txn| txn.put(key(1), vec![0; MAX_VALUE + 1]),
            |txn| txn.put(vec![keys::FIRST_SERVICE; MAX_KEY + 1], b"x".as_slice()),
            |txn| txn.put(Vec::new(), b"x".as_slice()),
            |txn| txn.delete(keys::HEAD),
            |txn| txn.put_long(&key(1), &vec![0; long_values::MAX_LONG + 1]),
            |txn| (0..=64).try_for_each(|_| txn.append(vec![0; MAX_LEAF]).map(drop)),
        ];
        for refused in refused {
            let mut txn = Txn::new(&store, 0, &earlier, &mut [], Timestamp::default());
            refused(&mut txn).unwrap_err();
            assert!(matches!(txn.finish(), Err(Spoiled::Misuse)));
        }
    }
}
