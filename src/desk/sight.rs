//! Rows as their callers may see them. Every list, search, filter, stream and opening of a record comes through [`look`].

use super::{
    CaughtRow, DeskError, LeadRow, ReferralRow,
    assignment::assignment,
    caught_rows::caught,
    lead_rows::lead,
    referral_rows::referral,
    rows::{EVENTS_PER_RECORD, RowsError, encode},
};
use crate::{
    access::{Assignee, Clearance, Parties, Permit, Scope, Subject, Visibility},
    domain::RecordId,
    exchange::Rows,
    store::tables,
};
use serde::Serialize;

/// A row, and what whoever asks may see of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<R> {
    /// Where it stands.
    pub row: R,
    /// Whose it is, as far as that concerns who asks.
    pub assigned: Option<Assignee>,
    /// What they may see of it: where it stands, or what it says too.
    pub sight: Visibility,
}

impl<R: Serialize> Listed<R> {
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

/// The row of one kind of record.
pub(super) trait RecordRow: Serialize + Sized {
    fn find(rows: &mut dyn Rows, record: RecordId) -> Result<Option<Self>, RowsError>;

    fn parties(&self) -> Parties;

    /// True for what never left.
    fn is_draft(&self) -> bool {
        false
    }

    /// Takes out what comes from a payload.
    fn withhold(&mut self) {}
}

impl RecordRow for LeadRow {
    fn find(rows: &mut dyn Rows, record: RecordId) -> Result<Option<Self>, RowsError> {
        lead(rows, record)
    }

    fn parties(&self) -> Parties {
        Parties {
            from: self.from,
            to: self.to,
        }
    }

    fn withhold(&mut self) {
        self.outcome = None;
    }
}

impl RecordRow for ReferralRow {
    fn find(rows: &mut dyn Rows, record: RecordId) -> Result<Option<Self>, RowsError> {
        referral(rows, record)
    }

    fn parties(&self) -> Parties {
        Parties {
            from: self.from,
            to: self.to,
        }
    }

    fn is_draft(&self) -> bool {
        self.draft.is_some()
    }
}

impl RecordRow for CaughtRow {
    fn find(rows: &mut dyn Rows, record: RecordId) -> Result<Option<Self>, RowsError> {
        caught(rows, record)
    }

    fn parties(&self) -> Parties {
        Parties {
            from: self.from,
            to: self.to,
        }
    }
}

/// A record as the permit's holder may see it; nothing where for them it is not there.
pub(super) fn look<R: RecordRow, A>(
    rows: &mut dyn Rows,
    permit: &Permit<A>,
    record: RecordId,
) -> Result<Option<Listed<R>>, RowsError> {
    // The same rows are read whether or not there is such a record and whomever it concerns: nobody learns it by the clock.
    let (row, assigned) = (R::find(rows, record)?, assignment(rows, record)?);
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

/// Clearance for one record, to open it or to act on it.
pub(super) fn clear<R: RecordRow, A>(
    rows: &mut dyn Rows,
    permit: &Permit<A>,
    record: RecordId,
) -> Result<Clearance, DeskError> {
    let (row, assigned) = (R::find(rows, record)?, assignment(rows, record)?);
    let row = row.ok_or(DeskError::NotFound(record))?;
    permit
        .clear(record, subject(&row, assigned.as_ref()))
        .map_err(|denial| denial.map_or(DeskError::NotFound(record), DeskError::from))
}

/// All that there is of a record, as bytes that are others where it changes: what it says is in what happened to it.
pub(super) fn shown<R: RecordRow>(
    rows: &mut dyn Rows,
    record: RecordId,
) -> Result<Vec<u8>, RowsError> {
    let mut shown = encode(&R::find(rows, record)?)?;
    write_assigned(assignment(rows, record)?.as_ref(), &mut shown);
    let (from, to) = (
        tables::record_event(record, 0),
        tables::record_event(record, u64::MAX),
    );
    for (_, event) in rows.rows(&from, &to, EVENTS_PER_RECORD)? {
        shown.extend(event);
    }
    Ok(shown)
}

fn subject<'a, R: RecordRow>(row: &R, assigned: Option<&'a Assignee>) -> Subject<'a> {
    Subject {
        parties: row.parties(),
        draft: row.is_draft(),
        assigned,
    }
}
