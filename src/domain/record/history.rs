//! What became of a record: a pure function of the events in its history, so that both nodes see the same.

use super::{Action, RecordKind, Side, State};
use std::collections::{BTreeMap, BTreeSet};

/// Leaf hash of the entry that made an action, in its sender's log.
pub type ActionHash = [u8; 32];

/// An action names at most so many predecessors.
pub const PREDECESSOR_LIMIT: usize = 8;

/// An action that somebody took, and the events that it follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its own hash.
    pub hash: ActionHash,
    /// What was done.
    pub action: Action,
    /// Who did it.
    pub by: Side,
    /// What it follows: the [`heads`](Resolution::heads) that its maker saw.
    pub predecessors: Vec<ActionHash>,
}

/// What an action came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It counts.
    Applied,
    /// Another prevailed; it stays on record.
    Superseded,
    /// It follows an action that has not arrived.
    Waiting,
}

/// Where a record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Where the tables have it: `sent`, delivered or not.
    pub state: State,
    /// What each action came to, by hash.
    pub standings: BTreeMap<ActionHash, Standing>,
    /// The actions that count, in the order in which they count. The same at both nodes, which their logs' order is not.
    pub applied: Vec<ActionHash>,
    /// The actions that count and that no other such action follows: what the next one names as its predecessors. At
    /// most [`PREDECESSOR_LIMIT`], the last ones.
    pub heads: Vec<ActionHash>,
}

/// Resolves actions, in whatever order and however often they arrived, always to the same end.
///
/// An action is decided once all that it follows is decided. It is superseded where the table does not allow it or
/// where it relies on one that was superseded. Of those left, the lowest rank counts next, then the lower hash. Losers
/// are decided before the next winner is sought: one that lost never comes back when a later action happens to make
/// room for it.
pub fn resolve(kind: RecordKind, events: &[Event]) -> Resolution {
    resolve_by(|state, action, by| kind.counts(state, action, by), events)
}

/// As [`resolve`], by any rule of what an action makes of a state.
fn resolve_by(
    after: impl Fn(State, Action, Side) -> Option<State>,
    actions: &[Event],
) -> Resolution {
    let mut deciding = Deciding::new(after, actions);
    while let Some((action, next)) = deciding.winner() {
        deciding.apply(action, next);
    }
    let Deciding {
        standings,
        state,
        applied,
        ..
    } = deciding;
    Resolution {
        state,
        heads: heads(actions, &applied),
        standings,
        applied,
    }
}

/// Actions on their way to a decision. Each is looked at when the last of what it follows is decided, so that a long
/// history costs little more than its length: it is resolved on the log's thread, and a partner chooses what it follows.
struct Deciding<'a, F> {
    after: F,
    unique: BTreeMap<ActionHash, &'a Event>,
    standings: BTreeMap<ActionHash, Standing>,
    /// Of each action, how many of those that it follows are not decided.
    undecided: BTreeMap<ActionHash, usize>,
    followers: BTreeMap<ActionHash, Vec<ActionHash>>,
    /// What could count next, by who does what: the table says the same of all that do the same.
    ready: Vec<Ready<'a>>,
    state: State,
    applied: Vec<ActionHash>,
}

struct Ready<'a> {
    action: Action,
    by: Side,
    events: BTreeMap<ActionHash, &'a Event>,
}

impl<'a, F: Fn(State, Action, Side) -> Option<State>> Deciding<'a, F> {
    fn new(after: F, actions: &'a [Event]) -> Self {
        let unique: BTreeMap<_, _> = actions.iter().map(|a| (a.hash, a)).collect();
        let mut new = Self {
            standings: unique.keys().map(|h| (*h, Standing::Waiting)).collect(),
            undecided: BTreeMap::new(),
            followers: BTreeMap::new(),
            ready: Vec::new(),
            // Whatever reaches a partner was free to leave.
            state: State::Approved,
            after,
            applied: Vec::new(),
            unique,
        };
        for action in new.unique.values().copied().collect::<Vec<_>>() {
            let follows: BTreeSet<_> = action.predecessors.iter().copied().collect();
            new.undecided.insert(action.hash, follows.len());
            if follows.is_empty() {
                new.add(action);
            }
            for hash in follows {
                new.followers.entry(hash).or_default().push(action.hash);
            }
        }
        new
    }

    /// The action that counts next, and what it makes of the state.
    fn winner(&self) -> Option<(&'a Event, State)> {
        let allowed = self.ready.iter().filter_map(|ready| {
            let next = (self.after)(self.state, ready.action, ready.by)?;
            let (_, action) = ready.events.first_key_value()?;
            Some((*action, next))
        });
        allowed.min_by_key(|(action, _)| (action.action.rank(), action.hash))
    }

    /// An action counts. All that lost by it is decided before the next one is sought.
    fn apply(&mut self, action: &Event, next: State) {
        for ready in &mut self.ready {
            ready.events.remove(&action.hash);
        }
        self.state = next;
        self.applied.push(action.hash);
        let mut losers = self.decide(action.hash, Standing::Applied);
        let (after, state) = (&self.after, self.state);
        self.ready.retain(|ready| {
            let stays = after(state, ready.action, ready.by).is_some();
            if !stays {
                losers.extend(ready.events.keys());
            }
            stays
        });
        while let Some(loser) = losers.pop() {
            losers.extend(self.decide(loser, Standing::Superseded));
        }
    }

    /// Decides one action; those that lose now that all that they follow is decided.
    fn decide(&mut self, hash: ActionHash, standing: Standing) -> Vec<ActionHash> {
        self.standings.insert(hash, standing);
        let mut losers = Vec::new();
        for follower in self.followers.remove(&hash).unwrap_or_default() {
            let (Some(undecided), Some(action)) = (
                self.undecided.get_mut(&follower),
                self.unique.get(&follower).copied(),
            ) else {
                continue;
            };
            *undecided = undecided.saturating_sub(1);
            if *undecided > 0 {
                continue;
            }
            let relies_on_a_loser = !action.action.rank().stands_alone()
                && action
                    .predecessors
                    .iter()
                    .any(|hash| self.standings.get(hash) == Some(&Standing::Superseded));
            if relies_on_a_loser || (self.after)(self.state, action.action, action.by).is_none() {
                losers.push(follower);
            } else {
                self.add(action);
            }
        }
        losers
    }

    fn add(&mut self, action: &'a Event) {
        let of_its_kind =
            |ready: &&mut Ready<'a>| ready.action == action.action && ready.by == action.by;
        if let Some(ready) = self.ready.iter_mut().find(of_its_kind) {
            ready.events.insert(action.hash, action);
        } else {
            self.ready.push(Ready {
                action: action.action,
                by: action.by,
                events: BTreeMap::from([(action.hash, action)]),
            });
        }
    }
}

/// The last of the applied actions that no applied action follows.
fn heads(actions: &[Event], applied: &[ActionHash]) -> Vec<ActionHash> {
    let counting: BTreeSet<_> = applied.iter().collect();
    let followed: BTreeSet<_> = actions
        .iter()
        .filter(|action| counting.contains(&action.hash))
        .flat_map(|action| &action.predecessors)
        .collect();
    let mut heads: Vec<_> = applied
        .iter()
        .filter(|hash| !followed.contains(hash))
        .copied()
        .collect();
    heads.drain(..heads.len().saturating_sub(PREDECESSOR_LIMIT));
    heads
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
