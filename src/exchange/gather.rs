//! What goes into a delivery: leaves, proofs, ciphertexts and keys of what waits in the outbox.

use super::{
    BYTES_PER_DELIVERY, DISPATCHES_PER_DELIVERY, DeliveredDispatch, OutboxError, Tree, Vault,
    VaultError,
};
use crate::{
    domain::Jurisdiction,
    log::{ReadError, Reader},
    merkle::Hash,
    note::SignedCheckpoint,
    record::{Entry, Kind},
    store::{Order, Row, tables},
};
use std::sync::Arc;

/// The checkpoint of a delivery, the consistency proof that leads to it, and the dispatches that it proves.
pub(super) type Gathered = (Arc<SignedCheckpoint>, Vec<Hash>, Vec<DeliveredDispatch>);

/// Gathers the next delivery from `from` to `to`: outbox rows from `cursor` on. Nothing where nothing is left.
pub(super) fn gather(
    reader: &Reader,
    vault: &Vault,
    (from, to): (Jurisdiction, Jurisdiction),
    cursor: u64,
    sent: &Tree,
) -> Result<Option<Gathered>, OutboxError> {
    let mut cursor = cursor;
    // Each round reads on behind the last row, so it ends with the rows.
    loop {
        let rows = reader.range(
            &tables::outbox(to, cursor),
            &tables::outbox(to, u64::MAX),
            Order::Ascending,
            DISPATCHES_PER_DELIVERY,
        )?;
        let Some((last, _)) = rows.last() else {
            return Ok(None);
        };
        cursor = tables::outbox_index(last).map_or(u64::MAX, |last| last.saturating_add(1));
        // A row is seen only once it is published, so the checkpoint read after it covers it.
        let checkpoint = reader.checkpoint();
        let dispatches = open_all(reader, vault, (from, to), rows, checkpoint.size())?;
        // Where every row was purged before it was delivered, what waits behind them goes on.
        if !dispatches.is_empty() {
            let consistency = reader.proofs().consistency(sent.size, checkpoint.size())?;
            return Ok(Some((checkpoint, consistency, dispatches)));
        }
    }
}

fn open_all(
    reader: &Reader,
    vault: &Vault,
    (from, to): (Jurisdiction, Jurisdiction),
    rows: Vec<Row>,
    size: u64,
) -> Result<Vec<DeliveredDispatch>, OutboxError> {
    let proofs = reader.proofs();
    let mut dispatches = Vec::with_capacity(rows.len());
    let mut bytes = 0;
    for (key, _) in rows {
        let index = tables::outbox_index(&key).ok_or(OutboxError::Answer("outbox key"))?;
        let leaf = reader
            .entry(index)?
            .ok_or(ReadError::NoSuchEntry { index, size })?;
        let damaged = |what| VaultError::Damaged { index, what };
        let sent = match Entry::decode(&leaf).map(|entry| entry.kind) {
            Ok(Kind::DispatchSent(sent)) if sent.from == from && sent.to == to => sent,
            Ok(_) | Err(_) => {
                return Err(damaged("its entry is no dispatch to this partner").into());
            }
        };
        let mut rows = reader;
        let Some((ciphertext, key)) =
            vault.sealed(&mut rows, index, sent.terms.purge_month, sent.dispatch_id)?
        else {
            // Purged before it was delivered: there is nothing left to deliver.
            continue;
        };
        bytes += ciphertext.len();
        if bytes > BYTES_PER_DELIVERY && !dispatches.is_empty() {
            break;
        }
        dispatches.push(DeliveredDispatch {
            index,
            entry: leaf,
            inclusion: proofs.inclusion(index, size)?,
            ciphertext,
            key: Some(key),
        });
    }
    Ok(dispatches)
}
