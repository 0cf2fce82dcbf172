//! How rows of the views are written, and why one cannot be read.

use crate::{exchange::RowError, log::TxnError};
use serde::{Serialize, de::DeserializeOwned};

/// Domain values as their text.
pub(super) mod text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use std::{fmt::Display, str::FromStr};

    pub(in crate::casework) fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(in crate::casework) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom("malformed"))
    }
}

/// Optional domain values as their text.
pub(super) mod maybe {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use std::{fmt::Display, str::FromStr};

    pub(in crate::casework) fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::casework) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(|_| D::Error::custom("malformed")))
            .transpose()
    }
}

/// A row of the view cannot be read. Views can be rebuilt from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a row of the views is damaged; rebuild the views from the log")]
pub struct RowDamaged;

/// Reading or writing rows of the view failed.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The store failed.
    #[error(transparent)]
    Row(#[from] RowError),
    /// A row is damaged.
    #[error(transparent)]
    Damaged(#[from] RowDamaged),
}

impl From<TxnError> for RowsError {
    fn from(error: TxnError) -> Self {
        Self::Row(error.into())
    }
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RowDamaged> {
    serde_json::from_slice(bytes).map_err(|_| RowDamaged)
}

pub(super) fn encode<T: Serialize>(row: &T) -> Result<Vec<u8>, RowDamaged> {
    serde_json::to_vec(row).map_err(|_| RowDamaged)
}

/// A hash as rows have it: hexadecimal.
pub(super) fn hash(text: &str) -> Result<[u8; 32], RowDamaged> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| RowDamaged)?;
    Ok(bytes)
}
