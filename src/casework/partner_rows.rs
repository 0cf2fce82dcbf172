//! The rows of partners and their drafts, as the entries about them leave them.

use super::{
    partner_cards::CardReader,
    row_codec::{RowDamaged, RowsError, decode, encode, hash},
};
use crate::{
    domain::Jurisdiction,
    entry::{Entry, Kind, PartnerChange},
    exchange::Rows,
    log::{Txn, ViewError},
    merkle::Hash,
    seal,
    store::tables,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};

/// Drafts of one person that wait. Whoever drafts more loses their own oldest, and no other's.
pub(super) const DRAFTS_PER_PERSON: usize = 256;

/// Drafts that wait. Beyond it the oldest gives way, whoever made it.
pub(super) const DRAFTS: usize = 1024;

/// Rows read at once.
const CHUNK: usize = 256;

/// Keeps the rows of partners.
#[derive(Debug)]
pub(super) struct PartnerView {
    cards: Arc<dyn CardReader>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Row {
    /// The card, byte for byte.
    pub(super) card: String,
    pub(super) proposed_by: String,
    pub(super) approved_by: Option<String>,
    /// Of a draft, which entry made it: the oldest gives way. Nothing for a draft from before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) suspended_by: Option<String>,
    /// The row stays, so that no older card comes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) removed_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) change: Option<ChangeRow>,
}

/// A change that waits for a second person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ChangeRow {
    change: String,
    pub(super) by: String,
    /// Leaf hash of the draft, hexadecimal.
    draft: String,
}

impl ChangeRow {
    pub(super) fn is(&self, change: PartnerChange) -> bool {
        self.change == change.as_str()
    }

    pub(super) fn change(&self) -> Option<PartnerChange> {
        self.change.parse().ok()
    }

    pub(super) fn draft(&self) -> Result<Hash, RowDamaged> {
        Ok(hash(&self.draft)?.into())
    }
}

impl Row {
    pub(super) fn digest(&self) -> [u8; 32] {
        seal::sha256(self.card.as_bytes())
    }

    /// Whether the partner was approved and not removed since.
    pub(super) fn counts(&self) -> bool {
        self.approved_by.is_some() && self.removed_by.is_none()
    }
}

impl PartnerView {
    /// A view that reads cards with this.
    pub(super) fn new(cards: Arc<dyn CardReader>) -> Self {
        Self { cards }
    }

    /// An entry that may be about a partner, where it stands and its hash.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whoever calls this names the kinds that are about partners"
    )]
    pub(super) fn take(
        &self,
        txn: &mut Txn<'_>,
        (index, hash): (u64, &Hash),
        entry: &Entry,
    ) -> Result<(), ViewError> {
        let who = entry.cause.principal.to_string();
        match &entry.kind {
            Kind::PartnerProposed { card } => {
                let partner = self.cards.read(card).map_err(ViewError::entry)?;
                let card = String::from_utf8(card.clone()).map_err(ViewError::entry)?;
                let row = Row {
                    card,
                    proposed_by: who,
                    index: Some(index),
                    ..Row::default()
                };
                put(txn, partner.code, true, &row).map_err(ViewError::entry)?;
                give_way(txn, &row.proposed_by).map_err(ViewError::entry)
            }
            Kind::PartnerApproved {
                jurisdiction,
                card_sha256,
                ..
            } => approved(txn, *jurisdiction, card_sha256, who).map_err(ViewError::entry),
            Kind::PartnerSuspended { jurisdiction } => change(txn, *jurisdiction, |row| {
                row.suspended_by = Some(who);
                row.change = None;
            }),
            Kind::PartnerChangeDrafted {
                jurisdiction,
                change: drafted,
            } => change(txn, *jurisdiction, |row| {
                row.change = Some(ChangeRow {
                    change: drafted.as_str().to_owned(),
                    by: who,
                    draft: hash.to_string(),
                });
            }),
            Kind::PartnerResumed { jurisdiction, .. } => change(txn, *jurisdiction, |row| {
                row.suspended_by = None;
                row.change = None;
            }),
            Kind::PartnerRemoved { jurisdiction, .. } => change(txn, *jurisdiction, |row| {
                row.removed_by = Some(who);
                row.suspended_by = None;
                row.change = None;
            }),
            _ => Ok(()),
        }
    }
}

fn approved(
    txn: &mut Txn<'_>,
    code: Jurisdiction,
    card_sha256: &[u8; 32],
    who: String,
) -> Result<(), RowsError> {
    let draft = get(txn, code, true)?;
    let Some(mut row) = draft.filter(|row| row.digest() == *card_sha256) else {
        return Ok(());
    };
    // Another card lets nobody in who is suspended.
    row.suspended_by = get(txn, code, false)?
        .filter(Row::counts)
        .and_then(|before| before.suspended_by);
    row.approved_by = Some(who);
    row.index = None;
    put(txn, code, false, &row)?;
    Ok(txn.delete(tables::partner(code, true))?)
}

/// Changes the row of a partner that counts.
fn change(
    txn: &mut Txn<'_>,
    code: Jurisdiction,
    how: impl FnOnce(&mut Row),
) -> Result<(), ViewError> {
    let row = get(txn, code, false).map_err(ViewError::entry)?;
    let Some(mut row) = row.filter(Row::counts) else {
        return Ok(());
    };
    how(&mut row);
    put(txn, code, false, &row).map_err(ViewError::entry)
}

pub(super) fn put(
    txn: &mut Txn<'_>,
    code: Jurisdiction,
    proposed: bool,
    row: &Row,
) -> Result<(), RowsError> {
    Ok(txn.put(tables::partner(code, proposed), encode(row)?)?)
}

pub(super) fn get(
    rows: &mut dyn Rows,
    code: Jurisdiction,
    proposed: bool,
) -> Result<Option<Row>, RowsError> {
    let row = rows.row(&tables::partner(code, proposed))?;
    Ok(row.map(|bytes| decode(&bytes)).transpose()?)
}

/// Drafts beyond what one person and all together may have give way, the oldest first: nobody fills the list with cards
/// that they made themselves.
fn give_way(txn: &mut Txn<'_>, person: &str) -> Result<(), RowsError> {
    let (mut own, mut all) = (BTreeSet::new(), BTreeSet::new());
    each_row(txn, |key, row| {
        if !is_approved(&key) {
            let index = row.as_ref().ok().and_then(|row| row.index);
            if row.is_ok_and(|row| row.proposed_by == person) {
                own.insert((index, key.clone()));
            }
            all.insert((index, key));
        }
        Ok::<_, RowsError>(())
    })?;
    let (mine, anybodys) = (
        own.len().saturating_sub(DRAFTS_PER_PERSON),
        all.len().saturating_sub(DRAFTS),
    );
    for (_, key) in own
        .into_iter()
        .take(mine)
        .chain(all.into_iter().take(anybodys))
    {
        txn.delete(key)?;
    }
    Ok(())
}

/// Shows all partners and drafts, however many there are.
pub(super) fn each_row<E: From<RowsError>>(
    rows: &mut dyn Rows,
    mut show: impl FnMut(Vec<u8>, Result<Row, RowDamaged>) -> Result<(), E>,
) -> Result<(), E> {
    let (from, to) = tables::PARTNER.range();
    let mut from = from.to_vec();
    loop {
        let chunk = rows.rows(&from, &to, CHUNK).map_err(RowsError::from)?;
        let is_last = chunk.len() < CHUNK;
        for (key, value) in chunk {
            let row = decode(&value);
            from.clone_from(&key);
            show(key, row)?;
        }
        if is_last {
            return Ok(());
        }
        // The first key behind the last one.
        from.push(0);
    }
}

pub(super) fn is_approved(key: &[u8]) -> bool {
    key.last() == Some(&0)
}
