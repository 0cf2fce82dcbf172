//! What one record may carry of others: leads between the same two parties, and nothing against its handling.

use super::{record_row::record_of, row_codec::RowsError};
use crate::{
    domain::{
        Family, Handling, Jurisdiction, RecordId, RecordKind, content::referral::ReferralFields,
    },
    exchange::Rows,
};

/// H1 forbids use as evidence, which a transfer is.
pub(super) const fn may_carry(kind: RecordKind, handling: Handling) -> bool {
    !matches!((kind, handling), (RecordKind::Transfer, Handling::H1))
}

/// Whether a referral may carry the leads that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    Fits,
    /// One is not between these two: nothing of a third party's is passed on.
    Foreign,
    /// One came under H1, and this is a transfer.
    NotAsEvidence,
}

/// Looks at every lead that a referral carries.
pub(super) fn carried(
    rows: &mut dyn Rows,
    fields: &ReferralFields,
    kind: RecordKind,
    parties: [Jurisdiction; 2],
) -> Result<Carried, RowsError> {
    let Ok(leads) = fields.leads() else {
        return Ok(Carried::Foreign);
    };
    for id in leads {
        let Some(row) = record_of(rows, Family::Lead, id)?.filter(|row| row.is_between(parties))
        else {
            return Ok(Carried::Foreign);
        };
        if !may_carry(kind, row.handling) {
            return Ok(Carried::NotAsEvidence);
        }
    }
    Ok(Carried::Fits)
}

/// True for a lead between these two, whichever way it went.
pub(super) fn is_between(
    rows: &mut dyn Rows,
    id: RecordId,
    parties: [Jurisdiction; 2],
) -> Result<bool, RowsError> {
    let lead = record_of(rows, Family::Lead, id)?;
    Ok(lead.is_some_and(|row| row.is_between(parties)))
}
