//! Rows of the view of caught notices.

use super::{
    Direction,
    rows::{RowsError, decode, encode, text},
};
use crate::{
    domain::{CaughtState, Jurisdiction, RecordId},
    exchange::Rows,
    log::Txn,
    store::tables,
};
use serde::{Deserialize, Serialize};

/// Where a caught notice stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaughtRow {
    /// Which way it went.
    pub direction: Direction,
    /// Who notifies.
    #[serde(with = "text")]
    pub from: Jurisdiction,
    /// Whose node it went to.
    #[serde(with = "text")]
    pub to: Jurisdiction,
    /// Its index in this log.
    pub index: u64,
    /// When it was written into this log, milliseconds since 1970-01-01 UTC.
    pub time_ms: u64,
    /// When it is purged, `year * 100 + month`.
    pub purge_month: u32,
    /// When the recipient received it, by its clock; milliseconds since 1970-01-01 UTC.
    pub received_ms: Option<u64>,
    /// Why the recipient's node refused it.
    pub refusal: Option<String>,
}

impl CaughtRow {
    /// Where it stands.
    pub const fn state(&self) -> CaughtState {
        match (&self.refusal, self.received_ms) {
            (Some(_), _) => CaughtState::Refused,
            (None, Some(_)) => CaughtState::Delivered,
            (None, None) => CaughtState::Sent,
        }
    }
}

pub(super) const fn state_key(state: CaughtState) -> u8 {
    match state {
        CaughtState::Sent => 0,
        CaughtState::Delivered => 1,
        CaughtState::Refused => 2,
    }
}

/// A notice's row.
pub(super) fn caught(
    rows: &mut dyn Rows,
    record: RecordId,
) -> Result<Option<CaughtRow>, RowsError> {
    let row = rows.row(&tables::caught(record))?;
    Ok(row.map(|bytes| decode(&bytes)).transpose()?)
}

/// Puts a notice's row, and moves it among those of its direction and state.
pub(super) fn put_caught(
    txn: &mut Txn<'_>,
    record: RecordId,
    before: Option<&CaughtRow>,
    row: &CaughtRow,
) -> Result<(), RowsError> {
    let place = |row: &CaughtRow| {
        tables::caught_by_state(row.direction.key(), state_key(row.state()), row.index)
    };
    if let Some(before) = before
        && place(before) != place(row)
    {
        txn.delete(place(before))?;
    }
    txn.put(place(row), record.as_bytes().to_vec())?;
    txn.put(tables::caught(record), encode(row)?)?;
    Ok(())
}
