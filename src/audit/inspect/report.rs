//! The result of an inspection.

use super::{Defect, Remark, defect::Findings};
use crate::{
    access::{Principal, Purpose},
    audit::{
        CappedList, VerifiedLog,
        reading::{as_optional_text, as_text, rfc3339},
        row::KindName,
    },
    domain::{DispatchId, Jurisdiction, Timestamp},
    entry::{Cause, Consultation},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// A log, read from its first entry to its signed head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// The log.
    pub origin: String,
    /// Its entries.
    pub entries: u64,
    /// Its signed root.
    pub root: String,
    /// Entries by kind, as [`Kind::as_str`](crate::entry::Kind::as_str) names them.
    pub by_kind: BTreeMap<&'static str, u64>,
    /// Entries that a newer program wrote, of which only the place is checked.
    pub unknown: u64,
    /// Dispatches sent.
    pub dispatches_sent: u64,
    /// Dispatches received.
    pub received: u64,
    /// Dispatches that this node refused.
    pub refused: u64,
    /// Receipts of partners.
    pub receipts: u64,
    /// Refusals of partners.
    pub refusals: u64,
    /// Verifier keys of partners that only this log names: what their answers prove holds only for somebody who has
    /// compared these with the partners themselves.
    pub keys_from_log: Vec<String>,
    /// Dispatches without a valid answer in the log.
    pub unanswered: CappedList<Unanswered>,
    /// Reads, by who, how and why.
    pub consultations: Vec<ConsultationCount>,
    /// Evidence against partners, valid or not.
    pub evidence: CappedList<Evidence>,
    /// What is wrong.
    pub defects: CappedList<Defect>,
    /// What else an auditor should know.
    pub remarks: CappedList<Remark>,
}

impl Inspection {
    /// Whether every entry was read and nothing is wrong with any. Evidence against a partner does not count against
    /// the log that keeps it.
    pub const fn is_clean(&self) -> bool {
        self.defects.is_empty() && self.unknown == 0
    }
}

/// A dispatch without an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unanswered {
    /// Its index.
    pub index: u64,
    /// When it was logged, RFC 3339.
    pub time: String,
    /// The recipient.
    #[serde(serialize_with = "as_text")]
    pub to: Jurisdiction,
    /// Its id.
    #[serde(serialize_with = "as_text")]
    pub dispatch_id: DispatchId,
}

impl Unanswered {
    pub(super) fn new(
        index: u64,
        time: Timestamp,
        to: Jurisdiction,
        dispatch_id: DispatchId,
    ) -> Self {
        Self {
            index,
            time: rfc3339(time),
            to,
            dispatch_id,
        }
    }
}

/// How often somebody read in one way for one purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsultationCount {
    /// Who.
    #[serde(serialize_with = "as_text")]
    pub principal: Principal,
    /// How.
    pub how: &'static str,
    /// Why; `None` if that is missing, which is a defect.
    #[serde(serialize_with = "as_optional_text")]
    pub purpose: Option<Purpose>,
    /// Entries.
    pub entries: u64,
    /// Records named in them, counted each time.
    pub records: u64,
}

/// Two statements of a partner that the node could not reconcile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The entry that keeps them.
    pub index: u64,
    /// The partner accused.
    #[serde(serialize_with = "as_text")]
    pub jurisdiction: Jurisdiction,
    /// Who showed the second, if it was not the accused.
    #[serde(serialize_with = "as_optional_text")]
    pub shown_by: Option<Jurisdiction>,
    /// Sizes of the two trees.
    pub sizes: [u64; 2],
    /// Their roots.
    pub roots: [String; 2],
    /// Both are signed by the accused and have one size and two roots: this alone proves that its log was shown in two
    /// versions. If false, ask the accused for a consistency proof between the two.
    pub proves_two_versions: bool,
}

/// Running counts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    by_kind: BTreeMap<KindName, u64>,
    pub(super) unknown: u64,
    consultations: BTreeMap<(Principal, &'static str, Option<Purpose>), (u64, u64)>,
    pub(super) evidence: CappedList<Evidence>,
    pub(super) keys_from_log: Vec<String>,
}

impl Tally {
    pub(super) fn count(&mut self, kind: KindName) {
        *self.by_kind.entry(kind).or_default() += 1;
    }

    pub(super) fn consulted(&mut self, cause: &Cause, how: Consultation, records: usize) {
        let purpose = cause.grounds.as_ref().map(|grounds| grounds.purpose);
        let key = (cause.principal.clone(), how.as_str(), purpose);
        let (entries, read) = self.consultations.entry(key).or_default();
        *entries += 1;
        *read += u64::try_from(records).unwrap_or(u64::MAX);
    }

    pub(super) fn report(
        self,
        log: &VerifiedLog,
        unanswered: impl Iterator<Item = Unanswered>,
        findings: Findings,
    ) -> Inspection {
        let by_kind: BTreeMap<_, _> = self
            .by_kind
            .iter()
            .map(|(kind, count)| (kind.as_str(), *count))
            .collect();
        let count = |kind| by_kind.get(kind).copied().unwrap_or(0);
        let mut open = CappedList::default();
        open.extend(unanswered);
        Inspection {
            origin: log.origin().to_owned(),
            entries: log.size(),
            root: log.root().to_string(),
            unknown: self.unknown,
            dispatches_sent: count("dispatch_sent"),
            received: count("dispatch_received"),
            refused: count("dispatch_refused"),
            receipts: count("receipt_logged"),
            refusals: count("refusal_logged"),
            by_kind,
            keys_from_log: self.keys_from_log,
            unanswered: open,
            consultations: self
                .consultations
                .into_iter()
                .map(
                    |((principal, how, purpose), (entries, records))| ConsultationCount {
                        principal,
                        how,
                        purpose,
                        entries,
                        records,
                    },
                )
                .collect(),
            evidence: self.evidence,
            defects: findings.defects,
            remarks: findings.remarks,
        }
    }
}
