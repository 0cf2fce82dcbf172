//! Following records: changes as they come, until the caller leaves or the node stops.

use super::{pb, record_messages::summary};
use crate::{
    access::{List, Permit},
    api::authorizer::Authorizer,
    casework::{Casework, Change},
    note::SignedCheckpoint,
};
use futures_util::{Stream, stream};
use std::{collections::VecDeque, pin::Pin, sync::Arc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// Changes read at once for somebody who follows.
const CHUNK: usize = 256;

pub(super) type WatchStream =
    Pin<Box<dyn Stream<Item = Result<pb::WatchRecordsResponse, Status>> + Send>>;

/// Somebody who follows.
pub(super) struct Watching {
    authorizer: Authorizer,
    casework: Casework,
    permit: Permit<List>,
    after: Option<u64>,
    ready: VecDeque<Change>,
    published: watch::Receiver<Arc<SignedCheckpoint>>,
    stop: CancellationToken,
}

impl Watching {
    /// From behind an entry of the log, or from now on.
    pub(super) fn new(
        authorizer: Authorizer,
        casework: Casework,
        permit: Permit<List>,
        after: Option<u64>,
        stop: CancellationToken,
    ) -> Self {
        let published = casework.follow();
        let now = published.borrow().size().checked_sub(1);
        Self {
            authorizer,
            casework,
            permit,
            after: after.or(now),
            ready: VecDeque::new(),
            published,
            stop,
        }
    }

    /// The changes.
    pub(super) fn changes(
        self,
    ) -> impl Stream<Item = Result<pb::WatchRecordsResponse, Status>> + Send {
        stream::try_unfold(self, Self::next)
    }

    /// The next change; nothing when the node stops.
    async fn next(mut self) -> Result<Option<(pb::WatchRecordsResponse, Self)>, Status> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                let message = pb::WatchRecordsResponse {
                    log_index: change.index,
                    record: Some(summary(&self.casework, change.record, &change.listed)),
                };
                return Ok(Some((message, self)));
            }
            // Marked before reading, so that nothing is missed in between.
            let size = self.published.borrow_and_update().size();
            // What somebody may see changes while they follow.
            self.permit = self.authorizer.again(&self.permit)?;
            let reading = self.authorizer.reading(&self.permit, CHUNK)?;
            let metered = self.authorizer.metered(self.permit.principal());
            let looking = metered.look().await?;
            let changes = self.casework.changes(&self.permit, self.after, CHUNK);
            let (seen, trace) = changes.await?;
            looking.looked_at(0);
            reading.cost(trace.map_or(0, |trace| trace.bytes));
            if seen.looked_to.is_some() {
                self.after = seen.looked_to;
                self.ready.extend(seen.changes);
                continue;
            }
            self.after = self.after.max(size.checked_sub(1));
            tokio::select! {
                changed = self.published.changed() => if changed.is_err() { return Ok(None) },
                () = self.stop.cancelled() => return Ok(None),
            }
        }
    }
}
