//! Opening referrals, and approving those that need a second person.

use super::{
    Casework, CaseworkError,
    act::{ActRefused, ActionTaken, taken},
    carried::{carried, may_carry},
    drafting::{Envelope, make, purge_month},
    record_row::{RecordRow, record_of},
};
use crate::{
    access::{ApproveReferral, Permit, Submit},
    domain::{
        Family, Handling, Jurisdiction, PartnerLookup as _, RecordId, RecordKind, State, Urgency,
        content::referral::ReferralFields,
    },
    entry::{Cause, Content, DispatchAction, DispatchSent, Entry, Kind},
    exchange::{Draft, Outbox, Vault, VaultError},
    log::Txn,
    seal::SealedPayload,
};
use std::sync::Arc;

/// A referral that an officer opens.
#[derive(Clone, Debug)]
pub struct NewReferral {
    /// An assistance or a transfer.
    pub kind: RecordKind,
    /// The jurisdiction that is to act.
    pub to: Jurisdiction,
    /// What it says.
    pub fields: ReferralFields,
    /// How urgent.
    pub urgency: Urgency,
    /// How to be handled.
    pub handling: Handling,
}

impl Casework {
    /// Opens a referral: one that asks for assistance is on its way when this returns, a transfer is a draft.
    ///
    /// # Errors
    /// What it says or carries is not allowed, nobody is competent, or the log failed.
    pub async fn open_referral(
        &self,
        permit: &Permit<Submit>,
        new: NewReferral,
    ) -> Result<ActionTaken, ActRefused> {
        new.fields.check()?;
        if !may_carry(new.kind, new.handling) {
            return Err(ActRefused::NotAsEvidence);
        }
        if new.to == self.own {
            return Err(ActRefused::Own);
        }
        let to = self
            .directory
            .route(new.to)
            .ok_or(ActRefused::NoPartner(new.to))?;
        let now = self.clock.now();
        let purge_month = purge_month(now);
        self.ready_for_new(purge_month).await?;
        let envelope = Envelope {
            to,
            action: DispatchAction::open(new.kind),
            record: RecordId::new(now),
            urgency: new.urgency,
            handling: new.handling,
            purge_month,
            return_reason: None,
        };
        let content = Content::Referral(Box::new(new.fields.clone()));
        let draft = make(permit, now, envelope, content)?;
        let own = self.own;
        let (outbox, vault) = (Arc::clone(&self.outbox), Arc::clone(&self.vault));
        let taken = self.commit(move |txn| {
            carried(txn, &new.fields, new.kind, [own, to])?.allowed()?;
            if new.kind.spec().drafted {
                return keep_draft(txn, &vault, own, &draft);
            }
            let staged = outbox.stage(txn, &draft)?;
            taken(txn, draft.record, staged.index)
        });
        Ok(taken.await?.into_inner())
    }

    /// Approves a transfer and sends it.
    ///
    /// # Errors
    /// It is no draft, the approver drafted it, or the log failed.
    pub async fn approve_referral(
        &self,
        permit: &Permit<ApproveReferral>,
        record: RecordId,
    ) -> Result<ActionTaken, ActRefused> {
        let cause = Cause::of(permit.principal(), permit.grounds());
        let (outbox, vault) = (Arc::clone(&self.outbox), Arc::clone(&self.vault));
        let reader = self.log.reader();
        let taken = self.commit(move |txn| {
            let row =
                record_of(txn, Family::Referral, record)?.ok_or(CaseworkError::NotFound(record))?;
            let waiting = row
                .draft
                .as_ref()
                .filter(|_| row.progress == State::Drafted);
            let waiting = waiting.ok_or(ActRefused::NotADraft(record))?;
            if waiting.principal == cause.principal.to_string() {
                return Err(ActRefused::SamePerson(record));
            }
            let damaged = || VaultError::Damaged {
                index: row.index,
                what: "its draft is missing",
            };
            // A draft of this very batch is not published yet; whoever approves it comes later.
            let leaf = reader.entry(row.index).ok().flatten().ok_or_else(damaged)?;
            let Ok(Entry {
                kind: Kind::ReferralDrafted(drafted),
                ..
            }) = Entry::decode(&leaf)
            else {
                return Err(damaged().into());
            };
            approve(txn, &outbox, &vault, &cause, &row, &leaf, drafted)
        });
        Ok(taken.await?.into_inner())
    }
}

/// Keeps a transfer as a draft: its payload is sealed beside it, and nothing is sent.
fn keep_draft(
    txn: &mut Txn<'_>,
    vault: &Vault,
    own: Jurisdiction,
    draft: &Draft,
) -> Result<ActionTaken, ActRefused> {
    let index = txn.size();
    let (month, id) = (draft.terms.purge_month, draft.dispatch_id);
    vault.stage(
        txn,
        index,
        month,
        id,
        &draft.sealed.ciphertext,
        &draft.sealed.key,
    )?;
    let entry = Entry::new(
        txn.now(),
        draft.cause.clone(),
        Kind::ReferralDrafted(draft.sent(own)),
    );
    txn.append(entry.encode())?;
    taken(txn, draft.record, index)
}

/// Appends the approval, and sends exactly what was drafted.
fn approve(
    txn: &mut Txn<'_>,
    outbox: &Outbox,
    vault: &Vault,
    cause: &Cause,
    row: &RecordRow,
    leaf: &[u8],
    drafted: DispatchSent,
) -> Result<ActionTaken, ActRefused> {
    let record = drafted.record;
    let (month, id) = (drafted.terms.purge_month, drafted.dispatch_id);
    let erased = VaultError::Damaged {
        index: row.index,
        what: "its draft is erased",
    };
    let (ciphertext, key) = vault.sealed(txn, row.index, month, id)?.ok_or(erased)?;
    let approval = Entry::new(
        txn.now(),
        cause.clone(),
        Kind::ReferralApproved {
            record,
            draft: crate::merkle::leaf_hash(leaf),
        },
    );
    txn.append(approval.encode())?;
    let draft = Draft {
        cause: cause.clone(),
        dispatch_id: id,
        to: drafted.to,
        action: drafted.action,
        record,
        urgency: drafted.urgency,
        handling: drafted.handling,
        terms: drafted.terms,
        return_reason: None,
        predecessors: Vec::new(),
        content: None,
        sealed: SealedPayload {
            sha256: drafted.ciphertext_sha256,
            ciphertext,
            key,
        },
        commitment: drafted.commitment,
    };
    let staged = outbox.stage(txn, &draft)?;
    taken(txn, record, staged.index)
}
