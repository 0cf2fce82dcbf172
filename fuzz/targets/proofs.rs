//! Proofs, against trees and against other implementations.

use super::{
    input::{Input, edit},
    world::Tree,
};
use yichuan::merkle::{
    Frontier, Hash, consistency_proof, proof_from_bytes, proof_to_bytes, verify_consistency,
    verify_inclusion,
};

/// The largest tree made here.
const MOST_LEAVES: usize = 600;

fn tree(input: &mut Input<'_>) -> Tree {
    let size = 1 + input.short() % MOST_LEAVES;
    let salt = input.byte();
    let leaf = |n: usize| [&n.to_be_bytes()[..], &[salt]].concat();
    let leaves: Vec<_> = (0..size).map(leaf).collect();
    Tree::of(leaves.iter().map(Vec::as_slice))
}

/// A true number, or any other.
fn claimed(input: &mut Input<'_>, truth: u64) -> u64 {
    match input.byte() % 4 {
        0 => input.number(),
        1 => truth ^ (1_u64 << (input.byte() % 64)),
        _ => truth,
    }
}

/// A true hash, or another.
fn perhaps(input: &mut Input<'_>, truth: Hash) -> Hash {
    if input.byte() == 1 {
        Hash::from(input.array())
    } else {
        truth
    }
}

/// The proof as bytes, changed as the input says.
fn changed(input: &mut Input<'_>, proof: &[Hash]) -> Option<Vec<Hash>> {
    let mut bytes = proof_to_bytes(proof);
    for _ in 0..input.byte() % 3 {
        edit(input, &mut bytes);
    }
    let read = proof_from_bytes(&bytes).ok()?;
    assert_eq!(proof_to_bytes(&read), bytes, "one spelling");
    Some(read)
}

fn theirs(hashes: &[Hash]) -> Vec<tlog_tiles::Hash> {
    let convert = |hash: &Hash| tlog_tiles::Hash(*hash.as_bytes());
    hashes.iter().map(convert).collect()
}

fn sigstore<T: From<[u8; 32]>>(hashes: &[Hash]) -> Vec<T> {
    hashes
        .iter()
        .map(|hash| T::from(*hash.as_bytes()))
        .collect()
}

/// A claim of inclusion is believed where two others believe it, and never of another leaf or another proof.
pub(crate) fn inclusion(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let tree = tree(&mut input);
    let size = tree.size();
    let true_index = input.number() % size;
    let true_proof = tree.inclusion(true_index, size);
    let (index, claimed_size) = (claimed(&mut input, true_index), claimed(&mut input, size));
    let true_leaf = tree.0[usize::try_from(true_index).expect("an index")];
    let leaf = perhaps(&mut input, true_leaf);
    let root = perhaps(&mut input, tree.root(size));
    let Some(proof) = changed(&mut input, &true_proof) else {
        return;
    };
    let ours = verify_inclusion(&leaf, index, claimed_size, &proof, &root).is_ok();
    let sigstores = sigstore_merkle::verify_inclusion_proof(
        &(*leaf.as_bytes()).into(),
        index,
        claimed_size,
        &sigstore(&proof),
        &(*root.as_bytes()).into(),
    );
    assert_eq!(
        ours,
        sigstores.is_ok(),
        "sigstore-merkle says {sigstores:?}"
    );
    // It counts in 64 bits with a sign.
    if claimed_size <= i64::MAX.unsigned_abs() {
        let (their_root, their_leaf) = (theirs(&[root])[0], theirs(&[leaf])[0]);
        let tiles =
            tlog_tiles::check_record(&theirs(&proof), claimed_size, their_root, index, their_leaf);
        assert_eq!(ours, tiles.is_ok(), "tlog_tiles says {tiles:?}");
    }
    if ours && root == tree.root(size) && claimed_size == size {
        assert_eq!(
            (leaf, index),
            (tree.0[usize::try_from(index).expect("index")], index)
        );
        assert_eq!(proof, tree.inclusion(index, size), "the one proof");
    }
}

/// A claim of consistency is believed where two others believe it, and only of the tree itself.
pub(crate) fn consistency(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let tree = tree(&mut input);
    let size = tree.size();
    let true_old = input.number() % (size + 1);
    let true_proof = consistency_proof(&tree, true_old, size).expect("a proof");
    let (old, new) = (claimed(&mut input, true_old), claimed(&mut input, size));
    let old_root = perhaps(&mut input, tree.root(true_old));
    let new_root = perhaps(&mut input, tree.root(size));
    let Some(proof) = changed(&mut input, &true_proof) else {
        return;
    };
    let ours = verify_consistency(old, &old_root, new, &new_root, &proof).is_ok();
    // Nothing and everything are trees to us; others refuse them in several ways.
    if old > 0 && old < new && new <= i64::MAX.unsigned_abs() {
        let sigstores = sigstore_merkle::verify_consistency_proof(
            old,
            new,
            &sigstore(&proof),
            &(*old_root.as_bytes()).into(),
            &(*new_root.as_bytes()).into(),
        );
        assert_eq!(
            ours,
            sigstores.is_ok(),
            "sigstore-merkle says {sigstores:?}"
        );
        let roots = theirs(&[old_root, new_root]);
        let tiles = tlog_tiles::check_tree(&theirs(&proof), new, roots[1], old, roots[0]);
        assert_eq!(ours, tiles.is_ok(), "tlog_tiles says {tiles:?}");
    }
    if ours && new == size && new_root == tree.root(size) && old > 0 {
        assert_eq!(old_root, tree.root(old), "the tree begins so");
        let truth = consistency_proof(&tree, old, size).expect("a proof");
        assert_eq!(proof, truth, "the one proof");
    }
    if let Ok(frontier) = Frontier::from_bytes(input.rest()) {
        assert_eq!(frontier.to_bytes(), input.rest(), "one spelling");
    }
}
