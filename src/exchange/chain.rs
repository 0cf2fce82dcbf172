//! One partner's log as this node has seen it: a chain of trees, each proved to continue the one before, whichever of
//! the two streams showed it. Pure.
//!
//! The streams are read independently, so that neither waits for the other. What the owner of the log shows on one of
//! them is therefore linked to what it has shown on the other and the reader may not have read yet: see
//! [`super::disclosed_trees`]. A tree is accepted if it continues the newest one, or if the newest one is proved to
//! continue it. Otherwise its stream is closed and opened again, starting from the newest tree.

use super::{Link, TreeFault, witness::Witnessed};
use crate::{merkle::Hash, note::SignedCheckpoint};
use std::collections::BTreeMap;

/// How many trees of the other stream may be proved and not read yet. An honest owner never has more under way.
const EXPECTED_LIMIT: usize = 32;

/// Which of the two streams shows a log's trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The stream that the owner of the log opened, with deliveries.
    Deliveries,
    /// The stream on which the owner of the log answers deliveries.
    Answers,
}

#[derive(Debug, Default)]
pub(super) struct TreeChain {
    newest: Option<Witnessed>,
    deliveries: ShownTrees,
    answers: ShownTrees,
}

/// What one stream has shown.
#[derive(Debug, Default)]
struct ShownTrees {
    /// How many streams were opened: trees on an older one are no longer accepted.
    opened: u64,
    /// Size of the tree that it showed last.
    last: u64,
    /// Trees that are part of the chain and that it has not shown yet.
    expected: BTreeMap<u64, Hash>,
}

impl TreeChain {
    pub(super) fn starting_at(newest: Witnessed) -> Self {
        Self {
            newest: Some(newest),
            ..Self::default()
        }
    }

    /// The newest tree, with its signature.
    pub(super) fn newest(&self) -> Option<&Witnessed> {
        self.newest.as_ref()
    }

    /// Opens a stream that starts from the newest tree of `origin`. Returns its number.
    pub(super) fn open(&mut self, lane: Lane, origin: &str) -> u64 {
        let newest = self.newest.as_ref().filter(|(it, _)| it.origin == origin);
        let last = newest.map_or(0, |(it, _)| it.size);
        let (shown, _) = self.lanes(lane);
        *shown = ShownTrees {
            opened: shown.opened + 1,
            last,
            expected: BTreeMap::new(),
        };
        shown.opened
    }

    /// Accepts a tree that was verified to continue the one that its stream showed before, with verified links.
    pub(super) fn take(
        &mut self,
        lane: Lane,
        opened: u64,
        signed: &SignedCheckpoint,
        links: &[Link],
    ) -> Result<(), TreeFault> {
        let (size, root) = (signed.size(), *signed.root());
        let newest = self
            .newest
            .as_ref()
            .filter(|(newest, _)| newest.origin == signed.origin())
            .map(|(newest, _)| (newest.size, newest.root));
        let (shown, other) = self.lanes(lane);
        if shown.opened != opened {
            return Err(TreeFault::Superseded);
        }
        let forked = |verified| TreeFault::Irreconcilable {
            verified,
            checkpoint: Box::new(signed.clone()),
        };
        let is_newer = newest.is_none_or(|(newest, _)| newest < size);
        if let Some((newest, newest_root)) = newest {
            // What is known of the history that both must share, at the size of the smaller one.
            let (common, proved) = if is_newer {
                let linked = links.iter().find(|link| link.size == newest);
                let continued = newest == 0 || newest == shown.last;
                let root = linked.map(|link| link.root);
                (newest_root, root.or(continued.then_some(newest_root)))
            } else if newest == size {
                (newest_root, Some(root))
            } else if size == shown.last {
                (root, Some(root))
            } else {
                (root, shown.expected.get(&size).copied())
            };
            match proved {
                Some(proved) if proved == common => {}
                Some(_) => return Err(forked(newest)),
                None => {
                    return Err(TreeFault::Unlinked {
                        claimed: size,
                        verified: newest,
                    });
                }
            }
        }
        shown.last = size;
        shown.expected.retain(|expected, _| *expected > size);
        for link in links.iter().filter(|link| link.size > other.last) {
            other.expected.insert(link.size, link.root);
        }
        while other.expected.len() > EXPECTED_LIMIT {
            other.expected.pop_first();
        }
        if is_newer {
            self.newest = Some((signed.checkpoint().clone(), *signed.signature()));
        }
        Ok(())
    }

    /// What this lane has shown, and what the other has.
    fn lanes(&mut self, lane: Lane) -> (&mut ShownTrees, &mut ShownTrees) {
        match lane {
            Lane::Deliveries => (&mut self.deliveries, &mut self.answers),
            Lane::Answers => (&mut self.answers, &mut self.deliveries),
        }
    }
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
