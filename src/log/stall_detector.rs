//! Detects that the writer hangs. A hung disk returns no error: a commit that never returns would leave every caller
//! waiting and the node looking healthy.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::Log;

/// How often a waiting caller checks for a change.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Since when the sequencer has been in one step: a decision, or a commit with its sync.
pub(super) struct StallDetector {
    start: Instant,
    stall_after: Duration,
    /// Milliseconds since `start`, plus one; 0 while the sequencer waits for work.
    since: AtomicU64,
}

impl StallDetector {
    pub(super) fn new(stall_after: Duration) -> Self {
        Self {
            start: Instant::now(),
            stall_after,
            since: AtomicU64::new(0),
        }
    }

    /// Begins a step, which ends when the returned guard is dropped.
    pub(super) fn step(&self) -> Step<'_> {
        self.since
            .store(self.millis().saturating_add(1), Ordering::Release);
        Step(self)
    }

    /// How long the step has lasted, if that is too long.
    pub(super) fn stalled(&self) -> Option<Duration> {
        let since = self.since.load(Ordering::Acquire).checked_sub(1)?;
        let lasts = Duration::from_millis(self.millis().saturating_sub(since));
        Some(lasts).filter(|lasts| *lasts >= self.stall_after)
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

pub(super) struct Step<'a>(&'a StallDetector);

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.0.since.store(0, Ordering::Release);
    }
}

impl Log {
    /// How long the write under way has lasted, if that is too long. Most often a disk hangs. Proposals wait, and so do
    /// reads of rows. If the write returns, the log continues.
    pub fn stalled(&self) -> Option<Duration> {
        self.inner.shared.stall_detector.stalled()
    }

    /// Waits until [`Log::stalled`] reports a stall, or with `false` until it reports none.
    pub async fn until_stalled(&self, stalled: bool) {
        let mut looks = tokio::time::interval(POLL_INTERVAL);
        while self.stalled().is_some() != stalled {
            looks.tick().await;
        }
    }

    /// Reports each write that takes too long, in the log file and the metrics. Never returns.
    pub async fn report_stalls(&self) {
        let shown = metrics::gauge!("yichuan_log_stalled");
        loop {
            shown.set(0.0);
            self.until_stalled(true).await;
            shown.set(1.0);
            tracing::error!("a write to the log does not return: see whether the disk hangs");
            self.until_stalled(false).await;
            tracing::warn!("the write to the log that took long has returned");
        }
    }
}
