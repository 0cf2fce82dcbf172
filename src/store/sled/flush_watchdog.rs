//! Wakes a flush that sled 0.34.7 forgot.
//!
//! If a write fails on one of sled's own threads, sled notes the error, but on one of two paths (`logger.rs`, when the
//! last writer leaves a buffer) it does not wake the thread that waits for that write. The flush then waits forever,
//! and a node whose disk failed would neither answer nor close. A second flush sees the error at once and wakes all
//! others. So while a flush takes long, this module runs another one beside it.

use std::{
    fmt, io,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// A flush that takes longer than this gets another one beside it, and again after each such interval. A disk that is
/// merely slow loses nothing by it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Flushes beside a single one that does not end. Each may be forgotten itself, if the error comes after it looked.
const MAX_NUDGES: u32 = 60;

/// The watchdog's thread, which ends when this is dropped.
pub(super) struct FlushWatchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Odd while a flush is under way. Each flush has a number of its own.
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

    /// Runs a flush under the watchdog. One at a time.
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

/// Runs on a thread of its own: without an error to find, this waits as long as the flush itself.
fn nudge(db: sled::Db) {
    let nudged = thread::Builder::new()
        .name("store-nudge".to_owned())
        .spawn(move || {
            // Whoever commits gets the error.
            drop(db.flush());
        });
    if let Err(error) = nudged {
        tracing::warn!(%error, "a flush takes long, and no thread can be started to wake it");
    }
}

impl Drop for FlushWatchdog {
    fn drop(&mut self) {
        let stopping = self.shared.stopping.lock();
        *stopping.unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.stop.notify_all();
        if let Some(thread) = self.thread.take() {
            // The thread holds the database, which must close when the store does.
            drop(thread.join());
        }
    }
}

impl fmt::Debug for FlushWatchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlushWatchdog").finish_non_exhaustive()
    }
}
