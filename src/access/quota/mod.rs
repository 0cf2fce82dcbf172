//! Quotas: how much a principal may ask of a node. Honest work stays far below them; they stop stolen keys and snooping.
//!
//! Begin at `ledger.rs`, which holds the accounts of all principals.

mod attempts;
mod ledger;
mod lookups;
mod rate;

use super::Principal;
use crate::domain::keyed;
pub use attempts::{Attempt, AttemptReport};
pub use ledger::{Ledger, QuotaReached, Search};
use rate::Rate;

const MINUTE: u32 = 60;
const HOUR: u32 = 3_600;
const DAY: u32 = 86_400;

keyed! {
    /// A quota. The keys are those of logs, metrics and the configuration.
    pub enum Quota {
        /// Calls of any kind; a stream is one.
        Calls = "calls_per_minute",
        /// Leads and notices pushed, over a minute. More are slowed, never refused.
        PushedSteadily = "pushed_per_minute",
        /// Leads and notices pushed, over a day.
        Pushed = "pushed_per_day",
        /// Payloads opened.
        Opened = "opened_per_hour",
        /// Distinct persons, places or substances searched for.
        Searches = "searches_per_hour",
        /// Searches that found nothing.
        Misses = "misses_per_hour",
        /// Pushes under a number that is taken by other content.
        Conflicts = "conflicts_per_hour",
        /// Dispatches of a partner's node, over a minute. More are slowed, never refused.
        DispatchesSteadily = "dispatches_per_minute",
        /// Dispatches of a partner's node, over a day.
        Dispatches = "dispatches_per_day",
        /// Bytes that reads and actions on records add to the log. Pushes have a quota of their own.
        Logged = "logged_bytes_per_day",
    }
}

impl Quota {
    /// The window in seconds.
    pub const fn window_s(self) -> u32 {
        match self {
            Self::Calls | Self::PushedSteadily | Self::DispatchesSteadily => MINUTE,
            Self::Pushed | Self::Dispatches | Self::Logged => DAY,
            Self::Opened | Self::Searches | Self::Misses | Self::Conflicts => HOUR,
        }
    }
}

/// `[quotas]` of the configuration: the limits of one principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// See [`Quota::Calls`].
    pub calls_per_minute: u32,
    /// See [`Quota::PushedSteadily`].
    pub pushed_per_minute: u32,
    /// See [`Quota::Pushed`].
    pub pushed_per_day: u32,
    /// See [`Quota::Opened`].
    pub opened_per_hour: u32,
    /// See [`Quota::Searches`].
    pub searches_per_hour: u32,
    /// See [`Quota::Misses`].
    pub misses_per_hour: u32,
    /// See [`Quota::Conflicts`].
    pub conflicts_per_hour: u32,
    /// See [`Quota::DispatchesSteadily`].
    pub dispatches_per_minute: u32,
    /// See [`Quota::Dispatches`].
    pub dispatches_per_day: u32,
    /// See [`Quota::Logged`].
    pub logged_bytes_per_day: u32,
    /// Streams that one principal may have open at once.
    pub streams: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            calls_per_minute: 6_000,
            pushed_per_minute: 600_000,
            pushed_per_day: 2_000_000,
            opened_per_hour: 2_000,
            searches_per_hour: 300,
            misses_per_hour: 100,
            conflicts_per_hour: 10_000,
            dispatches_per_minute: 600_000,
            dispatches_per_day: 5_000_000,
            logged_bytes_per_day: 16 * 1024 * 1024,
            streams: 32,
        }
    }
}

impl Quotas {
    /// The limit of a quota.
    pub const fn limit(&self, quota: Quota) -> u32 {
        match quota {
            Quota::Calls => self.calls_per_minute,
            Quota::PushedSteadily => self.pushed_per_minute,
            Quota::Pushed => self.pushed_per_day,
            Quota::Opened => self.opened_per_hour,
            Quota::Searches => self.searches_per_hour,
            Quota::Misses => self.misses_per_hour,
            Quota::Conflicts => self.conflicts_per_hour,
            Quota::DispatchesSteadily => self.dispatches_per_minute,
            Quota::Dispatches => self.dispatches_per_day,
            Quota::Logged => self.logged_bytes_per_day,
        }
    }

    const fn rate(&self, quota: Quota) -> Rate {
        Rate::new(self.limit(quota), quota.window_s())
    }
}

/// What the log records, once a window, of a principal that has used up a quota or is slowed because little of it is left. It
/// does not say what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaReport {
    /// The principal.
    pub principal: Principal,
    /// The quota.
    pub quota: Quota,
    /// Its limit.
    pub limit: u32,
    /// How much was used.
    pub counted: u32,
    /// Its window in seconds.
    pub window_s: u32,
    /// True if further calls are refused, false if they are slowed.
    pub refused: bool,
}

/// A used-up quota. Names the quota, its limit and when to come back, never what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the quota {quota} is used up: {limit} for one {whose}; come back in {retry_after_s} s, or ask the node's \
     administrator for more"
)]
pub struct Exceeded {
    /// The quota.
    pub quota: Quota,
    /// Its limit.
    pub limit: u32,
    /// Whose it is: `caller`, or `jurisdiction` where all its people share it.
    pub whose: &'static str,
    /// Seconds after which the same call would be answered; at least 1.
    pub retry_after_s: u64,
}
