//! The `Desk` service.

use super::{
    convert::{self, WireDefect},
    pb,
    push::{self, Judged, Sheet, Verdicts},
    status,
};
use crate::{
    access::{self, Permit},
    api::authorizer::Authorizer,
    desk::{Desk, PushRefused, PushTicket},
    domain::LeadFields,
    entry,
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
        let query = convert::query(&request)?;
        let search = query.person().is_some();
        let searching = self.authorizer.search(&permit, query.person()).await?;
        let reading = self.authorizer.reading(&permit, query.limit)?;
        let looking = self.authorizer.look(&permit, query.limit).await?;
        let listed = self
            .desk
            .list(&permit, query)
            .await
            .map_err(|e| status::desk(&e))?;
        let (page, trace) = listed.into_inner();
        let consulted_index = reading.left(trace);
        looking.page(page.looked, search);
        searching.found(!page.leads.is_empty());
        Ok(Response::new(pb::ListLeadsResponse {
            leads: page
                .leads
                .iter()
                .map(|(id, lead)| {
                    let put_off = self.desk.put_off(&lead.row);
                    pb::LeadSummary {
                        number: page.numbers.get(id).cloned().unwrap_or_default(),
                        ..convert::summary(*id, &lead.row, lead.assigned.as_ref(), put_off)
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
        let record = convert::record_id(&request.lead_id)?;
        let (shown, reading) = if request.standing_only {
            let permit = self
                .authorizer
                .permit(&extensions, request.grounds, access::ListLeads)?;
            let reading = self.authorizer.reading(&permit, 1)?;
            (self.desk.lead_standing(&permit, record).await, reading)
        } else {
            let permit = self
                .authorizer
                .permit(&extensions, request.grounds, access::OpenLead)?
                .overriding(request.override_assignment);
            let reading = self.authorizer.reading(&permit, 1)?;
            (self.desk.open(&permit, record).await, reading)
        };
        let (detail, trace) = shown.map_err(|e| status::desk(&e))?.into_inner();
        let consulted_index = reading.left(trace);
        let put_off = self.desk.put_off(&detail.row);
        Ok(Response::new(convert::detail(
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
        let record = convert::record_id(&request.lead_id)?;
        let answer = convert::new_answer(&request)?;
        let answered = self
            .desk
            .answer(&permit, record, answer)
            .await
            .map_err(|e| status::answer(&e))?;
        Ok(Response::new(pb::AnswerLeadResponse {
            log_index: answered.index,
            state: convert::state_to_wire(answered.state),
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
    type Row = (u64, Result<PushTicket, PushRefused>);
    type Response = pb::PushLeadsResponse;
    const WINDOW: usize = 1024;
    const ROW: &'static str = "lead";

    fn grounds(request: &Self::Request) -> Option<&pb::Grounds> {
        request.grounds.as_ref()
    }

    async fn enter(&self, request: Self::Request) -> Result<Self::Row, Status> {
        let lead = request.lead.ok_or(WireDefect::Missing("lead"))?;
        let fields: LeadFields = entry::lead_from_wire(lead);
        Ok((request.row, self.desk.push(&self.permit, fields).await))
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
            Err(PushRefused::Rejected(findings)) => Ok(Judged {
                response: pb::PushLeadsResponse {
                    row,
                    verdict: pb::Verdict::Reject as i32,
                    reasons: convert::reasons(&findings),
                    ..pb::PushLeadsResponse::default()
                },
                conflict: push::is_conflict(&findings),
            }),
            Err(refused) => Err(status::push(&refused)),
        }
    }
}
