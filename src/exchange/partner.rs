//! The partners in force: those whose card a supervisor approved.

use crate::{
    domain::{Jurisdiction, PartnerLookup},
    note::VerifierKey,
};
use arc_swap::ArcSwap;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A partner, as its approved card says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partner {
    /// Its code.
    pub code: Jurisdiction,
    /// Its name.
    pub name: String,
    /// Where it is reached, `https://host:port`.
    pub endpoint: String,
    /// Its log's verifier key, which names the log's origin.
    pub key: VerifierKey,
    /// Its CA certificate, DER.
    pub ca: Vec<u8>,
    /// When its card was made, and its number on that day: a card replaces only an older one.
    pub issued: (jiff::civil::Date, u32),
}

/// A snapshot of all partners.
pub type Partners = BTreeMap<Jurisdiction, Arc<Partner>>;

/// The current partners, shared by all parts of a node.
#[derive(Debug, Default)]
pub struct Directory {
    partners: ArcSwap<Partners>,
    cut_off: ArcSwap<CutOff>,
}

/// Partners with which nothing is exchanged now.
#[derive(Debug, Default)]
pub struct CutOff {
    /// Suspended: what goes to them waits.
    pub suspended: BTreeSet<Jurisdiction>,
    /// Whose approved card cannot be read, and why.
    pub unreadable: BTreeMap<Jurisdiction, String>,
}

impl Directory {
    /// All of them, as they are now.
    pub fn snapshot(&self) -> Arc<Partners> {
        self.partners.load_full()
    }

    /// One of them.
    pub fn get(&self, code: Jurisdiction) -> Option<Arc<Partner>> {
        self.partners.load().get(&code).cloned()
    }

    /// Those with which nothing is exchanged now.
    pub fn cut_off(&self) -> Arc<CutOff> {
        self.cut_off.load_full()
    }

    /// Replaces them all.
    pub fn replace(&self, partners: Partners, cut_off: CutOff) {
        self.cut_off.store(Arc::new(cut_off));
        self.partners.store(Arc::new(partners));
    }
}

impl PartnerLookup for Directory {
    fn route(&self, destination: Jurisdiction) -> Option<Jurisdiction> {
        let (partners, cut_off) = (self.partners.load(), self.cut_off.load());
        // What goes to a partner that is cut off waits for it, and takes no other route.
        destination.ancestry().find(|code| {
            partners.contains_key(code)
                || cut_off.suspended.contains(code)
                || cut_off.unreadable.contains_key(code)
        })
    }
}
