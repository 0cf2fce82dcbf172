//! What this node has shown of its own log to each partner, on the two streams between them, and what the partner has not
//! yet said to be past. Each message links the trees of the other stream, so that the partner can take what it reads in
//! whatever order the two streams bring it.

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

/// Of one stream, beyond what can be on its way at once. Whoever says nothing of what it verified has the oldest forgotten.
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
    /// Those on this lane, and those on the other.
    fn lanes(&mut self, lane: Lane) -> (&mut BTreeSet<u64>, &mut BTreeSet<u64>) {
        match lane {
            Lane::Deliveries => (&mut self.deliveries, &mut self.answers),
            Lane::Answers => (&mut self.answers, &mut self.deliveries),
        }
    }
}

impl DisclosedTrees {
    /// A stream begins with the tree that the partner says it verified last; what an earlier one showed counts no more.
    pub fn open(&self, to: Jurisdiction, lane: Lane, verified: u64) {
        let mut partners = self.partners.lock().unwrap_or_else(PoisonError::into_inner);
        let (own, other) = partners.entry(to).or_default().lanes(lane);
        own.clear();
        own.insert(verified);
        other.retain(|size| *size >= verified);
    }

    /// The partner verified a tree of this size, so it will compare none with a smaller one.
    pub fn verified(&self, to: Jurisdiction, verified: u64) {
        let mut partners = self.partners.lock().unwrap_or_else(PoisonError::into_inner);
        let sizes = partners.entry(to).or_default();
        sizes.deliveries.retain(|size| *size >= verified);
        sizes.answers.retain(|size| *size >= verified);
    }

    /// The newest checkpoint, which is shown next on `lane`, and the sizes that it is to be linked with. Whatever is shown
    /// later, on either stream, is no smaller: the checkpoint is read while nothing else can be shown.
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

/// Links to a checkpoint the trees of these sizes, as far as it has them.
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
