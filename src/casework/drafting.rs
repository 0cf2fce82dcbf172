//! Making the dispatch that opens a record or acts on one.

use crate::{
    access::Permit,
    domain::{
        DispatchId, Handling, Jurisdiction, RecordId, ReturnReason, Timestamp, Urgency,
        sign_within_seconds,
    },
    entry::{Cause, Content, DispatchAction, Plaintext, Terms},
    exchange::{Draft, VaultError},
    seal::{self, PurgeMonth},
};

/// A record is kept five years at most.
const RETENTION_YEARS: u8 = 5;
/// And reviewed after one.
const REVIEW_DAYS: u64 = 365;

/// When a record that is opened now is purged.
pub(super) fn purge_month(now: Timestamp) -> PurgeMonth {
    PurgeMonth::years_after(now, RETENTION_YEARS)
}

/// What a dispatch is beside what it says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope {
    pub(super) to: Jurisdiction,
    pub(super) action: DispatchAction,
    pub(super) record: RecordId,
    pub(super) urgency: Urgency,
    pub(super) handling: Handling,
    pub(super) purge_month: PurgeMonth,
    pub(super) return_reason: Option<ReturnReason>,
}

/// Why a dispatch was not made.
#[derive(Debug)]
pub(super) enum NotMade {
    /// What it says is longer than a payload may be.
    TooLong,
    Vault(VaultError),
}

/// Makes a dispatch, and seals what it says. What it follows, whoever stages it adds.
pub(super) fn make<A>(
    permit: &Permit<A>,
    now: Timestamp,
    envelope: Envelope,
    content: Content,
) -> Result<Draft, NotMade> {
    let dispatch_id = DispatchId::new(now);
    let plaintext =
        Plaintext::new(&content).map_err(|error| NotMade::Vault(VaultError::from(error)))?;
    let sealed = seal::seal(&plaintext.to_bytes(), dispatch_id).map_err(|_| NotMade::TooLong)?;
    let review_by_day = now.plus_seconds(REVIEW_DAYS * 86_400).seconds() / 86_400;
    Ok(Draft {
        cause: Cause::of(permit.principal(), permit.grounds()),
        dispatch_id,
        to: envelope.to,
        action: envelope.action,
        record: envelope.record,
        urgency: envelope.urgency,
        handling: envelope.handling,
        terms: Terms {
            sign_within_s: sign_within_seconds(envelope.urgency),
            review_by_day: u32::try_from(review_by_day).unwrap_or(u32::MAX),
            purge_month: envelope.purge_month,
        },
        return_reason: envelope.return_reason,
        predecessors: Vec::new(),
        commitment: plaintext.commitment(),
        content: Some(content),
        sealed,
    })
}
