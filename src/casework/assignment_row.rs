//! The rows of assignments: who has which record.

use super::row_codec::{RowsError, decode, encode, text};
use crate::{
    access::Assignee,
    domain::RecordId,
    entry::{Entry, Kind},
    exchange::Rows,
    log::{Txn, ViewError},
    store::tables,
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
