//! Which verified dispatches are admitted: the rules of referrals.

use super::{
    Direction,
    caught_rows::caught,
    lead_rows::{LeadRow, lead},
    referral_rows::{ReferralRow, referral},
    rows::{EVENTS_WAITING, EventRow, RowsError, actions, count, events, room_for},
};
use crate::{
    domain::{
        Handling, Jurisdiction, RecordId, ReferralKind, ReferralProgress, Standing,
        referral::{NOTE_CHARS, ReferralFields},
        resolve,
    },
    entry::{Content, DispatchAction, DispatchSent, ReferralAct, Refusal},
    exchange::{Rows, VerifiedDispatch},
    log::Txn,
};
use std::collections::BTreeMap;

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

/// A partner takes a step on a referral. Whether the step counts, the table decides on both nodes alike; what one side
/// alone may not do with a transfer does not come in.
pub(super) fn judge_act(
    txn: &mut Txn<'_>,
    own: Jurisdiction,
    dispatch: &VerifiedDispatch,
    act: ReferralAct,
) -> Judged {
    let (sent, content) = (dispatch.sent(), dispatch.content());
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
    let refused = count(&events, Direction::Received) >= room_for(act)
        || waits(&events, row.direction, sent)?
        || is_withheld(&row, &events, dispatch, act)?;
    Ok(if refused {
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

/// True for a step that the originator of a transfer may not take alone, in view of all that it had seen when it took it: a
/// recall that crossed with an acceptance was made in time. It had seen what it names; what its own actions before it name,
/// which come in the order in which they were taken; and of our actions those that were in its log before, whatever it
/// names.
fn is_withheld(
    row: &ReferralRow,
    events: &[(u64, EventRow)],
    dispatch: &VerifiedDispatch,
    act: ReferralAct,
) -> Result<bool, RowsError> {
    let guarded = ReferralProgress::ALL
        .iter()
        .any(|progress| progress.withheld(row.kind, act.into()).is_some());
    if !guarded || row.direction == Direction::Sent {
        return Ok(false);
    }
    let (sent, at) = (dispatch.sent(), dispatch.received().sender_index);
    let actions = actions(events, row.direction, DispatchAction::referral_step)?;
    let by_hash: BTreeMap<_, _> = actions.iter().map(|a| (a.hash, a)).collect();
    let had = |event: &EventRow| match event.direction {
        Direction::Received => true,
        Direction::Sent => {
            let proof = event.receipt.as_ref();
            proof.is_some_and(|receipt| receipt.partner_index < at)
        }
    };
    let mut look_at: Vec<_> = sent.predecessors.iter().map(|h| *h.as_bytes()).collect();
    for ((_, event), action) in events.iter().zip(&actions) {
        if had(event) {
            look_at.push(action.hash);
        }
    }
    let mut seen = BTreeMap::new();
    while let Some(hash) = look_at.pop() {
        let Some(action) = by_hash.get(&hash) else {
            // Nothing shows that it was made in time.
            return Ok(true);
        };
        if seen.insert(hash, (*action).clone()).is_none() {
            look_at.extend(&action.predecessors);
        }
    }
    let seen: Vec<_> = seen.into_values().collect();
    let progress = resolve(&seen).progress;
    let may = progress.after(row.kind, act.into(), row.own_side().other());
    Ok(may.is_err())
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
