//! What the commands call the families of records.

use crate::{
    api::labels::Sent,
    domain::{Family, Lang, RecordColumn, State},
};

/// Reads a state that records of a family are seen in, by its key or in Chinese.
pub(in crate::cli) fn state(
    family: Family,
) -> impl Fn(&str) -> Result<State, String> + Clone + Send + Sync + 'static {
    move |typed| {
        let is_it = |state: &State| [state.as_str(), state.label(Lang::Zh)].contains(&typed);
        family.states().find(is_it).ok_or_else(|| {
            let keys: Vec<_> = family.states().map(State::as_str).collect();
            format!("not one of: {}", keys.join(", "))
        })
    }
}

/// The family of records that rows with these columns open.
pub(super) const fn family_of<C: RecordColumn>() -> Family {
    C::RECORD.kind.family()
}

impl Family {
    /// What to do after a push that broke off, in Chinese and in English.
    pub(super) const fn again(self) -> [&'static str; 2] {
        match self {
            Self::Lead => ["重新发送同一表格即可", "push the same sheet again"],
            Self::Referral | Self::ArrestNotice => ["重新发送即可", "push again"],
        }
    }

    /// Key of an id in JSON.
    pub(super) const fn id_key(self) -> &'static str {
        match self {
            Self::Lead => "lead_id",
            Self::Referral => "referral_id",
            Self::ArrestNotice => "caught_id",
        }
    }

    /// Heading of an id.
    pub(super) const fn id_label(self, lang: Lang) -> &'static str {
        match self {
            Self::Lead => lang.pick("线索标识", "lead id"),
            Self::Referral => lang.pick("协查标识", "referral id"),
            Self::ArrestNotice => lang.pick("通报标识", "caught id"),
        }
    }

    /// One of them, and the key in JSON of what it says.
    pub(super) const fn one(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Referral => "referral",
            Self::ArrestNotice => "notice",
        }
    }

    /// Several of them.
    pub(super) const fn many(self) -> &'static str {
        match self {
            Self::Lead => "leads",
            Self::Referral => "referrals",
            Self::ArrestNotice => "notices",
        }
    }

    /// How one that the partner refused is sent again.
    pub(super) const fn sent(self) -> Sent {
        match self {
            Self::Lead | Self::ArrestNotice => Sent::Row,
            Self::Referral => Sent::Referral,
        }
    }
}
