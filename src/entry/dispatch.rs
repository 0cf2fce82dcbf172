//! The public part of a dispatch, as it is in the log.

use super::{EntryDefect, pb, wire};
use crate::{
    domain::{
        Action, DispatchId, Family, Handling, Jurisdiction, PREDECESSOR_LIMIT, RecordId,
        RecordKind, ReturnReason, Urgency, keyed, sign_within_seconds,
    },
    merkle::Hash,
    seal::{CIPHERTEXT_LEAST, CIPHERTEXT_LIMIT, PurgeMonth},
};
use std::{fmt, str::FromStr};

/// The longest `DispatchSent` leaf in bytes, so that the partner's proof of it still fits in 4 KiB.
pub const DISPATCH_LEAF_LIMIT: usize = 1024;

/// What a dispatch does: opens a record, or takes an action on one. Only those that travel can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DispatchAction {
    family: Family,
    action: Action,
    /// With [`Action::Open`].
    opens: Option<RecordKind>,
}

/// Every action that travels, with its number and its key. The numbers are in logs: they never change.
const TRAVEL: &[(DispatchAction, pb::Action, &str)] = {
    use pb::Action as Wire;
    const fn open(kind: RecordKind) -> DispatchAction {
        DispatchAction::open(kind)
    }
    const fn lead(action: Action) -> DispatchAction {
        DispatchAction::of(Family::Lead, action)
    }
    const fn referral(action: Action) -> DispatchAction {
        DispatchAction::of(Family::Referral, action)
    }
    &[
        (open(RecordKind::Lead), Wire::Lead, "lead"),
        (lead(Action::Sign), Wire::LeadSign, "lead_sign"),
        (lead(Action::Assess), Wire::LeadAssess, "lead_assess"),
        (lead(Action::Return), Wire::LeadReturn, "lead_return"),
        (
            open(RecordKind::Assistance),
            Wire::ReferralAssistance,
            "referral_assistance",
        ),
        (
            open(RecordKind::Transfer),
            Wire::ReferralTransfer,
            "referral_transfer",
        ),
        (referral(Action::Sign), Wire::ReferralSign, "referral_sign"),
        (
            referral(Action::Accept),
            Wire::ReferralAccept,
            "referral_accept",
        ),
        (
            referral(Action::RequestSupplement),
            Wire::ReferralRequestSupplement,
            "referral_request_supplement",
        ),
        (
            referral(Action::Supply),
            Wire::ReferralSupply,
            "referral_supply",
        ),
        (
            referral(Action::Return),
            Wire::ReferralReturn,
            "referral_return",
        ),
        (
            referral(Action::Resubmit),
            Wire::ReferralResubmit,
            "referral_resubmit",
        ),
        (
            referral(Action::Progress),
            Wire::ReferralProgress,
            "referral_progress",
        ),
        (
            referral(Action::Feedback),
            Wire::ReferralFeedback,
            "referral_feedback",
        ),
        (
            referral(Action::Confirm),
            Wire::ReferralConfirm,
            "referral_confirm",
        ),
        (
            referral(Action::Dispute),
            Wire::ReferralDispute,
            "referral_dispute",
        ),
        (
            referral(Action::Close),
            Wire::ReferralClose,
            "referral_close",
        ),
        (
            referral(Action::Correct),
            Wire::ReferralCorrect,
            "referral_correct",
        ),
        (
            referral(Action::Recall),
            Wire::ReferralRecall,
            "referral_recall",
        ),
        (open(RecordKind::ArrestNotice), Wire::Caught, "caught"),
    ]
};

impl DispatchAction {
    /// Opens a record of this kind.
    pub const fn open(kind: RecordKind) -> Self {
        Self {
            family: kind.family(),
            action: Action::Open,
            opens: Some(kind),
        }
    }

    const fn of(family: Family, action: Action) -> Self {
        Self {
            family,
            action,
            opens: None,
        }
    }

    /// An action on a record of this family; none where no such action travels.
    pub fn act(family: Family, action: Action) -> Option<Self> {
        Self::all().find(|it| *it == Self::of(family, action))
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        TRAVEL.iter().map(|(action, ..)| *action)
    }

    /// The kinds of records that it is about.
    pub const fn family(self) -> Family {
        self.family
    }

    /// The action.
    pub const fn action(self) -> Action {
        self.action
    }

    /// The kind of record that it opens, where it opens one.
    pub const fn opens(self) -> Option<RecordKind> {
        self.opens
    }

    fn line(self) -> Option<&'static (Self, pb::Action, &'static str)> {
        TRAVEL.iter().find(|(action, ..)| *action == self)
    }

    pub(crate) fn to_wire(self) -> i32 {
        self.line().map_or(0, |(_, wire, _)| *wire as i32)
    }

    /// The number of an action on a record of this family; 0 where no such action travels.
    pub(crate) fn act_to_wire(family: Family, action: Action) -> i32 {
        Self::act(family, action).map_or(0, Self::to_wire)
    }

    pub(crate) fn from_wire(value: i32) -> Option<Self> {
        let mut lines = TRAVEL.iter();
        lines
            .find(|(_, wire, _)| *wire as i32 == value)
            .map(|(action, ..)| *action)
    }

    /// The stable key: `lead_sign`.
    pub fn as_str(self) -> &'static str {
        self.line().map_or("", |(.., key)| key)
    }
}

impl fmt::Display for DispatchAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DispatchAction {
    type Err = EntryDefect;

    fn from_str(text: &str) -> Result<Self, EntryDefect> {
        let found = Self::all().find(|action| action.as_str() == text);
        found.ok_or(EntryDefect::Malformed("action"))
    }
}

/// Deadlines and retention of a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Seconds from receipt within which the recipient must sign for it.
    pub sign_within_s: u32,
    /// When somebody must review whether the record is still needed, days since 1970-01-01.
    pub review_by_day: u32,
    /// The month in which it is purged.
    pub purge_month: PurgeMonth,
}

/// A dispatch left a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchSent {
    /// Its id.
    pub dispatch_id: DispatchId,
    /// The sending jurisdiction.
    pub from: Jurisdiction,
    /// The jurisdiction of the node that it goes to.
    pub to: Jurisdiction,
    /// What it says or does.
    pub action: DispatchAction,
    /// The record that it opens or acts on.
    pub record: RecordId,
    /// How urgent.
    pub urgency: Urgency,
    /// How to be handled.
    pub handling: Handling,
    /// Deadlines and retention.
    pub terms: Terms,
    /// On a return.
    pub return_reason: Option<ReturnReason>,
    /// What it follows, as leaf hashes.
    pub predecessors: Vec<Hash>,
    /// SHA-256 of the ciphertext.
    pub ciphertext_sha256: [u8; 32],
    /// Length of the ciphertext in bytes.
    pub ciphertext_length: u32,
    /// Commitment to the content.
    pub commitment: [u8; 32],
}

impl DispatchSent {
    pub(super) fn to_wire(&self) -> pb::DispatchSent {
        pb::DispatchSent {
            dispatch_id: self.dispatch_id.as_bytes().to_vec().into(),
            from: self.from.to_string(),
            to: self.to.to_string(),
            action: self.action.to_wire(),
            record_id: self.record.as_bytes().to_vec().into(),
            urgency: wire::urgency_to_wire(self.urgency),
            handling: wire::handling_to_wire(self.handling),
            terms: Some(pb::Terms {
                sign_within_s: self.terms.sign_within_s,
                review_by_day: self.terms.review_by_day,
                purge_month: self.terms.purge_month.number(),
            }),
            return_reason: self.return_reason.map_or(0, wire::return_reason_to_wire),
            predecessors: self
                .predecessors
                .iter()
                .map(|h| h.as_bytes().to_vec().into())
                .collect(),
            ciphertext_sha256: self.ciphertext_sha256.to_vec().into(),
            ciphertext_length: self.ciphertext_length,
            commitment: self.commitment.to_vec().into(),
        }
    }

    pub(super) fn from_wire(sent: pb::DispatchSent) -> Result<Self, EntryDefect> {
        let malformed = EntryDefect::Malformed;
        let terms = wire::required(sent.terms, "terms")?;
        let urgency =
            wire::urgency_from_wire(sent.urgency).ok_or(EntryDefect::Missing("urgency"))?;
        let action =
            DispatchAction::from_wire(sent.action).ok_or(EntryDefect::Missing("action"))?;
        if sent.predecessors.len() > PREDECESSOR_LIMIT {
            return Err(EntryDefect::TooLong("predecessors"));
        }
        let is_return = action.action() == Action::Return;
        let return_reason = match sent.return_reason {
            0 => None,
            stated => {
                Some(wire::return_reason_from_wire(stated).ok_or(malformed("return_reason"))?)
            }
        };
        if return_reason.is_some() != is_return {
            return Err(malformed("return_reason"));
        }
        if terms.sign_within_s != sign_within_seconds(urgency) {
            return Err(malformed("terms.sign_within_s"));
        }
        let length = usize::try_from(sent.ciphertext_length).unwrap_or(usize::MAX);
        if length > CIPHERTEXT_LIMIT {
            return Err(EntryDefect::TooLong("ciphertext"));
        }
        if length < CIPHERTEXT_LEAST {
            return Err(malformed("ciphertext_length"));
        }
        Ok(Self {
            dispatch_id: DispatchId::from_slice(&sent.dispatch_id)
                .map_err(|_| malformed("dispatch_id"))?,
            from: wire::parse(&sent.from, "from")?,
            to: wire::parse(&sent.to, "to")?,
            action,
            record: RecordId::from_slice(&sent.record_id).map_err(|_| malformed("record_id"))?,
            urgency,
            handling: wire::handling_from_wire(sent.handling)
                .ok_or(EntryDefect::Missing("handling"))?,
            terms: Terms {
                sign_within_s: terms.sign_within_s,
                review_by_day: terms.review_by_day,
                purge_month: PurgeMonth::new(terms.purge_month)
                    .ok_or(malformed("terms.purge_month"))?,
            },
            return_reason,
            predecessors: sent
                .predecessors
                .iter()
                .map(|h| wire::hash(h, "predecessors"))
                .collect::<Result<_, _>>()?,
            ciphertext_sha256: wire::array(&sent.ciphertext_sha256, "ciphertext_sha256")?,
            ciphertext_length: sent.ciphertext_length,
            commitment: wire::array(&sent.commitment, "commitment")?,
        })
    }
}

keyed! {
    /// Why a node refuses a dispatch.
    pub enum Refusal {
        /// The entry is not a well-formed `DispatchSent`.
        Malformed = "malformed" ("条目格式不对", "malformed entry"),
        /// Addressed to, or sent as, another jurisdiction.
        Misaddressed = "misaddressed" ("收发地址不符", "wrong sender or recipient"),
        /// Ciphertext, key or commitment do not match the entry.
        PayloadMismatch = "payload_mismatch" ("内容与条目不符", "content that is not what its entry says"),
        /// The dispatch id was received before with another leaf.
        Conflict = "conflict" ("与先前所收冲突", "in conflict with what came before under its id"),
        /// The lead number was received before with other content.
        ChangedContent = "changed_content" ("编号已用于其他内容", "its number is taken by other content"),
        /// The payload breaks a rule for its kind.
        InvalidContent = "invalid_content" ("内容不合规定", "content against the rules"),
        /// The sender may not take this action on this record.
        NotAllowed = "not_allowed" ("不许可的操作", "not allowed"),
        /// Its entry is dated more than a day after it arrived.
        Untimely = "untimely" ("条目时间晚于收到一天以上", "dated more than a day after it came"),
    }
}

impl Refusal {
    pub(super) const fn to_wire(self) -> i32 {
        let reason = match self {
            Self::Malformed => pb::RefusalReason::Malformed,
            Self::Misaddressed => pb::RefusalReason::Misaddressed,
            Self::PayloadMismatch => pb::RefusalReason::PayloadMismatch,
            Self::Conflict => pb::RefusalReason::Conflict,
            Self::ChangedContent => pb::RefusalReason::ChangedContent,
            Self::InvalidContent => pb::RefusalReason::InvalidContent,
            Self::NotAllowed => pb::RefusalReason::NotAllowed,
            Self::Untimely => pb::RefusalReason::Untimely,
        };
        reason as i32
    }

    pub(super) fn from_wire(value: i32) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.to_wire() == value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that is forgotten in either place would be an action that nobody can take, or one that no table knows.
    #[test]
    fn every_action_of_a_table_travels_unless_it_stays_and_nothing_else_does() {
        let mut travels = Vec::new();
        for kind in RecordKind::ALL {
            for line in kind.spec().table.iter().filter(|l| !l.action.is_local()) {
                travels.push(if line.action == Action::Open {
                    DispatchAction::open(*kind)
                } else {
                    DispatchAction::act(kind.family(), line.action).unwrap_or_else(|| {
                        // 转办 has no number yet.
                        assert_eq!(line.action, Action::Forward, "{kind}");
                        DispatchAction::open(*kind)
                    })
                });
            }
        }
        for action in DispatchAction::all() {
            assert!(travels.contains(&action), "{action}");
            assert_eq!(DispatchAction::from_wire(action.to_wire()), Some(action));
            assert_eq!(action.as_str().parse(), Ok(action));
        }
        assert_eq!(DispatchAction::act(Family::Lead, Action::Accept), None);
    }
}
