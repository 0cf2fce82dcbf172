//! Reads one certificate, list or key from a file: PEM as other programs write it (RFC 7468: text may precede a block;
//! a byte order mark is skipped), or DER.

use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject,
};

/// Why a file does not hold exactly the expected item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// It is empty.
    #[error("the file is empty; expected {0}")]
    Empty(&'static str),
    /// It is UTF-16, which Windows editors call 'Unicode'.
    #[error("the file is UTF-16 text; save it as UTF-8 or ANSI")]
    Utf16,
    /// It is neither PEM nor DER.
    #[error("expected {0}, PEM or DER, and this is neither")]
    Neither(&'static str),
    /// It holds something else.
    #[error("expected {expected}, and the file holds {found}")]
    Other {
        /// What is expected.
        expected: &'static str,
        /// What was found.
        found: &'static str,
    },
    /// It holds more than one.
    #[error(
        "expected exactly one, {0}, and the file holds more; the CA's certificate has a file of its own"
    )]
    Several(&'static str),
    /// It is truncated or changed.
    #[error("the PEM block is damaged or cut off; expected {0}: copy the file anew")]
    Damaged(&'static str),
    /// It is protected with a passphrase.
    #[error(
        "the private key is encrypted with a passphrase, and nobody types one when a node starts; decrypt it (`openssl pkey \
         -in OLD -out NEW`), and set its mode to 0600"
    )]
    Encrypted,
}

/// An item that a file may hold.
pub(super) trait Item: PemObject {
    /// Its name in messages.
    const NAME: &'static str;
    /// Reads DER; `None` if it is not accepted in that form.
    fn of_der(der: &[u8]) -> Option<Self>;
}

impl Item for CertificateDer<'static> {
    const NAME: &'static str = "a certificate";

    fn of_der(der: &[u8]) -> Option<Self> {
        Some(Self::from(der.to_vec()))
    }
}

impl Item for CertificateRevocationListDer<'static> {
    const NAME: &'static str = "a revocation list";

    fn of_der(der: &[u8]) -> Option<Self> {
        Some(Self::from(der.to_vec()))
    }
}

impl Item for PrivateKeyDer<'static> {
    const NAME: &'static str = "a private key";

    fn of_der(_: &[u8]) -> Option<Self> {
        None
    }
}

/// Reads the one item in a file.
///
/// # Errors
/// All that [`PemError`] names.
pub(super) fn one<T: Item>(bytes: &[u8]) -> Result<T, PemError> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(PemError::Utf16);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Err(PemError::Empty(T::NAME));
    }
    let labels: Vec<_> = labels(bytes).collect();
    let Some(first) = labels.first() else {
        // All three are a SEQUENCE.
        let der = Some(bytes).filter(|bytes| bytes.first() == Some(&0x30));
        return der.and_then(T::of_der).ok_or(PemError::Neither(T::NAME));
    };
    let mut items = T::pem_slice_iter(bytes);
    match (items.next(), items.next()) {
        (Some(Ok(item)), None) => Ok(item),
        (Some(Ok(_)), Some(_)) => Err(PemError::Several(T::NAME)),
        _ if T::NAME == PrivateKeyDer::NAME && is_encrypted(bytes, &labels) => {
            Err(PemError::Encrypted)
        }
        (Some(Err(_)), _) => Err(PemError::Damaged(T::NAME)),
        (None, _) => Err(PemError::Other {
            expected: T::NAME,
            found: named(first),
        }),
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| matches!(byte, b'\n' | b'\r'))
}

/// The labels of the blocks.
fn labels(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines(bytes).filter_map(|line| {
        line.strip_prefix(b"-----BEGIN ")?
            .trim_ascii_end()
            .strip_suffix(b"-----")
    })
}

/// PKCS #8 marks encryption in its label (RFC 7468, section 11), the older form in a header (RFC 1421, section
/// 4.6.1.1).
fn is_encrypted(bytes: &[u8], labels: &[&[u8]]) -> bool {
    labels.contains(&&b"ENCRYPTED PRIVATE KEY"[..])
        || lines(bytes).any(|line| line.starts_with(b"Proc-Type: 4,ENCRYPTED"))
}

fn named(label: &[u8]) -> &'static str {
    match label {
        b"CERTIFICATE" => CertificateDer::NAME,
        b"X509 CRL" => CertificateRevocationListDer::NAME,
        b"CERTIFICATE REQUEST" | b"NEW CERTIFICATE REQUEST" => "a request for a certificate",
        b"PUBLIC KEY" => "a public key",
        label if label.ends_with(b"PRIVATE KEY") => PrivateKeyDer::NAME,
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::dev;

    #[test]
    fn what_other_programs_write_around_a_block_is_passed_over() {
        let dev = dev::CAS[0];
        let sound: CertificateDer<'_> = one(dev.certificate.as_bytes()).unwrap();
        let crlf = dev.certificate.replace('\n', "\r\n");
        for text in [
            format!("\u{feff}{}", dev.certificate),
            format!("subject=CN = 520624.yichuan\nBag Attributes\n\n{crlf}\n\n"),
            format!("思南县\n{}", dev.certificate),
        ] {
            assert_eq!(
                one::<CertificateDer<'_>>(text.as_bytes()),
                Ok(sound.clone())
            );
        }
        assert_eq!(one::<CertificateDer<'_>>(&sound), Ok(sound.clone()));
    }

    #[test]
    fn each_cause_has_its_own_words() {
        let dev = dev::CAS[0];
        let key = dev.key.trim_end();
        let certificate = |bytes: &[u8]| one::<CertificateDer<'_>>(bytes).unwrap_err();
        let utf16: Vec<u8> =
            dev.certificate
                .encode_utf16()
                .fold(vec![0xff, 0xfe], |mut bytes, unit| {
                    bytes.extend(unit.to_le_bytes());
                    bytes
                });
        let a = CertificateDer::NAME;
        let other = |found| PemError::Other { expected: a, found };
        assert_eq!(certificate(&utf16), PemError::Utf16);
        assert_eq!(certificate(b"\n \n"), PemError::Empty(a));
        assert_eq!(certificate(b"hello"), PemError::Neither(a));
        assert_eq!(certificate(dev.crl.as_bytes()), other("a revocation list"));
        assert_eq!(certificate(key.as_bytes()), other("a private key"));
        let two = dev.certificate.repeat(2);
        assert_eq!(certificate(two.as_bytes()), PemError::Several(a));
        let cut = &dev.certificate[..dev.certificate.len() / 2];
        assert_eq!(certificate(cut.as_bytes()), PemError::Damaged(a));

        let key_of = |text: &str| one::<PrivateKeyDer<'_>>(text.as_bytes());
        assert!(key_of(key).is_ok());
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert_eq!(key_of(&encrypted).unwrap_err(), PemError::Encrypted);
        let older = key.replace(
            "-----BEGIN PRIVATE KEY-----\n",
            "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n",
        );
        let older = older.replace("END PRIVATE", "END EC PRIVATE");
        assert_eq!(key_of(&older).unwrap_err(), PemError::Encrypted);
    }
}
