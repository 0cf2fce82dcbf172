//! RFC 6962 section 2.1 word for word: recursive, slow, and what the tests compare with.

use super::{Hash, NodeReader, ProofInvalid, empty_root, leaf_hash, node_hash};

/// Distinct leaf hashes.
pub(super) fn leaves(count: usize) -> Vec<Hash> {
    (0..count as u64)
        .map(|index| leaf_hash(&index.to_be_bytes()))
        .collect()
}

/// The largest power of two below `count`.
fn split(count: usize) -> usize {
    count.next_power_of_two() / 2
}

/// `MTH(D)`.
pub(super) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// `PATH(m, D)`.
pub(super) fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, sibling) = if index < k {
        (path(index, left), right)
    } else {
        (path(index - k, right), left)
    };
    proof.push(root(sibling));
    proof
}

/// `PROOF(m, D)`.
pub(super) fn consistency(old: usize, leaves: &[Hash]) -> Vec<Hash> {
    if old == 0 {
        Vec::new()
    } else {
        subproof(old, leaves, true)
    }
}

fn subproof(old: usize, leaves: &[Hash], known: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if known {
            Vec::new()
        } else {
            vec![root(leaves)]
        };
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, sibling) = if old <= k {
        (subproof(old, left, known), right)
    } else {
        (subproof(old - k, right, false), left)
    };
    proof.push(root(sibling));
    proof
}

/// All leaves in memory; a subtree that is not there is an error that names it.
pub(super) struct Leaves(pub Vec<Hash>);

impl NodeReader for Leaves {
    type Error = ProofInvalid;

    fn node(&self, level: u8, index: u64) -> Result<Hash, ProofInvalid> {
        let start = usize::try_from(index << level).unwrap();
        let span = self
            .0
            .get(start..start + (1 << level))
            .expect("no such perfect subtree");
        Ok(root(span))
    }
}
