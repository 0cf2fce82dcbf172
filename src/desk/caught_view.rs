//! The view that answers what became of each caught notice. A function of entries and openable payloads (I8).

use super::{
    caught_rows::{CaughtRow, caught, put_caught},
    lead_rows::NumberRow,
    rows::{ContentError, Receipted, RecordView, RowsError, Seen, put_event},
};
use crate::{
    domain::{CaughtNotice, Jurisdiction},
    entry::{Content, DispatchAction, Refusal},
    exchange::Vault,
    log::Txn,
    seal::Keyring,
    store::tables,
};
use std::sync::Arc;

/// Keeps the rows of caught notices.
#[derive(Debug)]
pub(super) struct CaughtView {
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

impl CaughtView {
    /// The view of the node whose payloads these are.
    pub(super) fn new(vault: Arc<Vault>) -> Self {
        Self { vault }
    }

    fn notice(&self, txn: &mut Txn<'_>, seen: &Seen<'_>) -> Result<(), Failure> {
        if seen.sent.action != DispatchAction::Caught {
            return Ok(());
        }
        let sent = seen.sent;
        put_event(txn, sent.record, seen.index, &seen.row())?;
        let row = CaughtRow {
            direction: seen.direction,
            from: sent.from,
            to: sent.to,
            index: seen.index,
            time_ms: seen.time.millis(),
            purge_month: sent.terms.purge_month.number(),
            received_ms: seen.received_ms(),
            refusal: None,
        };
        put_caught(txn, sent.record, None, &row)?;
        self.index(txn, seen)
    }

    /// Puts what the payload says about whom, and under which number, into the keyed indexes.
    fn index(&self, txn: &mut Txn<'_>, seen: &Seen<'_>) -> Result<(), Failure> {
        let (sent, month) = (seen.sent, seen.sent.terms.purge_month);
        let content = seen.content(txn, &self.vault)?;
        let Some(Content::Caught(fields)) = content.as_deref() else {
            return Ok(());
        };
        let Ok(notice) = CaughtNotice::reread(fields) else {
            return Ok(());
        };
        let ring = self.vault.ring();
        let Some(bucket) = ring.bucket(month) else {
            return Ok(());
        };
        for tag in [
            bucket.number_tag(notice.resident_number().as_str()),
            bucket.tag("name", notice.name()),
        ] {
            txn.put(
                tables::subject(month.number(), &tag, seen.index),
                sent.record.as_bytes().to_vec(),
            )
            .map_err(RowsError::from)?;
        }
        let row = NumberRow {
            record: sent.record,
            content: content_tag(&ring, &notice),
            index: seen.index,
        };
        let key = tables::caught_number(&number_tag(&ring, sent.from, notice.number()));
        txn.put(key, row.to_bytes()).map_err(RowsError::from)?;
        Ok(())
    }
}

/// A partner answered a notice of ours.
fn note_answer(
    txn: &mut Txn<'_>,
    receipted: &Receipted,
    refusal: Option<Refusal>,
) -> Result<(), Failure> {
    let Some(before) = caught(txn, receipted.record)? else {
        return Ok(());
    };
    receipted.put(txn)?;
    let mut row = before.clone();
    match refusal {
        Some(reason) => row.refusal = Some(reason.as_str().to_owned()),
        None => row.received_ms = Some(receipted.time.millis()),
    }
    Ok(put_caught(txn, receipted.record, Some(&before), &row)?)
}

/// The lookup tag of a notice's number within the jurisdiction that notifies.
pub(super) fn number_tag(ring: &Keyring, sender: Jurisdiction, number: &str) -> [u8; 32] {
    ring.lookup_tag("caught number", &[sender.as_bytes(), number.as_bytes()])
}

/// The tag that tells whether content is the same.
pub(super) fn content_tag(ring: &Keyring, notice: &CaughtNotice) -> [u8; 32] {
    ring.lookup_tag("caught content", &[&notice.canonical_content()])
}

impl RecordView for CaughtView {
    type Failure = Failure;

    fn action(&self, txn: &mut Txn<'_>, seen: &Seen<'_>) -> Result<(), Failure> {
        self.notice(txn, seen)
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
