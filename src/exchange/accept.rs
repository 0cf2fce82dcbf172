//! Accepts a delivery: each dispatch becomes an entry, a receipt or a refusal, consistent with earlier answers.

use super::{
    Admission, NotYet, Partner, Proved, RowError, Rows as _, Unfit, Vault, VaultError,
    VerifiedDispatch, Witness, deferral::DeferredDispatches, rows::DispatchRow,
};
use crate::{
    domain::Jurisdiction,
    entry::{Cause, DecodedEntry, Entry, Kind, Received, Refusal},
    log::Txn,
    note::SignedCheckpoint,
    store::tables,
};
use std::sync::{Arc, Mutex, PoisonError};

/// What a dispatch is answered with.
#[derive(Debug)]
pub(super) enum AcceptOutcome {
    /// An entry.
    Entry {
        index: u64,
        /// Its bytes, if it was written for this delivery; an older entry is read again.
        entry: Option<Vec<u8>>,
    },
    /// Nothing yet.
    NotYet(NotYet),
}

impl From<u64> for AcceptOutcome {
    fn from(index: u64) -> Self {
        Self::Entry { index, entry: None }
    }
}

/// A delivery is not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum AcceptError {
    /// Its partner was suspended or removed, or has another card, since it was sent.
    #[error("the card that it came under is no longer in force")]
    CutOff,
    /// A payload cannot be stored.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<RowError> for AcceptError {
    fn from(error: RowError) -> Self {
        Self::Vault(error.into())
    }
}

/// Accepts a delivery, in one transaction.
pub(super) struct Accept {
    pub(super) own: Jurisdiction,
    /// The partner as it was on the card under which the stream was opened.
    pub(super) partner: Arc<Partner>,
    pub(super) theirs: SignedCheckpoint,
    pub(super) vault: Arc<Vault>,
    pub(super) witness: Arc<Witness>,
    pub(super) admission: Arc<dyn Admission>,
    /// The dispatches deferred on the stream that brings it.
    pub(super) deferred: Arc<Mutex<DeferredDispatches>>,
}

impl Accept {
    /// The outcome for each dispatch, in order.
    pub(super) fn accept_all(
        &self,
        txn: &mut Txn<'_>,
        proved: &[(Proved, Option<NotYet>)],
    ) -> Result<Vec<AcceptOutcome>, AcceptError> {
        // The delivery may have been queued before the entry that cut its partner off, which takes effect at once.
        if !self.admission.is_in_force(txn, &self.partner)? {
            return Err(AcceptError::CutOff);
        }
        let mut deferred = self.deferred.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = Vec::with_capacity(proved.len());
        for (dispatch, not_yet) in proved {
            let received = dispatch.received();
            // An answer, once given, stands, whatever arrives with the same leaf later: the same entry answers, with a
            // newer proof. Otherwise a sender could collect both a receipt and a refusal of one dispatch.
            let before = match self.received_before(txn, dispatch)? {
                Some(index) => Some(index),
                None => self.refused_before(txn, received)?,
            };
            let answer = match (before, dispatch) {
                (Some(index), _) => index.into(),
                (None, Proved::Fit(dispatch)) => {
                    self.accept_one(txn, dispatch, *not_yet, &deferred)?
                }
                (None, Proved::Unfit { reason, .. }) => self.refuse(txn, received, *reason)?,
            };
            if let Proved::Fit(dispatch) = dispatch {
                let (index, record) = (received.sender_index, dispatch.sent().record);
                match answer {
                    AcceptOutcome::NotYet(_) => deferred.defer(index, record),
                    AcceptOutcome::Entry { .. } => deferred.answered(index, record),
                }
            }
            kept.push(answer);
        }
        self.witness
            .advance(txn, self.partner.code, &self.theirs)
            .map_err(RowError::from)?;
        Ok(kept)
    }

    fn accept_one(
        &self,
        txn: &mut Txn<'_>,
        dispatch: &VerifiedDispatch,
        not_yet: Option<NotYet>,
        deferred: &DeferredDispatches,
    ) -> Result<AcceptOutcome, VaultError> {
        let (sent, received) = (dispatch.sent(), dispatch.received());
        let leaf_hash = received.leaf_hash();
        let key = tables::dispatch(self.partner.code, sent.dispatch_id);
        if txn.row(&key)?.is_some() {
            // The earlier dispatch had another leaf, or this one would have been answered before.
            return Ok(self.refuse(txn, received, Refusal::Conflict)?);
        }
        if let Some(why) = not_yet {
            return Ok(AcceptOutcome::NotYet(why));
        }
        // Judged before the dispatch that it follows, it could be refused permanently for arriving too early.
        if deferred.precedes(received.sender_index, sent, dispatch.content()) {
            return Ok(AcceptOutcome::NotYet(NotYet::Follows));
        }
        match self.admission.admit(txn, dispatch)? {
            Ok(()) => {}
            Err(Unfit::Refused(reason)) => return Ok(self.refuse(txn, received, reason)?),
            Err(Unfit::NotYet(why)) => return Ok(AcceptOutcome::NotYet(why)),
        }
        let index = txn.size();
        let (ciphertext, payload_key) = dispatch.sealed();
        let (month, id) = (sent.terms.purge_month, sent.dispatch_id);
        self.vault
            .stage(txn, index, month, id, ciphertext, payload_key)?;
        let row = DispatchRow {
            index,
            leaf_hash,
            record: sent.record,
        };
        txn.put(key, row.to_bytes()).map_err(RowError::from)?;
        let kind = Kind::DispatchReceived(received.clone());
        Ok(self.append(txn, kind, Some(dispatch))?)
    }

    fn received_before(
        &self,
        txn: &mut Txn<'_>,
        dispatch: &Proved,
    ) -> Result<Option<u64>, RowError> {
        let Some(id) = dispatch.dispatch_id() else {
            return Ok(None);
        };
        let row = txn.row(&tables::dispatch(self.partner.code, id))?;
        Ok(row
            .and_then(|row| DispatchRow::from_bytes(&row))
            .filter(|row| row.leaf_hash == dispatch.received().leaf_hash())
            .map(|row| row.index))
    }

    fn refused_before(
        &self,
        txn: &mut Txn<'_>,
        received: &Received,
    ) -> Result<Option<u64>, RowError> {
        let row = txn.row(&refusal_key(self.partner.code, received))?;
        Ok(row
            .and_then(|row| row.try_into().ok())
            .map(u64::from_be_bytes))
    }

    fn refuse(
        &self,
        txn: &mut Txn<'_>,
        received: &Received,
        reason: Refusal,
    ) -> Result<AcceptOutcome, RowError> {
        txn.put(
            refusal_key(self.partner.code, received),
            txn.size().to_be_bytes().to_vec(),
        )?;
        let kind = Kind::DispatchRefused {
            received: received.clone(),
            reason,
        };
        self.append(txn, kind, None)
    }

    fn append(
        &self,
        txn: &mut Txn<'_>,
        kind: Kind,
        dispatch: Option<&VerifiedDispatch>,
    ) -> Result<AcceptOutcome, RowError> {
        let entry = Entry::new(txn.now(), Cause::node(self.own), kind);
        let leaf = entry.encode();
        let known = DecodedEntry {
            entry: &entry,
            sender: dispatch.map(VerifiedDispatch::entry),
            content: dispatch.map(VerifiedDispatch::content),
        };
        Ok(AcceptOutcome::Entry {
            index: txn.append_decoded(leaf.clone(), known)?,
            entry: Some(leaf),
        })
    }
}

/// The key under which the refusal of a partner's dispatch is stored.
pub(super) fn refusal_key(partner: Jurisdiction, received: &Received) -> [u8; 39] {
    // An oversized leaf is identified by its index, because its bytes are not kept.
    let name = if received.sender_entry.is_empty() {
        crate::seal::sha256(&received.sender_index.to_be_bytes())
    } else {
        *received.leaf_hash().as_bytes()
    };
    tables::refused(partner, &name)
}
