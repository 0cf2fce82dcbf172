//! The one transition table of referrals.

use super::{ReferralProgress, ReferralStep};
use crate::domain::{Rank, Side, Step, Transition};

const fn line(
    from: ReferralProgress,
    step: ReferralStep,
    by: Side,
    to: ReferralProgress,
) -> Transition<ReferralStep> {
    Transition { from, step, by, to }
}

impl Step for ReferralStep {
    type Progress = ReferralProgress;

    /// Whatever reaches a partner was free to leave.
    const START: ReferralProgress = ReferralProgress::Approved;

    // Two rules keep concurrent actions harmless, and a line added here must keep them. Where both sides may move, what
    // the originator may do, other than correct and recall, is illegal after each move of the recipient's: so nobody
    // confirms feedback unseen. And a recall that was legal where it was made is legal wherever it may end up.
    // A line is taken away from nobody: what is in logs must go on to count. What may no longer be done is withheld
    // (`ReferralProgress::withheld`) where it is done and where it is admitted.
    const TABLE: &'static [Transition<Self>] = {
        use ReferralProgress::{
            Accepted, Approved, Closed, Confirmed, Disputed, Drafted, FeedbackGiven, Forwarded,
            InProgress, Recalled, Returned, Sent, SignedFor, SupplementRequested,
        };
        use ReferralStep::{
            Accept, Approve, Close, Confirm, Correct, Dispute, Feedback, Forward, Open, Progress,
            Recall, RequestSupplement, Resubmit, Return, Sign, Supply,
        };
        use Side::{Originator, Recipient};
        &[
            line(Drafted, Approve, Originator, Approved),
            line(Drafted, Recall, Originator, Recalled),
            line(Approved, Open, Originator, Sent),
            line(Sent, Sign, Recipient, SignedFor),
            line(Sent, Correct, Originator, Sent),
            line(Sent, Recall, Originator, Recalled),
            line(SignedFor, Accept, Recipient, Accepted),
            line(SignedFor, RequestSupplement, Recipient, SupplementRequested),
            line(SignedFor, Return, Recipient, Returned),
            line(SignedFor, Forward, Recipient, Forwarded),
            line(SignedFor, Correct, Originator, SignedFor),
            line(SignedFor, Recall, Originator, Recalled),
            line(SupplementRequested, Supply, Originator, SignedFor),
            line(SupplementRequested, Return, Recipient, Returned),
            line(SupplementRequested, Forward, Recipient, Forwarded),
            line(
                SupplementRequested,
                Correct,
                Originator,
                SupplementRequested,
            ),
            line(SupplementRequested, Recall, Originator, Recalled),
            line(Returned, Resubmit, Originator, Sent),
            line(Returned, Recall, Originator, Recalled),
            line(Forwarded, Recall, Originator, Recalled),
            line(Accepted, Progress, Recipient, InProgress),
            line(Accepted, Feedback, Recipient, FeedbackGiven),
            line(Accepted, Correct, Originator, Accepted),
            line(Accepted, Recall, Originator, Recalled),
            line(InProgress, Progress, Recipient, InProgress),
            line(InProgress, Feedback, Recipient, FeedbackGiven),
            line(InProgress, Correct, Originator, InProgress),
            line(InProgress, Recall, Originator, Recalled),
            line(FeedbackGiven, Confirm, Originator, Confirmed),
            line(FeedbackGiven, Dispute, Originator, Disputed),
            line(Disputed, Progress, Recipient, InProgress),
            line(Disputed, Feedback, Recipient, FeedbackGiven),
            line(Disputed, Close, Originator, Closed),
            line(Confirmed, Close, Originator, Closed),
        ]
    };

    fn rank(self) -> Rank {
        self.precedence()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Lang,
        referral::{ReferralKind, Withheld},
    };
    use std::collections::BTreeSet;

    /// Where a referral can get to from here.
    fn reachable(from: ReferralProgress) -> BTreeSet<ReferralProgress> {
        reachable_by(&Side::ALL, from)
    }

    /// Where these sides alone can get it to.
    fn reachable_by(sides: &[Side], from: ReferralProgress) -> BTreeSet<ReferralProgress> {
        let mut seen = BTreeSet::from([from]);
        loop {
            let lines = ReferralStep::TABLE.iter();
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
        let lines: BTreeSet<_> = ReferralStep::TABLE
            .iter()
            .map(|l| (l.from, l.step, l.by))
            .collect();
        assert_eq!(lines.len(), ReferralStep::TABLE.len());
    }

    #[test]
    fn each_step_is_one_sides_alone() {
        for step in ReferralStep::ALL {
            let lines = ReferralStep::TABLE.iter().filter(|l| l.step == *step);
            let sides: BTreeSet<_> = lines.map(|l| l.by).collect();
            assert_eq!(sides.len(), 1, "{step}");
        }
    }

    #[test]
    fn every_state_is_reached_and_none_is_a_trap() {
        let from_draft = reachable(ReferralKind::Transfer.start());
        assert!(ReferralProgress::ALL.iter().all(|p| from_draft.contains(p)));
        let ends: Vec<_> = ReferralProgress::ALL
            .iter()
            .filter(|p| p.is_final())
            .collect();
        assert_eq!(
            ends,
            [&ReferralProgress::Closed, &ReferralProgress::Recalled]
        );
        for progress in ReferralProgress::ALL {
            assert!(
                reachable(*progress).iter().any(|p| p.is_final()),
                "{progress}"
            );
        }
    }

    #[test]
    fn only_open_begins_what_the_two_nodes_share() {
        let begins = ReferralStep::allowed(ReferralStep::START, Side::Originator);
        assert_eq!(begins, [ReferralStep::Open]);
        assert!(ReferralStep::allowed(ReferralStep::START, Side::Recipient).is_empty());
        let shared = reachable(ReferralStep::START);
        let travels = |l: &&Transition<ReferralStep>| shared.contains(&l.from);
        assert!(
            ReferralStep::TABLE
                .iter()
                .filter(travels)
                .all(|l| !l.step.is_local())
        );
    }

    #[test]
    fn the_originator_answers_only_what_it_has_seen() {
        for theirs in ReferralStep::TABLE
            .iter()
            .filter(|l| l.by == Side::Recipient)
        {
            for ours in ReferralStep::allowed(theirs.from, Side::Originator) {
                let unseen = ReferralStep::after(theirs.to, ours, Side::Originator);
                let may = matches!(ours.rank(), Rank::Recall | Rank::Correction);
                assert!(
                    may || unseen.is_none(),
                    "{ours} after {} unseen",
                    theirs.step
                );
            }
        }
    }

    #[test]
    fn a_recall_survives_the_loss_of_the_step_before_it() {
        let recallable = |p: &ReferralProgress| {
            ReferralStep::allowed(*p, Side::Originator).contains(&ReferralStep::Recall)
        };
        let mut tried = 0;
        for ours in ReferralStep::TABLE
            .iter()
            .filter(|l| l.by == Side::Originator)
        {
            let then_recalls = reachable_by(&[Side::Originator], ours.to)
                .iter()
                .any(recallable);
            let contested = !ReferralStep::allowed(ours.from, Side::Recipient).is_empty();
            if ours.step.rank() == Rank::Other && then_recalls && contested {
                tried += 1;
                for theirs in reachable_by(&[Side::Recipient], ours.from) {
                    assert!(recallable(&theirs), "{} loses to {theirs}", ours.step);
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
        for line in ReferralStep::TABLE
            .iter()
            .filter(|l| l.step == ReferralStep::Correct)
        {
            assert_eq!(line.from, line.to);
        }
    }

    #[test]
    fn what_is_illegal_is_refused_with_what_is_legal() {
        use ReferralKind::Assistance;
        let refused =
            ReferralProgress::SignedFor.after(Assistance, ReferralStep::Confirm, Side::Originator);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "a referral that is signed_for takes no confirm from its originator; allowed now: \
             correct, recall by its originator; \
             accept, request_supplement, return, forward by its recipient"
        );
        let refused =
            ReferralProgress::Closed.after(Assistance, ReferralStep::Recall, Side::Originator);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "a referral that is closed takes no recall from its originator; allowed now: nothing"
        );
        let by_the_wrong_side =
            ReferralProgress::Sent.after(Assistance, ReferralStep::Sign, Side::Originator);
        assert!(by_the_wrong_side.is_err());
    }

    #[test]
    fn a_transfer_leaves_only_when_approved() {
        for kind in ReferralKind::ALL {
            let open =
                |from: ReferralProgress| from.after(*kind, ReferralStep::Open, Side::Originator);
            let start = kind.start();
            if *kind == ReferralKind::Transfer {
                assert!(open(start).is_err());
                let approved = start.after(*kind, ReferralStep::Approve, Side::Originator);
                assert!(open(approved.unwrap()).is_ok());
            } else {
                assert!(open(start).is_ok());
            }
        }
    }

    /// Regression: the originator alone closed a transfer that it disputed, and recalled one that was taken over.
    #[test]
    fn regression_one_side_alone_ends_no_dispute_over_a_transfer_and_recalls_none_taken_over() {
        use ReferralKind::{Assistance, Transfer};
        use ReferralProgress::{Accepted, Disputed, InProgress};
        for (from, step, rule, now) in [
            (
                Disputed,
                ReferralStep::Close,
                Withheld::Disputed,
                "progress, feedback by its recipient",
            ),
            (
                Accepted,
                ReferralStep::Recall,
                Withheld::TakenOver,
                "correct by its originator",
            ),
            (
                InProgress,
                ReferralStep::Recall,
                Withheld::TakenOver,
                "correct by its originator",
            ),
        ] {
            let refused = from.after(Transfer, step, Side::Originator).unwrap_err();
            assert_eq!(refused.withheld(), Some(rule));
            let words = refused.to_string();
            assert!(words.contains("arts. 22 and 356"), "{words}");
            assert!(words.contains(&format!("allowed now: {now}")), "{words}");
            assert!(!from.allowed(Transfer, Side::Originator).contains(&step));
            // Of its own request for help the originator disposes.
            assert!(from.after(Assistance, step, Side::Originator).is_ok());
            // What a log already has goes on to count.
            assert!(ReferralStep::after(from, step, Side::Originator).is_some());
        }
    }

    /// Nothing is withheld that would leave a referral where nobody can end it.
    #[test]
    fn no_kind_of_referral_is_ever_stuck() {
        for kind in ReferralKind::ALL {
            for from in reachable(kind.start()) {
                let mut seen = BTreeSet::from([from]);
                loop {
                    let next: Vec<_> = seen
                        .iter()
                        .flat_map(|at| Side::ALL.map(|by| (*at, by)))
                        .flat_map(|(at, by)| {
                            let steps = at.allowed(*kind, by).into_iter();
                            steps.map(move |step| at.after(*kind, step, by).unwrap())
                        })
                        .collect();
                    let before = seen.len();
                    seen.extend(next);
                    if seen.len() == before {
                        break;
                    }
                }
                assert!(seen.iter().any(|p| p.is_final()), "{kind} {from}");
            }
        }
    }

    #[test]
    fn keys_and_chinese_terms_read_back() {
        for step in ReferralStep::ALL {
            assert_eq!(step.as_str().parse(), Ok(*step));
            assert_eq!(step.label(Lang::Zh).parse(), Ok(*step));
        }
        for progress in ReferralProgress::ALL {
            assert_eq!(progress.as_str().parse(), Ok(*progress));
            assert_eq!(progress.label(Lang::Zh).parse(), Ok(*progress));
        }
        for kind in ReferralKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
            assert_eq!(kind.label(Lang::Zh).parse(), Ok(*kind));
        }
    }
}
