//! What lists and opened records show of a row: columns for people, keys for programs.

use super::row::{Receipt, Row, Term};
use crate::{
    api::labels::{put_off_label, refusal_label, refused},
    cli::print::{self, plain, rfc3339},
    domain::{Family, Lang},
};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// A row and how to tell of it.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) row: &'a Row,
    pub(super) family: Family,
    pub(super) lang: Lang,
}

/// A heading in Chinese and in English, and what stands beneath.
type Column = ([&'static str; 2], fn(&Told<'_>) -> String);

const TIME: Column = (["时间", "time"], |it| print::time(it.row.time_ms));
const KIND: Column = (["种类", "kind"], |it| it.label(it.row.kind));
const FROM: Column = (["来自", "from"], |it| plain(&it.row.origin));
const TO: Column = (["发往", "to"], |it| plain(&it.row.destination));
const STATE: Column = (["状态", "state"], |it| it.standing());
const FOUND: Column = (["状态", "state"], |it| it.standing_and_number());
const URGENCY: Column = (["紧急程度", "urgency"], |it| it.label(it.row.urgency));
const HANDLING: Column = (["处理限制", "handling"], |it| it.label(it.row.handling));
const SIGN_BY: Column = (["签收期限", "sign by"], |it| print::time(it.row.due_ms));
const DUE: Column = (["期限", "due"], |it| due(it.row.due_ms, &it.row.obliged));
const ASSIGNED: Column = (["指派", "assigned to"], |it| plain(&it.row.assigned_to));
/// Owed by the one who sent the transfer, not by its recipient.
const NOTICE_DUE: Column = (["告知报案人期限", "tell the reporter by"], |it| match it
    .row
    .notice_due_ms
{
    0 => String::new(),
    by => due(by, &it.row.origin),
});
const SENDER: Column = (["何人", "by"], |it| plain(&it.row.sender));
const RECEIPT: Column = (["对方回执", "partner's receipt"], |it| {
    receipt_line(it.row.receipt.as_ref(), it.lang)
});

impl Family {
    /// What a list shows beside the id.
    pub(super) const fn listed(self) -> &'static [Column] {
        match self {
            Self::Lead => &[TIME, FROM, TO, FOUND, URGENCY, HANDLING, SIGN_BY, ASSIGNED],
            Self::Referral => &[
                TIME, KIND, FROM, TO, STATE, URGENCY, HANDLING, DUE, ASSIGNED,
            ],
            Self::ArrestNotice => &[TIME, FROM, TO, STATE, ASSIGNED],
        }
    }

    /// What an opened record shows beneath the id, before what it says.
    pub(super) const fn opened(self) -> &'static [Column] {
        match self {
            Self::Lead => &[FROM, TO, STATE, SIGN_BY],
            Self::Referral => &[KIND, FROM, TO, STATE, DUE, NOTICE_DUE, URGENCY, HANDLING],
            Self::ArrestNotice => &[TIME, FROM, TO, STATE, SENDER, RECEIPT],
        }
    }
}

const ALL: &[Family] = &[Family::Lead, Family::Referral, Family::ArrestNotice];
const STEPPED: &[Family] = &[Family::Lead, Family::Referral];
const LEAD: &[Family] = &[Family::Lead];
const REFERRAL: &[Family] = &[Family::Referral];

/// A key in JSON, the kinds that have it, and its value.
type Key = (&'static str, &'static [Family], fn(&Told<'_>) -> Value);

/// In this order, after the id.
const KEYS: [Key; 18] = [
    ("log_index", ALL, |it| it.row.log_index.into()),
    ("time", ALL, |it| rfc3339(it.row.time_ms).into()),
    ("kind", REFERRAL, |it| key(it.row.kind)),
    ("origin", ALL, |it| it.row.origin.as_str().into()),
    ("destination", ALL, |it| it.row.destination.as_str().into()),
    ("state", ALL, |it| key(it.row.state)),
    ("outcome", LEAD, |it| key(it.row.outcome)),
    ("return_reason", STEPPED, |it| key(it.row.return_reason)),
    ("refusal", ALL, |it| stated(&it.row.refusal).into()),
    ("refused", ALL, |it| it.refused().into()),
    ("number", LEAD, |it| stated(&it.row.number).into()),
    ("put_off", ALL, |it| stated(&it.row.put_off).into()),
    ("urgency", STEPPED, |it| key(it.row.urgency)),
    ("handling", STEPPED, |it| key(it.row.handling)),
    ("sign_by", LEAD, |it| rfc3339(it.row.due_ms).into()),
    ("due", REFERRAL, |it| rfc3339(it.row.due_ms).into()),
    ("obliged", REFERRAL, |it| stated(&it.row.obliged).into()),
    ("assigned_to", ALL, |it| stated(&it.row.assigned_to).into()),
];

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.entries())
    }
}

impl Told<'_> {
    /// The row in JSON: keys of its kind, and values.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let id = (self.family.id_key(), self.row.id.as_str().into());
        let known = KEYS.iter().filter(|(_, of, _)| of.contains(&self.family));
        let known = known.map(|(key, _, value)| (*key, value(self)));
        std::iter::once(id).chain(known)
    }

    /// The state, with what it says of its end: `assessed (verified)`.
    pub(super) fn standing(&self) -> String {
        let (row, lang) = (self.row, self.lang);
        let label = row.state.unwrap_or(Term::UNKNOWN).label(lang);
        let ended = row.outcome.or(row.return_reason);
        let more = ended
            .map(|term| term.label(lang))
            .or(stated(&row.refusal).map(|word| refusal_label(word, lang)))
            .or(stated(&row.put_off).map(|word| put_off_label(word, lang)));
        plain(&match (more, lang) {
            (None, _) => label.to_owned(),
            (Some(more), Lang::Zh) => format!("{label}（{more}）"),
            (Some(more), Lang::En) => format!("{label} ({more})"),
        })
    }

    /// Where it stands; of a refused lead also the number by which its row is found in the sheet.
    fn standing_and_number(&self) -> String {
        let (standing, number) = (self.standing(), plain(&self.row.number));
        match (number.is_empty(), self.lang) {
            (true, _) => standing,
            (false, Lang::Zh) => format!("{standing}，编号 {number}"),
            (false, Lang::En) => format!("{standing}, number {number}"),
        }
    }

    /// Why the partner refused it and what to do, where it did.
    pub(super) fn refused(&self) -> Option<String> {
        refused(&self.row.refusal, self.family.sent(), self.lang)
    }

    fn label(&self, term: Option<Term>) -> String {
        term.map_or("", |term| term.label(self.lang)).to_owned()
    }
}

fn key(term: Option<Term>) -> Value {
    term.map(|term| term.key).into()
}

fn stated(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// By when somebody must act, and who.
fn due(by_ms: u64, obliged: &str) -> String {
    let due = format!("{} {}", print::time(by_ms), plain(obliged));
    due.trim().to_owned()
}

/// A receipt in one line; empty where there is none.
pub(super) fn receipt_line(receipt: Option<&Receipt>, lang: Lang) -> String {
    let Some(receipt) = receipt else {
        return String::new();
    };
    let (index, size) = (receipt.partner_index, receipt.tree_size);
    let (origin, time) = (plain(&receipt.partner_origin), print::time(receipt.time_ms));
    match lang {
        Lang::Zh => format!("{origin} 第 {index} 条（树 {size}），{time}"),
        Lang::En => format!("{origin} entry {index} (tree {size}), {time}"),
    }
}
