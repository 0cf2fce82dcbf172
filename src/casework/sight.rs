//! Rows as their callers may see them. Every list, search, filter, stream and opening of a record comes through [`look`].

use super::{
    CaseworkError,
    assignment_row::assignment,
    event_row::EVENTS_PER_RECORD,
    record_row::{RecordRow, record, record_of},
    row_codec::{RowsError, encode},
};
use crate::{
    access::{Assignee, Clearance, OfFamily, Parties, Permit, Scope, Subject, Visibility},
    domain::RecordId,
    exchange::Rows,
    store::tables,
};

/// A row, and what whoever asks may see of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it stands.
    pub row: RecordRow,
    /// Whose it is, as far as that concerns who asks.
    pub assigned: Option<Assignee>,
    /// What they may see of it: where it stands, or what it says too.
    pub sight: Visibility,
}

impl Listed {
    /// What there is of it to see, as bytes that are others where it changes.
    pub(super) fn write(&self, into: &mut Vec<u8>) -> Result<(), RowsError> {
        into.extend(encode(&self.row)?);
        write_assigned(self.assigned.as_ref(), into);
        into.push(u8::from(self.sight.is_content()));
        Ok(())
    }
}

fn write_assigned(assigned: Option<&Assignee>, into: &mut Vec<u8>) {
    into.extend(
        assigned
            .map(Assignee::to_string)
            .unwrap_or_default()
            .bytes(),
    );
    into.push(0);
}

/// A record of the permit's family as its holder may see it; nothing where for them it is not there.
pub(super) fn look<A: OfFamily>(
    rows: &mut dyn Rows,
    permit: &Permit<A>,
    id: RecordId,
) -> Result<Option<Listed>, RowsError> {
    Ok(look_at(rows, permit, id)?.filter(|listed| listed.row.kind.family() == permit.family()))
}

/// As [`look`], at a record of any family.
pub(super) fn look_at<A>(
    rows: &mut dyn Rows,
    permit: &Permit<A>,
    id: RecordId,
) -> Result<Option<Listed>, RowsError> {
    // The same rows are read whether or not there is such a record and whomever it concerns: nobody learns it by the clock.
    let (row, assigned) = (record(rows, id)?, assignment(rows, id)?);
    let Some(mut row) = row else {
        return Ok(None);
    };
    let sight = permit.visibility(subject(&row, assigned.as_ref()));
    if sight == Visibility::Nothing {
        return Ok(None);
    }
    if !sight.is_content() {
        row.withhold();
    }
    Ok(Some(Listed {
        row,
        // Which is nobody's business outside the jurisdiction.
        assigned: assigned.filter(|_| permit.scope() == Scope::Node),
        sight,
    }))
}

/// Clearance for one record of the permit's family, to open it or to act on it.
pub(super) fn clear<A: OfFamily>(
    rows: &mut dyn Rows,
    permit: &Permit<A>,
    id: RecordId,
) -> Result<Clearance, CaseworkError> {
    let row = record_of(rows, permit.family(), id)?;
    let assigned = assignment(rows, id)?;
    let row = row.ok_or(CaseworkError::NotFound(id))?;
    permit
        .clear(subject(&row, assigned.as_ref()))
        .map_err(|denial| denial.map_or(CaseworkError::NotFound(id), CaseworkError::from))
}

/// All that there is of a record, as bytes that are others where it changes: what it says is in what happened to it.
pub(super) fn shown(rows: &mut dyn Rows, id: RecordId) -> Result<Vec<u8>, RowsError> {
    let mut shown = encode(&record(rows, id)?)?;
    write_assigned(assignment(rows, id)?.as_ref(), &mut shown);
    let (from, to) = (
        tables::record_event(id, 0),
        tables::record_event(id, u64::MAX),
    );
    for (_, event) in rows.rows(&from, &to, EVENTS_PER_RECORD)? {
        shown.extend(event);
    }
    Ok(shown)
}

fn subject<'a>(row: &RecordRow, assigned: Option<&'a Assignee>) -> Subject<'a> {
    Subject {
        parties: Parties {
            from: row.from,
            to: row.to,
        },
        draft: row.draft.is_some(),
        assigned,
    }
}
