//! Node cards as a node takes them: what reads them, and when one may take the place of another.

use super::{partner_rows::get, partners::PartnerRefused};
use crate::{
    domain::keyed,
    entry::AbandonedLog,
    exchange::{Partner, Witness},
    log::Txn,
    merkle,
};
use std::{collections::BTreeSet, fmt};

/// Reads node cards: `tls/` knows certificates.
pub trait CardReader: Send + Sync + fmt::Debug {
    /// The partner that a card is of, once its signature and its certificate are checked.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn read(&self, card: &[u8]) -> Result<Partner, String>;

    /// Builds what the partner's people and node will be judged by, from its CA and the revocation list kept of it. An
    /// entry is read by [`CardReader::read`] alone, so that what a log holds can be read whatever it is good for.
    ///
    /// # Errors
    /// What does not build, in words.
    fn fits(&self, partner: &Partner, crl: Option<&[u8]>) -> Result<(), String>;
}

keyed! {
    /// What a card changes against the one in force.
    pub enum CardChange {
        /// The key of its log.
        Key = "key" ("日志公钥指纹", "log key"),
        /// Its CA.
        Ca = "ca" ("CA 指纹", "CA"),
        /// Its log.
        Origin = "origin" ("日志", "log"),
        /// Where it is reached.
        Endpoint = "endpoint" ("地址", "endpoint"),
    }
}

impl CardChange {
    fn between(old: &Partner, new: &Partner) -> BTreeSet<Self> {
        let differs = |change| match change {
            Self::Key => old.key.public_key() != new.key.public_key(),
            Self::Ca => old.ca != new.ca,
            Self::Origin => old.key.name() != new.key.name(),
            Self::Endpoint => old.endpoint != new.endpoint,
        };
        Self::ALL
            .iter()
            .copied()
            .filter(|it| differs(*it))
            .collect()
    }
}

/// What whoever approves a card says of it.
#[derive(Clone, Debug, Default)]
pub struct Approval {
    /// SHA-256 of the card, as compared out of band.
    pub fingerprint: [u8; 32],
    /// What it changes against the card in force: exactly this.
    pub changes: BTreeSet<CardChange>,
    /// The log on it, where it is another than the partner had, and what was verified of that one is given up.
    pub accepted_log: Option<String>,
}

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

pub(super) fn listed(changes: &BTreeSet<CardChange>) -> String {
    let names: Vec<_> = changes.iter().map(|it| it.as_str()).collect();
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names.join(",")
}
