//! Messages about records to what they mean, and back.

use super::{
    convert::{self, WireDefect},
    pb,
};
use crate::{
    access::Assignee,
    casework::{
        About, ActionTaken, Casework, Detail, Direction, EventDetail, Listed, NewAction,
        NewReferral, PAGE_LIMIT, Query, ReceiptSummary, RecordRow,
    },
    domain::{
        Action, Family, Finding, Lang, RecordId, ResidentNumber, SheetColumn, Standing, State,
        Timestamp,
    },
    entry::{self, Content, DispatchAction},
    exchange::NotYet,
};

pub(super) fn family(value: i32) -> Result<Family, WireDefect> {
    required(value, entry::family_from_wire, "family")
}

pub(super) fn record_id(text: &str) -> Result<RecordId, WireDefect> {
    convert::id(text, "record_id")
}

/// A value of a closed list that need not be stated.
fn stated<T>(
    value: i32,
    known: fn(i32) -> Option<T>,
    field: &'static str,
) -> Result<Option<T>, WireDefect> {
    match value {
        0 => Ok(None),
        value => known(value).map(Some).ok_or(WireDefect::Malformed(field)),
    }
}

fn required<T>(
    value: i32,
    known: fn(i32) -> Option<T>,
    field: &'static str,
) -> Result<T, WireDefect> {
    stated(value, known, field)?.ok_or(WireDefect::Missing(field))
}

/// Milliseconds since 1970-01-01 UTC; 0 where nothing is stated.
fn time(millis: u64) -> Option<Timestamp> {
    (millis != 0).then(|| Timestamp::from_millis(millis))
}

fn limit(asked: u32) -> Result<usize, WireDefect> {
    match usize::try_from(asked).unwrap_or(usize::MAX) {
        0 => Ok(100),
        limit if limit <= PAGE_LIMIT => Ok(limit),
        _ => Err(WireDefect::TooMuch {
            field: "limit",
            most: PAGE_LIMIT,
        }),
    }
}

fn direction(value: i32) -> Option<Direction> {
    match pb::Direction::try_from(value) {
        Ok(pb::Direction::Sent) => Some(Direction::Sent),
        Ok(pb::Direction::Received) => Some(Direction::Received),
        Ok(pb::Direction::Unspecified) | Err(_) => None,
    }
}

/// The states of a family that are asked for.
fn states(family: Family, asked: &[i32]) -> Result<Vec<State>, WireDefect> {
    if asked.len() > family.states().count() {
        return Err(WireDefect::TooLong("states"));
    }
    let known = |value: &i32| {
        let state = entry::state_from_wire(*value)?;
        family.states().find(|it| *it == state)
    };
    let asked = asked.iter().map(known);
    asked
        .collect::<Option<_>>()
        .ok_or(WireDefect::Malformed("states"))
}

/// What records of a family are searched for. A word that its index does not have would find nothing and be a trace of
/// nothing, so it is refused.
fn about(family: Family, request: &pb::ListRecordsRequest) -> Result<About, WireDefect> {
    let fields = [
        ("name", "name", &request.name),
        ("place", "place_code", &request.place_code),
        ("substance", "substance", &request.substance),
    ];
    let number = &request.resident_number;
    // What a referral says is taken as it is written.
    if !number.is_empty() && family != Family::Referral {
        ResidentNumber::parse(number).map_err(|_| WireDefect::Malformed("resident_number"))?;
    }
    let mut about = About::default().text("number", number);
    for (index, field, value) in fields {
        if !value.is_empty() && !family.is_found_by(index) {
            return Err(WireDefect::Malformed(field));
        }
        about = about.text(index, value);
    }
    Ok(about)
}

impl TryFrom<pb::ListRecordsRequest> for Query {
    type Error = WireDefect;

    fn try_from(request: pb::ListRecordsRequest) -> Result<Self, WireDefect> {
        let family = family(request.family)?;
        let kind = stated(request.kind, entry::kind_from_wire, "kind")?;
        if kind.is_some_and(|kind| kind.family() != family) {
            return Err(WireDefect::Malformed("kind"));
        }
        Ok(Self {
            direction: stated(request.direction, direction, "direction")?,
            states: states(family, &request.states)?,
            kind,
            origin: convert::optional(&request.origin, "origin")?,
            destination: convert::optional(&request.destination, "destination")?,
            counterpart: convert::optional(&request.counterpart, "counterpart")?,
            urgency: stated(request.urgency, entry::urgency_from_wire, "urgency")?,
            since: time(request.since_ms),
            before: time(request.before_ms),
            due_before: time(request.due_before_ms),
            about: about(family, &request)?,
            after_index: request.after_index,
            limit: limit(request.limit)?,
        })
    }
}

impl TryFrom<pb::OpenReferralRequest> for NewReferral {
    type Error = WireDefect;

    fn try_from(request: pb::OpenReferralRequest) -> Result<Self, WireDefect> {
        let kind = required(request.kind, entry::kind_from_wire, "kind")?;
        if kind.family() != Family::Referral {
            return Err(WireDefect::Malformed("kind"));
        }
        let referral = request.referral.ok_or(WireDefect::Missing("referral"))?;
        Ok(Self {
            kind,
            to: convert::jurisdiction(&request.to, "to")?,
            fields: referral.into(),
            urgency: required(request.urgency, entry::urgency_from_wire, "urgency")?,
            handling: required(request.handling, entry::handling_from_wire, "handling")?,
        })
    }
}

impl TryFrom<pb::ActOnRecordRequest> for NewAction {
    type Error = WireDefect;

    fn try_from(request: pb::ActOnRecordRequest) -> Result<Self, WireDefect> {
        let family = family(request.family)?;
        let (outcome, reason) = (request.outcome, request.return_reason);
        let outcome = stated(outcome, entry::outcome_from_wire, "outcome")?;
        let return_reason = stated(reason, entry::return_reason_from_wire, "return_reason")?;
        let action = required(request.action, DispatchAction::from_wire, "action")?;
        if action.family() != family || action.opens().is_some() {
            return Err(WireDefect::Malformed("action"));
        }
        let action = action.action();
        goes_with(action == Action::Assess, outcome.is_some(), "outcome")?;
        let (returns, states) = (action == Action::Return, return_reason.is_some());
        goes_with(returns, states, "return_reason")?;
        Ok(Self {
            action,
            outcome,
            return_reason,
            note: request.note,
            fields: request.referral.map(Into::into),
        })
    }
}

/// What one action alone states, and must.
const fn goes_with(needed: bool, is_stated: bool, field: &'static str) -> Result<(), WireDefect> {
    match (needed, is_stated) {
        (true, false) => Err(WireDefect::Missing(field)),
        (false, true) => Err(WireDefect::Malformed(field)),
        (true, true) | (false, false) => Ok(()),
    }
}

impl TryFrom<&pb::ShowRecordRequest> for (Family, RecordId) {
    type Error = WireDefect;

    fn try_from(request: &pb::ShowRecordRequest) -> Result<Self, WireDefect> {
        Ok((family(request.family)?, record_id(&request.record_id)?))
    }
}

impl TryFrom<pb::ApproveRecordRequest> for RecordId {
    type Error = WireDefect;

    fn try_from(request: pb::ApproveRecordRequest) -> Result<Self, WireDefect> {
        record_id(&request.record_id)
    }
}

impl TryFrom<pb::WatchRecordsRequest> for Family {
    type Error = WireDefect;

    fn try_from(request: pb::WatchRecordsRequest) -> Result<Self, WireDefect> {
        family(request.family)
    }
}

impl TryFrom<pb::ActOnRecordRequest> for (RecordId, NewAction) {
    type Error = WireDefect;

    fn try_from(request: pb::ActOnRecordRequest) -> Result<Self, WireDefect> {
        Ok((record_id(&request.record_id)?, request.try_into()?))
    }
}

/// To whom a record is assigned; to nobody where that is empty.
impl TryFrom<pb::AssignRecordRequest> for (RecordId, Option<Assignee>) {
    type Error = WireDefect;

    fn try_from(request: pb::AssignRecordRequest) -> Result<Self, WireDefect> {
        let to = convert::optional(&request.assignee, "assignee")?;
        Ok((record_id(&request.record_id)?, to))
    }
}

impl From<ActionTaken> for pb::ActionTaken {
    fn from(taken: ActionTaken) -> Self {
        Self {
            record_id: taken.record.to_string(),
            log_index: taken.index,
            state: entry::state_to_wire(taken.state),
        }
    }
}

/// One record without its payload.
pub(super) fn summary(casework: &Casework, record: RecordId, listed: &Listed) -> pb::RecordSummary {
    summed(casework, record, &listed.row, listed.assigned.as_ref())
}

fn summed(
    casework: &Casework,
    record: RecordId,
    row: &RecordRow,
    assigned: Option<&Assignee>,
) -> pb::RecordSummary {
    let due = row.due();
    pb::RecordSummary {
        record_id: record.to_string(),
        log_index: row.index,
        time_ms: row.time_ms,
        kind: entry::kind_to_wire(row.kind),
        origin: row.from.to_string(),
        destination: row.to.to_string(),
        state: entry::state_to_wire(row.state()),
        outcome: row.outcome.map_or(0, entry::outcome_to_wire),
        return_reason: row.return_reason.map_or(0, entry::return_reason_to_wire),
        refusal: row.refusal.clone().unwrap_or_default(),
        urgency: entry::urgency_to_wire(row.urgency),
        handling: entry::handling_to_wire(row.handling),
        sign_by_ms: row.sign_by().map_or(0, Timestamp::millis),
        due_ms: due.map_or(0, |(due, _)| due.millis()),
        obliged: due.map_or_else(String::new, |(_, side)| row.party(side).to_string()),
        assigned_to: assigned.map_or_else(String::new, Assignee::to_string),
        number: String::new(),
        put_off: casework.put_off(row).map_or("", NotYet::as_str).to_owned(),
    }
}

/// One record, opened.
pub(super) fn shown(
    casework: &Casework,
    record: RecordId,
    detail: Detail,
    consulted_index: u64,
) -> pb::ShowRecordResponse {
    let family = detail.row.kind.family();
    let allowed = detail.allowed.into_iter();
    pb::ShowRecordResponse {
        summary: Some(summed(
            casework,
            record,
            &detail.row,
            detail.assigned.as_ref(),
        )),
        content: detail.content.as_ref().map(Content::to_wire),
        events: detail.events.into_iter().map(event).collect(),
        // What stays at its node is no action that can be asked for.
        allowed: allowed
            .filter_map(|action| DispatchAction::act(family, action))
            .map(DispatchAction::to_wire)
            .collect(),
        consulted_index,
        notice_due_ms: detail.notice_due.map_or(0, Timestamp::millis),
    }
}

fn event(event: EventDetail) -> pb::RecordEvent {
    let (outcome, note) = event.said.map_or_else(Default::default, Content::spoken);
    pb::RecordEvent {
        log_index: event.index,
        time_ms: event.time.millis(),
        action: event.action.to_wire(),
        principal: event.principal,
        superseded: event.standing == Standing::Superseded,
        waiting: event.standing == Standing::Waiting,
        outcome: outcome.map_or(0, entry::outcome_to_wire),
        note,
        return_reason: event.return_reason.map_or(0, entry::return_reason_to_wire),
        receipt: event.receipt.map(receipt),
    }
}

fn receipt(receipt: ReceiptSummary) -> pb::ReceiptSummary {
    pb::ReceiptSummary {
        log_index: receipt.index,
        partner_index: receipt.partner_index,
        partner_origin: receipt.partner_origin,
        tree_size: receipt.tree_size,
        time_ms: receipt.time_ms,
    }
}

pub(super) fn reasons<C: SheetColumn>(findings: &[Finding<C>]) -> Vec<pb::Reason> {
    let reason = |finding: &Finding<C>| pb::Reason {
        column: finding.column.map_or("", SheetColumn::as_str).to_owned(),
        code: finding.code.as_str().to_owned(),
        message: finding.message(Lang::En),
    };
    findings.iter().map(reason).collect()
}
