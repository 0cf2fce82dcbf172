//! Why a partner was not drafted or approved.

use super::{
    partner_cards::{CARD_LIMIT, CardChange, listed},
    row_codec::{RowDamaged, RowsError},
};
use crate::{
    domain::Jurisdiction,
    exchange::{RowError, WitnessError},
    log::TxnError,
    store::DiskShort,
};
use std::collections::BTreeSet;

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
    /// A newer card, or another of the same moment, is in force.
    #[error(
        "the card of {code} was made on {}, number {}, and the one in force is no older ({}, number {}): ask {code} for its \
         newest card", offered.0, offered.1, known.0, known.1
    )]
    Older {
        /// Whose.
        code: Jurisdiction,
        /// When it was made.
        offered: (jiff::civil::Date, u32),
        /// When the one in force was.
        known: (jiff::civil::Date, u32),
    },
    /// The card changes something else than was named.
    #[error(
        "against the card in force this card of {code} changes: {}; name exactly that (--change), once each was confirmed \
         with the partner",
        listed(changes)
    )]
    Changes {
        /// Whose.
        code: Jurisdiction,
        /// What it changes.
        changes: BTreeSet<CardChange>,
    },
    /// The card is of another log.
    #[error(
        "the card of {code} is of another log, {new}, and nothing proves that it succeeds {old}, of which {verified} entries \
         were verified here: what the partner then denies of it can be shown by our log alone; to give it up all the same, \
         approve with --accept-new-log {new}"
    )]
    NewLog {
        /// Whose.
        code: Jurisdiction,
        /// The log on the card.
        new: String,
        /// The log in force.
        old: String,
        /// Entries of it verified here.
        verified: u64,
    },
    /// No partner.
    #[error("{0} is no partner of this node")]
    NoPartner(Jurisdiction),
    /// Suspended twice.
    #[error("{0} is suspended already")]
    Suspended(Jurisdiction),
    /// Resumed without having been suspended.
    #[error("{0} is not suspended")]
    NotSuspended(Jurisdiction),
    /// No such change was drafted.
    #[error(
        "no draft stands that {0} is to be so changed: one drafts it, another supervisor approves it; a card approved \
         since then ends a draft"
    )]
    NoChange(Jurisdiction),
    /// What was verified of its log cannot be read.
    #[error(transparent)]
    Witness(#[from] WitnessError),
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
