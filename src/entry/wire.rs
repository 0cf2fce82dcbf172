//! Parses fields from the wire, each with an error that names it.

use crate::{
    access::{Attempt, Officer, Purpose, Quota, UnitName, Units},
    domain::{AssessmentOutcome, Family, Handling, RecordKind, ReturnReason, State, Urgency},
    entry::pb,
    merkle::Hash,
};
use std::{collections::BTreeSet, str::FromStr};

/// Bytes that are not what they claim to be. Names the field, never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryDefect {
    /// Not protobuf of this type.
    #[error("not an encoding of {0}")]
    Encoding(&'static str),
    /// A version that this program does not know.
    #[error("entry version {0} is not known here; a newer program wrote it")]
    Version(u32),
    /// It is absent.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// It is present and wrong.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// It is longer than allowed.
    #[error("{0} is too long")]
    TooLong(&'static str),
    /// The encoding is not canonical.
    #[error("not the canonical encoding of {0}")]
    NotCanonical(&'static str),
}

pub(super) fn parse<T: FromStr>(text: &str, field: &'static str) -> Result<T, EntryDefect> {
    if text.is_empty() {
        return Err(EntryDefect::Missing(field));
    }
    text.parse().map_err(|_| EntryDefect::Malformed(field))
}

pub(super) fn array<const N: usize>(
    bytes: &[u8],
    field: &'static str,
) -> Result<[u8; N], EntryDefect> {
    if bytes.is_empty() {
        return Err(EntryDefect::Missing(field));
    }
    bytes.try_into().map_err(|_| EntryDefect::Malformed(field))
}

pub(super) fn hash(bytes: &[u8], field: &'static str) -> Result<Hash, EntryDefect> {
    array::<32>(bytes, field).map(Hash::from)
}

pub(super) fn required<T>(value: Option<T>, field: &'static str) -> Result<T, EntryDefect> {
    value.ok_or(EntryDefect::Missing(field))
}

pub(super) fn units_to_wire(units: &Units) -> Vec<pb::Unit> {
    let unit = |(name, members): (&UnitName, &BTreeSet<Officer>)| pb::Unit {
        name: name.to_string(),
        members: members.iter().map(Officer::to_string).collect(),
    };
    units.iter().map(unit).collect()
}

/// Units in another order, or repeated, are not canonical, as their entry's encoding shows.
pub(super) fn units_from_wire(units: &[pb::Unit]) -> Result<Units, EntryDefect> {
    let unit = |unit: &pb::Unit| {
        let members = unit.members.iter().map(|member| parse(member, "members"));
        Ok((
            parse(&unit.name, "name")?,
            members.collect::<Result<_, _>>()?,
        ))
    };
    units.iter().map(unit).collect()
}

/// Two-way mapping between a domain list and its protobuf enum, where 0 is 'not stated'.
macro_rules! mapped {
    ($domain:ty, $wire:ty, $to:ident, $from:ident { $($variant:ident = $pb:ident),+ $(,)? }) => {
        pub(crate) const fn $to(value: $domain) -> i32 {
            match value { $(<$domain>::$variant => <$wire>::$pb as i32,)+ }
        }

        pub(crate) fn $from(value: i32) -> Option<$domain> {
            $(if value == <$wire>::$pb as i32 { return Some(<$domain>::$variant); })+
            None
        }
    };
}

mapped!(Purpose, pb::Purpose, purpose_to_wire, purpose_from_wire {
    Screening = Screening, Case = Case, Assistance = Assistance, Supervision = Supervision,
    Audit = Audit,
});
mapped!(Quota, pb::Quota, quota_to_wire, quota_from_wire {
    Calls = Calls, PushedSteadily = PushedSteadily, Pushed = Pushed, Opened = Opened,
    Searches = Searches, Misses = Misses, Conflicts = Conflicts,
    DispatchesSteadily = DispatchesSteadily, Dispatches = Dispatches, Logged = Logged,
});
mapped!(Attempt, pb::Attempt, attempt_to_wire, attempt_from_wire {
    NoGrounds = NoGrounds, Role = Role, Foreign = Foreign, Purpose = Purpose,
    UnlistedAuditor = UnlistedAuditor, Assigned = Assigned, Override = Override,
    Elsewhere = Elsewhere, NotAPartnerNode = NotAPartnerNode, NotFound = NotFound,
});
mapped!(Family, pb::RecordFamily, family_to_wire, family_from_wire {
    Lead = Lead, Referral = Referral, ArrestNotice = ArrestNotice,
});
mapped!(RecordKind, pb::RecordKind, kind_to_wire, kind_from_wire {
    Lead = Lead, Assistance = Assistance, Transfer = Transfer, ArrestNotice = ArrestNotice,
});
/// A state on the wire. Nobody sees a record approved, so that is not stated.
pub(crate) const fn state_to_wire(state: State) -> i32 {
    use pb::RecordState as W;
    let wire = match state {
        State::Approved => W::Unspecified,
        State::Drafted => W::Drafted,
        State::Sent => W::Sent,
        State::Delivered => W::Delivered,
        State::Refused => W::Refused,
        State::SignedFor => W::SignedFor,
        State::Assessed => W::Assessed,
        State::SupplementRequested => W::SupplementRequested,
        State::Returned => W::Returned,
        State::Forwarded => W::Forwarded,
        State::Accepted => W::Accepted,
        State::InProgress => W::InProgress,
        State::FeedbackGiven => W::FeedbackGiven,
        State::Confirmed => W::Confirmed,
        State::Disputed => W::Disputed,
        State::Closed => W::Closed,
        State::Recalled => W::Recalled,
    };
    wire as i32
}

pub(crate) fn state_from_wire(value: i32) -> Option<State> {
    let mut states = State::ALL.iter().copied();
    states.find(|state| value != 0 && state_to_wire(*state) == value)
}

mapped!(Urgency, pb::Urgency, urgency_to_wire, urgency_from_wire {
    Normal = Normal, Urgent = Urgent, Critical = Critical,
});
mapped!(Handling, pb::Handling, handling_to_wire, handling_from_wire {
    H0 = H0, H1 = H1, H2 = H2, H3 = H3,
});
mapped!(ReturnReason, pb::ReturnReason, return_reason_to_wire, return_reason_from_wire {
    NotCompetent = NotCompetent, FormalitiesIncomplete = FormalitiesIncomplete,
    SubjectMismatch = SubjectMismatch, DuplicateOf = DuplicateOf, OutOfPurpose = OutOfPurpose,
});
mapped!(AssessmentOutcome, pb::AssessmentOutcome, outcome_to_wire, outcome_from_wire {
    Verified = Verified, Unfounded = Unfounded, Arrested = Arrested,
});
