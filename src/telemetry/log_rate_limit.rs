//! Limits the rate of log lines: a stranger causes one with each refused connection, and could fill the disk. Only so
//! many lines of each kind are written in a window; the metrics count all of them.

use crate::domain::Clock;
use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tracing::{
    Event, Level, Metadata,
    callsite::Identifier,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Filter};

/// The most lines of one kind in a window.
const MOST: u32 = 100;
/// Length of a window in seconds.
const WINDOW_S: u64 = 10;
/// How many kinds are distinguished; further kinds at one callsite count as one.
const KINDS: usize = 1024;

static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// Lets through a limited number of lines of each kind: one callsite with one `reason`.
pub(super) struct LogRateLimit {
    clock: Arc<dyn Clock>,
    hasher: RandomState,
    kinds: Mutex<HashMap<(Identifier, u64), Window>>,
}

#[derive(Clone, Copy)]
struct Window {
    number: u64,
    lines: u32,
}

impl LogRateLimit {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            hasher: RandomState::new(),
            kinds: Mutex::default(),
        }
    }

    /// Counts a line. False if there were enough of its kind.
    fn admit(&self, callsite: Identifier, reason: u64) -> bool {
        let number = self.clock.now().seconds() / WINDOW_S;
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kind = (callsite, reason);
        if kinds.len() >= KINDS && !kinds.contains_key(&kind) {
            kinds.retain(|_, window| window.number == number);
            if kinds.len() >= KINDS {
                kind.1 = 0;
            }
        }
        let fresh = Window { number, lines: 0 };
        let window = kinds.entry(kind).or_insert(fresh);
        if window.number != number {
            *window = fresh;
        }
        window.lines = window.lines.saturating_add(1);
        window.lines <= MOST
    }
}

impl<S> Filter<S> for LogRateLimit {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        // Debug lines are wanted in full by whoever enables them.
        if *event.metadata().level() > Level::INFO {
            return true;
        }
        let mut reason = Reason {
            hasher: &self.hasher,
            hash: 0,
        };
        event.record(&mut reason);
        let admitted = self.admit(event.metadata().callsite(), reason.hash);
        if !admitted {
            LEFT_OUT.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("yichuan_log_lines_left_out_total").increment(1);
        }
        admitted
    }
}

/// Extracts the reason that distinguishes kinds.
struct Reason<'a> {
    hasher: &'a RandomState,
    hash: u64,
}

impl Visit for Reason<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "reason" {
            self.hash = self.hasher.hash_one(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// Logs how many lines were left out since the last such report, if any.
pub(super) fn report_suppressed() {
    let lines = LEFT_OUT.swap(0, Ordering::Relaxed);
    if lines > 0 {
        tracing::warn!(
            lines,
            "log lines like others before them were left out; the metrics count them"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use tracing::callsite::Callsite as _;

    #[derive(Debug, Default)]
    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::SeqCst))
        }
    }

    /// What another place in the program would have.
    fn here() -> Identifier {
        tracing::callsite! {
            name: "a place",
            kind: tracing::metadata::Kind::EVENT,
            level: Level::WARN,
            fields: reason
        }
        .metadata()
        .callsite()
    }

    #[test]
    fn a_flood_of_one_kind_is_bounded_and_leaves_others_their_lines() {
        let clock = Arc::new(Hand::default());
        let pace = LogRateLimit::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let here = here();
        let written = |reason| {
            (0..10_000)
                .filter(|_| pace.admit(here.clone(), reason))
                .count()
        };
        assert_eq!(written(1), 100);
        assert_eq!(written(2), 100);
        assert_eq!(written(1), 0);
        clock.0.store(10_000, Ordering::SeqCst);
        assert_eq!(written(1), 100);
    }

    #[test]
    fn kinds_without_end_take_bounded_memory_and_lines() {
        let clock = Arc::new(Hand::default());
        let pace = LogRateLimit::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let here = here();
        let written = (1..100_000).filter(|reason| pace.admit(here.clone(), *reason));
        assert_eq!(written.count(), KINDS + 100);
        assert!(pace.kinds.lock().unwrap().len() <= KINDS + 1);
        // Those of before make room.
        clock.0.store(10_000, Ordering::SeqCst);
        assert!(pace.admit(here, 100_001));
        assert_eq!(pace.kinds.lock().unwrap().len(), 1);
    }
}
