//! Pushing a sheet over one stream: rows go one after the other into the log's queue, many are on their way at once, and
//! verdicts come back in their order.

use super::{convert::WireDefect, pb, record_messages::reasons, status};
use crate::{
    access::{Permit, Quota, Submit},
    api::{
        RefusedFor,
        rate_limit::{Metered, StreamLease},
    },
    casework::{Casework, SubmitRefused, SubmitTicket},
    domain::{Family, FindingCode},
    entry::{Content, RowVisitor, SheetRow},
};
use futures_util::{FutureExt as _, Stream, StreamExt as _, future::BoxFuture};
use prost::Message as _;
use std::{pin::Pin, time::Duration};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;
use tonic::{Status, Streaming};

/// A caller that sends nothing for so long is let go.
const IDLE: Duration = Duration::from_secs(60);

/// Rows of one caller that may be on their way at once.
const WINDOW: usize = 1024;

const QUOTAS: (Quota, Quota) = (Quota::PushedSteadily, Quota::Pushed);

type Requests = Streaming<pb::PushRecordsRequest>;

/// Verdicts, one a row.
pub(super) type Verdicts =
    Pin<Box<dyn Stream<Item = Result<pb::PushRecordsResponse, Status>> + Send>>;

/// The node's verdict on a row.
struct Judged {
    response: pb::PushRecordsResponse,
    /// The row's number stands for something else.
    conflict: bool,
}

/// A row on its way: refused at once, or in the log's queue.
type Row = BoxFuture<'static, Result<Judged, Status>>;

/// The next row.
async fn next(requests: &mut Requests) -> Result<Option<pb::PushRecordsRequest>, Status> {
    tokio::time::timeout(IDLE, requests.message())
        .await
        .map_err(|_| Status::deadline_exceeded("no row came for a minute; push the rest again"))?
        .map_err(status::unread)
}

/// The first row, which says on what grounds all of them are pushed, and what they are.
pub(super) async fn first(requests: &mut Requests) -> Result<pb::PushRecordsRequest, Status> {
    next(requests).await?.ok_or_else(|| {
        let said = "no row came".to_owned();
        status::invalid(RefusedFor::Missing, "content", said)
    })
}

/// What a row is.
impl TryFrom<&pb::PushRecordsRequest> for Family {
    type Error = WireDefect;

    fn try_from(request: &pb::PushRecordsRequest) -> Result<Self, WireDefect> {
        let content = request.content.as_ref();
        let content = content.ok_or(WireDefect::Missing("content"))?;
        content.row_family().ok_or(WireDefect::Malformed("content"))
    }
}

/// A sheet.
pub(super) struct Sheet {
    pub(super) casework: Casework,
    pub(super) permit: Permit<Submit>,
    pub(super) metered: Metered,
}

impl Sheet {
    /// Reads the rows on a task of its own.
    pub(super) fn start(
        self,
        lease: StreamLease,
        first: pb::PushRecordsRequest,
        requests: Requests,
        tasks: &TaskTracker,
    ) -> Verdicts {
        let (rows, queued) = mpsc::channel(WINDOW);
        let metered = self.metered.clone();
        tasks.spawn(async move {
            if let Err(status) = self.read(first, requests, &rows).await {
                // The caller is gone, too slow or wrong; what it sent before is in the log all the same.
                drop(rows.send(Err(status)).await);
            }
        });
        let verdicts = ReceiverStream::new(queued).then(move |row: Result<Row, Status>| {
            let metered = metered.clone();
            async move {
                let Judged { response, conflict } = row?.await?;
                if conflict {
                    metered.spend(Quota::Conflicts)?;
                }
                Ok(response)
            }
        });
        lease.over(verdicts)
    }

    async fn read(
        &self,
        first: pb::PushRecordsRequest,
        mut requests: Requests,
        rows: &mpsc::Sender<Result<Row, Status>>,
    ) -> Result<(), Status> {
        let grounds = first.grounds.clone();
        let mut request = Some(first);
        while let Some(row) = request {
            if row.grounds.is_some() && row.grounds != grounds {
                let mixed = "one push has one purpose and basis; push the other rows separately";
                let (reason, said) = (RefusedFor::MixedGrounds, mixed.to_owned());
                return Err(status::invalid(reason, "grounds", said));
            }
            self.metered.pass(QUOTAS, 1, row.encoded_len()).await?;
            let row = self.enter(row).await?;
            if rows.send(Ok(row)).await.is_err() {
                return Ok(());
            }
            request = next(&mut requests).await?;
        }
        Ok(())
    }

    /// Puts a row into the log's queue.
    async fn enter(&self, request: pb::PushRecordsRequest) -> Result<Row, Status> {
        if Family::try_from(&request)? != self.permit.family() {
            return Err(WireDefect::Malformed("content").into());
        }
        let content = request.content.map(Content::from_wire).transpose();
        let content = content.map_err(|_| WireDefect::Malformed("content"))?;
        let content = content.ok_or(WireDefect::Missing("content"))?;
        let entering = Entering {
            sheet: self,
            row: request.row,
        };
        match content.visit_row(entering) {
            Some(entered) => Ok(entered.await),
            None => Err(WireDefect::Malformed("content").into()),
        }
    }
}

/// A row that is put into the log's queue.
struct Entering<'a> {
    sheet: &'a Sheet,
    row: u64,
}

impl<'a> RowVisitor<'a> for Entering<'a> {
    type Output = BoxFuture<'a, Row>;

    fn visit<C: SheetRow>(self, fields: &'a C::Fields) -> BoxFuture<'a, Row> {
        let Self { sheet, row } = self;
        #[expect(
            clippy::async_yields_async,
            reason = "once the row is queued, it is waited for in its turn"
        )]
        let entering = async move {
            let ticket = sheet.casework.submit::<C>(&sheet.permit, fields).await;
            judged(row, ticket).boxed()
        };
        entering.boxed()
    }
}

/// Waits until a row is durable, or refused.
async fn judged<C: SheetRow>(
    row: u64,
    ticket: Result<SubmitTicket<C>, SubmitRefused<C>>,
) -> Result<Judged, Status> {
    let pushed = match ticket {
        Ok(ticket) => ticket.finish().await,
        Err(refused) => Err(refused),
    };
    match pushed {
        Ok(pushed) => Ok(Judged {
            response: pb::PushRecordsResponse {
                row,
                verdict: if pushed.duplicate {
                    pb::Verdict::Duplicate
                } else {
                    pb::Verdict::Accept
                } as i32,
                reasons: reasons(&pushed.warnings),
                record_id: pushed.record.to_string(),
                log_index: pushed.index,
                refusal: pushed.refusal.unwrap_or_default(),
            },
            conflict: false,
        }),
        Err(SubmitRefused::Rejected(findings)) => Ok(Judged {
            response: pb::PushRecordsResponse {
                row,
                verdict: pb::Verdict::Reject as i32,
                reasons: reasons(&findings),
                ..pb::PushRecordsResponse::default()
            },
            conflict: findings
                .iter()
                .any(|finding| finding.code == FindingCode::ChangedContent),
        }),
        Err(refused) => Err(refused.into()),
    }
}
