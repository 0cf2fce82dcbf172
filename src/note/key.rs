//! The key with which a log's signatures are verified.

use super::{
    Checkpoint, InvalidName, NoteError, SIGNATURE_BYTES,
    line::{KeyId, SignatureType, check_name, key_id},
};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{fmt, str::FromStr};

/// A log's name (its origin) and Ed25519 public key.
///
/// As text it is a C2SP vkey, `<name>+<key id in hex>+<base64 of type and key>`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: String,
    public_key: [u8; 32],
    id: KeyId,
}

/// Why a verifier key is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedKey {
    /// It does not have three parts.
    #[error("a verifier key is <name>+<key id>+<key>, such as 520624.yichuan/log/1+0123abcd+AX…")]
    Parts,
    /// The name is invalid.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The key id is not eight hexadecimal digits.
    #[error("a verifier key's id is eight lowercase hexadecimal digits")]
    Id,
    /// The key is not the standard base64 of 33 bytes.
    #[error("a verifier key's last part is the base64 of 33 bytes")]
    Key,
    /// Not an Ed25519 key.
    #[error("verifier keys of type {found:#04x} are not supported, only Ed25519 (0x01)")]
    Type {
        /// The type byte.
        found: u8,
    },
    /// The id belongs to another name or key.
    #[error("the key id does not belong to this name and key: was a part of it changed?")]
    OtherId,
    /// Anybody could make signatures that such a key verifies.
    #[error("this public key is of low order or not in its one encoding: it proves nothing")]
    Weak,
}

impl VerifierKey {
    /// Makes a key from a log's name and public key.
    ///
    /// # Errors
    /// Notes cannot carry the name, or the key has low order or a non-canonical encoding.
    pub fn new(name: &str, public_key: [u8; 32]) -> Result<Self, MalformedKey> {
        check_name(name)?;
        if is_weak(&public_key) {
            return Err(MalformedKey::Weak);
        }
        let id = key_id(name, SignatureType::Ed25519, &public_key);
        Ok(Self {
            name: name.to_owned(),
            public_key,
            id,
        })
    }

    /// The log's name, which is also the origin of its checkpoints.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The 32 bytes of the Ed25519 public key (RFC 8032).
    pub const fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }

    pub(super) const fn id(&self) -> KeyId {
        self.id
    }

    /// Verifies that this log's key made this signature over this checkpoint of its own.
    ///
    /// # Errors
    /// The checkpoint is another log's, or the signature is not this key's.
    pub fn verify_signature(
        &self,
        checkpoint: &Checkpoint,
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), NoteError> {
        if checkpoint.origin != self.name {
            return Err(NoteError::OtherLog {
                expected: self.name.clone(),
            });
        }
        self.verify_bytes(checkpoint.body().as_bytes(), signature)
    }

    pub(super) fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> Result<(), NoteError> {
        UnparsedPublicKey::new(&ED25519, &self.public_key)
            .verify(message, signature)
            .map_err(|_| NoteError::BadSignature {
                name: self.name.clone(),
            })
    }
}

/// The encoded y coordinates of the points of low order, little-endian, that are below the field's prime.
const LOW_ORDER: [&[u8; 32]; 5] = [
    &[0; 32],
    &{
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    &[
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    &[
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    &{
        let mut minus_one = PRIME;
        minus_one[0] -= 1;
        minus_one
    },
];

/// 2^255 - 19, little-endian.
const PRIME: [u8; 32] = {
    let mut prime = [0xff; 32];
    prime[0] = 0xed;
    prime[31] = 0x7f;
    prime
};

/// Whether the key has low order, or a y coordinate with a smaller encoding.
fn is_weak(public_key: &[u8; 32]) -> bool {
    let mut y = *public_key;
    // The top bit is the sign of x.
    y[31] &= 0x7f;
    LOW_ORDER.contains(&&y) || y.iter().rev().ge(PRIME.iter().rev())
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![SignatureType::Ed25519 as u8];
        key.extend_from_slice(&self.public_key);
        write!(
            f,
            "{}+{}+{}",
            self.name,
            hex::encode(self.id),
            STANDARD.encode(key)
        )
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VerifierKey {
    type Err = MalformedKey;

    fn from_str(text: &str) -> Result<Self, MalformedKey> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(MalformedKey::Parts);
        };
        let mut claimed = KeyId::default();
        let lowercase = id
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        if !lowercase || hex::decode_to_slice(id, &mut claimed).is_err() {
            return Err(MalformedKey::Id);
        }
        let key = STANDARD.decode(key).map_err(|_| MalformedKey::Key)?;
        let (&kind, key) = key.split_first().ok_or(MalformedKey::Key)?;
        if kind != SignatureType::Ed25519 as u8 {
            return Err(MalformedKey::Type { found: kind });
        }
        let key = Self::new(name, key.try_into().map_err(|_| MalformedKey::Key)?)?;
        if key.id == claimed {
            Ok(key)
        } else {
            Err(MalformedKey::OtherId)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of golang.org/x/mod/sumdb/note, where the format comes from, and of the Go checksum database.
    const KEYS: [&str; 2] = [
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
    ];

    #[test]
    fn keys_of_other_implementations_are_read_and_written() {
        for text in KEYS {
            let key: VerifierKey = text.parse().unwrap();
            assert_eq!(key.to_string(), text);
            assert_eq!(format!("{key:?}"), text);
            assert_eq!(VerifierKey::new(key.name(), *key.public_key()), Ok(key));
        }
    }

    #[test]
    fn signatures_of_other_implementations_verify() {
        let key: VerifierKey = KEYS[0].parse().unwrap();
        let text = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
        let line = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        let bytes = STANDARD.decode(line).unwrap();
        assert_eq!(bytes[..4], key.id());
        assert_eq!(key.verify_bytes(text.as_bytes(), &bytes[4..]), Ok(()));
        let refused = Err(NoteError::BadSignature {
            name: "PeterNeumann".to_owned(),
        });
        assert_eq!(
            key.verify_bytes(&text.as_bytes()[1..], &bytes[4..]),
            refused
        );
        assert_eq!(key.verify_bytes(text.as_bytes(), &bytes[3..]), refused);
    }

    #[test]
    fn a_changed_key_is_refused_and_told_why() {
        let text = KEYS[0];
        for (from, to, why) in [
            ("Neumann+c74f20a3", "+Neumann+c74f20a3", MalformedKey::Id),
            ("PeterNeumann+c74f20a3+", "", MalformedKey::Parts),
            ("Peter", "Petra", MalformedKey::OtherId),
            ("Peter", "Peter ", MalformedKey::Name(InvalidName)),
            ("PeterNeumann", "", MalformedKey::Name(InvalidName)),
            ("c74f20a3", "c74f20a4", MalformedKey::OtherId),
            ("c74f20a3", "C74F20A3", MalformedKey::Id),
            ("c74f20a3", "c74f20a", MalformedKey::Id),
            ("ARpc", "ARpd", MalformedKey::OtherId),
            ("ARpc", "BBpc", MalformedKey::Type { found: 4 }),
            ("10TW", "", MalformedKey::Key),
            ("10TW", "10TW10TW", MalformedKey::Key),
        ] {
            assert_eq!(
                text.replace(from, to).parse::<VerifierKey>(),
                Err(why),
                "{from} as {to}"
            );
        }
    }

    #[test]
    fn keys_under_which_anybody_can_sign_are_refused() {
        let mut weak = LOW_ORDER.map(|y| *y).to_vec();
        for above_prime in 0..19 {
            let mut y = PRIME;
            y[0] += above_prime;
            weak.push(y);
        }
        for mut key in weak {
            assert_eq!(VerifierKey::new("log", key), Err(MalformedKey::Weak));
            key[31] |= 0x80;
            assert_eq!(VerifierKey::new("log", key), Err(MalformedKey::Weak));
        }
    }
}
