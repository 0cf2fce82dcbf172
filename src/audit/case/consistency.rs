//! Checks that the proofs of a case file agree on each log: one tree of each size, and one entry at each place.
//!
//! Whoever holds a log's key can sign a second tree at any time. So the trees signed then and now must agree wherever
//! both have one size or one entry.

use super::CaseDefect;
use crate::{
    merkle::{Hash, leaf_hash},
    note::Checkpoint,
};
use std::collections::BTreeMap;

/// The trees and entries seen so far. Memory grows with the case file.
#[derive(Debug, Default)]
pub(super) struct SeenTrees {
    /// Roots by log and size.
    trees: BTreeMap<(String, u64), Hash>,
    /// Leaf hashes by log and index.
    entries: BTreeMap<(String, u64), Hash>,
}

impl SeenTrees {
    /// Checks that this tree, whose signature or cosignature was verified, is the only one of its log and size.
    pub(super) fn tree(&mut self, file: &str, tree: &Checkpoint) -> Result<(), CaseDefect> {
        let place = (tree.origin.clone(), tree.size);
        if *self.trees.entry(place).or_insert(tree.root) == tree.root {
            return Ok(());
        }
        Err(CaseDefect::TwoTrees {
            file: file.to_owned(),
            origin: tree.origin.clone(),
            size: tree.size,
        })
    }

    /// Checks that this entry, whose inclusion was verified, is the only one at its place.
    pub(super) fn entry(
        &mut self,
        file: &str,
        origin: &str,
        index: u64,
        leaf: &[u8],
    ) -> Result<(), CaseDefect> {
        let hash = leaf_hash(leaf);
        let place = (origin.to_owned(), index);
        if *self.entries.entry(place).or_insert(hash) == hash {
            return Ok(());
        }
        Err(CaseDefect::Contradiction {
            file: file.to_owned(),
            origin: origin.to_owned(),
            index,
        })
    }
}
