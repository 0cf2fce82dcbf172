//! Quotas as calls meet them: spent before anything is done, slowed without holding anything that others wait for, and
//! reported to the log.

use super::status;
use crate::{
    access::{Ledger, Principal, Quota, QuotaReport, Reach},
    desk::report_quota,
    domain::{Clock, Jurisdiction},
    log::Log,
};
use futures_util::{Stream, StreamExt as _};
use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// Reports that wait for the log. There are two a window for each principal and quota.
const REPORTS: usize = 256;

/// What counts as one in the quotas of pushes and dispatches; a longer message counts as several.
const UNIT_BYTES: usize = 4_096;

/// All principals' accounts, as the node's services share them.
pub struct Meter {
    ledger: Mutex<Ledger>,
    clock: Arc<dyn Clock>,
    reports: mpsc::Sender<QuotaReport>,
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meter")
    }
}

/// Reports on their way into the log.
#[derive(Debug)]
pub struct QuotaReports(mpsc::Receiver<QuotaReport>);

impl QuotaReports {
    /// Writes reports until `stop`, and then those that still wait.
    pub async fn write(mut self, log: Log, own: Jurisdiction, stop: CancellationToken) {
        loop {
            let report = tokio::select! {
                biased;
                report = self.0.recv() => report,
                () = stop.cancelled() => return,
            };
            let Some(report) = report else { return };
            if let Err(error) = report_quota(&log, own, report).await {
                tracing::error!(%error, "that a quota was reached could not be kept");
            }
        }
    }
}

impl Meter {
    /// A meter that goes on where the ledger stands.
    pub fn new(ledger: Ledger, clock: Arc<dyn Clock>) -> (Arc<Self>, QuotaReports) {
        let (reports, waiting) = mpsc::channel(REPORTS);
        let meter = Self {
            ledger: Mutex::new(ledger),
            clock,
            reports,
        };
        (Arc::new(meter), QuotaReports(waiting))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Nothing panics while the lock is held, and the accounts are sound at every step.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Spends some of a quota.
    pub(super) fn spend(&self, who: &Principal, quota: Quota, amount: u32) -> Result<(), Status> {
        let spent = self.ledger().spend(who, quota, amount, self.clock.now());
        spent.map_err(|reach| self.refuse(*reach))
    }

    fn refuse(&self, reach: Reach) -> Status {
        let quota = reach.exceeded.quota.as_str();
        metrics::counter!("yichuan_quota_refusals_total", "quota" => quota).increment(1);
        if let Some(report) = reach.report {
            self.report(report);
        }
        status::exceeded(reach.exceeded)
    }

    fn report(&self, report: QuotaReport) {
        tracing::warn!(
            principal = %report.principal,
            quota = report.quota.as_str(),
            limit = report.limit,
            counted = report.counted,
            refused = report.refused,
            "a principal reached a quota"
        );
        if self.reports.try_send(report).is_err() {
            tracing::error!("too many quotas are reached at once for the log to keep them all");
        }
    }
}

/// One caller's side of the meter.
#[derive(Clone, Debug)]
pub(super) struct Metered {
    meter: Arc<Meter>,
    principal: Principal,
}

impl Metered {
    pub(super) fn new(meter: Arc<Meter>, principal: Principal) -> Self {
        Self { meter, principal }
    }

    /// Spends one of a quota.
    pub(super) fn spend(&self, quota: Quota) -> Result<(), Status> {
        self.meter.spend(&self.principal, quota, 1)
    }

    /// Lets a message of a stream through: within the day's quota, and at the pace of the minute's. Whoever sends faster
    /// waits here, and what they send waits in their own connection.
    pub(super) async fn pass(
        &self,
        (steady, daily): (Quota, Quota),
        messages: usize,
        bytes: usize,
    ) -> Result<(), Status> {
        let units = messages.saturating_add(bytes / UNIT_BYTES);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        self.meter.spend(&self.principal, daily, units)?;
        let now = self.meter.clock.now();
        let wait = self
            .meter
            .ledger()
            .pace(&self.principal, steady, units, now);
        if !wait.is_zero() {
            metrics::counter!("yichuan_quota_slowed_total", "quota" => steady.as_str())
                .increment(1);
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Counts a search for a person, and answers when it is its turn. A call that waits holds a place on its own
    /// connection, and nothing else.
    pub(super) async fn search(&self, person: &str) -> Result<Searching, Status> {
        let now = self.meter.clock.now();
        let search = self.meter.ledger().search(&self.principal, person, now);
        let search = search.map_err(|reach| self.meter.refuse(*reach))?;
        if let Some(report) = search.report {
            self.meter.report(report);
        }
        if !search.wait.is_zero() {
            metrics::counter!(
                "yichuan_quota_slowed_total", "quota" => Quota::Searches.as_str()
            )
            .increment(1);
            tokio::time::sleep(search.wait).await;
        }
        Ok(Searching(search.new.then(|| self.clone())))
    }

    /// A place among the caller's streams.
    pub(super) fn stream(&self) -> Result<StreamLease, Status> {
        match self.meter.ledger().open_stream(&self.principal) {
            Some(()) => Ok(StreamLease(self.clone())),
            None => {
                metrics::counter!("yichuan_quota_refusals_total", "quota" => "streams")
                    .increment(1);
                Err(Status::resource_exhausted(
                    "this caller has as many streams open as quotas.streams allows; end one first",
                ))
            }
        }
    }
}

/// A search under way, which may turn out to have missed.
#[derive(Debug)]
pub(super) struct Searching(Option<Metered>);

impl Searching {
    /// One that counts nowhere: it is for nobody in particular.
    pub(super) const fn nobody() -> Self {
        Self(None)
    }

    /// Counts the miss, where nobody was found.
    pub(super) fn found(self, anybody: bool) {
        if let Some(metered) = self.0.filter(|_| !anybody) {
            let now = metered.meter.clock.now();
            metered.meter.ledger().missed(&metered.principal, now);
        }
    }
}

/// A stream's place among its caller's; given back when dropped.
#[derive(Debug)]
pub(super) struct StreamLease(Metered);

impl StreamLease {
    /// The stream, which holds its place until it ends.
    pub(super) fn over<T>(
        self,
        stream: impl Stream<Item = T> + Send + 'static,
    ) -> Pin<Box<dyn Stream<Item = T> + Send>> {
        Box::pin(stream.inspect(move |_| _ = &self))
    }
}

impl Drop for StreamLease {
    fn drop(&mut self) {
        self.0.meter.ledger().close_stream(&self.0.principal);
    }
}
