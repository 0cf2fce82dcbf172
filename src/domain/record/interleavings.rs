//! Two nodes act from their own views while messages are late, out of order, repeated or lost.

use super::{
    Action, ActionHash, Event, Resolution, Side, Standing, State,
    world::{KIND, World, standing},
};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
enum Op {
    /// A step that is legal in the actor's own view.
    Act {
        by: Side,
        choice: u8,
        tie: u16,
    },
    /// Any step that names any of what its sender knows, or something that does not exist.
    Stray {
        by: Side,
        step: Action,
        follows: Vec<u8>,
        unknown: bool,
        tie: u16,
    },
    Deliver {
        pick: usize,
        again: bool,
    },
    Lose {
        pick: usize,
    },
}

fn side() -> impl Strategy<Value = Side> {
    prop::sample::select(Side::ALL.to_vec())
}

fn act() -> impl Strategy<Value = Op> {
    (side(), any::<u8>(), any::<u16>()).prop_map(|(by, choice, tie)| Op::Act { by, choice, tie })
}

fn stray() -> impl Strategy<Value = Op> {
    (
        side(),
        prop::sample::select(Action::ALL),
        vec(any::<u8>(), 0..3),
        prop::bool::weighted(0.1),
        any::<u16>(),
    )
        .prop_map(|(by, step, follows, unknown, tie)| Op::Stray {
            by,
            step,
            follows,
            unknown,
            tie,
        })
}

fn deliver() -> impl Strategy<Value = Op> {
    (any::<usize>(), prop::bool::weighted(0.2))
        .prop_map(|(pick, again)| Op::Deliver { pick, again })
}

/// Both sides keep to the table, as each sees it.
fn honest() -> impl Strategy<Value = Vec<Op>> {
    vec(prop_oneof![3 => act(), 2 => deliver()], 1..60)
}

/// Neither the parties nor the network keep to anything.
fn hostile() -> impl Strategy<Value = Vec<Op>> {
    let lose = any::<usize>().prop_map(|pick| Op::Lose { pick });
    vec(
        prop_oneof![4 => act(), 2 => stray(), 4 => deliver(), 1 => lose],
        1..50,
    )
}

/// Of what is allowed, seldom what ends the matter early, so that runs get far.
fn choose(allowed: &[Action], choice: u8) -> Option<Action> {
    let ends_early = choice > 240;
    let steps: Vec<_> = allowed
        .iter()
        .copied()
        .filter(|s| matches!(s, Action::Recall | Action::Forward) == ends_early)
        .collect();
    steps.get(usize::from(choice) % steps.len().max(1)).copied()
}

fn run(world: &mut World, ops: &[Op]) {
    for op in ops {
        match op {
            Op::Act { by, choice, tie } => {
                let allowed = KIND.allowed(world.view(*by).state, *by);
                // Where the referral has not arrived there is nothing to act on.
                let arrived = !world.known(*by).is_empty();
                if let Some(step) = choose(&allowed, *choice).filter(|_| arrived) {
                    world.act(*by, step, *tie);
                }
            }
            Op::Stray {
                by,
                step,
                follows,
                unknown,
                tie,
            } => {
                let known = world.known(*by);
                let mut predecessors: Vec<ActionHash> = follows
                    .iter()
                    .filter(|_| !known.is_empty())
                    .map(|i| known[usize::from(*i) % known.len()].hash)
                    .collect();
                predecessors.extend(unknown.then_some([0xff; 32]));
                world.send(*by, *step, predecessors, *tie);
            }
            Op::Deliver { pick, again } => world.deliver(*pick, *again),
            Op::Lose { pick } => world.lose(*pick),
        }
    }
}

/// What counts can be taken step by step through the table, each after all that it follows, and leads to the end.
fn check_sound(world: &World, view: &Resolution) {
    let actions = world.actions();
    let mut progress = State::Approved;
    let mut counted = BTreeSet::new();
    for hash in &view.applied {
        let action = actions[hash];
        progress = KIND.counts(progress, action.action, action.by).unwrap();
        let stands_alone = matches!(action.action, Action::Recall | Action::Correct);
        for follows in &action.predecessors {
            assert!(stands_alone || counted.contains(follows));
        }
        assert!(counted.insert(*hash), "counted twice");
    }
    assert_eq!(progress, view.state);
    for (hash, standing) in &view.standings {
        assert_eq!(*standing == Standing::Applied, counted.contains(hash));
    }
}

/// True where neither followed the other.
fn concurrent(world: &World, a: &Event, b: &Event) -> bool {
    !world.ancestors(a.hash).contains(&b.hash) && !world.ancestors(b.hash).contains(&a.hash)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Both nodes come to the same end, nothing waits, and a legal action loses only to the other side's at the same
    /// time.
    #[test]
    fn honest_parties_end_equal(ops in honest()) {
        let mut world = World::open();
        run(&mut world, &ops);
        let end = world.settle();
        check_sound(&world, &end);
        let actions = world.actions();
        for action in actions.values() {
            match standing(&end, action.hash) {
                Standing::Applied => {}
                Standing::Waiting => prop_assert!(false, "{action:?} waits"),
                Standing::Superseded => {
                    let winner = end.applied.iter().map(|hash| actions[hash]).find(|winner| {
                        winner.by != action.by && concurrent(&world, winner, action)
                    });
                    prop_assert!(winner.is_some(), "{action:?} lost to nothing");
                }
            }
        }
    }

    /// A recall that was legal where it was made is the end of the matter.
    #[test]
    fn a_recall_always_prevails(
        before in honest(),
        after in honest(),
        tie in any::<u16>(),
    ) {
        let mut world = World::open();
        run(&mut world, &before);
        let progress = world.view(Side::Originator).state;
        let allowed = KIND.allowed(progress, Side::Originator);
        prop_assume!(allowed.contains(&Action::Recall));
        let recall = world.act(Side::Originator, Action::Recall, tie);
        run(&mut world, &after);
        let end = world.settle();
        prop_assert_eq!(end.state, State::Recalled);
        prop_assert_eq!(standing(&end, recall), Standing::Applied);
    }

    /// What both nodes have settled, later actions do not unsettle.
    #[test]
    fn what_both_have_seen_stays(before in honest(), after in honest()) {
        let mut world = World::open();
        run(&mut world, &before);
        let settled = world.settle();
        run(&mut world, &after);
        let end = world.settle();
        prop_assert!(end.applied.starts_with(&settled.applied));
        for (hash, was) in &settled.standings {
            prop_assert_eq!(standing(&end, *hash), *was);
        }
    }

    /// Whatever the partner and the network do, an action waits only for what never arrived, and nodes that know the
    /// same say the same.
    #[test]
    fn hostile_parties_unsettle_nothing(ops in hostile()) {
        let mut world = World::open();
        // The referral itself arrives; without it, all the rest waits.
        world.deliver(0, false);
        run(&mut world, &ops);
        for side in Side::ALL {
            let view = world.view(side);
            check_sound(&world, &view);
            let known: BTreeSet<_> = world.known(side).iter().map(|a| a.hash).collect();
            for hash in &known {
                let missing = world.ancestors(*hash).iter().any(|a| !known.contains(a));
                prop_assert_eq!(standing(&view, *hash) == Standing::Waiting, missing);
            }
            let mut reversed = world.known(side).to_vec();
            reversed.reverse();
            prop_assert_eq!(super::resolve(KIND, &reversed), view);
        }
    }
}
