//! Which verified dispatches are admitted: the rules of referrals.

use super::{
    Direction,
    caught_rows::caught,
    lead_rows::{LeadRow, lead},
    referral_rows::referral,
    rows::{EVENTS_WAITING, EventRow, RowsError, actions, count, events, room_for},
};
use crate::{
    domain::{
        Handling, Jurisdiction, RecordId, ReferralKind, Standing,
        referral::{NOTE_CHARS, ReferralFields},
        resolve,
    },
    exchange::Rows,
    log::Txn,
    record::{Content, DispatchAction, DispatchSent, ReferralAct, Refusal},
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
        && carried(txn, fields, kind, [sent.from, sent.to])? == Carried::Fits;
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
    let row = referral(txn, sent.record)?;
    let says = match content {
        Content::Referral(fields) if act.restates() => {
            let parties = [sent.from, sent.to];
            let kind = row.as_ref().map_or(ReferralKind::Transfer, |row| row.kind);
            fields.check().is_ok() && carried(txn, fields, kind, parties)? == Carried::Fits
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
    let row = row.filter(|row| match row.direction {
        Direction::Sent => row.from == own && row.to == sent.from,
        Direction::Received => row.to == own && row.from == sent.from,
    });
    let Some(row) = row.filter(|_| !sent.predecessors.is_empty()) else {
        return Ok(Err(Refusal::NotAllowed));
    };
    let events = events(txn, sent.record)?;
    let full = count(&events, Direction::Received) >= room_for(act)
        || waits(&events, row.direction, sent)?;
    Ok(if full {
        Err(Refusal::NotAllowed)
    } else {
        Ok(())
    })
}

/// True for an action that would wait for another while as many wait as may.
fn waits(
    events: &[(u64, EventRow)],
    opened: Direction,
    sent: &DispatchSent,
) -> Result<bool, RowsError> {
    let actions = actions(events, opened, DispatchAction::referral_step)?;
    let standings = resolve(&actions).standings;
    let waiting = |standing: Option<&Standing>| standing.is_none_or(|it| *it == Standing::Waiting);
    let many = standings.values().filter(|it| waiting(Some(it))).count();
    let this = sent
        .predecessors
        .iter()
        .any(|hash| waiting(standings.get(hash.as_bytes())));
    Ok(this && many >= EVENTS_WAITING)
}

/// H1 forbids use as evidence, which a transfer is.
pub(super) const fn may_carry(kind: ReferralKind, handling: Handling) -> bool {
    !matches!((kind, handling), (ReferralKind::Transfer, Handling::H1))
}

/// Whether a referral may carry the leads that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    Fits,
    /// One is not between these two: nothing of a third party's is passed on.
    Foreign,
    /// One came under H1, and this is a transfer.
    NotAsEvidence,
}

/// Looks at every lead that a referral carries.
pub(super) fn carried(
    rows: &mut dyn Rows,
    fields: &ReferralFields,
    kind: ReferralKind,
    parties: [Jurisdiction; 2],
) -> Result<Carried, RowsError> {
    let Ok(leads) = fields.leads() else {
        return Ok(Carried::Foreign);
    };
    for id in leads {
        let Some(row) = lead(rows, id)?.filter(|row| is_theirs(row, parties)) else {
            return Ok(Carried::Foreign);
        };
        if !may_carry(kind, row.handling) {
            return Ok(Carried::NotAsEvidence);
        }
    }
    Ok(Carried::Fits)
}

/// True for a lead between these two, whichever way it went.
pub(super) fn is_between(
    rows: &mut dyn Rows,
    id: RecordId,
    parties: [Jurisdiction; 2],
) -> Result<bool, RowsError> {
    Ok(lead(rows, id)?.is_some_and(|row| is_theirs(&row, parties)))
}

fn is_theirs(row: &LeadRow, parties: [Jurisdiction; 2]) -> bool {
    parties.contains(&row.from) && parties.contains(&row.to)
}
