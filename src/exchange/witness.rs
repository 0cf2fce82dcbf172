//! Witnessing: the newest checkpoint of each partner that this node verified. A partner's log may only grow from there.

use super::{Directory, Partner, RowError, Rows, Tree, TreeFault};
use crate::{
    domain::Jurisdiction,
    log::{Txn, TxnError},
    merkle,
    note::{Checkpoint, SignedCheckpoint},
    record::{Cause, EntryDefect, Kind, checkpoint_from_bytes, checkpoint_to_bytes},
    store::tables,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// Evidence entries kept against one partner, however often the node starts. More of the same proves nothing new.
const EVIDENCE_PER_PARTNER: usize = 8;

/// A partner's newest verified checkpoint, with its signature.
pub type Witnessed = (Checkpoint, [u8; 64]);

/// The newest verified checkpoints of all partners.
#[derive(Debug)]
pub struct Witness {
    newest: Mutex<BTreeMap<Jurisdiction, Witnessed>>,
    evidence: Mutex<BTreeMap<Jurisdiction, BTreeSet<[u8; 32]>>>,
}

/// The witness rows cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// The store failed.
    #[error(transparent)]
    Row(#[from] RowError),
    /// A row is damaged.
    #[error("the witness row of {partner} is damaged: {defect}")]
    Damaged {
        /// Whose.
        partner: Jurisdiction,
        /// What is wrong.
        defect: EntryDefect,
    },
}

impl Witness {
    /// Reads the rows of these partners.
    ///
    /// # Errors
    /// The store failed, or a row is damaged.
    pub fn load(
        rows: &mut dyn Rows,
        partners: impl IntoIterator<Item = Jurisdiction>,
    ) -> Result<Self, WitnessError> {
        let (mut newest, mut evidence) = (BTreeMap::new(), BTreeMap::new());
        for partner in partners {
            let (first, last) = (
                tables::evidence(partner, &[0; 32]),
                tables::evidence(partner, &[0xff; 32]),
            );
            let kept = rows.rows(&first, &last, EVIDENCE_PER_PARTNER)?;
            let roots = kept
                .iter()
                .filter_map(|(key, _)| tables::evidence_root(key));
            evidence.insert(partner, roots.collect());
            if let Some(bytes) = rows.row(&tables::witness(partner))? {
                let row = checkpoint_from_bytes(&bytes)
                    .map_err(|defect| WitnessError::Damaged { partner, defect })?;
                newest.insert(partner, row);
            }
        }
        Ok(Self {
            newest: Mutex::new(newest),
            evidence: Mutex::new(evidence),
        })
    }

    /// A partner's tree verified last; the empty tree where there is none.
    pub fn tree(&self, partner: &Partner) -> Tree {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        match newest.get(&partner.code) {
            Some((checkpoint, _)) if checkpoint.origin == partner.key.name() => Tree {
                origin: checkpoint.origin.clone(),
                size: checkpoint.size,
                root: checkpoint.root,
            },
            Some(_) | None => Tree {
                origin: partner.key.name().to_owned(),
                size: 0,
                root: merkle::empty_root(),
            },
        }
    }

    /// A partner's newest verified checkpoint.
    pub fn newest(&self, partner: Jurisdiction) -> Option<Witnessed> {
        self.newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&partner)
            .cloned()
    }

    /// All of them but one's, as signed notes to show to that one.
    pub fn notes_for(&self, directory: &Directory, other: Jurisdiction) -> Vec<Vec<u8>> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest
            .iter()
            .filter(|(code, _)| **code != other)
            .filter_map(|(code, (checkpoint, signature))| {
                let partner = directory.get(*code)?;
                let signed = partner.key.verify_parts(checkpoint, signature).ok()?;
                Some(signed.note().as_bytes().to_vec())
            })
            .take(super::WITNESSED_LIMIT)
            .collect()
    }

    /// Takes a verified checkpoint as the newest, in the commit that rests on it. An older one changes nothing.
    ///
    /// # Errors
    /// The transaction refused.
    pub fn advance(
        &self,
        txn: &mut Txn<'_>,
        partner: Jurisdiction,
        signed: &SignedCheckpoint,
    ) -> Result<(), TxnError> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let checkpoint = signed.checkpoint();
        let newer = newest.get(&partner).is_none_or(|(known, _)| {
            known.origin != checkpoint.origin || known.size < checkpoint.size
        });
        if newer {
            txn.put(tables::witness(partner), checkpoint_to_bytes(signed))?;
            newest.insert(partner, (checkpoint.clone(), *signed.signature()));
        }
        Ok(())
    }

    /// Compares a partner's checkpoint, verified on its own terms, with the one verified last: another stream or another
    /// partner may have shown that.
    ///
    /// # Errors
    /// Two signed trees of one size and two roots: the log is shown in two versions.
    pub fn compare(&self, partner: &Partner, shown: &SignedCheckpoint) -> Result<(), TreeFault> {
        let tree = self.tree(partner);
        let forked = shown.checkpoint().origin == tree.origin
            && shown.size() == tree.size
            && *shown.root() != tree.root;
        if forked {
            return Err(TreeFault::Irreconcilable {
                verified: tree.size,
                checkpoint: Box::new(shown.clone()),
            });
        }
        Ok(())
    }

    /// The entry that keeps an irreconcilable checkpoint as evidence; nothing where it is kept already, or where enough
    /// is.
    pub fn evidence(
        &self,
        partner: &Arc<Partner>,
        second: &SignedCheckpoint,
        shown_by: Option<Jurisdiction>,
    ) -> Option<Kind> {
        // The same head twice contradicts nothing, nor does the head of an earlier log.
        let first = self.newest(partner.code).filter(|(first, _)| {
            let second = second.checkpoint();
            first.origin == second.origin && first != second
        })?;
        let mut evidence = self.evidence.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = evidence.entry(partner.code).or_default();
        let fresh = kept.len() < EVIDENCE_PER_PARTNER && kept.insert(*second.root().as_bytes());
        fresh.then(|| Kind::EvidenceKept {
            jurisdiction: partner.code,
            first,
            second: (second.checkpoint().clone(), *second.signature()),
            shown_by,
        })
    }
}

/// The node itself as a cause.
pub(super) fn own_cause(own: Jurisdiction) -> Cause {
    Cause {
        principal: crate::access::Principal::node(own),
        grounds: None,
    }
}
