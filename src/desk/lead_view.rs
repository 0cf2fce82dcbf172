//! The view that answers what became of each lead. A function of entries and openable payloads (I8).

use super::{
    Direction,
    lead_rows::{LeadRow, NumberRow, lead, put_lead},
    rows::{
        ContentError, EventRow, Receipted, RecordView, RowsError, Seen, actions, events, put_event,
    },
};
use crate::{
    domain::{
        Jurisdiction, Lead, LeadFields, LeadProgress, LeadState, LeadStep, RecordId, Standing,
        resolve,
    },
    entry::{Content, DispatchAction, Refusal},
    exchange::{RowError, Vault},
    log::Txn,
    seal::Keyring,
    store::tables,
};
use std::sync::Arc;

/// Keeps the rows of leads.
#[derive(Debug)]
pub(super) struct LeadView {
    vault: Arc<Vault>,
}

impl LeadView {
    /// The view of the node whose payloads these are.
    pub(super) fn new(vault: Arc<Vault>) -> Self {
        Self { vault }
    }

    fn take(&self, txn: &mut Txn<'_>, seen: &Seen<'_>) -> Result<(), Failure> {
        let DispatchAction::Lead(step) = seen.sent.action else {
            return Ok(());
        };
        let sent = seen.sent;
        let content = seen.content(txn, &self.vault)?;
        let outcome = match content.as_deref() {
            Some(Content::LeadAnswer(answer)) => answer.outcome,
            Some(
                Content::Lead(_)
                | Content::Referral(_)
                | Content::ReferralNote(_)
                | Content::Caught(_),
            )
            | None => None,
        };
        let mut event = seen.row();
        event.outcome = outcome;
        put_event(txn, sent.record, seen.index, &event)?;
        if step == LeadStep::Lead {
            let row = LeadRow {
                direction: seen.direction,
                from: sent.from,
                to: sent.to,
                index: seen.index,
                time_ms: seen.time.millis(),
                urgency: sent.urgency,
                handling: sent.handling,
                purge_month: sent.terms.purge_month.number(),
                sign_within_s: sent.terms.sign_within_s,
                received_ms: seen.received_ms(),
                refusal: None,
                state: LeadState::Sent,
                outcome: None,
                return_reason: None,
            };
            if let Some(Content::Lead(fields)) = content.as_deref() {
                self.index_subject(txn, seen, fields)?;
            }
            let events = match seen.direction {
                // Nobody else knew its id before.
                Direction::Sent => vec![(seen.index, event)],
                // Answers may have come before their lead.
                Direction::Received => events(txn, sent.record)?,
            };
            return settle(txn, sent.record, None, row, &events);
        }
        match lead(txn, sent.record)? {
            Some(row) => {
                let events = events(txn, sent.record)?;
                settle(txn, sent.record, Some(row.clone()), row, &events)
            }
            // It waits for its lead.
            None => Ok(()),
        }
    }

    fn index_subject(
        &self,
        txn: &mut Txn<'_>,
        seen: &Seen<'_>,
        fields: &LeadFields,
    ) -> Result<(), Failure> {
        let Ok(lead) = Lead::reread(fields.clone()) else {
            return Ok(());
        };
        let month = seen.sent.terms.purge_month;
        let ring = self.vault.ring();
        let Some(bucket) = ring.bucket(month) else {
            return Ok(());
        };
        let tag = bucket.number_tag(lead.resident_number().as_str());
        let record = seen.sent.record;
        txn.put(
            tables::subject(month.number(), &tag, seen.index),
            record.as_bytes().to_vec(),
        )
        .map_err(RowsError::from)?;
        let row = NumberRow {
            record,
            content: content_tag(&ring, &lead),
            index: seen.index,
        };
        let key = tables::lead_number(&number_tag(&ring, seen.sent.from, lead.number()));
        txn.put(key, row.to_bytes()).map_err(RowsError::from)?;
        Ok(())
    }
}

/// A partner answered an action on a lead.
fn note_answer(
    txn: &mut Txn<'_>,
    receipted: &Receipted,
    refusal: Option<Refusal>,
) -> Result<(), Failure> {
    let Some(before) = lead(txn, receipted.record)? else {
        return Ok(());
    };
    receipted.put(txn)?;
    if before.index != receipted.sent_index {
        // The answer to an answer changes nothing about where the lead stands.
        return Ok(());
    }
    let mut row = before.clone();
    match refusal {
        Some(reason) => row.refusal = Some(reason.as_str().to_owned()),
        None => row.received_ms = Some(receipted.time.millis()),
    }
    // No action came, so none is to be resolved again: what the partner did still stands, or else its receipt counts.
    row.state = match before.state {
        done @ (LeadState::SignedFor | LeadState::Assessed | LeadState::Returned) => done,
        LeadState::Sent | LeadState::Delivered | LeadState::Refused => {
            row.state_after(LeadProgress::Open)
        }
    };
    Ok(put_lead(txn, receipted.record, Some(&before), &row)?)
}

/// Resolves a lead's actions and puts its row.
fn settle(
    txn: &mut Txn<'_>,
    record: RecordId,
    before: Option<LeadRow>,
    mut row: LeadRow,
    events: &[(u64, EventRow)],
) -> Result<(), Failure> {
    let actions =
        actions(events, row.direction, DispatchAction::lead_step).map_err(RowsError::from)?;
    let resolution = resolve(&actions);
    row.state = row.state_after(resolution.progress);
    row.outcome = None;
    row.return_reason = None;
    for ((_, event), action) in events.iter().zip(&actions) {
        if resolution.standings.get(&action.hash) == Some(&Standing::Applied) {
            row.outcome = event.outcome.or(row.outcome);
            row.return_reason = event.return_reason.or(row.return_reason);
        }
    }
    Ok(put_lead(txn, record, before.as_ref(), &row)?)
}

/// The lookup tag of a lead number within its origin.
pub(super) fn number_tag(ring: &Keyring, origin: Jurisdiction, number: &str) -> [u8; 32] {
    ring.lookup_tag("lead number", &[origin.as_bytes(), number.as_bytes()])
}

/// The tag that tells whether content is the same.
pub(super) fn content_tag(ring: &Keyring, lead: &Lead) -> [u8; 32] {
    ring.lookup_tag("lead content", &[&lead.canonical_content()])
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

impl RecordView for LeadView {
    type Failure = Failure;

    fn action(&self, txn: &mut Txn<'_>, seen: &Seen<'_>) -> Result<(), Failure> {
        self.take(txn, seen)
    }

    fn answered(
        &self,
        txn: &mut Txn<'_>,
        _index: u64,
        receipted: &Receipted,
        refusal: Option<Refusal>,
    ) -> Result<(), Failure> {
        note_answer(txn, receipted, refusal)
    }
}
