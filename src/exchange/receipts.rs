//! Verifies a partner's answers to dispatches, and logs them as proof.

use super::{AnswerProof, OutboxError, Partner, Rows as _, TreeFault, Witness};
use crate::{
    access::Principal,
    domain::Jurisdiction,
    entry::{Cause, DISPATCH_LEAF_LIMIT, DecodedEntry, Entry, Kind, PartnerProof, Received},
    log::{Txn, TxnError},
    merkle,
    note::{Cosignature, SignedCheckpoint, VerifierKey},
    store::tables,
};

/// How many answers were logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LoggedAnswers {
    /// Receipts.
    pub(super) received: usize,
    /// Refusals.
    pub(super) refused: usize,
}

/// Verifies the answers to one delivery.
#[derive(Clone, Copy, Debug)]
pub struct AnswerVerifier<'a> {
    /// Our key.
    pub own: &'a VerifierKey,
    /// Our checkpoint that the delivery showed.
    pub shown: &'a SignedCheckpoint,
    /// The partner that answers.
    pub partner: &'a Partner,
    /// Its checkpoint, verified.
    pub theirs: &'a SignedCheckpoint,
    /// Its cosignature on `shown`, verified.
    pub cosignature: &'a Cosignature,
}

impl AnswerVerifier<'_> {
    /// Verifies the answer to one dispatch, and makes the entry that keeps it. Pure.
    ///
    /// # Errors
    /// The answer proves nothing about this dispatch: the stream must be closed.
    pub fn verify(
        &self,
        answer: AnswerProof,
        sent_index: u64,
        leaf: &[u8],
    ) -> Result<Kind, OutboxError> {
        let theirs = self.theirs;
        merkle::verify_inclusion(
            &merkle::leaf_hash(&answer.entry),
            answer.index,
            theirs.size(),
            &answer.inclusion,
            theirs.root(),
        )
        .map_err(|_| TreeFault::NotIncluded {
            index: answer.index,
        })?;
        let entry = Entry::decode(&answer.entry)
            .map_err(|_| OutboxError::Answer("the partner's entry is malformed"))?;
        if entry.cause.principal != Principal::node(self.partner.code) {
            return Err(OutboxError::Answer(
                "the partner's entry is not in its own node's name",
            ));
        }
        let ours = Entry::decode(leaf).map_err(|_| OutboxError::Answer("our own entry"))?;
        let Kind::DispatchSent(sent) = ours.kind else {
            return Err(OutboxError::Answer("our own entry"));
        };
        let (received, refusal) = if let Kind::DispatchReceived(received) = entry.kind {
            (received, None)
        } else if let Kind::DispatchRefused { received, reason } = entry.kind {
            (received, Some(reason))
        } else {
            return Err(OutboxError::Answer("the partner's entry is no answer"));
        };
        // Only a refusal of an oversized leaf does not repeat the leaf.
        let left_out = refusal.is_some() && received.sender_entry.is_empty();
        let names_it =
            received.sender_entry == leaf || (left_out && leaf.len() > DISPATCH_LEAF_LIMIT);
        if !names_it || received.sender_index != sent_index {
            return Err(OutboxError::Answer(
                "the partner's entry is about another dispatch",
            ));
        }
        self.rests_on_our_tree(&received, leaf)?;
        let proof = PartnerProof {
            partner_entry: answer.entry,
            partner_index: answer.index,
            inclusion: answer.inclusion,
            checkpoint: theirs.checkpoint().clone(),
            signature: *theirs.signature(),
            cosigned_at_s: self.cosignature.at_seconds,
            cosignature: self.cosignature.signature,
            cosigned_size: self.shown.size(),
            cosigned_root: *self.shown.root(),
        };
        let (to, dispatch_id) = (self.partner.code, sent.dispatch_id);
        Ok(match refusal {
            None => Kind::ReceiptLogged {
                to,
                dispatch_id,
                sent_index,
                proof,
            },
            Some(reason) => Kind::RefusalLogged {
                to,
                dispatch_id,
                sent_index,
                reason,
                proof,
            },
        })
    }

    /// Checks the basis that the partner's entry names: a checkpoint that we signed, and that contains our leaf.
    /// Without this check, a receipt could carry a claim about our log that no auditor can verify. A repeated answer
    /// may rest on an older checkpoint.
    fn rests_on_our_tree(&self, received: &Received, leaf: &[u8]) -> Result<(), OutboxError> {
        let claim = OutboxError::Answer("the partner's entry rests on a tree of ours that is none");
        let just_shown = received.checkpoint == *self.shown.checkpoint()
            && received.signature == *self.shown.signature();
        let signed = just_shown
            || self
                .own
                .verify_signature(&received.checkpoint, &received.signature)
                .is_ok();
        let included = merkle::verify_inclusion(
            &merkle::leaf_hash(leaf),
            received.sender_index,
            received.checkpoint.size,
            &received.inclusion,
            &received.checkpoint.root,
        );
        if signed && included.is_ok() {
            Ok(())
        } else {
            Err(claim)
        }
    }
}

/// Logs answers: each dispatch leaves the outbox with its proof.
pub(super) fn log_answers(
    txn: &mut Txn<'_>,
    witness: &Witness,
    own: Jurisdiction,
    to: Jurisdiction,
    theirs: &SignedCheckpoint,
    kinds: &[Kind],
) -> Result<LoggedAnswers, TxnError> {
    let mut settled = LoggedAnswers::default();
    for kind in kinds {
        let (Kind::ReceiptLogged { sent_index, .. } | Kind::RefusalLogged { sent_index, .. }) =
            kind
        else {
            continue;
        };
        let count = if matches!(kind, Kind::ReceiptLogged { .. }) {
            &mut settled.received
        } else {
            &mut settled.refused
        };
        let row = tables::outbox(to, *sent_index);
        if txn.row(&row).is_ok_and(|row| row.is_none()) {
            // Logged before, on a stream that broke.
            continue;
        }
        let entry = Entry::new(txn.now(), Cause::node(own), kind.clone());
        txn.delete(row)?;
        txn.append_decoded(entry.encode(), DecodedEntry::from(&entry))?;
        *count += 1;
    }
    witness.advance(txn, to, theirs)?;
    Ok(settled)
}
