//! A log entry as a row: everything in it that auditors ask for, under stable names.

use super::reading::{is_of_a_newer_program, owner_of, partner_entry, rfc3339, sent_entry};
use crate::{
    access::Principal,
    domain::{Jurisdiction, RecordId, Timestamp},
    entry::{DispatchSent, Entry, EntryDefect, Kind, PartnerProof, Received, Refusal},
    merkle::Hash,
    seal,
};
use serde::Serialize;
use std::{collections::BTreeMap, fmt, str::FromStr};

/// Every kind of entry, as [`Kind::as_str`] writes it.
const KINDS: [&str; 20] = [
    "log_started",
    "policy_changed",
    "partner_proposed",
    "partner_approved",
    "partner_suspended",
    "partner_change_drafted",
    "partner_resumed",
    "partner_removed",
    "dispatch_sent",
    "dispatch_received",
    "dispatch_refused",
    "receipt_logged",
    "refusal_logged",
    "consulted",
    "evidence_kept",
    "referral_drafted",
    "referral_approved",
    "record_assigned",
    "quota_reached",
    "attempt_refused",
];

/// The name of a kind of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindName(&'static str);

/// Not a kind of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("name a kind of entry: {}", KINDS.join(", "))]
pub struct UnknownKind;

impl KindName {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        KINDS.into_iter().map(Self)
    }

    /// The name.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// The name of this kind.
    pub const fn of(kind: &Kind) -> Self {
        Self(kind.as_str())
    }
}

impl FromStr for KindName {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::all().find(|kind| kind.0 == text).ok_or(UnknownKind)
    }
}

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// What an entry is about, including what the entries inside it say.
#[derive(Debug, Default)]
pub(super) struct Subject<'a> {
    /// The jurisdiction at the other end.
    pub(super) counterpart: Option<Jurisdiction>,
    /// The dispatch.
    sent: Option<DispatchSent>,
    /// The record, if no dispatch names it.
    record: Option<RecordId>,
    /// Records read.
    consulted: &'a [RecordId],
    /// When the partner wrote its answer, by its clock.
    partner_time: Option<Timestamp>,
    /// The principal about whom the node makes a statement.
    pub(super) who: Option<&'a Principal>,
}

impl<'a> Subject<'a> {
    pub(super) fn of(kind: &'a Kind) -> Self {
        match kind {
            Kind::LogStarted { .. } | Kind::PolicyChanged { .. } | Kind::PartnerProposed { .. } => {
                Self::default()
            }
            Kind::AttemptRefused(report) => Self {
                who: Some(&report.principal),
                ..Self::default()
            },
            Kind::QuotaReached(report) => Self {
                who: Some(&report.principal),
                ..Self::default()
            },
            Kind::PartnerApproved { jurisdiction, .. }
            | Kind::PartnerSuspended { jurisdiction }
            | Kind::PartnerChangeDrafted { jurisdiction, .. }
            | Kind::PartnerResumed { jurisdiction, .. }
            | Kind::PartnerRemoved { jurisdiction, .. }
            | Kind::EvidenceKept { jurisdiction, .. } => Self {
                counterpart: Some(*jurisdiction),
                ..Self::default()
            },
            Kind::DispatchSent(sent) | Kind::ReferralDrafted(sent) => Self {
                counterpart: Some(sent.to),
                sent: Some(sent.clone()),
                ..Self::default()
            },
            Kind::DispatchReceived(received) | Kind::DispatchRefused { received, .. } => Self {
                counterpart: owner_of(&received.checkpoint.origin),
                sent: sent_entry(&received.sender_entry).map(|entry| entry.sent),
                ..Self::default()
            },
            Kind::ReceiptLogged { to, proof, .. } | Kind::RefusalLogged { to, proof, .. } => {
                let answer = partner_entry(proof);
                Self {
                    counterpart: Some(*to),
                    partner_time: answer.as_ref().map(|answer| answer.time),
                    sent: answer
                        .and_then(|answer| sent_entry(&answer.received.sender_entry))
                        .map(|entry| entry.sent),
                    ..Self::default()
                }
            }
            Kind::Consulted { records, .. } => Self {
                consulted: records,
                ..Self::default()
            },
            Kind::ReferralApproved { record, .. } | Kind::RecordAssigned { record, .. } => Self {
                record: Some(*record),
                ..Self::default()
            },
        }
    }

    /// Whether it is about the dispatch with this id, or about one of the record with this id. Who read or was assigned
    /// a record does not count: that concerns only this node.
    pub(super) fn is_of(&self, id: &[u8; 16]) -> bool {
        self.sent
            .as_ref()
            .is_some_and(|s| s.dispatch_id.as_bytes() == id || s.record.as_bytes() == id)
    }

    pub(super) fn is_about(&self, record: RecordId) -> bool {
        self.consulted.contains(&record)
            || self.record == Some(record)
            || self.sent.as_ref().is_some_and(|s| s.record == record)
    }
}

macro_rules! row {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct $name {
            /// Index in the log.
            pub index: u64,
            /// As [`Kind::as_str`] names it, or [`ReplayRow::UNKNOWN`] or [`ReplayRow::UNREADABLE`].
            pub kind: &'static str,
            /// RFC 6962 leaf hash, hexadecimal.
            pub leaf_hash: String,
            $(
                $(#[$fdoc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>,
            )+
        }
    };
}

row! {
    /// One entry. The names are stable; in JSON, fields that an entry does not have are left out. Ids, digests and
    /// codes only: an entry holds nothing about a person, and neither does its row.
    ReplayRow {
        /// When the node wrote it, RFC 3339 in China Standard Time.
        time: String,
        /// The same in milliseconds since 1970-01-01 UTC.
        time_ms: u64,
        /// The entry's id.
        id: String,
        /// SPIFFE ID of the principal that caused it.
        principal: String,
        /// Their purpose; absent if the node acts by itself.
        purpose: &'static str,
        /// Their basis.
        basis: String,
        /// What is wrong with an entry that could not be read.
        defect: String,
        /// The dispatch.
        dispatch_id: String,
        /// Its sender.
        from: String,
        /// Its recipient.
        to: String,
        /// What it says or does.
        action: &'static str,
        /// The record that it opens or acts on.
        record: String,
        /// Leaf hash of the draft that was approved, hexadecimal.
        draft: String,
        /// How urgent.
        urgency: &'static str,
        /// How to be handled.
        handling: &'static str,
        /// Seconds from receipt within which the recipient must sign for it.
        sign_within_s: u32,
        /// Month in which the record is purged, year * 100 + month.
        purge_month: u32,
        /// Why a lead was returned.
        return_reason: &'static str,
        /// Why a dispatch was refused.
        refusal: &'static str,
        /// Index of the dispatch in its sender's log.
        sender_index: u64,
        /// Index of the partner's answer in the partner's log.
        partner_index: u64,
        /// When the partner wrote its answer, by its own clock, RFC 3339.
        partner_time: String,
        /// When the partner cosigned our checkpoint, by its own clock, RFC 3339.
        cosigned_at: String,
        /// Origin of the log: this one at its start, otherwise the partner's.
        origin: String,
        /// The log's verifier key at its start.
        verifier_key: String,
        /// How records were consulted.
        how: &'static str,
        /// The records.
        records: Vec<String>,
        /// Whether a supervisor overrode an assignment to do so.
        overridden: bool,
        /// For an auditor's read of the log, the first entry that was asked for, and how many.
        range: [u64; 2],
        /// To whom the record is assigned from here on; empty for nobody.
        assignee: String,
        /// Who reached a quota, or tried something forbidden.
        who: String,
        /// The quota.
        quota: &'static str,
        /// Its limit.
        limit: u32,
        /// What somebody tried and was refused.
        attempt: &'static str,
        /// How much of it was used, or how often it was tried.
        counted: u32,
        /// Seconds over which it is counted.
        window_s: u32,
        /// Whether further calls were refused; false if they were slowed.
        refused: bool,
        /// Auditors under the policy from here on.
        auditors: Vec<String>,
        /// Units under that policy, and the officers in each.
        units: BTreeMap<String, Vec<String>>,
        /// The node's own jurisdiction at its start, otherwise the partner approved or accused.
        jurisdiction: String,
        /// SHA-256 of a node card, hexadecimal.
        card_sha256: String,
        /// The partner's log that was abandoned for the one on the card.
        abandoned_origin: String,
        /// Entries of it that had been verified.
        abandoned_size: u64,
        /// The drafted change to the partner: `resume`, `remove`.
        change: &'static str,
        /// Sizes of the two checkpoints kept as evidence.
        evidence_sizes: [u64; 2],
        /// Who showed the second.
        shown_by: String,
    }
}

impl ReplayRow {
    /// The kind of an entry that a newer program wrote.
    pub const UNKNOWN: &'static str = "unknown";
    /// The kind of bytes that are not an entry.
    pub const UNREADABLE: &'static str = "unreadable";

    pub(super) fn of_unread(index: u64, hash: &Hash, defect: &EntryDefect) -> Self {
        let newer = is_of_a_newer_program(defect);
        Self {
            index,
            kind: if newer {
                Self::UNKNOWN
            } else {
                Self::UNREADABLE
            },
            leaf_hash: hash.to_string(),
            defect: Some(defect.to_string()),
            ..Self::default()
        }
    }

    pub(super) fn of_entry(index: u64, hash: &Hash, entry: &Entry, subject: &Subject<'_>) -> Self {
        let grounds = entry.cause.grounds.as_ref();
        let mut row = Self {
            index,
            kind: entry.kind.as_str(),
            leaf_hash: hash.to_string(),
            time: Some(rfc3339(entry.time)),
            time_ms: Some(entry.time.millis()),
            id: Some(entry.id.to_string()),
            principal: Some(entry.cause.principal.to_string()),
            purpose: grounds.map(|grounds| grounds.purpose.as_str()),
            basis: grounds.map(|grounds| grounds.basis.to_string()),
            partner_time: subject.partner_time.map(rfc3339),
            ..Self::default()
        };
        if let Some(sent) = &subject.sent {
            row.take_dispatch(sent);
        }
        row.take_kind(&entry.kind);
        row
    }

    fn take_dispatch(&mut self, sent: &DispatchSent) {
        self.dispatch_id = Some(sent.dispatch_id.to_string());
        self.from = Some(sent.from.to_string());
        self.to = Some(sent.to.to_string());
        self.action = Some(sent.action.as_str());
        self.record = Some(sent.record.to_string());
        self.urgency = Some(sent.urgency.as_str());
        self.handling = Some(sent.handling.as_str());
        self.sign_within_s = Some(sent.terms.sign_within_s);
        self.purge_month = Some(sent.terms.purge_month.number());
        self.return_reason = sent.return_reason.map(|reason| reason.as_str());
    }

    fn take_kind(&mut self, kind: &Kind) {
        match kind {
            Kind::LogStarted {
                origin,
                verifier_key,
                jurisdiction,
            } => {
                self.origin = Some(origin.clone());
                self.verifier_key = Some(verifier_key.clone());
                self.jurisdiction = Some(jurisdiction.to_string());
            }
            Kind::PolicyChanged { auditors, units } => {
                let units = units.iter().map(|(name, members)| {
                    let members = members.iter().map(ToString::to_string).collect();
                    (name.to_string(), members)
                });
                self.auditors = Some(auditors.clone());
                self.units = Some(units.collect());
            }
            Kind::PartnerProposed { card } => {
                self.card_sha256 = Some(hex::encode(seal::sha256(card)));
            }
            Kind::PartnerApproved {
                jurisdiction,
                card_sha256,
                abandoned,
            } => {
                self.jurisdiction = Some(jurisdiction.to_string());
                self.card_sha256 = Some(hex::encode(card_sha256));
                if let Some(log) = abandoned {
                    self.abandoned_origin = Some(log.origin.clone());
                    self.abandoned_size = Some(log.size);
                }
            }
            Kind::PartnerSuspended { jurisdiction } => {
                self.jurisdiction = Some(jurisdiction.to_string());
            }
            Kind::PartnerChangeDrafted {
                jurisdiction,
                change,
            } => {
                self.jurisdiction = Some(jurisdiction.to_string());
                self.change = Some(change.as_str());
            }
            Kind::PartnerResumed {
                jurisdiction,
                draft,
            }
            | Kind::PartnerRemoved {
                jurisdiction,
                draft,
            } => {
                self.jurisdiction = Some(jurisdiction.to_string());
                self.draft = Some(draft.to_string());
            }
            // Its subject covers everything.
            Kind::DispatchSent(_) | Kind::ReferralDrafted(_) => {}
            Kind::DispatchReceived(received) => self.take_received(received),
            Kind::DispatchRefused { received, reason } => {
                self.take_received(received);
                self.refusal = Some(reason.as_str());
            }
            Kind::ReceiptLogged {
                to,
                dispatch_id,
                sent_index,
                proof,
            } => self.take_proof(*to, dispatch_id.to_string(), *sent_index, proof, None),
            Kind::RefusalLogged {
                to,
                dispatch_id,
                sent_index,
                reason,
                proof,
            } => self.take_proof(
                *to,
                dispatch_id.to_string(),
                *sent_index,
                proof,
                Some(*reason),
            ),
            Kind::Consulted {
                how,
                records,
                overridden,
            } => {
                self.overridden = overridden.then_some(true);
                self.how = Some(how.as_str());
                self.range = how.range().map(|(first, count)| [first, count]);
                self.records = Some(records.iter().map(ToString::to_string).collect());
            }
            Kind::ReferralApproved { record, draft } => {
                self.record = Some(record.to_string());
                self.draft = Some(draft.to_string());
            }
            Kind::RecordAssigned { record, assignee } => {
                let to_whom = assignee.as_ref().map(ToString::to_string);
                self.record = Some(record.to_string());
                self.assignee = Some(to_whom.unwrap_or_default());
            }
            Kind::QuotaReached(report) => {
                self.who = Some(report.principal.to_string());
                self.quota = Some(report.quota.as_str());
                self.limit = Some(report.limit);
                self.counted = Some(report.counted);
                self.window_s = Some(report.window_s);
                self.refused = Some(report.refused);
            }
            Kind::AttemptRefused(report) => {
                self.who = Some(report.principal.to_string());
                self.attempt = Some(report.attempt.as_str());
                self.counted = Some(report.counted);
                self.window_s = Some(report.window_s);
            }
            Kind::EvidenceKept {
                jurisdiction,
                first,
                second,
                shown_by,
            } => {
                self.jurisdiction = Some(jurisdiction.to_string());
                self.origin = Some(first.0.origin.clone());
                self.evidence_sizes = Some([first.0.size, second.0.size]);
                self.shown_by = shown_by.map(|who| who.to_string());
            }
        }
    }

    fn take_received(&mut self, received: &Received) {
        self.sender_index = Some(received.sender_index);
        self.origin = Some(received.checkpoint.origin.clone());
    }

    /// What this log says about the answer takes precedence over the partner's entry.
    fn take_proof(
        &mut self,
        to: Jurisdiction,
        dispatch_id: String,
        sent_index: u64,
        proof: &PartnerProof,
        refusal: Option<Refusal>,
    ) {
        self.to = Some(to.to_string());
        self.dispatch_id = Some(dispatch_id);
        self.sender_index = Some(sent_index);
        self.partner_index = Some(proof.partner_index);
        self.origin = Some(proof.checkpoint.origin.clone());
        let millis = proof.cosigned_at_s.saturating_mul(1000);
        self.cosigned_at = Some(rfc3339(Timestamp::from_millis(millis)));
        self.refusal = refusal.map(Refusal::as_str);
    }
}
