//! Reads node cards for the services above.

use super::{Authority, Crl, NodeCard, TrustStore};
use crate::{casework::CardReader, exchange::Partner};

/// Reads cards, and refuses development CAs outside loopback.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cards;

impl CardReader for Cards {
    fn read(&self, card: &[u8]) -> Result<Partner, String> {
        let card = NodeCard::parse(card).map_err(|error| error.to_string())?;
        card.refuse_dev_outside_loopback()
            .map_err(|error| error.to_string())?;
        Ok(Partner {
            code: card.jurisdiction(),
            name: card.name().to_owned(),
            endpoint: card.endpoint().as_str().to_owned(),
            key: card
                .vkey()
                .parse()
                .map_err(|error| format!("its verifier key: {error}"))?,
            ca: card.authority().der().to_vec(),
            issued: (card.issued(), card.serial()),
        })
    }

    fn fits(&self, partner: &Partner, crl: Option<&[u8]>) -> Result<(), String> {
        let authority = Authority::parse(&partner.ca).map_err(|error| error.to_string())?;
        // A list that another CA signed is dropped together with that CA.
        let crl = crl.and_then(|crl| Crl::parse(crl, &authority).ok());
        TrustStore::new(authority, crl)
            .map(drop)
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::Timestamp,
        note::LogSigner,
        tls::{Ca, Validity, dev},
    };
    use x509_parser::prelude::{FromDer as _, X509Certificate};

    const ECDSA_SHA256: &[u8] = &[
        0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
    ];

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap();
        let mut der = vec![tag];
        match length {
            0..=0x7f => der.push(u8::try_from(length).unwrap()),
            0x80..=0xff => der.extend([0x81, u8::try_from(length).unwrap()]),
            _ => der.extend([&[0x82], &length.to_be_bytes()[..]].concat()),
        }
        der.extend_from_slice(content);
        der
    }

    /// Length of the header and of the content.
    fn measure(der: &[u8]) -> (usize, usize) {
        match der[1] {
            0x81 => (3, usize::from(der[2])),
            0x82 => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
            short => (2, usize::from(short)),
        }
    }

    /// What stands in a constructed value, one after the other.
    fn parts(der: &[u8]) -> Vec<Vec<u8>> {
        let (header, length) = measure(der);
        let mut rest = &der[header..header + length];
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let (header, length) = measure(rest);
            parts.push(rest[..header + length].to_vec());
            rest = &rest[header + length..];
        }
        parts
    }

    fn certificate(ca: &Ca, signed: &[u8], algorithm: &[u8]) -> Vec<u8> {
        let signature = [&[0], &ca.sign(signed).unwrap()[..]].concat();
        tlv(0x30, &[signed, algorithm, &tlv(0x03, &signature)].concat())
    }

    /// Changes of the part of a CA certificate that is signed: each field and each extension left out, doubled and emptied,
    /// fields that nobody expects, and each byte turned.
    fn changed(signed: &[u8]) -> Vec<(String, Vec<u8>)> {
        let fields = parts(signed);
        let whole = |fields: &[Vec<u8>]| tlv(0x30, &fields.concat());
        let mut all = Vec::new();
        for at in 0..fields.len() {
            let with = |new: &[Vec<u8>]| whole(&[&fields[..at], new, &fields[at + 1..]].concat());
            let field = fields[at].clone();
            all.push((format!("field {at} left out"), with(&[])));
            all.push((
                format!("field {at} twice"),
                with(&[field.clone(), field.clone()]),
            ));
            all.push((format!("field {at} empty"), with(&[tlv(field[0], &[])])));
        }
        let last = fields.len() - 1;
        for (name, tag) in [("issuerUniqueID", 0x81), ("subjectUniqueID", 0x82)] {
            let mut fields = fields.clone();
            fields.insert(last, tlv(tag, &[0, 1]));
            all.push((name.to_owned(), whole(&fields)));
        }
        let extensions = parts(&parts(&fields[last])[0]);
        let mut with = |what: String, extensions: Vec<Vec<u8>>| {
            let mut fields = fields.clone();
            fields[last] = tlv(fields[last][0], &tlv(0x30, &extensions.concat()));
            all.push((what, whole(&fields)));
        };
        for at in 0..extensions.len() {
            let mut fewer = extensions.clone();
            let one = fewer.remove(at);
            with(format!("extension {at} left out"), fewer);
            with(
                format!("extension {at} twice"),
                [&extensions[..], &[one]].concat(),
            );
        }
        let extension = |id: u8, critical: &[u8], value: &[u8]| {
            let id = tlv(0x06, &[0x55, 0x1d, id]);
            tlv(0x30, &[&id, critical, &tlv(0x04, value)].concat())
        };
        let usage = tlv(0x30, &tlv(0x06, &[0x2b, 6, 1, 5, 5, 7, 3, 1]));
        let critical = [0x01, 0x01, 0xff];
        for (what, more) in [
            ("EKU twice", vec![extension(37, &[], &usage); 2]),
            (
                "name constraints",
                vec![extension(30, &critical, &tlv(0x30, &[]))],
            ),
            (
                "a critical extension of no name",
                vec![extension(99, &critical, &[5, 0])],
            ),
        ] {
            with(what.to_owned(), [extensions.clone(), more].concat());
        }
        for at in 0..signed.len() {
            for bit in [0x01, 0x02, 0x20, 0x80] {
                let mut turned = signed.to_vec();
                turned[at] ^= bit;
                all.push((format!("byte {at} ^ {bit:#x}"), turned));
            }
        }
        all
    }

    /// One parser took what the other, which TLS uses, does not; and nothing approved could be used.
    #[test]
    fn regression_whatever_ca_a_card_is_taken_with_makes_a_verifier() {
        let validity = Validity::days(Timestamp::from_millis(1_772_640_000_000), 3_650);
        let ca = Ca::create("440000".parse().unwrap(), validity).unwrap();
        let own = dev::CAS[0].certificate.as_bytes();
        let own = TrustStore::new(Authority::parse(own).unwrap(), None).unwrap();
        let der = ca.authority().der();
        let (_, read) = X509Certificate::from_der(der).unwrap();
        let signed = read.tbs_certificate.as_ref();
        let mut partner = Partner {
            code: ca.authority().jurisdiction(),
            name: String::new(),
            endpoint: String::new(),
            key: LogSigner::from_seed("440000.yichuan/log/1", &[7; 32])
                .unwrap()
                .verifier_key(),
            ca: der.to_vec(),
            issued: (jiff::civil::date(2026, 3, 5), 0),
        };
        Cards.fits(&partner, None).unwrap();

        let (mut taken, mut refused) = (0, Vec::new());
        let with_null = [&[0x30, 0x0c], &ECDSA_SHA256[2..], &[5, 0]].concat();
        let mut all = changed(signed);
        all.push(("unchanged".to_owned(), signed.to_vec()));
        let all = all.into_iter().map(|(what, signed)| {
            let der = certificate(&ca, &signed, ECDSA_SHA256);
            (what, der)
        });
        let more = (
            "outer parameters".to_owned(),
            certificate(&ca, signed, &with_null),
        );
        for (what, der) in all.chain([more]) {
            let Ok(authority) = Authority::parse(&der) else {
                continue;
            };
            partner.ca = der;
            if Cards.fits(&partner, None).is_ok() {
                let with = own.clone().with(authority, None);
                assert!(with.is_ok(), "{what}: {with:?}");
                taken += 1;
            } else {
                refused.push(what);
            }
        }
        assert!(taken > 0, "not even what was not changed is taken");
        // What the first parser lets through and the second does not: else the test would show nothing.
        for what in ["subjectUniqueID", "EKU twice"] {
            assert!(refused.iter().any(|it| it == what), "{what}: {refused:?}");
        }
        assert!(
            refused.iter().any(|it| it.starts_with("byte")),
            "{refused:?}"
        );
    }
}
