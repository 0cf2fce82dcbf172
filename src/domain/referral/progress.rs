//! Where a referral stands, and what may be done with it there.

use super::ReferralStep;
use crate::domain::{
    Side, Step as _,
    codes::{UnknownCode, codes},
};
use std::{fmt, str::FromStr};

codes! {
    /// Where a referral stands.
    ReferralProgress: "drafted, approved, sent, signed_for, supplement_requested, returned, forwarded, accepted, \
                       in_progress, feedback_given, confirmed, disputed, closed, recalled" {
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
        /// 有异议: the recipient is to look again, unless the originator ends it so.
        Disputed = "disputed" | "有异议",
        /// 已办结.
        Closed = "closed" | "已办结",
        /// 已撤回.
        Recalled = "recalled" | "已撤回",
    }
}

impl ReferralProgress {
    /// The Chinese term.
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Drafted => "拟稿",
            Self::Approved => "待发",
            Self::Sent => "已发",
            Self::SignedFor => "已签收",
            Self::SupplementRequested => "待补充",
            Self::Returned => "已退回",
            Self::Forwarded => "已转办",
            Self::Accepted => "已受理",
            Self::InProgress => "办理中",
            Self::FeedbackGiven => "已反馈",
            Self::Confirmed => "已确认",
            Self::Disputed => "有异议",
            Self::Closed => "已办结",
            Self::Recalled => "已撤回",
        }
    }

    /// The steps that this side may take now.
    pub fn allowed(self, by: Side) -> Vec<ReferralStep> {
        ReferralStep::allowed(self, by)
    }

    /// Where the referral stands after this step.
    ///
    /// # Errors
    /// This side may not take it now; the error names what either side may.
    pub fn after(self, step: ReferralStep, by: Side) -> Result<Self, StepNotAllowed> {
        ReferralStep::after(self, step, by).ok_or(StepNotAllowed {
            progress: self,
            step,
            by,
        })
    }

    /// True where nobody can do anything more.
    pub fn is_final(self) -> bool {
        Side::ALL.into_iter().all(|by| self.allowed(by).is_empty())
    }
}

/// The transition table does not have this step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a referral that is {progress} takes no {step} from its {by}; allowed now: {}",
    legal(*progress)
)]
pub struct StepNotAllowed {
    /// Where it stands.
    pub progress: ReferralProgress,
    /// What was asked for.
    pub step: ReferralStep,
    /// By whom.
    pub by: Side,
}

/// The legal steps in words, by side.
fn legal(progress: ReferralProgress) -> String {
    let sides = Side::ALL.map(|by| {
        let steps = progress.allowed(by);
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
