//! What the entries about partners say in addition to the card.

use super::{EntryDefect, pb, wire};
use crate::{domain::keyed, merkle::Hash};

/// A partner's log that is no longer followed, and how far it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbandonedLog {
    /// Its origin.
    pub origin: String,
    /// How many of its entries were verified.
    pub size: u64,
    /// Root of the tree of these entries.
    pub root: Hash,
}

impl AbandonedLog {
    pub(super) fn to_wire(&self) -> pb::AbandonedLog {
        pb::AbandonedLog {
            origin: self.origin.clone(),
            size: self.size,
            root: self.root.as_bytes().to_vec().into(),
        }
    }

    pub(super) fn from_wire(log: pb::AbandonedLog) -> Result<Self, EntryDefect> {
        if !(1..=64).contains(&log.origin.len()) {
            return Err(EntryDefect::Malformed("abandoned"));
        }
        Ok(Self {
            origin: log.origin,
            size: log.size,
            root: wire::hash(&log.root, "abandoned")?,
        })
    }
}

keyed! {
    /// A change to a partner.
    pub enum PartnerChange {
        /// Readmit a suspended one.
        Resume = "resume",
        /// End the exchange with it.
        Remove = "remove",
    }
}

impl PartnerChange {
    /// Its number on the wire.
    pub const fn to_wire(self) -> pb::PartnerChange {
        match self {
            Self::Resume => pb::PartnerChange::Resume,
            Self::Remove => pb::PartnerChange::Remove,
        }
    }

    /// The change with this number.
    pub fn from_wire(number: i32) -> Option<Self> {
        match pb::PartnerChange::try_from(number).ok()? {
            pb::PartnerChange::Resume => Some(Self::Resume),
            pb::PartnerChange::Remove => Some(Self::Remove),
            pb::PartnerChange::Unspecified => None,
        }
    }
}
