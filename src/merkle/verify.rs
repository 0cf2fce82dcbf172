//! Verifies inclusion and consistency proofs (RFC 9162 sections 2.1.3.2 and 2.1.4.2; the trees are RFC 6962's).

use super::{Hash, empty_root, node_hash};

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofInvalid {
    /// The leaf cannot be in a tree of that size.
    #[error("entry {index} is not in a log of {size} entries")]
    NoSuchLeaf {
        /// The leaf claimed.
        index: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// The newer tree is the smaller one.
    #[error("a log of {new} entries cannot continue one of {old}")]
    Shrinks {
        /// Leaves in the older tree.
        old: u64,
        /// Leaves in the newer tree.
        new: u64,
    },
    /// The proof does not have the number of hashes that these sizes need.
    #[error("the proof has {found} hashes, which is not the number for these sizes")]
    Length {
        /// Hashes in the proof.
        found: usize,
    },
    /// The proof does not lead to the (newer) root.
    #[error(
        "the proof does not lead to the log's root: the log was changed, or the proof is of something else"
    )]
    Root,
    /// The proof does not lead to the older root.
    #[error("the proof does not lead to the older root: the log was changed since then")]
    OldRoot,
}

/// Verifies that the leaf with this hash is entry `index` of the tree of `size` leaves with this root.
///
/// The size is only as trustworthy as whoever vouches for it together with the root: a proof alone does not fix it.
///
/// # Errors
/// What is wrong with the proof.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofInvalid> {
    if index >= size {
        return Err(ProofInvalid::NoSuchLeaf { index, size });
    }
    let wrong_length = ProofInvalid::Length { found: proof.len() };
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(wrong_length);
        }
        if climbs_from_right(&mut node, &mut last) {
            hash = node_hash(sibling, &hash);
        } else {
            hash = node_hash(&hash, sibling);
        }
    }
    if last != 0 {
        return Err(wrong_length);
    }
    if hash == *root {
        Ok(())
    } else {
        Err(ProofInvalid::Root)
    }
}

/// Verifies that the tree of `new_size` leaves begins with all of the tree of `old_size` leaves.
///
/// With `old_size` 0 the proof must be empty and the old root the [`empty_root`]: every tree continues the empty one.
///
/// # Errors
/// What is wrong with the proof.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofInvalid> {
    if old_size > new_size {
        return Err(ProofInvalid::Shrinks {
            old: old_size,
            new: new_size,
        });
    }
    let wrong_length = ProofInvalid::Length { found: proof.len() };
    if old_size == 0 || old_size == new_size {
        if !proof.is_empty() {
            return Err(wrong_length);
        }
        if old_size == 0 && *old_root != empty_root() {
            return Err(ProofInvalid::OldRoot);
        }
        // Both trees are the same one, or the old one is empty and there is nothing to compare.
        return if old_size == new_size && old_root != new_root {
            Err(ProofInvalid::Root)
        } else {
            Ok(())
        };
    }
    // The walk starts at the last perfect subtree of the old tree. Its root is the first in the proof, unless it is the
    // whole old tree.
    let shift = old_size.trailing_zeros();
    let (start, rest) = if old_size.is_power_of_two() {
        (*old_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(wrong_length)?;
        (*first, rest)
    };
    let (mut node, mut last) = ((old_size - 1) >> shift, (new_size - 1) >> shift);
    let (mut old, mut new) = (start, start);
    for sibling in rest {
        if last == 0 {
            return Err(wrong_length);
        }
        if climbs_from_right(&mut node, &mut last) {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
        } else {
            new = node_hash(&new, sibling);
        }
    }
    if last != 0 {
        return Err(wrong_length);
    }
    if old != *old_root {
        return Err(ProofInvalid::OldRoot);
    }
    if new == *new_root {
        Ok(())
    } else {
        Err(ProofInvalid::Root)
    }
}

/// Moves a node and the last node of its level up to their parents, and returns whether the node was a right child. At
/// the ragged right edge, levels on which the node has no sibling are skipped. Never called for the root.
fn climbs_from_right(node: &mut u64, last: &mut u64) -> bool {
    let from_right = *node & 1 == 1 || node == last;
    if from_right {
        // Below 64: node 0 would be the last of its level too, and so the root.
        let alone = node.trailing_zeros();
        *node >>= alone;
        *last >>= alone;
    }
    *node >>= 1;
    *last >>= 1;
    from_right
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::reference;
    use proptest::prelude::*;

    const SIZES: usize = 33;

    fn flipped(hash: &Hash, bit: usize) -> Hash {
        let mut bytes = *hash.as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        Hash::from(bytes)
    }

    #[test]
    fn true_inclusion_proofs_hold_and_any_other_index_or_length_does_not() {
        let all = reference::leaves(SIZES);
        for size in 1..=SIZES {
            let leaves = &all[..size];
            let root = reference::root(leaves);
            for (index, leaf) in leaves.iter().enumerate() {
                let proof = reference::path(index, leaves);
                let verify = |index: usize, proof: &[Hash]| {
                    verify_inclusion(leaf, index as u64, size as u64, proof, &root)
                };
                assert_eq!(verify(index, &proof), Ok(()));
                for other in (0..=size).filter(|other| *other != index) {
                    assert!(
                        verify(other, &proof).is_err(),
                        "{index} passed for {other} of {size}"
                    );
                }
                let found = proof.len();
                let longer = [&proof[..], &[root]].concat();
                assert_eq!(
                    verify(index, &longer),
                    Err(ProofInvalid::Length { found: found + 1 })
                );
                if let Some((_, shorter)) = proof.split_last() {
                    let refused = Err(ProofInvalid::Length { found: found - 1 });
                    assert_eq!(verify(index, shorter), refused);
                }
            }
        }
    }

    #[test]
    fn true_consistency_proofs_hold_and_any_other_size_does_not() {
        let all = reference::leaves(SIZES);
        for new in 0..=SIZES {
            let leaves = &all[..new];
            let new_root = reference::root(leaves);
            for old in 0..=new {
                let old_root = reference::root(&leaves[..old]);
                let proof = reference::consistency(old, leaves);
                let verify = |old: usize, proof: &[Hash]| {
                    verify_consistency(old as u64, &old_root, new as u64, &new_root, proof)
                };
                assert_eq!(verify(old, &proof), Ok(()));
                for other in (0..=new + 1).filter(|other| *other != old) {
                    assert!(
                        verify(other, &proof).is_err(),
                        "{old} passed for {other} of {new}"
                    );
                }
                let found = proof.len();
                let longer = [&proof[..], &[new_root]].concat();
                assert_eq!(
                    verify(old, &longer),
                    Err(ProofInvalid::Length { found: found + 1 })
                );
                if let Some((_, shorter)) = proof.split_last() {
                    let refused = Err(ProofInvalid::Length { found: found - 1 });
                    assert_eq!(verify(old, shorter), refused);
                }
            }
        }
    }

    #[test]
    fn the_empty_tree_is_continued_by_every_tree_and_by_nothing_but_its_own_root() {
        let (empty, some) = (empty_root(), reference::root(&reference::leaves(3)));
        assert_eq!(verify_consistency(0, &empty, 3, &some, &[]), Ok(()));
        assert_eq!(verify_consistency(0, &empty, 0, &empty, &[]), Ok(()));
        assert_eq!(
            verify_consistency(0, &some, 3, &some, &[]),
            Err(ProofInvalid::OldRoot)
        );
        assert_eq!(
            verify_consistency(0, &empty, 0, &some, &[]),
            Err(ProofInvalid::Root)
        );
        assert_eq!(
            verify_consistency(0, &empty, 3, &some, &[some]),
            Err(ProofInvalid::Length { found: 1 })
        );
    }

    #[test]
    fn two_trees_of_one_size_with_two_roots_are_two_histories() {
        let (one, other) = (Hash::from([1; 32]), Hash::from([2; 32]));
        assert_eq!(
            verify_consistency(7, &one, 7, &other, &[]),
            Err(ProofInvalid::Root)
        );
        assert_eq!(
            verify_consistency(8, &one, 7, &one, &[]),
            Err(ProofInvalid::Shrinks { old: 8, new: 7 })
        );
    }

    #[test]
    fn sizes_at_the_end_of_the_range_neither_overflow_nor_pass() {
        let hash = Hash::from([1; 32]);
        let proof = [hash; 64];
        assert_eq!(
            verify_inclusion(&hash, u64::MAX - 1, u64::MAX, &proof[..63], &hash),
            Err(ProofInvalid::Root)
        );
        assert!(verify_inclusion(&hash, 0, u64::MAX, &proof, &hash).is_err());
        assert!(verify_consistency(1 << 63, &hash, u64::MAX, &hash, &proof).is_err());
        assert!(verify_consistency(u64::MAX - 1, &hash, u64::MAX, &hash, &proof).is_err());
    }

    proptest! {
        #[test]
        fn no_bit_of_an_inclusion_proof_can_change(
            size in 1..600_usize,
            at in any::<prop::sample::Index>(),
            where_in_proof in any::<prop::sample::Index>(),
            bit in 0..256_usize,
        ) {
            let leaves = reference::leaves(size);
            let index = at.index(leaves.len());
            let (root, mut proof) = (reference::root(&leaves), reference::path(index, &leaves));
            let (leaf, index, size) = (leaves[index], index as u64, size as u64);
            prop_assert_eq!(verify_inclusion(&leaf, index, size, &proof, &root), Ok(()));
            prop_assert!(verify_inclusion(&flipped(&leaf, bit), index, size, &proof, &root).is_err());
            prop_assert!(verify_inclusion(&leaf, index, size, &proof, &flipped(&root, bit)).is_err());
            prop_assert!(verify_inclusion(&leaf, index ^ (1 << (bit % 64)), size, &proof, &root).is_err());
            if !proof.is_empty() {
                let which = where_in_proof.index(proof.len());
                proof[which] = flipped(&proof[which], bit);
                prop_assert_eq!(
                    verify_inclusion(&leaf, index, size, &proof, &root),
                    Err(ProofInvalid::Root)
                );
            }
        }

        #[test]
        fn no_bit_of_a_consistency_proof_can_change(
            new in 1..600_usize,
            at in any::<prop::sample::Index>(),
            where_in_proof in any::<prop::sample::Index>(),
            bit in 0..256_usize,
        ) {
            let leaves = reference::leaves(new);
            let old = 1 + at.index(leaves.len());
            let mut proof = reference::consistency(old, &leaves);
            let (old_root, new_root) = (reference::root(&leaves[..old]), reference::root(&leaves));
            let (old, new) = (old as u64, new as u64);
            prop_assert_eq!(verify_consistency(old, &old_root, new, &new_root, &proof), Ok(()));
            let (bad_old, bad_new) = (flipped(&old_root, bit), flipped(&new_root, bit));
            prop_assert!(verify_consistency(old, &bad_old, new, &new_root, &proof).is_err());
            prop_assert!(verify_consistency(old, &old_root, new, &bad_new, &proof).is_err());
            let other = old ^ (1 << (bit % 64));
            prop_assert!(verify_consistency(other, &old_root, new, &new_root, &proof).is_err());
            if !proof.is_empty() {
                let which = where_in_proof.index(proof.len());
                proof[which] = flipped(&proof[which], bit);
                prop_assert!(verify_consistency(old, &old_root, new, &new_root, &proof).is_err());
            }
        }
    }
}
