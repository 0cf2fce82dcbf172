//! The witness: the newest checkpoint that this node verified of each log of each partner. From there a log may only
//! grow.
//!
//! What was verified is kept by partner and origin, and never deleted: neither a new card nor the removal of a partner
//! makes a node forget it.

use super::{
    Directory, Lane, Link, Partner, RowError, Rows, Tree, TreeFault, chain::TreeChain,
    verify::verify_links,
};
use crate::{
    domain::Jurisdiction,
    entry::{EntryDefect, Kind, checkpoint_from_bytes, checkpoint_to_bytes},
    log::{Txn, TxnError},
    merkle,
    note::{Checkpoint, SignedCheckpoint},
    store::tables,
};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many evidence entries of one sort are kept against one partner, however often the node starts. More of the same
/// prove nothing new.
const EVIDENCE_PER_SORT: usize = 8;

/// A partner's newest verified checkpoint, with its signature.
pub type Witnessed = (Checkpoint, [u8; 64]);

/// What this node has seen of all partners' logs.
#[derive(Debug)]
pub struct Witness {
    seen: Mutex<BTreeMap<Jurisdiction, Logs>>,
    evidence: Mutex<BTreeMap<Jurisdiction, Kept>>,
}

/// What this node has seen of the logs of one partner, by origin. There is one, apart from those that a later card
/// abandoned.
type Logs = BTreeMap<String, Seen>;

/// Which evidence is kept against one partner, by the root that contradicts.
#[derive(Debug, Default)]
struct Kept {
    /// Two roots at one size, which cannot be explained away.
    proofs: BTreeSet<[u8; 32]>,
    /// Two checkpoints of different sizes, which are evidence only together with a proof that was asked for. The
    /// partner can make any number of them, so they are limited separately.
    claims: BTreeSet<[u8; 32]>,
}

impl Kept {
    fn sort(&mut self, is_proof: bool) -> &mut BTreeSet<[u8; 32]> {
        if is_proof {
            &mut self.proofs
        } else {
            &mut self.claims
        }
    }
}

/// Rows read at once.
const CHUNK: usize = 256;

/// What this node has seen of one log.
#[derive(Debug, Default)]
struct Seen {
    chain: TreeChain,
    /// Size of the tree in the store.
    stored: Option<u64>,
    /// The newest checkpoint of it that each other partner showed, until it is proved to be part of the chain.
    gossip: BTreeMap<Jurisdiction, SignedCheckpoint>,
}

/// A stream of a partner, as it opens.
#[derive(Debug)]
pub struct Opening {
    /// The tree that it starts from.
    pub tree: Tree,
    /// Its checkpoint, a note as the partner signed it; empty if there is none.
    pub note: Vec<u8>,
    /// Distinguishes it from earlier ones.
    pub number: u64,
    /// Checkpoints that others showed, and who: the first tree that the partner shows must be linked to them.
    pub asked: Vec<(Jurisdiction, SignedCheckpoint)>,
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
        /// The partner concerned.
        partner: Jurisdiction,
        /// What is wrong.
        defect: EntryDefect,
    },
}

impl Witness {
    /// Reads the rows of everybody who ever was a partner: one that returns is known.
    ///
    /// # Errors
    /// The store failed, or a row is damaged.
    pub fn load(rows: &mut dyn Rows) -> Result<Self, WitnessError> {
        let mut seen: BTreeMap<_, Logs> = BTreeMap::new();
        let mut evidence: BTreeMap<_, Kept> = BTreeMap::new();
        each(rows, tables::EVIDENCE.range(), |key, _| {
            let root = tables::evidence_root(key);
            if let Some((code, root)) = tables::partner_code(key).zip(root) {
                let kept = evidence.entry(code).or_default();
                kept.sort(tables::evidence_is_proof(key)).insert(root);
            }
            Ok(())
        })?;
        each(rows, tables::WITNESS.range(), |key, bytes| {
            let Some(partner) = tables::partner_code(key) else {
                return Ok(());
            };
            let (checkpoint, signature) = checkpoint_from_bytes(bytes)
                .map_err(|defect| WitnessError::Damaged { partner, defect })?;
            let (origin, size) = (checkpoint.origin.clone(), checkpoint.size);
            let known = seen.entry(partner).or_default().entry(origin).or_default();
            // There is also the row from before the key had an origin, which stayed as it was.
            if known.stored.is_none_or(|stored| stored < size) {
                known.stored = Some(size);
                known.chain = TreeChain::starting_at((checkpoint, signature));
            }
            Ok(())
        })?;
        Ok(Self {
            seen: Mutex::new(seen),
            evidence: Mutex::new(evidence),
        })
    }

    /// The newest verified checkpoint of one log of a partner, as stored.
    ///
    /// # Errors
    /// The store failed, or the row is damaged.
    pub fn stored(
        rows: &mut dyn Rows,
        partner: Jurisdiction,
        origin: &str,
    ) -> Result<Option<Witnessed>, WitnessError> {
        let mut newest: Option<Witnessed> = None;
        // An empty origin makes the key of the time before it had one.
        for key in ["", origin].map(|origin| tables::witness(partner, origin)) {
            let Some(bytes) = rows.row(&key)? else {
                continue;
            };
            let found = checkpoint_from_bytes(&bytes)
                .map_err(|defect| WitnessError::Damaged { partner, defect })?;
            let is_newer = newest.as_ref().is_none_or(|(it, _)| it.size < found.0.size);
            if found.0.origin == origin && is_newer {
                newest = Some(found);
            }
        }
        Ok(newest)
    }

    /// A partner's tree that was verified last, on either stream; the empty tree if there is none.
    pub fn tree(&self, partner: &Partner) -> Tree {
        let all = self.seen();
        tree_of(seen_of(&all, partner), partner)
    }

    /// Opens a stream on which a partner shows its log. It starts from the tree verified last.
    pub fn open(&self, partner: &Partner, lane: Lane) -> Opening {
        let mut all = self.seen();
        let seen = seen_mut(&mut all, partner);
        let name = partner.key.name();
        Opening {
            number: seen.chain.open(lane, name),
            tree: tree_of(Some(seen), partner),
            note: seen
                .chain
                .newest()
                .map_or_else(Vec::new, |newest| note(partner, newest)),
            asked: seen
                .gossip
                .iter()
                .filter(|(_, shown)| shown.origin() == name)
                .take(super::WITNESSED_LIMIT)
                .map(|(by, shown)| (*by, shown.clone()))
                .collect(),
        }
    }

    /// Accepts a checkpoint that continues what its stream showed before, if it agrees with what else was verified of
    /// this log. From then on other trees are compared with it.
    ///
    /// # Errors
    /// It contradicts that, or is not proved to agree: the stream must be closed.
    pub fn take(
        &self,
        partner: &Partner,
        lane: Lane,
        number: u64,
        signed: &SignedCheckpoint,
        links: &[Link],
    ) -> Result<(), TreeFault> {
        verify_links(signed, links)?;
        let mut all = self.seen();
        let seen = seen_mut(&mut all, partner);
        seen.chain.take(lane, number, signed, links)
    }

    /// Compares what a partner showed first on a stream with what others showed of its log. Returns the checkpoints
    /// that contradict it, and who showed them.
    ///
    /// # Errors
    /// It is not proved either way, though it was asked for: the stream must be closed.
    pub fn compare_asked(
        &self,
        partner: &Partner,
        asked: Vec<(Jurisdiction, SignedCheckpoint)>,
        signed: &SignedCheckpoint,
        links: &[Link],
    ) -> Result<Vec<(Jurisdiction, SignedCheckpoint)>, TreeFault> {
        let mut contradicting = Vec::new();
        for (by, shown) in asked {
            let proved = match shown.size().cmp(&signed.size()) {
                // It signed a larger tree before than now.
                Ordering::Greater => None,
                Ordering::Equal => Some(*signed.root()),
                Ordering::Less => {
                    let link = links.iter().find(|link| link.size == shown.size());
                    let unlinked = TreeFault::Unlinked {
                        claimed: signed.size(),
                        verified: shown.size(),
                    };
                    Some(link.ok_or(unlinked)?.root)
                }
            };
            let mut all = self.seen();
            let gossip = &mut seen_mut(&mut all, partner).gossip;
            if gossip.get(&by).is_some_and(|newest| *newest == shown) {
                gossip.remove(&by);
            }
            if proved != Some(*shown.root()) {
                contradicting.push((by, shown));
            }
        }
        Ok(contradicting)
    }

    /// The newest verified checkpoint of the log that a partner's card names.
    pub fn newest(&self, partner: &Partner) -> Option<Witnessed> {
        seen_of(&self.seen(), partner)?.chain.newest().cloned()
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<Jurisdiction, Logs>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest checkpoints of all partners but one, as signed notes to show to that one; and what others showed of
    /// its own log, which it may have lost.
    pub fn notes_for(&self, directory: &Directory, other: Jurisdiction) -> Vec<Vec<u8>> {
        let all = self.seen();
        let of_its_own = all.get(&other).into_iter().flat_map(|logs| {
            let shown = logs.values().flat_map(|seen| seen.gossip.values());
            shown.map(|shown| shown.note().as_bytes().to_vec())
        });
        let of_others = all
            .iter()
            .filter(|(code, _)| **code != other)
            .filter_map(|(code, logs)| {
                let partner = directory.get(*code)?;
                let newest = logs.get(partner.key.name())?.chain.newest()?;
                Some(note(&partner, newest))
            })
            .filter(|note| !note.is_empty());
        of_its_own
            .chain(of_others)
            .take(super::WITNESSED_LIMIT)
            .collect()
    }

    /// How much evidence is kept against a partner's log: proofs, and claims that need a proof that was asked for.
    pub fn evidence_against(&self, partner: Jurisdiction) -> usize {
        let evidence = self.evidence.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = evidence.get(&partner);
        kept.map_or(0, |kept| kept.proofs.len() + kept.claims.len())
    }

    /// Stores an accepted checkpoint, in the commit that rests on it. An older one changes nothing.
    ///
    /// # Errors
    /// The transaction refused.
    pub fn advance(
        &self,
        txn: &mut Txn<'_>,
        partner: Jurisdiction,
        signed: &SignedCheckpoint,
    ) -> Result<(), TxnError> {
        let mut all = self.seen();
        let logs = all.entry(partner).or_default();
        let stored = &mut logs.entry(signed.origin().to_owned()).or_default().stored;
        if stored.is_none_or(|size| size < signed.size()) {
            let row = tables::witness(partner, signed.origin());
            txn.put(row, checkpoint_to_bytes(signed))?;
            *stored = Some(signed.size());
        }
        Ok(())
    }

    /// Compares a partner's checkpoint that another partner showed with the one verified last. If the sizes differ, the
    /// partner is asked for a proof when its next stream opens.
    ///
    /// # Errors
    /// Two signed trees of one size and two roots: the log is shown in two versions.
    pub fn compare(
        &self,
        partner: &Partner,
        shown: &SignedCheckpoint,
        by: Jurisdiction,
    ) -> Result<(), TreeFault> {
        let mut all = self.seen();
        let seen = seen_mut(&mut all, partner);
        let tree = tree_of(Some(seen), partner);
        // The empty tree is part of every log.
        if shown.origin() != tree.origin || shown.size() == 0 {
            return Ok(());
        }
        if shown.size() != tree.size {
            seen.gossip.insert(by, shown.clone());
            return Ok(());
        }
        if *shown.root() != tree.root {
            return Err(TreeFault::Irreconcilable {
                verified: tree.size,
                checkpoint: Box::new(shown.clone()),
            });
        }
        Ok(())
    }

    /// The entry that would keep an irreconcilable checkpoint as evidence; `None` if it is kept already, or if enough
    /// evidence is.
    pub fn evidence(
        &self,
        partner: &Arc<Partner>,
        second: &SignedCheckpoint,
        shown_by: Option<Jurisdiction>,
    ) -> Option<Kind> {
        // The same checkpoint twice contradicts nothing, nor does one of an earlier log.
        let first = self.newest(partner).filter(|(first, _)| {
            let second = second.checkpoint();
            first.origin == second.origin && first != second
        })?;
        let is_proof = first.0.size == second.size();
        let wanted = self.wants(partner.code, is_proof, second.root().as_bytes());
        wanted.then(|| Kind::EvidenceKept {
            jurisdiction: partner.code,
            first,
            second: (second.checkpoint().clone(), *second.signature()),
            shown_by,
        })
    }

    /// Whether there is room for this evidence, and it is not kept yet. Asked again in the transaction that keeps it:
    /// more than one stream may find the same.
    pub(super) fn wants(&self, partner: Jurisdiction, is_proof: bool, root: &[u8; 32]) -> bool {
        let mut evidence = self.evidence.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = evidence.entry(partner).or_default().sort(is_proof);
        kept.len() < EVIDENCE_PER_SORT && !kept.contains(root)
    }

    /// Notes that its entry is in the log. Not before: otherwise evidence whose write failed would never be kept.
    pub(super) fn kept(&self, partner: Jurisdiction, is_proof: bool, root: [u8; 32]) {
        let mut evidence = self.evidence.lock().unwrap_or_else(PoisonError::into_inner);
        evidence
            .entry(partner)
            .or_default()
            .sort(is_proof)
            .insert(root);
    }
}

/// Visits all rows of a family.
fn each(
    rows: &mut dyn Rows,
    (from, to): ([u8; 1], [u8; 1]),
    mut show: impl FnMut(&[u8], &[u8]) -> Result<(), WitnessError>,
) -> Result<(), WitnessError> {
    let mut from = from.to_vec();
    loop {
        let chunk = rows.rows(&from, &to, CHUNK)?;
        let Some((last, _)) = chunk.last() else {
            return Ok(());
        };
        // The first key after the last one.
        from = [last.as_slice(), &[0]].concat();
        for (key, value) in &chunk {
            show(key, value)?;
        }
    }
}

fn seen_of<'a>(all: &'a BTreeMap<Jurisdiction, Logs>, partner: &Partner) -> Option<&'a Seen> {
    all.get(&partner.code)?.get(partner.key.name())
}

fn seen_mut<'a>(all: &'a mut BTreeMap<Jurisdiction, Logs>, partner: &Partner) -> &'a mut Seen {
    let logs = all.entry(partner.code).or_default();
    logs.entry(partner.key.name().to_owned()).or_default()
}

/// A partner's checkpoint as it signed it; empty if it is of an earlier log or key.
fn note(partner: &Partner, (checkpoint, signature): &Witnessed) -> Vec<u8> {
    let signed = partner.key.verify_parts(checkpoint, signature);
    signed.map_or_else(|_| Vec::new(), |signed| signed.note().as_bytes().to_vec())
}

fn tree_of(seen: Option<&Seen>, partner: &Partner) -> Tree {
    let newest = seen.and_then(|seen| seen.chain.newest());
    let origin = partner.key.name().to_owned();
    let (size, root) = newest
        .filter(|(newest, _)| newest.origin == origin)
        .map_or((0, merkle::empty_root()), |(newest, _)| {
            (newest.size, newest.root)
        });
    Tree { origin, size, root }
}
