//! The options of a log.

use super::View;
use crate::{domain::Clock, note::LogSigner};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// What a log is opened with.
pub struct LogOptions {
    /// Signs checkpoints; its name is the log's origin.
    pub signer: Arc<LogSigner>,
    /// Tells the time of entries.
    pub clock: Arc<dyn Clock>,
    /// Where the newest published checkpoint is kept, outside the store (I4).
    pub checkpoint_file: PathBuf,
    /// Views that see every entry, in this order.
    pub views: Vec<Box<dyn View>>,
    /// How many proposals may wait in the queue. Further callers wait for room.
    pub queue: usize,
    /// How many reads may run at once through [`Log::read`](super::Log::read).
    pub reads: usize,
    /// A write that takes longer is reported ([`Log::stalled`](super::Log::stalled)).
    pub stall_after: Duration,
}

impl LogOptions {
    /// With no views, room for 4,096 proposals and for 16 reads at once, and 30 seconds for a write.
    pub fn new(
        signer: impl Into<Arc<LogSigner>>,
        clock: Arc<dyn Clock>,
        checkpoint_file: PathBuf,
    ) -> Self {
        Self {
            signer: signer.into(),
            clock,
            checkpoint_file,
            views: Vec::new(),
            queue: 4096,
            reads: 16,
            stall_after: Duration::from_secs(30),
        }
    }
}
