//! Answering a lead that came to this node: sign for, assess, return.

use super::{
    Desk, DeskError, Direction,
    admission::NOTE_LIMIT,
    lead_rows::{LeadRow, lead, step_names},
    looks::clear_to_act,
    rows::{EVENTS_PER_RECORD, RowsError, actions, events},
    sight::look,
};
use crate::{
    access::{AnswerLead, Permit},
    domain::{
        AssessmentOutcome, DispatchId, LeadState, LeadStep, RecordId, ReturnReason, Side,
        Step as _, resolve,
    },
    entry::{Answer, Cause, Content, DispatchAction, LeadAnswer, Plaintext, Terms},
    exchange::{Draft, StageError, VaultError},
    log::{Proposal, ProposeError, Txn},
    merkle::Hash,
    seal::{self, PurgeMonth},
};
use std::sync::Arc;

/// An answer that an officer gives.
#[derive(Clone, Debug)]
pub enum NewAnswer {
    /// 签收.
    Sign {
        /// In words.
        note: String,
    },
    /// 核查.
    Assess {
        /// What it found.
        outcome: AssessmentOutcome,
        /// In words.
        note: String,
    },
    /// 退回.
    Return {
        /// Why, from the closed list.
        reason: ReturnReason,
        /// In words.
        note: String,
    },
}

impl NewAnswer {
    fn kind(&self) -> Answer {
        match self {
            Self::Sign { .. } => Answer::Sign,
            Self::Assess { .. } => Answer::Assess,
            Self::Return { .. } => Answer::Return,
        }
    }

    fn note(&self) -> &str {
        match self {
            Self::Sign { note } | Self::Assess { note, .. } | Self::Return { note, .. } => note,
        }
    }

    fn content(&self) -> LeadAnswer {
        LeadAnswer {
            outcome: match self {
                Self::Assess { outcome, .. } => Some(*outcome),
                Self::Sign { .. } | Self::Return { .. } => None,
            },
            note: self.note().to_owned(),
        }
    }

    fn return_reason(&self) -> Option<ReturnReason> {
        match self {
            Self::Return { reason, .. } => Some(*reason),
            Self::Sign { .. } | Self::Assess { .. } => None,
        }
    }
}

/// An answer was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AnswerRefused {
    /// There is no such lead, or the log failed.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// It was sent from here: the recipient answers it.
    #[error("lead {0} was sent from here; the jurisdiction that received it answers")]
    OwnLead(RecordId),
    /// Not in this state.
    #[error("a lead that is {state} cannot be answered so; allowed now: {allowed}")]
    NotNow {
        /// Where it stands.
        state: LeadState,
        /// The steps that the table allows.
        allowed: String,
    },
    /// The note is too long.
    #[error("a note is at most {NOTE_LIMIT} characters")]
    NoteTooLong,
    /// The lead has had as many actions as a record may have.
    #[error("lead {0} has had {EVENTS_PER_RECORD} actions, as many as a record may have")]
    Full(RecordId),
    /// It cannot be sealed or kept.
    #[error(transparent)]
    Stage(#[from] StageError),
}

/// An answer that is durable here and on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Index of its entry.
    pub index: u64,
    /// Where the lead stands now.
    pub state: LeadState,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Refused(Box<AnswerRefused>),
    #[error(transparent)]
    Rows(#[from] RowsError),
}

impl<E: Into<AnswerRefused>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Refused(Box::new(error.into()))
    }
}

impl Desk {
    /// Answers a lead. When this returns, the answer is durable here and in the outbox.
    ///
    /// # Errors
    /// The lead is not there, not to be answered here, or not so in its state; or the log failed.
    pub async fn answer(
        &self,
        permit: &Permit<AnswerLead>,
        record: RecordId,
        answer: NewAnswer,
    ) -> Result<Answered, AnswerRefused> {
        if answer.note().chars().count() > NOTE_LIMIT {
            return Err(AnswerRefused::NoteTooLong);
        }
        // A lead is assessed again and again.
        self.vault.admit_reading().map_err(DeskError::from)?;
        let asking = permit.clone();
        let listed = self
            .log
            .read(move |mut reader| look::<LeadRow, _>(&mut reader, &asking, record))
            .await
            .map_err(DeskError::from)?
            .map_err(DeskError::from)?;
        let row = listed.ok_or(DeskError::NotFound(record))?.row;
        if row.direction == Direction::Sent {
            return Err(AnswerRefused::OwnLead(record));
        }
        let month = PurgeMonth::new(row.purge_month).ok_or(DeskError::NotFound(record))?;
        let dispatch_id = DispatchId::new(self.clock.now());
        let content = Content::LeadAnswer(answer.content());
        let plaintext =
            Plaintext::new(&content).map_err(|e| StageError::from(VaultError::from(e)))?;
        let sealed = seal::seal(&plaintext.to_bytes(), dispatch_id)
            .map_err(|_| AnswerRefused::NoteTooLong)?;
        let step = LeadStep::from(answer.kind());
        let draft = Draft {
            cause: Cause {
                principal: permit.principal().clone(),
                grounds: Some(permit.grounds().clone()),
            },
            dispatch_id,
            to: row.from,
            action: DispatchAction::Lead(step),
            record,
            urgency: row.urgency,
            handling: row.handling,
            terms: Terms {
                sign_within_s: row.sign_within_s,
                review_by_day: u32::try_from(self.clock.now().seconds() / 86_400 + 365)
                    .unwrap_or(u32::MAX),
                purge_month: month,
            },
            return_reason: answer.return_reason(),
            predecessors: Vec::new(),
            commitment: plaintext.commitment(),
            content: Some(content),
            sealed,
        };
        let outbox = Arc::clone(&self.outbox);
        let permit = permit.clone();
        let proposal = Proposal::new(move |txn| decide(txn, &outbox, &permit, record, step, draft));
        let answered = match self.log.propose(proposal).await {
            Ok(answered) => answered.into_inner(),
            Err(ProposeError::Rejected(Failure::Refused(refused))) => return Err(*refused),
            Err(error) => return Err(DeskError::Log(error.to_string()).into()),
        };
        Ok(answered)
    }
}

/// Looks again with everything before it in view: two officers may answer at once. What it appends is dropped where it
/// refuses.
fn decide(
    txn: &mut Txn<'_>,
    outbox: &crate::exchange::Outbox,
    permit: &Permit<AnswerLead>,
    record: RecordId,
    step: LeadStep,
    mut draft: Draft,
) -> Result<Answered, Failure> {
    let row: LeadRow = lead(txn, record)?.ok_or(DeskError::NotFound(record))?;
    clear_to_act::<LeadRow, _>(txn, permit, record)?;
    let events = events(txn, record)?;
    if events.len() >= EVENTS_PER_RECORD {
        return Err(AnswerRefused::Full(record).into());
    }
    let actions =
        actions(&events, row.direction, DispatchAction::lead_step).map_err(RowsError::from)?;
    let resolution = resolve(&actions);
    let Some(after) = LeadStep::after(resolution.progress, step, Side::Recipient) else {
        let allowed = step_names(&LeadStep::allowed(resolution.progress, Side::Recipient));
        return Err(AnswerRefused::NotNow {
            state: row.state,
            allowed,
        }
        .into());
    };
    draft.predecessors = resolution.heads.into_iter().map(Hash::from).collect();
    let staged = outbox.stage(txn, &draft)?;
    Ok(Answered {
        index: staged.index,
        state: row.state_after(after),
    })
}
