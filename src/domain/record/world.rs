//! Two nodes and what is on its way between them, for tests.

use super::{Action, ActionHash, Event, RecordKind, Resolution, Side, Standing, resolve};
use std::collections::{BTreeMap, BTreeSet};

/// Of which nothing is withheld.
pub(super) const KIND: RecordKind = RecordKind::Assistance;

/// What each node knows, in the order in which it came to know it.
#[derive(Debug)]
pub(super) struct World {
    known: [Vec<Event>; 2],
    /// To whom, and what.
    on_its_way: Vec<(Side, Event)>,
    made: u32,
}

const fn at(side: Side) -> usize {
    match side {
        Side::Originator => 0,
        Side::Recipient => 1,
    }
}

impl World {
    /// The originator has sent a referral; nothing has arrived.
    pub(super) fn open() -> Self {
        let mut world = Self {
            known: [Vec::new(), Vec::new()],
            on_its_way: Vec::new(),
            made: 0,
        };
        world.act(Side::Originator, Action::Open, 0);
        world
    }

    pub(super) fn known(&self, side: Side) -> &[Event] {
        &self.known[at(side)]
    }

    pub(super) fn view(&self, side: Side) -> Resolution {
        resolve(KIND, self.known(side))
    }

    /// A step that counts, from this side's own view. Of two, the one with the lower `tie` has the lower hash.
    pub(super) fn act(&mut self, side: Side, step: Action, tie: u16) -> ActionHash {
        let view = self.view(side);
        KIND.counts(view.state, step, side).unwrap();
        self.send(side, step, view.heads, tie)
    }

    /// Any step, legal or not, that names any predecessors.
    pub(super) fn send(
        &mut self,
        by: Side,
        step: Action,
        predecessors: Vec<ActionHash>,
        tie: u16,
    ) -> ActionHash {
        self.made += 1;
        let mut hash = [0; 32];
        hash[..2].copy_from_slice(&tie.to_be_bytes());
        hash[2..6].copy_from_slice(&self.made.to_be_bytes());
        let action = Event {
            hash,
            action: step,
            by,
            predecessors,
        };
        self.known[at(by)].push(action.clone());
        self.on_its_way.push((by.other(), action));
        hash
    }

    /// One of the messages on its way arrives; it may come again.
    pub(super) fn deliver(&mut self, pick: usize, again: bool) {
        if self.on_its_way.is_empty() {
            return;
        }
        let pick = pick % self.on_its_way.len();
        let (to, action) = if again {
            self.on_its_way[pick].clone()
        } else {
            self.on_its_way.remove(pick)
        };
        self.known[at(to)].push(action);
    }

    /// One of the messages on its way is lost.
    pub(super) fn lose(&mut self, pick: usize) {
        if !self.on_its_way.is_empty() {
            let pick = pick % self.on_its_way.len();
            self.on_its_way.remove(pick);
        }
    }

    /// Everything arrives, the last sent first.
    pub(super) fn settle(&mut self) -> Resolution {
        while !self.on_its_way.is_empty() {
            self.deliver(self.on_its_way.len() - 1, false);
        }
        let (ours, theirs) = (self.view(Side::Originator), self.view(Side::Recipient));
        assert_eq!(ours, theirs, "the two nodes differ");
        ours
    }

    /// Every action, by hash.
    pub(super) fn actions(&self) -> BTreeMap<ActionHash, &Event> {
        let all = self.known.iter().flatten();
        all.chain(self.on_its_way.iter().map(|(_, action)| action))
            .map(|action| (action.hash, action))
            .collect()
    }

    /// All that an action follows, near and far.
    pub(super) fn ancestors(&self, hash: ActionHash) -> BTreeSet<ActionHash> {
        let actions = self.actions();
        let mut found = BTreeSet::new();
        let mut look_at = vec![hash];
        while let Some(action) = look_at.pop().and_then(|hash| actions.get(&hash)) {
            for hash in &action.predecessors {
                if found.insert(*hash) {
                    look_at.push(*hash);
                }
            }
        }
        found
    }
}

/// What became of an action.
pub(super) fn standing(view: &Resolution, hash: ActionHash) -> Standing {
    view.standings[&hash]
}
