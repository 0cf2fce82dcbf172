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
    desk::{
        CaughtDetail, CaughtPage, CaughtQuery, CaughtRefused, CaughtRow, CaughtTicket, Desk,
        Direction,
    },
    domain::{CaughtState, RecordId, ResidentNumber, Timestamp},
    entry,
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
        let query = query(request)?;
        let person = query.person();
        let searching = self.authorizer.search(&permit, person.as_deref()).await?;
        let reading = self.authorizer.reading(&permit, query.limit)?;
        let looking = self.authorizer.look(&permit, query.limit).await?;
        let listed = self.desk.list_caught(&permit, query).await;
        let (page, trace) = listed.map_err(|e| status::desk(&e))?.into_inner();
        let consulted_index = reading.left(trace);
        looking.page(page.looked, person.is_some());
        searching.found(!page.notices.is_empty());
        let CaughtPage {
            notices,
            next_after,
            ..
        } = page;
        Ok(Response::new(pb::ListCaughtResponse {
            notices: notices
                .iter()
                .map(|(id, listed)| summary(*id, &listed.row))
                .collect(),
            next_after,
            consulted_index,
        }))
    }

    async fn show_caught(
        &self,
        request: Request<pb::ShowCaughtRequest>,
    ) -> Result<Response<pb::ShowCaughtResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let record = convert::id(&request.caught_id, "caught_id")?;
        let (shown, reading) = if request.standing_only {
            let permit =
                self.authorizer
                    .permit(&extensions, request.grounds, access::ListCaught)?;
            let reading = self.authorizer.reading(&permit, 1)?;
            (self.desk.caught_standing(&permit, record).await, reading)
        } else {
            let permit =
                self.authorizer
                    .permit(&extensions, request.grounds, access::OpenCaught)?;
            let reading = self.authorizer.reading(&permit, 1)?;
            (self.desk.open_caught(&permit, record).await, reading)
        };
        let (detail, trace) = shown.map_err(|e| status::desk(&e))?.into_inner();
        let consulted_index = reading.left(trace);
        let CaughtDetail {
            row,
            notice,
            principal,
            receipt,
        } = detail;
        Ok(Response::new(pb::ShowCaughtResponse {
            summary: Some(summary(record, &row)),
            notice: notice.as_ref().map(entry::caught_to_wire),
            principal,
            receipt: receipt.map(convert::receipt),
            consulted_index,
        }))
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
    type Row = (u64, Result<CaughtTicket, CaughtRefused>);
    type Response = pb::PushCaughtResponse;
    const WINDOW: usize = 256;
    const ROW: &'static str = "notice";

    fn grounds(request: &Self::Request) -> Option<&pb::Grounds> {
        request.grounds.as_ref()
    }

    async fn enter(&self, request: Self::Request) -> Result<Self::Row, Status> {
        let notice = request.notice.ok_or(WireDefect::Missing("notice"))?;
        let fields = entry::caught_from_wire(notice);
        let ticket = self.desk.push_caught(&self.permit, fields).await;
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
            Err(CaughtRefused::Rejected(findings)) => Ok(Judged {
                response: pb::PushCaughtResponse {
                    row,
                    verdict: pb::Verdict::Reject as i32,
                    reasons: convert::reasons(&findings),
                    ..pb::PushCaughtResponse::default()
                },
                conflict: push::is_conflict(&findings),
            }),
            Err(CaughtRefused::Stage(error)) => Err(status::internal(&error)),
            Err(CaughtRefused::Desk(error)) => Err(status::desk(&error)),
        }
    }
}

const fn state_to_wire(state: CaughtState) -> i32 {
    let wire = match state {
        CaughtState::Sent => pb::CaughtState::Sent,
        CaughtState::Delivered => pb::CaughtState::Delivered,
        CaughtState::Refused => pb::CaughtState::Refused,
    };
    wire as i32
}

fn state_from_wire(value: i32) -> Result<CaughtState, WireDefect> {
    CaughtState::ALL
        .iter()
        .copied()
        .find(|state| state_to_wire(*state) == value)
        .ok_or(WireDefect::Malformed("states"))
}

pub(super) fn query(request: pb::ListCaughtRequest) -> Result<CaughtQuery, WireDefect> {
    let time = |millis: u64| (millis != 0).then(|| Timestamp::from_millis(millis));
    if request.states.len() > CaughtState::ALL.len() {
        return Err(WireDefect::TooLong("states"));
    }
    Ok(CaughtQuery {
        direction: match pb::Direction::try_from(request.direction) {
            Ok(pb::Direction::Unspecified) => None,
            Ok(pb::Direction::Sent) => Some(Direction::Sent),
            Ok(pb::Direction::Received) => Some(Direction::Received),
            Err(_) => return Err(WireDefect::Malformed("direction")),
        },
        states: request
            .states
            .iter()
            .map(|s| state_from_wire(*s))
            .collect::<Result<_, _>>()?,
        counterpart: match request.counterpart.as_str() {
            "" => None,
            code => Some(convert::jurisdiction(code, "counterpart")?),
        },
        since: time(request.since_ms),
        before: time(request.before_ms),
        resident_number: match request.resident_number.as_str() {
            "" => None,
            number => Some(
                ResidentNumber::parse(number)
                    .map_err(|_| WireDefect::Malformed("resident_number"))?,
            ),
        },
        name: Some(request.name).filter(|name| !name.is_empty()),
        after_index: request.after_index,
        limit: convert::limit(request.limit)?,
    })
}

fn summary(record: RecordId, row: &CaughtRow) -> pb::CaughtSummary {
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
