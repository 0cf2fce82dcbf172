//! Seals one payload under one key.

use super::{NoRandomness, random};
use crate::domain::DispatchId;
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    digest, hmac,
};
use std::fmt;
use zeroize::Zeroize;

/// Nonce, content and tag: at most 256 KiB.
pub const CIPHERTEXT_LIMIT: usize = 256 * 1024;

const NONCE: usize = 12;
const TAG: usize = 16;

/// The length of the shortest ciphertext in bytes: nonce and tag alone.
pub const CIPHERTEXT_LEAST: usize = NONCE + TAG;

const CONTEXT: &[u8] = b"yichuan payload v1\0";

/// AES-256 key of one payload. Wiped when dropped, never printed.
pub struct PayloadKey([u8; 32]);

impl PayloadKey {
    /// Converts 32 bytes, as a delivery brings them.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes, for a partner over mutual TLS or for wrapping.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Drop for PayloadKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for PayloadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PayloadKey(…)")
    }
}

/// HMAC-SHA256 of a payload's content, under a key that is inside the payload. It binds the log entry to the content
/// without letting anybody guess the content from the log.
pub type Commitment = [u8; 32];

/// The commitment to `content`.
pub fn commitment(key: &[u8; 32], content: &[u8]) -> Commitment {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), content);
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    out
}

/// An encrypted payload, with what the log entry says about it.
#[derive(Debug)]
pub struct SealedPayload {
    /// Nonce (12 bytes), ciphertext, tag (16 bytes).
    pub ciphertext: Vec<u8>,
    /// SHA-256 of `ciphertext`.
    pub sha256: [u8; 32],
    /// Its key.
    pub key: PayloadKey,
}

/// A payload could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is over the limit.
    #[error("a payload is at most {CIPHERTEXT_LIMIT} bytes with its nonce and tag")]
    TooLong,
    /// No key can be generated.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// A payload could not be opened: wrong key, wrong dispatch, or changed bytes. It is impossible to tell which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload does not open with this key for this dispatch")]
pub struct OpenError;

fn cipher(key: &PayloadKey) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, &key.0)
        .ok()
        .map(LessSafeKey::new)
}

fn associated(dispatch: DispatchId) -> Aad<Vec<u8>> {
    let mut data = CONTEXT.to_vec();
    data.extend_from_slice(dispatch.as_bytes());
    Aad::from(data)
}

/// Encrypts `plaintext` for a dispatch under a fresh key.
///
/// # Errors
/// It is too long, or the random source failed.
pub fn seal(plaintext: &[u8], dispatch: DispatchId) -> Result<SealedPayload, SealError> {
    if plaintext.len() > CIPHERTEXT_LIMIT - NONCE - TAG {
        return Err(SealError::TooLong);
    }
    let key = PayloadKey(random()?);
    let nonce: [u8; NONCE] = random()?;
    let mut ciphertext = Vec::with_capacity(NONCE + plaintext.len() + TAG);
    ciphertext.extend_from_slice(&nonce);
    ciphertext.extend_from_slice(plaintext);
    let tag = cipher(&key)
        .and_then(|cipher| {
            let (_, content) = ciphertext.split_at_mut(NONCE);
            let nonce = Nonce::assume_unique_for_key(nonce);
            cipher
                .seal_in_place_separate_tag(nonce, associated(dispatch), content)
                .ok()
        })
        .ok_or(SealError::TooLong)?;
    ciphertext.extend_from_slice(tag.as_ref());
    let sha256 = sha256(&ciphertext);
    Ok(SealedPayload {
        ciphertext,
        sha256,
        key,
    })
}

/// Decrypts what [`seal`] made.
///
/// # Errors
/// Wrong key, wrong dispatch, or changed bytes.
pub fn open(
    ciphertext: &[u8],
    key: &PayloadKey,
    dispatch: DispatchId,
) -> Result<Vec<u8>, OpenError> {
    let (nonce, content) = ciphertext.split_at_checked(NONCE).ok_or(OpenError)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError)?;
    let mut content = content.to_vec();
    let length = cipher(key)
        .and_then(|cipher| {
            cipher
                .open_in_place(nonce, associated(dispatch), &mut content)
                .ok()
                .map(|p| p.len())
        })
        .ok_or(OpenError)?;
    content.truncate(length);
    Ok(content)
}

/// SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (to, from) in out
        .iter_mut()
        .zip(digest::digest(&digest::SHA256, bytes).as_ref())
    {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    #[test]
    fn opens_only_with_its_key_for_its_dispatch_and_unchanged() {
        let dispatch = DispatchId::new(Timestamp::from_millis(1));
        let sealed = seal(b"content", dispatch).unwrap();
        assert_eq!(
            open(&sealed.ciphertext, &sealed.key, dispatch).as_deref(),
            Ok(&b"content"[..])
        );

        let other_key = PayloadKey([7; 32]);
        assert_eq!(
            open(&sealed.ciphertext, &other_key, dispatch),
            Err(OpenError)
        );
        let other_dispatch = DispatchId::new(Timestamp::from_millis(2));
        assert_eq!(
            open(&sealed.ciphertext, &sealed.key, other_dispatch),
            Err(OpenError)
        );
        for bit in 0..sealed.ciphertext.len() * 8 {
            let mut flipped = sealed.ciphertext.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                open(&flipped, &sealed.key, dispatch),
                Err(OpenError),
                "bit {bit}"
            );
        }
        for length in 0..sealed.ciphertext.len() {
            assert!(open(&sealed.ciphertext[..length], &sealed.key, dispatch).is_err());
        }
    }

    #[test]
    fn the_same_content_never_looks_the_same() {
        let dispatch = DispatchId::new(Timestamp::from_millis(1));
        let (a, b) = (seal(b"x", dispatch).unwrap(), seal(b"x", dispatch).unwrap());
        assert_ne!(a.ciphertext, b.ciphertext);
        assert_ne!(a.key.expose(), b.key.expose());
    }

    #[test]
    fn payloads_are_bounded() {
        let dispatch = DispatchId::new(Timestamp::from_millis(1));
        let most = vec![0; CIPHERTEXT_LIMIT - NONCE - TAG];
        assert_eq!(
            seal(&most, dispatch).unwrap().ciphertext.len(),
            CIPHERTEXT_LIMIT
        );
        let over = vec![0; CIPHERTEXT_LIMIT - NONCE - TAG + 1];
        assert_eq!(seal(&over, dispatch).unwrap_err(), SealError::TooLong);
    }
}
