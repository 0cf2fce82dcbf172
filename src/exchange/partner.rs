//! The partners that count: those whose card a supervisor approved.

use crate::{
    domain::{Jurisdiction, PartnerLookup},
    note::VerifierKey,
};
use arc_swap::ArcSwap;
use std::{collections::BTreeMap, sync::Arc};

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
}

/// A snapshot of all partners.
pub type Partners = BTreeMap<Jurisdiction, Arc<Partner>>;

/// The partners at this moment, shared by all parts of a node.
#[derive(Debug, Default)]
pub struct Directory {
    partners: ArcSwap<Partners>,
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

    /// Replaces them all.
    pub fn replace(&self, partners: Partners) {
        self.partners.store(Arc::new(partners));
    }
}

impl PartnerLookup for Directory {
    fn route(&self, destination: Jurisdiction) -> Option<Jurisdiction> {
        let partners = self.partners.load();
        destination
            .ancestry()
            .find(|code| partners.contains_key(code))
    }
}
