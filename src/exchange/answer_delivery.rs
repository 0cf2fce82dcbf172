//! Answers a delivery with proof, once it is durable.

use super::{
    Answer, AnswerProof, Answers, Inbox, Lane, OutboxError, Partner, Tree,
    accept::{AcceptError, AcceptOutcome},
    disclosed_trees::links,
    inbound_session::SessionFault,
    outbox::log_error,
};
use crate::{
    domain::Jurisdiction,
    log::{Durable, Pending, ProposeError},
    note::SignedCheckpoint,
};
use std::{collections::BTreeSet, sync::Arc};

/// The state from which the answers on one stream continue.
#[derive(Debug)]
pub(crate) struct Answering {
    pub(super) partner: Jurisdiction,
    /// Our tree that the partner will have verified once it has read all answers.
    pub(super) answered: Tree,
    /// Sizes that the first answers must link.
    pub(super) wanted: BTreeSet<u64>,
}

/// A delivery that is verified and handed to the log; its answers follow when it is durable.
#[derive(Debug)]
pub(crate) struct PendingAnswers {
    pub(super) sequence: u64,
    pub(super) partner: Arc<Partner>,
    pub(super) theirs: SignedCheckpoint,
    pub(super) kept: Pending<Vec<AcceptOutcome>, AcceptError>,
}

impl Inbox {
    /// Waits until the delivery is durable, and answers it with proof.
    ///
    /// # Errors
    /// The partner was cut off before it was stored, or the log failed.
    pub(crate) async fn answer(
        &self,
        answering: &mut Answering,
        pending: PendingAnswers,
    ) -> Result<Answers, SessionFault> {
        let PendingAnswers {
            sequence,
            partner: of,
            theirs,
            kept,
        } = pending;
        let kept: Durable<Vec<AcceptOutcome>> = kept.await.map_err(|error| {
            if matches!(error, ProposeError::Rejected(AcceptError::CutOff)) {
                SessionFault::TakenOver
            } else {
                log_error(error).into()
            }
        })?;
        let kept = kept.into_inner();
        let (partner, base) = (answering.partner, answering.answered.size);
        let (shown, mut linked) = (Arc::clone(&self.shown), BTreeSet::new());
        linked.append(&mut answering.wanted);
        let (checkpoint, consistency, linked, answers) = self
            .log
            .read(move |reader| {
                // At least as new as the commit that is answered.
                let (checkpoint, others) =
                    shown.show(partner, Lane::Answers, || reader.checkpoint());
                let size = checkpoint.size();
                linked.extend(others);
                let proofs = reader.proofs();
                let mut answers = Vec::with_capacity(kept.len());
                for kept in kept {
                    let (index, entry) = match kept {
                        AcceptOutcome::Entry { index, entry } => (index, entry),
                        AcceptOutcome::NotYet(why) => {
                            answers.push(Answer::NotYet(why));
                            continue;
                        }
                    };
                    let entry = match entry {
                        Some(entry) => entry,
                        None => reader
                            .entry(index)?
                            .ok_or(crate::log::ReadError::NoSuchEntry { index, size })?,
                    };
                    let inclusion = proofs.inclusion(index, size)?;
                    answers.push(Answer::Proof(AnswerProof {
                        index,
                        entry,
                        inclusion,
                    }));
                }
                let consistency = proofs.consistency(base, size)?;
                let linked = links(reader, size, linked)?;
                Ok::<_, crate::log::ReadError>((checkpoint, consistency, linked, answers))
            })
            .await
            .map_err(OutboxError::from)?
            .map_err(OutboxError::from)?;
        let verified_size = self.witness.tree(&of).size;
        let cosigned = self
            .signer
            .cosign(theirs.checkpoint(), self.clock.now().seconds());
        answering.answered = Tree {
            origin: checkpoint.origin().to_owned(),
            size: checkpoint.size(),
            root: *checkpoint.root(),
        };
        Ok(Answers {
            sequence,
            checkpoint: checkpoint.note().as_bytes().to_vec(),
            consistency,
            cosigned_at_s: cosigned.at_seconds,
            cosignature: cosigned.signature,
            answers,
            linked,
            verified_size,
        })
    }
}
