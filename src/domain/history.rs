//! What became of a record: a pure function of the actions on it, so that both nodes see the same. Leads and referrals
//! share it; each brings its steps, its transition table and its ranks.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Leaf hash of the entry that made an action, in its sender's log.
pub type ActionHash = [u8; 32];

/// An action names at most so many predecessors.
pub const PREDECESSOR_LIMIT: usize = 8;

/// The two parties to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The jurisdiction that opened it, 发起方.
    Originator,
    /// The jurisdiction that it was sent to, 接收方.
    Recipient,
}

impl Side {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Originator, Self::Recipient];

    /// The stable key: `originator` or `recipient`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Originator => "originator",
            Self::Recipient => "recipient",
        }
    }

    /// The Chinese term.
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Originator => "发起方",
            Self::Recipient => "接收方",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Originator => Self::Recipient,
            Self::Recipient => Self::Originator,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which of several concurrent actions prevails: the first here, and among equals the one with the lower hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// 撤回.
    Recall,
    /// 更正.
    Correction,
    /// 退回.
    Return,
    /// Every other step.
    Other,
}

impl Rank {
    /// True where an action counts even though one that it follows was superseded. A recall or a correction says what
    /// the originator wants now, whatever became of the step before it; any other step was taken in a belief that
    /// proved false.
    const fn stands_alone(self) -> bool {
        match self {
            Self::Recall | Self::Correction => true,
            Self::Return | Self::Other => false,
        }
    }
}

/// One line of a transition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition<S: Step> {
    /// Where the record stands.
    pub from: S::Progress,
    /// What is done.
    pub step: S,
    /// Who may do it.
    pub by: Side,
    /// Where the record stands after it.
    pub to: S::Progress,
}

/// A kind of record's steps, with the table that says which are allowed when, and to whom.
pub trait Step: Copy + Eq + fmt::Debug + 'static {
    /// How far a record has got.
    type Progress: Copy + Eq + fmt::Debug + 'static;

    /// Where a record stands before its first action.
    const START: Self::Progress;

    /// The one transition table. At most one line for each `from`, `step` and `by`.
    const TABLE: &'static [Transition<Self>];

    /// How it fares against concurrent actions.
    fn rank(self) -> Rank;

    /// What a step makes of this progress, or nothing where this side may not take it.
    fn after(progress: Self::Progress, step: Self, by: Side) -> Option<Self::Progress> {
        Self::TABLE
            .iter()
            .find(|line| line.from == progress && line.step == step && line.by == by)
            .map(|line| line.to)
    }

    /// The steps that this side may take now, in the table's order.
    fn allowed(progress: Self::Progress, by: Side) -> Vec<Self> {
        Self::TABLE
            .iter()
            .filter(|line| line.from == progress && line.by == by)
            .map(|line| line.step)
            .collect()
    }
}

/// An action on a record and the actions that it follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action<S> {
    /// Its own hash.
    pub hash: ActionHash,
    /// What it does.
    pub step: S,
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
pub struct Resolution<P> {
    /// How far it got.
    pub progress: P,
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
pub fn resolve<S: Step>(actions: &[Action<S>]) -> Resolution<S::Progress> {
    let mut deciding = Deciding::new(actions);
    while let Some((action, next)) = deciding.winner() {
        deciding.apply(action, next);
    }
    let Deciding {
        standings,
        progress,
        applied,
        ..
    } = deciding;
    Resolution {
        progress,
        heads: heads(actions, &applied),
        standings,
        applied,
    }
}

/// Actions on their way to a decision. Each is looked at when the last of what it follows is decided, so that a long
/// history costs little more than its length: it is resolved on the log's thread, and a partner chooses what it follows.
struct Deciding<'a, S: Step> {
    unique: BTreeMap<ActionHash, &'a Action<S>>,
    standings: BTreeMap<ActionHash, Standing>,
    /// Of each action, how many of those that it follows are not decided.
    undecided: BTreeMap<ActionHash, usize>,
    followers: BTreeMap<ActionHash, Vec<ActionHash>>,
    /// What could count next, by who does what: the table says the same of all of a kind.
    ready: Vec<Ready<'a, S>>,
    progress: S::Progress,
    applied: Vec<ActionHash>,
}

struct Ready<'a, S> {
    step: S,
    by: Side,
    actions: BTreeMap<ActionHash, &'a Action<S>>,
}

impl<'a, S: Step> Deciding<'a, S> {
    fn new(actions: &'a [Action<S>]) -> Self {
        let unique: BTreeMap<_, _> = actions.iter().map(|a| (a.hash, a)).collect();
        let mut new = Self {
            standings: unique.keys().map(|h| (*h, Standing::Waiting)).collect(),
            undecided: BTreeMap::new(),
            followers: BTreeMap::new(),
            ready: Vec::new(),
            progress: S::START,
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

    /// The action that counts next, and what it makes of the progress.
    fn winner(&self) -> Option<(&'a Action<S>, S::Progress)> {
        let allowed = self.ready.iter().filter_map(|ready| {
            let next = S::after(self.progress, ready.step, ready.by)?;
            let (_, action) = ready.actions.first_key_value()?;
            Some((*action, next))
        });
        allowed.min_by_key(|(action, _)| (action.step.rank(), action.hash))
    }

    /// An action counts. All that lost by it is decided before the next one is sought.
    fn apply(&mut self, action: &Action<S>, next: S::Progress) {
        for ready in &mut self.ready {
            ready.actions.remove(&action.hash);
        }
        self.progress = next;
        self.applied.push(action.hash);
        let mut losers = self.decide(action.hash, Standing::Applied);
        let progress = self.progress;
        self.ready.retain(|ready| {
            let stays = S::after(progress, ready.step, ready.by).is_some();
            if !stays {
                losers.extend(ready.actions.keys());
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
            let relies_on_a_loser = !action.step.rank().stands_alone()
                && action
                    .predecessors
                    .iter()
                    .any(|hash| self.standings.get(hash) == Some(&Standing::Superseded));
            if relies_on_a_loser || S::after(self.progress, action.step, action.by).is_none() {
                losers.push(follower);
            } else {
                self.add(action);
            }
        }
        losers
    }

    fn add(&mut self, action: &'a Action<S>) {
        let of_its_kind =
            |ready: &&mut Ready<'a, S>| ready.step == action.step && ready.by == action.by;
        if let Some(ready) = self.ready.iter_mut().find(of_its_kind) {
            ready.actions.insert(action.hash, action);
        } else {
            self.ready.push(Ready {
                step: action.step,
                by: action.by,
                actions: BTreeMap::from([(action.hash, action)]),
            });
        }
    }
}

/// The last of the applied actions that no applied action follows.
fn heads<S>(actions: &[Action<S>], applied: &[ActionHash]) -> Vec<ActionHash> {
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
