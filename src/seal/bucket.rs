//! The keys of one purge month.

use super::{NoRandomness, OpenError, PayloadKey, random};
use crate::domain::{DispatchId, Timestamp};
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hmac,
};
use std::fmt;
use zeroize::Zeroize;

/// Nonce (12), key (32), tag (16).
pub const WRAPPED_KEY_BYTES: usize = 60;

/// A payload's key, encrypted under its bucket's.
pub type WrappedKey = [u8; WRAPPED_KEY_BYTES];

const NONCE: usize = 12;
const CONTEXT: &[u8] = b"yichuan payload key v1\0";

/// A month in which records are purged, as `year * 100 + month` in Asia/Shanghai: 203105.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PurgeMonth(u32);

impl PurgeMonth {
    /// Parses `year * 100 + month`.
    pub fn new(number: u32) -> Option<Self> {
        let (year, month) = (number / 100, number % 100);
        ((2000..=2199).contains(&year) && (1..=12).contains(&month)).then_some(Self(number))
    }

    /// The month this many years after `from`: records are kept for five at most.
    pub fn years_after(from: Timestamp, years: u8) -> Self {
        let date = from.shanghai_date();
        let year = u32::try_from(date.year()).unwrap_or(2000) + u32::from(years);
        Self(year * 100 + u32::try_from(date.month()).unwrap_or(1))
    }

    /// `year * 100 + month`.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for PurgeMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0 / 100, self.0 % 100)
    }
}

/// The keys of a bucket: one wraps payload keys, the other keys the indexes of numbers and names. Without them the
/// month's payloads do not open and its index rows mean nothing.
#[derive(Clone)]
pub struct BucketKeys {
    pub(super) wrap: [u8; 32],
    pub(super) index: [u8; 32],
}

impl BucketKeys {
    /// Generates new keys.
    ///
    /// # Errors
    /// The random source failed.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self {
            wrap: random()?,
            index: random()?,
        })
    }

    /// Wraps the key of a dispatch's payload.
    ///
    /// # Errors
    /// The random source failed.
    pub fn wrap(&self, key: &PayloadKey, dispatch: DispatchId) -> Result<WrappedKey, NoRandomness> {
        let nonce: [u8; NONCE] = random()?;
        let mut content = *key.expose();
        let tag = self
            .cipher()
            .and_then(|cipher| {
                let nonce = Nonce::assume_unique_for_key(nonce);
                cipher
                    .seal_in_place_separate_tag(nonce, associated(dispatch), &mut content)
                    .ok()
            })
            .ok_or(NoRandomness)?;
        let mut wrapped = [0; WRAPPED_KEY_BYTES];
        let parts = nonce.iter().chain(&content).chain(tag.as_ref());
        for (to, from) in wrapped.iter_mut().zip(parts) {
            *to = *from;
        }
        content.zeroize();
        Ok(wrapped)
    }

    /// Unwraps a payload key.
    ///
    /// # Errors
    /// It belongs to another bucket or dispatch, or was changed.
    pub fn unwrap(&self, wrapped: &[u8], dispatch: DispatchId) -> Result<PayloadKey, OpenError> {
        let (nonce, content) = wrapped.split_at_checked(NONCE).ok_or(OpenError)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError)?;
        let mut content = content.to_vec();
        let key = self.cipher().and_then(|cipher| {
            let plain = cipher
                .open_in_place(nonce, associated(dispatch), &mut content)
                .ok()?;
            PayloadKey::from_slice(plain)
        });
        content.zeroize();
        key.ok_or(OpenError)
    }

    /// The tag of a value of some kind (`number`, `name`, `place`, `substance`) in the bucket's index.
    pub fn tag(&self, kind: &str, value: &str) -> [u8; 16] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.index);
        let mut input = kind.as_bytes().to_vec();
        input.push(0);
        input.extend_from_slice(value.as_bytes());
        let mut tag = [0; 16];
        for (to, from) in tag.iter_mut().zip(hmac::sign(&key, &input).as_ref()) {
            *to = *from;
        }
        input.zeroize();
        tag
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, &self.wrap)
            .ok()
            .map(LessSafeKey::new)
    }
}

fn associated(dispatch: DispatchId) -> Aad<Vec<u8>> {
    let mut data = CONTEXT.to_vec();
    data.extend_from_slice(dispatch.as_bytes());
    Aad::from(data)
}

impl Drop for BucketKeys {
    fn drop(&mut self) {
        self.wrap.zeroize();
        self.index.zeroize();
    }
}

impl fmt::Debug for BucketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BucketKeys(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_key_opens_in_its_bucket_for_its_dispatch_only() {
        let dispatch = DispatchId::new(Timestamp::from_millis(1));
        let (ours, theirs) = (
            BucketKeys::generate().unwrap(),
            BucketKeys::generate().unwrap(),
        );
        let key = PayloadKey::from_slice(&[9; 32]).unwrap();
        let wrapped = ours.wrap(&key, dispatch).unwrap();
        assert_eq!(
            ours.unwrap(&wrapped, dispatch).unwrap().expose(),
            key.expose()
        );
        assert!(theirs.unwrap(&wrapped, dispatch).is_err());
        let other = DispatchId::new(Timestamp::from_millis(2));
        assert!(ours.unwrap(&wrapped, other).is_err());
        for bit in 0..wrapped.len() * 8 {
            let mut flipped = wrapped;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(ours.unwrap(&flipped, dispatch).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn the_same_number_has_another_tag_in_another_bucket() {
        let (a, b) = (
            BucketKeys::generate().unwrap(),
            BucketKeys::generate().unwrap(),
        );
        assert_eq!(a.tag("number", "x"), a.tag("number", "x"));
        assert_ne!(a.tag("number", "x"), b.tag("number", "x"));
        assert_ne!(a.tag("number", "x"), a.tag("number", "y"));
    }

    #[test]
    fn purge_months_are_counted_in_shanghai() {
        // 2026-11-30T16:00:00Z is the first of December there.
        let at = Timestamp::from_millis(1_796_054_400_000);
        assert_eq!(PurgeMonth::years_after(at, 5).number(), 203_112);
        assert_eq!(PurgeMonth::new(203_113), None);
        assert_eq!(
            PurgeMonth::new(203_112).map(|m| m.to_string()).as_deref(),
            Some("2031-12")
        );
    }
}
