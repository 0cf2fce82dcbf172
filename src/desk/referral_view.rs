//! The view that answers what became of each referral. A function of entries and openable payloads (I8).

use super::{
    Direction,
    referral_rows::{DraftRow, ReferralRow, put_referral, referral},
    rows::{
        ContentError, EventRow, Receipted, RecordView, RowsError, Seen, actions, events, put_event,
    },
};
use crate::{
    domain::{
        RecordId, ReferralKind, ReferralProgress, Standing, referral::ReferralFields, resolve,
    },
    entry::{Content, DispatchAction, ReferralAct, Refusal},
    exchange::{RowError, Vault},
    log::Txn,
    store::tables,
};
use std::{collections::BTreeMap, sync::Arc};

/// Keeps the rows of referrals.
#[derive(Debug)]
pub(super) struct ReferralView {
    vault: Arc<Vault>,
}

/// Why the view could not take an entry.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Rows(#[from] RowsError),
    #[error(transparent)]
    Content(#[from] ContentError),
}

impl From<RowError> for Failure {
    fn from(error: RowError) -> Self {
        Self::Rows(error.into())
    }
}

impl ReferralView {
    /// The view of the node whose payloads these are.
    pub(super) fn new(vault: Arc<Vault>) -> Self {
        Self { vault }
    }

    /// A transfer was drafted.
    pub(super) fn drafted(&self, txn: &mut Txn<'_>, seen: &Seen<'_>) -> Result<(), Failure> {
        let DispatchAction::Open(kind) = seen.sent.action else {
            return Ok(());
        };
        let mut row = new_row(seen, kind);
        row.progress = ReferralProgress::Drafted;
        row.draft = Some(DraftRow {
            hash: seen.hash.to_string(),
            principal: seen.entry.cause.principal.to_string(),
        });
        self.index_subject(txn, seen)?;
        Ok(put_referral(txn, seen.sent.record, None, &row, seen.index)?)
    }

    fn take(&self, txn: &mut Txn<'_>, seen: &Seen<'_>) -> Result<(), Failure> {
        let record = seen.sent.record;
        let before = referral(txn, record)?;
        let row = match seen.sent.action {
            DispatchAction::Lead(_) | DispatchAction::Caught => return Ok(()),
            DispatchAction::Open(kind) => {
                put_event(txn, record, seen.index, &seen.row())?;
                self.index_subject(txn, seen)?;
                let mut row = new_row(seen, kind);
                if let Some(before) = &before {
                    // It was a draft: it keeps its place in the log's order.
                    (row.index, row.time_ms) = (before.index, before.time_ms);
                }
                Some(row)
            }
            DispatchAction::Referral(act) => {
                put_event(txn, record, seen.index, &seen.row())?;
                if act.restates() {
                    self.index_subject(txn, seen)?;
                }
                before.clone()
            }
        };
        match row {
            Some(row) => settle(txn, record, before.as_ref(), row, seen.index),
            // It waits for what opens its referral.
            None => Ok(()),
        }
    }

    /// Puts what the payload says about whom and where into the keyed indexes.
    fn index_subject(&self, txn: &mut Txn<'_>, seen: &Seen<'_>) -> Result<(), Failure> {
        let sent = seen.sent;
        let month = sent.terms.purge_month;
        let content = seen.content(txn, &self.vault)?;
        let Some(Content::Referral(fields)) = content.as_deref() else {
            return Ok(());
        };
        let ring = self.vault.ring();
        let Some(bucket) = ring.bucket(month) else {
            return Ok(());
        };
        for (kind, value) in indexed(fields) {
            if !value.is_empty() {
                let tag = bucket.tag(kind, value);
                // Under the index of the referral's first entry, by which pages go.
                let first = referral(txn, sent.record)?.map_or(seen.index, |row| row.index);
                txn.put(
                    tables::subject(month.number(), &tag, first),
                    sent.record.as_bytes().to_vec(),
                )
                .map_err(RowsError::from)?;
            }
        }
        Ok(())
    }
}

/// What is found by a keyed index.
fn indexed(fields: &ReferralFields) -> [(&'static str, &str); 4] {
    [
        ("number", &fields.subject_number),
        ("name", &fields.subject_name),
        ("place", &fields.place_code),
        ("substance", &fields.substance),
    ]
}

fn new_row(seen: &Seen<'_>, kind: ReferralKind) -> ReferralRow {
    let sent = seen.sent;
    ReferralRow {
        direction: seen.direction,
        kind,
        from: sent.from,
        to: sent.to,
        index: seen.index,
        time_ms: seen.time.millis(),
        urgency: sent.urgency,
        handling: sent.handling,
        purge_month: sent.terms.purge_month.number(),
        sign_within_s: sent.terms.sign_within_s,
        progress: ReferralProgress::Approved,
        since_ms: seen.entry.time.millis(),
        sent_index: seen.index,
        received_ms: seen.received_ms(),
        refusal: None,
        return_reason: None,
        says_index: seen.index,
        draft: None,
    }
}

/// A partner answered an action on a referral.
fn note_answer(
    txn: &mut Txn<'_>,
    index: u64,
    receipted: &Receipted,
    refusal: Option<Refusal>,
) -> Result<(), Failure> {
    let Some(before) = referral(txn, receipted.record)? else {
        return Ok(());
    };
    receipted.put(txn)?;
    let mut row = before.clone();
    if row.sent_index == receipted.sent_index {
        match refusal {
            Some(reason) => row.refusal = Some(reason.as_str().to_owned()),
            None => row.received_ms = Some(receipted.time.millis()),
        }
    }
    settle(txn, receipted.record, Some(&before), row, index)
}

/// Resolves a referral's actions and puts its row.
fn settle(
    txn: &mut Txn<'_>,
    record: RecordId,
    before: Option<&ReferralRow>,
    mut row: ReferralRow,
    change: u64,
) -> Result<(), Failure> {
    let events = events(txn, record)?;
    let actions =
        actions(&events, row.direction, DispatchAction::referral_step).map_err(RowsError::from)?;
    let resolution = resolve(&actions);
    row.progress = resolution.progress;
    row.return_reason = None;
    let by_hash: BTreeMap<_, _> = actions
        .iter()
        .zip(&events)
        .map(|(action, event)| (action.hash, event))
        .collect();
    let mut moved = None;
    for hash in &resolution.applied {
        let Some((index, event)) = by_hash.get(hash) else {
            continue;
        };
        debug_assert_eq!(resolution.standings.get(hash), Some(&Standing::Applied));
        row.return_reason = event.return_reason;
        match event.action {
            DispatchAction::Referral(ReferralAct::Correct) => row.says_index = *index,
            DispatchAction::Referral(ReferralAct::Resubmit) => {
                row.says_index = *index;
                moved = Some(event);
                if row.sent_index != *index {
                    row.sent_index = *index;
                    row.refusal = None;
                    row.received_ms = match event.direction {
                        Direction::Received => Some(event.time_ms),
                        Direction::Sent => event.receipt.as_ref().map(|r| r.time_ms),
                    };
                }
            }
            // Interim feedback moves no deadline: it still runs from acceptance.
            DispatchAction::Referral(ReferralAct::Progress) => {}
            DispatchAction::Open(_)
            | DispatchAction::Lead(_)
            | DispatchAction::Referral(_)
            | DispatchAction::Caught => {
                moved = Some(event);
            }
        }
    }
    if let Some(event) = moved {
        row.since_ms = since(event, row.turn() == Some(row.own_side()));
    }
    Ok(put_referral(txn, record, before, &row, change)?)
}

/// When an action was in the log of whoever must act next: that is where deadlines run from, and nobody else's clock moves
/// them.
fn since(event: &EventRow, we_are_obliged: bool) -> u64 {
    match (event.direction, &event.receipt) {
        (Direction::Received, _) if we_are_obliged => event.time_ms,
        (Direction::Received, _) => event.acted_ms,
        (Direction::Sent, Some(receipt)) if !we_are_obliged => receipt.time_ms,
        (Direction::Sent, _) => event.time_ms,
    }
}

impl RecordView for ReferralView {
    type Failure = Failure;

    fn action(&self, txn: &mut Txn<'_>, seen: &Seen<'_>) -> Result<(), Failure> {
        self.take(txn, seen)
    }

    fn answered(
        &self,
        txn: &mut Txn<'_>,
        index: u64,
        receipted: &Receipted,
        refusal: Option<Refusal>,
    ) -> Result<(), Failure> {
        note_answer(txn, index, receipted, refusal)
    }
}
