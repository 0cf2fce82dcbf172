//! Assigning records.

use super::{
    Desk, DeskError,
    policy::knows_unit,
    rows::{RowsError, decode, encode, text},
    sight::look_at,
};
use crate::{
    access::{AssignRecord, Assignee, Permit, UnitName},
    domain::{EntryId, RecordId},
    entry::{Cause, Entry, Kind},
    exchange::Rows,
    log::{Proposal, ProposeError, Txn, ViewError},
    store::{DiskShort, tables},
};
use serde::{Deserialize, Serialize};

/// An assignment: to whom, by whom, and the entry that says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct AssignmentRow {
    #[serde(with = "text")]
    assignee: Assignee,
    /// A SPIFFE ID.
    by: String,
    /// Index in this log.
    index: u64,
}

/// Keeps who has which record.
#[derive(Debug)]
pub(super) struct AssignmentView;

impl AssignmentView {
    /// An entry that may be about an assignment.
    #[expect(clippy::unused_self, reason = "as the other views")]
    pub(super) fn take(
        &self,
        txn: &mut Txn<'_>,
        index: u64,
        entry: &Entry,
    ) -> Result<(), ViewError> {
        let Kind::RecordAssigned { record, assignee } = &entry.kind else {
            return Ok(());
        };
        let key = tables::assignment(*record);
        match assignee {
            None => txn.delete(key)?,
            Some(assignee) => {
                let row = AssignmentRow {
                    assignee: assignee.clone(),
                    by: entry.cause.principal.to_string(),
                    index,
                };
                txn.put(key, encode(&row).map_err(ViewError::entry)?)?;
            }
        }
        Ok(())
    }
}

/// A record was not assigned.
#[derive(Debug, thiserror::Error)]
pub enum AssignRefused {
    /// There is no such record, or the log failed.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// The policy names no such unit: nobody could open the record.
    #[error("this node has no unit {0}; name one of `access.units` in its configuration")]
    NoUnit(UnitName),
}

impl From<DiskShort> for AssignRefused {
    fn from(short: DiskShort) -> Self {
        Self::Desk(short.into())
    }
}

impl From<RowsError> for AssignRefused {
    fn from(error: RowsError) -> Self {
        Self::Desk(error.into())
    }
}

impl Desk {
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
        let cause = Cause {
            principal: permit.principal().clone(),
            grounds: Some(permit.grounds().clone()),
        };
        let proposal = Proposal::new(move |txn| {
            look_at(txn, &permit, record)?.ok_or(DeskError::NotFound(record))?;
            if let Some(Assignee::Unit(unit)) = &assignee
                && !knows_unit(txn, unit)?
            {
                return Err(AssignRefused::NoUnit(unit.clone()));
            }
            let entry = Entry {
                time: txn.now(),
                id: EntryId::new(txn.now()),
                cause,
                kind: Kind::RecordAssigned { record, assignee },
            };
            Ok(txn.append(entry.encode()).map_err(RowsError::from)?)
        });
        match self.log.propose(proposal).await {
            Ok(index) => Ok(index.into_inner()),
            Err(ProposeError::Rejected(refused)) => Err(refused),
            Err(error) => Err(DeskError::Log(error.to_string()).into()),
        }
    }
}

/// To whom a record is assigned.
pub(super) fn assignment(
    rows: &mut dyn Rows,
    record: RecordId,
) -> Result<Option<Assignee>, RowsError> {
    let Some(bytes) = rows.row(&tables::assignment(record))? else {
        return Ok(None);
    };
    let row: AssignmentRow = decode(&bytes)?;
    Ok(Some(row.assignee))
}
