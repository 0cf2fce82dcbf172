//! The key with which a log signs.

use super::{
    Checkpoint, Cosignature, InvalidName, MalformedKey, SIGNATURE_BYTES, SignedCheckpoint,
    VerifierKey, cosignature, line::SignatureLine,
};
use crate::merkle::Hash;
use aws_lc_rs::{
    rand,
    signature::{Ed25519KeyPair, KeyPair},
};
use std::fmt;
use zeroize::Zeroizing;

/// A log's name (its origin) and Ed25519 signing key.
pub struct LogSigner {
    /// The only copy of the private key that stays in memory. It is behind a pointer of aws-lc, which overwrites it
    /// when it is freed; a field of our own would leave a copy behind whenever this is moved.
    key: Ed25519KeyPair,
    verifier: VerifierKey,
}

/// Why there is no signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// The log's name is invalid.
    #[error("the log's origin cannot name a key")]
    Name(#[from] InvalidName),
    /// The system gave no random bytes.
    #[error("the system's random number generator failed: no signing key was made")]
    Random,
    /// The seed does not make a usable key. No such seed is known.
    #[error("the stored seed makes no usable signing key: is the key file damaged?")]
    Seed,
}

impl LogSigner {
    /// Generates a key for the log of this origin.
    ///
    /// # Errors
    /// The origin cannot name a key, or the system has no random bytes.
    pub fn generate(origin: &str) -> Result<Self, SignerError> {
        let seed = Self::new_seed()?;
        Self::from_seed(origin, &seed)
    }

    /// Generates a private key, to be stored.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub fn new_seed() -> Result<Zeroizing<[u8; 32]>, SignerError> {
        let mut seed = Zeroizing::new([0; 32]);
        rand::fill(seed.as_mut_slice()).map_err(|_| SignerError::Random)?;
        Ok(seed)
    }

    /// Loads a stored key (RFC 8032: the 32 bytes of the private key).
    ///
    /// # Errors
    /// The origin cannot name a key.
    pub fn from_seed(origin: &str, seed: &[u8; 32]) -> Result<Self, SignerError> {
        let key = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| SignerError::Seed)?;
        let public_key = key
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| SignerError::Seed)?;
        let verifier = VerifierKey::new(origin, public_key).map_err(|error| match error {
            MalformedKey::Name(name) => SignerError::Name(name),
            MalformedKey::Parts
            | MalformedKey::Id
            | MalformedKey::Key
            | MalformedKey::Type { .. }
            | MalformedKey::OtherId
            | MalformedKey::Weak => SignerError::Seed,
        })?;
        Ok(Self { key, verifier })
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        self.verifier.name()
    }

    /// The key with which others verify this log's signatures.
    pub fn verifier_key(&self) -> VerifierKey {
        self.verifier.clone()
    }

    /// Signs the head of this log. The caller is responsible for never signing a contradicting one.
    pub fn sign(&self, size: u64, root: Hash) -> SignedCheckpoint {
        let checkpoint = Checkpoint {
            origin: self.origin().to_owned(),
            size,
            root,
        };
        let body = checkpoint.body();
        let signature = self.sign_bytes(body.as_bytes());
        let note = format!("{body}\n{}", self.line_of(&signature));
        SignedCheckpoint::assemble(checkpoint, signature, note)
    }

    /// Cosigns another log's checkpoint: at this time, in seconds since 1970, it was the largest that this node had
    /// seen of that log, and consistent with all before.
    pub fn cosign(&self, checkpoint: &Checkpoint, at_seconds: u64) -> Cosignature {
        let message = cosignature::message(checkpoint, at_seconds);
        Cosignature {
            at_seconds,
            signature: self.sign_bytes(message.as_bytes()),
        }
    }

    fn sign_bytes(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut signature = [0; SIGNATURE_BYTES];
        signature.copy_from_slice(self.key.sign(message).as_ref());
        signature
    }

    fn line_of(&self, signature: &[u8; SIGNATURE_BYTES]) -> String {
        let (name, key_id) = (self.origin(), self.verifier.id());
        SignatureLine {
            name,
            key_id,
            signature: signature.to_vec(),
        }
        .encode()
    }

    #[cfg(test)]
    pub(super) fn signature_line(&self, message: &[u8]) -> String {
        self.line_of(&self.sign_bytes(message))
    }
}

impl fmt::Debug for LogSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogSigner")
            .field("verifier", &self.verifier)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_seed_is_the_same_key() {
        // RFC 8032 section 7.1, test 1.
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let public_key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let seed: [u8; 32] = hex::decode(seed).unwrap().try_into().unwrap();
        let signer = LogSigner::from_seed("log", &seed).unwrap();
        assert_eq!(hex::encode(signer.verifier_key().public_key()), public_key);
    }

    #[test]
    fn two_new_keys_are_two_keys() {
        let one = LogSigner::generate("log").unwrap();
        let other = LogSigner::generate("log").unwrap();
        assert_ne!(one.verifier_key(), other.verifier_key());
    }

    #[test]
    fn the_private_key_is_not_shown() {
        let shown = format!("{:?}", LogSigner::from_seed("log", &[0xab; 32]).unwrap());
        assert!(shown.contains("log+") && !shown.contains("171") && !shown.contains("abab"));
    }

    #[test]
    fn an_origin_that_a_note_cannot_carry_is_refused() {
        for origin in ["", "a b", "a+b", "a\nb", "a\tb", "a\u{a0}b"] {
            assert_eq!(
                LogSigner::generate(origin).unwrap_err(),
                SignerError::Name(InvalidName),
                "{origin:?}"
            );
        }
    }
}
