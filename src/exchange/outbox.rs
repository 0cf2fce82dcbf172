//! The outbox: dispatches that are in this log and whose receipt is not.

use super::{
    DisclosedTrees, NotYet, OwnLog, PROTOCOL, RowError, TreeFault, Vault, VaultError, Witness,
    deferral::DEFERRED_LIMIT,
    draft::{Draft, StageError, Staged},
    rows::DispatchRow,
};
use crate::{
    domain::Jurisdiction,
    entry::{DISPATCH_LEAF_LIMIT, DecodedEntry, Entry, Kind},
    log::{Log, ProposeError, ReadError, Reader, Txn},
    merkle,
    store::tables,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch;

/// The outbox could not be processed.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The log failed to read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A row failed to read.
    #[error(transparent)]
    Row(#[from] RowError),
    /// A payload failed to open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The log takes no writes.
    #[error("{0}")]
    Log(String),
    /// The partner's tree or proofs do not verify.
    #[error(transparent)]
    Tree(#[from] TreeFault),
    /// The partner speaks another version.
    #[error("the partner speaks exchange protocol {0}, this node {PROTOCOL}; update the older one")]
    Protocol(u32),
    /// The partner says that it verified a tree of ours that our log does not contain.
    #[error(
        "the partner verified our log at size {size}, which ours does not continue: this store was rolled back or \
         replaced. Put the newer store back; if it is lost, only a successor log can continue"
    )]
    NotOurTree {
        /// The size that it claims.
        size: u64,
    },
    /// An answer does not belong to what was sent.
    #[error("the partner's answer does not fit the delivery: {0}")]
    Answer(&'static str),
}

/// The outbox of a node.
pub struct Outbox {
    pub(super) log: Log,
    pub(super) own: Jurisdiction,
    pub(super) vault: Arc<Vault>,
    pub(super) witness: Arc<Witness>,
    pub(super) shown: Arc<DisclosedTrees>,
    pub(super) own_log: Arc<OwnLog>,
    /// Why each partner last deferred the dispatches that wait for it, by index; bounded.
    deferred: Mutex<BTreeMap<Jurisdiction, BTreeMap<u64, NotYet>>>,
    /// For each partner, the index after the newest dispatch that was staged and not announced yet. A proposal that was
    /// dropped also leaves a value here, and wakes a courier for nothing.
    staged: Mutex<BTreeMap<Jurisdiction, u64>>,
    /// Wakes each partner's courier, which then knows without reading whether there may be work.
    wakers: Mutex<BTreeMap<Jurisdiction, watch::Sender<u64>>>,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

impl Outbox {
    /// The outbox of the node that owns this log.
    pub fn new(
        log: Log,
        own: Jurisdiction,
        vault: Arc<Vault>,
        witness: Arc<Witness>,
        shown: Arc<DisclosedTrees>,
        own_log: Arc<OwnLog>,
    ) -> Self {
        Self {
            log,
            own,
            vault,
            witness,
            shown,
            own_log,
            deferred: Mutex::default(),
            staged: Mutex::default(),
            wakers: Mutex::default(),
        }
    }

    /// Puts a dispatch into the log and the outbox, as part of the caller's transaction.
    ///
    /// # Errors
    /// The payload cannot be stored, the transaction refused, or the public part is too long.
    pub fn stage(&self, txn: &mut Txn<'_>, draft: &Draft) -> Result<Staged, StageError> {
        let index = txn.size();
        let entry = Entry::new(
            txn.now(),
            draft.cause.clone(),
            Kind::DispatchSent(draft.sent(self.own)),
        );
        let leaf = entry.encode();
        if leaf.len() > DISPATCH_LEAF_LIMIT {
            return Err(StageError::TooLong(leaf.len()));
        }
        let leaf_hash = merkle::leaf_hash(&leaf);
        self.vault.stage(
            txn,
            index,
            draft.terms.purge_month,
            draft.dispatch_id,
            &draft.sealed.ciphertext,
            &draft.sealed.key,
        )?;
        let row = DispatchRow {
            index,
            leaf_hash,
            record: draft.record,
        };
        txn.put(
            tables::dispatch(self.own, draft.dispatch_id),
            row.to_bytes(),
        )?;
        txn.put(
            tables::outbox(draft.to, index),
            draft.dispatch_id.as_bytes().to_vec(),
        )?;
        let known = DecodedEntry {
            content: draft.content.as_ref(),
            ..DecodedEntry::from(&entry)
        };
        txn.append_decoded(leaf, known)?;
        let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        staged.insert(draft.to, index + 1);
        Ok(Staged { index, leaf_hash })
    }

    /// Wakes couriers when what was staged for their partner is published, so that the caller that staged it need not
    /// wait. Runs until the log is gone.
    pub async fn announce(&self) {
        let mut published = self.log.subscribe();
        loop {
            let size = published.borrow_and_update().size();
            let mut due = Vec::new();
            {
                let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
                staged.retain(|to, newest| {
                    let is_due = *newest <= size;
                    if is_due {
                        due.push((*to, *newest));
                    }
                    !is_due
                });
            }
            for (to, newest) in due {
                self.waker(to).send_replace(newest);
            }
            if published.changed().await.is_err() {
                return;
            }
        }
    }

    /// Wakes when there may be new work for `to`.
    pub(super) fn work(&self, to: Jurisdiction) -> watch::Receiver<u64> {
        self.waker(to).subscribe()
    }

    fn waker(&self, to: Jurisdiction) -> watch::Sender<u64> {
        let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        wakers.entry(to).or_default().clone()
    }

    /// How many dispatches wait for `to`'s receipt, counted up to `limit`.
    ///
    /// # Errors
    /// The store failed.
    pub fn waiting(reader: &Reader, to: Jurisdiction, limit: usize) -> Result<usize, ReadError> {
        let (from, end) = (tables::outbox(to, 0), tables::outbox(to, u64::MAX));
        let rows = reader.range(&from, &end, crate::store::Order::Ascending, limit)?;
        Ok(rows.len())
    }

    /// How many dispatches wait for `to`'s receipt: all of them, with `at_once` rows in memory at a time.
    ///
    /// # Errors
    /// The store failed.
    pub fn count(reader: &Reader, to: Jurisdiction, at_once: usize) -> Result<usize, ReadError> {
        let end = tables::outbox(to, u64::MAX);
        let mut from = tables::outbox(to, 0);
        let mut count = 0;
        loop {
            let rows = reader.range(&from, &end, crate::store::Order::Ascending, at_once.max(1))?;
            count += rows.len();
            match rows.last().and_then(|(key, _)| tables::outbox_index(key)) {
                Some(last) => from = tables::outbox(to, last.saturating_add(1)),
                None => return Ok(count),
            }
        }
    }

    /// Why the dispatch at `index` is still in the outbox, if `to` deferred it when it was last sent.
    pub fn deferred(&self, to: Jurisdiction, index: u64) -> Option<NotYet> {
        let deferred = self.deferred.lock().unwrap_or_else(PoisonError::into_inner);
        deferred.get(&to)?.get(&index).copied()
    }

    /// How many dispatches `to` deferred when they were last sent, and why the oldest of them. Counted up to a bound.
    pub fn deferred_by(&self, to: Jurisdiction) -> Option<(usize, NotYet)> {
        let deferred = self.deferred.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = deferred.get(&to)?;
        let (_, why) = waiting.first_key_value()?;
        Some((waiting.len(), *why))
    }

    /// Returns true if it was deferred before and is answered now.
    pub(super) fn note_deferral(&self, to: Jurisdiction, index: u64, why: Option<NotYet>) -> bool {
        let mut deferred = self.deferred.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = deferred.entry(to).or_default();
        match why {
            Some(why) if waiting.len() < DEFERRED_LIMIT || waiting.contains_key(&index) => {
                waiting.insert(index, why);
            }
            None if waiting.remove(&index).is_some() => {}
            Some(_) | None => return false,
        }
        let partner = to.to_string();
        // Bounded: far below 2^53.
        metrics::gauge!("yichuan_outbox_put_off", "partner" => partner).set(waiting.len() as f64);
        why.is_none()
    }

    /// What partners hold of this node's log.
    pub(super) fn own_log(&self) -> &OwnLog {
        &self.own_log
    }
}

pub(super) fn log_error<E: std::fmt::Display>(error: ProposeError<E>) -> OutboxError {
    OutboxError::Log(error.to_string())
}
