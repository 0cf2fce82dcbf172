//! Every step that any record can take. Begin here to add one, then a line of a kind's [`table`](super::table).

use super::{Rank, Start};
use crate::domain::keyed;

keyed! {
    /// A step in the life of a record.
    pub enum Action {
        /// 审批: a supervisor who did not draft it approves it. Stays at the originator's node.
        Approve = "approve" | "审批",
        /// 发起: the originator sends it.
        Open = "open" | "发起",
        /// 签收: the recipient signs for it.
        Sign = "sign" | "签收",
        /// 核查: the recipient assesses it. May be repeated: verified first, arrested later.
        Assess = "assess" | "核查",
        /// 受理: the recipient takes it on.
        Accept = "accept" | "受理",
        /// 要求补充: the recipient asks for what is missing. Incomplete material is never a reason to return.
        RequestSupplement = "request_supplement" | "要求补充",
        /// 补充材料: the originator supplies what was asked for.
        Supply = "supply" | "补充材料",
        /// 退回: the recipient returns it, for a [`ReturnReason`](crate::domain::ReturnReason).
        Return = "return" | "退回",
        /// 转办: the recipient passes it on to the jurisdiction that is competent.
        Forward = "forward" | "转办",
        /// 重新提交: the originator makes a new attempt with what was returned.
        Resubmit = "resubmit" | "重新提交",
        /// 阶段反馈: the recipient tells how far it is.
        Progress = "progress" | "阶段反馈",
        /// 结果反馈: the recipient tells the result.
        Feedback = "feedback" | "结果反馈",
        /// 确认: the originator is content with the result.
        Confirm = "confirm" | "确认",
        /// 异议: the originator is not.
        Dispute = "dispute" | "异议",
        /// 办结: the originator ends it with its result confirmed; an assistance also with its result disputed.
        Close = "close" | "办结",
        /// 更正: the originator puts right what it said. Changes the content, not the state.
        Correct = "correct" | "更正",
        /// 撤回: the originator takes it back; a transfer only until the recipient takes the case over.
        Recall = "recall" | "撤回",
    }
}

impl Action {
    /// True where the step stays at the originator's node; a partner that sends one is refused.
    pub const fn is_local(self) -> bool {
        matches!(self, Self::Approve)
    }

    /// True where it says the whole record anew.
    pub const fn restates(self) -> bool {
        matches!(self, Self::Resubmit | Self::Correct)
    }

    /// Which deadlines its entry starts.
    pub const fn starts(self) -> &'static [Start] {
        match self {
            Self::Open => &[Start::Sent, Start::Received],
            Self::Resubmit => &[Start::Received],
            Self::Sign => &[Start::SignedFor],
            Self::RequestSupplement => &[Start::SupplementRequested],
            Self::Accept => &[Start::Accepted],
            Self::Approve
            | Self::Assess
            | Self::Supply
            | Self::Return
            | Self::Forward
            | Self::Progress
            | Self::Feedback
            | Self::Confirm
            | Self::Dispute
            | Self::Close
            | Self::Correct
            | Self::Recall => &[],
        }
    }

    /// How it fares against concurrent actions.
    pub const fn rank(self) -> Rank {
        match self {
            Self::Recall => Rank::Recall,
            Self::Correct => Rank::Correction,
            Self::Return => Rank::Return,
            Self::Approve
            | Self::Open
            | Self::Sign
            | Self::Assess
            | Self::Accept
            | Self::RequestSupplement
            | Self::Supply
            | Self::Forward
            | Self::Resubmit
            | Self::Progress
            | Self::Feedback
            | Self::Confirm
            | Self::Dispute
            | Self::Close => Rank::Other,
        }
    }
}
