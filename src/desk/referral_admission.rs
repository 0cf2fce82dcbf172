//! Which verified dispatches are admitted: the rules of referrals.

use super::{
    Direction,
    caught_rows::caught,
    lead_rows::lead,
    referral_rows::referral,
    rows::{EVENTS_PER_RECORD, RowsError, events},
};
use crate::{
    domain::{
        Handling, Jurisdiction, RecordId, ReferralKind,
        referral::{NOTE_CHARS, ReferralFields},
    },
    exchange::Rows,
    log::Txn,
    record::{Content, DispatchSent, ReferralAct, Refusal},
};

type Judged = Result<Result<(), Refusal>, RowsError>;

/// A partner opens a referral.
pub(super) fn judge_open(
    txn: &mut Txn<'_>,
    sent: &DispatchSent,
    kind: ReferralKind,
    content: &Content,
) -> Judged {
    let Content::Referral(fields) = content else {
        return Ok(Err(Refusal::InvalidContent));
    };
    let fits = fields.check().is_ok()
        && sent.predecessors.is_empty()
        && may_carry(kind, sent.handling)
        && carries_theirs(txn, fields, [sent.from, sent.to])?;
    if !fits {
        return Ok(Err(Refusal::InvalidContent));
    }
    Ok(if is_taken(txn, sent.record)? {
        Err(Refusal::Conflict)
    } else {
        Ok(())
    })
}

/// True where a record of any kind has this id.
pub(super) fn is_taken(rows: &mut dyn Rows, id: RecordId) -> Result<bool, RowsError> {
    Ok(lead(rows, id)?.is_some() || referral(rows, id)?.is_some() || caught(rows, id)?.is_some())
}

/// A partner takes a step on a referral. Whether the step counts, the table decides on both nodes alike.
pub(super) fn judge_act(
    txn: &mut Txn<'_>,
    own: Jurisdiction,
    sent: &DispatchSent,
    act: ReferralAct,
    content: &Content,
) -> Judged {
    let says = match content {
        Content::Referral(fields) if act.restates() => {
            fields.check().is_ok() && carries_theirs(txn, fields, [sent.from, sent.to])?
        }
        Content::ReferralNote(note) if !act.restates() => note.0.chars().count() <= NOTE_CHARS,
        Content::Referral(_)
        | Content::ReferralNote(_)
        | Content::Lead(_)
        | Content::LeadAnswer(_)
        | Content::Caught(_) => false,
    };
    if !says {
        return Ok(Err(Refusal::InvalidContent));
    }
    let between = referral(txn, sent.record)?.is_some_and(|row| match row.direction {
        Direction::Sent => row.from == own && row.to == sent.from,
        Direction::Received => row.to == own && row.from == sent.from,
    });
    let full = events(txn, sent.record)?.len() >= EVENTS_PER_RECORD;
    if !between || full || sent.predecessors.is_empty() {
        return Ok(Err(Refusal::NotAllowed));
    }
    Ok(Ok(()))
}

/// H1 forbids use as evidence, which a transfer is.
pub(super) const fn may_carry(kind: ReferralKind, handling: Handling) -> bool {
    !matches!((kind, handling), (ReferralKind::Transfer, Handling::H1))
}

/// True where every lead that a referral carries is one between these two: nothing of a third party's is passed on.
pub(super) fn carries_theirs(
    rows: &mut dyn Rows,
    fields: &ReferralFields,
    parties: [Jurisdiction; 2],
) -> Result<bool, RowsError> {
    let Ok(leads) = fields.leads() else {
        return Ok(false);
    };
    for id in leads {
        if !is_between(rows, id, parties)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// True for a lead between these two, whichever way it went.
pub(super) fn is_between(
    rows: &mut dyn Rows,
    id: RecordId,
    parties: [Jurisdiction; 2],
) -> Result<bool, RowsError> {
    Ok(lead(rows, id)?.is_some_and(|row| parties.contains(&row.from) && parties.contains(&row.to)))
}
