//! The `Desk` service.

use super::{
    convert::{self, WireDefect},
    pb,
    push::{self, Judged, Sheet, Verdicts},
    status,
};
use crate::{
    access::{self, Assignee, Permit},
    api::authorizer::Authorizer,
    desk::{
        About, Desk, Detail, EventDetail, NewAction, Query, RecordRow, SubmitRefused, SubmitTicket,
    },
    domain::{Action, Family, RecordId, Standing, State, Timestamp},
    entry::{self, Content, DispatchAction},
    exchange::NotYet,
};
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

#[derive(Clone, Debug)]
pub(super) struct DeskService {
    pub(super) authorizer: Authorizer,
    pub(super) desk: Desk,
    pub(super) tasks: TaskTracker,
}

#[tonic::async_trait]
impl pb::desk_server::Desk for DeskService {
    type PushLeadsStream = Verdicts<pb::PushLeadsResponse>;

    async fn push_leads(
        &self,
        request: Request<Streaming<pb::PushLeadsRequest>>,
    ) -> Result<Response<Self::PushLeadsStream>, Status> {
        let (_, extensions, mut requests) = request.into_parts();
        let lease = self.authorizer.stream(&extensions)?;
        let first = push::first::<Leads>(&mut requests).await?;
        let permit =
            self.authorizer
                .permit(&extensions, first.grounds.clone(), access::PushLeads)?;
        let metered = self.authorizer.metered(permit.principal());
        let desk = self.desk.clone();
        let verdicts = push::start(
            Leads { desk, permit },
            (metered, lease),
            first,
            requests,
            &self.tasks,
        );
        Ok(Response::new(verdicts))
    }

    async fn list_leads(
        &self,
        request: Request<pb::ListLeadsRequest>,
    ) -> Result<Response<pb::ListLeadsResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let permit = self
            .authorizer
            .permit(&extensions, request.grounds.clone(), access::ListLeads)?
            .overriding(request.override_assignment);
        let query = query(&request)?;
        let asked = query.about.asked();
        let searching = self.authorizer.search(&permit, asked.as_deref()).await?;
        let reading = self.authorizer.reading(&permit, query.limit)?;
        let looking = self.authorizer.look(&permit, query.limit).await?;
        let listed = self
            .desk
            .list(&permit, query)
            .await
            .map_err(|e| status::desk(&e))?;
        let (page, trace) = listed.into_inner();
        let consulted_index = reading.left(trace);
        looking.page(page.looked, asked.is_some());
        searching.found(!page.records.is_empty());
        Ok(Response::new(pb::ListLeadsResponse {
            leads: page
                .records
                .iter()
                .map(|(id, lead)| {
                    let put_off = self.desk.put_off(&lead.row);
                    pb::LeadSummary {
                        number: page.numbers.get(id).cloned().unwrap_or_default(),
                        ..summary(*id, &lead.row, lead.assigned.as_ref(), put_off)
                    }
                })
                .collect(),
            next_after: page.next_after,
            consulted_index,
        }))
    }

    async fn show_lead(
        &self,
        request: Request<pb::ShowLeadRequest>,
    ) -> Result<Response<pb::ShowLeadResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let record = convert::lead_id(&request.lead_id)?;
        let (read, reading) = if request.standing_only {
            let permit = self
                .authorizer
                .permit(&extensions, request.grounds, access::ListLeads)?;
            let reading = self.authorizer.reading(&permit, 1)?;
            (self.desk.standing(&permit, record).await, reading)
        } else {
            let permit = self
                .authorizer
                .permit(&extensions, request.grounds, access::OpenLead)?
                .overriding(request.override_assignment);
            let reading = self.authorizer.reading(&permit, 1)?;
            (self.desk.open(&permit, record).await, reading)
        };
        let (detail, trace) = read.map_err(|e| status::desk(&e))?.into_inner();
        let consulted_index = reading.left(trace);
        let put_off = self.desk.put_off(&detail.row);
        Ok(Response::new(shown(
            record,
            detail,
            put_off,
            consulted_index,
        )))
    }

    async fn answer_lead(
        &self,
        request: Request<pb::AnswerLeadRequest>,
    ) -> Result<Response<pb::AnswerLeadResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let permit = self
            .authorizer
            .permit(&extensions, request.grounds.clone(), access::AnswerLead)?
            .overriding(request.override_assignment);
        self.authorizer.acting(&permit, &request)?;
        let record = convert::lead_id(&request.lead_id)?;
        let answer = new_answer(&request)?;
        let answered = self
            .desk
            .act(&permit, record, answer)
            .await
            .map_err(|e| status::act(&e))?;
        Ok(Response::new(pb::AnswerLeadResponse {
            log_index: answered.index,
            state: state_to_wire(answered.state),
        }))
    }

    async fn assign_record(
        &self,
        request: Request<pb::AssignRecordRequest>,
    ) -> Result<Response<pb::AssignRecordResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let permit =
            self.authorizer
                .permit(&extensions, request.grounds.clone(), access::AssignRecord)?;
        self.authorizer.acting(&permit, &request)?;
        let record = convert::id(&request.record_id, "record_id")?;
        let assignee = match request.assignee.as_str() {
            "" => None,
            assignee => {
                let malformed = |_| WireDefect::Malformed("assignee");
                Some(assignee.parse().map_err(malformed)?)
            }
        };
        let assigned = self.desk.assign(&permit, record, assignee).await;
        let log_index = assigned.map_err(|refused| status::assign(&refused))?;
        Ok(Response::new(pb::AssignRecordResponse { log_index }))
    }
}

/// A sheet of leads.
struct Leads {
    desk: Desk,
    permit: Permit<access::PushLeads>,
}

impl Sheet for Leads {
    type Request = pb::PushLeadsRequest;
    /// Refused at once, or in the log's queue.
    type Row = (u64, Result<SubmitTicket, SubmitRefused>);
    type Response = pb::PushLeadsResponse;
    const WINDOW: usize = 1024;
    const ROW: &'static str = "lead";

    fn grounds(request: &Self::Request) -> Option<&pb::Grounds> {
        request.grounds.as_ref()
    }

    async fn enter(&self, request: Self::Request) -> Result<Self::Row, Status> {
        let lead = request.lead.ok_or(WireDefect::Missing("lead"))?;
        let fields = entry::lead_from_wire(lead);
        Ok((
            request.row,
            self.desk.submit_lead(&self.permit, fields).await,
        ))
    }

    async fn verdict((row, ticket): Self::Row) -> Result<Judged<Self::Response>, Status> {
        let pushed = match ticket {
            Ok(ticket) => ticket.finish().await,
            Err(refused) => Err(refused),
        };
        match pushed {
            Ok(pushed) => Ok(Judged {
                response: pb::PushLeadsResponse {
                    row,
                    verdict: if pushed.duplicate {
                        pb::Verdict::Duplicate
                    } else {
                        pb::Verdict::Accept
                    } as i32,
                    reasons: convert::reasons(&pushed.warnings),
                    lead_id: pushed.record.to_string(),
                    log_index: pushed.index,
                    refusal: pushed.refusal.unwrap_or_default(),
                },
                conflict: false,
            }),
            Err(SubmitRefused::Rejected(findings)) => Ok(Judged {
                response: pb::PushLeadsResponse {
                    row,
                    verdict: pb::Verdict::Reject as i32,
                    reasons: convert::reasons(&findings),
                    ..pb::PushLeadsResponse::default()
                },
                conflict: push::is_conflict(&findings),
            }),
            Err(refused) => Err(status::submit(&refused)),
        }
    }
}

const fn state_to_wire(state: State) -> i32 {
    let wire = match state {
        State::Sent => pb::LeadState::Sent,
        State::Delivered => pb::LeadState::Delivered,
        State::SignedFor => pb::LeadState::SignedFor,
        State::Assessed => pb::LeadState::Assessed,
        State::Returned => pb::LeadState::Returned,
        State::Refused => pb::LeadState::Refused,
        // In no lead's table.
        State::Drafted
        | State::Approved
        | State::SupplementRequested
        | State::Forwarded
        | State::Accepted
        | State::InProgress
        | State::FeedbackGiven
        | State::Confirmed
        | State::Disputed
        | State::Closed
        | State::Recalled => pb::LeadState::Unspecified,
    };
    wire as i32
}

pub(super) fn query(request: &pb::ListLeadsRequest) -> Result<Query, WireDefect> {
    let number = convert::number(&request.resident_number, "resident_number")?;
    Ok(Query {
        direction: convert::direction(request.direction)?,
        states: convert::states(Family::Lead, &request.states, state_to_wire)?,
        origin: convert::optional(&request.origin, "origin")?,
        destination: convert::optional(&request.destination, "destination")?,
        urgency: convert::stated(request.urgency, entry::urgency_from_wire, "urgency")?,
        since: convert::time(request.since_ms),
        before: convert::time(request.before_ms),
        about: About::default().number(number.as_ref()),
        after_index: request.after_index,
        limit: convert::limit(request.limit)?,
        ..Query::default()
    })
}

fn summary(
    record: RecordId,
    row: &RecordRow,
    assigned: Option<&Assignee>,
    put_off: Option<NotYet>,
) -> pb::LeadSummary {
    pb::LeadSummary {
        lead_id: record.to_string(),
        log_index: row.index,
        time_ms: row.time_ms,
        origin: row.from.to_string(),
        destination: row.to.to_string(),
        state: state_to_wire(row.state()),
        outcome: row.outcome.map_or(0, entry::outcome_to_wire),
        return_reason: row.return_reason.map_or(0, entry::return_reason_to_wire),
        refusal: row.refusal.clone().unwrap_or_default(),
        urgency: entry::urgency_to_wire(row.urgency),
        handling: entry::handling_to_wire(row.handling),
        sign_by_ms: row.sign_by().map_or(0, Timestamp::millis),
        assigned_to: convert::assigned_to(assigned),
        number: String::new(),
        put_off: put_off.map_or("", NotYet::as_str).to_owned(),
    }
}

fn event(event: EventDetail) -> pb::LeadEvent {
    let answer = match event.said {
        Some(Content::LeadAnswer(answer)) => Some(pb::LeadAnswer {
            outcome: answer.outcome.map_or(0, entry::outcome_to_wire),
            note: answer.note,
        }),
        Some(_) | None => None,
    };
    pb::LeadEvent {
        log_index: event.index,
        time_ms: event.time.millis(),
        action: event.action.to_wire(),
        principal: event.principal,
        superseded: event.standing == Standing::Superseded,
        waiting: event.standing == Standing::Waiting,
        answer,
        return_reason: event.return_reason.map_or(0, entry::return_reason_to_wire),
        receipt: event.receipt.map(convert::receipt),
    }
}

fn shown(
    record: RecordId,
    detail: Detail,
    put_off: Option<NotYet>,
    consulted_index: u64,
) -> pb::ShowLeadResponse {
    let assigned = detail.assigned.as_ref();
    pb::ShowLeadResponse {
        summary: Some(summary(record, &detail.row, assigned, put_off)),
        lead: match &detail.content {
            Some(Content::Lead(lead)) => Some(entry::lead_to_wire(lead)),
            Some(_) | None => None,
        },
        events: detail.events.into_iter().map(event).collect(),
        consulted_index,
    }
}

pub(super) fn new_answer(request: &pb::AnswerLeadRequest) -> Result<NewAction, WireDefect> {
    let outcome = convert::stated(request.outcome, entry::outcome_from_wire, "outcome")?;
    let reason = request.return_reason;
    let return_reason = convert::stated(reason, entry::return_reason_from_wire, "return_reason")?;
    let action = match request.action {
        0 => return Err(WireDefect::Missing("action")),
        value => DispatchAction::from_wire(value)
            .filter(|action| action.family() == Family::Lead && action.opens().is_none())
            .ok_or(WireDefect::Malformed("action"))?
            .action(),
    };
    match (action == Action::Assess, outcome) {
        (true, None) => return Err(WireDefect::Missing("outcome")),
        (false, Some(_)) => return Err(WireDefect::Malformed("outcome")),
        (true, Some(_)) | (false, None) => {}
    }
    match (action == Action::Return, return_reason) {
        (true, None) => return Err(WireDefect::Missing("return_reason")),
        (false, Some(_)) => return Err(WireDefect::Malformed("return_reason")),
        (true, Some(_)) | (false, None) => {}
    }
    Ok(NewAction {
        action,
        outcome,
        return_reason,
        note: request.note.clone(),
        fields: None,
    })
}
