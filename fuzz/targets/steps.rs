//! What became of a record, from the actions on it in any order, against a model too simple to be wrong.

use super::input::Input;
use std::collections::{BTreeMap, BTreeSet};
use yichuan::domain::{
    ActionHash, Event, PREDECESSOR_LIMIT, Rank, RecordKind, Resolution, Side, Standing, State,
    resolve,
};

/// Actions on a lead or a referral: four bytes each.
pub(crate) fn history(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let kind = if input.flag() {
        RecordKind::Assistance
    } else {
        RecordKind::Lead
    };
    let all: BTreeSet<_> = kind.spec().table.iter().map(|line| line.action).collect();
    let all: Vec<_> = all.into_iter().collect();
    let mut actions: Vec<Event> = Vec::new();
    while !input.is_empty() && actions.len() < 24 {
        let action = input.pick(&all);
        let by = input.pick(&Side::ALL);
        let hash = [input.byte() % 32; 32];
        let follows = input.byte();
        let predecessors = match follows {
            // Whatever its maker saw.
            0..=127 => resolve(kind, &actions).heads,
            _ => (0..follows % 4).map(|_| [input.byte() % 32; 32]).collect(),
        };
        if actions.iter().any(|action| action.hash == hash) {
            continue;
        }
        actions.push(Event {
            hash,
            action,
            by,
            predecessors,
        });
    }
    let end = resolve(kind, &actions);
    assert_eq!(end, model(kind, &actions), "the model says otherwise");
    checked(kind, &actions, &end);

    let reversed: Vec<_> = actions.iter().rev().cloned().collect();
    assert_eq!(resolve(kind, &reversed), end, "in another order");
    let mut sorted = actions.clone();
    sorted.sort_by_key(|action| action.hash);
    let twice = [sorted, actions.clone()].concat();
    assert_eq!(resolve(kind, &twice), end, "sorted, and twice");
    next_action(kind, &actions, &end);
}

/// Every rule on its own.
fn checked(kind: RecordKind, actions: &[Event], end: &Resolution) {
    let by_hash: BTreeMap<_, _> = actions.iter().map(|a| (a.hash, a)).collect();
    assert_eq!(end.standings.len(), by_hash.len());
    let mut state = State::Approved;
    for hash in &end.applied {
        let action = by_hash[hash];
        state = kind
            .counts(state, action.action, action.by)
            .expect("an action of the table");
        assert_eq!(end.standings[hash], Standing::Applied);
    }
    assert_eq!(state, end.state);
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

/// Whoever has seen all that counts may take any action that the table allows, and it counts.
fn next_action(kind: RecordKind, actions: &[Event], end: &Resolution) {
    if end.heads.is_empty() || end.heads.len() == PREDECESSOR_LIMIT {
        return;
    }
    for by in Side::ALL {
        for action in kind.allowed(end.state, by) {
            let next = Event {
                hash: [0xff; 32],
                action,
                by,
                predecessors: end.heads.clone(),
            };
            let after = resolve(kind, &[actions, &[next]].concat());
            let counts = after.standings[&[0xff; 32]] == Standing::Applied;
            assert!(counts, "{by} takes {action:?} at {:?}", end.state);
        }
    }
}

/// The rules as they are written down, read over again for every decision.
fn model(kind: RecordKind, actions: &[Event]) -> Resolution {
    let mut standings: BTreeMap<ActionHash, Standing> = actions
        .iter()
        .map(|a| (a.hash, Standing::Waiting))
        .collect();
    let (mut state, mut applied) = (State::Approved, Vec::new());
    loop {
        let standing =
            |hash: &ActionHash| standings.get(hash).copied().unwrap_or(Standing::Waiting);
        let allowed = |a: &&Event| {
            let alone = matches!(a.action.rank(), Rank::Recall | Rank::Correction);
            let lost = a
                .predecessors
                .iter()
                .any(|h| standing(h) == Standing::Superseded);
            kind.counts(state, a.action, a.by).is_some() && (alone || !lost)
        };
        let known = |a: &&Event| {
            standing(&a.hash) == Standing::Waiting
                && a.predecessors
                    .iter()
                    .all(|h| standing(h) != Standing::Waiting)
                && (!applied.is_empty() || allowed(a))
        };
        let ready: Vec<_> = actions.iter().filter(known).collect();
        let first = |of: Vec<&Event>| {
            let first = of.into_iter().min_by_key(|a| (a.action.rank(), a.hash));
            first.map(|a| (a.hash, a.action, a.by))
        };
        let losers = ready.iter().copied().filter(|a| !allowed(a)).collect();
        if let Some((hash, ..)) = first(losers) {
            standings.insert(hash, Standing::Superseded);
        } else if let Some((hash, action, by)) = first(ready) {
            state = kind.counts(state, action, by).expect("allowed");
            applied.push(hash);
            standings.insert(hash, Standing::Applied);
        } else {
            break;
        }
    }
    let counts = |a: &&Event| applied.contains(&a.hash);
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
        state,
        standings,
        applied,
        heads,
    }
}
