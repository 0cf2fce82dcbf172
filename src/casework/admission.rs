//! Which verified dispatches are admitted: the rules of everything that partners send.

use super::{
    carried::{Carried, carried, is_between, may_carry},
    event_row::{EVENTS_WAITING, EventRow, events, history, is_full},
    findable::{Numbered, Taken},
    partner_cards::CardReader,
    partner_rows::{Row, get},
    record_row::{Direction, RecordRow, record, record_of},
    row_codec::RowsError,
};
use crate::{
    access::{ActOn, ApproveReferral, Submit, may},
    domain::{
        Action, Family, Jurisdiction, Locality, RecordKind, SheetRecord, Standing, State,
        content::referral::{NOTE_CHARS, ReferralFields},
        resolve,
    },
    entry::{
        Cause, Content, DispatchAction, DispatchSent, LeadAnswer, Refusal, RowVisitor, SheetRow,
    },
    exchange::{Admission, NotYet, Partner, RowError, Unfit, Vault, VerifiedDispatch},
    log::Txn,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

type Judged = Result<Result<(), Refusal>, RowsError>;

/// The rules of everything that partners send.
#[derive(Debug)]
pub struct CaseworkAdmission {
    own: Jurisdiction,
    vault: Arc<Vault>,
    cards: Arc<dyn CardReader>,
    /// The card of each partner that was read last, by its SHA-256: a delivery costs no signature's verification.
    read: Mutex<BTreeMap<Jurisdiction, ([u8; 32], Partner)>>,
}

impl CaseworkAdmission {
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

    fn judge(&self, txn: &mut Txn<'_>, dispatch: &VerifiedDispatch) -> Judged {
        let (sent, content) = (dispatch.sent(), dispatch.content());
        match (sent.action.opens(), sent.action.family(), content) {
            (
                Some(kind @ (RecordKind::Assistance | RecordKind::Transfer)),
                _,
                Content::Referral(fields),
            ) => judge_referral(txn, sent, kind, fields),
            (None, Family::Lead | Family::ArrestNotice, Content::LeadAnswer(answer)) => {
                judge_answer(txn, self.own, sent, answer)
            }
            (None, Family::Referral, _) => judge_referral_action(txn, self.own, dispatch),
            (Some(kind), ..) => {
                let row = OpenedRow {
                    admission: self,
                    txn,
                    sent,
                    kind,
                };
                content
                    .visit_row(row)
                    .unwrap_or(Ok(Err(Refusal::InvalidContent)))
            }
            (None, ..) => Ok(Err(Refusal::InvalidContent)),
        }
    }

    /// True for a place that this node answers for: what concerns the county may come to the province.
    fn is_ours(&self, place: &Locality) -> bool {
        let mut ancestry = place.jurisdiction().ancestry();
        ancestry.any(|code| code == self.own)
    }
}

/// A row of a partner's sheet, which opens a record.
struct OpenedRow<'a, 'txn> {
    admission: &'a CaseworkAdmission,
    txn: &'a mut Txn<'txn>,
    sent: &'a DispatchSent,
    kind: RecordKind,
}

impl<'f> RowVisitor<'f> for OpenedRow<'_, '_> {
    type Output = Judged;

    fn visit<C: SheetRow>(self, fields: &'f C::Fields) -> Judged {
        let (txn, sent) = (self.txn, self.sent);
        let Ok(new) = SheetRecord::<C>::reread(fields) else {
            return Ok(Err(Refusal::InvalidContent));
        };
        let lead_fits = match new.lead() {
            Some(lead) => is_between(txn, lead, [sent.from, sent.to])?,
            None => true,
        };
        let fits = C::RECORD.kind == self.kind
            && new
                .place()
                .is_some_and(|place| self.admission.is_ours(&place))
            && new.terms() == (sent.urgency, sent.handling)
            && lead_fits
            && sent.predecessors.is_empty();
        if !fits {
            return Ok(Err(Refusal::InvalidContent));
        }
        // The same number with other content asks for a correction; under another id it is a conflict.
        let number = Numbered::of(&new).taken(&self.admission.vault.ring(), sent.from);
        match number.look(txn)? {
            Some(Taken::Same(_)) => Ok(Err(Refusal::Conflict)),
            Some(Taken::Other) => Ok(Err(Refusal::ChangedContent)),
            None => is_new(txn, sent),
        }
    }
}

const fn allow(allowed: bool) -> Judged {
    Ok(if allowed {
        Ok(())
    } else {
        Err(Refusal::NotAllowed)
    })
}

/// No record of any kind has its id.
fn is_new(txn: &mut Txn<'_>, sent: &DispatchSent) -> Judged {
    Ok(match record(txn, sent.record)? {
        None => Ok(()),
        Some(_) => Err(Refusal::Conflict),
    })
}

/// A partner opens a referral.
fn judge_referral(
    txn: &mut Txn<'_>,
    sent: &DispatchSent,
    kind: RecordKind,
    fields: &ReferralFields,
) -> Judged {
    let fits = fields.check().is_ok()
        && sent.predecessors.is_empty()
        && may_carry(kind, sent.handling)
        && carried(txn, fields, kind, [sent.from, sent.to])? == Carried::Fits;
    if !fits {
        return Ok(Err(Refusal::InvalidContent));
    }
    is_new(txn, sent)
}

/// A partner answers a lead.
fn judge_answer(
    txn: &mut Txn<'_>,
    own: Jurisdiction,
    sent: &DispatchSent,
    answer: &LeadAnswer,
) -> Judged {
    let is_assessment = sent.action.action() == Action::Assess;
    if answer.outcome.is_some() != is_assessment || answer.note.chars().count() > NOTE_CHARS {
        return Ok(Err(Refusal::InvalidContent));
    }
    // Only the side that takes such an action, in any state.
    let action = sent.action.action();
    let row = record_of(txn, sent.action.family(), sent.record)?.filter(|row| {
        let theirs = row.own_side().other();
        let parties = row.party(row.own_side()) == own && row.party(theirs) == sent.from;
        parties && row.kind.takes(action, theirs) && !sent.predecessors.is_empty()
    });
    let Some(row) = row else {
        return allow(false);
    };
    let events = events(txn, sent.record)?;
    allow(!is_full(
        row.kind,
        &events,
        sent.action.action(),
        Direction::Received,
    ))
}

/// A partner takes an action on a referral. Whether it counts, the table decides on both nodes alike; what one side
/// alone may not do with a transfer does not come in.
fn judge_referral_action(
    txn: &mut Txn<'_>,
    own: Jurisdiction,
    dispatch: &VerifiedDispatch,
) -> Judged {
    let (sent, content) = (dispatch.sent(), dispatch.content());
    let action = sent.action.action();
    let row = record_of(txn, Family::Referral, sent.record)?;
    let says = if let Content::Referral(fields) = content {
        let parties = [sent.from, sent.to];
        let kind = row.as_ref().map_or(RecordKind::Transfer, |row| row.kind);
        action.restates()
            && fields.check().is_ok()
            && carried(txn, fields, kind, parties)? == Carried::Fits
    } else if let Content::ReferralNote(note) = content {
        !action.restates() && note.0.chars().count() <= NOTE_CHARS
    } else {
        false
    };
    if !says {
        return Ok(Err(Refusal::InvalidContent));
    }
    let row = row.filter(|row| match row.direction {
        Direction::Sent => row.from == own && row.to == sent.from,
        Direction::Received => row.to == own && row.from == sent.from,
    });
    let Some(row) = row.filter(|_| !sent.predecessors.is_empty()) else {
        return Ok(Err(Refusal::NotAllowed));
    };
    let events = events(txn, sent.record)?;
    let refused = is_full(row.kind, &events, action, Direction::Received)
        || waits(&events, &row, sent)?
        || is_withheld(&row, &events, dispatch)?;
    allow(!refused)
}

/// True for an action that would wait for another while as many wait as may.
fn waits(
    events: &[(u64, EventRow)],
    row: &RecordRow,
    sent: &DispatchSent,
) -> Result<bool, RowsError> {
    let standings = resolve(row.kind, &history(events, row)?).standings;
    let waiting = |standing: Option<&Standing>| standing.is_none_or(|it| *it == Standing::Waiting);
    let many = standings.values().filter(|it| waiting(Some(it))).count();
    let this = sent
        .predecessors
        .iter()
        .any(|hash| waiting(standings.get(hash.as_bytes())));
    Ok(this && many >= EVENTS_WAITING)
}

/// True for an action that the originator of a transfer may not take alone, in view of all that it had seen when it took it: a
/// recall that crossed with an acceptance was made in time. It had seen what it names; what its own actions before it name,
/// which come in the order in which they were taken; and of our actions those that were in its log before, whatever it
/// names.
fn is_withheld(
    row: &RecordRow,
    events: &[(u64, EventRow)],
    dispatch: &VerifiedDispatch,
) -> Result<bool, RowsError> {
    let action = dispatch.sent().action.action();
    let guarded = State::ALL
        .iter()
        .any(|state| row.kind.withheld(*state, action).is_some());
    if !guarded || row.direction == Direction::Sent {
        return Ok(false);
    }
    let (sent, at) = (dispatch.sent(), dispatch.received().sender_index);
    let history = history(events, row)?;
    let by_hash: BTreeMap<_, _> = history.iter().map(|a| (a.hash, a)).collect();
    let had = |event: &EventRow| match event.direction {
        Direction::Received => true,
        Direction::Sent => {
            let proof = event.receipt.as_ref();
            proof.is_some_and(|receipt| receipt.partner_index < at)
        }
    };
    let mut look_at: Vec<_> = sent.predecessors.iter().map(|h| *h.as_bytes()).collect();
    for ((_, event), taken) in events.iter().zip(&history) {
        if had(event) {
            look_at.push(taken.hash);
        }
    }
    let mut seen = BTreeMap::new();
    while let Some(hash) = look_at.pop() {
        let Some(taken) = by_hash.get(&hash) else {
            // Nothing shows that it was made in time.
            return Ok(true);
        };
        if seen.insert(hash, (*taken).clone()).is_none() {
            look_at.extend(&taken.predecessors);
        }
    }
    let seen: Vec<_> = seen.into_values().collect();
    let state = resolve(row.kind, &seen).state;
    let may = row.kind.after(state, action, row.own_side().other());
    Ok(may.is_err())
}

/// Whether somebody of this role does such a thing for this purpose: a partner's people are judged by the table that ours
/// are. The second person behind a transfer is in the partner's log; the one who sends it is the one who approved it.
fn may_cause(cause: &Cause, action: DispatchAction) -> bool {
    let Some(grounds) = &cause.grounds else {
        return false;
    };
    let (role, purpose) = (cause.principal.role(), grounds.purpose);
    match action.opens().map(RecordKind::spec) {
        Some(spec) if spec.drafted => may(ApproveReferral, role, purpose),
        Some(spec) => may(Submit(spec.family), role, purpose),
        None => may(ActOn(action.family()), role, purpose),
    }
}

impl Admission for CaseworkAdmission {
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
