//! Closes a store without panicking.
//!
//! sled 0.34.7 syncs its file when its last handle is dropped, and panics if that fails. A process then ended in the
//! middle of its stop and left no trace of the failed disk.

use super::{StoreError, guarded};

/// Called if a store fails to close.
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

    /// Reports that the store failed to close. Only the first error is reported.
    pub(super) fn fail(&mut self, error: &StoreError) {
        tracing::error!(%error, "the store failed to close");
        if let Some(report) = self.report.take() {
            report(error);
        }
    }

    /// Drops the report: an earlier failure was reported already.
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
