//! Makes inclusion and consistency proofs (RFC 6962 sections 2.1.1 and 2.1.2).

use super::{Hash, empty_root, frontier::fold_peaks};
use std::ops::Range;

/// The longest possible proof, in hashes: of consistency, in a tree of [`MAX_SIZE`](super::MAX_SIZE) leaves.
pub const MAX_PROOF_HASHES: usize = 64;

/// Reads the nodes of a tree.
pub trait NodeReader {
    /// Why a node could not be read.
    type Error;

    /// The root of the perfect subtree of `2^level` leaves that starts at leaf `index << level`.
    ///
    /// # Errors
    /// The node is not stored or could not be read.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// Why a proof could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError<E> {
    /// The leaf is not in a tree of that size.
    #[error("entry {index} is not in a log of {size} entries")]
    NoSuchLeaf {
        /// The leaf asked for.
        index: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// The newer size is smaller than the older one.
    #[error("a log of {new} entries cannot continue one of {old}")]
    Shrinks {
        /// The size claimed to be older.
        old: u64,
        /// The size claimed to be newer.
        new: u64,
    },
    /// A node could not be read.
    #[error("a tree node needed for the proof could not be read")]
    Node(#[source] E),
}

/// The root of the tree of the first `size` leaves.
///
/// # Errors
/// Those of the reader.
pub fn root_at<R: NodeReader>(reader: &R, size: u64) -> Result<Hash, R::Error> {
    range_root(reader, 0..size)
}

/// Proves that leaf `index` is in the tree of the first `size` leaves: RFC 6962's `PATH(index, D[size])`.
///
/// # Errors
/// No such leaf, or those of the reader.
pub fn inclusion_proof<R: NodeReader>(
    reader: &R,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, ProofError<R::Error>> {
    if index >= size {
        return Err(ProofError::NoSuchLeaf { index, size });
    }
    let mut proof = Vec::new();
    let mut tree = 0..size;
    while let Some(middle) = split(&tree) {
        let (left, right) = (tree.start..middle, middle..tree.end);
        let (inner, sibling) = if index < middle {
            (left, right)
        } else {
            (right, left)
        };
        proof.push(range_root(reader, sibling).map_err(ProofError::Node)?);
        tree = inner;
    }
    proof.reverse();
    Ok(proof)
}

/// Proves that the tree of `new` leaves continues that of `old`: RFC 6962's `PROOF(old, D[new])`. Empty when `old` is
/// 0.
///
/// # Errors
/// `old` is larger than `new`, or those of the reader.
pub fn consistency_proof<R: NodeReader>(
    reader: &R,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, ProofError<R::Error>> {
    if old > new {
        return Err(ProofError::Shrinks { old, new });
    }
    let mut proof = Vec::new();
    if old == 0 {
        return Ok(proof);
    }
    let mut tree = 0..new;
    while tree.end != old
        && let Some(middle) = split(&tree)
    {
        let (left, right) = (tree.start..middle, middle..tree.end);
        let (inner, sibling) = if old <= middle {
            (left, right)
        } else {
            (right, left)
        };
        proof.push(range_root(reader, sibling).map_err(ProofError::Node)?);
        tree = inner;
    }
    // A subtree that begins at leaf 0 is the old tree itself, whose root the verifier has.
    if tree.start != 0 {
        proof.push(range_root(reader, tree).map_err(ProofError::Node)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Where RFC 6962 divides a tree: after the largest power of two below its size. `None` for a leaf or nothing.
fn split(tree: &Range<u64>) -> Option<u64> {
    let size = tree.end - tree.start;
    (size > 1).then(|| tree.start + (1 << (size - 1).ilog2()))
}

/// The root over leaves that form a subtree of some RFC 6962 tree: perfect subtrees, from the largest down.
fn range_root<R: NodeReader>(reader: &R, leaves: Range<u64>) -> Result<Hash, R::Error> {
    let mut peaks = Vec::new();
    let mut start = leaves.start;
    while let Some(level) = (leaves.end - start).checked_ilog2() {
        // A u64 has 64 bits, so a level always fits.
        peaks.push(reader.node(u8::try_from(level).unwrap_or(u8::MAX), start >> level)?);
        start += 1 << level;
    }
    Ok(fold_peaks(&peaks).unwrap_or_else(empty_root))
}

/// Bytes that are not a proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedProof {
    /// Not a whole number of hashes.
    #[error("a proof is a sequence of 32-byte hashes, this has {found} bytes")]
    Length {
        /// How many bytes there were.
        found: usize,
    },
    /// More than [`MAX_PROOF_HASHES`].
    #[error("a proof has at most {MAX_PROOF_HASHES} hashes, this has {found}")]
    TooLong {
        /// How many hashes there were.
        found: usize,
    },
}

/// Concatenates the hashes.
pub fn proof_to_bytes(proof: &[Hash]) -> Vec<u8> {
    proof.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// Splits concatenated hashes.
///
/// # Errors
/// Not a whole number of hashes, or more than [`MAX_PROOF_HASHES`].
pub fn proof_from_bytes(bytes: &[u8]) -> Result<Vec<Hash>, MalformedProof> {
    let (hashes, rest) = bytes.as_chunks::<{ Hash::LEN }>();
    if !rest.is_empty() {
        return Err(MalformedProof::Length { found: bytes.len() });
    }
    if hashes.len() > MAX_PROOF_HASHES {
        return Err(MalformedProof::TooLong {
            found: hashes.len(),
        });
    }
    Ok(hashes.iter().copied().map(Hash::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{
        MAX_SIZE,
        reference::{self, Leaves},
    };
    use proptest::prelude::*;

    #[test]
    fn proofs_are_those_of_the_rfc_for_every_small_tree() {
        let tree = Leaves(reference::leaves(40));
        for size in 0..=40 {
            let leaves = &tree.0[..size];
            assert_eq!(
                root_at(&tree, size as u64).unwrap(),
                reference::root(leaves)
            );
            for index in 0..size {
                assert_eq!(
                    inclusion_proof(&tree, index as u64, size as u64).unwrap(),
                    reference::path(index, leaves)
                );
            }
            for old in 0..=size {
                assert_eq!(
                    consistency_proof(&tree, old as u64, size as u64).unwrap(),
                    reference::consistency(old, leaves)
                );
            }
        }
    }

    proptest! {
        #[test]
        fn proofs_are_those_of_the_rfc(size in 1..1500_usize, at in any::<prop::sample::Index>()) {
            let tree = Leaves(reference::leaves(size));
            let (index, old) = (at.index(size), at.index(size + 1));
            prop_assert_eq!(
                inclusion_proof(&tree, index as u64, size as u64).unwrap(),
                reference::path(index, &tree.0)
            );
            prop_assert_eq!(
                consistency_proof(&tree, old as u64, size as u64).unwrap(),
                reference::consistency(old, &tree.0)
            );
        }
    }

    #[test]
    fn there_is_no_proof_of_what_is_not_there() {
        let tree = Leaves(reference::leaves(3));
        assert_eq!(
            inclusion_proof(&tree, 3, 3),
            Err(ProofError::NoSuchLeaf { index: 3, size: 3 })
        );
        assert_eq!(
            inclusion_proof(&tree, 0, 0),
            Err(ProofError::NoSuchLeaf { index: 0, size: 0 })
        );
        assert_eq!(
            consistency_proof(&tree, 3, 2),
            Err(ProofError::Shrinks { old: 3, new: 2 })
        );
    }

    #[test]
    fn the_largest_trees_have_proofs() {
        /// Every node is there and has the same hash.
        struct Endless;
        impl NodeReader for Endless {
            type Error = std::convert::Infallible;
            fn node(&self, _: u8, _: u64) -> Result<Hash, Self::Error> {
                Ok(Hash::from([1; 32]))
            }
        }
        let size = MAX_SIZE;
        assert_eq!(inclusion_proof(&Endless, 0, size).unwrap().len(), 63);
        assert_eq!(inclusion_proof(&Endless, size - 1, size).unwrap().len(), 62);
        assert_eq!(
            consistency_proof(&Endless, size - 2, size).unwrap().len(),
            MAX_PROOF_HASHES
        );
    }

    #[test]
    fn proofs_survive_the_wire_and_other_bytes_are_refused() {
        let proof = reference::leaves(64);
        assert_eq!(proof_from_bytes(&proof_to_bytes(&proof)), Ok(proof.clone()));
        assert_eq!(proof_from_bytes(&[]), Ok(Vec::new()));
        assert_eq!(
            proof_from_bytes(&[0; 33]),
            Err(MalformedProof::Length { found: 33 })
        );
        let long = proof_to_bytes(&reference::leaves(65));
        assert_eq!(
            proof_from_bytes(&long),
            Err(MalformedProof::TooLong { found: 65 })
        );
    }
}
