//! Payloads: what partners say about people. Wrong ones are refused in words that say nothing of it.

use super::input::discreet;
use jiff::civil::date;
use std::collections::BTreeSet;
use yichuan::{
    domain::{
        ArrestNotice, ArrestNoticeColumn, ArrestNoticeFields, Column, Finding, Jurisdiction, Lang,
        Lead, LeadFields, Rules, SheetColumn, content::referral::ReferralFields,
    },
    entry::{Content, Plaintext},
};

/// A decrypted payload.
pub(crate) fn payload(bytes: &[u8]) {
    match Plaintext::from_bytes(bytes) {
        Ok(plaintext) => {
            let again = Plaintext::from_bytes(&plaintext.to_bytes()).expect("our own encoding");
            assert_eq!(again.commitment(), plaintext.commitment());
            match plaintext.content() {
                Ok(content) => {
                    content_is_read(bytes, &content);
                    let sent = Plaintext::new(&content).expect("randomness");
                    let read = sent.content().expect("our own encoding");
                    assert_eq!(format!("{read:?}"), format!("{content:?}"));
                }
                Err(error) => discreet(bytes, &error.to_string()),
            }
            discreet(bytes, &format!("{plaintext:?}"));
        }
        Err(error) => discreet(bytes, &error.to_string()),
    }
}

/// As admission reads it.
pub(crate) fn content_is_read(bytes: &[u8], content: &Content) {
    discreet(bytes, &format!("{content:?}"));
    match content {
        Content::Lead(fields) => lead_is_read(bytes, fields),
        Content::ArrestNotice(fields) => notice_is_read(bytes, fields),
        Content::Referral(fields) => referral_is_read(bytes, fields),
        Content::LeadAnswer(_) | Content::ReferralNote(_) => {}
    }
}

/// The fields of a lead and of a notice, a line each, as an officer sends them.
pub(crate) fn lead(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    lead_is_read(bytes, &fields_of::<Column>(text));
    notice_is_read(bytes, &fields_of::<ArrestNoticeColumn>(text));
    let mut lines = text.split('\n').map(str::to_owned);
    let mut next = || lines.next().unwrap_or_default();
    let referral = ReferralFields {
        title: next(),
        matter: next(),
        case_number: next(),
        subject_name: next(),
        subject_number: next(),
        place_code: next(),
        substance: next(),
        lead_ids: lines.collect(),
    };
    referral_is_read(bytes, &referral);
}

fn fields_of<C: SheetColumn>(text: &str) -> Box<C::Fields> {
    let mut fields = Box::<C::Fields>::default();
    for (column, line) in C::ALL.iter().zip(text.split('\n')) {
        line.clone_into(column.text_mut(&mut fields));
    }
    fields
}

/// A lead has one spelling: what is read from it is read again as the same.
pub(crate) fn lead_is_read(bytes: &[u8], fields: &LeadFields) {
    match Lead::reread(fields) {
        Ok(lead) => {
            let again = Lead::reread(&lead.to_fields()).expect("what was read before");
            assert_eq!(again.canonical_content(), lead.canonical_content());
            assert_eq!(again.to_fields(), lead.to_fields());
            assert!(again == lead);
            discreet(bytes, &format!("{lead:?}"));
        }
        Err(findings) => told(bytes, &findings),
    }
    let partners: BTreeSet<Jurisdiction> = partners();
    let rules = Rules {
        own: "520624".parse().expect("a code"),
        partners: &partners,
        today: date(2026, 8, 1),
    };
    match Lead::parse(fields, &rules) {
        Ok(parsed) => {
            assert!(partners.contains(&parsed.route));
            assert!(parsed.warnings.iter().all(Finding::is_warning));
            told(bytes, &parsed.warnings);
            let reread = Lead::reread(&parsed.record.to_fields());
            assert!(
                reread.is_ok_and(|lead| lead == parsed.record),
                "the recipient reads the same"
            );
        }
        Err(findings) => told(bytes, &findings),
    }
}

pub(crate) fn notice_is_read(bytes: &[u8], fields: &ArrestNoticeFields) {
    match ArrestNotice::reread(fields) {
        Ok(notice) => {
            let again = ArrestNotice::reread(&notice.to_fields()).expect("what was read before");
            assert_eq!(again.canonical_content(), notice.canonical_content());
            assert!(again == notice);
        }
        Err(findings) => told(bytes, &findings),
    }
    let partners: BTreeSet<Jurisdiction> = partners();
    let rules = Rules {
        own: "440000".parse().expect("a code"),
        partners: &partners,
        today: date(2026, 8, 1),
    };
    match ArrestNotice::parse(fields, &rules) {
        Ok(parsed) => {
            told(bytes, &parsed.warnings);
            let reread = ArrestNotice::reread(&parsed.record.to_fields());
            assert!(reread.is_ok_and(|notice| notice == parsed.record));
        }
        Err(findings) => told(bytes, &findings),
    }
}

pub(crate) fn referral_is_read(bytes: &[u8], fields: &ReferralFields) {
    match fields.check() {
        Ok(()) => {
            let leads = fields.leads().expect("checked");
            let spelled: Vec<_> = leads.iter().map(ToString::to_string).collect();
            assert_eq!(spelled, fields.lead_ids, "one id, one spelling");
        }
        Err(error) => discreet(bytes, &error.to_string()),
    }
}

fn told<C: SheetColumn>(bytes: &[u8], findings: &[Finding<C>]) {
    assert!(
        findings.is_sorted_by_key(|finding| finding.code),
        "the most important first"
    );
    for finding in findings {
        // In English: a row may by chance hold words of the Chinese text.
        discreet(bytes, &finding.message(Lang::En));
    }
}

fn partners() -> BTreeSet<Jurisdiction> {
    ["440000", "330000", "520624"]
        .map(|code| code.parse().expect("a code"))
        .into()
}
