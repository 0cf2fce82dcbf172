//! Caught notices, 抓获通报: the destination tells the origin that it caught one of its residents, with or without a lead
//! before. A notice has no later steps: delivered is its end.

mod fields;
mod notice;
mod reading;

pub use fields::{CaughtColumn, CaughtFields};
pub use notice::{CaughtNotice, CaughtRules, ParsedNotice};

use crate::domain::keyed;

keyed! {
    /// Where a caught notice stands.
    pub enum CaughtState {
        /// 已发: it is in the sender's log, and the recipient's proof is not.
        Sent = "sent" | "已发",
        /// 已送达: it is in both logs.
        Delivered = "delivered" | "已送达",
        /// 对方节点拒收: the recipient's node refused it, with proof.
        Refused = "refused" | "对方节点拒收",
    }
}
