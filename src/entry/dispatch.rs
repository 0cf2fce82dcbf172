//! The public part of a dispatch, as it is in the log.

use super::{EntryDefect, pb, wire};
use crate::{
    domain::{
        DispatchId, Handling, Jurisdiction, LeadStep, PREDECESSOR_LIMIT, RecordId, ReturnReason,
        Urgency, keyed,
        referral::{ReferralKind, ReferralStep},
        sign_within_seconds,
    },
    merkle::Hash,
    seal::{CIPHERTEXT_LEAST, CIPHERTEXT_LIMIT, PurgeMonth},
};
use std::{fmt, str::FromStr};

/// The longest `DispatchSent` leaf in bytes, so that the partner's proof of it still fits in 4 KiB.
pub const DISPATCH_LEAF_LIMIT: usize = 1024;

/// What a dispatch says or does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DispatchAction {
    /// A step in the life of a lead; [`LeadStep::Lead`] opens it.
    Lead(LeadStep),
    /// The originator opens a referral.
    Open(ReferralKind),
    /// A later step in the life of a referral.
    Referral(ReferralAct),
    /// The destination tells the origin whom it caught; nothing follows.
    Caught,
}

macro_rules! acts {
    ($($act:ident = $key:literal),+ $(,)?) => {
        /// A step in the life of a referral that goes to the other side, except the first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ReferralAct {
            $(#[doc = concat!("[`ReferralStep::", stringify!($act), "`].")] $act,)+
        }

        impl ReferralAct {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$act,)+];

            const fn key(self) -> &'static str {
                match self { $(Self::$act => $key,)+ }
            }
        }

        impl From<ReferralAct> for ReferralStep {
            fn from(act: ReferralAct) -> Self {
                match act { $(ReferralAct::$act => Self::$act,)+ }
            }
        }
    };
}

acts! {
    Sign = "referral_sign",
    Accept = "referral_accept",
    RequestSupplement = "referral_request_supplement",
    Supply = "referral_supply",
    Return = "referral_return",
    Resubmit = "referral_resubmit",
    Progress = "referral_progress",
    Feedback = "referral_feedback",
    Confirm = "referral_confirm",
    Dispute = "referral_dispute",
    Close = "referral_close",
    Correct = "referral_correct",
    Recall = "referral_recall",
}

impl ReferralAct {
    /// The act for a step, unless it opens a referral or is not sent.
    pub fn of(step: ReferralStep) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|act| ReferralStep::from(*act) == step)
    }

    /// Whether the dispatch states the referral's content again.
    pub const fn restates(self) -> bool {
        matches!(self, Self::Resubmit | Self::Correct)
    }
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
            Self::Open(ReferralKind::Assistance) => pb::Action::ReferralAssistance,
            Self::Open(ReferralKind::Transfer) => pb::Action::ReferralTransfer,
            Self::Referral(ReferralAct::Sign) => pb::Action::ReferralSign,
            Self::Referral(ReferralAct::Accept) => pb::Action::ReferralAccept,
            Self::Referral(ReferralAct::RequestSupplement) => pb::Action::ReferralRequestSupplement,
            Self::Referral(ReferralAct::Supply) => pb::Action::ReferralSupply,
            Self::Referral(ReferralAct::Return) => pb::Action::ReferralReturn,
            Self::Referral(ReferralAct::Resubmit) => pb::Action::ReferralResubmit,
            Self::Referral(ReferralAct::Progress) => pb::Action::ReferralProgress,
            Self::Referral(ReferralAct::Feedback) => pb::Action::ReferralFeedback,
            Self::Referral(ReferralAct::Confirm) => pb::Action::ReferralConfirm,
            Self::Referral(ReferralAct::Dispute) => pb::Action::ReferralDispute,
            Self::Referral(ReferralAct::Close) => pb::Action::ReferralClose,
            Self::Referral(ReferralAct::Correct) => pb::Action::ReferralCorrect,
            Self::Referral(ReferralAct::Recall) => pb::Action::ReferralRecall,
            Self::Caught => pb::Action::Caught,
        };
        action as i32
    }

    pub(crate) fn from_wire(value: i32) -> Option<Self> {
        Self::all().find(|action| action.to_wire() == value)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let leads = LeadStep::ALL.into_iter().map(Self::Lead);
        let opens = ReferralKind::ALL.iter().copied().map(Self::Open);
        let acts = ReferralAct::ALL.iter().copied().map(Self::Referral);
        leads.chain(opens).chain(acts).chain([Self::Caught])
    }

    /// The stable key, as in JSON: `lead`, `lead_sign`, `referral_accept`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lead(LeadStep::Lead) => "lead",
            Self::Lead(LeadStep::Sign) => "lead_sign",
            Self::Lead(LeadStep::Assess) => "lead_assess",
            Self::Lead(LeadStep::Return) => "lead_return",
            Self::Open(ReferralKind::Assistance) => "referral_assistance",
            Self::Open(ReferralKind::Transfer) => "referral_transfer",
            Self::Referral(act) => act.key(),
            Self::Caught => "caught",
        }
    }

    /// The corresponding step on a lead.
    pub const fn lead_step(self) -> Option<LeadStep> {
        match self {
            Self::Lead(step) => Some(step),
            Self::Open(_) | Self::Referral(_) | Self::Caught => None,
        }
    }

    /// The corresponding step on a referral.
    pub fn referral_step(self) -> Option<ReferralStep> {
        match self {
            Self::Lead(_) | Self::Caught => None,
            Self::Open(_) => Some(ReferralStep::Open),
            Self::Referral(act) => Some(act.into()),
        }
    }

    const fn is_return(self) -> bool {
        matches!(
            self,
            Self::Lead(LeadStep::Return) | Self::Referral(ReferralAct::Return)
        )
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
        let is_return = action.is_return();
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
