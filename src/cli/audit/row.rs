//! An entry as a row.

use crate::{
    cli::print::rfc3339,
    domain::RecordId,
    merkle::leaf_hash,
    record::{DispatchSent, Entry, EntryDefect, Kind},
};
use serde::Serialize;

/// Which entries. All that is set must hold; an entry that cannot be read is always shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    pub(super) kinds: Vec<String>,
    pub(super) principal: Option<String>,
    pub(super) since: Option<u64>,
    pub(super) before: Option<u64>,
    pub(super) record: Option<RecordId>,
}

/// One entry. Ids, digests and codes only: an entry holds nothing about a person, and neither does its row.
#[derive(Debug, Default, Serialize)]
pub(super) struct Row {
    pub(super) index: u64,
    pub(super) kind: &'static str,
    pub(super) leaf_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) principal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) purpose: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) basis: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) defect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dispatch_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) record: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) partner_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) how: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) records: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) jurisdiction: Option<String>,
}

impl Filter {
    pub(super) fn row(&self, index: u64, leaf: &[u8]) -> Option<Row> {
        let leaf_hash = leaf_hash(leaf).to_string();
        match Entry::decode(leaf) {
            Ok(entry) => self
                .admits(&entry)
                .then(|| Row::of(index, leaf_hash, &entry)),
            Err(defect) => Some(Row::unread(index, leaf_hash, &defect)),
        }
    }

    fn admits(&self, entry: &Entry) -> bool {
        let millis = entry.time.millis();
        (self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == entry.kind.as_str()))
            && self
                .principal
                .as_ref()
                .is_none_or(|wanted| entry.cause.principal.to_string() == *wanted)
            && self.since.is_none_or(|since| millis >= since)
            && self.before.is_none_or(|before| millis < before)
            && self
                .record
                .is_none_or(|record| is_about(&entry.kind, record))
    }
}

fn is_about(kind: &Kind, record: RecordId) -> bool {
    if let Kind::Consulted { records, .. } = kind {
        return records.contains(&record);
    }
    dispatch(kind).is_some_and(|sent| sent.record == record)
}

/// The dispatch that an entry is about, read through the entries inside it.
fn dispatch(kind: &Kind) -> Option<DispatchSent> {
    let within = |leaf: &[u8]| dispatch(&Entry::decode(leaf).ok()?.kind);
    match kind {
        Kind::DispatchSent(sent) => Some(sent.clone()),
        Kind::DispatchReceived(received) | Kind::DispatchRefused { received, .. } => {
            within(&received.sender_entry)
        }
        Kind::ReceiptLogged { proof, .. } | Kind::RefusalLogged { proof, .. } => {
            within(&proof.partner_entry)
        }
        Kind::LogStarted { .. }
        | Kind::PolicyChanged { .. }
        | Kind::PartnerProposed { .. }
        | Kind::PartnerApproved { .. }
        | Kind::Consulted { .. }
        | Kind::EvidenceKept { .. } => None,
    }
}

impl Row {
    fn unread(index: u64, leaf_hash: String, defect: &EntryDefect) -> Self {
        Self {
            index,
            kind: "unreadable",
            leaf_hash,
            defect: Some(defect.to_string()),
            ..Self::default()
        }
    }

    fn of(index: u64, leaf_hash: String, entry: &Entry) -> Self {
        let grounds = entry.cause.grounds.as_ref();
        let sent = dispatch(&entry.kind);
        let sent = sent.as_ref();
        let mut row = Self {
            index,
            kind: entry.kind.as_str(),
            leaf_hash,
            time: rfc3339(entry.time.millis()),
            time_ms: Some(entry.time.millis()),
            id: Some(entry.id.to_string()),
            principal: Some(entry.cause.principal.to_string()),
            purpose: grounds.map(|grounds| grounds.purpose.as_str()),
            basis: grounds.map(|grounds| grounds.basis.to_string()),
            dispatch_id: sent.map(|sent| sent.dispatch_id.to_string()),
            from: sent.map(|sent| sent.from.to_string()),
            to: sent.map(|sent| sent.to.to_string()),
            action: sent.map(|sent| sent.action.as_str()),
            record: sent.map(|sent| sent.record.to_string()),
            ..Self::default()
        };
        match &entry.kind {
            Kind::LogStarted { origin, .. } => row.origin = Some(origin.clone()),
            Kind::PartnerApproved { jurisdiction, .. }
            | Kind::EvidenceKept { jurisdiction, .. } => {
                row.jurisdiction = Some(jurisdiction.to_string());
            }
            Kind::DispatchRefused { reason, .. } => row.refusal = Some(reason.as_str()),
            Kind::ReceiptLogged { proof, .. } => row.partner_index = Some(proof.partner_index),
            Kind::RefusalLogged { proof, reason, .. } => {
                row.partner_index = Some(proof.partner_index);
                row.refusal = Some(reason.as_str());
            }
            Kind::Consulted { how, records } => {
                row.how = Some(how.as_str());
                row.records = Some(records.iter().map(ToString::to_string).collect());
            }
            Kind::PolicyChanged { .. }
            | Kind::PartnerProposed { .. }
            | Kind::DispatchSent(_)
            | Kind::DispatchReceived(_) => {}
        }
        row
    }
}
