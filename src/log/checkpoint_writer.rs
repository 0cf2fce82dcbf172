//! Writes the newest published checkpoint to a file outside the store, so that a store that was rolled back is detected
//! (I4). The file is never ahead of the store and may lag behind it.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use super::shared::{Closure, Shared};
use crate::{note::SignedCheckpoint, store::durable::sync_directory};

/// Minimum time between two writes of the file. Each write syncs a file and a directory on the disk that commits wait
/// for.
const PAUSE: Duration = Duration::from_millis(50);

/// The writer's thread, and the slot from which it takes checkpoints. Only the newest one counts.
pub(super) struct CheckpointWriter {
    slot: Arc<Slot>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    newest: Option<Arc<SignedCheckpoint>>,
    stopping: bool,
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a checkpoint. Returns `None` when stopping and nothing is left to write.
    fn take(&self) -> Option<Arc<SignedCheckpoint>> {
        let state = self.state();
        let mut state = self
            .changed
            .wait_while(state, |state| state.newest.is_none() && !state.stopping)
            .unwrap_or_else(PoisonError::into_inner);
        state.newest.take()
    }

    /// Waits until the next write is due, or until stopped.
    fn rest(&self) {
        let state = self.state();
        drop(
            self.changed
                .wait_timeout_while(state, PAUSE, |state| !state.stopping)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }
}

impl CheckpointWriter {
    pub(super) fn start(path: PathBuf, shared: Arc<Shared>) -> io::Result<Self> {
        let slot = Arc::new(Slot::default());
        let taken = Arc::clone(&slot);
        let thread = std::thread::Builder::new()
            .name("log-checkpoint".to_owned())
            .spawn(move || {
                while let Some(checkpoint) = taken.take() {
                    if let Err(source) = write(&path, checkpoint.note().as_bytes()) {
                        let source = Arc::new(source);
                        shared.close(Closure::CheckpointFile { path, source });
                        return;
                    }
                    taken.rest();
                }
            })?;
        Ok(Self {
            slot,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Replaces the checkpoint that is still to be written, if any, with this newer one. Does not wait.
    pub(super) fn submit(&self, checkpoint: Arc<SignedCheckpoint>) {
        self.slot.state().newest = Some(checkpoint);
        self.slot.changed.notify_one();
    }

    /// Writes what is left and joins the thread.
    pub(super) fn stop(&self) {
        self.slot.state().stopping = true;
        self.slot.changed.notify_one();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(Err(_)) = thread.map(JoinHandle::join) {
            tracing::error!("the checkpoint writer panicked");
        }
    }
}

impl Drop for CheckpointWriter {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Replaces the file: after a crash it holds either the old bytes or the new ones.
pub(super) fn write(path: &Path, note: &[u8]) -> io::Result<()> {
    let mut next = path.as_os_str().to_owned();
    next.push(".next");
    let mut file = File::create(&next)?;
    file.write_all(note)?;
    file.sync_all()?;
    fs::rename(&next, path)?;
    path.parent().map_or(Ok(()), sync_directory)
}
