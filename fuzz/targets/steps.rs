//! What became of a record, from the actions on it in any order, against a model too simple to be wrong.

use super::input::Input;
use std::collections::{BTreeMap, BTreeSet};
use yichuan::domain::{
    Action, ActionHash, LeadStep, PREDECESSOR_LIMIT, Rank, ReferralStep, Resolution, Side,
    Standing, Step, resolve,
};

/// Actions on a lead or a referral: four bytes each.
pub(crate) fn history(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    if input.flag() {
        let of_referrals = ReferralStep::TABLE.iter().map(|line| line.step);
        let all: BTreeSet<_> = of_referrals.collect();
        steps(&mut input, &all.into_iter().collect::<Vec<_>>());
    } else {
        steps(&mut input, &LeadStep::ALL);
    }
}

fn steps<S: Step>(input: &mut Input<'_>, all: &[S])
where
    S::Progress: PartialEq,
{
    let mut actions: Vec<Action<S>> = Vec::new();
    while !input.is_empty() && actions.len() < 24 {
        let step = input.pick(all);
        let by = input.pick(&Side::ALL);
        let hash = [input.byte() % 32; 32];
        let follows = input.byte();
        let predecessors = match follows {
            // Whatever its maker saw.
            0..=127 => resolve(&actions).heads,
            _ => (0..follows % 4).map(|_| [input.byte() % 32; 32]).collect(),
        };
        if actions.iter().any(|action| action.hash == hash) {
            continue;
        }
        actions.push(Action {
            hash,
            step,
            by,
            predecessors,
        });
    }
    let end = resolve(&actions);
    assert_eq!(end, model(&actions), "the model says otherwise");
    checked(&actions, &end);

    let reversed: Vec<_> = actions.iter().rev().cloned().collect();
    assert_eq!(resolve(&reversed), end, "in another order");
    let mut sorted = actions.clone();
    sorted.sort_by_key(|action| action.hash);
    let twice = [sorted, actions.clone()].concat();
    assert_eq!(resolve(&twice), end, "sorted, and twice");
    next_step(&actions, &end);
}

/// Every rule on its own.
fn checked<S: Step>(actions: &[Action<S>], end: &Resolution<S::Progress>) {
    let by_hash: BTreeMap<_, _> = actions.iter().map(|a| (a.hash, a)).collect();
    assert_eq!(end.standings.len(), by_hash.len());
    let mut progress = S::START;
    for hash in &end.applied {
        let action = by_hash[hash];
        progress = S::after(progress, action.step, action.by).expect("a step of the table");
        assert_eq!(end.standings[hash], Standing::Applied);
    }
    assert_eq!(progress, end.progress);
    let applied = end.standings.values().filter(|s| **s == Standing::Applied);
    assert_eq!(applied.count(), end.applied.len());
    assert!(end.heads.len() <= PREDECESSOR_LIMIT);
    for head in &end.heads {
        assert!(end.applied.contains(head));
        let followed = |hash: &ActionHash| by_hash[hash].predecessors.contains(head);
        assert!(
            !end.applied.iter().any(followed),
            "a head is followed by nothing that counts"
        );
    }
}

/// Whoever has seen all that counts may take any step that the table allows, and it counts.
fn next_step<S: Step>(actions: &[Action<S>], end: &Resolution<S::Progress>) {
    if end.heads.is_empty() || end.heads.len() == PREDECESSOR_LIMIT {
        return;
    }
    for by in Side::ALL {
        for step in S::allowed(end.progress, by) {
            let next = Action {
                hash: [0xff; 32],
                step,
                by,
                predecessors: end.heads.clone(),
            };
            let after = resolve(&[actions, &[next]].concat());
            let counts = after.standings[&[0xff; 32]] == Standing::Applied;
            assert!(counts, "{by} takes {step:?} at {:?}", end.progress);
        }
    }
}

/// The rules as they are written down, read over again for every decision.
fn model<S: Step>(actions: &[Action<S>]) -> Resolution<S::Progress> {
    let mut standings: BTreeMap<ActionHash, Standing> = actions
        .iter()
        .map(|a| (a.hash, Standing::Waiting))
        .collect();
    let (mut progress, mut applied) = (S::START, Vec::new());
    loop {
        let standing =
            |hash: &ActionHash| standings.get(hash).copied().unwrap_or(Standing::Waiting);
        let allowed = |a: &&Action<S>| {
            let alone = matches!(a.step.rank(), Rank::Recall | Rank::Correction);
            let lost = a
                .predecessors
                .iter()
                .any(|h| standing(h) == Standing::Superseded);
            S::after(progress, a.step, a.by).is_some() && (alone || !lost)
        };
        let known = |a: &&Action<S>| {
            standing(&a.hash) == Standing::Waiting
                && a.predecessors
                    .iter()
                    .all(|h| standing(h) != Standing::Waiting)
                && (!applied.is_empty() || allowed(a))
        };
        let ready: Vec<_> = actions.iter().filter(known).collect();
        let first = |of: Vec<&Action<S>>| {
            let first = of.into_iter().min_by_key(|a| (a.step.rank(), a.hash));
            first.map(|a| (a.hash, a.step, a.by))
        };
        let losers = ready.iter().copied().filter(|a| !allowed(a)).collect();
        if let Some((hash, ..)) = first(losers) {
            standings.insert(hash, Standing::Superseded);
        } else if let Some((hash, step, by)) = first(ready) {
            progress = S::after(progress, step, by).expect("allowed");
            applied.push(hash);
            standings.insert(hash, Standing::Applied);
        } else {
            break;
        }
    }
    let counts = |a: &&Action<S>| applied.contains(&a.hash);
    let followed: BTreeSet<_> = actions
        .iter()
        .filter(counts)
        .flat_map(|a| a.predecessors.clone())
        .collect();
    let heads: Vec<_> = applied
        .iter()
        .filter(|h| !followed.contains(*h))
        .copied()
        .collect();
    let heads = heads[heads.len().saturating_sub(PREDECESSOR_LIMIT)..].to_vec();
    Resolution {
        progress,
        standings,
        applied,
        heads,
    }
}
