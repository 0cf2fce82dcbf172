//! Short texts of a fixed grammar. One meaning has one spelling, so that what is logged is what was written.

use super::input::{Input, discreet};
use std::{fmt::Display, str::FromStr};
use yichuan::{
    access::{Assignee, Basis, Officer, Principal, Purpose, UnitName},
    audit::{KindName, PrincipalFilter},
    domain::{ArrestNoticeColumn, Column},
    domain::{DispatchId, EntryId, Jurisdiction, Locality, RecordId, ResidentNumber},
    entry::DispatchAction,
    intake::column_named,
    merkle::{Frontier, TilePath},
    note::VerifierKey,
    tls::{EndpointUrl, Fingerprint},
};

const WORDS: &[fn(&str)] = &[
    spelled::<Jurisdiction>,
    spelled::<Principal>,
    spelled::<Basis>,
    spelled::<Purpose>,
    spelled::<Assignee>,
    spelled::<Officer>,
    spelled_unit,
    spelled::<RecordId>,
    spelled::<DispatchId>,
    spelled::<EntryId>,
    spelled::<VerifierKey>,
    spelled::<TilePath>,
    spelled::<DispatchAction>,
    spelled::<KindName>,
    spelled::<EndpointUrl>,
    locality,
    resident_number,
    fingerprint,
    header,
    filter,
    verifier_key,
];

/// The first byte says which grammar.
pub(crate) fn words(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let read = input.pick(WORDS);
    if let Ok(text) = std::str::from_utf8(input.rest()) {
        read(text);
    }
    if let Ok(frontier) = Frontier::from_bytes(input.rest()) {
        assert_eq!(frontier.to_bytes(), input.rest());
    }
}

fn spelled<T>(text: &str)
where
    T: FromStr<Err: Display> + Display,
{
    match text.parse::<T>() {
        Ok(value) => assert_eq!(value.to_string(), text, "one spelling"),
        Err(error) => discreet(text.as_bytes(), &error.to_string()),
    }
}

fn spelled_unit(text: &str) {
    spelled::<UnitName>(text);
}

fn locality(text: &str) {
    if let Ok(locality) = text.parse::<Locality>() {
        assert_eq!(locality.as_str(), text);
        assert_eq!(locality.jurisdiction().as_str(), &text[..6]);
    }
}

fn resident_number(text: &str) {
    match ResidentNumber::parse(text) {
        Ok(number) => {
            assert_eq!(number.as_str(), text);
            assert_eq!(number.born().strftime("%Y%m%d").to_string(), text[6..14]);
            discreet(text.as_bytes(), &format!("{number} {number:?}"));
        }
        Err(code) => discreet(text.as_bytes(), code.message(yichuan::domain::Lang::En)),
    }
}

/// Read aloud and typed, it has many spellings.
fn fingerprint(text: &str) {
    if let Ok(fingerprint) = text.parse::<Fingerprint>() {
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        assert_eq!(fingerprint.to_hex().parse(), Ok(fingerprint));
    }
}

fn header(text: &str) {
    if let Some(column) = column_named::<Column>(text) {
        assert_eq!(column_named(column.as_str()), Some(column));
        assert_eq!(column_named(column.header_zh()), Some(column));
    }
    if let Some(column) = column_named::<ArrestNoticeColumn>(text) {
        assert_eq!(column_named(column.as_str()), Some(column));
    }
}

fn filter(text: &str) {
    if let Err(error) = text.parse::<PrincipalFilter>() {
        discreet(text.as_bytes(), &error.to_string());
    }
}

/// A key that is accepted is one to another implementation too.
fn verifier_key(text: &str) {
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert!(signed_note::StandardVerifier::new(text).is_ok(), "{key}");
    }
}
