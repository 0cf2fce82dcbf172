//! The findings of a reconciliation, under stable codes.

use crate::{
    audit::{CappedList, codes::codes, reading::as_text},
    domain::Jurisdiction,
};
use serde::Serialize;

codes! {
    /// How two logs differ.
    DifferenceCode {
        InFlight = "in_flight":
            "sent, and not in the recipient's log: under way, or lost",
        Overtaken = "overtaken":
            "sent, and not in the recipient's log, which has a later one: purged before it was delivered, or lost",
        ReceiptInFlight = "receipt_in_flight":
            "in the recipient's log, and the answer is not in the sender's yet",
        ExportTooOld = "export_too_old":
            "one log speaks of an entry that the other's export does not reach: export that one again",
        NotKept = "not_kept":
            "the sender holds the recipient's signed answer, and the recipient's log has no such entry there",
        NeverSent = "never_sent":
            "in the recipient's log, and the sender's has no such open dispatch there",
        AnswerToNothing = "answer_to_nothing":
            "the sender's log has an answer to a dispatch that it did not send, or that was answered before",
        OtherLeaf = "other_leaf":
            "the recipient holds other bytes than the sender logged",
        OtherAnswer = "other_answer":
            "the answer that the sender holds is not the recipient's entry",
        KeptTwice = "kept_twice":
            "the recipient's log has the dispatch twice",
        Signature = "signature":
            "a checkpoint that one log holds of the other is not signed by that log's key",
        TwoVersions = "two_versions":
            "a log signed for its partner another tree than it shows the auditor",
        Undecodable = "undecodable":
            "the entry cannot be read by this program, so what it says is not compared",
    }
}

impl DifferenceCode {
    /// Whether time, or a newer export, may resolve it.
    pub const fn is_pending(self) -> bool {
        matches!(
            self,
            Self::InFlight | Self::Overtaken | Self::ReceiptInFlight | Self::ExportTooOld
        )
    }
}

/// One of the two logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// Something on which the two logs disagree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The code.
    pub code: DifferenceCode,
    /// The same in words.
    pub what: &'static str,
    /// The log that sent the dispatch; for the last three codes the log whose entry shows it.
    #[serde(serialize_with = "as_text")]
    pub from: Jurisdiction,
    /// Index of the dispatch, or of that entry, there.
    pub index: u64,
    /// The other log's index of it, or the index that is claimed; for `signature` and `two_versions` the size of that
    /// checkpoint of the other log.
    pub other_index: Option<u64>,
    /// The dispatch, if its sender's log names it.
    pub dispatch_id: Option<String>,
}

/// The dispatches in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// Dispatches sent.
    pub sent: u64,
    /// Of these, received, and proved in both logs.
    pub received: u64,
    /// Refused, and proved in both logs.
    pub refused: u64,
}

/// Two logs, compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// Origins of the two logs.
    pub origins: [String; 2],
    /// Their sizes.
    pub entries: [u64; 2],
    /// From the first to the second.
    pub a_to_b: Flow,
    /// From the second to the first.
    pub b_to_a: Flow,
    /// What may resolve by itself.
    pub pending: CappedList<Difference>,
    /// What does not.
    pub differences: CappedList<Difference>,
}
