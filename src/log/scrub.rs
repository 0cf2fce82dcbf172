//! Hashes everything that is stored again, in the background (I3).

use std::{ops::ControlFlow, sync::Arc};

use super::{Damage, ReadError, frames, tiles::TileReader};
use crate::{
    merkle::{
        Frontier, Hash, NodeReader, TILE_HEIGHT, inclusion_proof, leaf_hash, verify_inclusion,
    },
    note::SignedCheckpoint,
    store::Store,
};

/// How many entries one step of the scrub hashes.
const ENTRIES_A_STEP: u64 = 4096;

/// A scrub under way: it hashes every entry under a checkpoint again and compares it with every stored tile, and in the
/// end with the signed root. What it remembers between steps does not grow with the log.
pub(super) struct Scrub {
    checkpoint: Arc<SignedCheckpoint>,
    frontier: Frontier,
}

impl Scrub {
    /// A scrub of all entries under `checkpoint` that has not hashed any yet.
    pub(super) fn of(checkpoint: Arc<SignedCheckpoint>) -> Self {
        Self {
            checkpoint,
            frontier: Frontier::new(),
        }
    }

    /// Entries that passed.
    pub(super) const fn entries(&self) -> u64 {
        self.frontier.size()
    }

    /// Hashes some more entries. Returns whether that was all.
    pub(super) fn step(&mut self, store: &dyn Store) -> Result<bool, ReadError> {
        let Self {
            checkpoint,
            frontier,
        } = self;
        let (from, size) = (frontier.size(), checkpoint.size());
        let end = size.min(from.saturating_add(ENTRIES_A_STEP));
        let tiles = TileReader::new(store);
        let mut found = None;
        frames::visit(store, from, end, |index, leaf| {
            let hash = leaf_hash(&leaf);
            found = compare(&tiles, checkpoint, frontier, index, hash).err();
            match found {
                None => ControlFlow::Continue(()),
                Some(_) => ControlFlow::Break(()),
            }
        })?;
        if let Some(error) = found {
            return Err(error);
        }
        if frontier.size() != end || (end == size && frontier.root() != *checkpoint.root()) {
            return Err(Damage::Frontier.into());
        }
        Ok(end == size)
    }
}

/// Appends a leaf to the tree and compares the nodes that it completes with what is stored.
fn compare(
    tiles: &TileReader<'_>,
    checkpoint: &SignedCheckpoint,
    frontier: &mut Frontier,
    index: u64,
    leaf: Hash,
) -> Result<(), ReadError> {
    if tiles.node(0, index)? != leaf {
        // The proof does not include the hash itself, so it tells which of the two was signed.
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
