//! Evidence against a partner: two checkpoints that it signed and that do not go together, kept in our log.

use super::{Partner, TreeFault, Witness, witness::own_cause};
use crate::{
    domain::{EntryId, Jurisdiction},
    log::{Log, Proposal},
    note::SignedCheckpoint,
    record::{Entry, Kind},
    store::tables,
};
use std::sync::Arc;

/// Keeps an irreconcilable checkpoint as evidence in the log. Others are only warned of.
pub(super) async fn keep(
    (log, own): (&Log, Jurisdiction),
    witness: &Witness,
    partner: &Arc<Partner>,
    fault: &TreeFault,
    shown_by: Option<Jurisdiction>,
) {
    tracing::warn!(partner = %partner.code, %fault, "a partner's log does not verify");
    let TreeFault::Irreconcilable { checkpoint, .. } = fault else {
        return;
    };
    let Some(kind) = witness.evidence(partner, checkpoint, shown_by) else {
        return;
    };
    let Kind::EvidenceKept { first, second, .. } = &kind else {
        return;
    };
    let is_proof = first.0.size == second.0.size;
    let row = tables::evidence(partner.code, is_proof, checkpoint.root().as_bytes());
    let kept = log
        .propose(Proposal::new(move |txn| {
            txn.put(row, txn.size().to_be_bytes().to_vec())?;
            let entry = Entry {
                time: txn.now(),
                id: EntryId::new(txn.now()),
                cause: own_cause(own),
                kind,
            };
            txn.append(entry.encode())
        }))
        .await;
    match kept {
        Ok(index) => tracing::warn!(
            partner = %partner.code, index = *index,
            "evidence against the partner's log is kept; compare with others and call its auditor"
        ),
        Err(error) => tracing::error!(%error, "evidence could not be kept"),
    }
}

/// As [`keep`], of what others showed of a log that now shows itself otherwise.
pub(super) async fn keep_all(
    (log, own): (&Log, Jurisdiction),
    witness: &Witness,
    partner: &Arc<Partner>,
    contradicting: Vec<(Jurisdiction, SignedCheckpoint)>,
) {
    for (by, shown) in contradicting {
        let fault = TreeFault::Irreconcilable {
            verified: witness.tree(partner).size,
            checkpoint: Box::new(shown),
        };
        keep((log, own), witness, partner, &fault, Some(by)).await;
    }
}
