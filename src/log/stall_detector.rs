//! Detects that the writer hangs. A hung disk returns no error: a commit that never returns would leave every caller
//! waiting and the node looking healthy.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// How often a waiting caller checks for a change.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(1);

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
