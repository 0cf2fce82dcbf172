//! Disk space reserved for what must still be written when the disk is nearly full: receipts, answers, consultations,
//! evidence. A full disk closes the log; flooding a node must not get that far.

use super::StoreError;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::MissedTickBehavior;

/// Time between two measurements. A node under full load writes some 100 MB in it.
const EVERY: Duration = Duration::from_millis(250);

/// Whether the disk of a directory has more than its reserve left. Asked before new records and deliveries are taken.
#[derive(Debug)]
pub struct DiskReserve {
    directory: PathBuf,
    bytes: u64,
    is_short: AtomicBool,
    is_scarce: AtomicBool,
}

/// The disk has no more than its reserve left, or no more than half of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskShort {
    /// No room for new records.
    #[error(
        "the disk of this node is nearly full: it takes no new records until its administrator has made room; what is \
         under way is still answered"
    )]
    Records,
    /// No room for traces of reading and for short steps either.
    #[error(
        "the disk of this node is all but full: nobody reads or acts without a trace, and what room is left is for \
         receipts and answers to partners; its administrator must make room"
    )]
    Reading,
}

impl DiskReserve {
    /// Keeps this many bytes free on the disk of a directory; 0 keeps none.
    pub fn new(directory: &Path, bytes: u64) -> Self {
        metrics::gauge!("yichuan_disk_short").set(0.0);
        Self {
            directory: directory.to_owned(),
            bytes,
            is_short: AtomicBool::new(false),
            is_scarce: AtomicBool::new(false),
        }
    }

    /// Whether something new may be taken, as of the last measurement.
    ///
    /// # Errors
    /// The disk has no more than its reserve left.
    pub fn admit(&self) -> Result<(), DiskShort> {
        if self.is_short.load(Ordering::Acquire) {
            return Err(DiskShort::Records);
        }
        Ok(())
    }

    /// Whether something may be read that leaves a trace, or a short step be taken: endless reads and steps must not
    /// fill the disk either.
    ///
    /// # Errors
    /// The disk has no more than half its reserve left.
    pub fn admit_reading(&self) -> Result<(), DiskShort> {
        if self.is_scarce.load(Ordering::Acquire) {
            return Err(DiskShort::Reading);
        }
        Ok(())
    }

    /// Measures the free space. Blocks.
    ///
    /// # Errors
    /// The file system failed; the previous measurement stays.
    pub fn measure(&self) -> Result<(), StoreError> {
        let seen = rustix::fs::statvfs(&self.directory)
            .map_err(|errno| StoreError::io("ask for free disk space")(errno.into()))?;
        // The blocks reserved for root do not count.
        let free = seen.f_bavail.saturating_mul(seen.f_frsize);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("yichuan_disk_free_bytes").set(free as f64);
        let (is_short, is_scarce) = (free < self.bytes, free < self.bytes / 2);
        if self.is_scarce.swap(is_scarce, Ordering::AcqRel) != is_scarce && is_scarce {
            tracing::error!(
                "the disk is all but full: reads that leave a trace are refused too; make room"
            );
        }
        if self.is_short.swap(is_short, Ordering::AcqRel) != is_short {
            metrics::gauge!("yichuan_disk_short").set(f64::from(u8::from(is_short)));
            let (directory, keep) = (self.directory.display(), self.bytes);
            if is_short {
                tracing::error!(%directory, free, keep, "the disk is nearly full: no new records are taken; make room");
            } else {
                tracing::info!(%directory, free, keep, "the disk has room again: new records are taken");
            }
        }
        Ok(())
    }

    /// Measures again and again, until dropped.
    pub async fn watch(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let reserve = Arc::clone(&self);
            // A measurement that keeps failing shows in the disk's own errors.
            match tokio::task::spawn_blocking(move || reserve.measure()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "the disk does not say what is free"),
                Err(_) => return,
            }
        }
    }
}
