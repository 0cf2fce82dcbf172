//! One partner's log as this node has seen it: a chain of trees, each proved to continue the one before, whichever of the
//! two streams showed it. Pure.
//!
//! The streams are read independently, so that neither waits for the other. What the owner of the log shows on one of them
//! is therefore linked to what it has shown on the other and may not have been read yet: see [`super::shown`]. A tree is
//! taken if it continues the newest one, or if the newest one is proved to continue it; else its stream is given up and
//! opened again, on the newest tree.

use super::{Link, TreeFault, witness::Witnessed};
use crate::{merkle::Hash, note::SignedCheckpoint};
use std::collections::BTreeMap;

/// Trees of the other stream that are proved and not read yet: at most so many. An honest owner has no more on their way.
const EXPECTED_LIMIT: usize = 32;

/// On which of two streams a log's trees are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The owner of the log opened it and brings deliveries.
    Deliveries,
    /// The owner of the log answers deliveries on it.
    Answers,
}

#[derive(Debug, Default)]
pub(super) struct Chain {
    newest: Option<Witnessed>,
    deliveries: Shows,
    answers: Shows,
}

/// What one stream has shown.
#[derive(Debug, Default)]
struct Shows {
    /// How many streams were opened: what an older one still shows is not taken.
    opened: u64,
    /// Size of the tree that it showed last.
    last: u64,
    /// Trees that it has not shown yet, and that are part of the chain.
    expected: BTreeMap<u64, Hash>,
}

impl Chain {
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

    /// A stream opens, on the newest tree of `origin`. Its number.
    pub(super) fn open(&mut self, lane: Lane, origin: &str) -> u64 {
        let newest = self.newest.as_ref().filter(|(it, _)| it.origin == origin);
        let last = newest.map_or(0, |(it, _)| it.size);
        let (shows, _) = self.lanes(lane);
        *shows = Shows {
            opened: shows.opened + 1,
            last,
            expected: BTreeMap::new(),
        };
        shows.opened
    }

    /// Takes a tree that was verified to continue the one that its stream showed before, with links that were verified.
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
        let (shows, other) = self.lanes(lane);
        if shows.opened != opened {
            return Err(TreeFault::Superseded);
        }
        let forked = |verified| TreeFault::Irreconcilable {
            verified,
            checkpoint: Box::new(signed.clone()),
        };
        let is_newer = newest.is_none_or(|(newest, _)| newest < size);
        if let Some((newest, newest_root)) = newest {
            // What is known of the history that the two must share, at the size of the smaller one.
            let (common, proved) = if is_newer {
                let linked = links.iter().find(|link| link.size == newest);
                let continued = newest == 0 || newest == shows.last;
                let root = linked.map(|link| link.root);
                (newest_root, root.or(continued.then_some(newest_root)))
            } else if newest == size {
                (newest_root, Some(root))
            } else if size == shows.last {
                (root, Some(root))
            } else {
                (root, shows.expected.get(&size).copied())
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
        shows.last = size;
        shows.expected.retain(|expected, _| *expected > size);
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

    /// What this lane has shown, and the other.
    fn lanes(&mut self, lane: Lane) -> (&mut Shows, &mut Shows) {
        match lane {
            Lane::Deliveries => (&mut self.deliveries, &mut self.answers),
            Lane::Answers => (&mut self.answers, &mut self.deliveries),
        }
    }
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
