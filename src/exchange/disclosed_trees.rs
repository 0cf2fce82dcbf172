//! The trees of its own log that this node has shown to each partner, on the two streams between them, and that the
//! partner may not have read yet. Each message links the trees of the other stream, so that the partner can accept what
//! it reads in whatever order the two streams bring it.

use super::{Lane, Link};
use crate::{
    domain::Jurisdiction,
    log::{ReadError, Reader},
    note::SignedCheckpoint,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// For one stream, more than can be under way at once. If a partner never says what it verified, the oldest trees are
/// forgotten.
const DISCLOSED_LIMIT: usize = 32;

/// The trees shown to all partners.
#[derive(Debug, Default)]
pub struct DisclosedTrees {
    partners: Mutex<BTreeMap<Jurisdiction, Sizes>>,
}

#[derive(Debug, Default)]
struct Sizes {
    deliveries: BTreeSet<u64>,
    answers: BTreeSet<u64>,
}

impl Sizes {
    /// The trees of this lane, and those of the other.
    fn lanes(&mut self, lane: Lane) -> (&mut BTreeSet<u64>, &mut BTreeSet<u64>) {
        match lane {
            Lane::Deliveries => (&mut self.deliveries, &mut self.answers),
            Lane::Answers => (&mut self.answers, &mut self.deliveries),
        }
    }
}

impl DisclosedTrees {
    /// A stream opens with the tree that the partner says it verified last. What an earlier stream showed no longer
    /// counts.
    pub fn open(&self, to: Jurisdiction, lane: Lane, verified: u64) {
        let mut partners = self.partners.lock().unwrap_or_else(PoisonError::into_inner);
        let (own, other) = partners.entry(to).or_default().lanes(lane);
        own.clear();
        own.insert(verified);
        other.retain(|size| *size >= verified);
    }

    /// The partner verified a tree of this size, so it will not compare any with a smaller one.
    pub fn verified(&self, to: Jurisdiction, verified: u64) {
        let mut partners = self.partners.lock().unwrap_or_else(PoisonError::into_inner);
        let sizes = partners.entry(to).or_default();
        sizes.deliveries.retain(|size| *size >= verified);
        sizes.answers.retain(|size| *size >= verified);
    }

    /// Reads the newest checkpoint, which is shown next on `lane`, and the sizes to link it with. Everything shown
    /// later, on either stream, is at least as large: the checkpoint is read while nothing else can be shown.
    pub fn show(
        &self,
        to: Jurisdiction,
        lane: Lane,
        newest: impl FnOnce() -> Arc<SignedCheckpoint>,
    ) -> (Arc<SignedCheckpoint>, BTreeSet<u64>) {
        let mut partners = self.partners.lock().unwrap_or_else(PoisonError::into_inner);
        let checkpoint = newest();
        let (own, other) = partners.entry(to).or_default().lanes(lane);
        own.insert(checkpoint.size());
        while own.len() > DISCLOSED_LIMIT {
            own.pop_first();
        }
        (checkpoint, other.clone())
    }
}

/// Links a checkpoint to the trees of those sizes that it contains.
pub(super) fn links(
    reader: &Reader,
    size: u64,
    sizes: BTreeSet<u64>,
) -> Result<Vec<Link>, ReadError> {
    let proofs = reader.proofs();
    let linked = sizes.iter().filter(|at| (1..=size).contains(*at));
    let link = |&at: &u64| {
        Ok(Link {
            size: at,
            root: proofs.root(at)?,
            consistency: proofs.consistency(at, size)?,
        })
    };
    linked.map(link).collect()
}
