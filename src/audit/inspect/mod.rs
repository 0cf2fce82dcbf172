//! Checks that a log is consistent in itself: who may have caused each entry, whose partners sign, and that every proof
//! inside it proves what it is kept for.
//!
//! An [`Inspector`] takes the leaves from the first on, and asks nothing of the node. It reports the first defect of
//! each dispatch. Memory grows with the dispatches not yet answered and the transfers not yet approved (some 100 and
//! 300 bytes each), and with partners and people; not with the log.
//!
//! One log alone cannot show that a partner's other checkpoints continue each other, nor what the partner's log says
//! now. [`Reconciler`](super::Reconciler) checks that.

mod answers;
mod arrivals;
mod causes;
mod defect;
mod partners;
mod referrals;
mod report;
mod roots;

pub use defect::{Defect, DefectCode, Remark, RemarkCode};
pub use report::{ConsultationCount, Evidence, Inspection, Unanswered};

use super::{
    LeafTooLong, Mismatch, NotALogKey, log_owner, reading::is_of_a_newer_program, row::KindName,
};
use crate::{
    casework::CardReader,
    domain::{DispatchId, Jurisdiction, Timestamp},
    entry::{Cause, DISPATCH_LEAF_LIMIT, DispatchSent, Entry, Kind, PartnerChange},
    merkle::{Hash, NodeReader, leaf_hash, root_at},
    note::{Checkpoint, NoteError, SignedCheckpoint, VerifierKey},
};
use defect::{Fault, Findings};
use partners::PartnerTracker;
use referrals::TransferTracker;
use report::Tally;
use roots::Roots;
use std::collections::BTreeMap;

/// The longest entry about a dispatch, in bytes.
const DISPATCH_ENTRY_LIMIT: usize = 4 * 1024;

/// What the auditor knows from sources other than the log.
#[derive(Clone, Debug)]
pub struct Trusted {
    /// The log's verifier key.
    pub key: VerifierKey,
    /// Keys of partners' logs, if the auditor has them: they take precedence over what the log says about these
    /// partners. A key that was replaced by a newer one also counts.
    pub partners: Vec<VerifierKey>,
}

/// The leaves do not match the head, so there is nothing to report on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTheLog {
    /// The log's key did not sign the head.
    #[error("the checkpoint is not signed by the log's key: {0}")]
    Head(#[from] NoteError),
    /// The leaves are not those for which the head was signed.
    #[error(transparent)]
    Leaves(#[from] Mismatch),
}

/// Inspects a log, leaf by leaf.
#[derive(Debug)]
pub struct Inspector<'a> {
    key: VerifierKey,
    own: Jurisdiction,
    roots: Roots<'a>,
    partners: PartnerTracker<'a>,
    transfers: TransferTracker,
    /// Dispatches without a proof of their answer, by index.
    unanswered: BTreeMap<u64, Sent>,
    last_time: Timestamp,
    /// Our checkpoint in partners' entries that was verified last.
    own_checkpoint: Option<(Checkpoint, [u8; 64])>,
    findings: Findings,
    tally: Tally,
}

/// A dispatch of this log that waits for its answer.
#[derive(Debug)]
struct Sent {
    dispatch_id: DispatchId,
    to: Jurisdiction,
    leaf_hash: Hash,
    /// Over the limit, so that a refusal need not repeat it.
    is_too_long: bool,
    time: Timestamp,
}

impl<'a> Inspector<'a> {
    /// Inspects the log with this key.
    ///
    /// # Errors
    /// A key is not named as a node's log key is.
    pub fn new(trusted: Trusted, cards: &'a dyn CardReader) -> Result<Self, NotALogKey> {
        let own = log_owner(&trusted.key)?;
        let mut pinned: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for key in trusted.partners {
            pinned.entry(log_owner(&key)?).or_default().push(key);
        }
        Ok(Self {
            key: trusted.key,
            own,
            roots: Roots::new(),
            partners: PartnerTracker::new(own, pinned, cards),
            transfers: TransferTracker::default(),
            unanswered: BTreeMap::new(),
            last_time: Timestamp::default(),
            own_checkpoint: None,
            findings: Findings::default(),
            tally: Tally::default(),
        })
    }

    /// Lets it look up roots of much older sizes. Without this, an answer that came more than 65,536 entries after the
    /// checkpoint that it is about is reported as not compared.
    ///
    /// The tiles must be those of this log: check an export with [`verify_export`](super::verify_export) first.
    #[must_use]
    pub fn with_tree(mut self, tree: &'a impl NodeReader) -> Self {
        self.roots
            .ask_tiles(Box::new(|size| root_at(tree, size).ok()));
        self
    }

    /// Entries so far.
    pub const fn size(&self) -> u64 {
        self.roots.size()
    }

    /// Takes the next leaf.
    ///
    /// # Errors
    /// Longer than any leaf of a log.
    pub fn push(&mut self, leaf: &[u8]) -> Result<(), LeafTooLong> {
        let index = self.size();
        let decoded = Entry::decode(leaf);
        self.expect_transfer(decoded.as_ref().ok().map(|entry| &entry.kind));
        match decoded {
            Ok(entry) => self.entry(index, leaf, entry),
            Err(defect) if is_of_a_newer_program(&defect) => {
                self.tally.unknown += 1;
                self.findings.remark(index, RemarkCode::NewerProgram);
            }
            Err(defect) => {
                let undecodable: Result<(), _> = Err(DefectCode::Undecodable.with(defect));
                self.report(index, undecodable);
            }
        }
        // An entry cannot refer to a tree that already contains it.
        self.roots.push(leaf)
    }

    /// The report, once the leaves are proved to be the log under this head.
    ///
    /// # Errors
    /// The head is not signed by the log's key, or is of other leaves.
    pub fn finish(mut self, head: &SignedCheckpoint) -> Result<Inspection, NotTheLog> {
        self.key
            .verify_signature(head.checkpoint(), head.signature())?;
        self.expect_transfer(None);
        if self.size() == 0 {
            let start: Result<(), _> = Err(DefectCode::Start.with("there is no entry"));
            self.report(0, start);
        }
        self.tally.keys_from_log = self.partners.keys_from_log();
        let log = self.roots.into_log().finish(head)?;
        let unanswered = self
            .unanswered
            .into_iter()
            .map(|(index, sent)| Unanswered::new(index, sent.time, sent.to, sent.dispatch_id));
        Ok(self.tally.report(&log, unanswered, self.findings))
    }

    fn report<T>(&mut self, index: u64, checked: Result<T, Fault>) -> Option<T> {
        self.findings.take(index, checked)
    }

    fn entry(&mut self, index: u64, leaf: &[u8], entry: Entry) {
        let Entry {
            time, cause, kind, ..
        } = entry;
        self.tally.count(KindName::of(&kind));
        let in_order = self.check_time(time);
        self.report(index, in_order);
        let start = self.check_start(index, &kind);
        self.report(index, start);
        let caused = causes::check(&cause, &kind, self.own, &self.partners);
        self.report(index, caused);
        let fits = check_length(leaf, &kind);
        self.report(index, fits);
        self.kind(index, leaf, time, &cause, kind);
    }

    fn kind(&mut self, index: u64, leaf: &[u8], time: Timestamp, cause: &Cause, kind: Kind) {
        match kind {
            Kind::LogStarted { .. }
            | Kind::PolicyChanged { .. }
            | Kind::RecordAssigned { .. }
            | Kind::QuotaReached(_)
            | Kind::AttemptRefused(_) => {}
            Kind::PartnerProposed { card } => {
                let read = self.partners.propose(&card, &cause.principal);
                self.report(index, read);
            }
            Kind::PartnerApproved {
                jurisdiction,
                card_sha256,
                abandoned,
            } => {
                let card = (&card_sha256, abandoned.as_ref());
                let approved = self.partners.approve(jurisdiction, card, &cause.principal);
                self.report(index, approved);
            }
            Kind::PartnerSuspended { jurisdiction } => {
                let suspended = self.partners.suspend(jurisdiction, &cause.principal);
                self.report(index, suspended);
            }
            Kind::PartnerChangeDrafted {
                jurisdiction,
                change,
            } => {
                let draft = (change, leaf_hash(leaf));
                let drafted = self
                    .partners
                    .draft_change(jurisdiction, draft, &cause.principal);
                self.report(index, drafted);
            }
            Kind::PartnerResumed {
                jurisdiction,
                draft,
            } => {
                let draft = (PartnerChange::Resume, draft);
                let resumed = self.partners.change(jurisdiction, draft, &cause.principal);
                self.report(index, resumed);
            }
            Kind::PartnerRemoved {
                jurisdiction,
                draft,
            } => {
                let draft = (PartnerChange::Remove, draft);
                let removed = self.partners.change(jurisdiction, draft, &cause.principal);
                self.report(index, removed);
            }
            Kind::DispatchSent(sent) => {
                let approved = self.transfers.send(&sent, &cause.principal);
                self.report(index, approved);
                self.sent(index, leaf, time, &sent);
            }
            Kind::ReferralDrafted(dispatch) => {
                let addressed = self.check_address(&dispatch);
                self.report(index, addressed);
                let drafted = self
                    .transfers
                    .draft(leaf_hash(leaf), dispatch, &cause.principal);
                self.report(index, drafted);
            }
            Kind::ReferralApproved { record, draft } => {
                let approved = self
                    .transfers
                    .approve(index, record, &draft, &cause.principal);
                self.report(index, approved);
            }
            Kind::DispatchReceived(received) => self.arrived(index, &received, None),
            Kind::DispatchRefused { received, reason } => {
                self.arrived(index, &received, Some(reason));
            }
            Kind::ReceiptLogged {
                to,
                dispatch_id,
                sent_index,
                proof,
            } => self.answered(index, (to, dispatch_id, sent_index), None, &proof),
            Kind::RefusalLogged {
                to,
                dispatch_id,
                sent_index,
                reason,
                proof,
            } => self.answered(index, (to, dispatch_id, sent_index), Some(reason), &proof),
            Kind::Consulted { how, records, .. } => {
                self.tally.consulted(cause, how, records.len());
            }
            Kind::EvidenceKept {
                jurisdiction,
                first,
                second,
                shown_by,
            } => self.evidence(index, jurisdiction, (&first, &second), shown_by),
        }
    }

    fn check_time(&mut self, time: Timestamp) -> Result<(), Fault> {
        let back = self.last_time.millis().saturating_sub(time.millis());
        self.last_time = self.last_time.max(time);
        if back > 0 {
            return Err(DefectCode::TimeWentBack.with(format_args!("by {back} ms")));
        }
        Ok(())
    }

    fn check_start(&self, index: u64, kind: &Kind) -> Result<(), Fault> {
        let is_first = index == 0;
        let Kind::LogStarted {
            origin,
            verifier_key,
            jurisdiction,
        } = kind
        else {
            return if is_first {
                Err(DefectCode::Start.with(kind.as_str()))
            } else {
                Ok(())
            };
        };
        let expected = *origin == self.key.name()
            && *verifier_key == self.key.to_string()
            && *jurisdiction == self.own;
        if is_first && expected {
            Ok(())
        } else {
            Err(DefectCode::Start.into())
        }
    }

    fn sent(&mut self, index: u64, leaf: &[u8], time: Timestamp, sent: &DispatchSent) {
        let addressed = self.check_address(sent);
        self.report(index, addressed);
        let sent = Sent {
            dispatch_id: sent.dispatch_id,
            to: sent.to,
            leaf_hash: leaf_hash(leaf),
            is_too_long: leaf.len() > DISPATCH_LEAF_LIMIT,
            time,
        };
        self.unanswered.insert(index, sent);
    }

    fn check_address(&self, sent: &DispatchSent) -> Result<(), Fault> {
        if sent.from != self.own || sent.to == self.own {
            Err(DefectCode::Misaddressed.into())
        } else if self.partners.is_partner(sent.to) {
            Ok(())
        } else {
            Err(DefectCode::UnknownPartner.with(sent.to))
        }
    }

    /// An approval and its dispatch are written together: anything else after the approval, or nothing, is a defect of
    /// it.
    fn expect_transfer(&mut self, next: Option<&Kind>) {
        if let Some(approved_at) = self.transfers.unsent_approval(next) {
            let unsent_approval: Result<(), _> = Err(DefectCode::ApprovedAndNotSent.into());
            self.report(approved_at, unsent_approval);
        }
    }
}

fn check_length(leaf: &[u8], kind: &Kind) -> Result<(), Fault> {
    let limit = match kind {
        Kind::DispatchSent(_) => DISPATCH_LEAF_LIMIT,
        Kind::DispatchReceived(_)
        | Kind::DispatchRefused { .. }
        | Kind::ReceiptLogged { .. }
        | Kind::RefusalLogged { .. }
        | Kind::ReferralDrafted(_) => DISPATCH_ENTRY_LIMIT,
        Kind::LogStarted { .. }
        | Kind::PolicyChanged { .. }
        | Kind::PartnerProposed { .. }
        | Kind::PartnerApproved { .. }
        | Kind::PartnerSuspended { .. }
        | Kind::PartnerChangeDrafted { .. }
        | Kind::PartnerResumed { .. }
        | Kind::PartnerRemoved { .. }
        | Kind::Consulted { .. }
        | Kind::EvidenceKept { .. }
        | Kind::ReferralApproved { .. }
        | Kind::RecordAssigned { .. }
        | Kind::QuotaReached(_)
        | Kind::AttemptRefused(_) => return Ok(()),
    };
    if leaf.len() > limit {
        return Err(DefectCode::TooLong.with(format_args!("{} bytes", leaf.len())));
    }
    Ok(())
}
