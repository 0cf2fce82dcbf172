//! Fingerprints, which people compare over the telephone.

use aws_lc_rs::digest::{SHA256, digest};
use std::{fmt, str::FromStr};

/// A SHA-256. Shown in sixteen groups of four hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

/// Not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a fingerprint: expected 64 hexadecimal digits; spaces and colons may stand between them"
)]
pub struct MalformedFingerprint;

impl Fingerprint {
    /// The fingerprint of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(digest(&SHA256, bytes).as_ref()) {
            *to = *from;
        }
        Self(out)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lowercase hexadecimal digits, without groups.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if i > 0 && i % 2 == 0 {
                f.write_str(" ")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl FromStr for Fingerprint {
    type Err = MalformedFingerprint;

    fn from_str(text: &str) -> Result<Self, MalformedFingerprint> {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | ':')).collect();
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| MalformedFingerprint)?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_aloud_and_typed_back() {
        // SHA-256 of the empty string, FIPS 180-4.
        let empty = Fingerprint::of(b"");
        assert_eq!(
            empty.to_string(),
            "e3b0 c442 98fc 1c14 9afb f4c8 996f b924 27ae 41e4 649b 934c a495 991b 7852 b855"
        );
        assert_eq!(empty.to_string().parse(), Ok(empty));
        assert_eq!(empty.to_hex().to_uppercase().parse(), Ok(empty));
        assert_eq!(empty.to_string().replace(' ', ":").parse(), Ok(empty));
        assert!(empty.to_hex()[1..].parse::<Fingerprint>().is_err());
    }
}
