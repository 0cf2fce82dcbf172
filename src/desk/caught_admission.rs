//! Which verified dispatches are admitted: the rule of caught notices.

use super::{
    caught_view::{content_tag, number_tag},
    lead_rows::NumberRow,
    referral_admission::{is_between, is_taken},
    rows::RowsError,
};
use crate::{
    domain::{CaughtNotice, Handling, Jurisdiction, Urgency},
    entry::{Content, DispatchSent, Refusal},
    exchange::Rows as _,
    log::Txn,
    seal::Keyring,
    store::tables,
};

/// A notice asks for nothing: it is as urgent as anything, and for police use.
pub(super) const URGENCY: Urgency = Urgency::Normal;
/// See [`URGENCY`].
pub(super) const HANDLING: Handling = Handling::H0;

/// A partner notifies this node.
pub(super) fn judge_caught(
    txn: &mut Txn<'_>,
    ring: &Keyring,
    own: Jurisdiction,
    sent: &DispatchSent,
    content: &Content,
) -> Result<Result<(), Refusal>, RowsError> {
    let Content::Caught(fields) = content else {
        return Ok(Err(Refusal::InvalidContent));
    };
    let Ok(notice) = CaughtNotice::reread(fields) else {
        return Ok(Err(Refusal::InvalidContent));
    };
    // Its own resident, by whoever answers for the place: the county's notice may come to the province.
    let ours = notice
        .registered()
        .jurisdiction()
        .ancestry()
        .any(|code| code == own);
    let fits = ours
        && sent.urgency == URGENCY
        && sent.handling == HANDLING
        && sent.predecessors.is_empty();
    let lead_fits = match notice.lead() {
        Some(lead) => is_between(txn, lead, [sent.from, sent.to])?,
        None => true,
    };
    if !fits || !lead_fits {
        return Ok(Err(Refusal::InvalidContent));
    }
    let tag = number_tag(ring, sent.from, notice.number());
    if let Some(row) = txn.row(&tables::caught_number(&tag))? {
        // The same number with the same content under another id is a conflict.
        let same = NumberRow::from_bytes(&row)?.content == content_tag(ring, &notice);
        return Ok(Err(if same {
            Refusal::Conflict
        } else {
            Refusal::ChangedContent
        }));
    }
    Ok(if is_taken(txn, sent.record)? {
        Err(Refusal::Conflict)
    } else {
        Ok(())
    })
}
