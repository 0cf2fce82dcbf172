//! Partners: drafted by one, approved by a supervisor who is another; suspended by one, let in again or removed by two.

use super::{
    partner_cards::{Approval, CARD_LIMIT, CardReader},
    partner_error::PartnerRefused,
    partner_rows::{Row, each_row, get, is_approved},
    partner_succession::{no_older, replaces},
};
use crate::{
    access::{ApprovePartner, ListPartners, Permit, ProposePartner},
    domain::{Jurisdiction, keyed},
    entry::{Cause, Entry, Kind, PartnerChange},
    exchange::{CutOff, Directory, Partner, Partners, Vault},
    log::{Log, Proposal, ProposeError, Reader, Txn},
    seal,
    store::tables,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

keyed! {
    /// How a partner stands.
    pub enum Standing {
        /// Its card waits for approval.
        Draft = "draft" ("待批准"),
        /// It is exchanged with.
        InForce = "in_force" ("已批准"),
        /// It is cut off, and what goes to it waits.
        Suspended = "suspended" ("已停用"),
        /// It is a partner no more.
        Removed = "removed" ("已移除"),
    }
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
    /// How it stands.
    pub standing: Standing,
    /// What is drafted to become of it, and by whom.
    pub change: Option<(PartnerChange, String)>,
}

impl PartnerEntry {
    fn of(partner: Partner, row: Row) -> Self {
        let standing = match &row {
            row if row.approved_by.is_none() => Standing::Draft,
            row if !row.counts() => Standing::Removed,
            row if row.suspended_by.is_some() => Standing::Suspended,
            _ => Standing::InForce,
        };
        Self {
            partner,
            card_sha256: row.digest(),
            standing,
            change: row
                .change
                .and_then(|change| Some((change.change()?, change.by))),
            proposed_by: row.proposed_by,
            approved_by: row.approved_by,
        }
    }
}

/// What admins and supervisors do with partners.
#[derive(Clone)]
pub struct PartnerAdmin {
    log: Log,
    own: Jurisdiction,
    cards: Arc<dyn CardReader>,
    vault: Arc<Vault>,
}

impl fmt::Debug for PartnerAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartnerAdmin")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

impl PartnerAdmin {
    /// The casework of a node.
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
    /// The card is wrong, older than the one in force, or approved already; there is no room, or the log takes no writes.
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
        self.cards
            .fits(&partner, None)
            .map_err(PartnerRefused::Card)?;
        self.vault.admit()?;
        let cause = Cause::of(permit.principal(), permit.grounds());
        let who = permit.principal().to_string();
        let (cards, offered) = (Arc::clone(&self.cards), partner.clone());
        let row = Row {
            card: String::from_utf8(card.clone()).unwrap_or_default(),
            proposed_by: who.clone(),
            ..Row::default()
        };
        self.commit(move |txn| {
            let card_sha256 = seal::sha256(&card);
            no_older(txn, cards.as_ref(), &offered, &card_sha256)?;
            let waits = |row: Row| row.proposed_by == who && row.digest() == card_sha256;
            if get(txn, offered.code, true)?.is_some_and(waits) {
                return Ok(());
            }
            append(txn, cause, Kind::PartnerProposed { card })
        })
        .await?;
        Ok(PartnerEntry::of(partner, row))
    }

    /// Approves a draft whose fingerprint was compared out of band. Before there is an entry, what the card will be used
    /// for is built.
    ///
    /// # Errors
    /// There is no draft, the approver drafted it, or the fingerprint differs; the card does not build, is older than the
    /// one in force, or changes what was not named.
    pub async fn approve(
        &self,
        permit: &Permit<ApprovePartner>,
        code: Jurisdiction,
        approval: Approval,
    ) -> Result<PartnerEntry, PartnerRefused> {
        let cause = Cause::of(permit.principal(), permit.grounds());
        let approver = permit.principal().to_string();
        let cards = Arc::clone(&self.cards);
        self.commit(move |txn| {
            let mut row = get(txn, code, true)?.ok_or(PartnerRefused::NoDraft(code))?;
            if row.proposed_by == approver {
                return Err(PartnerRefused::SamePerson(code));
            }
            let card_sha256 = row.digest();
            if card_sha256 != approval.fingerprint {
                return Err(PartnerRefused::Fingerprint(code));
            }
            let partner = cards
                .read(row.card.as_bytes())
                .map_err(PartnerRefused::Card)?;
            let crl = txn.get_long(&tables::crl(code))?;
            cards
                .fits(&partner, crl.as_deref())
                .map_err(PartnerRefused::Card)?;
            no_older(txn, cards.as_ref(), &partner, &card_sha256)?;
            let abandoned = replaces(txn, cards.as_ref(), &partner, &approval)?;
            append(
                txn,
                cause,
                Kind::PartnerApproved {
                    jurisdiction: code,
                    card_sha256,
                    abandoned,
                },
            )?;
            row.approved_by = Some(approver);
            row.suspended_by = get(txn, code, false)?.and_then(|row| row.suspended_by);
            Ok(PartnerEntry::of(partner, row))
        })
        .await
    }

    /// Suspends a partner: from this entry on it is cut off, though what goes to it is taken and waits.
    ///
    /// # Errors
    /// It is no partner, or suspended already; the log takes no writes.
    pub async fn suspend(
        &self,
        permit: &Permit<ApprovePartner>,
        code: Jurisdiction,
    ) -> Result<(), PartnerRefused> {
        let cause = Cause::of(permit.principal(), permit.grounds());
        self.commit(move |txn| {
            if counting(txn, code)?.suspended_by.is_some() {
                return Err(PartnerRefused::Suspended(code));
            }
            append(txn, cause, Kind::PartnerSuspended { jurisdiction: code })
        })
        .await
    }

    /// Drafts that a partner is to be resumed or removed.
    ///
    /// # Errors
    /// It is no partner, or not suspended; the log takes no writes.
    pub async fn draft_change(
        &self,
        permit: &Permit<ProposePartner>,
        code: Jurisdiction,
        change: PartnerChange,
    ) -> Result<(), PartnerRefused> {
        self.vault.admit()?;
        let cause = Cause::of(permit.principal(), permit.grounds());
        let who = permit.principal().to_string();
        self.commit(move |txn| {
            let row = counting(txn, code)?;
            if change == PartnerChange::Resume && row.suspended_by.is_none() {
                return Err(PartnerRefused::NotSuspended(code));
            }
            if row.change.is_some_and(|it| it.is(change) && it.by == who) {
                return Ok(());
            }
            let drafted = Kind::PartnerChangeDrafted {
                jurisdiction: code,
                change,
            };
            append(txn, cause, drafted)
        })
        .await
    }

    /// Approves such a draft.
    ///
    /// # Errors
    /// There is no such draft, or the approver drafted it; the log takes no writes.
    pub async fn approve_change(
        &self,
        permit: &Permit<ApprovePartner>,
        code: Jurisdiction,
        change: PartnerChange,
    ) -> Result<(), PartnerRefused> {
        let cause = Cause::of(permit.principal(), permit.grounds());
        let approver = permit.principal().to_string();
        self.commit(move |txn| {
            let drafted = counting(txn, code)?.change.filter(|it| it.is(change));
            let drafted = drafted.ok_or(PartnerRefused::NoChange(code))?;
            if drafted.by == approver {
                return Err(PartnerRefused::SamePerson(code));
            }
            let (jurisdiction, draft) = (code, drafted.draft()?);
            let kind = match change {
                PartnerChange::Resume => Kind::PartnerResumed {
                    jurisdiction,
                    draft,
                },
                PartnerChange::Remove => Kind::PartnerRemoved {
                    jurisdiction,
                    draft,
                },
            };
            append(txn, cause, kind)
        })
        .await
    }

    /// All partners and drafts whose cards can be read, by code.
    ///
    /// # Errors
    /// The log failed to read.
    pub async fn list(
        &self,
        _permit: &Permit<ListPartners>,
    ) -> Result<Vec<PartnerEntry>, PartnerRefused> {
        Ok(self.entries(|_| true).await?.0)
    }

    /// One partner.
    ///
    /// # Errors
    /// There is none, or the log failed to read.
    pub async fn get(&self, code: Jurisdiction) -> Result<PartnerEntry, PartnerRefused> {
        let key = tables::partner(code, false);
        let (entries, _) = self.entries(move |of| of == key).await?;
        let found = entries.into_iter().next();
        found.ok_or(PartnerRefused::NoPartner(code))
    }

    /// Reads the approved partners into the directory: at start, and after each change. However many drafts there are, none
    /// of them is looked into, and no partner is left out but one whose own card or row cannot be read.
    ///
    /// # Errors
    /// The log failed to read.
    pub async fn refresh(&self, directory: &Directory) -> Result<(), PartnerRefused> {
        let (entries, unreadable) = self.entries(is_approved).await?;
        for (partner, why) in &unreadable {
            tracing::error!(%partner, why, "an approved partner is left out");
        }
        let (mut partners, mut suspended) = (Partners::new(), BTreeSet::new());
        for entry in entries {
            let code = entry.partner.code;
            match entry.standing {
                Standing::InForce => drop(partners.insert(code, Arc::new(entry.partner))),
                Standing::Suspended => drop(suspended.insert(code)),
                Standing::Draft | Standing::Removed => {}
            }
        }
        let cut_off = CutOff {
            suspended,
            unreadable,
        };
        directory.replace(partners, cut_off);
        Ok(())
    }

    async fn entries(
        &self,
        of: impl Fn(&[u8]) -> bool + Send + 'static,
    ) -> Result<Found, PartnerRefused> {
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

fn append(txn: &mut Txn<'_>, cause: Cause, kind: Kind) -> Result<(), PartnerRefused> {
    txn.append(Entry::new(txn.now(), cause, kind).encode())?;
    Ok(())
}

/// The row of a partner that was approved and not removed since.
fn counting(txn: &mut Txn<'_>, code: Jurisdiction) -> Result<Row, PartnerRefused> {
    let row = get(txn, code, false)?.filter(Row::counts);
    row.ok_or(PartnerRefused::NoPartner(code))
}

/// Partners and drafts, and whose approved cards cannot be read: one that is damaged hides no other.
type Found = (Vec<PartnerEntry>, BTreeMap<Jurisdiction, String>);

fn all(
    mut reader: &Reader,
    cards: &dyn CardReader,
    of: impl Fn(&[u8]) -> bool,
) -> Result<Found, PartnerRefused> {
    let (mut entries, mut unreadable) = (Vec::new(), BTreeMap::new());
    each_row(&mut reader, |key, row| {
        if !of(&key) {
            return Ok(());
        }
        let row = row.map_err(|error| error.to_string());
        let read = row.and_then(|row| Ok((cards.read(row.card.as_bytes())?, row)));
        match (read, tables::partner_code(&key)) {
            (Ok((partner, row)), _) => entries.push(PartnerEntry::of(partner, row)),
            (Err(why), Some(code)) if is_approved(&key) => drop(unreadable.insert(code, why)),
            (Err(_), _) => {}
        }
        Ok::<_, PartnerRefused>(())
    })?;
    Ok((entries, unreadable))
}

#[cfg(test)]
#[path = "partners_tests.rs"]
mod tests;
