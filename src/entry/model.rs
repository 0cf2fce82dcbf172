//! The entries of a log, and everything that one can say.

use super::{AbandonedLog, DispatchSent, PartnerChange, Refusal};
use crate::{
    access::{Assignee, AttemptReport, Grounds, Principal, QuotaReport, Units},
    domain::{DispatchId, EntryId, Jurisdiction, RecordId, Timestamp},
    merkle::{self, Hash},
    note::Checkpoint,
};

/// The version that this program writes.
pub const VERSION: u32 = 1;

/// The longest leaf in bytes.
pub const LEAF_LIMIT: usize = 65_535;

/// The most records in a `Consulted` entry.
pub const CONSULTED_LIMIT: usize = 1_000;

/// Who caused an entry, and on what grounds. The node's own acts have no grounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The principal.
    pub principal: Principal,
    /// Purpose and basis; `None` if the node acts by itself.
    pub grounds: Option<Grounds>,
}

impl Cause {
    /// Somebody's act.
    pub fn of(principal: &Principal, grounds: &Grounds) -> Self {
        Self {
            principal: principal.clone(),
            grounds: Some(grounds.clone()),
        }
    }

    /// The own act of a jurisdiction's node.
    pub fn node(own: Jurisdiction) -> Self {
        Self {
            principal: Principal::node(own),
            grounds: None,
        }
    }
}

/// A log entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The node's clock when it was written.
    pub time: Timestamp,
    /// Its id, made by the node.
    pub id: EntryId,
    /// Who caused it.
    pub cause: Cause,
    /// What happened.
    pub kind: Kind,
}

impl Entry {
    /// An entry with an id of its own.
    pub fn new(time: Timestamp, cause: Cause, kind: Kind) -> Self {
        Self {
            time,
            id: EntryId::new(time),
            cause,
            kind,
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first entry.
    LogStarted {
        /// The log's origin.
        origin: String,
        /// Its verifier key, C2SP vkey text.
        verifier_key: String,
        /// The node's jurisdiction.
        jurisdiction: Jurisdiction,
    },
    /// The access policy from here on.
    PolicyChanged {
        /// Auditors, sorted.
        auditors: Vec<String>,
        /// The node's units, and the officers in each.
        units: Units,
    },
    /// A partner was drafted.
    PartnerProposed {
        /// The node card, byte for byte.
        card: Vec<u8>,
    },
    /// A supervisor approved a partner.
    PartnerApproved {
        /// The partner's jurisdiction.
        jurisdiction: Jurisdiction,
        /// SHA-256 of the card approved.
        card_sha256: [u8; 32],
        /// The log that is abandoned for the one on this card, if that is another.
        abandoned: Option<AbandonedLog>,
    },
    /// A supervisor cut off a partner.
    PartnerSuspended {
        /// The partner's jurisdiction.
        jurisdiction: Jurisdiction,
    },
    /// Somebody drafted a change to a partner.
    PartnerChangeDrafted {
        /// The partner's jurisdiction.
        jurisdiction: Jurisdiction,
        /// The change.
        change: PartnerChange,
    },
    /// A second person readmitted a suspended partner.
    PartnerResumed {
        /// The partner's jurisdiction.
        jurisdiction: Jurisdiction,
        /// Leaf hash of the draft.
        draft: Hash,
    },
    /// A second person ended the exchange with a partner.
    PartnerRemoved {
        /// The partner's jurisdiction.
        jurisdiction: Jurisdiction,
        /// Leaf hash of the draft.
        draft: Hash,
    },
    /// A dispatch was sent.
    DispatchSent(DispatchSent),
    /// A dispatch arrived, was verified and is stored.
    DispatchReceived(Received),
    /// A dispatch arrived and was refused.
    DispatchRefused {
        /// What arrived.
        received: Received,
        /// Why.
        reason: Refusal,
    },
    /// The partner's proof that it received a dispatch.
    ReceiptLogged {
        /// Who received it.
        to: Jurisdiction,
        /// The dispatch.
        dispatch_id: DispatchId,
        /// Index of its `DispatchSent` here.
        sent_index: u64,
        /// The receipt.
        proof: PartnerProof,
    },
    /// The partner's proof that it refused a dispatch.
    RefusalLogged {
        /// Who refused it.
        to: Jurisdiction,
        /// The dispatch.
        dispatch_id: DispatchId,
        /// Index of its `DispatchSent` here.
        sent_index: u64,
        /// Why.
        reason: Refusal,
        /// The refusal.
        proof: PartnerProof,
    },
    /// Somebody read records.
    Consulted {
        /// How.
        how: Consultation,
        /// The records.
        records: Vec<RecordId>,
        /// Whether a supervisor overrode an assignment to somebody else.
        overridden: bool,
    },
    /// Two statements of a partner that cannot both be honest.
    EvidenceKept {
        /// The partner's jurisdiction.
        jurisdiction: Jurisdiction,
        /// The first, with its signature.
        first: (Checkpoint, [u8; 64]),
        /// The second, with its signature.
        second: (Checkpoint, [u8; 64]),
        /// Who showed the second, if it was not the partner.
        shown_by: Option<Jurisdiction>,
    },
    /// Somebody drafted a transfer: the dispatch that approval sends.
    ReferralDrafted(DispatchSent),
    /// A supervisor, not the drafter, approved a transfer; the next entry sends it.
    ReferralApproved {
        /// The referral.
        record: RecordId,
        /// Leaf hash of the draft.
        draft: Hash,
    },
    /// A supervisor assigned a record.
    RecordAssigned {
        /// The lead or referral.
        record: RecordId,
        /// The assignee; `None` opens it to all of the node's officers.
        assignee: Option<Assignee>,
    },
    /// A principal was slowed or refused because it asked for too much.
    QuotaReached(QuotaReport),
    /// Somebody tried something forbidden.
    AttemptRefused(AttemptReport),
}

/// A dispatch as it arrived, with the proof that it is in its sender's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The sender's leaf, byte for byte.
    pub sender_entry: Vec<u8>,
    /// Its index in the sender's log.
    pub sender_index: u64,
    /// Inclusion proof of the leaf in `checkpoint`.
    pub inclusion: Vec<Hash>,
    /// The sender's checkpoint.
    pub checkpoint: Checkpoint,
    /// The sender's signature on it.
    pub signature: [u8; 64],
}

impl Received {
    /// Hash of the sender's leaf.
    pub fn leaf_hash(&self) -> Hash {
        merkle::leaf_hash(&self.sender_entry)
    }
}

/// A partner's proof of its answer to a dispatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnerProof {
    /// The partner's leaf, byte for byte.
    pub partner_entry: Vec<u8>,
    /// Its index in the partner's log.
    pub partner_index: u64,
    /// Inclusion proof of the leaf in `checkpoint`.
    pub inclusion: Vec<Hash>,
    /// The partner's checkpoint.
    pub checkpoint: Checkpoint,
    /// The partner's signature on it.
    pub signature: [u8; 64],
    /// Time in the partner's cosignature on our checkpoint, seconds since 1970-01-01 UTC.
    pub cosigned_at_s: u64,
    /// That cosignature.
    pub cosignature: [u8; 64],
    /// Size of our checkpoint that it covers: at least that inside `partner_entry`, and larger if the dispatch was
    /// delivered again.
    pub cosigned_size: u64,
    /// Root of that checkpoint.
    pub cosigned_root: Hash,
}

/// How records were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Consultation {
    /// A list, without payloads.
    List,
    /// A payload was opened.
    Open,
    /// A search in the content of records: by number, name, place or substance.
    Number,
    /// None was opened: a supervisor overrode an assignment in order to act; the next entry is the act.
    Act,
    /// An auditor read entries of the log.
    Log {
        /// The first that was asked for.
        first: u64,
        /// How many.
        count: u64,
    },
}

impl Consultation {
    /// A stable key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Open => "open",
            Self::Number => "number",
            Self::Act => "act",
            Self::Log { .. } => "log",
        }
    }
}

impl Consultation {
    /// For entries of the log: the first, and how many.
    pub const fn range(self) -> Option<(u64, u64)> {
        match self {
            Self::Log { first, count } => Some((first, count)),
            Self::List | Self::Open | Self::Number | Self::Act => None,
        }
    }
}

impl Kind {
    /// The stable key, as in commands and JSON: `dispatch_sent`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::LogStarted { .. } => "log_started",
            Self::PolicyChanged { .. } => "policy_changed",
            Self::PartnerProposed { .. } => "partner_proposed",
            Self::PartnerApproved { .. } => "partner_approved",
            Self::PartnerSuspended { .. } => "partner_suspended",
            Self::PartnerChangeDrafted { .. } => "partner_change_drafted",
            Self::PartnerResumed { .. } => "partner_resumed",
            Self::PartnerRemoved { .. } => "partner_removed",
            Self::DispatchSent(_) => "dispatch_sent",
            Self::DispatchReceived(_) => "dispatch_received",
            Self::DispatchRefused { .. } => "dispatch_refused",
            Self::ReceiptLogged { .. } => "receipt_logged",
            Self::RefusalLogged { .. } => "refusal_logged",
            Self::Consulted { .. } => "consulted",
            Self::EvidenceKept { .. } => "evidence_kept",
            Self::ReferralDrafted(_) => "referral_drafted",
            Self::ReferralApproved { .. } => "referral_approved",
            Self::RecordAssigned { .. } => "record_assigned",
            Self::QuotaReached(_) => "quota_reached",
            Self::AttemptRefused(_) => "attempt_refused",
        }
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
