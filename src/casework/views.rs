//! All views behind one door: an entry is decoded once, and shown to the view that it concerns. Entries of the log are
//! long, and each of six views decoding each of them was a tenth of what a push cost.

use super::{
    CardReader, Direction,
    assignment_row::AssignmentView,
    event_row::{Seen, receipted},
    partner_rows::PartnerView,
    policy::PolicyView,
    record_view::{RecordView, answered},
};
use crate::{
    domain::{DispatchId, Jurisdiction},
    entry::{Entry, Kind, PartnerProof, Refusal},
    exchange::Vault,
    log::{Appended, Txn, View, ViewError},
    store::tables,
};
use std::sync::Arc;

/// The layout of all rows that views keep. Another one here, and nodes make their views anew when they start.
pub const LAYOUT: u8 = 2;

/// The views of a node's log: records, assignments, partners, policy. Functions of entries and
/// openable payloads (I8).
#[derive(Debug)]
pub struct Views {
    own: Jurisdiction,
    partners: PartnerView,
    records: RecordView,
}

impl Views {
    /// The views of the node of this jurisdiction.
    pub fn new(own: Jurisdiction, vault: &Arc<Vault>, cards: Arc<dyn CardReader>) -> Self {
        Self {
            own,
            partners: PartnerView::new(cards),
            records: RecordView::new(Arc::clone(vault)),
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
        let noted = answered(txn, index, &receipted, refusal);
        noted.map_err(ViewError::entry)
    }
}

impl View for Views {
    fn name(&self) -> &'static str {
        "casework"
    }

    fn apply(&mut self, txn: &mut Txn<'_>, appended: &Appended<'_>) -> Result<(), ViewError> {
        let Appended {
            index, hash, known, ..
        } = *appended;
        if index == 0 {
            txn.put(tables::LAYOUT, vec![LAYOUT])
                .map_err(ViewError::entry)?;
        }
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
                let seen = seen(Direction::Sent, *hash, entry, sent);
                self.records.taken(txn, &seen).map_err(ViewError::entry)
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
                let seen = seen(Direction::Received, hash, theirs, sent);
                self.records.taken(txn, &seen).map_err(ViewError::entry)
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
                self.records.drafted(txn, &seen).map_err(ViewError::entry)
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
