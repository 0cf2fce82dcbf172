//! Checks that two logs agree on the dispatches between them.
//!
//! A dispatch leaves three traces: the sender's entry, the recipient's entry that holds it, and the sender's entry that
//! holds the recipient's proof. A [`Reconciler`] takes both logs in any order and forgets a dispatch when its three
//! traces agree. Its memory grows with the dispatches that are still open, and with the clocks' difference, not with
//! the logs. The roots that each log showed to the other are compared with both logs' trees: a log shown in two
//! versions is detected here.

mod difference;
mod feed;

pub use difference::{Difference, DifferenceCode, Flow, Reconciliation, Side};
pub use feed::feed;

use super::{CappedList, LeafTooLong, LogVerifier, NotALogKey, NotTheLog, log_owner};
use crate::{
    domain::{DispatchId, Jurisdiction},
    entry::{DispatchSent, Entry, Kind, PartnerProof, Received},
    merkle::{Hash, NodeReader, leaf_hash, root_at},
    note::{Checkpoint, SignedCheckpoint, VerifierKey},
};
use std::{collections::BTreeMap, fmt};

/// Two logs cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReconcileError {
    /// A leaf longer than any log holds.
    #[error(transparent)]
    Leaf(#[from] LeafTooLong),
    /// Tiles could not be read.
    #[error(
        "the tree of {origin} at size {size} could not be read from its export: verify the export, then try again"
    )]
    Tree {
        /// The log.
        origin: String,
        /// The size.
        size: u64,
    },
}

/// Compares two logs, leaf by leaf.
pub struct Reconciler<'a> {
    a: Log<'a>,
    b: Log<'a>,
    /// By sender and index there.
    open: BTreeMap<(Side, u64), Traces>,
    pending: CappedList<Difference>,
    differences: CappedList<Difference>,
}

impl fmt::Debug for Reconciler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconciler")
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}

struct Log<'a> {
    key: VerifierKey,
    code: Jurisdiction,
    leaves: LogVerifier,
    /// Entries that its export has.
    size: u64,
    root_at: Box<dyn Fn(u64) -> Option<Hash> + 'a>,
    /// The newest of its checkpoints that the other log holds and that was compared.
    compared: Option<(Checkpoint, [u8; 64])>,
    /// Its dispatches.
    flow: Flow,
    /// The last of its dispatches that the other log holds.
    last_kept: Option<u64>,
}

/// What is known of a dispatch until all three traces are there.
#[derive(Default)]
struct Traces {
    sent: Option<(DispatchId, Hash)>,
    kept: Option<Kept>,
    answered: Option<Answered>,
}

/// The recipient's entry.
#[derive(Clone, Copy)]
struct Kept {
    index: u64,
    leaf_hash: Hash,
    /// Hash of the dispatch that it holds; `None` if it was refused without being kept.
    sent_leaf: Option<Hash>,
    is_refusal: bool,
}

/// The recipient's entry as the sender holds it.
#[derive(Clone, Copy)]
struct Answered {
    index: u64,
    leaf_hash: Hash,
}

/// An export of a log, as an input of a reconciliation. The tree must be verified first, as
/// [`verify_export`](super::verify_export) does.
#[derive(Debug)]
pub struct ExportedLog<'a, R> {
    /// The log's verifier key, from another source than the export.
    pub key: &'a VerifierKey,
    /// The export's entries.
    pub size: u64,
    /// Its tiles.
    pub tree: &'a R,
}

impl<'a> Reconciler<'a> {
    /// Compares these two logs.
    ///
    /// # Errors
    /// A key is not named as a node's log key is.
    pub fn new<R: NodeReader, S: NodeReader>(
        a: &ExportedLog<'a, R>,
        b: &ExportedLog<'a, S>,
    ) -> Result<Self, NotALogKey> {
        Ok(Self {
            a: Log::new(a)?,
            b: Log::new(b)?,
            open: BTreeMap::new(),
            pending: CappedList::default(),
            differences: CappedList::default(),
        })
    }

    /// Takes the next leaf of one of the logs.
    ///
    /// # Errors
    /// Not a leaf of a log, or the other log's tree could not be read.
    pub fn push(&mut self, side: Side, leaf: &[u8]) -> Result<(), ReconcileError> {
        self.take(side, leaf, Entry::decode(leaf).ok())
    }

    fn take(
        &mut self,
        side: Side,
        leaf: &[u8],
        entry: Option<Entry>,
    ) -> Result<(), ReconcileError> {
        let log = self.log(side);
        let index = log.leaves.size();
        log.leaves.push(leaf)?;
        let Some(entry) = entry else {
            self.differ(DifferenceCode::Undecodable, side, index, None, None);
            return Ok(());
        };
        let partner = self.log(side.other()).code;
        match entry.kind {
            Kind::DispatchSent(sent) if sent.to == partner => self.sent(side, index, leaf, &sent),
            Kind::DispatchReceived(received) => self.kept(side, index, leaf, &received, false)?,
            Kind::DispatchRefused { received, .. } => {
                self.kept(side, index, leaf, &received, true)?;
            }
            Kind::ReceiptLogged {
                to,
                sent_index,
                proof,
                ..
            }
            | Kind::RefusalLogged {
                to,
                sent_index,
                proof,
                ..
            } if to == partner => self.answered(side, index, sent_index, &proof)?,
            Kind::LogStarted { .. }
            | Kind::PolicyChanged { .. }
            | Kind::PartnerProposed { .. }
            | Kind::PartnerApproved { .. }
            | Kind::PartnerSuspended { .. }
            | Kind::PartnerChangeDrafted { .. }
            | Kind::PartnerResumed { .. }
            | Kind::PartnerRemoved { .. }
            | Kind::DispatchSent(_)
            | Kind::ReceiptLogged { .. }
            | Kind::RefusalLogged { .. }
            | Kind::Consulted { .. }
            | Kind::EvidenceKept { .. }
            | Kind::ReferralDrafted(_)
            | Kind::ReferralApproved { .. }
            | Kind::RecordAssigned { .. }
            | Kind::QuotaReached(_)
            | Kind::AttemptRefused(_) => {}
        }
        Ok(())
    }

    /// The result of the comparison, once the leaves are proved to be the logs under these heads.
    ///
    /// # Errors
    /// A head is not signed by its log's key, or is of other leaves.
    pub fn finish(
        mut self,
        a: &SignedCheckpoint,
        b: &SignedCheckpoint,
    ) -> Result<Reconciliation, NotTheLog> {
        for (log, head) in [(&self.a, a), (&self.b, b)] {
            log.key
                .verify_signature(head.checkpoint(), head.signature())?;
            log.leaves.clone().finish(head)?;
        }
        for ((side, index), traces) in std::mem::take(&mut self.open) {
            self.leave_open(side, index, &traces);
        }
        Ok(Reconciliation {
            origins: [a.origin().to_owned(), b.origin().to_owned()],
            entries: [a.size(), b.size()],
            a_to_b: self.a.flow,
            b_to_a: self.b.flow,
            pending: self.pending,
            differences: self.differences,
        })
    }

    const fn log(&mut self, side: Side) -> &mut Log<'a> {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }

    fn sent(&mut self, side: Side, index: u64, leaf: &[u8], sent: &DispatchSent) {
        self.log(side).flow.sent += 1;
        let traces = self.open.entry((side, index)).or_default();
        traces.sent = Some((sent.dispatch_id, leaf_hash(leaf)));
        self.settle(side, index);
    }

    /// Takes an entry of `side` that holds a dispatch, if that is from the other log.
    fn kept(
        &mut self,
        side: Side,
        index: u64,
        leaf: &[u8],
        received: &Received,
        is_refusal: bool,
    ) -> Result<(), ReconcileError> {
        let sender = side.other();
        if received.checkpoint.origin != self.log(sender).key.name() {
            return Ok(());
        }
        self.compare(side, index, &received.checkpoint, &received.signature)?;
        let sent_leaf = (!received.sender_entry.is_empty()).then(|| received.leaf_hash());
        let sent_index = received.sender_index;
        let log = self.log(sender);
        log.last_kept = log.last_kept.max(Some(sent_index));
        let kept = Kept {
            index,
            leaf_hash: leaf_hash(leaf),
            sent_leaf,
            is_refusal,
        };
        let traces = self.open.entry((sender, sent_index)).or_default();
        if traces.kept.is_some() {
            let id = traces.sent.map(|(id, _)| id);
            self.differ(
                DifferenceCode::KeptTwice,
                sender,
                sent_index,
                Some(index),
                id,
            );
            return Ok(());
        }
        traces.kept = Some(kept);
        self.settle(sender, sent_index);
        Ok(())
    }

    /// Takes an entry of `side` that holds the other log's answer to a dispatch of `side`.
    fn answered(
        &mut self,
        side: Side,
        held_at: u64,
        sent_index: u64,
        proof: &PartnerProof,
    ) -> Result<(), ReconcileError> {
        self.compare(side, held_at, &proof.checkpoint, &proof.signature)?;
        let answered = Answered {
            index: proof.partner_index,
            leaf_hash: leaf_hash(&proof.partner_entry),
        };
        let traces = self.open.entry((side, sent_index)).or_default();
        if traces.answered.is_some() {
            self.differ(
                DifferenceCode::AnswerToNothing,
                side,
                sent_index,
                Some(proof.partner_index),
                None,
            );
            return Ok(());
        }
        traces.answered = Some(answered);
        self.settle(side, sent_index);
        Ok(())
    }

    /// Compares a checkpoint of the other log, which `holder` holds at this entry, with the auditor's tree of that log.
    /// One beyond its export cannot be compared; the dispatch that it is about is then reported as pending.
    fn compare(
        &mut self,
        holder: Side,
        held_at: u64,
        checkpoint: &Checkpoint,
        signature: &[u8; 64],
    ) -> Result<(), ReconcileError> {
        let signer = self.log(holder.other());
        if signer
            .compared
            .as_ref()
            .is_some_and(|(known, by)| (known, by) == (checkpoint, signature))
        {
            return Ok(());
        }
        let code = if signer.key.verify_signature(checkpoint, signature).is_err() {
            DifferenceCode::Signature
        } else if checkpoint.size > signer.size {
            return Ok(());
        } else {
            let root = (signer.root_at)(checkpoint.size).ok_or_else(|| ReconcileError::Tree {
                origin: checkpoint.origin.clone(),
                size: checkpoint.size,
            })?;
            if root == checkpoint.root {
                signer.compared = Some((checkpoint.clone(), *signature));
                return Ok(());
            }
            DifferenceCode::TwoVersions
        };
        let size = Some(checkpoint.size);
        self.differ(code, holder, held_at, size, None);
        Ok(())
    }

    fn differ(
        &mut self,
        code: DifferenceCode,
        side: Side,
        index: u64,
        other_index: Option<u64>,
        dispatch_id: Option<DispatchId>,
    ) {
        let difference = Difference {
            code,
            what: code.meaning(),
            from: self.log(side).code,
            index,
            other_index,
            dispatch_id: dispatch_id.map(|id| id.to_string()),
        };
        if code.is_pending() {
            self.pending.push(difference);
        } else {
            self.differences.push(difference);
        }
    }

    /// Compares and forgets a dispatch with all its traces.
    fn settle(&mut self, sender: Side, index: u64) {
        let Some(Traces {
            sent: Some((id, leaf)),
            kept: Some(kept),
            answered: Some(answered),
        }) = self.open.get(&(sender, index))
        else {
            return;
        };
        let (id, leaf, kept, answered) = (*id, *leaf, *kept, *answered);
        self.open.remove(&(sender, index));
        if kept.sent_leaf.is_some_and(|held| held != leaf) {
            self.differ(
                DifferenceCode::OtherLeaf,
                sender,
                index,
                Some(kept.index),
                Some(id),
            );
        } else if (answered.index, answered.leaf_hash) != (kept.index, kept.leaf_hash) {
            self.differ(
                DifferenceCode::OtherAnswer,
                sender,
                index,
                Some(kept.index),
                Some(id),
            );
        } else {
            let flow = &mut self.log(sender).flow;
            if kept.is_refusal {
                flow.refused += 1;
            } else {
                flow.received += 1;
            }
        }
    }

    /// Reports a dispatch of which a trace is missing at the end.
    fn leave_open(&mut self, sender: Side, index: u64, traces: &Traces) {
        use DifferenceCode as D;
        let (sender_size, recipient_size) = (
            self.log(sender).leaves.size(),
            self.log(sender.other()).leaves.size(),
        );
        let overtaken = self.log(sender).last_kept.is_some_and(|last| last > index);
        let id = traces.sent.map(|(id, _)| id);
        let (code, other_index) = match (&traces.sent, &traces.kept, &traces.answered) {
            (None, kept, answered) => {
                if let Some(kept) = kept {
                    let beyond = index >= sender_size;
                    let code = if beyond {
                        D::ExportTooOld
                    } else {
                        D::NeverSent
                    };
                    self.differ(code, sender, index, Some(kept.index), id);
                }
                if let Some(answered) = answered {
                    self.differ(D::AnswerToNothing, sender, index, Some(answered.index), id);
                }
                return;
            }
            (Some((_, leaf)), Some(kept), _)
                if kept.sent_leaf.is_some_and(|held| held != *leaf) =>
            {
                (D::OtherLeaf, Some(kept.index))
            }
            // With an answer too it would be complete.
            (Some(_), Some(kept), _) => (D::ReceiptInFlight, Some(kept.index)),
            (Some(_), None, Some(answered)) if answered.index >= recipient_size => {
                (D::ExportTooOld, Some(answered.index))
            }
            (Some(_), None, Some(answered)) => (D::NotKept, Some(answered.index)),
            (Some(_), None, None) if overtaken => (D::Overtaken, None),
            (Some(_), None, None) => (D::InFlight, None),
        };
        self.differ(code, sender, index, other_index, id);
    }
}

impl<'a> Log<'a> {
    fn new<R: NodeReader>(export: &ExportedLog<'a, R>) -> Result<Self, NotALogKey> {
        let tree = export.tree;
        Ok(Self {
            key: export.key.clone(),
            code: log_owner(export.key)?,
            leaves: LogVerifier::new(),
            size: export.size,
            root_at: Box::new(move |size| root_at(tree, size).ok()),
            compared: None,
            flow: Flow::default(),
            last_kept: None,
        })
    }
}
