//! Hashes everything that is stored again, in the background (I3).

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use super::{Damage, Log, ReadError, Reader, frames, tiles::TileReader};
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

impl Log {
    /// Hashes everything published again (I3). Damage, or a store that fails, closes the log. Takes time linear in the
    /// log: once a day is plenty. It pauses for `pause` after every few thousand entries, so that neither commits nor
    /// reads wait for it. Returns the number of entries that passed.
    ///
    /// # Errors
    /// Damage was found, or the store failed.
    pub async fn scrub(&self, pause: Duration) -> Result<u64, ReadError> {
        let scrubbed = self.scrub_in_steps(pause).await;
        let damaged = matches!(scrubbed, Err(ReadError::Damaged(_)));
        metrics::gauge!("yichuan_scrub_damaged").set(f64::from(u8::from(damaged)));
        if scrubbed.is_ok() {
            metrics::counter!("yichuan_scrubs_total").increment(1);
        }
        scrubbed
    }

    async fn scrub_in_steps(&self, pause: Duration) -> Result<u64, ReadError> {
        let mut scrub = Scrub::of(self.checkpoint());
        let done = metrics::gauge!("yichuan_scrub_entries");
        loop {
            let shared = Arc::clone(&self.inner.shared);
            let step = move |_: &Reader| {
                let stepped = scrub.step(shared.store.as_ref());
                shared.close_on_failure(stepped).map(|ended| (scrub, ended))
            };
            let ended;
            (scrub, ended) = self.read(step).await??;
            // A metric: precision to the last entry does not matter.
            done.set(scrub.entries() as f64);
            if ended {
                return Ok(scrub.entries());
            }
            tokio::time::sleep(pause).await;
        }
    }
}
