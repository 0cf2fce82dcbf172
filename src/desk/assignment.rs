//! Assigning records, and clearing whoever opens one or acts on one.

use super::{
    Desk, DeskError, leads,
    policy::knows_unit,
    referrals,
    rows::{RowsError, decode, encode, text},
};
use crate::{
    access::{AssignRecord, Assignee, Clearance, Permit, Scope, UnitName},
    domain::{EntryId, RecordId},
    exchange::Rows,
    log::{Durable, Proposal, ProposeError, Txn, ViewError},
    record::{Cause, Consultation, Entry, Kind},
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

/// A row, and to whom its record is assigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<R> {
    /// Where it stands.
    pub row: R,
    /// Whose it is, as far as that concerns who asks.
    pub assigned: Option<Assignee>,
}

impl Desk {
    /// Assigns a lead or a referral, or opens it again to all of the node's officers. Gives the index of the entry.
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
        let scope = permit.scope();
        let cause = Cause {
            principal: permit.principal().clone(),
            grounds: Some(permit.grounds().clone()),
        };
        let proposal = Proposal::new(move |txn| {
            is_here(txn, scope, record)?;
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

    /// Clears one record for opening and logs that it is opened, in one step: no assignment comes in between.
    pub(super) async fn clear_to_open<A: Clone + Send + 'static>(
        &self,
        permit: &Permit<A>,
        record: RecordId,
    ) -> Result<Durable<(Clearance, u64)>, DeskError> {
        self.vault.admit_reading()?;
        let permit = permit.clone();
        let proposal = Proposal::new(move |txn| {
            is_here(txn, permit.scope(), record)?;
            let clearance = clear(txn, &permit, record)?;
            let index = consult(txn, &clearance, Consultation::Open)?;
            Ok((clearance, index))
        });
        match self.log.propose(proposal).await {
            Ok(cleared) => Ok(cleared),
            Err(ProposeError::Rejected(refused)) => Err(refused),
            Err(error) => Err(DeskError::Log(error.to_string())),
        }
    }
}

/// Clears one record for acting on it; an override is logged before the act.
pub(super) fn clear_to_act<A>(
    txn: &mut Txn<'_>,
    permit: &Permit<A>,
    record: RecordId,
) -> Result<Clearance, DeskError> {
    let clearance = clear(txn, permit, record)?;
    if clearance.overridden() {
        consult(txn, &clearance, Consultation::Act)?;
    }
    Ok(clearance)
}

fn clear<A>(
    rows: &mut dyn Rows,
    permit: &Permit<A>,
    record: RecordId,
) -> Result<Clearance, DeskError> {
    let assigned = assignment(rows, record)?;
    Ok(permit.clear(record, assigned.as_ref())?)
}

fn consult(txn: &mut Txn<'_>, clearance: &Clearance, how: Consultation) -> Result<u64, DeskError> {
    let entry = Entry {
        time: txn.now(),
        id: EntryId::new(txn.now()),
        cause: Cause {
            principal: clearance.principal().clone(),
            grounds: Some(clearance.grounds().clone()),
        },
        kind: Kind::Consulted {
            how,
            records: vec![clearance.record()],
            overridden: clearance.overridden(),
        },
    };
    Ok(txn.append(entry.encode()).map_err(RowsError::from)?)
}

fn is_here(rows: &mut dyn Rows, scope: Scope, record: RecordId) -> Result<(), DeskError> {
    match leads::visible(rows, scope, record) {
        Err(DeskError::NotFound(_)) => referrals::visible(rows, scope, record).map(|_| ()),
        found => found.map(|_| ()),
    }
}

fn assignment(rows: &mut dyn Rows, record: RecordId) -> Result<Option<Assignee>, RowsError> {
    let Some(bytes) = rows.row(&tables::assignment(record))? else {
        return Ok(None);
    };
    let row: AssignmentRow = decode(&bytes)?;
    Ok(Some(row.assignee))
}

/// A row with its assignment, which is nobody's business outside the jurisdiction.
pub(super) fn listed<R>(
    rows: &mut dyn Rows,
    scope: Scope,
    record: RecordId,
    row: R,
) -> Result<Listed<R>, DeskError> {
    let assigned = match scope {
        Scope::Node => assignment(rows, record)?,
        Scope::Counterpart(_) => None,
    };
    Ok(Listed { row, assigned })
}
