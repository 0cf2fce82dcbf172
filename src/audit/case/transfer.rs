//! Checks that the entries of a transfer in a case file fit together: drafted by one person, approved by another, who
//! is a supervisor, sent in the approver's name as it was drafted, and all of that in one tree.
//!
//! Draft and approval are only the sender's word: its partner never saw them, and the log's key could sign a tree with
//! others later. What binds them is the tree with which the dispatch was delivered, which the partner's own entry
//! keeps. So if the case file has the partner's answer, they must be in the tree that was answered for. Nothing is
//! required of entries that are not in the case file.

use crate::{
    access::{Principal, Role},
    audit::reading::{TRANSFER, owner_of, sent_entry},
    domain::RecordId,
    entry::{DispatchSent, Entry, Kind},
    merkle::Hash,
    note::Checkpoint,
};
use std::collections::BTreeMap;

/// Why the entries of a transfer do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferDefect {
    /// The approval names another leaf hash than that of the draft beside it.
    #[error("it approves another draft than the one beside it")]
    AnotherDraft,
    /// Not drafted and approved by two people of this jurisdiction, the second a supervisor.
    #[error(
        "a transfer is drafted by one person of the log's jurisdiction and approved by another, a supervisor"
    )]
    People,
    /// The transfer that left is not the next entry.
    #[error("the entry behind the approval is not the dispatch beside it")]
    NotTheNext,
    /// The dispatch is in another person's name.
    #[error("it is approved in one name and sent in another")]
    AnotherName,
    /// The dispatch is not as it was drafted.
    #[error("what was sent is not what was drafted")]
    NotAsDrafted,
    /// Nothing shows that the entries belong to one history.
    #[error(
        "draft, approval and dispatch are not proved under one tree, the one that the recipient answered for: whoever has \
         the log's key could have signed this one later"
    )]
    OtherTree,
}

/// An entry of a transfer: a draft, an approval, or the dispatch.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) file: String,
    index: u64,
    leaf_hash: Hash,
    tree: Checkpoint,
    by: Principal,
    record: RecordId,
    what: What,
}

#[derive(Debug)]
enum What {
    Draft(DispatchSent),
    Approval { draft: Hash },
    Dispatch(DispatchSent),
}

impl Step {
    /// The step that an entry is; `None` if it is not one.
    pub(super) fn of(
        file: &str,
        (index, leaf_hash): (u64, Hash),
        tree: &Checkpoint,
        entry: &Entry,
    ) -> Option<Self> {
        let (record, what) = if let Kind::ReferralDrafted(draft) = &entry.kind {
            (draft.record, What::Draft(draft.clone()))
        } else if let Kind::ReferralApproved { record, draft } = &entry.kind {
            (*record, What::Approval { draft: *draft })
        } else if let Kind::DispatchSent(sent) = &entry.kind
            && sent.action == TRANSFER
        {
            (sent.record, What::Dispatch(sent.clone()))
        } else {
            return None;
        };
        Some(Self {
            file: file.to_owned(),
            index,
            leaf_hash,
            tree: tree.clone(),
            by: entry.cause.principal.clone(),
            record,
            what,
        })
    }

    fn draft(&self) -> Option<&DispatchSent> {
        match &self.what {
            What::Draft(draft) => Some(draft),
            What::Approval { .. } | What::Dispatch(_) => None,
        }
    }

    fn dispatch(&self) -> Option<&DispatchSent> {
        match &self.what {
            What::Dispatch(sent) => Some(sent),
            What::Draft(_) | What::Approval { .. } => None,
        }
    }
}

/// Trees of a log that the recipient of a transfer answered for, by log and referral.
#[derive(Debug, Default)]
pub(super) struct Answered(BTreeMap<(String, RecordId), Vec<Checkpoint>>);

impl Answered {
    /// Takes a sender's leaf that a recipient's entry keeps, with the trees that the answer vouches for.
    pub(super) fn take(&mut self, origin: &str, leaf: &[u8], trees: &[Checkpoint]) {
        let Some(sent) = sent_entry(leaf).map(|entry| entry.sent) else {
            return;
        };
        if sent.action == TRANSFER {
            let known = self.0.entry((origin.to_owned(), sent.record)).or_default();
            known.extend(trees.iter().filter(|tree| tree.origin == origin).cloned());
        }
    }

    fn holds(&self, step: &Step) -> bool {
        let trees = self.0.get(&(step.tree.origin.clone(), step.record));
        trees.is_none_or(|trees| trees.contains(&step.tree))
    }
}

/// Checks that every approval fits the draft and the dispatch beside it, and that all are in a tree that the recipient
/// knows. Returns the step that does not, and why.
pub(super) fn check<'a>(
    steps: &'a [Step],
    answered: &Answered,
) -> Result<(), (&'a Step, TransferDefect)> {
    for step in steps {
        if let What::Approval { draft } = &step.what {
            check_approval(step, draft, steps).map_err(|defect| (step, defect))?;
        }
        if !answered.holds(step) {
            return Err((step, TransferDefect::OtherTree));
        }
    }
    Ok(())
}

fn check_approval(approval: &Step, draft: &Hash, steps: &[Step]) -> Result<(), TransferDefect> {
    let of_it =
        |step: &&Step| step.record == approval.record && step.tree.origin == approval.tree.origin;
    let beside = || steps.iter().filter(of_it);
    let drafted = the_one(
        beside().filter_map(|step| Some((step, step.draft()?))),
        |step| step.leaf_hash == *draft && step.index < approval.index,
        TransferDefect::AnotherDraft,
    )?;
    let sent = the_one(
        beside().filter_map(|step| Some((step, step.dispatch()?))),
        |step| Some(step.index) == approval.index.checked_add(1),
        TransferDefect::NotTheNext,
    )?;
    let home = owner_of(&approval.tree.origin);
    for (step, _) in drafted.into_iter().chain(sent) {
        let is_ours = |by: &Principal| Some(by.jurisdiction()) == home;
        if !is_ours(&step.by) || !is_ours(&approval.by) || approval.by.role() != Role::Supervisor {
            return Err(TransferDefect::People);
        }
        if step.tree != approval.tree {
            return Err(TransferDefect::OtherTree);
        }
    }
    if drafted.is_some_and(|(step, _)| step.by == approval.by) {
        return Err(TransferDefect::People);
    }
    if sent.is_some_and(|(step, _)| step.by != approval.by) {
        return Err(TransferDefect::AnotherName);
    }
    if let (Some((_, drafted)), Some((_, sent))) = (drafted, sent)
        && drafted != sent
    {
        return Err(TransferDefect::NotAsDrafted);
    }
    Ok(())
}

type Found<'a> = (&'a Step, &'a DispatchSent);

/// The step that fits; `None` if there is none to choose from.
fn the_one<'a>(
    among: impl Iterator<Item = Found<'a>>,
    fits: impl Fn(&Step) -> bool,
    none_fits: TransferDefect,
) -> Result<Option<Found<'a>>, TransferDefect> {
    let mut others = false;
    for found in among {
        if fits(found.0) {
            return Ok(Some(found));
        }
        others = true;
    }
    if others { Err(none_fits) } else { Ok(None) }
}
