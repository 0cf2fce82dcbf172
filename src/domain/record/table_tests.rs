//! The rules that hold for every table.

use super::*;
use crate::domain::Lang;
use crate::domain::record::{Family, RecordKind, Withheld};
use std::collections::BTreeSet;

/// Assistances and transfers have one table.
const KIND: RecordKind = RecordKind::Assistance;

/// What the table has, withheld or not.
fn allowed(state: State, by: Side) -> Vec<Action> {
    let lines = REFERRAL.iter().filter(|l| l.from == state && l.by == by);
    lines.map(|l| l.action).collect()
}

/// The states that the table has.
fn states() -> BTreeSet<State> {
    REFERRAL.iter().flat_map(|l| [l.from, l.to]).collect()
}

/// Where a referral can get to from here.
fn reachable(from: State) -> BTreeSet<State> {
    reachable_by(&Side::ALL, from)
}

/// Where these sides alone can get it to.
fn reachable_by(sides: &[Side], from: State) -> BTreeSet<State> {
    let mut seen = BTreeSet::from([from]);
    loop {
        let lines = REFERRAL.iter();
        let next: Vec<_> = lines
            .filter(|l| seen.contains(&l.from) && sides.contains(&l.by))
            .map(|l| l.to)
            .collect();
        let before = seen.len();
        seen.extend(next);
        if seen.len() == before {
            return seen;
        }
    }
}

#[test]
fn no_two_lines_say_different_things() {
    let lines: BTreeSet<_> = REFERRAL.iter().map(|l| (l.from, l.action, l.by)).collect();
    assert_eq!(lines.len(), REFERRAL.len());
}

#[test]
fn each_step_is_one_sides_alone() {
    for step in REFERRAL.iter().map(|l| l.action) {
        let lines = REFERRAL.iter().filter(|l| l.action == step);
        let sides: BTreeSet<_> = lines.map(|l| l.by).collect();
        assert_eq!(sides.len(), 1, "{step}");
    }
}

#[test]
fn every_state_is_reached_and_none_is_a_trap() {
    let from_draft = reachable(RecordKind::Transfer.start());
    assert_eq!(from_draft, states());
    // Each state is of some table, or what a partner's proof makes of one.
    let seen = Family::ALL.iter().flat_map(|family| family.states());
    let seen: BTreeSet<_> = seen.chain([State::Approved]).collect();
    assert_eq!(seen.len(), State::ALL.len());
    let ends: Vec<_> = states().into_iter().filter(|p| KIND.is_final(*p)).collect();
    assert_eq!(ends, [State::Closed, State::Recalled]);
    for progress in states() {
        assert!(
            reachable(progress).iter().any(|p| KIND.is_final(*p)),
            "{progress}"
        );
    }
}

#[test]
fn only_open_begins_what_the_two_nodes_share() {
    let begins = allowed(State::Approved, Side::Originator);
    assert_eq!(begins, [Action::Open]);
    assert!(allowed(State::Approved, Side::Recipient).is_empty());
    let shared = reachable(State::Approved);
    let travels = |l: &&Transition| shared.contains(&l.from);
    assert!(
        REFERRAL
            .iter()
            .filter(travels)
            .all(|l| !l.action.is_local())
    );
}

#[test]
fn the_originator_answers_only_what_it_has_seen() {
    for theirs in REFERRAL.iter().filter(|l| l.by == Side::Recipient) {
        for ours in allowed(theirs.from, Side::Originator) {
            let unseen = KIND.counts(theirs.to, ours, Side::Originator);
            let may = matches!(ours.rank(), Rank::Recall | Rank::Correction);
            assert!(
                may || unseen.is_none(),
                "{ours} after {} unseen",
                theirs.action
            );
        }
    }
}

#[test]
fn a_recall_survives_the_loss_of_the_step_before_it() {
    let recallable = |p: &State| allowed(*p, Side::Originator).contains(&Action::Recall);
    let mut tried = 0;
    for ours in REFERRAL.iter().filter(|l| l.by == Side::Originator) {
        let then_recalls = reachable_by(&[Side::Originator], ours.to)
            .iter()
            .any(recallable);
        let contested = !allowed(ours.from, Side::Recipient).is_empty();
        if ours.action.rank() == Rank::Other && then_recalls && contested {
            tried += 1;
            for theirs in reachable_by(&[Side::Recipient], ours.from) {
                assert!(recallable(&theirs), "{} loses to {theirs}", ours.action);
            }
        }
    }
    assert!(
        tried > 0,
        "no step of the originator's can be lost before a recall"
    );
}

#[test]
fn a_correction_changes_no_state() {
    for line in REFERRAL.iter().filter(|l| l.action == Action::Correct) {
        assert_eq!(line.from, line.to);
    }
}

#[test]
fn what_is_illegal_is_refused_with_what_is_legal() {
    use RecordKind::Assistance;
    let refused = Assistance.after(State::SignedFor, Action::Confirm, Side::Originator);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "a referral that is signed_for takes no confirm from its originator; allowed now: \
         correct, recall by its originator; \
         accept, request_supplement, return, forward by its recipient"
    );
    let refused = Assistance.after(State::Closed, Action::Recall, Side::Originator);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "a referral that is closed takes no recall from its originator; allowed now: nothing"
    );
    let by_the_wrong_side = Assistance.after(State::Sent, Action::Sign, Side::Originator);
    assert!(by_the_wrong_side.is_err());
}

#[test]
fn a_transfer_leaves_only_when_approved() {
    for kind in Family::Referral.kinds() {
        let open = |from: State| kind.after(from, Action::Open, Side::Originator);
        let start = kind.start();
        if kind == RecordKind::Transfer {
            assert!(open(start).is_err());
            let approved = kind.after(start, Action::Approve, Side::Originator);
            assert!(open(approved.unwrap()).is_ok());
        } else {
            assert!(open(start).is_ok());
        }
    }
}

/// Regression: the originator alone closed a transfer that it disputed, and recalled one that was taken over.
#[test]
fn regression_one_side_alone_ends_no_dispute_over_a_transfer_and_recalls_none_taken_over() {
    use RecordKind::{Assistance, Transfer};
    use State::{Accepted, Disputed, InProgress};
    for (from, step, rule, now) in [
        (
            Disputed,
            Action::Close,
            Withheld::Disputed,
            "progress, feedback by its recipient",
        ),
        (
            Accepted,
            Action::Recall,
            Withheld::TakenOver,
            "correct by its originator",
        ),
        (
            InProgress,
            Action::Recall,
            Withheld::TakenOver,
            "correct by its originator",
        ),
    ] {
        let refused = Transfer.after(from, step, Side::Originator).unwrap_err();
        assert_eq!(refused.withheld(), Some(rule));
        let words = refused.to_string();
        assert!(words.contains("arts. 22 and 356"), "{words}");
        assert!(words.contains(&format!("allowed now: {now}")), "{words}");
        assert!(!Transfer.allowed(from, Side::Originator).contains(&step));
        // Of its own request for help the originator disposes.
        assert!(Assistance.after(from, step, Side::Originator).is_ok());
        // What a log already has goes on to count.
        assert!(KIND.counts(from, step, Side::Originator).is_some());
    }
}

/// Nothing is withheld that would leave a referral where nobody can end it.
#[test]
fn no_kind_of_referral_is_ever_stuck() {
    for kind in Family::Referral.kinds() {
        for from in reachable(kind.start()) {
            let mut seen = BTreeSet::from([from]);
            loop {
                let next: Vec<_> = seen
                    .iter()
                    .flat_map(|at| Side::ALL.map(|by| (*at, by)))
                    .flat_map(|(at, by)| {
                        let steps = kind.allowed(at, by).into_iter();
                        steps.map(move |step| kind.after(at, step, by).unwrap())
                    })
                    .collect();
                let before = seen.len();
                seen.extend(next);
                if seen.len() == before {
                    break;
                }
            }
            assert!(seen.iter().any(|p| KIND.is_final(*p)), "{kind} {from}");
        }
    }
}

#[test]
fn keys_and_chinese_terms_read_back() {
    for step in Action::ALL {
        assert_eq!(step.as_str().parse(), Ok(*step));
        assert_eq!(step.label(Lang::Zh).parse(), Ok(*step));
    }
    for progress in State::ALL {
        assert_eq!(progress.as_str().parse(), Ok(*progress));
        assert_eq!(progress.label(Lang::Zh).parse(), Ok(*progress));
    }
    for kind in Family::Referral.kinds() {
        assert_eq!(kind.as_str().parse(), Ok(kind));
        assert_eq!(kind.label(Lang::Zh).parse(), Ok(kind));
    }
}
