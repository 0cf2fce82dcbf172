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
    let unique: BTreeMap<ActionHash, &Action<S>> = actions.iter().map(|a| (a.hash, a)).collect();
    let mut standings: BTreeMap<_, _> = unique.keys().map(|h| (*h, Standing::Waiting)).collect();
    let mut open: Vec<&Action<S>> = unique.into_values().collect();
    open.sort_by_key(|action| (action.step.rank(), action.hash));
    let mut progress = S::START;
    let mut applied = Vec::new();

    // Each round decides one action, so there are at most as many rounds as actions.
    loop {
        let standing =
            |hash: &ActionHash| standings.get(hash).copied().unwrap_or(Standing::Waiting);
        let next = |action: &Action<S>| {
            let relies_on_a_loser = !action.step.rank().stands_alone()
                && action
                    .predecessors
                    .iter()
                    .any(|hash| standing(hash) == Standing::Superseded);
            S::after(progress, action.step, action.by).filter(|_| !relies_on_a_loser)
        };
        let ready = |action: &&Action<S>| {
            // Until a record is open, only what opens it can be decided.
            (!applied.is_empty() || next(action).is_some())
                && action
                    .predecessors
                    .iter()
                    .all(|hash| standing(hash) != Standing::Waiting)
        };
        let loser = open
            .iter()
            .copied()
            .filter(ready)
            .find(|action| next(action).is_none());
        let Some(action) = loser.or_else(|| open.iter().copied().find(ready)) else {
            break;
        };
        let outcome = next(action);
        match outcome {
            Some(next) => {
                progress = next;
                applied.push(action.hash);
                standings.insert(action.hash, Standing::Applied);
            }
            None => {
                standings.insert(action.hash, Standing::Superseded);
            }
        }
        open.retain(|other| other.hash != action.hash);
    }
    Resolution {
        progress,
        heads: heads(actions, &applied),
        standings,
        applied,
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
