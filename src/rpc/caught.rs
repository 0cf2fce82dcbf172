//! The `Caught` service.

use super::{WireDefect, caller::Door, convert, pb, status};
use crate::{
    access,
    desk::{
        CaughtDetail, CaughtPage, CaughtQuery, CaughtRefused, CaughtRow, CaughtTicket, Desk,
        Direction,
    },
    domain::{CaughtState, RecordId, ResidentNumber, Timestamp},
    record,
};
use futures_util::{Stream, StreamExt as _, stream};
use std::{pin::Pin, time::Duration};
use tonic::{Request, Response, Status, Streaming};

/// Notices of one caller that may be on their way into the log at once.
const PUSH_WINDOW: usize = 256;

/// A caller that sends nothing for so long is let go.
const PUSH_IDLE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(super) struct CaughtService {
    pub(super) door: Door,
    pub(super) desk: Desk,
}

type PushStream = Pin<Box<dyn Stream<Item = Result<pb::PushCaughtResponse, Status>> + Send>>;
type Permit = access::Permit<access::PushCaught>;

#[tonic::async_trait]
impl pb::caught_server::Caught for CaughtService {
    type PushCaughtStream = PushStream;

    async fn push_caught(
        &self,
        request: Request<Streaming<pb::PushCaughtRequest>>,
    ) -> Result<Response<PushStream>, Status> {
        let (_, extensions, mut requests) = request.into_parts();
        let Some(first) = next(&mut requests).await? else {
            return Err(Status::invalid_argument("no notice came"));
        };
        let grounds = first.grounds.clone();
        let permit = self
            .door
            .permit(&extensions, grounds.clone(), access::PushCaught)?;
        let rest = stream::try_unfold(requests, |mut requests| async {
            let request = next(&mut requests).await?;
            Ok(request.map(|request| (request, requests)))
        });
        let desk = self.desk.clone();
        let verdicts = stream::iter([Ok::<_, Status>(first)])
            .chain(rest)
            // One after the other into the log's queue, so that they enter the log in order; then many on their way.
            .then(move |request| {
                let (desk, permit, grounds) = (desk.clone(), permit.clone(), grounds.clone());
                async move {
                    let request: pb::PushCaughtRequest = request?;
                    if request.grounds.is_some() && request.grounds != grounds {
                        let mixed = "one push has one purpose and basis; push the others apart";
                        return Err(Status::invalid_argument(mixed));
                    }
                    push_one(&desk, &permit, request).await
                }
            })
            .map(|row| async { verdict(row?).await })
            .buffered(PUSH_WINDOW);
        Ok(Response::new(Box::pin(verdicts)))
    }

    async fn list_caught(
        &self,
        request: Request<pb::ListCaughtRequest>,
    ) -> Result<Response<pb::ListCaughtResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let permit = self
            .door
            .permit(&extensions, request.grounds.clone(), access::ListCaught)?;
        let listed = self.desk.list_caught(&permit, query(request)?).await;
        let (page, consulted_index) = listed.map_err(|e| status::desk(&e))?.into_inner();
        let CaughtPage {
            notices,
            next_after,
        } = page;
        Ok(Response::new(pb::ListCaughtResponse {
            notices: notices.iter().map(|(id, row)| summary(*id, row)).collect(),
            next_after,
            consulted_index,
        }))
    }

    async fn show_caught(
        &self,
        request: Request<pb::ShowCaughtRequest>,
    ) -> Result<Response<pb::ShowCaughtResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let permit = self
            .door
            .permit(&extensions, request.grounds, access::OpenCaught)?;
        let record: RecordId = request
            .caught_id
            .parse()
            .map_err(|_| WireDefect::Malformed("caught_id"))?;
        let opened = self.desk.open_caught(&permit, record).await;
        let (detail, consulted_index) = opened.map_err(|e| status::desk(&e))?.into_inner();
        let CaughtDetail {
            row,
            notice,
            principal,
            receipt,
        } = detail;
        Ok(Response::new(pb::ShowCaughtResponse {
            summary: Some(summary(record, &row)),
            notice: Some(record::caught_to_wire(&notice)),
            principal,
            receipt: receipt.map(convert::receipt),
            consulted_index,
        }))
    }
}

async fn next(
    requests: &mut Streaming<pb::PushCaughtRequest>,
) -> Result<Option<pb::PushCaughtRequest>, Status> {
    tokio::time::timeout(PUSH_IDLE, requests.message())
        .await
        .map_err(|_| {
            Status::deadline_exceeded("no notice came for a minute; push the rest again")
        })?
}

/// A row on its way: refused at once, or in the log's queue.
type Row = (u64, Result<CaughtTicket, CaughtRefused>);

async fn push_one(
    desk: &Desk,
    permit: &Permit,
    request: pb::PushCaughtRequest,
) -> Result<Row, Status> {
    let notice = request.notice.ok_or(WireDefect::Missing("notice"))?;
    let fields = record::caught_from_wire(notice);
    Ok((request.row, desk.push_caught(permit, fields).await))
}

async fn verdict((row, ticket): Row) -> Result<pb::PushCaughtResponse, Status> {
    let pushed = match ticket {
        Ok(ticket) => ticket.finish().await,
        Err(refused) => Err(refused),
    };
    match pushed {
        Ok(pushed) => Ok(pb::PushCaughtResponse {
            row,
            verdict: if pushed.duplicate {
                pb::Verdict::Duplicate
            } else {
                pb::Verdict::Accept
            } as i32,
            reasons: convert::reasons(&pushed.warnings),
            caught_id: pushed.record.to_string(),
            log_index: pushed.index,
        }),
        Err(CaughtRefused::Rejected(findings)) => Ok(pb::PushCaughtResponse {
            row,
            verdict: pb::Verdict::Reject as i32,
            reasons: convert::reasons(&findings),
            caught_id: String::new(),
            log_index: 0,
        }),
        Err(CaughtRefused::Stage(error)) => Err(status::internal(&error)),
        Err(CaughtRefused::Desk(error)) => Err(status::desk(&error)),
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
