//! Drafts: dispatches before they are in the log.

use super::VaultError;
use crate::{
    domain::{DispatchId, Handling, Jurisdiction, RecordId, ReturnReason, Urgency},
    entry::{Cause, Content, DISPATCH_LEAF_LIMIT, DispatchAction, DispatchSent, Terms},
    log::TxnError,
    merkle::Hash,
    seal::{Commitment, SealedPayload},
};

/// A dispatch to be sent.
#[derive(Debug)]
pub struct Draft {
    /// Who sends it and why.
    pub cause: Cause,
    /// Its id; the payload is sealed for it.
    pub dispatch_id: DispatchId,
    /// The partner node it goes to.
    pub to: Jurisdiction,
    /// What it says or does.
    pub action: DispatchAction,
    /// The record that it opens or acts on.
    pub record: RecordId,
    /// How urgent.
    pub urgency: Urgency,
    /// How to be handled.
    pub handling: Handling,
    /// Deadlines and retention.
    pub terms: Terms,
    /// On a return.
    pub return_reason: Option<ReturnReason>,
    /// What it follows.
    pub predecessors: Vec<Hash>,
    /// What the payload says, if it is known.
    pub content: Option<Content>,
    /// The payload.
    pub sealed: SealedPayload,
    /// The commitment to its content.
    pub commitment: Commitment,
}

impl Draft {
    /// The public part of the dispatch, as sent from this jurisdiction.
    pub fn sent(&self, from: Jurisdiction) -> DispatchSent {
        DispatchSent {
            dispatch_id: self.dispatch_id,
            from,
            to: self.to,
            action: self.action,
            record: self.record,
            urgency: self.urgency,
            handling: self.handling,
            terms: self.terms,
            return_reason: self.return_reason,
            predecessors: self.predecessors.clone(),
            ciphertext_sha256: self.sealed.sha256,
            ciphertext_length: u32::try_from(self.sealed.ciphertext.len()).unwrap_or(u32::MAX),
            commitment: self.commitment,
        }
    }
}

/// A dispatch in the log, within the transaction that put it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staged {
    /// Its index.
    pub index: u64,
    /// Its leaf hash.
    pub leaf_hash: Hash,
}

/// A dispatch cannot be staged.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The payload cannot be stored.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The transaction refused.
    #[error(transparent)]
    Txn(#[from] TxnError),
    /// Its public part is over the limit.
    #[error("the public part of a dispatch is at most {DISPATCH_LEAF_LIMIT} bytes, this is {0}")]
    TooLong(usize),
}
