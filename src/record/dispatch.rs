//! What leaves a node: the public side of a dispatch, as it stands in the log.

use super::{EntryDefect, pb, wire};
use crate::{
    domain::{
        DispatchId, Handling, Jurisdiction, LeadStep, PREDECESSOR_LIMIT, RecordId, ReturnReason,
        Urgency, sign_within_seconds,
    },
    merkle::Hash,
    seal::{CIPHERTEXT_LIMIT, PurgeMonth},
};

/// A `DispatchSent` leaf is at most so many bytes, so that the partner's proof of it still fits in 4 KiB.
pub const DISPATCH_LEAF_LIMIT: usize = 1024;

/// What a dispatch says or does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DispatchAction {
    /// A step in the life of a lead; [`LeadStep::Lead`] opens it.
    Lead(LeadStep),
}

/// An answer to a lead: any step but the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// 签收.
    Sign,
    /// 核查.
    Assess,
    /// 退回.
    Return,
}

impl From<Answer> for LeadStep {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Sign => Self::Sign,
            Answer::Assess => Self::Assess,
            Answer::Return => Self::Return,
        }
    }
}

impl DispatchAction {
    pub(crate) const fn to_wire(self) -> i32 {
        let action = match self {
            Self::Lead(LeadStep::Lead) => pb::Action::Lead,
            Self::Lead(LeadStep::Sign) => pb::Action::LeadSign,
            Self::Lead(LeadStep::Assess) => pb::Action::LeadAssess,
            Self::Lead(LeadStep::Return) => pb::Action::LeadReturn,
        };
        action as i32
    }

    fn from_wire(value: i32) -> Option<Self> {
        let all = LeadStep::ALL.into_iter().map(DispatchAction::Lead);
        all.into_iter().find(|action| action.to_wire() == value)
    }

    /// The stable key, as in JSON: `lead`, `lead_sign`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lead(LeadStep::Lead) => "lead",
            Self::Lead(LeadStep::Sign) => "lead_sign",
            Self::Lead(LeadStep::Assess) => "lead_assess",
            Self::Lead(LeadStep::Return) => "lead_return",
        }
    }
}

/// Deadlines and retention of a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Seconds from receipt within which the recipient signs for it.
    pub sign_within_s: u32,
    /// When somebody reviews whether the record is still needed, days since 1970-01-01.
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
    /// The jurisdiction of the node it goes to.
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
        let is_return = action == DispatchAction::Lead(LeadStep::Return);
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

/// Why a node refuses a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The entry is not a well-formed `DispatchSent`.
    Malformed,
    /// Addressed to, or sent as, another jurisdiction.
    Misaddressed,
    /// Ciphertext, key or commitment do not fit the entry.
    PayloadMismatch,
    /// The dispatch id was received before with another leaf.
    Conflict,
    /// The lead number was received before with other content.
    ChangedContent,
    /// The payload breaks a rule for its kind.
    InvalidContent,
    /// The sender may not take this action on this record.
    NotAllowed,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Malformed,
        Self::Misaddressed,
        Self::PayloadMismatch,
        Self::Conflict,
        Self::ChangedContent,
        Self::InvalidContent,
        Self::NotAllowed,
    ];

    /// A stable key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Misaddressed => "misaddressed",
            Self::PayloadMismatch => "payload_mismatch",
            Self::Conflict => "conflict",
            Self::ChangedContent => "changed_content",
            Self::InvalidContent => "invalid_content",
            Self::NotAllowed => "not_allowed",
        }
    }

    pub(super) const fn to_wire(self) -> i32 {
        let reason = match self {
            Self::Malformed => pb::RefusalReason::Malformed,
            Self::Misaddressed => pb::RefusalReason::Misaddressed,
            Self::PayloadMismatch => pb::RefusalReason::PayloadMismatch,
            Self::Conflict => pb::RefusalReason::Conflict,
            Self::ChangedContent => pb::RefusalReason::ChangedContent,
            Self::InvalidContent => pb::RefusalReason::InvalidContent,
            Self::NotAllowed => pb::RefusalReason::NotAllowed,
        };
        reason as i32
    }

    pub(super) fn from_wire(value: i32) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.to_wire() == value)
    }
}
