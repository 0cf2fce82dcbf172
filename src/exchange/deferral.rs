//! Reasons that keep a dispatch from being answered for now: it is answered 'not yet', leaves no entry, and is sent
//! again.

use crate::{
    domain::{RecordId, keyed},
    entry::{Content, DispatchSent, Refusal},
};
use std::collections::BTreeMap;

/// For how many records dispatches may be deferred on one stream. A sender stops at half of it.
pub(super) const DEFERRED_LIMIT: usize = 1_024;

keyed! {
    /// Why a dispatch is not answered yet.
    pub enum NotYet {
        /// By the recipient's clock its entry is dated more than a day ahead, or its purge month is over.
        Untimely = "untimely" ("按对方时钟日期不符，待一方校时", "dated wrongly by the partner's clock"),
        /// It follows a dispatch that is not answered yet.
        Follows = "follows" ("待其前件被接收", "waits for what it follows"),
        /// The recipient cannot judge it: its own store is damaged.
        Unable = "unable" ("对方数据受损，暂不能判断", "the partner's store is damaged"),
        /// A reason of a newer recipient that this node does not know.
        Unknown = "unknown" ("unknown", "unknown"),
    }
}

/// Why a dispatch is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It never will be: refused, with an entry and proof.
    Refused(Refusal),
    /// It may be accepted later.
    NotYet(NotYet),
}

impl From<NotYet> for Unfit {
    fn from(why: NotYet) -> Self {
        Self::NotYet(why)
    }
}

impl From<Refusal> for Unfit {
    /// Every reason but one is final: the content of a dispatch and what came before it do not change, but clocks do.
    /// An `Untimely` refusal in a log is therefore from an older node.
    fn from(reason: Refusal) -> Self {
        match reason {
            Refusal::Untimely => Self::NotYet(NotYet::Untimely),
            Refusal::Malformed
            | Refusal::Misaddressed
            | Refusal::PayloadMismatch
            | Refusal::Conflict
            | Refusal::ChangedContent
            | Refusal::InvalidContent
            | Refusal::NotAllowed => Self::Refused(reason),
        }
    }
}

/// The dispatches deferred on one stream: the first one of each record. Dispatches that follow it are deferred too, so
/// that those of a record are accepted in the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct DeferredDispatches(BTreeMap<RecordId, u64>);

impl DeferredDispatches {
    /// Whether an earlier dispatch of its record, or of a lead that it carries, is deferred.
    pub(super) fn precedes(&self, index: u64, sent: &DispatchSent, content: &Content) -> bool {
        let before = |record: &RecordId| self.0.get(record).is_some_and(|first| *first < index);
        let carried = if let Content::Referral(fields) = content {
            fields.leads().unwrap_or_default()
        } else {
            Vec::new()
        };
        before(&sent.record) || carried.iter().any(before)
    }

    pub(super) fn defer(&mut self, index: u64, record: RecordId) {
        let first = self.0.entry(record).or_insert(index);
        *first = index.min(*first);
    }

    /// The dispatch is answered, and no longer deferred.
    pub(super) fn answered(&mut self, index: u64, record: RecordId) {
        if self.0.get(&record) == Some(&index) {
            self.0.remove(&record);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= DEFERRED_LIMIT
    }
}
