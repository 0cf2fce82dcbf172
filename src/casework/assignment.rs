//! Assigning records.

use super::{Casework, CaseworkError, policy::knows_unit, row_codec::RowsError, sight::look_at};
use crate::{
    access::{AssignRecord, Assignee, Permit, UnitName},
    domain::RecordId,
    entry::{Cause, Entry, Kind},
    store::DiskShort,
};

/// A record was not assigned.
#[derive(Debug, thiserror::Error)]
pub enum AssignRefused {
    /// There is no such record, or the log failed.
    #[error(transparent)]
    Casework(#[from] CaseworkError),
    /// The policy names no such unit: nobody could open the record.
    #[error("this node has no unit {0}; name one of `access.units` in its configuration")]
    NoUnit(UnitName),
}

impl From<DiskShort> for AssignRefused {
    fn from(short: DiskShort) -> Self {
        Self::Casework(short.into())
    }
}

impl From<RowsError> for AssignRefused {
    fn from(error: RowsError) -> Self {
        Self::Casework(error.into())
    }
}

impl Casework {
    /// Assigns a record, or opens it again to all of the node's officers. Gives the index of the entry.
    ///
    /// # Errors
    /// The record or the unit does not exist here, or the log failed.
    pub async fn assign(
        &self,
        permit: &Permit<AssignRecord>,
        record: RecordId,
        assignee: Option<Assignee>,
    ) -> Result<u64, AssignRefused> {
        self.vault.admit()?;
        let permit = permit.clone();
        let cause = Cause::of(permit.principal(), permit.grounds());
        let assigned = self.commit(move |txn| {
            look_at(txn, &permit, record)?.ok_or(CaseworkError::NotFound(record))?;
            if let Some(Assignee::Unit(unit)) = &assignee
                && !knows_unit(txn, unit)?
            {
                return Err(AssignRefused::NoUnit(unit.clone()));
            }
            let entry = Entry::new(txn.now(), cause, Kind::RecordAssigned { record, assignee });
            Ok(txn.append(entry.encode()).map_err(RowsError::from)?)
        });
        Ok(assigned.await?.into_inner())
    }
}
