//! The bytes of an entry: written once, and read strictly.

use super::{
    AbandonedLog, DispatchSent, EntryDefect, PartnerChange, Refusal, bounds, checkpoint,
    model::{
        CONSULTED_LIMIT, Cause, Consultation, Entry, Kind, LEAF_LIMIT, PartnerProof, Received,
        VERSION,
    },
    pb, wire,
};
use crate::{
    access::{Assignee, AttemptReport, Basis, Grounds, QuotaReport},
    domain::{DispatchId, EntryId, RecordId, Timestamp},
    merkle::{self, Hash},
    note::Checkpoint,
};
use prost::Message as _;

impl Kind {
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
    /// The field that is wrong. Bytes that another encoder might have written differently are refused, so that a leaf
    /// hash has one meaning.
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
