//! Calls to a node about leads.

use super::wire::{action, columns, handling, reason, receipt, stated, urgency};
use crate::{
    cli::{
        args::LookArgs,
        client::Connection,
        exit::Failure,
        record::{
            kind::Kind,
            row::{Answer, Event, Opened, Page, Query, Row, Step, Term},
            sheet::submission::{Judged, Rules, SheetKind, Source, Take},
        },
    },
    domain::{
        AssessmentOutcome, Column, Family, Jurisdiction, LeadRules, LeadState, Parsed, RecordId,
    },
    entry::{self, DispatchAction, pb},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

pub(super) async fn list(node: &Connection, query: Query) -> Result<Page, Failure> {
    let request = pb::ListLeadsRequest {
        grounds: node.grounds(),
        direction: query.direction.map_or(0, |way| way.to_wire().into()),
        states: query.states,
        origin: query.origin,
        destination: query.destination,
        urgency: query.urgency.map_or(0, entry::urgency_to_wire),
        since_ms: query.since_ms,
        before_ms: query.before_ms,
        resident_number: query.number,
        after_index: query.after,
        limit: query.limit,
        override_assignment: query.overriding,
    };
    let page = node
        .patient(async || node.desk().list_leads(request.clone()).await)
        .await?;
    Ok(Page {
        rows: page.leads.into_iter().map(row).collect(),
        next: page.next_after,
    })
}

fn row(lead: pb::LeadSummary) -> Row {
    let outcome = entry::outcome_from_wire(lead.outcome);
    Row {
        id: lead.lead_id,
        log_index: lead.log_index,
        time_ms: lead.time_ms,
        origin: lead.origin,
        destination: lead.destination,
        state: state(lead.state),
        outcome: outcome.map(|outcome| Term::of(outcome, AssessmentOutcome::label)),
        return_reason: reason(lead.return_reason),
        refusal: lead.refusal,
        number: lead.number,
        put_off: lead.put_off,
        urgency: urgency(lead.urgency),
        handling: handling(lead.handling),
        due_ms: lead.sign_by_ms,
        assigned_to: lead.assigned_to,
        ..Row::default()
    }
}

fn state(value: i32) -> Option<Term> {
    let mut all = LeadState::ALL.iter().copied();
    let state = all.find(|state| state_to_wire(*state) == value)?;
    Some(Term::of(state, LeadState::label))
}

pub(in crate::cli) const fn state_to_wire(state: LeadState) -> i32 {
    let wire = match state {
        LeadState::Sent => pb::LeadState::Sent,
        LeadState::Delivered => pb::LeadState::Delivered,
        LeadState::SignedFor => pb::LeadState::SignedFor,
        LeadState::Assessed => pb::LeadState::Assessed,
        LeadState::Returned => pb::LeadState::Returned,
        LeadState::Refused => pb::LeadState::Refused,
    };
    wire as i32
}

pub(super) async fn show(
    node: &Connection,
    lead: RecordId,
    look: LookArgs,
) -> Result<Option<Opened>, Failure> {
    let request = pb::ShowLeadRequest {
        grounds: node.grounds(),
        lead_id: lead.to_string(),
        override_assignment: look.over.assignment,
        standing_only: look.standing,
    };
    let shown = node
        .patient(async || node.desk().show_lead(request.clone()).await)
        .await?;
    let content = shown.lead.map(entry::lead_from_wire);
    Ok(shown.summary.map(|summary| Opened {
        row: row(summary),
        content: content.map(columns::<Column>),
        events: Some(shown.events.into_iter().map(event).collect()),
        allowed: None,
        advice: None,
        consulted_index: shown.consulted_index,
    }))
}

fn event(event: pb::LeadEvent) -> Event {
    let answer = event.answer.unwrap_or_default();
    let outcome = entry::outcome_from_wire(answer.outcome);
    Event {
        log_index: event.log_index,
        time_ms: event.time_ms,
        action: action(event.action),
        principal: event.principal,
        superseded: event.superseded,
        waiting: event.waiting,
        outcome: Some(outcome.map(|outcome| Term::of(outcome, AssessmentOutcome::label))),
        return_reason: reason(event.return_reason),
        note: stated(answer.note),
        receipt: event.receipt.map(receipt),
    }
}

/// Takes a step on a lead that came to the node.
pub(in crate::cli) async fn act(
    node: &Connection,
    lead: RecordId,
    step: &Step,
) -> Result<Answer, Failure> {
    let request = pb::AnswerLeadRequest {
        grounds: node.grounds(),
        lead_id: lead.to_string(),
        action: DispatchAction::act_to_wire(Family::Lead, step.action),
        outcome: step.outcome.map_or(0, entry::outcome_to_wire),
        return_reason: step.reason.map_or(0, entry::return_reason_to_wire),
        note: step.note.clone(),
        override_assignment: step.overriding,
    };
    let answer = node
        .patient(async || node.desk().answer_lead(request.clone()).await)
        .await?;
    Ok(Answer {
        id: request.lead_id,
        state: state(answer.state),
        log_index: answer.log_index,
    })
}

impl SheetKind for Column {
    type Parsed = Parsed;
    type Request = pb::PushLeadsRequest;
    type Response = pb::PushLeadsResponse;

    const KIND: Kind = Kind::Lead;
    const AGAIN: [&'static str; 2] = ["重新发送同一表格即可", "push the same sheet again"];

    fn check(source: Source<Self>, rules: &Rules, take: Take<'_, Self>) {
        let rules = LeadRules {
            own: rules.own,
            partners: &rules.partners,
            today: rules.today,
        };
        source.check(&rules, take);
    }

    fn route(parsed: &Parsed) -> Jurisdiction {
        parsed.route
    }

    fn request(grounds: Option<pb::Grounds>, row: u64, parsed: &Parsed) -> Self::Request {
        pb::PushLeadsRequest {
            grounds,
            row,
            lead: Some(entry::lead_to_wire(&parsed.lead.to_fields())),
        }
    }

    async fn push(
        node: &Connection,
        requests: ReceiverStream<Self::Request>,
    ) -> Result<Streaming<Self::Response>, Failure> {
        node.call(node.desk().push_leads(requests)).await
    }

    fn judged(answer: Self::Response) -> Option<Judged> {
        Some(Judged {
            log_index: answer.log_index,
            reasons: answer.reasons,
            refusal: answer.refusal,
            ..Judged::of(answer.row, answer.verdict, &answer.lead_id)?
        })
    }
}
