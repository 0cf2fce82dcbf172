//! The kinds of records. Begin here to add one: a line of [`RecordKind::spec`], a content in
//! [`content`](crate::domain::content), and the compiler names the rest.

use super::{
    Action, Side, State,
    table::{ARREST_NOTICE, LEAD, REFERRAL, Transition},
};
use crate::domain::{UnknownKey, keyed};

keyed! {
    /// What a record is.
    pub enum RecordKind {
        /// 线索: a person suspected, on stated facts, of trafficking in another jurisdiction.
        Lead = "lead" | "线索",
        /// 办案协作: the recipient does something for the originator's case, which stays the originator's.
        Assistance = "assistance" | "办案协作",
        /// 案件移送: the recipient takes the case over. Needs a second person's approval before it leaves.
        Transfer = "transfer" | "案件移送",
        /// 抓获通报: the recipient's resident was caught elsewhere.
        ArrestNotice = "caught" | "抓获通报",
    }
}

keyed! {
    /// Kinds that are listed, opened and acted on alike: the words that people type.
    pub enum Family {
        /// 线索.
        Lead = "lead" | "线索",
        /// 协查与移送.
        Referral = "referral" | "协查移送",
        /// 抓获通报.
        ArrestNotice = "caught" | "抓获通报",
    }
}

/// What holds for all records of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// What it is listed among.
    pub family: Family,
    /// True where somebody drafts it and a second person approves it before it leaves.
    pub drafted: bool,
    /// True where its changes are kept by log index, for those who follow.
    pub followed: bool,
    /// True where both sides act on it after it was sent: each has half of the actions that a record may have, and each
    /// waits for the other. Else its recipient alone answers.
    pub two_sided: bool,
    /// The keyed indexes that it is found by: `number`, `name`, `place`, `substance`.
    pub found_by: &'static [&'static str],
    /// What may be done, when, and by which side.
    pub table: &'static [Transition],
}

impl RecordKind {
    /// What holds for all records of this kind.
    pub const fn spec(self) -> Spec {
        let undrafted = Spec {
            family: Family::Lead,
            drafted: false,
            followed: false,
            two_sided: false,
            found_by: &["number"],
            table: LEAD,
        };
        let assistance = Spec {
            family: Family::Referral,
            followed: true,
            two_sided: true,
            found_by: &["number", "name", "place", "substance"],
            table: REFERRAL,
            ..undrafted
        };
        match self {
            Self::Lead => undrafted,
            Self::Assistance => assistance,
            Self::Transfer => Spec {
                drafted: true,
                ..assistance
            },
            Self::ArrestNotice => Spec {
                family: Family::ArrestNotice,
                found_by: &["number", "name"],
                table: ARREST_NOTICE,
                ..undrafted
            },
        }
    }

    /// What it is listed among.
    pub const fn family(self) -> Family {
        self.spec().family
    }

    /// Whether this side takes such an action in any state.
    pub fn takes(self, action: Action, by: Side) -> bool {
        let mut lines = self.spec().table.iter();
        lines.any(|line| line.action == action && line.by == by)
    }

    /// What opening one is called in Chinese.
    pub const fn opening_zh(self) -> &'static str {
        match self {
            Self::Lead => "发出线索",
            Self::Assistance => "发起协作",
            Self::Transfer => "发起移送",
            Self::ArrestNotice => "抓获通报",
        }
    }

    /// A kind of referral, by its key or its Chinese term.
    ///
    /// # Errors
    /// It is none.
    pub fn referral(text: &str) -> Result<Self, UnknownKey> {
        let kind = text.parse().ok();
        kind.filter(|kind: &Self| kind.family() == Family::Referral)
            .ok_or(UnknownKey {
                expected: "assistance 办案协作, transfer 案件移送",
            })
    }

    /// Where its history at the originator begins.
    pub const fn start(self) -> State {
        if self.spec().drafted {
            State::Drafted
        } else {
            State::Approved
        }
    }
}

impl Family {
    /// Its kinds.
    pub fn kinds(self) -> impl Iterator<Item = RecordKind> {
        let kinds = RecordKind::ALL.iter().copied();
        kinds.filter(move |kind| kind.family() == self)
    }

    /// Whether both sides act on its records.
    pub fn is_two_sided(self) -> bool {
        self.kinds().all(|kind| kind.spec().two_sided)
    }

    /// Whether anything is done with its records after they are sent.
    pub fn has_steps(self) -> bool {
        let mut lines = self.kinds().flat_map(|kind| kind.spec().table);
        lines.any(|line| !matches!(line.action, Action::Approve | Action::Open))
    }

    /// Whether its records are found by what this keyed index has.
    pub fn is_found_by(self, index: &str) -> bool {
        self.kinds()
            .any(|kind| kind.spec().found_by.contains(&index))
    }

    /// Whether those who follow are told of its records' changes.
    pub fn is_followed(self) -> bool {
        self.kinds().all(|kind| kind.spec().followed)
    }

    /// The states that its records are seen in.
    pub fn states(self) -> impl Iterator<Item = State> {
        let has = move |state: &State| {
            let in_table = self.kinds().any(|kind| {
                let mut lines = kind.spec().table.iter();
                lines.any(|line| line.from == *state || line.to == *state)
            });
            // Nobody sees one approved: it leaves in the same moment.
            let is_passed = *state == State::Approved;
            (in_table && !is_passed) || matches!(state, State::Delivered | State::Refused)
        };
        State::ALL.iter().copied().filter(has)
    }
}
