//! When a partner's card may take the place of another.

use super::{
    partner_cards::{Approval, CardChange, CardReader},
    partner_error::PartnerRefused,
    partner_rows::get,
};
use crate::{
    entry::AbandonedLog,
    exchange::{Partner, Witness},
    log::Txn,
    merkle,
};

/// A card takes the place of an older one alone, also of one whose partner was removed since.
pub(super) fn no_older(
    txn: &mut Txn<'_>,
    cards: &dyn CardReader,
    offered: &Partner,
    card_sha256: &[u8; 32],
) -> Result<(), PartnerRefused> {
    let code = offered.code;
    let Some(row) = get(txn, code, false)? else {
        return Ok(());
    };
    if row.digest() == *card_sha256 {
        return if row.counts() {
            Err(PartnerRefused::Known(code))
        } else {
            Ok(())
        };
    }
    // One that cannot be read any more is no hindrance to its successor.
    match cards.read(row.card.as_bytes()) {
        Ok(known) if offered.issued <= known.issued => Err(PartnerRefused::Older {
            code,
            offered: offered.issued,
            known: known.issued,
        }),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// That a card changes what its approver named, and no more. The log that it gives up, if it does.
pub(super) fn replaces(
    txn: &mut Txn<'_>,
    cards: &dyn CardReader,
    new: &Partner,
    approval: &Approval,
) -> Result<Option<AbandonedLog>, PartnerRefused> {
    let code = new.code;
    let Some(row) = get(txn, code, false)? else {
        return Ok(None);
    };
    let old = cards.read(row.card.as_bytes()).ok();
    let changes = match &old {
        Some(old) => CardChange::between(old, new),
        None => CardChange::ALL.iter().copied().collect(),
    };
    let mut abandoned = None;
    if let Some(old) = old.filter(|_| changes.contains(&CardChange::Origin)) {
        let origin = old.key.name().to_owned();
        let verified = Witness::stored(txn, code, &origin)?;
        let (size, root) = verified.map_or((0, merkle::empty_root()), |(it, _)| (it.size, it.root));
        if approval.accepted_log.as_deref() != Some(new.key.name()) {
            return Err(PartnerRefused::NewLog {
                code,
                new: new.key.name().to_owned(),
                old: origin,
                verified: size,
            });
        }
        abandoned = Some(AbandonedLog { origin, size, root });
    }
    if approval.changes != changes {
        return Err(PartnerRefused::Changes { code, changes });
    }
    Ok(abandoned)
}
