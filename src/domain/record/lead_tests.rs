//! The life of a lead, by example.

use super::{Action, Event, PREDECESSOR_LIMIT, RecordKind::Lead, Side, Standing, State, resolve};
use proptest::prelude::*;

const STEPS: [Action; 4] = [Action::Open, Action::Sign, Action::Assess, Action::Return];

fn action(id: u8, action: Action, follows: &[u8]) -> Event {
    let by = if action == Action::Open {
        Side::Originator
    } else {
        Side::Recipient
    };
    Event {
        hash: [id; 32],
        action,
        by,
        predecessors: follows.iter().map(|id| [*id; 32]).collect(),
    }
}

#[test]
fn a_lead_is_signed_for_and_assessed_twice() {
    let end = resolve(
        Lead,
        &[
            action(9, Action::Open, &[]),
            action(8, Action::Sign, &[9]),
            action(7, Action::Assess, &[8]),
            action(6, Action::Assess, &[7]),
        ],
    );
    assert_eq!(end.state, State::Assessed);
    assert_eq!(end.applied, [[9; 32], [8; 32], [7; 32], [6; 32]]);
    assert_eq!(end.heads, [[6; 32]]);
    assert!(end.standings.values().all(|s| *s == Standing::Applied));
}

#[test]
fn return_prevails_over_a_sign_at_the_same_time_and_what_follows_it() {
    let end = resolve(
        Lead,
        &[
            action(9, Action::Open, &[]),
            action(1, Action::Sign, &[9]),
            action(0, Action::Assess, &[1]),
            action(5, Action::Return, &[9]),
        ],
    );
    assert_eq!(end.state, State::Returned);
    assert_eq!(end.standings[&[1; 32]], Standing::Superseded);
    assert_eq!(end.standings[&[0; 32]], Standing::Superseded);
}

#[test]
fn an_action_waits_for_what_it_follows() {
    let mut actions = vec![
        action(9, Action::Open, &[]),
        action(7, Action::Assess, &[8]),
    ];
    let end = resolve(Lead, &actions);
    assert_eq!(end.state, State::Sent);
    assert_eq!(end.standings[&[7; 32]], Standing::Waiting);
    actions.push(action(8, Action::Sign, &[9]));
    assert_eq!(resolve(Lead, &actions).state, State::Assessed);
}

#[test]
fn an_answer_waits_for_its_lead_even_where_it_names_nothing() {
    let mut actions = vec![action(1, Action::Sign, &[])];
    let end = resolve(Lead, &actions);
    assert_eq!(end.state, State::Approved);
    assert_eq!(end.standings[&[1; 32]], Standing::Waiting);
    actions.push(action(2, Action::Open, &[]));
    assert_eq!(resolve(Lead, &actions).state, State::SignedFor);
}

#[test]
fn the_origin_does_not_answer_its_own_lead() {
    let mut own = action(1, Action::Sign, &[9]);
    own.by = Side::Originator;
    let end = resolve(Lead, &[action(9, Action::Open, &[]), own]);
    assert_eq!(end.state, State::Sent);
    assert_eq!(end.standings[&[1; 32]], Standing::Superseded);
}

#[test]
fn what_is_done_with_a_returned_lead_does_not_count() {
    let allowed = |progress| Lead.allowed(progress, Side::Recipient);
    assert!(allowed(State::Returned).is_empty());
    let open = [Action::Sign, Action::Return];
    assert_eq!(allowed(State::Sent), open);
    assert_eq!(allowed(State::Assessed), [Action::Assess]);
}

#[test]
fn a_partner_that_always_names_the_same_predecessor_cannot_block_the_next_action() {
    let mut actions = vec![action(0, Action::Open, &[]), action(1, Action::Sign, &[0])];
    actions.extend((10..40).map(|id| action(id, Action::Assess, &[1])));
    let end = resolve(Lead, &actions);
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
            let actions: Vec<Event> = (0u8..)
                .zip(steps)
                .map(|(id, (step, follows))| action(id, STEPS[step], &follows))
                .collect();
            (Just(actions.clone()), Just(actions).prop_shuffle())
        }),
    ) {
        prop_assert_eq!(resolve(Lead, &actions), resolve(Lead, &shuffled));
    }
}
