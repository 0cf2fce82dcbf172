//! Certificates and lists that no honest tool makes: signed as they should be, and changed in one place.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair},
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};

/// A value in DER (ITU-T X.690, section 8.1).
pub(crate) fn tagged(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = match value.len() {
        short @ 0..0x80 => vec![u8::try_from(short).unwrap()],
        long @ 0x80..0x100 => vec![0x81, u8::try_from(long).unwrap()],
        long => [&[0x82][..], &u16::try_from(long).unwrap().to_be_bytes()].concat(),
    };
    [&[tag][..], &length, value].concat()
}

/// The first value and what follows it: its tag, what is in it, all of it, the rest.
fn split(der: &[u8]) -> (u8, &[u8], &[u8], &[u8]) {
    let (head, length) = match der[1] {
        0x81 => (3, usize::from(der[2])),
        0x82 => (4, usize::from(u16::from_be_bytes([der[2], der[3]]))),
        short => (2, usize::from(short)),
    };
    let end = head + length;
    (der[0], &der[head..end], &der[..end], &der[end..])
}

/// An extension (RFC 5280, section 4.1): the bytes of its OID, whether it is critical, its value.
pub(crate) fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical {
        tagged(1, &[0xff])
    } else {
        Vec::new()
    };
    tagged(0x30, &[tagged(6, oid), critical, tagged(4, value)].concat())
}

/// A certificate or list with one extension more, signed with this P-256 key, PEM. `at` is the tag of its extensions:
/// 0xa3 of a certificate, 0xa0 of a list.
pub(crate) fn with_extension(der: &[u8], at: u8, extension: &[u8], key: &str) -> Vec<u8> {
    let (_, whole, _, _) = split(der);
    let (_, mut fields, _, rest) = split(whole);
    let (_, _, algorithm, _) = split(rest);
    let mut body = Vec::new();
    while !fields.is_empty() {
        let (tag, value, field, next) = split(fields);
        if tag == at && next.is_empty() {
            let (_, known, _, _) = split(value);
            let all = tagged(0x30, &[known, extension].concat());
            body.extend(tagged(at, &all));
        } else {
            body.extend(field);
        }
        fields = next;
    }
    let body = tagged(0x30, &body);
    let PrivateKeyDer::Pkcs8(key) = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap() else {
        panic!("PKCS #8");
    };
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.secret_pkcs8_der());
    let signature = key.unwrap().sign(&SystemRandom::new(), &body).unwrap();
    let signature = tagged(3, &[&[0][..], signature.as_ref()].concat());
    tagged(0x30, &[&body[..], algorithm, &signature].concat())
}

/// OID 2.5.29.27, of a delta list.
pub(crate) const DELTA: &[u8] = &[0x55, 0x1d, 27];
/// OID 2.5.29.28, of a list for a part of its CA's certificates.
pub(crate) const DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 28];
/// OID 2.5.29.30, of a CA's name constraints.
pub(crate) const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
/// An OID under 1.3.6.1.4.1 that means nothing.
pub(crate) const UNKNOWN: &[u8] = &[0x2b, 6, 1, 4, 1, 0x83, 0xff, 0x7f, 1];
/// That a list is for certificates whose distribution point is `http://x`: `distributionPoint`, `fullName`.
pub(crate) const ONE_POINT: &[u8] = b"\x30\x0e\xa0\x0c\xa0\x0a\x86\x08http://x";
/// That a list is for certificates of people and machines, not of CAs: `onlyContainsUserCerts`.
pub(crate) const ONLY_LEAVES: &[u8] = &[0x30, 3, 0x81, 1, 0xff];
