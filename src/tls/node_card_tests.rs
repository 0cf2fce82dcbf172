use super::*;
use crate::tls::{Validity, dev};

/// A C2SP signed-note example key, under a name of ours.
fn vkey(origin: &str) -> String {
    let mut typed = vec![ED25519];
    typed.extend([7; 32]);
    let hash = Fingerprint::of(&[origin.as_bytes(), b"\n", &typed].concat());
    format!("{origin}+{}+{}", &hash.to_hex()[..8], BASE64.encode(typed))
}

#[derive(Debug)]
struct Day;

impl Clock for Day {
    fn now(&self) -> Timestamp {
        // 2026-03-05 00:00 in Shanghai.
        Timestamp::from_millis(1_772_640_000_000)
    }
}

fn dev_ca() -> Ca {
    Ca::from_pem(dev::CAS[0].certificate, dev::CAS[0].key).unwrap()
}

fn make(ca: &Ca, name: &str, vkey: &str) -> Result<NodeCard, MakeCardError> {
    let facts = CardFacts {
        name,
        endpoint: &"https://127.0.0.1:7443".parse().unwrap(),
        vkey,
    };
    NodeCard::make(ca, &facts, &Day)
}

fn card() -> NodeCard {
    make(&dev_ca(), "思南县公安局", &vkey("520624.yichuan/log/1")).unwrap()
}

#[test]
fn what_is_made_is_read_again() {
    let card = card();
    let read = NodeCard::parse(card.as_str().as_bytes()).unwrap();
    assert_eq!(read, card);
    assert_eq!(read.jurisdiction().as_str(), "520624");
    assert_eq!(read.name(), "思南县公安局");
    assert_eq!(read.origin(), "520624.yichuan/log/1");
    assert_eq!(read.log_key(), &[7; 32]);
    assert_eq!(read.issued(), jiff::civil::date(2026, 3, 5));
    assert_eq!(read.authority(), dev_ca().authority());
    assert_eq!(
        read.fingerprint(),
        Fingerprint::of(card.as_str().as_bytes())
    );
}

#[derive(Debug)]
struct Later;

impl Clock for Later {
    fn now(&self) -> Timestamp {
        Day.now().plus_seconds(61)
    }
}

#[test]
fn cards_of_one_day_are_told_apart_and_one_without_a_serial_is_the_first() {
    let (vkey, ca) = (vkey("520624.yichuan/log/1"), dev_ca());
    let facts = CardFacts {
        name: "x",
        endpoint: &"https://127.0.0.1:7443".parse().unwrap(),
        vkey: &vkey,
    };
    let first = NodeCard::make(&ca, &facts, &Day).unwrap();
    let later = NodeCard::make(&ca, &facts, &Later).unwrap();
    assert_eq!((first.issued(), first.serial()), (later.issued(), 0));
    assert!(!first.as_str().contains("serial"));
    assert_eq!(later.serial(), 61_000);
    // One spelling: what says 0, or says it otherwise, is no card.
    for serial in ["0", "061000", "+61000", "4294967296", ""] {
        let (body, _) = later.as_str().split_once("\nsignature").unwrap();
        let body = body.replace("serial: 61000", &format!("serial: {serial}"));
        let signature = BASE64.encode(ca.sign(body.as_bytes()).unwrap());
        let text = format!("{body}\nsignature: {signature}\n");
        let read = NodeCard::parse(text.as_bytes());
        assert_eq!(read, Err(CardError::Serial), "{serial}");
    }
}

#[test]
fn no_byte_of_a_card_can_be_changed() {
    let card = card().as_str().as_bytes().to_vec();
    for at in 0..card.len() {
        for bit in [0x01, 0x20] {
            let mut changed = card.clone();
            changed[at] ^= bit;
            assert!(NodeCard::parse(&changed).is_err(), "byte {at} ^ {bit}");
        }
    }
    for end in 0..card.len() {
        assert!(NodeCard::parse(&card[..end]).is_err(), "cut at {end}");
    }
    for tail in ["\n", " ", "signature: x\n"] {
        let longer = [&card, tail.as_bytes()].concat();
        assert!(NodeCard::parse(&longer).is_err(), "{tail:?}");
    }
    let crlf = String::from_utf8(card).unwrap().replace('\n', "\r\n");
    assert!(NodeCard::parse(crlf.as_bytes()).is_err());
}

#[test]
fn an_authority_signs_no_card_for_others_and_none_that_misleads() {
    let ca = dev_ca();
    let sound = vkey("520624.yichuan/log/1");
    let refused = |name: &str, vkey: &str| match make(&ca, name, vkey) {
        Err(MakeCardError::Card(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused("x", &vkey("440000.yichuan/log/1")),
        CardError::Origin
    );
    assert_eq!(
        refused("x", &vkey("520624.yichuan/log/0")),
        CardError::Origin
    );
    assert_eq!(
        refused("x", &vkey("520624.yichuan/log/01")),
        CardError::Origin
    );
    let other_id = sound.replacen('+', "+0", 1);
    assert_eq!(refused("x", &other_id), CardError::VerifierKey);
    for name in ["", " x", "x\u{202e}y", "a\u{7}", &"长".repeat(65)] {
        assert_eq!(refused(name, &sound), CardError::Name, "{name:?}");
    }
    // A line break in a name would forge the lines after it.
    let forged = "x\nendpoint: https://192.0.2.1:7443";
    assert!(matches!(refused(forged, &sound), CardError::Line { .. }));
}

#[test]
fn a_card_for_a_code_that_its_ca_does_not_speak_for_is_refused() {
    let text = card().as_str().replace("520624", "440000");
    assert_eq!(
        NodeCard::parse(text.as_bytes()),
        Err(CardError::Jurisdiction)
    );
    // Signed by the CA of the same name with another key.
    let days = Validity::days(Day.now(), 1);
    let twin = Ca::create("520624".parse().unwrap(), days).unwrap();
    let (body, _) = card()
        .as_str()
        .split_once("\nsignature")
        .map(|(b, s)| (b.to_owned(), s.to_owned()))
        .unwrap();
    let signature = BASE64.encode(twin.sign(body.as_bytes()).unwrap());
    let forged = format!("{body}\nsignature: {signature}\n");
    assert_eq!(
        NodeCard::parse(forged.as_bytes()),
        Err(CardError::Signature)
    );
}

#[test]
fn a_development_card_is_good_on_this_machine_only() {
    let far = CardFacts {
        name: "x",
        endpoint: &"https://192.0.2.1:7443".parse().unwrap(),
        vkey: &vkey("520624.yichuan/log/1"),
    };
    let far = NodeCard::make(&dev_ca(), &far, &Day).unwrap();
    assert!(far.refuse_dev_outside_loopback().is_err());
    assert!(card().refuse_dev_outside_loopback().is_ok());
}
