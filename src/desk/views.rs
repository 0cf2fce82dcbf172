//! All views behind one door: an entry is decoded once, and shown to the view that it concerns. Entries of the log are
//! long, and each of six views decoding each of them was a tenth of what a push cost.

use super::{
    CardReader, Direction,
    assignment::AssignmentView,
    caught_view::CaughtView,
    lead_view::LeadView,
    partner_rows::PartnerView,
    policy::PolicyView,
    referral_view::ReferralView,
    rows::{RecordView, Seen, receipted},
};
use crate::{
    domain::{DispatchId, Jurisdiction},
    entry::{DispatchAction, Entry, Kind, PartnerProof, Refusal},
    exchange::Vault,
    log::{Appended, Txn, View, ViewError},
    store::tables,
};
use std::sync::Arc;

/// The views of a node's log: leads, referrals, caught notices, assignments, partners, policy. Functions of entries and
/// openable payloads (I8).
#[derive(Debug)]
pub struct Views {
    own: Jurisdiction,
    partners: PartnerView,
    leads: LeadView,
    referrals: ReferralView,
    caught: CaughtView,
}

impl Views {
    /// The views of the node of this jurisdiction.
    pub fn new(own: Jurisdiction, vault: &Arc<Vault>, cards: Arc<dyn CardReader>) -> Self {
        Self {
            own,
            partners: PartnerView::new(cards),
            leads: LeadView::new(Arc::clone(vault)),
            referrals: ReferralView::new(Arc::clone(vault)),
            caught: CaughtView::new(Arc::clone(vault)),
        }
    }

    fn action(&self, txn: &mut Txn<'_>, seen: &Seen<'_>) -> Result<(), ViewError> {
        match seen.sent.action {
            DispatchAction::Lead(_) => self.leads.action(txn, seen).map_err(ViewError::entry),
            DispatchAction::Open(_) | DispatchAction::Referral(_) => {
                self.referrals.action(txn, seen).map_err(ViewError::entry)
            }
            DispatchAction::Caught => self.caught.action(txn, seen).map_err(ViewError::entry),
        }
    }

    /// A partner answered a dispatch of ours.
    fn answered(
        &self,
        txn: &mut Txn<'_>,
        index: u64,
        dispatch: DispatchId,
        proof: &PartnerProof,
        refusal: Option<Refusal>,
    ) -> Result<(), ViewError> {
        let dispatch = tables::dispatch(self.own, dispatch);
        let receipted = receipted(txn, index, &dispatch, proof).map_err(ViewError::entry)?;
        let Some(receipted) = receipted else {
            return Ok(());
        };
        match receipted.event.action {
            DispatchAction::Lead(_) => {
                let noted = self.leads.answered(txn, index, &receipted, refusal);
                noted.map_err(ViewError::entry)
            }
            DispatchAction::Open(_) | DispatchAction::Referral(_) => {
                let noted = self.referrals.answered(txn, index, &receipted, refusal);
                noted.map_err(ViewError::entry)
            }
            DispatchAction::Caught => {
                let noted = self.caught.answered(txn, index, &receipted, refusal);
                noted.map_err(ViewError::entry)
            }
        }
    }
}

impl View for Views {
    fn name(&self) -> &'static str {
        "desk"
    }

    fn apply(&mut self, txn: &mut Txn<'_>, appended: &Appended<'_>) -> Result<(), ViewError> {
        let Appended {
            index, hash, known, ..
        } = *appended;
        let decoded;
        let entry = match known {
            Some(known) => known.entry,
            None => {
                decoded = Entry::decode(appended.leaf).map_err(ViewError::entry)?;
                &decoded
            }
        };
        let seen = |direction, hash, made, sent| Seen {
            direction,
            index,
            time: entry.time,
            hash,
            entry: made,
            sent,
            content: known.and_then(|known| known.content),
        };
        match &entry.kind {
            Kind::DispatchSent(sent) => {
                self.action(txn, &seen(Direction::Sent, *hash, entry, sent))
            }
            Kind::DispatchReceived(received) => {
                let decoded;
                let theirs = match known.and_then(|known| known.sender) {
                    Some(theirs) => theirs,
                    None => {
                        let theirs = Entry::decode(&received.sender_entry);
                        decoded = theirs.map_err(ViewError::entry)?;
                        &decoded
                    }
                };
                let Kind::DispatchSent(sent) = &theirs.kind else {
                    return Ok(());
                };
                let hash = received.leaf_hash();
                self.action(txn, &seen(Direction::Received, hash, theirs, sent))
            }
            Kind::ReceiptLogged {
                dispatch_id, proof, ..
            } => self.answered(txn, index, *dispatch_id, proof, None),
            Kind::RefusalLogged {
                dispatch_id,
                proof,
                reason,
                ..
            } => self.answered(txn, index, *dispatch_id, proof, Some(*reason)),
            Kind::ReferralDrafted(sent) => {
                let seen = seen(Direction::Sent, *hash, entry, sent);
                self.referrals.drafted(txn, &seen).map_err(ViewError::entry)
            }
            Kind::PolicyChanged { .. } => PolicyView.take(txn, entry),
            Kind::PartnerProposed { .. }
            | Kind::PartnerApproved { .. }
            | Kind::PartnerSuspended { .. }
            | Kind::PartnerChangeDrafted { .. }
            | Kind::PartnerResumed { .. }
            | Kind::PartnerRemoved { .. } => self.partners.take(txn, (index, hash), entry),
            Kind::RecordAssigned { .. } => AssignmentView.take(txn, index, entry),
            Kind::LogStarted { .. }
            | Kind::DispatchRefused { .. }
            | Kind::Consulted { .. }
            | Kind::EvidenceKept { .. }
            | Kind::ReferralApproved { .. }
            | Kind::QuotaReached(_)
            | Kind::AttemptRefused(_) => Ok(()),
        }
    }
}
