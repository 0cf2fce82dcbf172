//! Node cards as a node takes them: what reads them, and what one changes.

use crate::{domain::keyed, exchange::Partner};
use std::{collections::BTreeSet, fmt};

/// A card is at most so many bytes here, so that its entry and its row stay small.
pub const CARD_LIMIT: usize = 4 * 1024;

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
    pub(super) fn between(old: &Partner, new: &Partner) -> BTreeSet<Self> {
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

pub(super) fn listed(changes: &BTreeSet<CardChange>) -> String {
    let names: Vec<_> = changes.iter().map(|it| it.as_str()).collect();
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names.join(",")
}
