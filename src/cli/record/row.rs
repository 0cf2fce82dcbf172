//! What is asked of a node about records, and what it answers, in types that all kinds share.

use crate::{
    cli::{args::Direction, print::rfc3339},
    domain::{Action, AssessmentOutcome, Lang, RecordKind, ReturnReason, State, Urgency},
    entry::pb,
};
use serde::{Serialize, Serializer};

/// A term of a closed list: its key in JSON and in English, and its Chinese.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Term {
    pub(super) key: &'static str,
    pub(super) zh: &'static str,
}

impl Term {
    /// Of a newer node.
    pub(super) const UNKNOWN: Self = Self {
        key: "unknown",
        zh: "未知",
    };

    /// The term for a value that has a label in each language.
    pub(super) fn of<T: Copy>(value: T, label: impl Fn(T, Lang) -> &'static str) -> Self {
        Self {
            key: label(value, Lang::En),
            zh: label(value, Lang::Zh),
        }
    }

    pub(in crate::cli) const fn label(self, lang: Lang) -> &'static str {
        lang.pick(self.zh, self.key)
    }
}

impl Serialize for Term {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key)
    }
}

/// Which records to list. All that is stated must hold; a filter that a kind does not have is not stated.
#[derive(Clone, Default)]
pub(in crate::cli) struct Query {
    pub(in crate::cli) direction: Option<Direction>,
    pub(in crate::cli) states: Vec<State>,
    pub(in crate::cli) kind: Option<RecordKind>,
    pub(in crate::cli) origin: String,
    pub(in crate::cli) destination: String,
    pub(in crate::cli) counterpart: String,
    pub(in crate::cli) urgency: Option<Urgency>,
    /// Milliseconds since 1970-01-01 UTC, as all times here; 0 for none.
    pub(in crate::cli) since_ms: u64,
    pub(in crate::cli) before_ms: u64,
    pub(in crate::cli) due_before_ms: u64,
    pub(in crate::cli) number: String,
    pub(in crate::cli) name: String,
    pub(in crate::cli) place: String,
    pub(in crate::cli) substance: String,
    pub(in crate::cli) after: Option<u64>,
    pub(in crate::cli) limit: u32,
    pub(in crate::cli) overriding: bool,
}

/// One page of a list.
pub(super) struct Page {
    pub(super) rows: Vec<Row>,
    /// Where the next page begins; none on the last one.
    pub(super) next: Option<u64>,
}

/// A record without what it says. Fields that its kind does not have are empty.
#[derive(Default)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) log_index: u64,
    pub(super) time_ms: u64,
    pub(super) kind: Option<Term>,
    pub(super) origin: String,
    pub(super) destination: String,
    pub(super) state: Option<Term>,
    pub(super) outcome: Option<Term>,
    pub(super) return_reason: Option<Term>,
    pub(super) refusal: String,
    pub(super) number: String,
    pub(super) put_off: String,
    pub(super) urgency: Option<Term>,
    pub(super) handling: Option<Term>,
    /// By when somebody must act; of a lead, sign.
    pub(super) due_ms: u64,
    /// Who must.
    pub(super) obliged: String,
    pub(super) assigned_to: String,
    /// Known of an opened transfer.
    pub(super) notice_due_ms: u64,
    /// Known of an opened record that has no later steps.
    pub(super) sender: String,
    pub(super) receipt: Option<Receipt>,
}

/// A partner's receipt.
#[derive(Serialize)]
pub(super) struct Receipt {
    pub(super) log_index: u64,
    pub(super) partner_origin: String,
    pub(super) partner_index: u64,
    pub(super) tree_size: u64,
    #[serde(rename = "time", serialize_with = "as_rfc3339")]
    pub(super) time_ms: u64,
}

/// What happened to a record.
#[derive(Serialize)]
pub(super) struct Event {
    pub(super) log_index: u64,
    #[serde(rename = "time", serialize_with = "as_rfc3339")]
    pub(super) time_ms: u64,
    pub(super) action: Term,
    pub(super) principal: String,
    pub(super) superseded: bool,
    pub(super) waiting: bool,
    /// What an assessment found; of families that are assessed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<Option<Term>>,
    pub(super) return_reason: Option<Term>,
    pub(super) note: Option<String>,
    pub(super) receipt: Option<Receipt>,
}

fn as_rfc3339<S: Serializer>(millis: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    rfc3339(*millis).serialize(serializer)
}

/// A field of what a record says.
pub(super) struct Said {
    pub(super) key: &'static str,
    /// Above it, in Chinese and in English.
    pub(super) label: [&'static str; 2],
    pub(super) value: serde_json::Value,
    /// Fit for a screen.
    pub(super) text: String,
}

/// A record, opened.
pub(super) struct Opened {
    pub(super) row: Row,
    /// Nothing where only the standing was asked for.
    pub(super) content: Option<Vec<Said>>,
    /// Of families that have later steps.
    pub(super) events: Option<Vec<Event>>,
    /// What this side may do now; of families that have many steps.
    pub(super) allowed: Option<Vec<Term>>,
    /// What to know before the next step, in Chinese and in English.
    pub(super) advice: Option<[&'static str; 2]>,
    pub(super) consulted_index: u64,
}

/// A step in the life of a record.
pub(in crate::cli) struct Step {
    pub(in crate::cli) action: Action,
    pub(in crate::cli) outcome: Option<AssessmentOutcome>,
    pub(in crate::cli) reason: Option<ReturnReason>,
    pub(in crate::cli) note: String,
    /// What a referral says from now on.
    pub(in crate::cli) restated: Option<pb::Referral>,
    pub(in crate::cli) overriding: bool,
}

/// What a node did, and where the record stands then.
pub(in crate::cli) struct Answer {
    pub(super) id: String,
    pub(super) state: Option<Term>,
    pub(super) log_index: u64,
}
