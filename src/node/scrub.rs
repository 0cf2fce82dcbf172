//! The regular scrub of a running node's log.

use crate::log::{Log, ReadError};
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// Time between the start and the first scrub of the log, when the couriers have caught up.
const SCRUB_AFTER: Duration = Duration::from_secs(600);
const SCRUB_EVERY: Duration = Duration::from_secs(24 * 3600);
/// Time between two steps of a scrub, each some thousand entries: most of the machine's time is left to its users.
const SCRUB_PAUSE: Duration = Duration::from_millis(50);

/// Hashes the whole log again, soon after the start and then once a day (I3). A mismatch closes the log and names the
/// damage, which the health port then reports.
pub(super) async fn scrub(log: &Log) {
    let first = tokio::time::Instant::now() + SCRUB_AFTER;
    let mut due = tokio::time::interval_at(first, SCRUB_EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        match log.scrub(SCRUB_PAUSE).await {
            Ok(entries) => tracing::info!(entries, "the whole log was hashed again and is sound"),
            // The result closed the log and was reported; checking again does not improve it.
            Err(ReadError::Store(_) | ReadError::Damaged(_)) => return,
            Err(error) => {
                tracing::warn!(%error, "the log could not be hashed; this is tried again in a day")
            }
        }
    }
}
