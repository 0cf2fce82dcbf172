//! The end of a store.
//!
//! sled 0.34.7 syncs its file when its last handle is dropped, and panics where that fails: the process ended in the middle
//! of its stop, and left no word that the disk failed.

use super::{StoreError, guarded};

/// Who hears that a store did not close as it should.
type Report = Box<dyn FnOnce(&StoreError) + Send + Sync>;

/// The last handle to sled. Dropping it closes sled, and does not panic.
pub(super) struct LastHandle {
    db: Option<sled::Db>,
    report: Option<Report>,
}

impl LastHandle {
    pub(super) fn to(db: &sled::Db) -> Self {
        Self {
            db: Some(db.clone()),
            report: None,
        }
    }

    pub(super) fn report_to(&mut self, report: Report) {
        self.report = Some(report);
    }

    /// The store does not close as it should. The first error is the one that is reported.
    pub(super) fn fail(&mut self, error: &StoreError) {
        tracing::error!(%error, "the store did not close as it should");
        if let Some(report) = self.report.take() {
            report(error);
        }
    }

    /// Whoever failed has said so already.
    pub(super) fn say_nothing(&mut self) {
        self.report = None;
    }
}

impl Drop for LastHandle {
    fn drop(&mut self) {
        let db = self.db.take();
        let closed = guarded("close", || {
            drop(db);
            Ok(())
        });
        if let Err(error) = closed {
            self.fail(&error);
        }
    }
}
