//! Which verified dispatches are admitted. The rules of leads; those of referrals are beside them.

use super::{
    caught_admission::judge_caught,
    lead_rows::{Direction, NumberRow, lead},
    lead_view::{content_tag, number_tag},
    partner_cards::CardReader,
    partner_rows::{Row, get},
    referral_admission::{is_taken, judge_act, judge_open},
    rows::{EVENTS_PER_RECORD, RowsError, events},
};
use crate::{
    access::{
        ActOnReferral, AnswerLead, ApproveReferral, OpenReferral, PushCaught, PushLeads, may,
    },
    domain::{Jurisdiction, Lead, LeadStep, ReferralKind},
    entry::{Cause, Content, DispatchAction, DispatchSent, LeadAnswer, Refusal},
    exchange::{Admission, NotYet, Partner, RowError, Rows as _, Unfit, Vault, VerifiedDispatch},
    log::Txn,
    store::tables,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// A note is at most so many characters.
pub(super) const NOTE_LIMIT: usize = 2_000;

/// The rules of everything that partners send.
#[derive(Debug)]
pub struct DeskAdmission {
    own: Jurisdiction,
    vault: Arc<Vault>,
    cards: Arc<dyn CardReader>,
    /// The card of each partner that was read last, by its SHA-256: a delivery costs no signature's verification.
    read: Mutex<BTreeMap<Jurisdiction, ([u8; 32], Partner)>>,
}

impl DeskAdmission {
    /// The rules at the node of this jurisdiction.
    pub fn new(own: Jurisdiction, vault: Arc<Vault>, cards: Arc<dyn CardReader>) -> Self {
        Self {
            own,
            vault,
            cards,
            read: Mutex::default(),
        }
    }

    /// Whether a row holds the card that this partner is read from.
    fn is_card_of(&self, row: &Row, partner: &Partner) -> bool {
        let digest = row.digest();
        let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, read)) = known.get(&partner.code)
            && *of == digest
        {
            return read == partner;
        }
        let Ok(read) = self.cards.read(row.card.as_bytes()) else {
            return false;
        };
        let is_same = read == *partner;
        known.insert(partner.code, (digest, read));
        is_same
    }

    fn judge(
        &self,
        txn: &mut Txn<'_>,
        dispatch: &VerifiedDispatch,
    ) -> Result<Result<(), Refusal>, RowsError> {
        let (sent, content) = (dispatch.sent(), dispatch.content());
        let step = match sent.action {
            DispatchAction::Lead(step) => step,
            DispatchAction::Open(kind) => return judge_open(txn, sent, kind, content),
            DispatchAction::Referral(act) => {
                return judge_act(txn, self.own, dispatch, act);
            }
            DispatchAction::Caught => {
                return judge_caught(txn, &self.vault.ring(), self.own, sent, content);
            }
        };
        match (step, content) {
            (LeadStep::Lead, Content::Lead(fields)) => {
                match Lead::reread(fields.as_ref().clone()) {
                    Ok(lead) => self.lead(txn, sent, &lead),
                    Err(_) => Ok(Err(Refusal::InvalidContent)),
                }
            }
            (LeadStep::Sign | LeadStep::Assess | LeadStep::Return, Content::LeadAnswer(answer)) => {
                self.answer(txn, sent, step, answer)
            }
            (_, _) => Ok(Err(Refusal::InvalidContent)),
        }
    }

    fn lead(
        &self,
        txn: &mut Txn<'_>,
        sent: &DispatchSent,
        new: &Lead,
    ) -> Result<Result<(), Refusal>, RowsError> {
        let ours = new
            .destination()
            .jurisdiction()
            .ancestry()
            .any(|code| code == self.own);
        let fits = ours
            && new.urgency() == sent.urgency
            && new.handling() == sent.handling
            && sent.predecessors.is_empty();
        if !fits {
            return Ok(Err(Refusal::InvalidContent));
        }
        let ring = self.vault.ring();
        let tag = number_tag(&ring, sent.from, new.number());
        if let Some(row) = txn.row(&tables::lead_number(&tag))? {
            // The same lead number with other content asks for a correction; under another id it is a conflict.
            let same = NumberRow::from_bytes(&row)?.content == content_tag(&ring, new);
            return Ok(Err(if same {
                Refusal::Conflict
            } else {
                Refusal::ChangedContent
            }));
        }
        if is_taken(txn, sent.record)? {
            return Ok(Err(Refusal::Conflict));
        }
        Ok(Ok(()))
    }

    fn answer(
        &self,
        txn: &mut Txn<'_>,
        sent: &DispatchSent,
        step: LeadStep,
        answer: &LeadAnswer,
    ) -> Result<Result<(), Refusal>, RowsError> {
        let is_assessment = step == LeadStep::Assess;
        if answer.outcome.is_some() != is_assessment || answer.note.chars().count() > NOTE_LIMIT {
            return Ok(Err(Refusal::InvalidContent));
        }
        // Only the recipient of a lead answers it.
        let theirs = lead(txn, sent.record)?.is_some_and(|row| {
            row.direction == Direction::Sent && row.to == sent.from && row.from == self.own
        });
        let full = events(txn, sent.record)?.len() >= EVENTS_PER_RECORD;
        if !theirs || full || sent.predecessors.is_empty() {
            return Ok(Err(Refusal::NotAllowed));
        }
        Ok(Ok(()))
    }
}

/// Whether somebody of this role does such a thing for this purpose: a partner's people are judged by the table that ours
/// are. The second person behind a transfer is in the partner's log; the one who sends it is the one who approved it.
fn may_cause(cause: &Cause, action: DispatchAction) -> bool {
    let Some(grounds) = &cause.grounds else {
        return false;
    };
    let (role, purpose) = (cause.principal.role(), grounds.purpose);
    match action {
        DispatchAction::Lead(LeadStep::Lead) => may(PushLeads, role, purpose),
        DispatchAction::Lead(LeadStep::Sign | LeadStep::Assess | LeadStep::Return) => {
            may(AnswerLead, role, purpose)
        }
        DispatchAction::Open(ReferralKind::Assistance) => may(OpenReferral, role, purpose),
        DispatchAction::Open(ReferralKind::Transfer) => may(ApproveReferral, role, purpose),
        DispatchAction::Referral(_) => may(ActOnReferral, role, purpose),
        DispatchAction::Caught => may(PushCaught, role, purpose),
    }
}

impl Admission for DeskAdmission {
    fn admit(
        &self,
        txn: &mut Txn<'_>,
        dispatch: &VerifiedDispatch,
    ) -> Result<Result<(), Unfit>, RowError> {
        if !may_cause(&dispatch.entry().cause, dispatch.sent().action) {
            return Ok(Err(Refusal::NotAllowed.into()));
        }
        match self.judge(txn, dispatch) {
            Ok(verdict) => Ok(verdict.map_err(Unfit::from)),
            Err(RowsError::Row(error)) => Err(error),
            Err(RowsError::Damaged(damaged)) => {
                tracing::error!(%damaged, "a dispatch cannot be judged");
                // Our damage, which is mended: the sender is not to blame.
                Ok(Err(NotYet::Unable.into()))
            }
        }
    }

    fn is_in_force(&self, txn: &mut Txn<'_>, partner: &Partner) -> Result<bool, RowError> {
        match get(txn, partner.code, false) {
            Ok(row) => Ok(row.is_some_and(|row| {
                row.counts() && row.suspended_by.is_none() && self.is_card_of(&row, partner)
            })),
            Err(RowsError::Row(error)) => Err(error),
            Err(RowsError::Damaged(damaged)) => {
                tracing::error!(partner = %partner.code, %damaged, "the row of a partner");
                Ok(false)
            }
        }
    }
}
