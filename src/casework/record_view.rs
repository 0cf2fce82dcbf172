//! The view that answers what became of each record. A function of entries and openable payloads (I8).

use super::{
    Direction,
    event_row::{ContentError, EventRow, Receipted, Seen, events, history, put_event},
    findable::Findable,
    record_row::{DraftRow, RecordRow, put_record, record},
    row_codec::RowsError,
};
use crate::{
    domain::{Action, RecordKind, State, resolve},
    entry::{Content, Refusal},
    exchange::{RowError, Vault},
    log::{Txn, TxnError},
};
use std::{collections::BTreeMap, sync::Arc};

/// Keeps the rows of records.
#[derive(Debug)]
pub(super) struct RecordView {
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

impl From<TxnError> for Failure {
    fn from(error: TxnError) -> Self {
        Self::Rows(error.into())
    }
}

impl RecordView {
    /// The view of the node whose payloads these are.
    pub(super) fn new(vault: Arc<Vault>) -> Self {
        Self { vault }
    }

    /// A record was drafted.
    pub(super) fn drafted(&self, txn: &mut Txn<'_>, seen: &Seen<'_>) -> Result<(), Failure> {
        let Some(kind) = seen.sent.action.opens() else {
            return Ok(());
        };
        let mut row = new_row(seen, kind);
        row.progress = State::Drafted;
        row.draft = Some(DraftRow {
            hash: seen.hash.to_string(),
            principal: seen.entry.cause.principal.to_string(),
        });
        self.make_findable(txn, seen, seen.index)?;
        Ok(put_record(txn, seen.sent.record, None, &row, seen.index)?)
    }

    /// An action of this node's or a partner's.
    pub(super) fn taken(&self, txn: &mut Txn<'_>, seen: &Seen<'_>) -> Result<(), Failure> {
        match seen.sent.action.opens() {
            Some(kind) => self.opened(txn, seen, kind),
            None => self.acted(txn, seen),
        }
    }

    fn opened(&self, txn: &mut Txn<'_>, seen: &Seen<'_>, kind: RecordKind) -> Result<(), Failure> {
        let id = seen.sent.record;
        let event = seen.row();
        put_event(txn, id, seen.index, &event)?;
        let mut row = new_row(seen, kind);
        let mut before = None;
        if kind.spec().drafted {
            before = record(txn, id)?;
        }
        if let Some(before) = &before {
            // It was a draft: it keeps its place in the log's order.
            (row.index, row.time_ms) = (before.index, before.time_ms);
        }
        self.make_findable(txn, seen, row.index)?;
        let events = match seen.direction {
            // Nobody else knew its id before.
            Direction::Sent => vec![(seen.index, event)],
            // Actions may have come before what they act on.
            Direction::Received => events(txn, id)?,
        };
        settle(txn, seen, before.as_ref(), row, &events)
    }

    fn acted(&self, txn: &mut Txn<'_>, seen: &Seen<'_>) -> Result<(), Failure> {
        let (id, action) = (seen.sent.record, seen.sent.action.action());
        let mut event = seen.row();
        if action == Action::Assess
            && let Some(Content::LeadAnswer(answer)) = seen.content(txn, &self.vault)?.as_deref()
        {
            event.outcome = answer.outcome;
        }
        put_event(txn, id, seen.index, &event)?;
        let Some(before) = record(txn, id)? else {
            // It waits for what opens its record.
            return Ok(());
        };
        if action.restates() {
            self.make_findable(txn, seen, before.index)?;
        }
        let events = events(txn, id)?;
        settle(txn, seen, Some(&before), before.clone(), &events)
    }

    /// Puts what the payload says about whom and where into the keyed indexes.
    fn make_findable(&self, txn: &mut Txn<'_>, seen: &Seen<'_>, first: u64) -> Result<(), Failure> {
        let sent = seen.sent;
        let content = seen.content(txn, &self.vault)?;
        if let Some(findable) = content.as_deref().and_then(Findable::of) {
            let record = (sent.record, sent.from, first);
            findable.put(txn, &self.vault.ring(), sent.terms.purge_month, record)?;
        }
        Ok(())
    }
}

/// A partner answered an action of ours.
pub(super) fn answered(
    txn: &mut Txn<'_>,
    index: u64,
    receipted: &Receipted,
    refusal: Option<Refusal>,
) -> Result<(), Failure> {
    let Some(before) = record(txn, receipted.record)? else {
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
    // No action came, so that what counts is as before; but where deadlines run, they run from the partner's clock.
    if row.kind.spec().two_sided {
        let events = events(txn, receipted.record)?;
        resolve_into(&mut row, &events)?;
    } else if row == before {
        return Ok(());
    }
    Ok(put_record(
        txn,
        receipted.record,
        Some(&before),
        &row,
        index,
    )?)
}

fn new_row(seen: &Seen<'_>, kind: RecordKind) -> RecordRow {
    let sent = seen.sent;
    RecordRow {
        kind,
        direction: seen.direction,
        from: sent.from,
        to: sent.to,
        index: seen.index,
        time_ms: seen.time.millis(),
        urgency: sent.urgency,
        handling: sent.handling,
        purge_month: sent.terms.purge_month.number(),
        sign_within_s: sent.terms.sign_within_s,
        progress: State::Approved,
        since_ms: seen.entry.time.millis(),
        sent_index: seen.index,
        received_ms: seen.received_ms(),
        refusal: None,
        outcome: None,
        return_reason: None,
        says_index: seen.index,
        draft: None,
    }
}

/// Resolves a record's history and puts its row.
fn settle(
    txn: &mut Txn<'_>,
    seen: &Seen<'_>,
    before: Option<&RecordRow>,
    mut row: RecordRow,
    events: &[(u64, EventRow)],
) -> Result<(), Failure> {
    resolve_into(&mut row, events)?;
    Ok(put_record(txn, seen.sent.record, before, &row, seen.index)?)
}

/// Takes into a row what its history comes to.
fn resolve_into(row: &mut RecordRow, events: &[(u64, EventRow)]) -> Result<(), RowsError> {
    let history = history(events, row)?;
    let resolution = resolve(row.kind, &history);
    row.progress = resolution.state;
    (row.return_reason, row.outcome) = (None, None);
    let by_hash: BTreeMap<_, _> = history
        .iter()
        .zip(events)
        .map(|(event, row)| (event.hash, (event.action, row)))
        .collect();
    let mut moved = None;
    for hash in &resolution.applied {
        let Some((action, (index, event))) = by_hash.get(hash) else {
            continue;
        };
        row.return_reason = event.return_reason;
        row.outcome = event.outcome.or(row.outcome);
        if action.restates() {
            row.says_index = *index;
        }
        if *action == Action::Resubmit && row.sent_index != *index {
            row.sent_index = *index;
            row.refusal = None;
            row.received_ms = match event.direction {
                Direction::Received => Some(event.time_ms),
                Direction::Sent => event.receipt.as_ref().map(|r| r.time_ms),
            };
        }
        // Interim feedback and corrections move no deadline.
        if !matches!(action, Action::Progress | Action::Correct) {
            moved = Some(event);
        }
    }
    if let Some(event) = moved {
        row.since_ms = since(event, row.turn() == Some(row.own_side()));
    }
    Ok(())
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
