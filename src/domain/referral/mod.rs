//! Referrals, 协查与移送: matters that ask the recipient to act. Their words, their one transition table, its drawing.
//!
//! What became of a referral is [`resolve`](super::resolve) over the actions that the two nodes exchanged. Drafting and
//! approving come before that and stay at the originator's node. Whether a referral that was sent has been delivered is
//! told by the receipt, not by an action.

mod content;
mod drawing;
mod progress;
mod step;
mod table;

#[cfg(test)]
mod examples;
#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod world;

pub use content::{ContentDefect, LEADS_PER_REFERRAL, NOTE_CHARS, ReferralFields};
pub use drawing::draw;
pub use progress::{ReferralProgress, StepNotAllowed, Withheld};
pub use step::{ReferralAction, ReferralStep};

use super::{Matter, keyed};

keyed! {
    /// What a referral asks for.
    pub enum ReferralKind {
        /// 办案协作: the recipient helps with the originator's case.
        Assistance = "assistance" | "办案协作",
        /// 案件移送: the recipient takes the case over.
        Transfer = "transfer" | "案件移送",
    }
}

impl ReferralKind {
    /// Where a new one stands at the originator's node: a transfer is a draft until a supervisor who did not draft it
    /// approves it; an assistance may leave at once.
    pub const fn start(self) -> ReferralProgress {
        match self {
            Self::Assistance => ReferralProgress::Approved,
            Self::Transfer => ReferralProgress::Drafted,
        }
    }

    /// What it is in the table of deadlines.
    pub const fn matter(self) -> Matter {
        match self {
            Self::Assistance => Matter::Assistance,
            Self::Transfer => Matter::Transfer,
        }
    }
}
