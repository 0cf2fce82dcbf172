//! The right edge of a tree: all that is needed to append.

use super::{Hash, empty_root, node_hash};

/// The largest tree that is supported, in leaves: twice as many could not be counted.
pub const MAX_SIZE: u64 = i64::MAX.unsigned_abs();

/// The roots of the perfect subtrees that make up a tree, from the largest (left) to the smallest.
///
/// A tree of `size` leaves has one for every bit set in `size`, so appending and the root cost at most 63 hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// As many as `size` has bits set.
    peaks: Vec<Hash>,
}

/// Bytes that are not a frontier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedFrontier {
    /// Too short for a size.
    #[error("a stored frontier begins with a size of 8 bytes, this has {found} bytes in all")]
    NoSize {
        /// How many bytes there were.
        found: usize,
    },
    /// Larger than [`MAX_SIZE`].
    #[error("a stored frontier claims {size} leaves, more than any tree can have")]
    TooLarge {
        /// The size claimed.
        size: u64,
    },
    /// The number of hashes does not match the size.
    #[error("the frontier of {size} leaves takes {expected} bytes, this has {found}")]
    Length {
        /// The size claimed.
        size: u64,
        /// How many bytes such a frontier has.
        expected: usize,
        /// How many bytes there were.
        found: usize,
    },
}

impl Frontier {
    /// The frontier of the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree, RFC 6962's `MTH`.
    pub fn root(&self) -> Hash {
        fold_peaks(&self.peaks).unwrap_or_else(empty_root)
    }

    /// Appends a leaf, given as its [`leaf_hash`](super::leaf_hash).
    pub fn push(&mut self, leaf: Hash) {
        self.push_with(leaf, |_, _, _| {});
    }

    /// Appends a leaf and reports every perfect subtree that it completes, from the leaf itself (level 0) upward:
    /// `(level, index, root)` is the subtree of `2^level` leaves that starts at leaf `index << level`.
    pub fn push_with(&mut self, leaf: Hash, mut completed: impl FnMut(u8, u64, &Hash)) {
        let (mut level, mut index, mut hash) = (0, self.size, leaf);
        completed(level, index, &hash);
        while index & 1 == 1
            && let Some(left) = self.peaks.pop()
        {
            hash = node_hash(&left, &hash);
            level += 1;
            index >>= 1;
            completed(level, index, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Encodes it for storage: the size (8 bytes, big-endian), then the hashes from left to right.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size_of::<u64>() + self.peaks.len() * Hash::LEN);
        bytes.extend_from_slice(&self.size.to_be_bytes());
        self.peaks
            .iter()
            .for_each(|peak| bytes.extend_from_slice(peak.as_bytes()));
        bytes
    }

    /// Decodes it. Only a comparison of roots can tell whether the hashes are the tree's.
    ///
    /// # Errors
    /// Bytes that [`Frontier::to_bytes`] does not make.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedFrontier> {
        let (size, hashes) = bytes
            .split_first_chunk()
            .ok_or(MalformedFrontier::NoSize { found: bytes.len() })?;
        let size = u64::from_be_bytes(*size);
        if size > MAX_SIZE {
            return Err(MalformedFrontier::TooLarge { size });
        }
        let (hashes, rest) = hashes.as_chunks::<{ Hash::LEN }>();
        let expected = size.count_ones();
        if !rest.is_empty() || u32::try_from(hashes.len()) != Ok(expected) {
            let expected = size_of::<u64>() + Hash::LEN * size.count_ones() as usize;
            return Err(MalformedFrontier::Length {
                size,
                expected,
                found: bytes.len(),
            });
        }
        Ok(Self {
            size,
            peaks: hashes.iter().copied().map(Hash::from).collect(),
        })
    }
}

/// The root over adjacent perfect subtrees, largest first; `None` if there are none.
pub(super) fn fold_peaks(peaks: &[Hash]) -> Option<Hash> {
    let (last, larger) = peaks.split_last()?;
    Some(
        larger
            .iter()
            .rfold(*last, |right, left| node_hash(left, &right)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{leaf_hash, reference};
    use std::collections::BTreeMap;

    /// The leaves and roots of the certificate transparency reference tests.
    const LEAVES: [&str; 8] = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn roots_are_those_of_the_reference_tests() {
        let mut frontier = Frontier::new();
        assert_eq!(frontier.root(), empty_root());
        for (leaf, root) in LEAVES.iter().zip(ROOTS) {
            frontier.push(leaf_hash(&hex::decode(leaf).unwrap()));
            assert_eq!(frontier.root().to_string(), root);
        }
    }

    #[test]
    fn every_perfect_subtree_is_reported_once_with_its_root() {
        let leaves = reference::leaves(300);
        let mut frontier = Frontier::new();
        let mut seen = BTreeMap::new();
        for leaf in &leaves {
            frontier.push_with(*leaf, |level, index, hash| {
                assert!(
                    seen.insert((level, index), *hash).is_none(),
                    "reported twice"
                );
            });
        }
        let mut expected = BTreeMap::new();
        for level in 0..=8 {
            for (index, span) in leaves.chunks_exact(1 << level).enumerate() {
                expected.insert((level, index as u64), reference::root(span));
            }
        }
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_stored_frontier_goes_on_where_it_was() {
        let leaves = reference::leaves(70);
        for cut in 0..leaves.len() {
            let mut before = Frontier::new();
            leaves[..cut].iter().for_each(|leaf| before.push(*leaf));
            let mut after = Frontier::from_bytes(&before.to_bytes()).unwrap();
            assert_eq!(after, before);
            leaves[cut..].iter().for_each(|leaf| after.push(*leaf));
            assert_eq!(after.root(), reference::root(&leaves));
        }
    }

    #[test]
    fn stored_bytes_of_another_shape_are_refused() {
        assert_eq!(
            Frontier::from_bytes(&[0; 7]),
            Err(MalformedFrontier::NoSize { found: 7 })
        );
        let mut five = Frontier::new();
        reference::leaves(5)
            .iter()
            .for_each(|leaf| five.push(*leaf));
        let bytes = five.to_bytes();
        for wrong in [&bytes[..bytes.len() - 1], &[&bytes[..], &[0; 32]].concat()] {
            assert_eq!(
                Frontier::from_bytes(wrong),
                Err(MalformedFrontier::Length {
                    size: 5,
                    expected: 72,
                    found: wrong.len()
                })
            );
        }
        let size = MAX_SIZE + 1;
        let huge = [&size.to_be_bytes()[..], &[0; 32]].concat();
        assert_eq!(
            Frontier::from_bytes(&huge),
            Err(MalformedFrontier::TooLarge { size })
        );
    }
}
