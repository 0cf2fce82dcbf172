//! Rows of the actions on records, in the order of this log: from them a record's history is resolved.

use super::{
    record_row::{Direction, RecordRow},
    row_codec::{RowDamaged, RowsError, decode, encode, hash, maybe, text},
};
use crate::{
    domain::{
        Action, AssessmentOutcome, DispatchId, Event, RecordId, RecordKind, ReturnReason, Timestamp,
    },
    entry::{Content, DispatchAction, DispatchSent, Entry, EntryDefect, PartnerProof},
    exchange::{DispatchRow, Payload, Rows, Vault, VaultError},
    log::Txn,
    merkle::Hash,
    seal::PurgeMonth,
    store::tables,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Actions on one record are bounded; a partner that sends more is refused.
pub(super) const EVENTS_PER_RECORD: usize = 256;

/// Of them each side has half where both act, so that neither can use up what the other may need.
pub(super) const EVENTS_PER_SIDE: usize = EVENTS_PER_RECORD / 2;

/// Actions on a record that follow what has not arrived. What is sent arrives in order, so honest ones are few.
pub(super) const EVENTS_WAITING: usize = 16;

/// True where a side that wants to take an action on a record of this kind has taken as many as it may before. Where both
/// sides act, the last are kept for what ends the record or sets it right.
pub(super) fn is_full(
    kind: RecordKind,
    events: &[(u64, EventRow)],
    action: Action,
    by: Direction,
) -> bool {
    if !kind.spec().two_sided {
        return events.len() >= EVENTS_PER_RECORD;
    }
    let kept = if matches!(action, Action::Recall | Action::Close) {
        0
    } else if action == Action::Correct {
        4
    } else {
        16
    };
    let went = |(_, event): &&(u64, EventRow)| event.direction == by;
    events.iter().filter(went).count() >= EVENTS_PER_SIDE - kept
}

/// Why a view could not read what the payload beside an entry says.
#[derive(Debug, thiserror::Error)]
pub(super) enum ContentError {
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("a payload that was checked before cannot be read: {0}")]
    Payload(#[from] EntryDefect),
}

/// One action on a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EventRow {
    /// Hash of the leaf in its sender's log, hexadecimal.
    pub(super) hash: String,
    /// What it does.
    #[serde(with = "text")]
    pub(super) action: DispatchAction,
    /// Which way it went.
    pub(super) direction: Direction,
    pub(super) predecessors: Vec<String>,
    /// Its dispatch.
    #[serde(with = "text")]
    pub(super) dispatch: DispatchId,
    pub(super) purge_month: u32,
    /// When it was written into this log.
    pub(super) time_ms: u64,
    /// When its maker's node wrote it: deadlines run from there.
    pub(super) acted_ms: u64,
    /// Who took it.
    pub(super) principal: String,
    #[serde(with = "maybe")]
    pub(super) outcome: Option<AssessmentOutcome>,
    #[serde(with = "maybe")]
    pub(super) return_reason: Option<ReturnReason>,
    pub(super) receipt: Option<ReceiptSummary>,
}

/// The partner's proof for what this node sent, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptSummary {
    /// Index of the receipt in this log.
    pub index: u64,
    /// Index of the dispatch in the partner's log.
    pub partner_index: u64,
    /// Origin of that log.
    pub partner_origin: String,
    /// Size of the partner's signed tree that proves it.
    pub tree_size: u64,
    /// When the partner's entry was written, by its clock.
    pub time_ms: u64,
}

/// An action as it stands in this log.
pub(super) struct Seen<'a> {
    pub(super) direction: Direction,
    /// Index in this log.
    pub(super) index: u64,
    /// When it was written into this log.
    pub(super) time: Timestamp,
    /// The leaf in its sender's log.
    pub(super) hash: Hash,
    pub(super) entry: &'a Entry,
    pub(super) sent: &'a DispatchSent,
    /// What the payload says, where whoever appended the entry said so.
    pub(super) content: Option<&'a Content>,
}

impl Seen<'_> {
    /// What the payload says; nothing where it is erased.
    pub(super) fn content(
        &self,
        txn: &mut Txn<'_>,
        vault: &Vault,
    ) -> Result<Option<Cow<'_, Content>>, ContentError> {
        if let Some(content) = self.content {
            return Ok(Some(Cow::Borrowed(content)));
        }
        let (month, dispatch) = (self.sent.terms.purge_month, self.sent.dispatch_id);
        Ok(
            match vault.open_payload(txn, self.index, month, dispatch)? {
                Payload::Open(plaintext) => Some(Cow::Owned(plaintext.content()?)),
                Payload::Erased => None,
            },
        )
    }

    /// Its row, without what the payload says.
    pub(super) fn row(&self) -> EventRow {
        let sent = self.sent;
        EventRow {
            hash: self.hash.to_string(),
            action: sent.action,
            direction: self.direction,
            predecessors: sent.predecessors.iter().map(Hash::to_string).collect(),
            dispatch: sent.dispatch_id,
            purge_month: sent.terms.purge_month.number(),
            time_ms: self.time.millis(),
            acted_ms: self.entry.time.millis(),
            principal: self.entry.cause.principal.to_string(),
            outcome: None,
            return_reason: sent.return_reason,
            receipt: None,
        }
    }

    /// When the recipient received it, where this node is the recipient.
    pub(super) fn received_ms(&self) -> Option<u64> {
        match self.direction {
            Direction::Received => Some(self.time.millis()),
            Direction::Sent => None,
        }
    }
}

impl EventRow {
    pub(super) fn month(&self) -> Result<PurgeMonth, RowDamaged> {
        PurgeMonth::new(self.purge_month).ok_or(RowDamaged)
    }
}

/// The history of the record of this row, for resolving.
pub(super) fn history(
    events: &[(u64, EventRow)],
    row: &RecordRow,
) -> Result<Vec<Event>, RowDamaged> {
    let event = |(_, event): &(u64, EventRow)| {
        if event.action.family() != row.kind.family() {
            return Err(RowDamaged);
        }
        let side = row.own_side();
        let predecessors = event.predecessors.iter().map(|h| hash(h));
        Ok(Event {
            hash: hash(&event.hash)?,
            action: event.action.action(),
            by: match event.direction {
                Direction::Sent => side,
                Direction::Received => side.other(),
            },
            predecessors: predecessors.collect::<Result<_, _>>()?,
        })
    };
    events.iter().map(event).collect()
}

/// A record's actions, in the order of this log.
pub(super) fn events(
    rows: &mut dyn Rows,
    record: RecordId,
) -> Result<Vec<(u64, EventRow)>, RowsError> {
    let from = tables::record_event(record, 0);
    let to = tables::record_event(record, u64::MAX);
    let mut events = Vec::new();
    for (key, value) in rows.rows(&from, &to, EVENTS_PER_RECORD)? {
        let index = tables::last_index(&key).ok_or(RowDamaged)?;
        events.push((index, decode(&value)?));
    }
    Ok(events)
}

/// Puts an action.
pub(super) fn put_event(
    txn: &mut Txn<'_>,
    record: RecordId,
    index: u64,
    event: &EventRow,
) -> Result<(), RowsError> {
    Ok(txn.put(tables::record_event(record, index), encode(event)?)?)
}

/// A partner's answer to a dispatch of ours.
pub(super) struct Receipted {
    /// The record that the dispatch acts on.
    pub(super) record: RecordId,
    /// The dispatch's index in this log.
    pub(super) sent_index: u64,
    /// When the partner answered, by its clock.
    pub(super) time: Timestamp,
    /// The action that it answers, with the proof beside it; to be put.
    pub(super) event: EventRow,
}

/// Finds the action that a partner's answer is about.
pub(super) fn receipted(
    txn: &mut Txn<'_>,
    index: u64,
    dispatch: &[u8],
    proof: &PartnerProof,
) -> Result<Option<Receipted>, RowsError> {
    let row = txn.row(dispatch)?;
    let Some(DispatchRow {
        index: sent_index,
        record,
        ..
    }) = row.and_then(|row| DispatchRow::from_bytes(&row))
    else {
        return Ok(None);
    };
    let Some(bytes) = txn.row(&tables::record_event(record, sent_index))? else {
        return Ok(None);
    };
    let entry = Entry::decode(&proof.partner_entry).map_err(|_| RowDamaged)?;
    let mut event: EventRow = decode(&bytes)?;
    event.receipt = Some(ReceiptSummary {
        index,
        partner_index: proof.partner_index,
        partner_origin: proof.checkpoint.origin.clone(),
        tree_size: proof.checkpoint.size,
        time_ms: entry.time.millis(),
    });
    Ok(Some(Receipted {
        record,
        sent_index,
        time: entry.time,
        event,
    }))
}

impl Receipted {
    /// Notes the proof beside the action.
    pub(super) fn put(&self, txn: &mut Txn<'_>) -> Result<(), RowsError> {
        put_event(txn, self.record, self.sent_index, &self.event)
    }
}
