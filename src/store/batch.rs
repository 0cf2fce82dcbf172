use std::collections::BTreeMap;

/// Puts and deletes that are applied together. A later put or delete of the same key wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.rows.insert(key.into(), Some(value.into()));
    }

    /// Removes `key`, if it is there.
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) {
        self.rows.insert(key.into(), None);
    }

    /// What the batch says about `key`: nothing, `Some(None)` for a delete, `Some(Some(value))` for a put.
    pub fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.rows.get(key).map(Option::as_deref)
    }

    /// Keys in order, each with its new value or `None` for a delete.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.rows
            .iter()
            .map(|(key, value)| (key.as_slice(), value.as_deref()))
    }

    /// As [`Batch::iter`], for keys with `from <= key < to`.
    pub fn range<'a>(
        &'a self,
        from: &[u8],
        to: &[u8],
    ) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        use std::ops::Bound::{Excluded, Included};
        // A BTreeMap panics when the start lies behind the end.
        let bounds = (Included(from), Excluded(to.max(from)));
        let found = (from < to).then(|| self.rows.range::<[u8], _>(bounds));
        found
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.as_slice(), value.as_deref()))
    }

    /// Adds all of `later`, whose puts and deletes win.
    pub fn extend(&mut self, later: Self) {
        self.rows.extend(later.rows);
    }

    /// How many keys the batch touches.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the batch touches nothing.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_word_wins() {
        let mut batch = Batch::new();
        batch.put(b"a".as_slice(), b"1".as_slice());
        batch.delete(b"a".as_slice());
        assert_eq!(batch.get(b"a"), Some(None));
        let mut later = Batch::new();
        later.put(b"a".as_slice(), b"2".as_slice());
        batch.extend(later);
        assert_eq!(batch.get(b"a"), Some(Some(b"2".as_slice())));
        assert_eq!(batch.len(), 1);
    }

    #[test]
    fn a_range_that_ends_before_it_starts_is_empty() {
        let mut batch = Batch::new();
        batch.put(b"b".as_slice(), b"1".as_slice());
        assert_eq!(batch.range(b"c", b"a").count(), 0);
        assert_eq!(batch.range(b"b", b"b").count(), 0);
        assert_eq!(batch.range(b"b", b"c").count(), 1);
    }
}
