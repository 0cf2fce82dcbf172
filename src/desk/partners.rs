//! Partners: drafted by one, approved by a supervisor who is another.

use super::rows::{RowDamaged, RowsError};
use crate::{
    access::{ApprovePartner, Grounds, ListPartners, Permit, Principal, ProposePartner},
    domain::{EntryId, Jurisdiction},
    exchange::{Directory, Partner, Partners, RowError, Rows, Vault},
    log::{Log, Proposal, ProposeError, Reader, Txn, TxnError, ViewError},
    record::{Cause, Entry, Kind},
    seal,
    store::{DiskShort, tables},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// A card is at most so many bytes here, so that its entry and its row stay small.
pub const CARD_LIMIT: usize = 4 * 1024;

/// Drafts of one person that wait. Whoever drafts more loses their own oldest, and no other's.
const DRAFTS_PER_PERSON: usize = 256;

/// Drafts that wait. Beyond it the oldest gives way, whoever made it.
const DRAFTS: usize = 1024;

/// Rows read at once.
const CHUNK: usize = 256;

/// Reads node cards: `tls/` knows certificates.
pub trait CardReader: Send + Sync + fmt::Debug {
    /// The partner that a card is of, once its signature and its certificate are checked.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn read(&self, card: &[u8]) -> Result<Partner, String>;
}

/// Keeps the rows of partners.
#[derive(Debug)]
pub(super) struct PartnerView {
    cards: Arc<dyn CardReader>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    /// The card, byte for byte.
    card: String,
    proposed_by: String,
    approved_by: Option<String>,
    /// Of a draft, which entry made it: the oldest gives way. Nothing for a draft from before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
}

/// A partner or a draft.
#[derive(Clone, Debug)]
pub struct PartnerEntry {
    /// As its card says.
    pub partner: Partner,
    /// SHA-256 of the card.
    pub card_sha256: [u8; 32],
    /// Who drafted it.
    pub proposed_by: String,
    /// Who approved it; nothing for a draft.
    pub approved_by: Option<String>,
}

/// A partner was not drafted or approved.
#[derive(Debug, thiserror::Error)]
pub enum PartnerRefused {
    /// The card is wrong.
    #[error("the node card is refused: {0}")]
    Card(String),
    /// The card is too long.
    #[error("a node card is at most {CARD_LIMIT} bytes")]
    TooLong,
    /// It is this node's own.
    #[error("this is this node's own card")]
    Own,
    /// The same card is approved already.
    #[error("this very card of {0} is approved already")]
    Known(Jurisdiction),
    /// There is no draft.
    #[error("there is no draft of {0} to approve; propose its card first")]
    NoDraft(Jurisdiction),
    /// The approver drafted it.
    #[error("a partner needs two people: {0} was drafted by the same supervisor who now approves")]
    SamePerson(Jurisdiction),
    /// The fingerprint is another's.
    #[error(
        "the fingerprint given is not that of the drafted card of {0}: compare it again with the partner, by telephone or \
         in person, and do not approve what does not match"
    )]
    Fingerprint(Jurisdiction),
    /// There is no room on the disk.
    #[error(transparent)]
    Disk(#[from] DiskShort),
    /// The view failed to read or write.
    #[error("rows cannot be read: {0}")]
    Rows(#[from] RowsError),
    /// The log takes no writes.
    #[error("{0}")]
    Log(String),
}

impl From<TxnError> for PartnerRefused {
    fn from(error: TxnError) -> Self {
        Self::Rows(RowError::from(error).into())
    }
}

impl From<RowError> for PartnerRefused {
    fn from(error: RowError) -> Self {
        Self::Rows(error.into())
    }
}

impl From<RowDamaged> for PartnerRefused {
    fn from(error: RowDamaged) -> Self {
        Self::Rows(error.into())
    }
}

impl PartnerView {
    /// A view that reads cards with this.
    pub(super) fn new(cards: Arc<dyn CardReader>) -> Self {
        Self { cards }
    }
}

impl PartnerView {
    /// An entry that may be about a partner.
    pub(super) fn take(
        &self,
        txn: &mut Txn<'_>,
        index: u64,
        entry: &Entry,
    ) -> Result<(), ViewError> {
        let who = entry.cause.principal.to_string();
        if let Kind::PartnerProposed { card } = &entry.kind {
            let partner = self.cards.read(card).map_err(ViewError::entry)?;
            let card = String::from_utf8(card.clone()).map_err(ViewError::entry)?;
            let row = Row {
                card,
                proposed_by: who,
                approved_by: None,
                index: Some(index),
            };
            put(txn, partner.code, true, &row).map_err(ViewError::entry)?;
            give_way(txn, &row.proposed_by).map_err(ViewError::entry)
        } else if let Kind::PartnerApproved {
            jurisdiction,
            card_sha256,
        } = &entry.kind
        {
            let jurisdiction = *jurisdiction;
            let draft = get(txn, jurisdiction, true).map_err(ViewError::entry)?;
            let Some(mut row) = draft.filter(|row| digest(row) == *card_sha256) else {
                return Ok(());
            };
            row.approved_by = Some(who);
            row.index = None;
            put(txn, jurisdiction, false, &row).map_err(ViewError::entry)?;
            Ok(txn.delete(tables::partner(jurisdiction, true))?)
        } else {
            Ok(())
        }
    }
}

fn digest(row: &Row) -> [u8; 32] {
    seal::sha256(row.card.as_bytes())
}

fn put(txn: &mut Txn<'_>, code: Jurisdiction, proposed: bool, row: &Row) -> Result<(), RowsError> {
    let bytes = serde_json::to_vec(row).map_err(|_| RowDamaged)?;
    Ok(txn.put(tables::partner(code, proposed), bytes)?)
}

fn get(rows: &mut dyn Rows, code: Jurisdiction, proposed: bool) -> Result<Option<Row>, RowsError> {
    let row = rows.row(&tables::partner(code, proposed))?;
    Ok(row
        .map(|bytes| serde_json::from_slice(&bytes).map_err(|_| RowDamaged))
        .transpose()?)
}

/// Drafts beyond what one person and all together may have give way, the oldest first: nobody fills the list with cards
/// that they made themselves.
fn give_way(txn: &mut Txn<'_>, person: &str) -> Result<(), RowsError> {
    let (mut own, mut all) = (BTreeMap::new(), BTreeMap::new());
    each_row(txn, |key, row| {
        if !is_approved(&key) {
            if row.proposed_by == person {
                own.insert((row.index, key.clone()), ());
            }
            all.insert((row.index, key), ());
        }
        Ok::<_, RowsError>(())
    })?;
    let too_many = |of: &BTreeMap<_, _>, most: usize| of.len().saturating_sub(most);
    let (mine, anybodys) = (too_many(&own, DRAFTS_PER_PERSON), too_many(&all, DRAFTS));
    let mine = own.into_keys().take(mine);
    let anybodys = all.into_keys().take(anybodys);
    for (_, key) in mine.chain(anybodys) {
        txn.delete(key)?;
    }
    Ok(())
}

/// Shows all partners and drafts, however many there are.
fn each_row<E: From<RowsError>>(
    rows: &mut dyn Rows,
    mut show: impl FnMut(Vec<u8>, Row) -> Result<(), E>,
) -> Result<(), E> {
    let (from, to) = tables::PARTNERS;
    let mut from = from.to_vec();
    loop {
        let chunk = rows.rows(&from, &to, CHUNK).map_err(RowsError::from)?;
        let is_last = chunk.len() < CHUNK;
        for (key, value) in chunk {
            let row = serde_json::from_slice(&value).map_err(|_| RowDamaged);
            from.clone_from(&key);
            show(key, row.map_err(RowsError::from)?)?;
        }
        if is_last {
            return Ok(());
        }
        // The first key behind the last one.
        from.push(0);
    }
}

fn is_approved(key: &[u8]) -> bool {
    key.last() == Some(&0)
}

/// What admins and supervisors do with partners.
#[derive(Clone)]
pub struct PartnerDesk {
    log: Log,
    own: Jurisdiction,
    cards: Arc<dyn CardReader>,
    vault: Arc<Vault>,
}

impl fmt::Debug for PartnerDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartnerDesk")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

impl PartnerDesk {
    /// The desk of a node.
    pub fn new(log: Log, own: Jurisdiction, cards: Arc<dyn CardReader>, vault: Arc<Vault>) -> Self {
        Self {
            log,
            own,
            cards,
            vault,
        }
    }

    /// Drafts a partner. It counts for nothing until it is approved. A card that waits already as this person's draft is
    /// not written again.
    ///
    /// # Errors
    /// The card is wrong, or approved already; there is no room, or the log takes no writes.
    pub async fn propose(
        &self,
        permit: &Permit<ProposePartner>,
        card: Vec<u8>,
    ) -> Result<PartnerEntry, PartnerRefused> {
        if card.len() > CARD_LIMIT {
            return Err(PartnerRefused::TooLong);
        }
        let partner = self.cards.read(&card).map_err(PartnerRefused::Card)?;
        if partner.code == self.own {
            return Err(PartnerRefused::Own);
        }
        self.vault.admit()?;
        let (code, card_sha256) = (partner.code, seal::sha256(&card));
        let cause = cause(permit.principal(), permit.grounds());
        let proposed_by = permit.principal().to_string();
        let who = proposed_by.clone();
        self.commit(move |txn| {
            if get(txn, code, false)?.is_some_and(|row| digest(&row) == card_sha256) {
                return Err(PartnerRefused::Known(code));
            }
            let waits = |row: Row| row.proposed_by == who && digest(&row) == card_sha256;
            if get(txn, code, true)?.is_some_and(waits) {
                return Ok(());
            }
            append(txn, cause, Kind::PartnerProposed { card })
        })
        .await?;
        Ok(PartnerEntry {
            partner,
            card_sha256,
            proposed_by,
            approved_by: None,
        })
    }

    /// Approves a draft whose fingerprint was compared out of band.
    ///
    /// # Errors
    /// There is no draft, the approver drafted it, or the fingerprint differs.
    pub async fn approve(
        &self,
        permit: &Permit<ApprovePartner>,
        code: Jurisdiction,
        fingerprint: [u8; 32],
    ) -> Result<PartnerEntry, PartnerRefused> {
        let cause = cause(permit.principal(), permit.grounds());
        let approver = permit.principal().to_string();
        let approved_by = Some(approver.clone());
        let row = self
            .commit(move |txn| {
                let row = get(txn, code, true)?.ok_or(PartnerRefused::NoDraft(code))?;
                if row.proposed_by == approver {
                    return Err(PartnerRefused::SamePerson(code));
                }
                let card_sha256 = digest(&row);
                if card_sha256 != fingerprint {
                    return Err(PartnerRefused::Fingerprint(code));
                }
                append(
                    txn,
                    cause,
                    Kind::PartnerApproved {
                        jurisdiction: code,
                        card_sha256,
                    },
                )?;
                Ok(row)
            })
            .await?;
        let partner = self
            .cards
            .read(row.card.as_bytes())
            .map_err(PartnerRefused::Card)?;
        Ok(PartnerEntry {
            partner,
            card_sha256: digest(&row),
            proposed_by: row.proposed_by,
            approved_by,
        })
    }

    /// All partners and drafts, by code.
    ///
    /// # Errors
    /// The log failed to read.
    pub async fn list(
        &self,
        _permit: &Permit<ListPartners>,
    ) -> Result<Vec<PartnerEntry>, PartnerRefused> {
        self.entries(|_| true).await
    }

    /// Reads the approved partners into the directory: at start, and after each approval. However many drafts there are,
    /// none of them is looked into, and no partner is left out.
    ///
    /// # Errors
    /// The log failed to read.
    pub async fn refresh(&self, directory: &Directory) -> Result<(), PartnerRefused> {
        let partners: Partners = self
            .entries(is_approved)
            .await?
            .into_iter()
            .map(|entry| (entry.partner.code, Arc::new(entry.partner)))
            .collect();
        directory.replace(partners);
        Ok(())
    }

    async fn entries(
        &self,
        of: impl Fn(&[u8]) -> bool + Send + 'static,
    ) -> Result<Vec<PartnerEntry>, PartnerRefused> {
        let cards = Arc::clone(&self.cards);
        self.log
            .read(move |reader| all(reader, cards.as_ref(), of))
            .await
            .map_err(|error| PartnerRefused::Log(error.to_string()))?
    }

    async fn commit<T: Send + 'static>(
        &self,
        decide: impl FnOnce(&mut Txn<'_>) -> Result<T, PartnerRefused> + Send + 'static,
    ) -> Result<T, PartnerRefused> {
        match self.log.propose(Proposal::new(decide)).await {
            Ok(done) => Ok(done.into_inner()),
            Err(ProposeError::Rejected(refused)) => Err(refused),
            Err(error) => Err(PartnerRefused::Log(error.to_string())),
        }
    }
}

fn cause(principal: &Principal, grounds: &Grounds) -> Cause {
    Cause {
        principal: principal.clone(),
        grounds: Some(grounds.clone()),
    }
}

fn append(txn: &mut Txn<'_>, cause: Cause, kind: Kind) -> Result<(), PartnerRefused> {
    let entry = Entry {
        time: txn.now(),
        id: EntryId::new(txn.now()),
        cause,
        kind,
    };
    txn.append(entry.encode())?;
    Ok(())
}

fn all(
    mut reader: &Reader,
    cards: &dyn CardReader,
    of: impl Fn(&[u8]) -> bool,
) -> Result<Vec<PartnerEntry>, PartnerRefused> {
    let mut entries = Vec::new();
    each_row(&mut reader, |key, row| {
        if of(&key) {
            let partner = cards.read(row.card.as_bytes());
            entries.push(PartnerEntry {
                partner: partner.map_err(PartnerRefused::Card)?,
                card_sha256: digest(&row),
                proposed_by: row.proposed_by,
                approved_by: row.approved_by,
            });
        }
        Ok::<_, PartnerRefused>(())
    })?;
    Ok(entries)
}

#[cfg(test)]
#[path = "partners_tests.rs"]
mod tests;
