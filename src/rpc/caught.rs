//! The `Caught` service.

use super::{
    convert::{self, WireDefect},
    pb,
    push::{self, Judged, Sheet, Verdicts},
    status,
};
use crate::{
    access,
    api::authorizer::Authorizer,
    desk::{About, Desk, Detail, Query, RecordRow, SubmitRefused, SubmitTicket},
    domain::{CaughtColumn, Family, RecordId, State},
    entry::{self, Content},
};
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

#[derive(Clone, Debug)]
pub(super) struct CaughtService {
    pub(super) authorizer: Authorizer,
    pub(super) desk: Desk,
    pub(super) tasks: TaskTracker,
}

#[tonic::async_trait]
impl pb::caught_server::Caught for CaughtService {
    type PushCaughtStream = Verdicts<pb::PushCaughtResponse>;

    async fn push_caught(
        &self,
        request: Request<Streaming<pb::PushCaughtRequest>>,
    ) -> Result<Response<Self::PushCaughtStream>, Status> {
        let (_, extensions, mut requests) = request.into_parts();
        let lease = self.authorizer.stream(&extensions)?;
        let first = push::first::<Notices>(&mut requests).await?;
        let permit =
            self.authorizer
                .permit(&extensions, first.grounds.clone(), access::PushCaught)?;
        let metered = self.authorizer.metered(permit.principal());
        let desk = self.desk.clone();
        let verdicts = push::start(
            Notices { desk, permit },
            (metered, lease),
            first,
            requests,
            &self.tasks,
        );
        Ok(Response::new(verdicts))
    }

    async fn list_caught(
        &self,
        request: Request<pb::ListCaughtRequest>,
    ) -> Result<Response<pb::ListCaughtResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let permit =
            self.authorizer
                .permit(&extensions, request.grounds.clone(), access::ListCaught)?;
        let query = query(&request)?;
        let asked = query.about.asked();
        let searching = self.authorizer.search(&permit, asked.as_deref()).await?;
        let reading = self.authorizer.reading(&permit, query.limit)?;
        let looking = self.authorizer.look(&permit, query.limit).await?;
        let listed = self.desk.list(&permit, query).await;
        let (page, trace) = listed.map_err(|e| status::desk(&e))?.into_inner();
        let consulted_index = reading.left(trace);
        looking.page(page.looked, asked.is_some());
        searching.found(!page.records.is_empty());
        Ok(Response::new(pb::ListCaughtResponse {
            notices: page
                .records
                .iter()
                .map(|(id, listed)| summary(*id, &listed.row))
                .collect(),
            next_after: page.next_after,
            consulted_index,
        }))
    }

    async fn show_caught(
        &self,
        request: Request<pb::ShowCaughtRequest>,
    ) -> Result<Response<pb::ShowCaughtResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let record = convert::id(&request.caught_id, "caught_id")?;
        let (read, reading) = if request.standing_only {
            let permit =
                self.authorizer
                    .permit(&extensions, request.grounds, access::ListCaught)?;
            let reading = self.authorizer.reading(&permit, 1)?;
            (self.desk.standing(&permit, record).await, reading)
        } else {
            let permit =
                self.authorizer
                    .permit(&extensions, request.grounds, access::OpenCaught)?;
            let reading = self.authorizer.reading(&permit, 1)?;
            (self.desk.open(&permit, record).await, reading)
        };
        let (detail, trace) = read.map_err(|e| status::desk(&e))?.into_inner();
        let consulted_index = reading.left(trace);
        Ok(Response::new(shown(record, detail, consulted_index)))
    }
}

/// A sheet of notices.
struct Notices {
    desk: Desk,
    permit: access::Permit<access::PushCaught>,
}

impl Sheet for Notices {
    type Request = pb::PushCaughtRequest;
    /// Refused at once, or in the log's queue.
    type Row = (
        u64,
        Result<SubmitTicket<CaughtColumn>, SubmitRefused<CaughtColumn>>,
    );
    type Response = pb::PushCaughtResponse;
    const WINDOW: usize = 256;
    const ROW: &'static str = "notice";

    fn grounds(request: &Self::Request) -> Option<&pb::Grounds> {
        request.grounds.as_ref()
    }

    async fn enter(&self, request: Self::Request) -> Result<Self::Row, Status> {
        let notice = request.notice.ok_or(WireDefect::Missing("notice"))?;
        let fields = entry::caught_from_wire(notice);
        let ticket = self.desk.submit_notice(&self.permit, fields).await;
        Ok((request.row, ticket))
    }

    async fn verdict((row, ticket): Self::Row) -> Result<Judged<Self::Response>, Status> {
        let pushed = match ticket {
            Ok(ticket) => ticket.finish().await,
            Err(refused) => Err(refused),
        };
        match pushed {
            Ok(pushed) => Ok(Judged {
                response: pb::PushCaughtResponse {
                    row,
                    verdict: if pushed.duplicate {
                        pb::Verdict::Duplicate
                    } else {
                        pb::Verdict::Accept
                    } as i32,
                    reasons: convert::reasons(&pushed.warnings),
                    caught_id: pushed.record.to_string(),
                    log_index: pushed.index,
                    refusal: pushed.refusal.unwrap_or_default(),
                },
                conflict: false,
            }),
            Err(SubmitRefused::Rejected(findings)) => Ok(Judged {
                response: pb::PushCaughtResponse {
                    row,
                    verdict: pb::Verdict::Reject as i32,
                    reasons: convert::reasons(&findings),
                    ..pb::PushCaughtResponse::default()
                },
                conflict: push::is_conflict(&findings),
            }),
            Err(refused) => Err(status::submit(&refused)),
        }
    }
}

const fn state_to_wire(state: State) -> i32 {
    let wire = match state {
        State::Sent => pb::CaughtState::Sent,
        State::Delivered => pb::CaughtState::Delivered,
        State::Refused => pb::CaughtState::Refused,
        // In no notice's table.
        State::Drafted
        | State::Approved
        | State::SignedFor
        | State::Assessed
        | State::SupplementRequested
        | State::Returned
        | State::Forwarded
        | State::Accepted
        | State::InProgress
        | State::FeedbackGiven
        | State::Confirmed
        | State::Disputed
        | State::Closed
        | State::Recalled => pb::CaughtState::Unspecified,
    };
    wire as i32
}

pub(super) fn query(request: &pb::ListCaughtRequest) -> Result<Query, WireDefect> {
    let number = convert::number(&request.resident_number, "resident_number")?;
    Ok(Query {
        direction: convert::direction(request.direction)?,
        states: convert::states(Family::ArrestNotice, &request.states, state_to_wire)?,
        counterpart: convert::optional(&request.counterpart, "counterpart")?,
        since: convert::time(request.since_ms),
        before: convert::time(request.before_ms),
        about: About::default()
            .number(number.as_ref())
            .text("name", &request.name),
        after_index: request.after_index,
        limit: convert::limit(request.limit)?,
        ..Query::default()
    })
}

fn summary(record: RecordId, row: &RecordRow) -> pb::CaughtSummary {
    pb::CaughtSummary {
        caught_id: record.to_string(),
        log_index: row.index,
        time_ms: row.time_ms,
        origin: row.from.to_string(),
        destination: row.to.to_string(),
        state: state_to_wire(row.state()),
        refusal: row.refusal.clone().unwrap_or_default(),
    }
}

fn shown(record: RecordId, detail: Detail, consulted_index: u64) -> pb::ShowCaughtResponse {
    let sent = detail.events.into_iter().next();
    let (principal, receipt) =
        sent.map_or_else(Default::default, |sent| (sent.principal, sent.receipt));
    pb::ShowCaughtResponse {
        summary: Some(summary(record, &detail.row)),
        notice: match &detail.content {
            Some(Content::Caught(notice)) => Some(entry::caught_to_wire(notice)),
            Some(_) | None => None,
        },
        principal,
        receipt: receipt.map(convert::receipt),
        consulted_index,
    }
}
