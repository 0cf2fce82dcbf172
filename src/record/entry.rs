//! One record of the log.

use super::{
    AbandonedLog, DispatchSent, EntryDefect, PartnerChange, Refusal, bounds, checkpoint, pb, wire,
};
use crate::{
    access::{Assignee, AttemptReport, Basis, Grounds, Principal, QuotaReport, Units},
    domain::{DispatchId, EntryId, Jurisdiction, RecordId, Timestamp},
    merkle::{self, Hash},
    note::Checkpoint,
};
use prost::Message as _;

/// The version that this program writes.
pub const VERSION: u32 = 1;

/// A leaf is at most so many bytes.
pub const LEAF_LIMIT: usize = 65_535;

/// A `Consulted` entry names at most so many records.
pub const CONSULTED_LIMIT: usize = 1_000;

/// Who caused an entry, and on what grounds. The node's own acts have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Who.
    pub principal: Principal,
    /// Why; nothing where the node acts by itself.
    pub grounds: Option<Grounds>,
}

/// A log entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The node's clock when it was written.
    pub time: Timestamp,
    /// Made by the node.
    pub id: EntryId,
    /// Who caused it.
    pub cause: Cause,
    /// What happened.
    pub kind: Kind,
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
        /// Whose.
        jurisdiction: Jurisdiction,
        /// SHA-256 of the card approved.
        card_sha256: [u8; 32],
        /// The log that is given up for the one on this card, where it is another.
        abandoned: Option<AbandonedLog>,
    },
    /// A supervisor cut off a partner.
    PartnerSuspended {
        /// Whose.
        jurisdiction: Jurisdiction,
    },
    /// Somebody drafted what is to become of a partner.
    PartnerChangeDrafted {
        /// Whose.
        jurisdiction: Jurisdiction,
        /// What.
        change: PartnerChange,
    },
    /// A second person let a suspended partner in again.
    PartnerResumed {
        /// Whose.
        jurisdiction: Jurisdiction,
        /// Leaf hash of the draft.
        draft: Hash,
    },
    /// A second person ended the exchange with a partner.
    PartnerRemoved {
        /// Whose.
        jurisdiction: Jurisdiction,
        /// Leaf hash of the draft.
        draft: Hash,
    },
    /// A dispatch left.
    DispatchSent(DispatchSent),
    /// A dispatch arrived, was verified and is kept.
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
        /// Which.
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
        /// Which.
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
        /// Which.
        records: Vec<RecordId>,
        /// True where a supervisor overrode an assignment to somebody else.
        overridden: bool,
    },
    /// Two statements of a partner that cannot both be honest.
    EvidenceKept {
        /// Whose.
        jurisdiction: Jurisdiction,
        /// One, with its signature.
        first: (Checkpoint, [u8; 64]),
        /// The other, with its signature.
        second: (Checkpoint, [u8; 64]),
        /// Who showed the second, where it was somebody else.
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
        /// To whom; nothing opens it to all of the node's officers.
        assignee: Option<Assignee>,
    },
    /// A principal was slowed or refused because it asked for too much.
    QuotaReached(QuotaReport),
    /// Somebody tried what they may not.
    AttemptRefused(AttemptReport),
}

/// A dispatch as it arrived, with what proves that it is in its sender's log.
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
    /// Size of our checkpoint that it covers: at least that inside `partner_entry`, larger where the dispatch was
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
    /// A search of what records say: by number, name, place or substance.
    Number,
    /// None was opened: a supervisor overrode an assignment to act; the next entry is the act.
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
    /// Of entries of the log: the first, and how many.
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

    fn to_wire(&self) -> pb::entry::Kind {
        use pb::entry::Kind as W;
        match self {
            Self::LogStarted {
                origin,
                verifier_key,
                jurisdiction,
            } => W::LogStarted(pb::LogStarted {
                origin: origin.clone(),
                verifier_key: verifier_key.clone(),
                jurisdiction: jurisdiction.to_string(),
            }),
            Self::PolicyChanged { auditors, units } => W::PolicyChanged(pb::PolicyChanged {
                auditors: auditors.clone(),
                units: wire::units_to_wire(units),
            }),
            Self::PartnerProposed { card } => W::PartnerProposed(pb::PartnerProposed {
                card: card.clone().into(),
            }),
            Self::PartnerApproved {
                jurisdiction,
                card_sha256,
                abandoned,
            } => W::PartnerApproved(pb::PartnerApproved {
                jurisdiction: jurisdiction.to_string(),
                card_sha256: card_sha256.to_vec().into(),
                abandoned: abandoned.as_ref().map(AbandonedLog::to_wire),
            }),
            Self::PartnerSuspended { jurisdiction } => W::PartnerSuspended(pb::PartnerSuspended {
                jurisdiction: jurisdiction.to_string(),
            }),
            Self::PartnerChangeDrafted {
                jurisdiction,
                change,
            } => W::PartnerChangeDrafted(pb::PartnerChangeDrafted {
                jurisdiction: jurisdiction.to_string(),
                change: change.to_wire().into(),
            }),
            Self::PartnerResumed {
                jurisdiction,
                draft,
            } => W::PartnerResumed(pb::PartnerResumed {
                jurisdiction: jurisdiction.to_string(),
                draft: draft.as_bytes().to_vec().into(),
            }),
            Self::PartnerRemoved {
                jurisdiction,
                draft,
            } => W::PartnerRemoved(pb::PartnerRemoved {
                jurisdiction: jurisdiction.to_string(),
                draft: draft.as_bytes().to_vec().into(),
            }),
            Self::DispatchSent(sent) => W::DispatchSent(sent.to_wire()),
            Self::DispatchReceived(received) => W::DispatchReceived(pb::DispatchReceived {
                sender_entry: received.sender_entry.clone().into(),
                sender_index: received.sender_index,
                inclusion: merkle::proof_to_bytes(&received.inclusion).into(),
                checkpoint: Some(to_parts(&received.checkpoint, &received.signature)),
            }),
            Self::DispatchRefused { received, reason } => W::DispatchRefused(pb::DispatchRefused {
                sender_entry: received.sender_entry.clone().into(),
                sender_index: received.sender_index,
                inclusion: merkle::proof_to_bytes(&received.inclusion).into(),
                checkpoint: Some(to_parts(&received.checkpoint, &received.signature)),
                reason: reason.to_wire(),
            }),
            Self::ReceiptLogged {
                to,
                dispatch_id,
                sent_index,
                proof,
            } => W::ReceiptLogged(pb::ReceiptLogged {
                to: to.to_string(),
                dispatch_id: dispatch_id.as_bytes().to_vec().into(),
                sent_index: *sent_index,
                proof: Some(proof.to_wire()),
            }),
            Self::RefusalLogged {
                to,
                dispatch_id,
                sent_index,
                reason,
                proof,
            } => W::RefusalLogged(pb::RefusalLogged {
                to: to.to_string(),
                dispatch_id: dispatch_id.as_bytes().to_vec().into(),
                sent_index: *sent_index,
                reason: reason.to_wire(),
                proof: Some(proof.to_wire()),
            }),
            Self::Consulted {
                how,
                records,
                overridden,
            } => W::Consulted(pb::Consulted {
                how: match how {
                    Consultation::List => pb::Consultation::List,
                    Consultation::Open => pb::Consultation::Open,
                    Consultation::Number => pb::Consultation::Number,
                    Consultation::Act => pb::Consultation::Act,
                    Consultation::Log { .. } => pb::Consultation::Log,
                } as i32,
                first: how.range().map_or(0, |(first, _)| first),
                count: how.range().map_or(0, |(_, count)| count),
                overridden: *overridden,
                record_ids: records
                    .iter()
                    .map(|id| id.as_bytes().to_vec().into())
                    .collect(),
            }),
            Self::EvidenceKept {
                jurisdiction,
                first,
                second,
                shown_by,
            } => W::EvidenceKept(pb::EvidenceKept {
                jurisdiction: jurisdiction.to_string(),
                first: Some(to_parts(&first.0, &first.1)),
                second: Some(to_parts(&second.0, &second.1)),
                shown_by: shown_by.map(|who| who.to_string()).unwrap_or_default(),
            }),
            Self::ReferralDrafted(dispatch) => W::ReferralDrafted(pb::ReferralDrafted {
                dispatch: Some(dispatch.to_wire()),
            }),
            Self::ReferralApproved { record, draft } => W::ReferralApproved(pb::ReferralApproved {
                record_id: record.as_bytes().to_vec().into(),
                draft: draft.as_bytes().to_vec().into(),
            }),
            Self::RecordAssigned { record, assignee } => W::RecordAssigned(pb::RecordAssigned {
                record_id: record.as_bytes().to_vec().into(),
                assignee: assignee
                    .as_ref()
                    .map(Assignee::to_string)
                    .unwrap_or_default(),
            }),
            Self::QuotaReached(report) => W::QuotaReached(pb::QuotaReached {
                principal: report.principal.to_string(),
                quota: wire::quota_to_wire(report.quota),
                limit: report.limit,
                counted: report.counted,
                window_s: report.window_s,
                refused: report.refused,
            }),
            Self::AttemptRefused(report) => W::AttemptRefused(pb::AttemptRefused {
                principal: report.principal.to_string(),
                attempt: wire::attempt_to_wire(report.attempt),
                counted: report.counted,
                window_s: report.window_s,
            }),
        }
    }

    fn from_wire(kind: pb::entry::Kind) -> Result<Self, EntryDefect> {
        use pb::entry::Kind as W;
        let malformed = EntryDefect::Malformed;
        let dispatch_id =
            |bytes: &[u8]| DispatchId::from_slice(bytes).map_err(|_| malformed("dispatch_id"));
        let reason = |value: i32| Refusal::from_wire(value).ok_or(EntryDefect::Missing("reason"));
        Ok(match kind {
            W::LogStarted(started) => Self::LogStarted {
                origin: started.origin,
                verifier_key: started.verifier_key,
                jurisdiction: wire::parse(&started.jurisdiction, "jurisdiction")?,
            },
            W::PolicyChanged(policy) => Self::PolicyChanged {
                auditors: policy.auditors,
                units: wire::units_from_wire(&policy.units)?,
            },
            W::PartnerProposed(proposed) => Self::PartnerProposed {
                card: proposed.card.to_vec(),
            },
            W::PartnerApproved(approved) => Self::PartnerApproved {
                jurisdiction: wire::parse(&approved.jurisdiction, "jurisdiction")?,
                card_sha256: wire::array(&approved.card_sha256, "card_sha256")?,
                abandoned: approved
                    .abandoned
                    .map(AbandonedLog::from_wire)
                    .transpose()?,
            },
            W::PartnerSuspended(suspended) => Self::PartnerSuspended {
                jurisdiction: wire::parse(&suspended.jurisdiction, "jurisdiction")?,
            },
            W::PartnerChangeDrafted(drafted) => Self::PartnerChangeDrafted {
                jurisdiction: wire::parse(&drafted.jurisdiction, "jurisdiction")?,
                change: PartnerChange::from_wire(drafted.change)
                    .ok_or(EntryDefect::Missing("change"))?,
            },
            W::PartnerResumed(resumed) => Self::PartnerResumed {
                jurisdiction: wire::parse(&resumed.jurisdiction, "jurisdiction")?,
                draft: wire::hash(&resumed.draft, "draft")?,
            },
            W::PartnerRemoved(removed) => Self::PartnerRemoved {
                jurisdiction: wire::parse(&removed.jurisdiction, "jurisdiction")?,
                draft: wire::hash(&removed.draft, "draft")?,
            },
            W::DispatchSent(sent) => Self::DispatchSent(DispatchSent::from_wire(sent)?),
            W::DispatchReceived(received) => Self::DispatchReceived(Received::from_wire(
                &received.sender_entry,
                received.sender_index,
                &received.inclusion,
                received.checkpoint,
            )?),
            W::DispatchRefused(refused) => Self::DispatchRefused {
                reason: reason(refused.reason)?,
                received: Received::from_wire(
                    &refused.sender_entry,
                    refused.sender_index,
                    &refused.inclusion,
                    refused.checkpoint,
                )?,
            },
            W::ReceiptLogged(receipt) => Self::ReceiptLogged {
                to: wire::parse(&receipt.to, "to")?,
                dispatch_id: dispatch_id(&receipt.dispatch_id)?,
                sent_index: receipt.sent_index,
                proof: PartnerProof::from_wire(wire::required(receipt.proof, "proof")?)?,
            },
            W::RefusalLogged(refusal) => Self::RefusalLogged {
                to: wire::parse(&refusal.to, "to")?,
                dispatch_id: dispatch_id(&refusal.dispatch_id)?,
                sent_index: refusal.sent_index,
                reason: reason(refusal.reason)?,
                proof: PartnerProof::from_wire(wire::required(refusal.proof, "proof")?)?,
            },
            W::Consulted(consulted) => {
                if consulted.record_ids.len() > CONSULTED_LIMIT {
                    return Err(EntryDefect::TooLong("record_ids"));
                }
                Self::Consulted {
                    how: match pb::Consultation::try_from(consulted.how) {
                        Ok(pb::Consultation::List) => Consultation::List,
                        Ok(pb::Consultation::Open) => Consultation::Open,
                        Ok(pb::Consultation::Number) => Consultation::Number,
                        Ok(pb::Consultation::Act) => Consultation::Act,
                        Ok(pb::Consultation::Log) => Consultation::Log {
                            first: consulted.first,
                            count: consulted.count,
                        },
                        Ok(pb::Consultation::Unspecified) | Err(_) => {
                            return Err(EntryDefect::Missing("how"));
                        }
                    },
                    records: consulted
                        .record_ids
                        .iter()
                        .map(|id| RecordId::from_slice(id).map_err(|_| malformed("record_ids")))
                        .collect::<Result<_, _>>()?,
                    overridden: consulted.overridden,
                }
            }
            W::ReferralDrafted(drafted) => Self::ReferralDrafted(DispatchSent::from_wire(
                wire::required(drafted.dispatch, "dispatch")?,
            )?),
            W::ReferralApproved(approved) => Self::ReferralApproved {
                record: RecordId::from_slice(&approved.record_id)
                    .map_err(|_| malformed("record_id"))?,
                draft: wire::hash(&approved.draft, "draft")?,
            },
            W::RecordAssigned(assigned) => Self::RecordAssigned {
                record: RecordId::from_slice(&assigned.record_id)
                    .map_err(|_| malformed("record_id"))?,
                assignee: match assigned.assignee.as_str() {
                    "" => None,
                    assignee => Some(wire::parse(assignee, "assignee")?),
                },
            },
            W::QuotaReached(reached) => Self::QuotaReached(QuotaReport {
                principal: wire::parse(&reached.principal, "principal")?,
                quota: wire::quota_from_wire(reached.quota).ok_or(EntryDefect::Missing("quota"))?,
                limit: reached.limit,
                counted: reached.counted,
                window_s: reached.window_s,
                refused: reached.refused,
            }),
            W::AttemptRefused(refused) => Self::AttemptRefused(AttemptReport {
                principal: wire::parse(&refused.principal, "principal")?,
                attempt: wire::attempt_from_wire(refused.attempt)
                    .ok_or(EntryDefect::Missing("attempt"))?,
                counted: refused.counted,
                window_s: refused.window_s,
            }),
            W::EvidenceKept(evidence) => Self::EvidenceKept {
                jurisdiction: wire::parse(&evidence.jurisdiction, "jurisdiction")?,
                first: checkpoint::parts(wire::required(evidence.first, "first")?, "first")?,
                second: checkpoint::parts(wire::required(evidence.second, "second")?, "second")?,
                shown_by: match evidence.shown_by.as_str() {
                    "" => None,
                    who => Some(wire::parse(who, "shown_by")?),
                },
            },
        })
    }
}

fn to_parts(checkpoint: &Checkpoint, signature: &[u8; 64]) -> pb::Checkpoint {
    pb::Checkpoint {
        origin: checkpoint.origin.clone(),
        size: checkpoint.size,
        root: checkpoint.root.as_bytes().to_vec().into(),
        signature: signature.to_vec().into(),
    }
}

fn proof(bytes: &[u8]) -> Result<Vec<Hash>, EntryDefect> {
    merkle::proof_from_bytes(bytes).map_err(|_| EntryDefect::Malformed("inclusion"))
}

impl Received {
    fn from_wire(
        sender_entry: &[u8],
        sender_index: u64,
        inclusion: &[u8],
        wire_checkpoint: Option<pb::Checkpoint>,
    ) -> Result<Self, EntryDefect> {
        let wire_checkpoint = wire::required(wire_checkpoint, "checkpoint")?;
        let (checkpoint, signature) = checkpoint::parts(wire_checkpoint, "checkpoint")?;
        Ok(Self {
            sender_entry: sender_entry.to_vec(),
            sender_index,
            inclusion: proof(inclusion)?,
            checkpoint,
            signature,
        })
    }
}

impl PartnerProof {
    fn to_wire(&self) -> pb::PartnerProof {
        pb::PartnerProof {
            partner_entry: self.partner_entry.clone().into(),
            partner_index: self.partner_index,
            inclusion: merkle::proof_to_bytes(&self.inclusion).into(),
            checkpoint: Some(to_parts(&self.checkpoint, &self.signature)),
            cosigned_at_s: self.cosigned_at_s,
            cosignature: self.cosignature.to_vec().into(),
            cosigned_size: self.cosigned_size,
            cosigned_root: self.cosigned_root.as_bytes().to_vec().into(),
        }
    }

    fn from_wire(wire_proof: pb::PartnerProof) -> Result<Self, EntryDefect> {
        let parts = wire::required(wire_proof.checkpoint, "checkpoint")?;
        let (checkpoint, signature) = checkpoint::parts(parts, "checkpoint")?;
        Ok(Self {
            partner_entry: wire_proof.partner_entry.to_vec(),
            partner_index: wire_proof.partner_index,
            inclusion: proof(&wire_proof.inclusion)?,
            checkpoint,
            signature,
            cosigned_at_s: wire_proof.cosigned_at_s,
            cosignature: wire::array(&wire_proof.cosignature, "cosignature")?,
            cosigned_size: wire_proof.cosigned_size,
            cosigned_root: wire::hash(&wire_proof.cosigned_root, "cosigned_root")?,
        })
    }
}

impl Entry {
    /// The leaf: exact bytes, to be written once.
    pub fn encode(&self) -> Vec<u8> {
        let (purpose, basis) = match &self.cause.grounds {
            Some(grounds) => (
                wire::purpose_to_wire(grounds.purpose),
                grounds.basis.to_string(),
            ),
            None => (0, String::new()),
        };
        pb::Entry {
            version: VERSION,
            time_ms: self.time.millis(),
            id: self.id.as_bytes().to_vec().into(),
            principal: self.cause.principal.to_string(),
            purpose,
            basis,
            kind: Some(self.kind.to_wire()),
        }
        .encode_to_vec()
    }

    /// Reads a leaf.
    ///
    /// # Errors
    /// Which field is wrong. Bytes that another encoder might have written differently are refused, so that a leaf hash
    /// stands for one meaning.
    pub fn decode(leaf: &[u8]) -> Result<Self, EntryDefect> {
        if leaf.len() > LEAF_LIMIT {
            return Err(EntryDefect::TooLong("entry"));
        }
        let wire_entry = bounds::decode::<pb::Entry>(leaf)?;
        if wire_entry.version != VERSION {
            return Err(EntryDefect::Version(wire_entry.version));
        }
        let grounds = match (wire_entry.purpose, wire_entry.basis.as_str()) {
            (0, "") => None,
            (purpose, basis) => Some(Grounds {
                purpose: wire::purpose_from_wire(purpose).ok_or(EntryDefect::Missing("purpose"))?,
                basis: wire::parse::<Basis>(basis, "basis")?,
            }),
        };
        let entry = Self {
            time: Timestamp::from_millis(wire_entry.time_ms),
            id: EntryId::from_slice(&wire_entry.id).map_err(|_| EntryDefect::Malformed("id"))?,
            cause: Cause {
                principal: wire::parse(&wire_entry.principal, "principal")?,
                grounds,
            },
            kind: Kind::from_wire(wire::required(wire_entry.kind, "kind")?)?,
        };
        if entry.encode() != leaf {
            return Err(EntryDefect::NotCanonical("Entry"));
        }
        Ok(entry)
    }
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
