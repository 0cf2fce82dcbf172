//! Feeds two logs side by side, by time.

use super::{ReconcileError, Reconciler, Side};
use crate::{domain::Timestamp, entry::Entry};

/// Feeds a reconciler both logs side by side, by the time of their entries, so that few dispatches are open at once.
///
/// # Errors
/// The iterators' own, if a leaf could not be read; or the reconciler could not take a leaf.
pub fn feed<E: From<ReconcileError>>(
    reconciler: &mut Reconciler<'_>,
    a: impl Iterator<Item = Result<Vec<u8>, E>>,
    b: impl Iterator<Item = Result<Vec<u8>, E>>,
) -> Result<(), E> {
    let (mut a, mut b) = (Dated::new(a), Dated::new(b));
    loop {
        let side = match (a.next_time()?, b.next_time()?) {
            (None, None) => return Ok(()),
            (Some(of_a), Some(of_b)) if of_a > of_b => Side::B,
            (Some(_), _) => Side::A,
            (None, Some(_)) => Side::B,
        };
        let next = match side {
            Side::A => a.next.take(),
            Side::B => b.next.take(),
        };
        if let Some((leaf, entry)) = next {
            reconciler.take(side, &leaf, entry)?;
        }
    }
}

/// Leaves with a look at the time of the next one.
struct Dated<I> {
    leaves: I,
    next: Option<(Vec<u8>, Option<Entry>)>,
    last: Timestamp,
}

impl<E, I: Iterator<Item = Result<Vec<u8>, E>>> Dated<I> {
    fn new(leaves: I) -> Self {
        Self {
            leaves,
            next: None,
            last: Timestamp::default(),
        }
    }

    /// An entry that cannot be read goes with the one before it.
    fn next_time(&mut self) -> Result<Option<Timestamp>, E> {
        if self.next.is_none() {
            let Some(leaf) = self.leaves.next().transpose()? else {
                return Ok(None);
            };
            let entry = Entry::decode(&leaf).ok();
            self.last = entry.as_ref().map_or(self.last, |entry| entry.time);
            self.next = Some((leaf, entry));
        }
        Ok(Some(self.last))
    }
}
