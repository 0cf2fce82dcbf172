//! Which verified dispatches are admitted: the rules of referrals.

use super::{
    Direction,
    lead_rows::lead,
    referral_rows::referral,
    rows::{EVENTS_PER_RECORD, RowsError, events},
};
use crate::{
    domain::{
        Handling, Jurisdiction, ReferralKind,
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
    let taken = referral(txn, sent.record)?.is_some() || lead(txn, sent.record)?.is_some();
    Ok(if taken {
        Err(Refusal::Conflict)
    } else {
        Ok(())
    })
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
        | Content::LeadAnswer(_) => false,
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
        let between = lead(rows, id)?
            .is_some_and(|row| parties.contains(&row.from) && parties.contains(&row.to));
        if !between {
            return Ok(false);
        }
    }
    Ok(true)
}
