//! Node cards, certificates and revocation lists: whoever connects, or asks to be a partner, brings them.

use super::{
    input::{Input, discreet},
    world::{COUNTY, code},
};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::sync::OnceLock;
use yichuan::{
    casework::CardReader as _,
    tls::{Authority, Cards, Crl, NodeCard, PeerIdentity, dev},
};

/// The county's development CA, with its key.
struct Ca {
    authority: Authority,
    key: EcdsaKeyPair,
}

fn ca() -> &'static Ca {
    static CA: OnceLock<Ca> = OnceLock::new();
    CA.get_or_init(|| {
        let ca = dev::ca(code(COUNTY)).expect("a development CA");
        let base64: String = ca
            .key
            .lines()
            .filter(|line| !line.starts_with('-'))
            .collect();
        let key = STANDARD.decode(base64).expect("base64");
        Ca {
            authority: Authority::parse(ca.certificate.as_bytes()).expect("a CA"),
            key: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key).expect("a key"),
        }
    })
}

fn signature(message: &[u8]) -> Vec<u8> {
    let signature = ca().key.sign(&SystemRandom::new(), message);
    signature.expect("a signature").as_ref().to_vec()
}

/// A card as it came, and the same text with a true signature of the county's CA.
pub(crate) fn card(bytes: &[u8]) {
    read_card(bytes);
    let line = format!("\nsignature: {}\n", STANDARD.encode(signature(bytes)));
    read_card(&[bytes, line.as_bytes()].concat());
}

fn read_card(bytes: &[u8]) {
    match NodeCard::parse(bytes) {
        Ok(card) => {
            assert_eq!(card.as_str().as_bytes(), bytes, "one spelling");
            let domain = card.jurisdiction().trust_domain();
            assert!(card.origin().starts_with(&format!("{domain}/log/")));
            assert!(card.vkey().starts_with(&format!("{}+", card.origin())));
            assert_eq!(card.authority().jurisdiction(), card.jurisdiction());
            assert!(card.name().chars().count() <= 64);
        }
        Err(error) => discreet(bytes, &error.to_string()),
    }
    match Cards.read(bytes) {
        Ok(partner) => assert_eq!(partner.key.name(), {
            let card = NodeCard::parse(bytes).expect("read before");
            card.origin().to_owned()
        }),
        Err(said) => discreet(bytes, &said),
    }
}

/// A leaf or a CA. Nothing is verified of a leaf yet: anybody can show this one.
pub(crate) fn certificate(bytes: &[u8]) {
    match PeerIdentity::from_der(bytes) {
        Ok(identity) => {
            let text = identity.principal().to_string();
            assert_eq!(text.parse().as_ref(), Ok(identity.principal()));
            let found = bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes());
            assert!(found, "the name is in the certificate as it is");
        }
        Err(error) => discreet(bytes, &error.to_string()),
    }
    match Authority::parse(bytes) {
        Ok(authority) => {
            let again = Authority::parse(authority.der()).expect("the same certificate");
            assert_eq!(again.jurisdiction(), authority.jurisdiction());
            assert!(
                PeerIdentity::from_der(authority.der()).is_err(),
                "a CA is no caller"
            );
        }
        Err(error) => discreet(bytes, &error.to_string()),
    }
}

/// A list as it came, and whatever the county's CA may sign.
pub(crate) fn crl(bytes: &[u8]) {
    read_crl(bytes);
    let mut input = Input::new(bytes);
    let tbs = sequence(input.piece());
    // ecdsa-with-SHA256, RFC 5758 section 3.2.
    let algorithm = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
    let signature = [&[0][..], &signature(&tbs)].concat();
    let signature = [
        &[0x03, u8::try_from(signature.len()).expect("short")][..],
        &signature,
    ];
    let list = [&tbs[..], algorithm, &signature.concat()].concat();
    read_crl(&sequence(&list));
}

fn read_crl(bytes: &[u8]) {
    match Crl::parse(bytes, &ca().authority) {
        Ok(list) => {
            let again = Crl::parse(list.der(), &ca().authority).expect("the same list");
            assert_eq!(again, list);
        }
        Err(error) => discreet(bytes, &error.to_string()),
    }
}

/// DER SEQUENCE around contents.
fn sequence(contents: &[u8]) -> Vec<u8> {
    let length = u32::try_from(contents.len()).expect("short").to_be_bytes();
    let header = if contents.len() < 128 {
        vec![0x30, length[3]]
    } else {
        let first = length.iter().position(|byte| *byte != 0).unwrap_or(3);
        let mut header = vec![0x30, 0x80 | u8::try_from(4 - first).expect("1 to 4")];
        header.extend_from_slice(&length[first..]);
        header
    };
    [&header[..], contents].concat()
}
