//! The transition tables: which action is taken when, and by whom.

use super::{Action, State};
use std::fmt;

/// The two parties to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The jurisdiction that opened it, 发起方.
    Originator,
    /// The jurisdiction that it was sent to, 接收方.
    Recipient,
}

impl Side {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Originator, Self::Recipient];

    /// The stable key: `originator` or `recipient`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Originator => "originator",
            Self::Recipient => "recipient",
        }
    }

    /// The Chinese term.
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Originator => "发起方",
            Self::Recipient => "接收方",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Originator => Self::Recipient,
            Self::Recipient => Self::Originator,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which of several concurrent actions prevails: the first here, and among equals the one with the lower hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// 撤回.
    Recall,
    /// 更正.
    Correction,
    /// 退回.
    Return,
    /// Every other step.
    Other,
}

impl Rank {
    /// True where an action counts even though one that it follows was superseded. A recall or a correction says what
    /// the originator wants now, whatever became of the step before it; any other step was taken in a belief that
    /// proved false.
    pub(super) const fn stands_alone(self) -> bool {
        match self {
            Self::Recall | Self::Correction => true,
            Self::Return | Self::Other => false,
        }
    }
}

/// One line of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Where the record stands.
    pub from: State,
    /// What is done.
    pub action: Action,
    /// Who may do it.
    pub by: Side,
    /// Where the record stands after it.
    pub to: State,
}

const fn line(from: State, action: Action, by: Side, to: State) -> Transition {
    Transition {
        from,
        action,
        by,
        to,
    }
}

/// Of leads. At most one line for each `from`, `action` and `by`, here as in all tables.
pub(super) const LEAD: &[Transition] = {
    use Action::{Assess, Open, Return, Sign};
    use Side::{Originator, Recipient};
    use State::{Approved, Assessed, Returned, Sent, SignedFor};
    &[
        line(Approved, Open, Originator, Sent),
        line(Sent, Sign, Recipient, SignedFor),
        line(Sent, Return, Recipient, Returned),
        line(SignedFor, Assess, Recipient, Assessed),
        line(SignedFor, Return, Recipient, Returned),
        line(Assessed, Assess, Recipient, Assessed),
    ]
};

/// Of arrest notices: delivered is the end of one.
pub(super) const ARREST_NOTICE: &[Transition] = &[line(
    State::Approved,
    Action::Open,
    Side::Originator,
    State::Sent,
)];

/// Of assistances and transfers.
///
/// Two rules keep concurrent actions harmless, and a line added here must keep them. Where both sides may move, what the
/// originator may do, other than correct and recall, is illegal after each move of the recipient's: so nobody confirms
/// feedback unseen. And a recall that was legal where it was made is legal wherever it may end up.
///
/// A line is taken away from nobody: what is in logs must go on to count. What may no longer be done is withheld
/// ([`RecordKind::withheld`](super::RecordKind::withheld)) where it is done and where it is admitted.
pub(super) const REFERRAL: &[Transition] = {
    use Action::{
        Accept, Approve, Close, Confirm, Correct, Dispute, Feedback, Forward, Open, Progress,
        Recall, RequestSupplement, Resubmit, Return, Sign, Supply,
    };
    use Side::{Originator, Recipient};
    use State::{
        Accepted, Approved, Closed, Confirmed, Disputed, Drafted, FeedbackGiven, Forwarded,
        InProgress, Recalled, Returned, Sent, SignedFor, SupplementRequested,
    };
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

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
