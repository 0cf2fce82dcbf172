//! Reads a log back as rows, filtered.

use super::row::{KindName, ReplayRow, Subject};
use crate::{
    access::{Principal, Purpose, Role},
    domain::{Jurisdiction, RecordId, Timestamp},
    entry::Entry,
    merkle::leaf_hash,
};
use std::{collections::BTreeSet, str::FromStr};

/// By whom an entry was caused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrincipalFilter {
    /// By exactly this principal.
    Exactly(Principal),
    /// By this jurisdiction's node or people.
    Jurisdiction(Jurisdiction),
    /// By anybody in this role.
    Role(Role),
}

/// Not a principal, jurisdiction or role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "name a principal such as spiffe://520624.yichuan/officer/001, a jurisdiction such as 520624, or a role: node, \
     officer, supervisor, auditor or admin"
)]
pub struct UnknownPrincipal;

impl FromStr for PrincipalFilter {
    type Err = UnknownPrincipal;

    fn from_str(text: &str) -> Result<Self, UnknownPrincipal> {
        let roles = [
            Role::Node,
            Role::Officer,
            Role::Supervisor,
            Role::Auditor,
            Role::Admin,
        ];
        if let Some(role) = roles.into_iter().find(|role| role.as_str() == text) {
            return Ok(Self::Role(role));
        }
        if let Ok(code) = text.parse() {
            return Ok(Self::Jurisdiction(code));
        }
        text.parse()
            .map(Self::Exactly)
            .map_err(|_| UnknownPrincipal)
    }
}

impl PrincipalFilter {
    fn admits(&self, principal: &Principal) -> bool {
        match self {
            Self::Exactly(wanted) => principal == wanted,
            Self::Jurisdiction(code) => principal.jurisdiction() == *code,
            Self::Role(role) => principal.role() == *role,
        }
    }
}

/// Which entries to show. Empty fields do not restrict; all others must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayFilter {
    /// The kinds to show; any if empty.
    pub kinds: BTreeSet<KindName>,
    /// By whom.
    pub principal: Option<PrincipalFilter>,
    /// With this purpose.
    pub purpose: Option<Purpose>,
    /// About this record: sent, received, answered for or consulted.
    pub record: Option<RecordId>,
    /// With this jurisdiction as the other party.
    pub counterpart: Option<Jurisdiction>,
    /// Written at this time or later.
    pub since: Option<Timestamp>,
    /// Written before this time.
    pub before: Option<Timestamp>,
    /// From this index on.
    pub from: u64,
    /// Up to this index, exclusive; to the end if `None`.
    pub to: Option<u64>,
}

impl ReplayFilter {
    /// The row of a leaf, if it is to be shown.
    ///
    /// A leaf that this program cannot read is shown whatever the filter says about its content, because it may be one
    /// of those looked for.
    pub fn row(&self, index: u64, leaf: &[u8]) -> Option<ReplayRow> {
        if index < self.from || self.to.is_some_and(|to| index >= to) {
            return None;
        }
        let hash = leaf_hash(leaf);
        match Entry::decode(leaf) {
            Ok(entry) => {
                let subject = Subject::of(&entry.kind);
                self.admits(&entry, &subject)
                    .then(|| ReplayRow::of_entry(index, &hash, &entry, &subject))
            }
            Err(defect) => Some(ReplayRow::of_unread(index, &hash, &defect)),
        }
    }

    fn admits(&self, entry: &Entry, subject: &Subject<'_>) -> bool {
        let purpose = entry.cause.grounds.as_ref().map(|grounds| grounds.purpose);
        (self.kinds.is_empty() || self.kinds.contains(&KindName::of(&entry.kind)))
            && self.principal.as_ref().is_none_or(|wanted| {
                wanted.admits(&entry.cause.principal)
                    || subject.who.is_some_and(|who| wanted.admits(who))
            })
            && self.purpose.is_none_or(|wanted| purpose == Some(wanted))
            && self.since.is_none_or(|since| entry.time >= since)
            && self.before.is_none_or(|before| entry.time < before)
            && self.record.is_none_or(|wanted| subject.is_about(wanted))
            && self
                .counterpart
                .is_none_or(|wanted| subject.counterpart == Some(wanted))
    }
}
