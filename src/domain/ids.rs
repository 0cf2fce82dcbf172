//! Identifiers that nodes make: UUIDv7, so that they sort by time and say nothing else.

use std::{fmt, str::FromStr};
use uuid::Uuid;

/// Not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedId {
    /// Not a UUID.
    #[error("not an id: expected a UUID such as 0198c6de-7f3a-7cc0-b0f3-0123456789ab")]
    NoUuid,
    /// A UUID that is spelled in another way.
    #[error(
        "an id is spelled in small letters and with hyphens, such as 0198c6de-7f3a-7cc0-b0f3-0123456789ab"
    )]
    Spelling,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new one at this time.
            pub fn new(now: super::Timestamp) -> Self {
                let millis = u32::try_from(now.millis() % 1000).unwrap_or(0);
                let at = uuid::Timestamp::from_unix(
                    uuid::NoContext,
                    now.seconds(),
                    millis * 1_000_000,
                );
                Self(Uuid::new_v7(at))
            }

            /// The 16 bytes.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// From 16 bytes.
            ///
            /// # Errors
            /// Any other length.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, MalformedId> {
                Uuid::from_slice(bytes).map(Self).map_err(|_| MalformedId::NoUuid)
            }
        }

        impl From<[u8; 16]> for $name {
            fn from(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl FromStr for $name {
            type Err = MalformedId;

            fn from_str(text: &str) -> Result<Self, MalformedId> {
                // The hyphenated form in small letters only: one id, one spelling.
                let id = Uuid::try_parse(text).map_err(|_| MalformedId::NoUuid)?;
                let mut spelled = Uuid::encode_buffer();
                if *id.as_hyphenated().encode_lower(&mut spelled) != *text {
                    return Err(MalformedId::Spelling);
                }
                Ok(Self(id))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A lead, a notice or a referral.
    RecordId
);
id!(
    /// A message between two nodes.
    DispatchId
);
id!(
    /// A log entry.
    EntryId
);

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by fuzzing: capitals were taken too.
    #[test]
    fn one_id_has_one_spelling() {
        let text = "0198c6de-7f3a-7cc0-b0f3-0123456789ab";
        let id: RecordId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        let capitals = text.to_uppercase();
        let simple = text.replace('-', "");
        for other in [
            capitals,
            simple,
            format!("{{{text}}}"),
            format!("urn:uuid:{text}"),
        ] {
            let parsed = other.parse::<RecordId>();
            assert_eq!(parsed, Err(MalformedId::Spelling), "{other}");
        }
        assert_eq!("0198".parse::<RecordId>(), Err(MalformedId::NoUuid));
    }
}
