//! The `Desk` service.

use super::{WireDefect, caller::Door, convert, pb, status};
use crate::{
    access::{self, Permit},
    desk::{Desk, PushRefused, PushTicket},
    domain::LeadFields,
    record,
};
use futures_util::{Stream, StreamExt as _};
use std::pin::Pin;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

/// Leads of one caller that may be on their way into the log at once.
const PUSH_WINDOW: usize = 1024;

/// A caller that sends nothing for so long is let go.
const PUSH_IDLE: std::time::Duration = std::time::Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(super) struct DeskService {
    pub(super) door: Door,
    pub(super) desk: Desk,
    pub(super) tasks: TaskTracker,
}

type PushStream = Pin<Box<dyn Stream<Item = Result<pb::PushLeadsResponse, Status>> + Send>>;

/// A row on its way: refused at once, or in the log's queue.
type Row = (u64, Result<PushTicket, PushRefused>);

#[tonic::async_trait]
impl pb::desk_server::Desk for DeskService {
    type PushLeadsStream = PushStream;

    async fn push_leads(
        &self,
        request: Request<Streaming<pb::PushLeadsRequest>>,
    ) -> Result<Response<PushStream>, Status> {
        let (_, extensions, mut requests) = request.into_parts();
        let Some(first) = next(&mut requests).await? else {
            return Err(Status::invalid_argument("no lead came"));
        };
        let permit = self
            .door
            .permit(&extensions, first.grounds.clone(), access::PushLeads)?;
        let (rows, queued) = mpsc::channel::<Result<Row, Status>>(PUSH_WINDOW);
        let (desk, grounds) = (self.desk.clone(), first.grounds.clone());
        self.tasks.spawn(async move {
            let mut request = Some(first);
            while let Some(lead) = request {
                if lead.grounds.is_some() && lead.grounds != grounds {
                    let mixed = "one push has one purpose and basis; push the others apart";
                    drop(rows.send(Err(Status::invalid_argument(mixed))).await);
                    return;
                }
                let row = push_one(&desk, &permit, lead).await;
                let failed = row.is_err();
                if rows.send(row).await.is_err() || failed {
                    return;
                }
                request = match next(&mut requests).await {
                    Ok(request) => request,
                    Err(status) => {
                        // The caller is gone or too slow; what it sent before is in the log all the same.
                        drop(rows.send(Err(status)).await);
                        return;
                    }
                };
            }
        });
        let verdicts = ReceiverStream::new(queued).then(|row| async { verdict(row?).await });
        Ok(Response::new(Box::pin(verdicts)))
    }

    async fn list_leads(
        &self,
        request: Request<pb::ListLeadsRequest>,
    ) -> Result<Response<pb::ListLeadsResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let permit = self
            .door
            .permit(&extensions, request.grounds.clone(), access::ListLeads)?;
        let query = convert::query(&request)?;
        let listed = self
            .desk
            .list(&permit, query)
            .await
            .map_err(|e| status::desk(&e))?;
        let (page, consulted_index) = listed.into_inner();
        Ok(Response::new(pb::ListLeadsResponse {
            leads: page
                .leads
                .iter()
                .map(|(id, lead)| convert::summary(*id, &lead.row, lead.assigned.as_ref()))
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
        let permit = self
            .door
            .permit(&extensions, request.grounds, access::OpenLead)?
            .overriding(request.override_assignment);
        let record = convert::record_id(&request.lead_id)?;
        let opened = self
            .desk
            .open(&permit, record)
            .await
            .map_err(|e| status::desk(&e))?;
        let (detail, consulted_index) = opened.into_inner();
        Ok(Response::new(convert::detail(
            record,
            detail,
            consulted_index,
        )))
    }

    async fn answer_lead(
        &self,
        request: Request<pb::AnswerLeadRequest>,
    ) -> Result<Response<pb::AnswerLeadResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let permit = self
            .door
            .permit(&extensions, request.grounds.clone(), access::AnswerLead)?
            .overriding(request.override_assignment);
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
        let permit = self
            .door
            .permit(&extensions, request.grounds, access::AssignRecord)?;
        let malformed = WireDefect::Malformed;
        let record = request.record_id.parse();
        let record = record.map_err(|_| malformed("record_id"))?;
        let assignee = match request.assignee.as_str() {
            "" => None,
            assignee => Some(assignee.parse().map_err(|_| malformed("assignee"))?),
        };
        let assigned = self.desk.assign(&permit, record, assignee).await;
        let log_index = assigned.map_err(|refused| status::assign(&refused))?;
        Ok(Response::new(pb::AssignRecordResponse { log_index }))
    }
}

async fn next(
    requests: &mut Streaming<pb::PushLeadsRequest>,
) -> Result<Option<pb::PushLeadsRequest>, Status> {
    tokio::time::timeout(PUSH_IDLE, requests.message())
        .await
        .map_err(|_| Status::deadline_exceeded("no lead came for a minute; push the rest again"))?
}

async fn push_one(
    desk: &Desk,
    permit: &Permit<access::PushLeads>,
    request: pb::PushLeadsRequest,
) -> Result<Row, Status> {
    let lead = request.lead.ok_or(WireDefect::Missing("lead"))?;
    let fields: LeadFields = record::lead_from_wire(lead);
    Ok((request.row, desk.push(permit, fields).await))
}

async fn verdict((row, ticket): Row) -> Result<pb::PushLeadsResponse, Status> {
    let pushed = match ticket {
        Ok(ticket) => ticket.finish().await,
        Err(refused) => Err(refused),
    };
    match pushed {
        Ok(pushed) => Ok(pb::PushLeadsResponse {
            row,
            verdict: if pushed.duplicate {
                pb::Verdict::Duplicate
            } else {
                pb::Verdict::Accept
            } as i32,
            reasons: convert::reasons(&pushed.warnings),
            lead_id: pushed.record.to_string(),
            log_index: pushed.index,
        }),
        Err(PushRefused::Rejected(findings)) => Ok(pb::PushLeadsResponse {
            row,
            verdict: pb::Verdict::Reject as i32,
            reasons: convert::reasons(&findings),
            lead_id: String::new(),
            log_index: 0,
        }),
        Err(refused) => Err(status::push(&refused)),
    }
}
