//! Keeping what was delivered: each dispatch becomes an entry, a receipt or a refusal, on top of what was answered before.

use super::{
    Admission, Proved, RowError, Rows as _, Vault, VaultError, VerifiedDispatch, Witness,
    rows::DispatchRow, witness::own_cause,
};
use crate::{
    domain::{EntryId, Jurisdiction},
    log::Txn,
    note::SignedCheckpoint,
    record::{Entry, Kind, Known, Received, Refusal},
    store::tables,
};
use std::sync::Arc;

/// The entry that answers a dispatch.
#[derive(Debug)]
pub(super) struct KeptAt {
    pub(super) index: u64,
    /// Its bytes, where it was written for this delivery; an older one is read again.
    pub(super) entry: Option<Vec<u8>>,
}

impl From<u64> for KeptAt {
    fn from(index: u64) -> Self {
        Self { index, entry: None }
    }
}

/// Keeps what was delivered, in one transaction.
pub(super) struct Keep {
    pub(super) own: Jurisdiction,
    pub(super) partner: Jurisdiction,
    pub(super) theirs: SignedCheckpoint,
    pub(super) vault: Arc<Vault>,
    pub(super) witness: Arc<Witness>,
    pub(super) admission: Arc<dyn Admission>,
}

impl Keep {
    /// The entry that answers each dispatch, in order.
    pub(super) fn all(
        &self,
        txn: &mut Txn<'_>,
        proved: &[Proved],
    ) -> Result<Vec<KeptAt>, VaultError> {
        let mut kept = Vec::with_capacity(proved.len());
        for dispatch in proved {
            let received = dispatch.received();
            // An answer once given stands, whatever comes with the same leaf later: the same entry answers, with a newer
            // proof. Else a sender could collect a receipt and a refusal of one dispatch.
            let before = match self.received_before(txn, dispatch)? {
                Some(index) => Some(index),
                None => self.refused_before(txn, received)?,
            };
            kept.push(match (before, dispatch) {
                (Some(index), _) => index.into(),
                (None, Proved::Fit(dispatch)) => self.one(txn, dispatch)?,
                (None, Proved::Unfit { reason, .. }) => self.refuse(txn, received, *reason)?,
            });
        }
        self.witness
            .advance(txn, self.partner, &self.theirs)
            .map_err(RowError::from)?;
        Ok(kept)
    }

    fn one(&self, txn: &mut Txn<'_>, dispatch: &VerifiedDispatch) -> Result<KeptAt, VaultError> {
        let (sent, received) = (dispatch.sent(), dispatch.received());
        let leaf_hash = received.leaf_hash();
        let key = tables::dispatch(self.partner, sent.dispatch_id);
        if txn.row(&key)?.is_some() {
            // Not with this leaf, or it would have been answered before.
            return Ok(self.refuse(txn, received, Refusal::Conflict)?);
        }
        if let Err(reason) = self.admission.admit(txn, dispatch)? {
            return Ok(self.refuse(txn, received, reason)?);
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
        let row = txn.row(&tables::dispatch(self.partner, id))?;
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
        let row = txn.row(&refusal_key(self.partner, received))?;
        Ok(row
            .and_then(|row| row.try_into().ok())
            .map(u64::from_be_bytes))
    }

    fn refuse(
        &self,
        txn: &mut Txn<'_>,
        received: &Received,
        reason: Refusal,
    ) -> Result<KeptAt, RowError> {
        txn.put(
            refusal_key(self.partner, received),
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
    ) -> Result<KeptAt, RowError> {
        let entry = Entry {
            time: txn.now(),
            id: EntryId::new(txn.now()),
            cause: own_cause(self.own),
            kind,
        };
        let leaf = entry.encode();
        let known = Known {
            entry: &entry,
            sender: dispatch.map(VerifiedDispatch::entry),
            content: dispatch.map(VerifiedDispatch::content),
        };
        Ok(KeptAt {
            index: txn.append_known(leaf.clone(), known)?,
            entry: Some(leaf),
        })
    }
}

/// Under which key the refusal of a partner's dispatch is found.
pub(super) fn refusal_key(partner: Jurisdiction, received: &Received) -> [u8; 39] {
    // An oversized leaf is known by where it stands; its bytes are not kept.
    let name = if received.sender_entry.is_empty() {
        crate::seal::sha256(&received.sender_index.to_be_bytes())
    } else {
        *received.leaf_hash().as_bytes()
    };
    tables::refused(partner, &name)
}
