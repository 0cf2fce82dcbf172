//! Hash tiles as stored: halves of 128 hashes, 4 KiB, of every eighth tree level. The nodes between are computed: each
//! is the root over at most one half. Storing single nodes under keys of their own costs a third of the throughput,
//! storing halves nothing.

use std::{cell::RefCell, collections::HashMap};

use super::{Damage, ReadError};
use crate::{
    merkle::{Frontier, Hash, NodeReader, TILE_HEIGHT, node_hash},
    store::{Batch, Store, StoreError, keys},
};

/// Hashes in half a tile.
pub(super) const HALF: u64 = 128;
const HALF_BYTES: usize = 128 * Hash::LEN;

/// How many nodes, and how many halves, a reader remembers before it forgets them all: 7 MiB.
const MOST_NODES: usize = 1 << 16;
const MOST_HALVES: usize = 1 << 10;

/// The unfinished right ends of the tiles, one for each tile level, to which the next leaves are appended.
#[derive(Debug, Default)]
pub(super) struct TileEdges {
    levels: Vec<Edge>,
    /// Halves that were filled since the last write: level, half, hashes.
    filled: Vec<(u8, u64, Vec<u8>)>,
}

#[derive(Debug, Default)]
struct Edge {
    half: u64,
    /// Fewer than [`HALF`] hashes, concatenated.
    hashes: Vec<u8>,
    changed: bool,
}

impl TileEdges {
    /// The edges of the tree of `size` leaves.
    pub(super) fn load(store: &dyn Store, size: u64) -> Result<Self, ReadError> {
        let mut levels = Vec::new();
        for level in 0_u8.. {
            let nodes = size
                .checked_shr(u32::from(level) * u32::from(TILE_HEIGHT))
                .unwrap_or(0);
            if nodes == 0 {
                break;
            }
            let (half, kept) = (nodes / HALF, nodes % HALF);
            let hashes = half_tile(store, level, half, kept)?;
            levels.push(Edge {
                half,
                hashes,
                changed: false,
            });
        }
        Ok(Self {
            levels,
            filled: Vec::new(),
        })
    }

    /// Appends a leaf to the tree, and keeps the nodes that it completes.
    pub(super) fn append(&mut self, frontier: &mut Frontier, leaf: Hash) {
        frontier.push_with(leaf, |level, _, hash| {
            if level % TILE_HEIGHT == 0 {
                self.push(level / TILE_HEIGHT, hash);
            }
        });
    }

    fn push(&mut self, level: u8, hash: &Hash) {
        let at = usize::from(level);
        if self.levels.len() <= at {
            self.levels.resize_with(at + 1, Edge::default);
        }
        let Some(edge) = self.levels.get_mut(at) else {
            return;
        };
        edge.hashes.extend_from_slice(hash.as_bytes());
        edge.changed = true;
        if edge.hashes.len() == HALF_BYTES {
            let full = std::mem::take(&mut edge.hashes);
            self.filled.push((level, edge.half, full));
            edge.half += 1;
            edge.changed = false;
        }
    }

    /// Writes every half that changed since the last call.
    pub(super) fn write(&mut self, rows: &mut Batch) {
        for (level, half, hashes) in self.filled.drain(..) {
            rows.put(keys::tile_half(level, half), hashes);
        }
        for (level, edge) in (0..).zip(&mut self.levels) {
            if std::mem::take(&mut edge.changed) {
                rows.put(keys::tile_half(level, edge.half), edge.hashes.as_slice());
            }
        }
    }
}

/// The first `count` hashes of half a tile, concatenated.
fn half_tile(store: &dyn Store, level: u8, half: u64, count: u64) -> Result<Vec<u8>, ReadError> {
    let mut hashes = store
        .get(&keys::tile_half(level, half))?
        .unwrap_or_default();
    let length = usize::try_from(count).unwrap_or(usize::MAX) * Hash::LEN;
    if hashes.len() < length {
        let index = half * HALF;
        return Err(Damage::Tile { level, index }.into());
    }
    hashes.truncate(length);
    Ok(hashes)
}

/// Reads tree nodes from tiles and remembers them, so that proofs near each other share their work.
pub(super) struct TileReader<'a> {
    store: &'a dyn Store,
    memo: RefCell<Memo>,
}

#[derive(Default)]
struct Memo {
    halves: HashMap<(u8, u64), Vec<Hash>>,
    nodes: HashMap<(u8, u64), Hash>,
}

impl<'a> TileReader<'a> {
    pub(super) fn new(store: &'a dyn Store) -> Self {
        Self {
            store,
            memo: RefCell::default(),
        }
    }

    /// The root over the `1 << height` hashes of tile level `level` that start at `index << height`.
    fn over(&self, memo: &mut Memo, level: u8, height: u8, index: u64) -> Result<Hash, ReadError> {
        let tree_level = level * TILE_HEIGHT + height;
        if height == 0 {
            return self.stored(memo, level, index);
        }
        if let Some(hash) = memo.nodes.get(&(tree_level, index)) {
            return Ok(*hash);
        }
        let left = self.over(memo, level, height - 1, index << 1)?;
        let right = self.over(memo, level, height - 1, (index << 1) | 1)?;
        let hash = node_hash(&left, &right);
        memo.nodes.insert((tree_level, index), hash);
        Ok(hash)
    }

    fn stored(&self, memo: &mut Memo, level: u8, index: u64) -> Result<Hash, ReadError> {
        let half = index / HALF;
        let at = usize::try_from(index % HALF).unwrap_or(usize::MAX);
        let damaged = Damage::Tile { level, index };
        if let Some(hashes) = memo.halves.get(&(level, half)) {
            return hashes.get(at).copied().ok_or(damaged.into());
        }
        let bytes = self
            .store
            .get(&keys::tile_half(level, half))?
            .unwrap_or_default();
        let (hashes, rest) = bytes.as_chunks::<{ Hash::LEN }>();
        if !rest.is_empty() {
            return Err(damaged.into());
        }
        let hashes: Vec<Hash> = hashes.iter().copied().map(Hash::from).collect();
        let found = hashes.get(at).copied().ok_or(damaged);
        memo.halves.insert((level, half), hashes);
        Ok(found?)
    }
}

impl NodeReader for TileReader<'_> {
    type Error = ReadError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, ReadError> {
        let mut memo = self.memo.borrow_mut();
        if memo.nodes.len() > MOST_NODES || memo.halves.len() > MOST_HALVES {
            *memo = Memo::default();
        }
        self.over(&mut memo, level / TILE_HEIGHT, level % TILE_HEIGHT, index)
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
