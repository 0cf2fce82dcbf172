//! Rebuilds the views from the log, and compares them with those that are stored (I8).
//!
//! For a store on which no log is open. The rows are made in a second store, so that memory does not grow with the log,
//! and the stored rows stay until the new ones are complete.

use std::{collections::BTreeMap, ops::ControlFlow, path::Path};

use super::{
    Damage, OpenError, ReadError, TxnError, View, frames, open,
    txn::{Spoiled, Staged, Txn},
};
use crate::{
    domain::Timestamp,
    merkle::{Frontier, leaf_hash},
    note::{SignedCheckpoint, VerifierKey},
    store::{Batch, Order, Row, Store, StoreError, keys},
};

/// How many bytes of rows are committed at once.
const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;
/// How many rows are read at once to compare.
const ROWS_AT_ONCE: usize = 512;

/// Why views were not rebuilt. The store is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The log does not pass its checks.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// A view could not take an entry.
    #[error(transparent)]
    View(#[from] TxnError),
    /// The store to make them in is not empty.
    #[error("the directory to make the views in is not empty; give a fresh one")]
    NotFresh,
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Damage> for RebuildError {
    fn from(damage: Damage) -> Self {
        Self::Log(damage.into())
    }
}

/// How the rows of one family of views differ. Counts only: a row could reveal something about a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FamilyComparison {
    /// Rows that follow from the log.
    pub rows: u64,
    /// Of these, rows that are not stored.
    pub missing: u64,
    /// Of these, rows that are stored with another value.
    pub changed: u64,
    /// Stored rows that do not follow from the log.
    pub surplus: u64,
}

impl FamilyComparison {
    /// Rows that are wrong: missing, changed or surplus.
    pub const fn differing(&self) -> u64 {
        self.missing + self.changed + self.surplus
    }

    fn count(&mut self, difference: Option<Difference>, follows: bool) {
        self.rows += u64::from(follows);
        match difference {
            None => {}
            Some(Difference::Missing) => self.missing += 1,
            Some(Difference::Changed) => self.changed += 1,
            Some(Difference::Surplus) => self.surplus += 1,
        }
    }
}

#[derive(Clone, Copy)]
enum Difference {
    Missing,
    Changed,
    Surplus,
}

/// Rebuilt views, beside the store with the views that were kept all along.
pub struct RebuiltViews<'a> {
    store: &'a dyn Store,
    made: &'a dyn Store,
    checkpoint: SignedCheckpoint,
}

/// Shows every entry under the log's newest checkpoint to `views`, which put their rows into the empty store `made`.
/// Each entry is hashed on the way, and the tree must have the signed root. `progress` gets the number of entries done
/// and of all entries. Blocks; nothing may write to `store` meanwhile.
///
/// # Errors
/// The log does not pass its checks, or a view or a store fails.
pub fn rebuild_views<'a>(
    store: &'a dyn Store,
    (key, checkpoint_file): (&VerifierKey, &Path),
    views: &mut [Box<dyn View>],
    made: &'a dyn Store,
    mut progress: impl FnMut(u64, u64),
) -> Result<RebuiltViews<'a>, RebuildError> {
    if !made
        .range(&[0], &[u8::MAX], Order::Ascending, 1)?
        .is_empty()
    {
        return Err(RebuildError::NotFresh);
    }
    let checkpoint = open::published_head(store, key, checkpoint_file)?;
    let size = checkpoint.size();
    let overlay = Overlay { store, made };
    let mut frontier = Frontier::new();
    let mut staged = Staged::default();
    // Index of the first entry whose rows are staged.
    let mut base = 0;
    let mut failed = None;
    let visited = frames::visit(store, 0, size, |index, leaf| {
        let taken = || -> Result<(), RebuildError> {
            if frontier.size() != index {
                return Err(Damage::Frame { index }.into());
            }
            frontier.push(leaf_hash(&leaf));
            apply(&overlay, base, &mut staged, views, leaf)?;
            if staged.bytes >= BYTES_AT_ONCE {
                made.commit(0, &std::mem::take(&mut staged).rows)?;
                base = index + 1;
            }
            progress(index + 1, size);
            Ok(())
        };
        match taken() {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    visited.map_err(|error: ReadError| RebuildError::Log(error.into()))?;
    if let Some(error) = failed {
        return Err(error);
    }
    if frontier.size() != size || frontier.root() != *checkpoint.root() {
        return Err(Damage::Frontier.into());
    }
    made.commit(0, &staged.rows)?;
    Ok(RebuiltViews {
        store,
        made,
        checkpoint,
    })
}

/// Shows one entry to the views, on top of what is staged.
fn apply(
    overlay: &Overlay<'_>,
    base: u64,
    staged: &mut Staged,
    views: &mut [Box<dyn View>],
    leaf: Vec<u8>,
) -> Result<(), RebuildError> {
    // Views take their times from entries, so the clock's value does not matter.
    let mut txn = Txn::new(overlay, base, staged, views, Timestamp::default());
    txn.append(leaf)?;
    let own = match txn.finish() {
        Ok(own) => own,
        Err(Spoiled::Store(error)) => return Err(error.into()),
        // `append` has checked this.
        Err(Spoiled::Misuse) => return Err(TxnError::TooMuch.into()),
    };
    staged.extend(own);
    Ok(())
}

impl RebuiltViews<'_> {
    /// The checkpoint that they follow from.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// Compares them byte for byte with the stored rows. Returns how many differ, by the first byte of their keys.
    ///
    /// # Errors
    /// A store failed.
    pub fn compare(&self) -> Result<BTreeMap<u8, FamilyComparison>, StoreError> {
        let mut families: BTreeMap<u8, FamilyComparison> = BTreeMap::new();
        self.walk(|key, made, difference| {
            let family = key.first().copied().unwrap_or_default();
            let follows = made.is_some();
            families
                .entry(family)
                .or_default()
                .count(difference, follows);
            Ok(())
        })?;
        Ok(families)
    }

    /// Replaces the stored rows, in commits of bounded size, and returns the number of rows that were put or removed.
    /// If it is interrupted, run it again: rows that are right already stay.
    ///
    /// # Errors
    /// A store failed.
    pub fn write(&self) -> Result<u64, StoreError> {
        self.write_or(|_| {})
    }

    /// As [`RebuiltViews::write`]; calls `failed` if a commit to the log's own store failed.
    ///
    /// # Errors
    /// As [`RebuiltViews::write`].
    pub fn write_or(&self, failed: impl Fn(&StoreError)) -> Result<u64, StoreError> {
        let size = self.checkpoint.size();
        let (mut batch, mut bytes, mut written) = (Batch::new(), 0_usize, 0);
        self.walk(|key, made, difference| {
            if difference.is_none() {
                return Ok(());
            }
            bytes += key.len() + made.map_or(0, <[u8]>::len);
            match made {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
            written += 1;
            if bytes >= BYTES_AT_ONCE {
                let commit = self.store.commit(size, &std::mem::take(&mut batch));
                commit.inspect_err(&failed)?;
                bytes = 0;
            }
            Ok(())
        })?;
        if !batch.is_empty() {
            self.store.commit(size, &batch).inspect_err(&failed)?;
        }
        Ok(written)
    }

    /// Walks over made and stored rows side by side, in order of keys.
    fn walk(
        &self,
        mut visit: impl FnMut(&[u8], Option<&[u8]>, Option<Difference>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (mut made, mut stored) = (Rows::of(self.made), Rows::of(self.store));
        loop {
            let (ours, theirs) = (made.first()?, stored.first()?);
            let ours_first = match (&ours, &theirs) {
                (None, None) => return Ok(()),
                (Some(ours), Some(theirs)) => ours.0.cmp(&theirs.0),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
            };
            match (ours, theirs) {
                (Some((key, value)), _) if ours_first.is_lt() => {
                    visit(&key, Some(&value), Some(Difference::Missing))?;
                    made.pass();
                }
                (Some((key, value)), Some((_, kept))) if ours_first.is_eq() => {
                    let changed = (value != kept).then_some(Difference::Changed);
                    visit(&key, Some(&value), changed)?;
                    made.pass();
                    stored.pass();
                }
                (_, Some((key, _))) => {
                    visit(&key, None, Some(Difference::Surplus))?;
                    stored.pass();
                }
                (_, None) => return Ok(()),
            }
        }
    }
}

/// The views' rows of a store, read page by page.
struct Rows<'a> {
    store: &'a dyn Store,
    page: std::vec::IntoIter<Row>,
    first: Option<Row>,
    /// Where the next page begins.
    next: Vec<u8>,
    ended: bool,
}

impl<'a> Rows<'a> {
    fn of(store: &'a dyn Store) -> Self {
        Self {
            store,
            page: Vec::new().into_iter(),
            first: None,
            next: vec![keys::FIRST_VIEW],
            ended: false,
        }
    }

    /// The first row that was not consumed yet.
    fn first(&mut self) -> Result<Option<Row>, StoreError> {
        if self.first.is_none() {
            self.first = self.page.next();
        }
        if self.first.is_none() && !self.ended {
            let end = [keys::LAST_VIEW + 1];
            let page = self
                .store
                .range(&self.next, &end, Order::Ascending, ROWS_AT_ONCE)?;
            match page.last() {
                Some((last, _)) => self.next = [last.as_slice(), &[0]].concat(),
                None => self.ended = true,
            }
            self.page = page.into_iter();
            self.first = self.page.next();
        }
        Ok(self.first.clone())
    }

    fn pass(&mut self) {
        self.first = None;
    }
}

/// The stored log and its primary rows, with the rebuilt rows of views in place of the stored ones.
struct Overlay<'a> {
    store: &'a dyn Store,
    made: &'a dyn Store,
}

impl Overlay<'_> {
    fn holder(&self, key: &[u8]) -> &dyn Store {
        match key.first() {
            Some(keys::FIRST_VIEW..=keys::LAST_VIEW) => self.made,
            Some(_) | None => self.store,
        }
    }
}

impl Store for Overlay<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.holder(key).get(key)
    }

    /// Within one family, as views ask.
    fn range(
        &self,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.holder(from).range(from, to, order, limit)
    }

    /// Rows are committed to one store or the other, never through this one.
    fn commit(&self, _: u64, _: &Batch) -> Result<(), StoreError> {
        Err(StoreError::Failed)
    }
}
