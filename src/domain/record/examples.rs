//! Whole cases, and each rule of concurrent actions by name.

use super::{
    Action as S, Family, RecordKind,
    Side::{self, Originator, Recipient},
    Standing::{Applied, Superseded, Waiting},
    State as P,
    world::{World, standing},
};

/// A supplement, a return and a new attempt, two interim feedbacks and a dispute.
const WHOLE_CASE: [(Side, S, P); 18] = [
    (Recipient, S::Sign, P::SignedFor),
    (Recipient, S::RequestSupplement, P::SupplementRequested),
    (Originator, S::Supply, P::SignedFor),
    (Recipient, S::Return, P::Returned),
    (Originator, S::Resubmit, P::Sent),
    (Recipient, S::Sign, P::SignedFor),
    (Recipient, S::Accept, P::Accepted),
    (Recipient, S::Progress, P::InProgress),
    (Originator, S::Correct, P::InProgress),
    (Recipient, S::Progress, P::InProgress),
    (Recipient, S::Feedback, P::FeedbackGiven),
    (Originator, S::Dispute, P::Disputed),
    (Recipient, S::Progress, P::InProgress),
    (Recipient, S::Feedback, P::FeedbackGiven),
    (Originator, S::Dispute, P::Disputed),
    (Recipient, S::Feedback, P::FeedbackGiven),
    (Originator, S::Confirm, P::Confirmed),
    (Originator, S::Close, P::Closed),
];

#[test]
fn a_whole_case_runs_from_sending_to_closing() {
    for kind in Family::Referral.kinds() {
        let mut progress = kind.start();
        if kind == RecordKind::Transfer {
            progress = kind.after(progress, S::Approve, Originator).unwrap();
        }
        assert_eq!(kind.after(progress, S::Open, Originator), Ok(P::Sent));
    }
    let mut world = World::open();
    world.settle();
    for (side, step, expected) in WHOLE_CASE {
        for kind in Family::Referral.kinds() {
            let before = world.view(side).state;
            assert_eq!(kind.after(before, step, side), Ok(expected));
        }
        world.act(side, step, 0);
        assert_eq!(world.settle().state, expected, "{step}");
    }
    let end = world.settle();
    assert_eq!(end.applied.len(), WHOLE_CASE.len() + 1);
    assert!(RecordKind::Assistance.is_final(end.state));
}

const SIGNED_FOR: &[(Side, S)] = &[(Recipient, S::Sign)];
const ASKED: &[(Side, S)] = &[(Recipient, S::Sign), (Recipient, S::RequestSupplement)];
const ACCEPTED: &[(Side, S)] = &[(Recipient, S::Sign), (Recipient, S::Accept)];
const DISPUTED: &[(Side, S)] = &[
    (Recipient, S::Sign),
    (Recipient, S::Accept),
    (Recipient, S::Feedback),
    (Originator, S::Dispute),
];

/// A referral with which this was done, and both nodes have seen it.
fn after(steps: &[(Side, S)]) -> World {
    let mut world = World::open();
    world.settle();
    take(&mut world, steps);
    world
}

/// One step after the other, each seen by both nodes before the next.
fn take(world: &mut World, steps: &[(Side, S)]) {
    for (side, step) in steps {
        world.act(*side, *step, 0);
        world.settle();
    }
}

#[test]
fn recall_prevails_over_everything_done_at_the_same_time() {
    for theirs in [S::Accept, S::RequestSupplement, S::Return, S::Forward] {
        let mut world = after(SIGNED_FOR);
        let recall = world.act(Originator, S::Recall, 9);
        let lost = world.act(Recipient, theirs, 0);
        let end = world.settle();
        assert_eq!(end.state, P::Recalled);
        assert_eq!(standing(&end, recall), Applied);
        assert_eq!(standing(&end, lost), Superseded, "{theirs}");
    }
}

#[test]
fn recall_undoes_all_that_was_built_in_ignorance_of_it() {
    let mut world = after(ACCEPTED);
    world.act(Originator, S::Recall, 9);
    let lost = [S::Progress, S::Progress, S::Feedback].map(|s| world.act(Recipient, s, 0));
    let end = world.settle();
    assert_eq!(end.state, P::Recalled);
    assert!(lost.iter().all(|hash| standing(&end, *hash) == Superseded));
}

#[test]
fn recall_prevails_even_after_a_step_of_its_own_side_that_lost() {
    let mut world = after(ASKED);
    let supply = world.act(Originator, S::Supply, 0);
    let recall = world.act(Originator, S::Recall, 0);
    let returned = world.act(Recipient, S::Return, 9);
    let end = world.settle();
    assert_eq!(standing(&end, supply), Superseded);
    assert_eq!(standing(&end, returned), Applied);
    assert_eq!(standing(&end, recall), Applied);
    assert_eq!(end.state, P::Recalled);
}

#[test]
fn a_correction_counts_before_a_return_and_both_stand() {
    let mut world = after(SIGNED_FOR);
    let corrected = world.act(Originator, S::Correct, 9);
    let returned = world.act(Recipient, S::Return, 0);
    let end = world.settle();
    assert_eq!(end.state, P::Returned);
    assert_eq!(end.applied[end.applied.len() - 2..], [corrected, returned]);
}

#[test]
fn what_comes_after_two_concurrent_actions_names_both() {
    let mut world = after(ACCEPTED);
    let corrected = world.act(Originator, S::Correct, 9);
    let noted = world.act(Recipient, S::Progress, 0);
    assert_eq!(world.settle().heads, [corrected, noted]);
    let feedback = world.act(Recipient, S::Feedback, 0);
    assert_eq!(world.actions()[&feedback].predecessors, [corrected, noted]);
    assert_eq!(world.settle().heads, [feedback]);
}

#[test]
fn a_return_prevails_over_a_supplement_at_the_same_time() {
    let mut world = after(ASKED);
    let supply = world.act(Originator, S::Supply, 0);
    let returned = world.act(Recipient, S::Return, 9);
    let end = world.settle();
    assert_eq!(end.state, P::Returned);
    assert_eq!(standing(&end, supply), Superseded);
    assert_eq!(standing(&end, returned), Applied);
}

#[test]
fn among_equals_the_lower_hash_prevails() {
    for (close, feedback, end) in [(1, 2, P::Closed), (2, 1, P::FeedbackGiven)] {
        let mut world = after(DISPUTED);
        world.act(Originator, S::Close, close);
        world.act(Recipient, S::Feedback, feedback);
        assert_eq!(world.settle().state, end);
    }
}

#[test]
fn what_relied_on_a_loser_is_lost_with_it() {
    let mut world = after(DISPUTED);
    world.act(Originator, S::Close, 1);
    let noted = world.act(Recipient, S::Progress, 2);
    let feedback = world.act(Recipient, S::Feedback, 0);
    let end = world.settle();
    assert_eq!(end.state, P::Closed);
    assert_eq!(standing(&end, noted), Superseded);
    assert_eq!(standing(&end, feedback), Superseded);
}

/// The supplement lost to the return. In the new attempt the recipient asks for a supplement again: the old one must
/// not come back to answer it, though the table would have it and its hash is the highest of all.
#[test]
fn a_loser_does_not_come_back_in_a_new_attempt() {
    let mut world = after(ASKED);
    let supply = world.act(Originator, S::Supply, u16::MAX);
    world.act(Recipient, S::Return, 0);
    assert_eq!(standing(&world.settle(), supply), Superseded);
    let again = [
        (Originator, S::Resubmit),
        (Recipient, S::Sign),
        (Recipient, S::RequestSupplement),
    ];
    take(&mut world, &again);
    let end = world.settle();
    assert_eq!(end.state, P::SupplementRequested);
    assert_eq!(standing(&end, supply), Superseded);
}

#[test]
fn an_action_waits_for_what_it_follows_and_then_counts() {
    let mut world = World::open();
    world.settle();
    world.act(Recipient, S::Sign, 0);
    let accepted = world.act(Recipient, S::Accept, 0);
    world.deliver(1, false);
    let early = world.view(Originator);
    assert_eq!(
        (early.state, standing(&early, accepted)),
        (P::Sent, Waiting)
    );
    assert_eq!(early.heads.len(), 1);
    assert_eq!(world.settle().state, P::Accepted);
}

#[test]
fn a_partner_that_breaks_the_table_changes_nothing() {
    let mut world = after(SIGNED_FOR);
    let heads = world.view(Recipient).heads;
    let open = vec![world.view(Recipient).applied[0]];
    let strays = [
        world.send(Recipient, S::Confirm, heads.clone(), 0),
        world.send(Recipient, S::Recall, heads.clone(), 0),
        world.send(Recipient, S::Supply, heads.clone(), 0),
        world.send(Recipient, S::Approve, heads.clone(), 0),
        world.send(Recipient, S::Open, Vec::new(), 0),
        world.send(Originator, S::Accept, heads, 0),
        world.send(Originator, S::Close, open, 0),
    ];
    let end = world.settle();
    assert_eq!(end.state, P::SignedFor);
    assert!(
        strays
            .iter()
            .all(|hash| standing(&end, *hash) == Superseded)
    );
}
