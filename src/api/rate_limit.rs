//! How often: the quotas of a call. A call spends them before anything is done, and waits without holding what others wait
//! for. The log records who reaches one.
//!
//! Begin at [`Meter`], and at [`Metered`], one caller's side of it.

use super::{
    reason::RefusedFor,
    refused::{RefusalKind, Refused},
};
use crate::{
    access::{Attempt, AttemptReport, Ledger, Principal, Quota, QuotaReached, QuotaReport},
    casework::{LOOK_LIMIT, Trace, report_attempt, report_quota},
    domain::{Clock, Jurisdiction},
    log::Log,
};
use futures_util::{Stream, StreamExt as _};
use std::{
    collections::BTreeMap,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

/// Reports queued for the log. Each principal and quota makes at most two per window.
const REPORTS: usize = 256;

/// Bytes that count as one in the quotas of pushes and dispatches. A longer message counts as several.
const UNIT_BYTES: usize = 4_096;

/// Concurrent looks through the records of one caller, or of all people of another jurisdiction together. More wait their
/// turn, so that they leave places among the log's readers to others.
const LOOKS: usize = 2;

/// The largest `Consulted` entry in bytes without its records, and what each record adds.
const TRACE_BYTES: usize = 256;
const TRACE_BYTES_EACH: usize = 18;

/// Rows looked at that count as one call.
const ROWS_PER_CALL: usize = 200;

/// The accounts of all principals, which the node's services share.
pub(crate) struct Meter {
    ledger: Mutex<Ledger>,
    clock: Arc<dyn Clock>,
    reports: mpsc::Sender<Report>,
    /// The turns of callers who look through records now.
    looking: Mutex<BTreeMap<Principal, Arc<Semaphore>>>,
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meter")
    }
}

/// What the log is to record about a caller.
#[derive(Debug)]
enum Report {
    Quota(QuotaReport),
    Attempt(AttemptReport),
}

/// Reports on their way into the log.
#[derive(Debug)]
pub(crate) struct QuotaReports(mpsc::Receiver<Report>);

impl QuotaReports {
    /// Writes reports until `stop`, and those that are queued by then.
    pub(crate) async fn write(mut self, log: Log, own: Jurisdiction, stop: CancellationToken) {
        loop {
            let report = tokio::select! {
                biased;
                report = self.0.recv() => report,
                () = stop.cancelled() => return,
            };
            let Some(report) = report else { return };
            let written = match report {
                Report::Quota(report) => report_quota(&log, own, report).await,
                Report::Attempt(report) => report_attempt(&log, own, report).await,
            };
            if let Err(error) = written {
                tracing::error!(%error, "a report about a refused caller could not be written to the log");
            }
        }
    }
}

impl Meter {
    /// A meter that continues with the accounts of a ledger.
    pub(crate) fn new(ledger: Ledger, clock: Arc<dyn Clock>) -> (Arc<Self>, QuotaReports) {
        let (reports, waiting) = mpsc::channel(REPORTS);
        let meter = Self {
            ledger: Mutex::new(ledger),
            clock,
            reports,
            looking: Mutex::default(),
        };
        (Arc::new(meter), QuotaReports(waiting))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // The accounts are consistent at every step, so a poisoned lock does no harm.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Spends some of a quota.
    pub(crate) fn spend(&self, who: &Principal, quota: Quota, amount: u32) -> Result<(), Refused> {
        let spent = self.ledger().spend(who, quota, amount, self.clock.now());
        spent.map_err(|reach| self.refuse(*reach))
    }

    fn refuse(&self, reach: QuotaReached) -> Refused {
        let quota = reach.exceeded.quota.as_str();
        metrics::counter!("yichuan_quota_refusals_total", "quota" => quota).increment(1);
        if let Some(report) = reach.report {
            self.report(report);
        }
        reach.exceeded.into()
    }

    fn turns(&self, who: &Principal) -> Arc<Semaphore> {
        let whose = if self.ledger().is_foreign_person(who) {
            Principal::node(who.jurisdiction())
        } else {
            who.clone()
        };
        let mut looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever looks or waits holds a reference.
        looking.retain(|_, turns| Arc::strong_count(turns) > 1);
        let turns = looking.entry(whose);
        Arc::clone(turns.or_insert_with(|| Arc::new(Semaphore::new(LOOKS))))
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
        self.send(Report::Quota(report));
    }

    fn send(&self, report: Report) {
        if self.reports.try_send(report).is_err() {
            tracing::error!("too many refusals at once: a report is not written to the log");
        }
    }

    /// Logs a refused call, and has the node's log record it if it was an attempt at something forbidden. `key` is one of few
    /// words of this program: the sentence may repeat the caller's words, which may be about a person.
    pub(crate) fn log_refused(
        &self,
        who: Option<&Principal>,
        call: &'static str,
        code: &dyn fmt::Debug,
        key: &'static str,
    ) {
        if let Some(who) = who {
            self.attempt(who, key);
        }
        let principal = who.map(Principal::to_string);
        tracing::warn!(principal, call, ?code, reason = key, "a call was refused");
    }

    /// Counts a refused attempt, if the refusal is one.
    fn attempt(&self, who: &Principal, key: &str) {
        let Ok(attempt) = key.parse::<Attempt>() else {
            return;
        };
        let report = self.ledger().attempt(who, attempt, self.clock.now());
        if let Some(report) = report {
            self.send(Report::Attempt(report));
        }
    }
}

/// One caller's side of the meter.
#[derive(Clone, Debug)]
pub(crate) struct Metered {
    meter: Arc<Meter>,
    principal: Principal,
}

impl Metered {
    pub(crate) fn new(meter: Arc<Meter>, principal: Principal) -> Self {
        Self { meter, principal }
    }

    /// Spends one of a quota.
    pub(crate) fn spend(&self, quota: Quota) -> Result<(), Refused> {
        self.meter.spend(&self.principal, quota, 1)
    }

    /// Lets a message of a stream through, within the quota of the day and at the pace of that of the minute. A faster sender
    /// waits here, and its messages wait in its own connection.
    pub(crate) async fn pass(
        &self,
        (steady, daily): (Quota, Quota),
        messages: usize,
        bytes: usize,
    ) -> Result<(), Refused> {
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

    /// Counts a search for a person and waits for its turn. While it waits it holds a place on its own connection and nothing
    /// else.
    pub(crate) async fn search(&self, person: &str) -> Result<Searching, Refused> {
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

    /// Reserves room in the log for the trace of a look at so many records. What it does not use is given back.
    pub(crate) fn reading(&self, records: usize) -> Result<Reading, Refused> {
        let most = TRACE_BYTES.saturating_add(records.saturating_mul(TRACE_BYTES_EACH));
        let taken = u32::try_from(most).unwrap_or(u32::MAX);
        self.meter.spend(&self.principal, Quota::Logged, taken)?;
        Ok(Reading {
            metered: self.clone(),
            taken,
        })
    }

    /// Waits for the caller's turn to look through records.
    pub(crate) async fn look(&self) -> Result<Looking, Refused> {
        let turn = self.meter.turns(&self.principal).acquire_owned().await;
        let stops = |_| Refused::new(RefusalKind::Unavailable, None, "this node is stopping");
        let turn = turn.map_err(stops)?;
        Ok(Looking {
            metered: self.clone(),
            rows: LOOK_LIMIT,
            _turn: turn,
        })
    }

    /// A place among the caller's streams.
    pub(crate) fn stream(&self) -> Result<StreamLease, Refused> {
        match self.meter.ledger().open_stream(&self.principal) {
            Some(()) => Ok(StreamLease(self.clone())),
            None => {
                metrics::counter!("yichuan_quota_refusals_total", "quota" => "streams")
                    .increment(1);
                Err(Refused::new(
                    RefusalKind::ResourceExhausted,
                    RefusedFor::Streams,
                    "this caller has as many streams open as quotas.streams allows; end one first",
                ))
            }
        }
    }
}

/// A caller's turn to look through records; given back when dropped.
#[derive(Debug)]
pub(crate) struct Looking {
    metered: Metered,
    /// Rows to pay for. A look that is cut off costs the most that it might have cost.
    rows: usize,
    _turn: OwnedSemaphorePermit,
}

impl Looking {
    /// Ends the look, at the cost of the rows that were looked at, found or not.
    pub(crate) fn looked_at(mut self, rows: usize) {
        self.rows = rows;
    }

    /// Ends a look for a page. A search costs the same whatever it met: otherwise the remaining quota would tell how much
    /// there is that the caller may not see.
    pub(crate) fn page(self, rows: usize, search: bool) {
        if !search {
            self.looked_at(rows);
        }
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        let Metered { meter, principal } = &self.metered;
        let calls = u32::try_from(self.rows / ROWS_PER_CALL).unwrap_or(u32::MAX);
        let now = meter.clock.now();
        meter.ledger().charge(principal, Quota::Calls, calls, now);
    }
}

/// A look whose trace is paid for. One that is cut off or refused costs the most that it might have cost.
#[derive(Debug)]
pub(crate) struct Reading {
    metered: Metered,
    taken: u32,
}

impl Reading {
    /// Ends the look, at the cost of its trace. Returns the trace's index.
    pub(crate) fn left(self, trace: Trace) -> u64 {
        self.cost(trace.bytes);
        trace.index
    }

    /// Ends the look, at the cost of so many bytes.
    pub(crate) fn cost(self, bytes: usize) {
        let Metered { meter, principal } = &self.metered;
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let now = meter.clock.now();
        meter
            .ledger()
            .give_back(principal, Quota::Logged, (self.taken, bytes), now);
    }
}

/// A search under way, which may turn out to be a miss.
#[derive(Debug)]
pub(crate) struct Searching(Option<Metered>);

impl Searching {
    /// One that is not for a person and counts nowhere.
    pub(crate) const fn nobody() -> Self {
        Self(None)
    }

    /// Counts a miss if nobody was found.
    pub(crate) fn found(self, anybody: bool) {
        if let Some(metered) = self.0.filter(|_| !anybody) {
            let now = metered.meter.clock.now();
            metered.meter.ledger().missed(&metered.principal, now);
        }
    }
}

/// A stream's place among its caller's; given back when dropped.
#[derive(Debug)]
pub(crate) struct StreamLease(Metered);

impl StreamLease {
    /// The stream, holding the place until it ends.
    pub(crate) fn over<T>(
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access::{Quotas, Role},
        domain::Timestamp,
    };
    use futures_util::FutureExt as _;

    #[derive(Debug)]
    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_772_640_000_000)
        }
    }

    fn meter(quotas: Quotas) -> Arc<Meter> {
        let ledger = Ledger::new("520624".parse().unwrap(), quotas);
        Meter::new(ledger, Arc::new(Still)).0
    }

    fn caller(meter: &Arc<Meter>, of: &str, number: &str) -> Metered {
        let who = Principal::person(of.parse().unwrap(), Role::Officer, number).unwrap();
        Metered::new(Arc::clone(meter), who)
    }

    fn look(caller: &Metered) -> Option<Looking> {
        caller.look().now_or_never().map(Result::unwrap)
    }

    #[test]
    fn regression_one_who_looks_at_everything_at_once_leaves_room_for_others() {
        let meter = meter(Quotas::default());
        let one = caller(&meter, "520624", "1");
        let looking: Vec<_> = (0..10).map_while(|_| look(&one)).collect();
        assert_eq!(looking.len(), LOOKS);
        assert!(look(&caller(&meter, "520624", "2")).is_some());
        // Another jurisdiction makes as many people as it likes.
        let many = (0..10).map(|number| caller(&meter, "440000", &number.to_string()));
        let foreign: Vec<_> = many.map_while(|caller| look(&caller)).collect();
        assert_eq!(foreign.len(), LOOKS);
        assert!(look(&caller(&meter, "330000", "1")).is_some());
        drop(looking);
        assert!(look(&one).is_some());
        drop(foreign);
        assert!(look(&caller(&meter, "440000", "11")).is_some());
        // Nobody is remembered for having looked.
        assert_eq!(meter.looking.lock().unwrap().len(), 1);
    }

    #[test]
    fn regression_a_look_costs_what_was_looked_at_also_one_that_is_cut_off() {
        let quotas = Quotas {
            calls_per_minute: 30,
            ..Quotas::default()
        };
        let meter = meter(quotas);
        let spent = |caller: &Metered| {
            let left = (0..40).take_while(|_| caller.spend(Quota::Calls).is_ok());
            30 - left.count()
        };
        let honest = caller(&meter, "520624", "1");
        look(&honest).unwrap().looked_at(100);
        assert_eq!(spent(&honest), 0);
        let fruitless = caller(&meter, "520624", "2");
        look(&fruitless).unwrap().looked_at(4_000);
        assert_eq!(spent(&fruitless), 4_000 / ROWS_PER_CALL);
        let gone = caller(&meter, "520624", "3");
        drop(look(&gone));
        assert_eq!(spent(&gone), LOOK_LIMIT / ROWS_PER_CALL);
        // Whatever it comes to, a minute later it is paid.
        let greedy = caller(&meter, "520624", "4");
        for _ in 0..100 {
            look(&greedy).unwrap().looked_at(LOOK_LIMIT);
        }
        assert_eq!(spent(&greedy), 30);
    }
}
