//! What became of a lead: a pure function of the actions on it, so that both nodes see the same.

use std::collections::{BTreeMap, BTreeSet};

/// Leaf hash of the entry that made an action, in its sender's log.
pub type ActionHash = [u8; 32];

/// A step in the life of a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeadStep {
    /// The origin sends it.
    Lead,
    /// The recipient signs for it, 签收.
    Sign,
    /// The recipient assesses it, 核查. May be repeated: verified first, arrested later.
    Assess,
    /// The recipient returns it, 退回.
    Return,
}

impl LeadStep {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Lead, Self::Sign, Self::Assess, Self::Return];

    /// Among actions at the same time, the lower rank goes first: return before others.
    const fn rank(self) -> u8 {
        match self {
            Self::Return => 0,
            Self::Lead | Self::Sign | Self::Assess => 1,
        }
    }
}

/// How far the recipient has got with a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Progress {
    /// Nothing done yet.
    Open,
    /// Signed for.
    SignedFor,
    /// Assessed.
    Assessed,
    /// Returned.
    Returned,
}

impl Progress {
    /// The one transition table: what a step makes of this, or nothing where it is not allowed.
    pub const fn after(self, step: LeadStep) -> Option<Self> {
        match (self, step) {
            (Self::Open, LeadStep::Sign) => Some(Self::SignedFor),
            (Self::SignedFor | Self::Assessed, LeadStep::Assess) => Some(Self::Assessed),
            (Self::Open | Self::SignedFor, LeadStep::Return) => Some(Self::Returned),
            _ => None,
        }
    }

    /// The steps allowed now.
    pub fn allowed(self) -> Vec<LeadStep> {
        LeadStep::ALL
            .into_iter()
            .filter(|step| self.after(*step).is_some())
            .collect()
    }
}

/// An action on a lead and the actions that it follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadAction {
    /// Its own hash.
    pub hash: ActionHash,
    /// What it does.
    pub step: LeadStep,
    /// What it follows.
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

/// Where a lead stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// How far it got.
    pub progress: Progress,
    /// What each action came to, by hash.
    pub standings: BTreeMap<ActionHash, Standing>,
    /// The last applied action; the next one follows it.
    pub head: Option<ActionHash>,
}

/// Resolves actions, in whatever order they arrived, always to the same end: an action applies after all that it
/// follows; among those that could apply at the same time return goes before others, then the lower hash; one that the
/// table no longer allows is superseded, and so is what follows it.
pub fn resolve(actions: &[LeadAction]) -> Resolution {
    let mut standings: BTreeMap<ActionHash, Standing> = actions
        .iter()
        .map(|a| (a.hash, Standing::Waiting))
        .collect();
    let mut open: BTreeSet<(u8, ActionHash)> =
        actions.iter().map(|a| (a.step.rank(), a.hash)).collect();
    let by_hash: BTreeMap<ActionHash, &LeadAction> = actions.iter().map(|a| (a.hash, a)).collect();
    let mut progress: Option<Progress> = None;
    let mut head = None;

    // Each round settles one action, so there are at most as many rounds as actions.
    while let Some((key, action)) = open.iter().find_map(|key| {
        let action = by_hash.get(&key.1)?;
        let ready = match action.step {
            LeadStep::Lead => true,
            LeadStep::Sign | LeadStep::Assess | LeadStep::Return => {
                progress.is_some()
                    && action.predecessors.iter().all(|p| {
                        matches!(
                            standings.get(p),
                            Some(Standing::Applied | Standing::Superseded)
                        )
                    })
            }
        };
        ready.then_some((*key, *action))
    }) {
        open.remove(&key);
        let follows_superseded = action
            .predecessors
            .iter()
            .any(|p| standings.get(p) == Some(&Standing::Superseded));
        let next = match (progress, action.step) {
            (None, LeadStep::Lead) => Some(Progress::Open),
            (Some(now), step) if !follows_superseded => now.after(step),
            _ => None,
        };
        let standing = match next {
            Some(next) => {
                progress = Some(next);
                head = Some(action.hash);
                Standing::Applied
            }
            None => Standing::Superseded,
        };
        standings.insert(action.hash, standing);
    }
    Resolution {
        progress: progress.unwrap_or(Progress::Open),
        standings,
        head,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn action(id: u8, step: LeadStep, follows: &[u8]) -> LeadAction {
        LeadAction {
            hash: [id; 32],
            step,
            predecessors: follows.iter().map(|id| [*id; 32]).collect(),
        }
    }

    #[test]
    fn a_lead_is_signed_for_and_assessed_twice() {
        let end = resolve(&[
            action(9, LeadStep::Lead, &[]),
            action(8, LeadStep::Sign, &[9]),
            action(7, LeadStep::Assess, &[8]),
            action(6, LeadStep::Assess, &[7]),
        ]);
        assert_eq!(end.progress, Progress::Assessed);
        assert_eq!(end.head, Some([6; 32]));
        assert!(end.standings.values().all(|s| *s == Standing::Applied));
    }

    #[test]
    fn return_prevails_over_a_sign_at_the_same_time_and_what_follows_it() {
        let end = resolve(&[
            action(9, LeadStep::Lead, &[]),
            action(1, LeadStep::Sign, &[9]),
            action(0, LeadStep::Assess, &[1]),
            action(5, LeadStep::Return, &[9]),
        ]);
        assert_eq!(end.progress, Progress::Returned);
        assert_eq!(end.standings[&[1; 32]], Standing::Superseded);
        assert_eq!(end.standings[&[0; 32]], Standing::Superseded);
    }

    #[test]
    fn an_action_waits_for_what_it_follows() {
        let mut actions = vec![
            action(9, LeadStep::Lead, &[]),
            action(7, LeadStep::Assess, &[8]),
        ];
        let end = resolve(&actions);
        assert_eq!(end.progress, Progress::Open);
        assert_eq!(end.standings[&[7; 32]], Standing::Waiting);
        actions.push(action(8, LeadStep::Sign, &[9]));
        assert_eq!(resolve(&actions).progress, Progress::Assessed);
    }

    #[test]
    fn what_is_done_with_a_returned_lead_does_not_count() {
        assert!(Progress::Returned.allowed().is_empty());
        assert_eq!(Progress::Open.allowed(), [LeadStep::Sign, LeadStep::Return]);
        assert_eq!(Progress::Assessed.allowed(), [LeadStep::Assess]);
    }

    proptest! {
        /// Whatever the order of arrival, the end is the same.
        #[test]
        fn order_of_arrival_does_not_matter(
            steps in proptest::collection::vec((0..4usize, proptest::collection::vec(0..8u8, 0..3)), 1..8),
            seed in any::<u64>(),
        ) {
            let actions: Vec<LeadAction> = steps
                .iter()
                .enumerate()
                .map(|(i, (step, follows))| {
                    action(u8::try_from(i).unwrap(), LeadStep::ALL[*step], follows)
                })
                .collect();
            let mut shuffled = actions.clone();
            let mut state = seed;
            for i in (1..shuffled.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                shuffled.swap(i, usize::try_from(state >> 33).unwrap() % (i + 1));
            }
            prop_assert_eq!(resolve(&actions), resolve(&shuffled));
        }
    }
}
