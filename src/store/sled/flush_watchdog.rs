//! Wakes a flush that sled 0.34.7 forgot.
//!
//! Where a write of sled's fails on one of its own threads, sled notes the error and, on one of two ways (`logger.rs`, when
//! the last writer leaves a buffer), does not wake who waits for that write: a flush then waits for ever, and a node whose
//! disk failed would neither answer nor close. A second flush sees the error at once and wakes all others. So whenever a
//! flush takes long, another one is tried beside it.

use std::{
    fmt, io,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// A flush that takes longer than this is looked after, and again as often. A disk that is only slow loses nothing by it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Flushes beside a single one that does not end: each may be forgotten itself, where the error comes after it looked.
const MAX_NUDGES: u32 = 60;

/// The thread that looks after flushes. It ends with this.
pub(super) struct FlushWatchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Odd while a flush is under way; each has a number of its own.
    flushes: AtomicU64,
    stopping: Mutex<bool>,
    stop: Condvar,
}

impl FlushWatchdog {
    pub(super) fn start(db: &sled::Db) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (watching, db) = (Arc::clone(&shared), db.clone());
        let thread = thread::Builder::new()
            .name("store-watchdog".to_owned())
            .spawn(move || watching.watch(&db))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Runs a flush. One at a time.
    pub(super) fn guard<T>(&self, flush: impl FnOnce() -> T) -> T {
        self.shared.flushes.fetch_add(1, Ordering::AcqRel);
        let flushed = flush();
        self.shared.flushes.fetch_add(1, Ordering::AcqRel);
        flushed
    }
}

impl Shared {
    fn watch(&self, db: &sled::Db) {
        let (mut seen, mut nudges) = (0, 0);
        loop {
            let stopping = self.stopping.lock().unwrap_or_else(PoisonError::into_inner);
            let (stopping, _) = self
                .stop
                .wait_timeout_while(stopping, PATIENCE, |stopping| !*stopping)
                .unwrap_or_else(PoisonError::into_inner);
            if *stopping {
                return;
            }
            drop(stopping);
            let flushes = self.flushes.load(Ordering::Acquire);
            if flushes.is_multiple_of(2) || flushes != seen {
                (seen, nudges) = (flushes, 0);
            } else if nudges < MAX_NUDGES {
                nudges += 1;
                nudge(db.clone());
            }
        }
    }
}

/// Not on the watching thread: where there is no error yet, this waits as long as the flush itself.
fn nudge(db: sled::Db) {
    let nudged = thread::Builder::new()
        .name("store-nudge".to_owned())
        .spawn(move || {
            // Whoever commits hears of it.
            drop(db.flush());
        });
    if let Err(error) = nudged {
        tracing::warn!(%error, "a flush takes long, and no thread can be started to look after it");
    }
}

impl Drop for FlushWatchdog {
    fn drop(&mut self) {
        let stopping = self.shared.stopping.lock();
        *stopping.unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.stop.notify_all();
        if let Some(thread) = self.thread.take() {
            // It holds the database, which must close when the store does.
            drop(thread.join());
        }
    }
}

impl fmt::Debug for FlushWatchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlushWatchdog").finish_non_exhaustive()
    }
}
