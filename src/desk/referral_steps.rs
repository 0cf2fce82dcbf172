//! Opening referrals, approving transfers, and every later step.

use super::{
    Desk, DeskError, Direction,
    looks::clear_to_act,
    referral_admission::{Carried, carried, may_carry},
    referral_rows::{ReferralRow, ReferralState, referral},
    rows::{EVENTS_PER_SIDE, RowsError, actions, count, events, room_for},
    sight::look,
};
use crate::{
    access::{ActOnReferral, ApproveReferral, Grounds, OpenReferral, Permit, Principal},
    domain::{
        DispatchId, EntryId, Handling, Jurisdiction, PartnerLookup as _, RecordId, ReferralKind,
        ReferralProgress, ReturnReason, StepNotAllowed, Urgency,
        referral::{ContentDefect, NOTE_CHARS, ReferralFields},
        resolve, sign_within_seconds,
    },
    entry::{
        Cause, Content, DispatchAction, DispatchSent, Entry, Kind, Note, Plaintext, ReferralAct,
        Terms,
    },
    exchange::{Draft, Outbox, StageError, Vault, VaultError},
    log::{Proposal, ProposeError, Txn, TxnError},
    merkle::Hash,
    seal::{self, PurgeMonth, SealedPayload},
};
use std::sync::Arc;

/// A referral that an officer opens.
#[derive(Clone, Debug)]
pub struct NewReferral {
    /// What it asks for.
    pub kind: ReferralKind,
    /// The jurisdiction that is to act.
    pub to: Jurisdiction,
    /// What it says.
    pub fields: ReferralFields,
    /// How urgent.
    pub urgency: Urgency,
    /// How to be handled.
    pub handling: Handling,
}

/// A step that an officer takes.
#[derive(Clone, Debug)]
pub struct Stepping {
    /// Which.
    pub act: ReferralAct,
    /// With a return.
    pub return_reason: Option<ReturnReason>,
    /// In words.
    pub note: String,
    /// With a resubmission or a correction: what the referral says from now on.
    pub fields: Option<ReferralFields>,
}

/// A step that is durable here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferralStepTaken {
    /// The referral.
    pub record: RecordId,
    /// Index of its entry.
    pub index: u64,
    /// Where the referral stands now.
    pub state: ReferralState,
}

/// A step was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReferralRefused {
    /// There is no such referral, or the log failed.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// What it says.
    #[error(transparent)]
    Content(#[from] ContentDefect),
    /// A step without what it needs, or with what it must not have.
    #[error("{0}")]
    Needs(&'static str),
    /// Nobody with a card is competent for that place.
    #[error("no partner with a card covers {0}: exchange cards first")]
    NoPartner(Jurisdiction),
    /// This node's own.
    #[error("a referral goes to another jurisdiction")]
    Own,
    /// H1, of the referral or of a lead that it carries, and a transfer.
    #[error(
        "H1 forbids use as evidence, which a transfer is; ask the originator of the information for consent"
    )]
    NotAsEvidence,
    /// It carries a lead of somebody else.
    #[error("a referral carries only leads between the two jurisdictions that it is between")]
    ForeignLead,
    /// The table does not allow it.
    #[error(transparent)]
    NotNow(#[from] StepNotAllowed),
    /// A draft is only approved.
    #[error("referral {0} is a draft: a supervisor who did not draft it approves it first")]
    Draft(RecordId),
    /// There is nothing to approve.
    #[error("referral {0} is not a draft that waits for approval")]
    NotADraft(RecordId),
    /// The approver drafted it.
    #[error("a transfer needs two people: {0} was drafted by the same supervisor who now approves")]
    SamePerson(RecordId),
    /// The referral has had as many actions as a record may have.
    #[error(
        "this side has taken as many of the {EVENTS_PER_SIDE} actions on referral {0} as it may before this step"
    )]
    Full(RecordId),
    /// It cannot be sealed or kept.
    #[error(transparent)]
    Stage(#[from] StageError),
}

impl From<RowsError> for ReferralRefused {
    fn from(error: RowsError) -> Self {
        Self::Desk(error.into())
    }
}

impl From<TxnError> for ReferralRefused {
    fn from(error: TxnError) -> Self {
        Self::Stage(error.into())
    }
}

impl From<VaultError> for ReferralRefused {
    fn from(error: VaultError) -> Self {
        Self::Stage(error.into())
    }
}

impl Carried {
    fn allowed(self) -> Result<(), ReferralRefused> {
        match self {
            Self::Fits => Ok(()),
            Self::Foreign => Err(ReferralRefused::ForeignLead),
            Self::NotAsEvidence => Err(ReferralRefused::NotAsEvidence),
        }
    }
}

fn cause(principal: &Principal, grounds: &Grounds) -> Cause {
    Cause {
        principal: principal.clone(),
        grounds: Some(grounds.clone()),
    }
}

/// What one step seals.
fn sealed(
    content: &Content,
    dispatch_id: DispatchId,
) -> Result<(SealedPayload, seal::Commitment), ReferralRefused> {
    let plaintext = Plaintext::new(content).map_err(VaultError::from)?;
    let sealed = seal::seal(&plaintext.to_bytes(), dispatch_id)
        .map_err(|_| ContentDefect::TooLong("referral"))?;
    Ok((sealed, plaintext.commitment()))
}

impl Desk {
    /// Opens a referral: one that asks for assistance is on its way when this returns, a transfer is a draft.
    ///
    /// # Errors
    /// What it says or carries is not allowed, nobody is competent, or the log failed.
    pub async fn open_referral(
        &self,
        permit: &Permit<OpenReferral>,
        new: NewReferral,
    ) -> Result<ReferralStepTaken, ReferralRefused> {
        new.fields.check()?;
        if !may_carry(new.kind, new.handling) {
            return Err(ReferralRefused::NotAsEvidence);
        }
        if new.to == self.own {
            return Err(ReferralRefused::Own);
        }
        let to = self
            .directory
            .route(new.to)
            .ok_or(ReferralRefused::NoPartner(new.to))?;
        let now = self.clock.now();
        let month = PurgeMonth::years_after(now, super::push::RETENTION_YEARS);
        self.ready_for_new(month).await?;
        let (record, dispatch_id) = (RecordId::new(now), DispatchId::new(now));
        let content = Content::Referral(Box::new(new.fields.clone()));
        let (sealed, commitment) = sealed(&content, dispatch_id)?;
        let draft = Draft {
            cause: cause(permit.principal(), permit.grounds()),
            dispatch_id,
            to,
            action: DispatchAction::Open(new.kind),
            record,
            urgency: new.urgency,
            handling: new.handling,
            terms: Terms {
                sign_within_s: sign_within_seconds(new.urgency),
                review_by_day: review_day(now),
                purge_month: month,
            },
            return_reason: None,
            predecessors: Vec::new(),
            content: Some(content),
            sealed,
            commitment,
        };
        let (own, fields) = (self.own, new.fields);
        let (outbox, vault) = (Arc::clone(&self.outbox), Arc::clone(&self.vault));
        self.step(move |txn| {
            carried(txn, &fields, new.kind, [own, to])?.allowed()?;
            match new.kind {
                ReferralKind::Assistance => {
                    let staged = outbox.stage(txn, &draft)?;
                    taken(txn, record, staged.index)
                }
                ReferralKind::Transfer => keep_draft(txn, &vault, own, &draft),
            }
        })
        .await
    }

    /// Approves a transfer and sends it.
    ///
    /// # Errors
    /// It is no draft, the approver drafted it, or the log failed.
    pub async fn approve_referral(
        &self,
        permit: &Permit<ApproveReferral>,
        record: RecordId,
    ) -> Result<ReferralStepTaken, ReferralRefused> {
        let cause = cause(permit.principal(), permit.grounds());
        let (outbox, vault) = (Arc::clone(&self.outbox), Arc::clone(&self.vault));
        let reader = self.log.reader();
        self.step(move |txn| {
            let row = referral(txn, record)?.ok_or(DeskError::NotFound(record))?;
            let waiting = row
                .draft
                .as_ref()
                .filter(|_| row.progress == ReferralProgress::Drafted);
            let waiting = waiting.ok_or(ReferralRefused::NotADraft(record))?;
            if waiting.principal == cause.principal.to_string() {
                return Err(ReferralRefused::SamePerson(record));
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
        })
        .await
    }

    /// Takes a step that the table allows this node's side now.
    ///
    /// # Errors
    /// The referral is not there, the step is not allowed now (the error names those that are), or the log failed.
    pub async fn act_on_referral(
        &self,
        permit: &Permit<ActOnReferral>,
        record: RecordId,
        stepping: Stepping,
    ) -> Result<ReferralStepTaken, ReferralRefused> {
        let content = said(&stepping)?;
        // What restates a referral is as long as a new one; other steps are short, and go on with what is under way.
        let room = if stepping.act.restates() {
            self.vault.admit()
        } else {
            self.vault.admit_reading()
        };
        room.map_err(DeskError::from)?;
        let asking = permit.clone();
        let listed = self
            .log
            .read(move |mut reader| look::<ReferralRow, _>(&mut reader, &asking, record))
            .await
            .map_err(DeskError::from)??;
        let row = listed.ok_or(DeskError::NotFound(record))?.row;
        if row.progress == ReferralProgress::Drafted {
            return Err(ReferralRefused::Draft(record));
        }
        let now = self.clock.now();
        let month = PurgeMonth::new(row.purge_month).ok_or(DeskError::NotFound(record))?;
        let dispatch_id = DispatchId::new(now);
        let (sealed, commitment) = sealed(&content, dispatch_id)?;
        let mut draft = Draft {
            cause: cause(permit.principal(), permit.grounds()),
            dispatch_id,
            to: row.party(row.own_side().other()),
            action: DispatchAction::Referral(stepping.act),
            record,
            urgency: row.urgency,
            handling: row.handling,
            terms: Terms {
                sign_within_s: row.sign_within_s,
                review_by_day: review_day(now),
                purge_month: month,
            },
            return_reason: stepping.return_reason,
            predecessors: Vec::new(),
            content: Some(content),
            sealed,
            commitment,
        };
        let (outbox, permit) = (Arc::clone(&self.outbox), permit.clone());
        self.step(move |txn| {
            // Looks again with everything before it in view: two officers may act at once.
            let row = referral(txn, record)?.ok_or(DeskError::NotFound(record))?;
            clear_to_act::<ReferralRow, _>(txn, &permit, record)?;
            if let Some(fields) = &stepping.fields {
                carried(txn, fields, row.kind, [row.from, row.to])?.allowed()?;
            }
            let events = events(txn, record)?;
            if count(&events, Direction::Sent) >= room_for(stepping.act) {
                return Err(ReferralRefused::Full(record));
            }
            let actions = actions(&events, row.direction, DispatchAction::referral_step)
                .map_err(RowsError::from)?;
            let resolution = resolve(&actions);
            resolution
                .progress
                .after(row.kind, stepping.act.into(), row.own_side())?;
            draft.predecessors = resolution.heads.into_iter().map(Hash::from).collect();
            let staged = outbox.stage(txn, &draft)?;
            taken(txn, record, staged.index)
        })
        .await
    }

    async fn step(
        &self,
        decide: impl FnOnce(&mut Txn<'_>) -> Result<ReferralStepTaken, ReferralRefused> + Send + 'static,
    ) -> Result<ReferralStepTaken, ReferralRefused> {
        match self.log.propose(Proposal::new(decide)).await {
            Ok(taken) => Ok(taken.into_inner()),
            Err(ProposeError::Rejected(refused)) => Err(refused),
            Err(error) => Err(DeskError::Log(error.to_string()).into()),
        }
    }
}

pub(super) fn review_day(now: crate::domain::Timestamp) -> u32 {
    u32::try_from(now.seconds() / 86_400 + 365).unwrap_or(u32::MAX)
}

/// What a step says, if it has what it needs.
fn said(stepping: &Stepping) -> Result<Content, ReferralRefused> {
    let needs = ReferralRefused::Needs;
    if stepping.note.chars().count() > NOTE_CHARS {
        return Err(ContentDefect::TooLong("note").into());
    }
    if stepping.return_reason.is_some() != (stepping.act == ReferralAct::Return) {
        return Err(needs("a return, and nothing else, states a return reason"));
    }
    match (&stepping.fields, stepping.act.restates()) {
        (Some(fields), true) => {
            fields.check()?;
            Ok(Content::Referral(Box::new(fields.clone())))
        }
        (None, false) => {
            // A partner that is asked for more, told of a result or contradicted needs to know what.
            let speaks = matches!(
                stepping.act,
                ReferralAct::RequestSupplement
                    | ReferralAct::Supply
                    | ReferralAct::Progress
                    | ReferralAct::Feedback
                    | ReferralAct::Dispute
                    | ReferralAct::Recall
            );
            if speaks && stepping.note.trim().is_empty() {
                return Err(needs("this step needs a note that says what"));
            }
            Ok(Content::ReferralNote(Note(stepping.note.clone())))
        }
        (None, true) => Err(needs(
            "a resubmission or correction says the whole referral anew",
        )),
        (Some(_), false) => Err(needs(
            "only a resubmission or a correction says the referral anew",
        )),
    }
}

fn taken(
    txn: &mut Txn<'_>,
    record: RecordId,
    index: u64,
) -> Result<ReferralStepTaken, ReferralRefused> {
    let row = referral(txn, record)?.ok_or(DeskError::NotFound(record))?;
    Ok(ReferralStepTaken {
        record,
        index,
        state: row.state(),
    })
}

/// Keeps a transfer as a draft: its payload is sealed beside it, and nothing is sent.
fn keep_draft(
    txn: &mut Txn<'_>,
    vault: &Vault,
    own: Jurisdiction,
    draft: &Draft,
) -> Result<ReferralStepTaken, ReferralRefused> {
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
    let entry = Entry {
        time: txn.now(),
        id: EntryId::new(txn.now()),
        cause: draft.cause.clone(),
        kind: Kind::ReferralDrafted(draft.sent(own)),
    };
    txn.append(entry.encode())?;
    taken(txn, draft.record, index)
}

/// Appends the approval, and sends exactly what was drafted.
fn approve(
    txn: &mut Txn<'_>,
    outbox: &Outbox,
    vault: &Vault,
    cause: &Cause,
    row: &ReferralRow,
    leaf: &[u8],
    drafted: DispatchSent,
) -> Result<ReferralStepTaken, ReferralRefused> {
    let record = drafted.record;
    let (month, id) = (drafted.terms.purge_month, drafted.dispatch_id);
    let erased = VaultError::Damaged {
        index: row.index,
        what: "its draft is erased",
    };
    let (ciphertext, key) = vault.sealed(txn, row.index, month, id)?.ok_or(erased)?;
    let approval = Entry {
        time: txn.now(),
        id: EntryId::new(txn.now()),
        cause: cause.clone(),
        kind: Kind::ReferralApproved {
            record,
            draft: crate::merkle::leaf_hash(leaf),
        },
    };
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
