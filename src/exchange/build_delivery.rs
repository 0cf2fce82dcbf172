//! Builds a delivery: leaves, proofs, ciphertexts and keys of the dispatches that wait in the outbox.

use super::{
    BYTES_PER_DELIVERY, DISPATCHES_PER_DELIVERY, DeliveredDispatch, DisclosedTrees, Lane, Link,
    OutboxError, Tree, Vault, VaultError, disclosed_trees::links,
};
use crate::{
    domain::Jurisdiction,
    entry::{Entry, Kind},
    log::{ReadError, Reader},
    merkle::Hash,
    note::SignedCheckpoint,
    store::{Order, Row, tables},
};
use std::{collections::BTreeSet, sync::Arc};

/// The parts of a delivery.
pub(super) struct BuiltDelivery {
    pub(super) checkpoint: Arc<SignedCheckpoint>,
    /// From the tree that was sent before.
    pub(super) consistency: Vec<Hash>,
    /// From trees that the recipient may have seen elsewhere.
    pub(super) linked: Vec<Link>,
    pub(super) dispatches: Vec<DeliveredDispatch>,
}

/// Builds the next delivery from `from` to `to`, from the outbox rows at `cursor` on. `None` if nothing is left.
pub(super) fn build_delivery(
    reader: &Reader,
    vault: &Vault,
    (from, to): (Jurisdiction, Jurisdiction),
    cursor: u64,
    sent: &Tree,
    (shown, wanted): (&DisclosedTrees, BTreeSet<u64>),
) -> Result<Option<BuiltDelivery>, OutboxError> {
    let mut cursor = cursor;
    // Each round continues after the last row, so the loop ends with the rows.
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
        // A row is visible only once it is published, so a checkpoint read after it covers it.
        let (checkpoint, mut linked) = shown.show(to, Lane::Deliveries, || reader.checkpoint());
        let dispatches = read_dispatches(reader, vault, (from, to), rows, checkpoint.size())?;
        // If every row was purged before it was delivered, continue with the rows behind them.
        if !dispatches.is_empty() {
            linked.extend(wanted);
            return Ok(Some(BuiltDelivery {
                consistency: reader.proofs().consistency(sent.size, checkpoint.size())?,
                linked: links(reader, checkpoint.size(), linked)?,
                checkpoint,
                dispatches,
            }));
        }
    }
}

fn read_dispatches(
    reader: &Reader,
    vault: &Vault,
    (from, to): (Jurisdiction, Jurisdiction),
    rows: Vec<Row>,
    size: u64,
) -> Result<Vec<DeliveredDispatch>, OutboxError> {
    let proofs = reader.proofs();
    let mut leaves = Leaves::new(reader, size);
    let mut dispatches = Vec::with_capacity(rows.len());
    let mut bytes = 0;
    for (key, _) in rows {
        let index = tables::outbox_index(&key).ok_or(OutboxError::Answer("outbox key"))?;
        let leaf = leaves.at(index)?;
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
            // Purged before it was delivered: there is nothing left to deliver. But a purge destroys all keys of a
            // month at once.
            if vault.has_bucket(sent.terms.purge_month) {
                metrics::counter!("yichuan_outbox_keys_missing_total", "partner" => to.to_string())
                    .increment(1);
                tracing::error!(
                    partner = %to,
                    index,
                    "a dispatch that waits for a partner is skipped: its payload key is missing, though its month was not purged. \
                     The store is damaged; run `yichuan doctor`"
                );
            }
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

/// Leaves by rising index, read several at a time: most waiting dispatches were written together.
struct Leaves<'a> {
    reader: &'a Reader,
    size: u64,
    ahead: std::vec::IntoIter<(u64, Vec<u8>)>,
}

impl<'a> Leaves<'a> {
    /// How many are read at once, and how many bytes.
    const AT_ONCE: (usize, usize) = (32, 64 * 1024);

    fn new(reader: &'a Reader, size: u64) -> Self {
        Self {
            reader,
            size,
            ahead: Vec::new().into_iter(),
        }
    }

    fn at(&mut self, index: u64) -> Result<Vec<u8>, ReadError> {
        if let Some((_, leaf)) = self
            .ahead
            .find(|(at, _)| *at >= index)
            .filter(|(at, _)| *at == index)
        {
            return Ok(leaf);
        }
        let (count, bytes) = Self::AT_ONCE;
        self.ahead = self.reader.entries(index, count, bytes)?.into_iter();
        let first = self.ahead.next().filter(|(at, _)| *at == index);
        first.map(|(_, leaf)| leaf).ok_or(ReadError::NoSuchEntry {
            index,
            size: self.size,
        })
    }
}
