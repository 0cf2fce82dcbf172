//! Evidence against a partner: two checkpoints that it signed and that contradict each other, kept in our log.

use super::{Partner, TreeFault, Witness};
use crate::{
    domain::Jurisdiction,
    entry::{Cause, Entry, Kind},
    log::{Durable, Log, Proposal, TxnError},
    note::SignedCheckpoint,
    store::tables,
};
use std::sync::Arc;

/// Writes an irreconcilable checkpoint to the log as evidence. Other faults only cause a warning.
pub(super) async fn keep(
    (log, own): (&Log, Jurisdiction),
    witness: &Arc<Witness>,
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
    let (code, is_proof) = (partner.code, first.0.size == second.0.size);
    let root = *checkpoint.root().as_bytes();
    let keeping = Arc::clone(witness);
    let kept = log
        .propose(Proposal::new(move |txn| {
            if !keeping.wants(code, is_proof, &root) {
                return Ok(None);
            }
            let row = tables::evidence(code, is_proof, &root);
            txn.put(row, txn.size().to_be_bytes().to_vec())?;
            let entry = Entry::new(txn.now(), Cause::node(own), kind);
            let index = txn.append(entry.encode())?;
            // If its commit fails, the log is closed for everybody.
            keeping.kept(code, is_proof, root);
            Ok::<_, TxnError>(Some(index))
        }))
        .await;
    match kept.map(Durable::into_inner) {
        Ok(None) => {}
        Ok(Some(index)) => tracing::warn!(
            partner = %partner.code, index,
            "evidence against the partner's log is kept; compare with others and call its auditor"
        ),
        Err(error) => tracing::error!(%error, "evidence could not be kept"),
    }
}

/// As [`keep`], for checkpoints that others showed of a log that now shows itself differently.
pub(super) async fn keep_all(
    (log, own): (&Log, Jurisdiction),
    witness: &Arc<Witness>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Clock, Timestamp},
        exchange::Lane,
        log::LogOptions,
        merkle::leaf_hash,
        note::LogSigner,
        store::MemoryStore,
    };

    #[derive(Debug)]
    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_772_640_000_000)
        }
    }

    /// It counted as kept before its entry was, and was then not tried again until the next start.
    #[tokio::test]
    async fn regression_evidence_that_could_not_be_kept_is_kept_when_it_is_met_again() {
        let dir = tempfile::tempdir().unwrap();
        let open = |name: &str| {
            let signer = LogSigner::from_seed("520624.yichuan/log/1", &[7; 32]).unwrap();
            let options = LogOptions::new(signer, Arc::new(Still), dir.path().join(name));
            Log::open(Arc::new(MemoryStore::new()), options).unwrap()
        };
        let theirs = LogSigner::from_seed("440000.yichuan/log/1", &[8; 32]).unwrap();
        let [own, code] = ["520624", "440000"].map(|code| code.parse().unwrap());
        let partner = Arc::new(Partner {
            code,
            name: String::new(),
            endpoint: String::new(),
            key: theirs.verifier_key(),
            ca: Vec::new(),
            issued: (jiff::civil::date(2026, 3, 5), 0),
        });
        let [first, second] = [b"one", b"two"].map(|leaf| theirs.sign(1, leaf_hash(leaf)));
        let (closed, log) = (open("closed"), open("open"));
        let witness = Arc::new(Witness::load(&mut &log.reader()).unwrap());
        let number = witness.open(&partner, Lane::Deliveries).number;
        witness
            .take(&partner, Lane::Deliveries, number, &first, &[])
            .unwrap();
        let fault = TreeFault::Irreconcilable {
            verified: 1,
            checkpoint: Box::new(second),
        };
        closed.close().await;
        keep((&closed, own), &witness, &partner, &fault, None).await;
        assert_eq!(log.checkpoint().size(), 0);
        for _ in 0..2 {
            keep((&log, own), &witness, &partner, &fault, None).await;
            assert_eq!(log.checkpoint().size(), 1);
        }
        log.close().await;
    }
}
