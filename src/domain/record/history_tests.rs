//! Resolving, held against the rule as it reads: one action a round.

use super::*;
use crate::domain::record::Transition;
use proptest::prelude::*;
use std::cell::Cell;

/// The rule, in as many rounds as actions, each of which looks at all of them.
fn by_rounds(actions: &[Event]) -> (State, Vec<ActionHash>, Vec<Standing>) {
    let unique: BTreeMap<ActionHash, &Event> = actions.iter().map(|a| (a.hash, a)).collect();
    let mut standings: BTreeMap<_, _> = unique.keys().map(|h| (*h, Standing::Waiting)).collect();
    let mut open: Vec<&Event> = unique.into_values().collect();
    open.sort_by_key(|action| (action.action.rank(), action.hash));
    let (mut state, mut applied) = (State::Approved, Vec::new());
    loop {
        let standing =
            |hash: &ActionHash| standings.get(hash).copied().unwrap_or(Standing::Waiting);
        let next = |action: &Event| {
            let relies_on_a_loser = !action.action.rank().stands_alone()
                && action
                    .predecessors
                    .iter()
                    .any(|hash| standing(hash) == Standing::Superseded);
            KIND.counts(state, action.action, action.by)
                .filter(|_| !relies_on_a_loser)
        };
        let ready = |action: &&Event| {
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
        match next(action) {
            Some(next) => {
                state = next;
                applied.push(action.hash);
                standings.insert(action.hash, Standing::Applied);
            }
            None => {
                standings.insert(action.hash, Standing::Superseded);
            }
        }
        open.retain(|other| other.hash != action.hash);
    }
    (state, applied, standings.into_values().collect())
}

const KIND: RecordKind = RecordKind::Assistance;

fn all_steps() -> Vec<(Action, Side)> {
    let mut all: Vec<(Action, Side)> = Vec::new();
    for Transition { action, .. } in KIND.spec().table {
        for by in Side::ALL {
            if !all.contains(&(*action, by)) {
                all.push((*action, by));
            }
        }
    }
    all
}

/// Actions that mostly follow some before them, sometimes one after them, themselves or nobody.
fn histories() -> impl Strategy<Value = Vec<Event>> {
    let steps = all_steps();
    let one = (
        0..steps.len(),
        prop::collection::vec(any::<u8>(), 0..4),
        any::<u8>(),
    );
    prop::collection::vec(one, 1..40).prop_map(move |drawn| {
        let many = drawn.len();
        let hash = |salt: u8, nth: usize| {
            let mut hash = [u8::try_from(nth).unwrap(); 32];
            // Their order by hash is not the order in which they were taken.
            hash[0] = salt;
            hash
        };
        let salts: Vec<u8> = drawn.iter().map(|(_, _, salt)| *salt).collect();
        let named = |nth: usize, at: u8| match at {
            0..=220 => Some(nth.saturating_sub(1 + usize::from(at) % 4)),
            221..=250 => Some(usize::from(at) % many),
            _ => None,
        };
        (0..many)
            .zip(drawn)
            .map(|(nth, (step, follows, salt))| Event {
                hash: hash(salt, nth),
                // The first mostly opens the record.
                action: if nth == 0 {
                    Action::Open
                } else {
                    steps[step].0
                },
                by: if nth == 0 {
                    Side::Originator
                } else {
                    steps[step].1
                },
                predecessors: follows
                    .into_iter()
                    .filter(|_| nth > 0)
                    .map(|at| match named(nth, at) {
                        Some(other) => hash(salts[other], other),
                        None => [0xff; 32],
                    })
                    .collect(),
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn it_comes_to_what_the_rule_comes_to_round_by_round(actions in histories()) {
        let end = resolve(KIND, &actions);
        let standings: Vec<_> = end.standings.into_values().collect();
        prop_assert_eq!((end.state, end.applied, standings), by_rounds(&actions));
    }
}

/// Regression: each round looked at all actions that were left, and at all that they follow. A partner could hold up the
/// log's only writer with a few hundred corrections.
#[test]
fn regression_a_long_history_is_not_gone_through_for_each_action() {
    const LONG: u16 = 1_000;
    let hash = |nth: u16| {
        let mut hash = [0; 32];
        hash[..2].copy_from_slice(&nth.to_be_bytes());
        hash
    };
    let mut actions = vec![Event {
        hash: hash(0),
        action: Action::Open,
        by: Side::Originator,
        predecessors: Vec::new(),
    }];
    for nth in 1..LONG {
        let mut predecessors: Vec<_> = (0..nth.min(7)).map(hash).collect();
        predecessors.push(hash(nth - 1));
        actions.push(Event {
            hash: hash(nth),
            action: Action::Correct,
            by: Side::Originator,
            predecessors,
        });
    }
    let looked_up = Cell::new(0);
    // A rule that counts how often it is asked.
    let after = |state, action, _| {
        looked_up.set(looked_up.get() + 1);
        let is_open = state != State::Approved;
        (is_open != (action == Action::Open)).then_some(State::Sent)
    };
    let end = resolve_by(after, &actions);
    assert_eq!(end.applied.len(), usize::from(LONG));
    assert_eq!(end.heads, [hash(LONG - 1)]);
    let looked_up = looked_up.get();
    assert!(looked_up <= 8 * usize::from(LONG), "{looked_up}");
}
