//! Checks transfers: that each was drafted by one person, approved by another, who is a supervisor, and sent as it was
//! drafted.

use super::defect::{DefectCode, Fault};
use crate::{
    access::{Principal, Role},
    audit::reading::TRANSFER,
    domain::RecordId,
    entry::{DispatchSent, Kind},
    merkle::Hash,
};
use std::collections::BTreeMap;

/// Drafts that wait for approval, by leaf hash, and the approval in the previous entry. Memory grows with the drafts.
#[derive(Debug, Default)]
pub(super) struct TransferTracker {
    drafts: BTreeMap<Hash, Draft>,
    approval: Option<Approval>,
}

#[derive(Debug)]
struct Draft {
    by: Principal,
    dispatch: DispatchSent,
}

#[derive(Debug)]
struct Approval {
    index: u64,
    by: Principal,
    /// As it was drafted; `None` if no draft was known.
    dispatch: Option<DispatchSent>,
    /// A wrong approval is one defect, and nothing more is checked of it.
    is_sound: bool,
}

impl TransferTracker {
    pub(super) fn draft(
        &mut self,
        leaf_hash: Hash,
        dispatch: DispatchSent,
        by: &Principal,
    ) -> Result<(), Fault> {
        if dispatch.action != TRANSFER {
            return Err(DefectCode::DraftOfNoTransfer.with(dispatch.action.as_str()));
        }
        let by = by.clone();
        self.drafts.insert(leaf_hash, Draft { by, dispatch });
        Ok(())
    }

    pub(super) fn approve(
        &mut self,
        index: u64,
        record: RecordId,
        leaf_hash: &Hash,
        by: &Principal,
    ) -> Result<(), Fault> {
        let is_of_it = self
            .drafts
            .get(leaf_hash)
            .is_some_and(|draft| draft.dispatch.record == record);
        let draft = is_of_it.then(|| self.drafts.remove(leaf_hash)).flatten();
        let checked = match &draft {
            None => Err(DefectCode::TransferWithoutDraft.into()),
            Some(_) if by.role() != Role::Supervisor => {
                Err(DefectCode::ApproverNotSupervisor.into())
            }
            Some(draft) if draft.by == *by => Err(DefectCode::ApproverDraftedIt.into()),
            Some(_) => Ok(()),
        };
        self.approval = Some(Approval {
            index,
            by: by.clone(),
            dispatch: draft.map(|draft| draft.dispatch),
            is_sound: checked.is_ok(),
        });
        checked
    }

    /// Index of the approval in the previous entry, if this next entry does not send the transfer.
    pub(super) fn unsent_approval(&mut self, next: Option<&Kind>) -> Option<u64> {
        if matches!(next, Some(Kind::DispatchSent(sent)) if sent.action == TRANSFER) {
            return None;
        }
        let approval = self.approval.take()?;
        approval.is_sound.then_some(approval.index)
    }

    /// Takes a dispatch that was sent; one that is not a transfer needs no approval.
    pub(super) fn send(&mut self, sent: &DispatchSent, by: &Principal) -> Result<(), Fault> {
        if sent.action != TRANSFER {
            return Ok(());
        }
        let approval = self
            .approval
            .take()
            .filter(|approval| approval.by == *by)
            .ok_or(DefectCode::TransferWithoutApproval)?;
        if approval.dispatch.is_some_and(|drafted| drafted != *sent) {
            return Err(DefectCode::TransferNotAsDrafted.into());
        }
        Ok(())
    }
}
