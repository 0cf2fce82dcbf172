//! Reads what auditors need from a leaf, without state and without trust.

use crate::{
    access::Principal,
    domain::{Jurisdiction, RecordKind, Timestamp},
    entry::{DispatchAction, DispatchSent, Entry, EntryDefect, Kind, PartnerProof, Received},
    note::VerifierKey,
};
use serde::Serializer;
use std::fmt::Display;

/// The action that opens a transfer, and needs a second person's approval.
pub(super) const TRANSFER: DispatchAction = DispatchAction::open(RecordKind::Transfer);

/// A verifier key that is not a node's: its name is not `<code>.yichuan/log/<epoch>`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the key is named {name}, and a node's log key <code>.yichuan/log/<epoch>: give the log's own key"
)]
pub struct NotALogKey {
    /// Its name.
    pub name: String,
}

/// The jurisdiction whose log this key signs, by the key's name.
///
/// # Errors
/// It is not a node's log key.
pub fn log_owner(key: &VerifierKey) -> Result<Jurisdiction, NotALogKey> {
    owner_of(key.name()).ok_or_else(|| NotALogKey {
        name: key.name().to_owned(),
    })
}

/// The jurisdiction in a log's origin.
pub(super) fn owner_of(origin: &str) -> Option<Jurisdiction> {
    let (code, epoch) = origin.split_once(".yichuan/log/")?;
    let well_formed = epoch
        .parse::<u64>()
        .is_ok_and(|number| number > 0 && number.to_string() == epoch);
    code.parse().ok().filter(|_| well_formed)
}

/// Whether this program is too old for an entry, as opposed to the entry being wrong.
pub(super) fn is_of_a_newer_program(defect: &EntryDefect) -> bool {
    // An unknown kind decodes as none.
    matches!(
        defect,
        EntryDefect::Version(_) | EntryDefect::Missing("kind")
    )
}

/// A dispatch in its sender's own words.
pub(super) struct SentEntry {
    pub(super) cause: Principal,
    pub(super) has_grounds: bool,
    pub(super) sent: DispatchSent,
}

/// The `DispatchSent` in these bytes, if they are one.
pub(super) fn sent_entry(leaf: &[u8]) -> Option<SentEntry> {
    let entry = Entry::decode(leaf).ok()?;
    let Kind::DispatchSent(sent) = entry.kind else {
        return None;
    };
    Some(SentEntry {
        cause: entry.cause.principal,
        has_grounds: entry.cause.grounds.is_some(),
        sent,
    })
}

/// What a partner's entry says about our dispatch.
pub(super) struct PartnerEntry {
    pub(super) time: Timestamp,
    pub(super) principal: Principal,
    pub(super) received: Received,
    pub(super) refusal: Option<crate::entry::Refusal>,
}

/// The `DispatchReceived` or `DispatchRefused` in a proof, if it holds one.
pub(super) fn partner_entry(proof: &PartnerProof) -> Option<PartnerEntry> {
    let entry = Entry::decode(&proof.partner_entry).ok()?;
    let (received, refusal) = match entry.kind {
        Kind::DispatchReceived(received) => (received, None),
        Kind::DispatchRefused { received, reason } => (received, Some(reason)),
        Kind::LogStarted { .. }
        | Kind::PolicyChanged { .. }
        | Kind::PartnerProposed { .. }
        | Kind::PartnerApproved { .. }
        | Kind::PartnerSuspended { .. }
        | Kind::PartnerChangeDrafted { .. }
        | Kind::PartnerResumed { .. }
        | Kind::PartnerRemoved { .. }
        | Kind::DispatchSent(_)
        | Kind::ReceiptLogged { .. }
        | Kind::RefusalLogged { .. }
        | Kind::Consulted { .. }
        | Kind::EvidenceKept { .. }
        | Kind::ReferralDrafted(_)
        | Kind::ReferralApproved { .. }
        | Kind::RecordAssigned { .. }
        | Kind::QuotaReached(_)
        | Kind::AttemptRefused(_) => return None,
    };
    Some(PartnerEntry {
        time: entry.time,
        principal: entry.cause.principal,
        received,
        refusal,
    })
}

/// RFC 3339 in China Standard Time, to the millisecond: `2026-03-05T14:07:09.000+08:00`.
pub(super) fn rfc3339(time: Timestamp) -> String {
    let millis = i64::try_from(time.millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis)
        .unwrap_or(jiff::Timestamp::MAX)
        .to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8)))
        .strftime("%Y-%m-%dT%H:%M:%S%.3f%:z")
        .to_string()
}

/// RFC 3339 in JSON.
pub(super) fn as_rfc3339<S: Serializer>(
    time: &Timestamp,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*time))
}

/// RFC 3339 in JSON, or null.
pub(super) fn as_optional_rfc3339<S: Serializer>(
    time: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    as_optional_text(&time.map(rfc3339), serializer)
}

/// As text in JSON.
pub(super) fn as_text<T: Display, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// As text in JSON, or null.
pub(super) fn as_optional_text<T: Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::LogSigner;

    #[test]
    fn times_are_written_as_in_rfc_3339_with_the_offset_of_china() {
        // 2026-03-04T16:00:00Z.
        let midnight = Timestamp::from_millis(1_772_640_000_007);
        assert_eq!(rfc3339(midnight), "2026-03-05T00:00:00.007+08:00");
        // A log can claim any time; it is written, not refused.
        assert!(rfc3339(Timestamp::from_millis(u64::MAX)).starts_with("9999-"));
    }

    #[test]
    fn only_the_key_of_a_nodes_log_names_a_jurisdiction() {
        for (name, owner) in [
            ("520624.yichuan/log/1", Some("520624")),
            ("520624.yichuan/log/12", Some("520624")),
            ("520624.yichuan/log/0", None),
            ("520624.yichuan/log/01", None),
            ("990000.yichuan/log/1", None),
            ("520624.yichuan", None),
            ("example.com/log", None),
        ] {
            let key = LogSigner::from_seed(name, &[7; 32]).unwrap().verifier_key();
            let found = log_owner(&key).ok();
            assert_eq!(found, owner.map(|code| code.parse().unwrap()), "{name}");
        }
    }
}
