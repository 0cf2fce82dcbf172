//! The head row: everything the sequencer needs to continue, in one value.

use crate::{domain::Timestamp, merkle::Frontier, store::keys};

/// The head row as stored: `version u8, size u64, time u64, frontier length u16, frontier, signed checkpoint`. The
/// store itself reads the size, to refuse a second writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Entries in the log.
    pub size: u64,
    /// The time of the newest entry.
    pub last_time: Timestamp,
    /// The right edge of the tree.
    pub frontier: Frontier,
    /// The signed note over this size.
    pub note: Vec<u8>,
}

impl Head {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let frontier = self.frontier.to_bytes();
        let mut bytes = vec![keys::HEAD_VERSION];
        bytes.extend_from_slice(&self.size.to_be_bytes());
        bytes.extend_from_slice(&self.last_time.millis().to_be_bytes());
        // At most 63 hashes and a size: always below 64 KiB.
        let length = u16::try_from(frontier.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&frontier);
        bytes.extend_from_slice(&self.note);
        bytes
    }

    /// `None` when the bytes are not a head row.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&version, rest) = bytes.split_first()?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let (time, rest) = rest.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (frontier, note) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        (version == keys::HEAD_VERSION).then_some(())?;
        Some(Self {
            size: u64::from_be_bytes(*size),
            last_time: Timestamp::from_millis(u64::from_be_bytes(*time)),
            frontier: Frontier::from_bytes(frontier).ok()?,
            note: note.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::leaf_hash;

    #[test]
    fn a_head_row_comes_back_and_a_cut_one_does_not() {
        let mut frontier = Frontier::new();
        (0..7_u8).for_each(|i| frontier.push(leaf_hash(&[i])));
        let head = Head {
            size: 7,
            last_time: Timestamp::from_millis(9),
            frontier,
            note: b"note".to_vec(),
        };
        let bytes = head.to_bytes();
        assert_eq!(Head::from_bytes(&bytes), Some(head));
        assert_eq!(keys::head_size(&bytes), Some(7));
        for cut in 0..bytes.len() - 4 {
            assert_eq!(Head::from_bytes(&bytes[..cut]), None, "{cut}");
        }
        let other_version = [&[2], &bytes[1..]].concat();
        assert_eq!(Head::from_bytes(&other_version), None);
    }
}
