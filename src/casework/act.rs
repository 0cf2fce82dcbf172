//! Taking an action on a record: every step after the one that opened it.

use super::{
    Casework, CaseworkError, Direction,
    carried::{Carried, carried},
    drafting::{Envelope, NotMade, make},
    event_row::{EVENTS_PER_RECORD, EVENTS_PER_SIDE, events, history, is_full},
    looks::clear_to_act,
    record_row::{RecordRow, record, record_of},
    row_codec::RowsError,
    sight::look,
};
use crate::{
    access::{ActOn, Permit},
    domain::{
        Action, AssessmentOutcome, Family, Jurisdiction, NotAllowed, RecordId, RecordKind,
        ReturnReason, State,
        content::referral::{ContentDefect, NOTE_CHARS, ReferralFields},
        resolve,
    },
    entry::{Content, DispatchAction, LeadAnswer, Note},
    exchange::{Draft, Outbox, StageError, VaultError},
    log::{Txn, TxnError},
    merkle::Hash,
    seal::PurgeMonth,
};
use std::sync::Arc;

/// An action that somebody takes on a record.
#[derive(Clone, Debug)]
pub struct NewAction {
    /// Which.
    pub action: Action,
    /// With an assessment.
    pub outcome: Option<AssessmentOutcome>,
    /// With a return.
    pub return_reason: Option<ReturnReason>,
    /// In words.
    pub note: String,
    /// With a resubmission or a correction: what the referral says from now on.
    pub fields: Option<ReferralFields>,
}

/// An action that is durable here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionTaken {
    /// The record.
    pub record: RecordId,
    /// Index of its entry.
    pub index: u64,
    /// Where the record stands now.
    pub state: State,
}

/// An action was not taken, or a referral was not opened.
#[derive(Debug, thiserror::Error)]
pub enum ActRefused {
    /// There is no such record, or the log failed.
    #[error(transparent)]
    Casework(#[from] CaseworkError),
    /// What it says.
    #[error(transparent)]
    Content(#[from] ContentDefect),
    /// The note is too long.
    #[error("a note is at most {NOTE_CHARS} characters")]
    NoteTooLong,
    /// An action without what it needs, or with what it must not have.
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
    /// A lead that was sent from here: the recipient answers it.
    #[error("lead {0} was sent from here; the jurisdiction that received it answers")]
    OwnLead(RecordId),
    /// The table does not allow it.
    #[error(transparent)]
    NotNow(#[from] NotAllowed),
    /// A draft is only approved.
    #[error("referral {0} is a draft: a supervisor who did not draft it approves it first")]
    Draft(RecordId),
    /// There is nothing to approve.
    #[error("referral {0} is not a draft that waits for approval")]
    NotADraft(RecordId),
    /// The approver drafted it.
    #[error("a transfer needs two people: {0} was drafted by the same supervisor who now approves")]
    SamePerson(RecordId),
    /// The record has had as many actions as a record may have, or this side has taken as many as it may.
    #[error("{}", full(*.0, *.1))]
    Full(RecordKind, RecordId),
    /// It cannot be sealed or kept.
    #[error(transparent)]
    Stage(#[from] StageError),
}

fn full(kind: RecordKind, id: RecordId) -> String {
    let family = kind.family();
    if kind.spec().two_sided {
        format!(
            "this side has taken as many of the {EVENTS_PER_SIDE} actions on {family} {id} as it may before this step"
        )
    } else {
        format!("{family} {id} has had {EVENTS_PER_RECORD} actions, as many as a record may have")
    }
}

impl From<RowsError> for ActRefused {
    fn from(error: RowsError) -> Self {
        Self::Casework(error.into())
    }
}

impl From<TxnError> for ActRefused {
    fn from(error: TxnError) -> Self {
        Self::Stage(error.into())
    }
}

impl From<VaultError> for ActRefused {
    fn from(error: VaultError) -> Self {
        Self::Stage(error.into())
    }
}

impl From<NotMade> for ActRefused {
    fn from(error: NotMade) -> Self {
        match error {
            NotMade::TooLong => ContentDefect::TooLong("referral").into(),
            NotMade::Vault(error) => error.into(),
        }
    }
}

impl Carried {
    pub(super) const fn allowed(self) -> Result<(), ActRefused> {
        match self {
            Self::Fits => Ok(()),
            Self::Foreign => Err(ActRefused::ForeignLead),
            Self::NotAsEvidence => Err(ActRefused::NotAsEvidence),
        }
    }
}

impl Casework {
    /// Takes an action that the table allows this node's side now, on a record of the permit's family. When this returns, it
    /// is durable here and in the outbox.
    ///
    /// # Errors
    /// The record is not there, the action is not allowed now (the error names those that are), or the log failed.
    pub async fn act(
        &self,
        permit: &Permit<ActOn>,
        id: RecordId,
        new: NewAction,
    ) -> Result<ActionTaken, ActRefused> {
        let family = permit.family();
        let content = said(family, &new)?;
        let travels = DispatchAction::act(family, new.action);
        let action = travels.ok_or(ActRefused::Needs("no such action on records of this kind"))?;
        // What restates a record is as long as a new one; other actions are short, and go on with what is under way.
        let room = if new.action.restates() {
            self.vault.admit()
        } else {
            self.vault.admit_reading()
        };
        room.map_err(CaseworkError::from)?;
        let asking = permit.clone();
        let listed = self
            .log
            .read(move |mut reader| look(&mut reader, &asking, id))
            .await
            .map_err(CaseworkError::from)??;
        let row = listed.ok_or(CaseworkError::NotFound(id))?.row;
        if !row.kind.spec().two_sided && !row.kind.takes(new.action, row.own_side()) {
            return Err(ActRefused::OwnLead(id));
        }
        if row.progress == State::Drafted {
            return Err(ActRefused::Draft(id));
        }
        let envelope = Envelope {
            to: row.party(row.own_side().other()),
            action,
            record: id,
            urgency: row.urgency,
            handling: row.handling,
            purge_month: PurgeMonth::new(row.purge_month).ok_or(CaseworkError::NotFound(id))?,
            return_reason: new.return_reason,
        };
        let draft = make(permit, self.clock.now(), envelope, content).map_err(|error| {
            match (error, family) {
                (NotMade::TooLong, Family::Lead) => ActRefused::NoteTooLong,
                (error, _) => error.into(),
            }
        })?;
        let (outbox, permit) = (Arc::clone(&self.outbox), permit.clone());
        let taken = self.commit(move |txn| {
            clear_to_act(txn, &permit, id)?;
            let row = record_of(txn, family, id)?.ok_or(CaseworkError::NotFound(id))?;
            decide(txn, &outbox, &row, new.fields.as_ref(), draft)
        });
        Ok(taken.await?.into_inner())
    }
}

/// Looks again with everything before it in view: two officers may act at once. What it appends is dropped where it refuses.
fn decide(
    txn: &mut Txn<'_>,
    outbox: &Outbox,
    row: &RecordRow,
    fields: Option<&ReferralFields>,
    mut draft: Draft,
) -> Result<ActionTaken, ActRefused> {
    let id = draft.record;
    if let Some(fields) = fields {
        carried(txn, fields, row.kind, [row.from, row.to])?.allowed()?;
    }
    let (action, side) = (draft.action.action(), row.own_side());
    let events = events(txn, id)?;
    if is_full(row.kind, &events, action, Direction::Sent) {
        return Err(ActRefused::Full(row.kind, id));
    }
    let history = history(&events, row).map_err(RowsError::from)?;
    let resolution = resolve(row.kind, &history);
    if let Err(refused) = row.kind.after(resolution.state, action, side) {
        let state = if row.kind.spec().two_sided {
            refused.state
        } else {
            // Its people are told where they see it.
            row.state()
        };
        return Err(NotAllowed { state, ..refused }.into());
    }
    draft.predecessors = resolution.heads.into_iter().map(Hash::from).collect();
    let staged = outbox.stage(txn, &draft)?;
    taken(txn, id, staged.index)
}

/// What an action says, if it has what it needs.
fn said(family: Family, new: &NewAction) -> Result<Content, ActRefused> {
    let needs = ActRefused::Needs;
    let is_long = new.note.chars().count() > NOTE_CHARS;
    if new.return_reason.is_some() != (new.action == Action::Return) {
        return Err(needs("a return, and nothing else, states a return reason"));
    }
    if new.outcome.is_some() != (new.action == Action::Assess) {
        return Err(needs("an assessment, and nothing else, states an outcome"));
    }
    match (family.is_two_sided(), &new.fields, new.action.restates()) {
        (false, None, false) => {
            if is_long {
                return Err(ActRefused::NoteTooLong);
            }
            Ok(Content::LeadAnswer(LeadAnswer {
                outcome: new.outcome,
                note: new.note.clone(),
            }))
        }
        (true, Some(_) | None, _) if is_long => Err(ContentDefect::TooLong("note").into()),
        (true, Some(fields), true) => {
            fields.check()?;
            Ok(Content::Referral(Box::new(fields.clone())))
        }
        (true, None, false) => {
            // A partner that is asked for more, told of a result or contradicted needs to know what.
            let speaks = matches!(
                new.action,
                Action::RequestSupplement
                    | Action::Supply
                    | Action::Progress
                    | Action::Feedback
                    | Action::Dispute
                    | Action::Recall
            );
            if speaks && new.note.trim().is_empty() {
                return Err(needs("this step needs a note that says what"));
            }
            Ok(Content::ReferralNote(Note(new.note.clone())))
        }
        (_, None, true) => Err(needs(
            "a resubmission or correction says the whole referral anew",
        )),
        (_, Some(_), _) => Err(needs(
            "only a resubmission or a correction says the referral anew",
        )),
    }
}

/// Where a record stands after what was staged.
pub(super) fn taken(
    txn: &mut Txn<'_>,
    id: RecordId,
    index: u64,
) -> Result<ActionTaken, ActRefused> {
    let row = record(txn, id)?.ok_or(CaseworkError::NotFound(id))?;
    Ok(ActionTaken {
        record: id,
        index,
        state: row.state(),
    })
}
