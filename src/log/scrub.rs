//! Re-hashing everything that is stored (I3), and copying a log that passed (I2).

use std::ops::ControlFlow;

use super::{Damage, OpenError, ReadError, frames, open, tiles::TileReader};
use crate::{
    merkle::{
        Frontier, Hash, NodeReader, TILE_HEIGHT, inclusion_proof, leaf_hash, verify_inclusion,
    },
    note::{SignedCheckpoint, VerifierKey},
    store::{Batch, Order, Store, StoreError, keys},
};

/// How many rows a copy reads and commits at once.
const ROWS_AT_ONCE: usize = 512;

/// Why a log was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// What is stored does not pass. Nothing was copied.
    #[error(transparent)]
    Source(#[from] OpenError),
    /// The destination already holds something. Nothing was copied.
    #[error("the destination is not empty; give a fresh directory")]
    NotFresh,
    /// Reading or writing failed on the way. Throw the destination away.
    #[error("the copy is not complete: {0}. Throw it away and copy into another fresh directory")]
    Unfinished(#[from] StoreError),
}

/// Hashes every entry under `checkpoint` again and compares with every stored tile and the signed root.
pub(super) fn scrub(store: &dyn Store, checkpoint: &SignedCheckpoint) -> Result<(), ReadError> {
    let tiles = TileReader::new(store);
    let mut frontier = Frontier::new();
    let mut found = None;
    frames::visit(store, 0, checkpoint.size(), |index, leaf| {
        let hash = leaf_hash(&leaf);
        found = compare(&tiles, checkpoint, &mut frontier, index, hash).err();
        match found {
            None => ControlFlow::Continue(()),
            Some(_) => ControlFlow::Break(()),
        }
    })?;
    if let Some(error) = found {
        return Err(error);
    }
    if frontier.size() != checkpoint.size() || frontier.root() != *checkpoint.root() {
        return Err(Damage::Frontier.into());
    }
    Ok(())
}

/// Appends a leaf to the tree and compares what it completes with what is stored.
fn compare(
    tiles: &TileReader<'_>,
    checkpoint: &SignedCheckpoint,
    frontier: &mut Frontier,
    index: u64,
    leaf: Hash,
) -> Result<(), ReadError> {
    if tiles.node(0, index)? != leaf {
        // The proof does without the hash itself, so it tells which of the two was signed.
        let (size, root) = (checkpoint.size(), checkpoint.root());
        let proof = inclusion_proof(tiles, index, size)?;
        return Err(match verify_inclusion(&leaf, index, size, &proof, root) {
            Ok(()) => Damage::Tile { level: 0, index }.into(),
            Err(_) => Damage::Leaf { index }.into(),
        });
    }
    let mut compared = Ok(());
    frontier.push_with(leaf, |level, index, hash| {
        if level == 0 || level % TILE_HEIGHT != 0 || compared.is_err() {
            return;
        }
        let level = level / TILE_HEIGHT;
        compared = match tiles.node(level * TILE_HEIGHT, index) {
            Ok(stored) if stored == *hash => Ok(()),
            Ok(_) => Err(Damage::Tile { level, index }.into()),
            Err(error) => Err(error),
        };
    });
    compared
}

/// Verifies all of the log in `from`, entry by entry, and copies it with every row beside it into the empty store `to`.
/// This is how a log that a storage error closed goes on (I2). Blocks. Answers with the number of entries.
///
/// # Errors
/// The log does not pass, or the copy could not be finished; the destination is then worth nothing.
pub fn copy_verified(
    from: &dyn Store,
    to: &dyn Store,
    key: &VerifierKey,
) -> Result<u64, CopyError> {
    if !to.range(&[0], &[u8::MAX], Order::Ascending, 1)?.is_empty() {
        return Err(CopyError::NotFresh);
    }
    let (head, checkpoint) = open::signed_head(from, key)?;
    open::check_tree(from, &head, &checkpoint)?;
    scrub(from, &checkpoint).map_err(OpenError::from)?;

    let mut next = vec![0];
    loop {
        let rows = from.range(&next, &[u8::MAX], Order::Ascending, ROWS_AT_ONCE)?;
        let Some((last, _)) = rows.last() else {
            break;
        };
        next = [last.as_slice(), &[0]].concat();
        let mut batch = Batch::new();
        for (key, value) in rows {
            // Last of all: a copy without a head does not open.
            if key != keys::HEAD {
                batch.put(key, value);
            }
        }
        to.commit(0, &batch)?;
    }
    let mut batch = Batch::new();
    batch.put(keys::HEAD, head.to_bytes());
    to.commit(0, &batch)?;
    Ok(checkpoint.size())
}
