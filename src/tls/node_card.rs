//! Node cards 节点名片: a node's public facts, signed by its offline CA key.
//!
//! ```text
//! yichuan node card v1
//! code: 520624
//! name: 思南县公安局
//! endpoint: https://node.sinan.example:7443
//! origin: 520624.yichuan/log/1
//! vkey: 520624.yichuan/log/1+<8 hexadecimal digits>+<base64>
//! ca: <base64 of the CA certificate>
//! issued: 2026-01-01
//! serial: 43200
//!
//! signature: <base64>
//! ```
//!
//! The serial orders the cards of one day. A card without that line is the first of its day: it has serial 0, which is
//! not written.
//!
//! The signature (ECDSA P-256 SHA-256, ASN.1) covers all bytes before the empty line. It proves that whoever made the
//! card holds the CA key. Only a comparison of fingerprints out of band shows that the CA is the jurisdiction's.

use super::{
    authority::{Authority, AuthorityError},
    dev::{DevOutsideLoopback, refuse_dev_outside_loopback},
    endpoint::{EndpointUrl, MalformedEndpoint},
    fingerprint::Fingerprint,
    issue::{Ca, IssueError},
};
use crate::domain::{Clock, Jurisdiction, Timestamp};
use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use std::{fmt, net::IpAddr};

/// The longest card, in bytes.
pub const MAX_CARD: usize = 16 * 1024;
const SERIAL: &str = "serial: ";
const MAGIC: &str = "yichuan node card v1";
/// The longest name, in characters.
const MAX_NAME: usize = 64;
/// C2SP signed-note: signature type Ed25519.
const ED25519: u8 = 0x01;

/// Why a card is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// It is too long.
    #[error("not a node card: longer than 16 KiB")]
    TooLong,
    /// A line is missing, in the wrong place, or misspelled.
    #[error("not a node card: line {line} should be {expected:?}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What belongs there.
        expected: &'static str,
    },
    /// The code is not a jurisdiction's.
    #[error("the card's code is not a jurisdiction's")]
    Code,
    /// The name is empty, too long or unprintable.
    #[error("the card's name must have 1 to 64 printable characters, without blanks around them")]
    Name,
    /// Not `https://host:port`.
    #[error("the card's endpoint: {0}")]
    Endpoint(#[from] MalformedEndpoint),
    /// Not `<code>.yichuan/log/<epoch>`.
    #[error("the card's log origin must be <code>.yichuan/log/<epoch>")]
    Origin,
    /// Not an Ed25519 verifier key under the origin's name.
    #[error(
        "the card's vkey must be <origin>+<key id>+<base64>, an Ed25519 key with the id that belongs to it"
    )]
    VerifierKey,
    /// Not a CA.
    #[error("the card's CA: {0}")]
    Ca(#[from] AuthorityError),
    /// Another jurisdiction's CA.
    #[error("the card's CA speaks for another jurisdiction than its code")]
    Jurisdiction,
    /// Not a date.
    #[error("the card's issued must be a date such as 2026-01-01")]
    Issued,
    /// Not a number in canonical form.
    #[error("the card's serial must be a number from 1 to 4294967295, without zeros before it")]
    Serial,
    /// Not signed by the CA on the card.
    #[error("the card is not signed by the CA in it; ask for it again")]
    Signature,
}

/// Why no card was made.
#[derive(Debug, thiserror::Error)]
pub enum MakeCardError {
    /// The facts do not make a valid card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The CA refused to sign.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

/// A node's public facts, verified to be signed by the CA among them.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeCard {
    text: String,
    name: String,
    endpoint: EndpointUrl,
    origin: String,
    vkey: String,
    key: [u8; 32],
    authority: Authority,
    issued: jiff::civil::Date,
    serial: u32,
}

/// The facts from which a card is made; code and CA come with the CA key.
#[derive(Clone, Copy, Debug)]
pub struct CardFacts<'a> {
    /// Name of the node: 思南县公安局.
    pub name: &'a str,
    /// The address that partners dial.
    pub endpoint: &'a EndpointUrl,
    /// C2SP vkey text of the node's log; its name is the log's origin.
    pub vkey: &'a str,
}

impl NodeCard {
    /// Makes a card, and signs it. Its serial is the millisecond of the day in Asia/Shanghai, so that a later card
    /// counts as newer.
    ///
    /// # Errors
    /// Facts that [`NodeCard::parse`] would refuse.
    pub fn make(ca: &Ca, facts: &CardFacts<'_>, clock: &dyn Clock) -> Result<Self, MakeCardError> {
        let (origin, ..) = parse_vkey(facts.vkey).ok_or(CardError::VerifierKey)?;
        let body = body(
            ca.authority(),
            facts.name,
            facts.endpoint,
            origin,
            facts.vkey,
            (clock.now().shanghai_date(), millisecond_of_day(clock.now())),
        );
        let signature = BASE64.encode(ca.sign(body.as_bytes())?);
        let text = format!("{body}\nsignature: {signature}\n");
        Ok(Self::parse(text.as_bytes())?)
    }

    /// Reads a card and verifies it. A card has one canonical form: any other byte is refused.
    ///
    /// # Errors
    /// All that [`CardError`] names.
    pub fn parse(bytes: &[u8]) -> Result<Self, CardError> {
        if bytes.len() > MAX_CARD {
            return Err(CardError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| CardError::Line {
            line: 1,
            expected: MAGIC,
        })?;
        let mut lines = Lines {
            rest: text,
            line: 0,
        };
        lines.exactly(MAGIC)?;
        let jurisdiction: Jurisdiction = lines
            .field("code: ")?
            .parse()
            .map_err(|_| CardError::Code)?;
        let name = lines.field("name: ")?;
        let endpoint: EndpointUrl = lines.field("endpoint: ")?.parse()?;
        let origin = lines.field("origin: ")?;
        let vkey = lines.field("vkey: ")?;
        let ca = decode(lines.field("ca: ")?).ok_or(AuthorityError::Malformed)?;
        let issued = lines.field("issued: ")?;
        let issued = issued
            .parse::<jiff::civil::Date>()
            .ok()
            .filter(|date| date.to_string() == issued)
            .ok_or(CardError::Issued)?;
        let serial = match lines.rest.starts_with(SERIAL) {
            true => {
                let serial = lines.field(SERIAL)?;
                serial
                    .parse::<u32>()
                    .ok()
                    .filter(|number| *number > 0 && number.to_string() == serial)
                    .ok_or(CardError::Serial)?
            }
            false => 0,
        };
        let signed = text
            .get(..text.len() - lines.rest.len())
            .unwrap_or_default();
        lines.exactly("")?;
        let signature = decode(lines.field("signature: ")?).ok_or(CardError::Signature)?;
        if !lines.rest.is_empty() {
            return Err(lines.error("end of file"));
        }

        if !is_name(name) {
            return Err(CardError::Name);
        }
        let authority = Authority::parse(&ca)?;
        if authority.jurisdiction() != jurisdiction {
            return Err(CardError::Jurisdiction);
        }
        if !is_origin(origin, jurisdiction) {
            return Err(CardError::Origin);
        }
        let key = match parse_vkey(vkey) {
            Some((named, key)) if named == origin => key,
            _ => return Err(CardError::VerifierKey),
        };
        if !authority.signed(signed.as_bytes(), &signature) {
            return Err(CardError::Signature);
        }
        Ok(Self {
            text: text.to_owned(),
            name: name.to_owned(),
            endpoint,
            origin: origin.to_owned(),
            vkey: vkey.to_owned(),
            key,
            authority,
            issued,
            serial,
        })
    }

    /// The node's jurisdiction.
    pub const fn jurisdiction(&self) -> Jurisdiction {
        self.authority.jurisdiction()
    }

    /// Name of the node.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address that partners dial.
    pub const fn endpoint(&self) -> &EndpointUrl {
        &self.endpoint
    }

    /// Origin of its log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// C2SP vkey text of its log. `note` checks that the key in it is valid.
    pub fn vkey(&self) -> &str {
        &self.vkey
    }

    /// The Ed25519 key in the vkey.
    pub const fn log_key(&self) -> &[u8; 32] {
        &self.key
    }

    /// Its CA.
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// When it was made, in Asia/Shanghai.
    pub const fn issued(&self) -> jiff::civil::Date {
        self.issued
    }

    /// Its number on that day: the higher, the newer.
    pub const fn serial(&self) -> u32 {
        self.serial
    }

    /// The card, byte for byte.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the card, to be compared out of band.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.text.as_bytes())
    }

    /// SHA-256 of the CA certificate, to be compared out of band.
    pub fn ca_fingerprint(&self) -> Fingerprint {
        self.authority.fingerprint()
    }

    /// SHA-256 of the log's Ed25519 key (32 bytes).
    pub fn key_fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.key)
    }

    /// Refuses a development CA's card whose endpoint is an address outside loopback. Host names are checked when they
    /// are dialled.
    ///
    /// # Errors
    /// The endpoint is such an address.
    pub fn refuse_dev_outside_loopback(&self) -> Result<(), DevOutsideLoopback> {
        match self.endpoint.host().parse::<IpAddr>() {
            Ok(address) => refuse_dev_outside_loopback(&self.authority, address),
            Err(_) => Ok(()),
        }
    }
}

impl fmt::Debug for NodeCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "card of {} {}",
            self.jurisdiction(),
            self.fingerprint().to_hex()
        )
    }
}

struct Lines<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self, expected: &'static str) -> Result<&'a str, CardError> {
        self.line += 1;
        let (line, rest) = self.rest.split_once('\n').ok_or(self.error(expected))?;
        self.rest = rest;
        Ok(line)
    }

    fn exactly(&mut self, expected: &'static str) -> Result<(), CardError> {
        let line = self.next(expected)?;
        (line == expected).then_some(()).ok_or(self.error(expected))
    }

    fn field(&mut self, label: &'static str) -> Result<&'a str, CardError> {
        let line = self.next(label)?;
        line.strip_prefix(label).ok_or(self.error(label))
    }

    const fn error(&self, expected: &'static str) -> CardError {
        CardError::Line {
            line: self.line,
            expected,
        }
    }
}

fn body(
    authority: &Authority,
    name: &str,
    endpoint: &EndpointUrl,
    origin: &str,
    vkey: &str,
    (issued, serial): (jiff::civil::Date, u32),
) -> String {
    let (code, ca) = (authority.jurisdiction(), BASE64.encode(authority.der()));
    let serial = match serial {
        0 => String::new(),
        serial => format!("{SERIAL}{serial}\n"),
    };
    format!(
        "{MAGIC}\ncode: {code}\nname: {name}\nendpoint: {endpoint}\norigin: {origin}\nvkey: {vkey}\nca: {ca}\nissued: {issued}\n{serial}"
    )
}

/// Milliseconds since midnight in Asia/Shanghai, which has no daylight saving.
fn millisecond_of_day(time: Timestamp) -> u32 {
    const HOUR: u64 = 3_600_000;
    u32::try_from(time.millis().saturating_add(8 * HOUR) % (24 * HOUR)).unwrap_or_default()
}

/// Decodes canonical base64.
fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.chars().count())
        && name.trim() == name
        && !name.chars().any(is_hidden)
}

/// Invisible characters, and characters that reorder the text around them: on a card they could only deceive.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn is_origin(origin: &str, jurisdiction: Jurisdiction) -> bool {
    let prefix = format!("{}/log/", jurisdiction.trust_domain());
    origin.strip_prefix(&prefix).is_some_and(|epoch| {
        epoch
            .parse::<u32>()
            .is_ok_and(|n| n > 0 && n.to_string() == epoch)
    })
}

/// Name and Ed25519 key of a C2SP vkey with a correct key id.
fn parse_vkey(vkey: &str) -> Option<(&str, [u8; 32])> {
    let (name, rest) = vkey.split_once('+')?;
    let (id, key) = rest.split_once('+')?;
    let typed = decode(key)?;
    let (ED25519, key) = typed.split_first().map(|(t, k)| (*t, k))? else {
        return None;
    };
    let mut hash = Context::new(&SHA256);
    hash.update(name.as_bytes());
    hash.update(b"\n");
    hash.update(&typed);
    let hash = hash.finish();
    (hash.as_ref().get(..4).map(hex::encode).as_deref() == Some(id))
        .then_some((name, key.try_into().ok()?))
}

#[cfg(test)]
#[path = "node_card_tests.rs"]
mod tests;
