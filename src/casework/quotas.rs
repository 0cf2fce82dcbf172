//! Quotas in the log: who reached one is an entry, and what was asked for before a restart counts after it.

use super::{
    error::{CaseworkError, log_error},
    pages::first_at,
    row_codec::RowDamaged,
};
use crate::{
    access::{AttemptReport, Ledger, Quota, QuotaReport},
    domain::{Jurisdiction, Timestamp},
    entry::{Cause, Consultation, Entry, Kind},
    log::{Log, Proposal, Reader, TxnError},
};

/// Before a start, entries of so many seconds are looked at.
const RECOUNT_S: u64 = 3_600;
/// And no more than so many of them, the newest.
const RECOUNT_ENTRIES: u64 = 200_000;
/// Read at once.
const CHUNK: usize = 1_024;
const CHUNK_BYTES: usize = 1 << 20;

/// Writes down that somebody reached a quota. It is the node that says so, not who reached it.
///
/// # Errors
/// The log takes no writes.
pub async fn report_quota(
    log: &Log,
    own: Jurisdiction,
    report: QuotaReport,
) -> Result<u64, CaseworkError> {
    say(log, own, Kind::QuotaReached(report)).await
}

/// Writes down that somebody tried what they may not. It is the node that says so, not who tried.
///
/// # Errors
/// The log takes no writes.
pub async fn report_attempt(
    log: &Log,
    own: Jurisdiction,
    report: AttemptReport,
) -> Result<u64, CaseworkError> {
    say(log, own, Kind::AttemptRefused(report)).await
}

async fn say(log: &Log, own: Jurisdiction, kind: Kind) -> Result<u64, CaseworkError> {
    let proposal = Proposal::new(move |txn| {
        let entry = Entry::new(txn.now(), Cause::node(own), kind);
        txn.append(entry.encode())
    });
    let written = log.propose(proposal).await.map_err(log_error::<TxnError>)?;
    Ok(written.into_inner())
}

/// Counts what the log says was searched for, missed and opened in the last hour, and what traces of reading added to it,
/// so that a restart gives nobody a new quota. Persons searched for are in no entry: each search counts as another person.
///
/// # Errors
/// The log does not read.
pub fn recount_quotas(
    reader: &Reader,
    now: Timestamp,
    ledger: &mut Ledger,
) -> Result<(), CaseworkError> {
    let since = Timestamp::from_millis(now.millis().saturating_sub(RECOUNT_S * 1000));
    let end = reader.size();
    let mut from = first_at(reader, since)?.max(end.saturating_sub(RECOUNT_ENTRIES));
    while from < end {
        let entries = reader.entries(from, CHUNK, CHUNK_BYTES)?;
        let Some((last, _)) = entries.last() else {
            return Ok(());
        };
        from = last.saturating_add(1);
        for (_, leaf) in entries {
            let entry = Entry::decode(&leaf).map_err(|_| RowDamaged)?;
            recount(entry, leaf.len(), ledger);
        }
    }
    Ok(())
}

fn recount(entry: Entry, bytes: usize, ledger: &mut Ledger) {
    let Entry {
        time, cause, kind, ..
    } = entry;
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "other entries use up nothing that lasts an hour"
    )]
    match kind {
        Kind::Consulted { how, records, .. } => {
            let who = &cause.principal;
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            ledger.charge(who, Quota::Logged, bytes, time);
            match how {
                Consultation::Number => ledger.recount_search(who, records.is_empty(), time),
                Consultation::Open => ledger.recount(who, Quota::Opened, time),
                Consultation::List | Consultation::Act | Consultation::Log { .. } => {}
            }
        }
        Kind::QuotaReached(report) => ledger.reported(&report, time),
        Kind::AttemptRefused(report) => ledger.attempted(&report, time),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Grounds, Principal, Purpose, Quotas};

    #[test]
    fn regression_a_restart_gives_nobody_new_room_in_the_log() {
        let now = Timestamp::from_millis(1_772_640_000_000);
        let principal: Principal = "spiffe://520624.yichuan/officer/001".parse().unwrap();
        let grounds = Grounds {
            purpose: Purpose::Case,
            basis: "campaign:520624-2026-01".parse().unwrap(),
        };
        let kind = Kind::Consulted {
            how: Consultation::List,
            records: Vec::new(),
            overridden: false,
        };
        let entry = Entry::new(now, Cause::of(&principal, &grounds), kind);
        let quotas = Quotas {
            logged_bytes_per_day: 1_000,
            ..Quotas::default()
        };
        let mut ledger = Ledger::new("520624".parse().unwrap(), quotas);
        for _ in 0..3 {
            recount(entry.clone(), 300, &mut ledger);
        }
        let mut spend = |bytes| ledger.spend(&principal, Quota::Logged, bytes, now);
        spend(101).unwrap_err();
        spend(100).unwrap();
    }
}
