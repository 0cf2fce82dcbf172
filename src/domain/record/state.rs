//! Where a record stands, and what may be done with it there.

use super::{Action, Family, RecordKind, Side};
use crate::domain::keyed;
use std::fmt;

keyed! {
    /// Where a record stands. The tables know `sent`; whether that is delivered or refused, the partner's proof says.
    pub enum State {
        /// 拟稿: a transfer that waits for approval, at the originator's node only.
        Drafted = "drafted" | "拟稿",
        /// 待发: free to leave. A transfer that was approved, or an assistance, which needs no approval.
        Approved = "approved" | "待发",
        /// 已发: it left, or is in the originator's log; in a table, delivered or not.
        Sent = "sent" | "已发",
        /// 已送达: it is in both logs. In no table.
        Delivered = "delivered" | "已送达",
        /// 对方节点拒收: the recipient's node refused it, with proof. In no table.
        Refused = "refused" | "对方节点拒收",
        /// 已签收.
        SignedFor = "signed_for" | "已签收",
        /// 已核查.
        Assessed = "assessed" | "已核查",
        /// 待补充: the originator is to supply what is missing.
        SupplementRequested = "supplement_requested" | "待补充",
        /// 已退回: ends here unless the originator makes a new attempt.
        Returned = "returned" | "已退回",
        /// 已转办: goes on elsewhere, as a referral of the recipient's own.
        Forwarded = "forwarded" | "已转办",
        /// 已受理.
        Accepted = "accepted" | "已受理",
        /// 办理中.
        InProgress = "in_progress" | "办理中",
        /// 已反馈: the originator is to confirm or dispute the result.
        FeedbackGiven = "feedback_given" | "已反馈",
        /// 已确认.
        Confirmed = "confirmed" | "已确认",
        /// 有异议: the recipient is to look again; the originator may end an assistance so, and no transfer.
        Disputed = "disputed" | "有异议",
        /// 已办结.
        Closed = "closed" | "已办结",
        /// 已撤回.
        Recalled = "recalled" | "已撤回",
    }
}

impl State {
    /// The state of the tables: delivered or refused, a record is sent.
    const fn of_tables(self) -> Self {
        match self {
            Self::Delivered | Self::Refused => Self::Sent,
            Self::Drafted
            | Self::Approved
            | Self::Sent
            | Self::SignedFor
            | Self::Assessed
            | Self::SupplementRequested
            | Self::Returned
            | Self::Forwarded
            | Self::Accepted
            | Self::InProgress
            | Self::FeedbackGiven
            | Self::Confirmed
            | Self::Disputed
            | Self::Closed
            | Self::Recalled => self,
        }
    }
}

impl RecordKind {
    /// What an action makes of this state, or nothing where this side may not take it. The table says what counts once it is
    /// in a log.
    pub fn counts(self, state: State, action: Action, by: Side) -> Option<State> {
        self.spec()
            .table
            .iter()
            .find(|line| line.from == state && line.action == action && line.by == by)
            .map(|line| line.to)
    }

    /// The actions that this side may take now, in the table's order.
    pub fn allowed(self, state: State, by: Side) -> Vec<Action> {
        self.spec()
            .table
            .iter()
            .filter(|line| line.from == state.of_tables() && line.by == by)
            .map(|line| line.action)
            .filter(|action| self.withheld(state, *action).is_none())
            .collect()
    }

    /// Where a record stands after this action.
    ///
    /// # Errors
    /// This side may not take it now; the error names what either side may.
    pub fn after(self, state: State, action: Action, by: Side) -> Result<State, NotAllowed> {
        let withheld = self.withheld(state, action);
        self.counts(state, action, by)
            .filter(|_| withheld.is_none())
            .ok_or(NotAllowed {
                kind: self,
                state,
                action,
                by,
            })
    }

    /// True where nobody can do anything more.
    pub fn is_final(self, state: State) -> bool {
        self.spec().table.iter().all(|line| line.from != state)
    }

    /// Why an action that the table has is not taken on this kind: the table says what counts once it is in a log, and logs
    /// have such steps from before the law was read right.
    pub const fn withheld(self, state: State, action: Action) -> Option<Withheld> {
        if !matches!(self, Self::Transfer) {
            None
        } else if matches!((state, action), (State::Disputed, Action::Close)) {
            Some(Withheld::Disputed)
        } else if matches!(
            (state, action),
            (State::Accepted | State::InProgress, Action::Recall)
        ) {
            Some(Withheld::TakenOver)
        } else {
            None
        }
    }
}

/// What one side alone may not do with a transfer: 程序规定 arts. 22 and 356.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Withheld {
    /// To end it while the two disagree on the result.
    #[error(
        "one side alone does not end a dispute over a transfer: the two agree, or their common superior decides (程序规定 \
         arts. 22 and 356). Asking the superior is not in the exchange yet: settle it outside, let the recipient give \
         feedback again, then confirm and close"
    )]
    Disputed,
    /// To take back a case that the recipient has taken over.
    #[error(
        "a transfer that its recipient has taken over is not recalled by one side alone: the two agree, or their common \
         superior decides (程序规定 arts. 22 and 356). Asking the superior is not in the exchange yet: agree outside, and \
         let the recipient say what came of it as feedback"
    )]
    TakenOver,
}

/// This side may not take this action now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAllowed {
    /// What it asks for.
    pub kind: RecordKind,
    /// Where it stands.
    pub state: State,
    /// What was asked for.
    pub action: Action,
    /// By whom.
    pub by: Side,
}

impl NotAllowed {
    /// The rule behind it, where it is not just the order of things.
    pub const fn withheld(&self) -> Option<Withheld> {
        match self.by {
            Side::Originator => self.kind.withheld(self.state, self.action),
            Side::Recipient => None,
        }
    }

    /// The legal steps in words, by side.
    fn legal(&self) -> String {
        let sides = Side::ALL.map(|by| {
            let actions = self.kind.allowed(self.state, by);
            let actions: Vec<_> = actions.iter().map(|action| action.as_str()).collect();
            (!actions.is_empty()).then(|| format!("{} by its {by}", actions.join(", ")))
        });
        let sides: Vec<_> = sides.into_iter().flatten().collect();
        if sides.is_empty() {
            "nothing".to_owned()
        } else {
            sides.join("; ")
        }
    }
}

impl std::error::Error for NotAllowed {}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            state,
            action,
            by,
        } = self;
        let family = kind.family();
        if family == Family::Lead && *by == Side::Recipient {
            let allowed = kind.allowed(*state, *by);
            let allowed: Vec<_> = allowed.iter().map(|action| action.as_str()).collect();
            let allowed = if allowed.is_empty() {
                "nothing".to_owned()
            } else {
                allowed.join(", ")
            };
            return write!(
                f,
                "a lead that is {state} cannot be answered so; allowed now: {allowed}"
            );
        }
        write!(
            f,
            "a {family} that is {state} takes no {action} from its {by}; "
        )?;
        if let Some(rule) = self.withheld() {
            write!(f, "{rule}; ")?;
        }
        write!(f, "allowed now: {}", self.legal())
    }
}
