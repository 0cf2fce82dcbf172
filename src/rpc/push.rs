//! Pushing a sheet over one stream: rows go one after the other into the log's queue, many are on their way at once, and
//! verdicts come back in their order.

use super::{pb, status};
use crate::{
    access::Quota,
    api::{
        RefusedFor,
        rate_limit::{Metered, StreamLease},
    },
    domain::{Finding, FindingCode},
};
use futures_util::{Stream, StreamExt as _};
use prost::Message;
use std::{pin::Pin, time::Duration};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;
use tonic::{Status, Streaming};

/// A caller that sends nothing for so long is let go.
const IDLE: Duration = Duration::from_secs(60);

const QUOTAS: (Quota, Quota) = (Quota::PushedSteadily, Quota::Pushed);

/// Verdicts, one a row.
pub(super) type Verdicts<R> = Pin<Box<dyn Stream<Item = Result<R, Status>> + Send>>;

/// What a verdict says to the quotas.
pub(super) struct Judged<R> {
    pub(super) response: R,
    /// The row's number stands for something else.
    pub(super) conflict: bool,
}

/// A kind of sheet.
pub(super) trait Sheet: Send + Sync + 'static {
    /// A row as it comes.
    type Request: Message + Default + Send + 'static;
    /// A row on its way.
    type Row: Send + 'static;
    /// A row's verdict.
    type Response: Send + 'static;
    /// Rows of one caller that may be on their way at once.
    const WINDOW: usize;
    /// What a row is called.
    const ROW: &'static str;

    fn grounds(request: &Self::Request) -> Option<&pb::Grounds>;

    /// Puts a row into the log's queue.
    fn enter(
        &self,
        request: Self::Request,
    ) -> impl Future<Output = Result<Self::Row, Status>> + Send;

    /// Waits until the row is durable, or refused.
    fn verdict(
        row: Self::Row,
    ) -> impl Future<Output = Result<Judged<Self::Response>, Status>> + Send;
}

/// True where a row's number stands for something else.
pub(super) fn is_conflict<C>(findings: &[Finding<C>]) -> bool {
    findings
        .iter()
        .any(|finding| finding.code == FindingCode::ChangedContent)
}

/// The next row.
pub(super) async fn next<S: Sheet>(
    requests: &mut Streaming<S::Request>,
) -> Result<Option<S::Request>, Status> {
    tokio::time::timeout(IDLE, requests.message())
        .await
        .map_err(|_| {
            let row = S::ROW;
            Status::deadline_exceeded(format!("no {row} came for a minute; push the rest again"))
        })?
        .map_err(status::unread)
}

/// The first row, which says on what grounds all of them are pushed.
pub(super) async fn first<S: Sheet>(
    requests: &mut Streaming<S::Request>,
) -> Result<S::Request, Status> {
    next::<S>(requests).await?.ok_or_else(|| {
        let said = format!("no {} came", S::ROW);
        status::invalid(RefusedFor::Missing, S::ROW, said)
    })
}

/// Reads the sheet on a task of its own.
pub(super) fn start<S: Sheet>(
    sheet: S,
    (metered, lease): (Metered, StreamLease),
    first: S::Request,
    requests: Streaming<S::Request>,
    tasks: &TaskTracker,
) -> Verdicts<S::Response> {
    let (rows, queued) = mpsc::channel::<Result<S::Row, Status>>(S::WINDOW);
    let reader = metered.clone();
    tasks.spawn(async move {
        if let Err(status) = read(&sheet, &reader, first, requests, &rows).await {
            // The caller is gone, too slow or wrong; what it sent before is in the log all the same.
            drop(rows.send(Err(status)).await);
        }
    });
    let verdicts = ReceiverStream::new(queued).then(move |row| {
        let metered = metered.clone();
        async move {
            let Judged { response, conflict } = S::verdict(row?).await?;
            if conflict {
                metered.spend(Quota::Conflicts)?;
            }
            Ok(response)
        }
    });
    lease.over(verdicts)
}

async fn read<S: Sheet>(
    sheet: &S,
    metered: &Metered,
    first: S::Request,
    mut requests: Streaming<S::Request>,
    rows: &mpsc::Sender<Result<S::Row, Status>>,
) -> Result<(), Status> {
    let grounds = S::grounds(&first).cloned();
    let mut request = Some(first);
    while let Some(row) = request {
        if S::grounds(&row).is_some() && S::grounds(&row) != grounds.as_ref() {
            let mixed = "one push has one purpose and basis; push the other rows separately";
            let (reason, said) = (RefusedFor::MixedGrounds, mixed.to_owned());
            return Err(status::invalid(reason, "grounds", said));
        }
        metered.pass(QUOTAS, 1, row.encoded_len()).await?;
        let row = sheet.enter(row).await?;
        if rows.send(Ok(row)).await.is_err() {
            return Ok(());
        }
        request = next::<S>(&mut requests).await?;
    }
    Ok(())
}
