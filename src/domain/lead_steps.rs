//! The life of a lead: its steps and its transition table.

use super::history::{Action, Rank, Side, Step, Transition};

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
}

/// How far the recipient has got with a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeadProgress {
    /// The lead itself is not there.
    Unsent,
    /// Nothing done yet.
    Open,
    /// Signed for.
    SignedFor,
    /// Assessed.
    Assessed,
    /// Returned.
    Returned,
}

/// An action on a lead.
pub type LeadAction = Action<LeadStep>;

const fn line(
    from: LeadProgress,
    step: LeadStep,
    by: Side,
    to: LeadProgress,
) -> Transition<LeadStep> {
    Transition { from, step, by, to }
}

impl Step for LeadStep {
    type Progress = LeadProgress;

    const START: LeadProgress = LeadProgress::Unsent;

    const TABLE: &'static [Transition<Self>] = {
        use LeadProgress::{Assessed, Open, Returned, SignedFor, Unsent};
        use Side::{Originator, Recipient};
        &[
            line(Unsent, Self::Lead, Originator, Open),
            line(Open, Self::Sign, Recipient, SignedFor),
            line(Open, Self::Return, Recipient, Returned),
            line(SignedFor, Self::Assess, Recipient, Assessed),
            line(SignedFor, Self::Return, Recipient, Returned),
            line(Assessed, Self::Assess, Recipient, Assessed),
        ]
    };

    fn rank(self) -> Rank {
        match self {
            Self::Return => Rank::Return,
            Self::Lead | Self::Sign | Self::Assess => Rank::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::history::{PREDECESSOR_LIMIT, Standing, resolve};
    use proptest::prelude::*;

    fn action(id: u8, step: LeadStep, follows: &[u8]) -> LeadAction {
        let by = match step {
            LeadStep::Lead => Side::Originator,
            LeadStep::Sign | LeadStep::Assess | LeadStep::Return => Side::Recipient,
        };
        LeadAction {
            hash: [id; 32],
            step,
            by,
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
        assert_eq!(end.progress, LeadProgress::Assessed);
        assert_eq!(end.applied, [[9; 32], [8; 32], [7; 32], [6; 32]]);
        assert_eq!(end.heads, [[6; 32]]);
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
        assert_eq!(end.progress, LeadProgress::Returned);
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
        assert_eq!(end.progress, LeadProgress::Open);
        assert_eq!(end.standings[&[7; 32]], Standing::Waiting);
        actions.push(action(8, LeadStep::Sign, &[9]));
        assert_eq!(resolve(&actions).progress, LeadProgress::Assessed);
    }

    #[test]
    fn an_answer_waits_for_its_lead_even_where_it_names_nothing() {
        let mut actions = vec![action(1, LeadStep::Sign, &[])];
        let end = resolve(&actions);
        assert_eq!(end.progress, LeadProgress::Unsent);
        assert_eq!(end.standings[&[1; 32]], Standing::Waiting);
        actions.push(action(2, LeadStep::Lead, &[]));
        assert_eq!(resolve(&actions).progress, LeadProgress::SignedFor);
    }

    #[test]
    fn the_origin_does_not_answer_its_own_lead() {
        let mut own = action(1, LeadStep::Sign, &[9]);
        own.by = Side::Originator;
        let end = resolve(&[action(9, LeadStep::Lead, &[]), own]);
        assert_eq!(end.progress, LeadProgress::Open);
        assert_eq!(end.standings[&[1; 32]], Standing::Superseded);
    }

    #[test]
    fn what_is_done_with_a_returned_lead_does_not_count() {
        let allowed = |progress| LeadStep::allowed(progress, Side::Recipient);
        assert!(allowed(LeadProgress::Returned).is_empty());
        let open = [LeadStep::Sign, LeadStep::Return];
        assert_eq!(allowed(LeadProgress::Open), open);
        assert_eq!(allowed(LeadProgress::Assessed), [LeadStep::Assess]);
    }

    #[test]
    fn a_partner_that_always_names_the_same_predecessor_cannot_block_the_next_action() {
        let mut actions = vec![
            action(0, LeadStep::Lead, &[]),
            action(1, LeadStep::Sign, &[0]),
        ];
        actions.extend((10..40).map(|id| action(id, LeadStep::Assess, &[1])));
        let end = resolve(&actions);
        assert_eq!(end.applied.len(), 32);
        assert_eq!(end.heads.len(), PREDECESSOR_LIMIT);
        assert_eq!(end.heads.last(), end.applied.last());
    }

    proptest! {
        /// Whatever the order of arrival, the end is the same.
        #[test]
        fn order_of_arrival_does_not_matter(
            (actions, shuffled) in proptest::collection::vec(
                (0..4usize, proptest::collection::vec(0..8u8, 0..3)),
                1..8,
            )
            .prop_flat_map(|steps| {
                let actions: Vec<LeadAction> = (0u8..)
                    .zip(steps)
                    .map(|(id, (step, follows))| action(id, LeadStep::ALL[step], &follows))
                    .collect();
                (Just(actions.clone()), Just(actions).prop_shuffle())
            }),
        ) {
            prop_assert_eq!(resolve(&actions), resolve(&shuffled));
        }
    }
}
