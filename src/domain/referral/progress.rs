//! Where a referral stands, and what may be done with it there.

use super::{ReferralKind, ReferralStep};
use crate::domain::{Side, Step as _, keyed};
use std::fmt;

keyed! {
    /// Where a referral stands.
    pub enum ReferralProgress {
        /// 拟稿: a transfer that waits for approval, at the originator's node only.
        Drafted = "drafted" | "拟稿",
        /// 待发: free to leave. A transfer that was approved, or an assistance, which needs no approval.
        Approved = "approved" | "待发",
        /// 已发: on its way or delivered.
        Sent = "sent" | "已发",
        /// 已签收.
        SignedFor = "signed_for" | "已签收",
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

impl ReferralProgress {
    /// The steps that this side may take now on a referral of this kind.
    pub fn allowed(self, kind: ReferralKind, by: Side) -> Vec<ReferralStep> {
        let mut steps = ReferralStep::allowed(self, by);
        steps.retain(|step| self.withheld(kind, *step).is_none());
        steps
    }

    /// Where a referral of this kind stands after this step.
    ///
    /// # Errors
    /// This side may not take it now; the error names what either side may.
    pub fn after(
        self,
        kind: ReferralKind,
        step: ReferralStep,
        by: Side,
    ) -> Result<Self, StepNotAllowed> {
        let withheld = self.withheld(kind, step);
        ReferralStep::after(self, step, by)
            .filter(|_| withheld.is_none())
            .ok_or(StepNotAllowed {
                kind,
                progress: self,
                step,
                by,
            })
    }

    /// Why a step that the table has is not taken on this kind: the table says what counts once it is in a log, and logs
    /// have such steps from before the law was read right.
    pub const fn withheld(self, kind: ReferralKind, step: ReferralStep) -> Option<Withheld> {
        if !matches!(kind, ReferralKind::Transfer) {
            None
        } else if matches!((self, step), (Self::Disputed, ReferralStep::Close)) {
            Some(Withheld::Disputed)
        } else if matches!(
            (self, step),
            (Self::Accepted | Self::InProgress, ReferralStep::Recall)
        ) {
            Some(Withheld::TakenOver)
        } else {
            None
        }
    }

    /// True where nobody can do anything more.
    pub fn is_final(self) -> bool {
        Side::ALL
            .into_iter()
            .all(|by| ReferralStep::allowed(self, by).is_empty())
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

/// This side may not take this step now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepNotAllowed {
    /// What it asks for.
    pub kind: ReferralKind,
    /// Where it stands.
    pub progress: ReferralProgress,
    /// What was asked for.
    pub step: ReferralStep,
    /// By whom.
    pub by: Side,
}

impl StepNotAllowed {
    /// The rule behind it, where it is not just the order of things.
    pub const fn withheld(&self) -> Option<Withheld> {
        match self.by {
            Side::Originator => self.progress.withheld(self.kind, self.step),
            Side::Recipient => None,
        }
    }

    /// The legal steps in words, by side.
    fn legal(&self) -> String {
        let sides = Side::ALL.map(|by| {
            let steps = self.progress.allowed(self.kind, by);
            let steps: Vec<_> = steps.iter().map(|step| step.as_str()).collect();
            (!steps.is_empty()).then(|| format!("{} by its {by}", steps.join(", ")))
        });
        let sides: Vec<_> = sides.into_iter().flatten().collect();
        if sides.is_empty() {
            "nothing".to_owned()
        } else {
            sides.join("; ")
        }
    }
}

impl std::error::Error for StepNotAllowed {}

impl fmt::Display for StepNotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            progress, step, by, ..
        } = self;
        write!(
            f,
            "a referral that is {progress} takes no {step} from its {by}; "
        )?;
        if let Some(rule) = self.withheld() {
            write!(f, "{rule}; ")?;
        }
        write!(f, "allowed now: {}", self.legal())
    }
}
