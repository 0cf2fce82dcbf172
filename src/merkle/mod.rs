//! RFC 6962 Merkle trees: hashing, the frontier, making and verifying proofs, and the layout of nodes in C2SP
//! tlog-tiles.
//!
//! Nothing here stores anything. A tree grows through its [`Frontier`]. Whoever stores the nodes that the frontier
//! completes can make proofs by implementing [`NodeReader`].
//!
//! Begin with `verify.rs`, which everybody who receives a proof uses; `frontier.rs` appends, `proof.rs` makes proofs.

mod frontier;
mod hash;
mod proof;
mod tile;
mod verify;

#[cfg(test)]
mod reference;

pub use frontier::{Frontier, MAX_SIZE, MalformedFrontier};
pub use hash::{Hash, MalformedHash, empty_root, leaf_hash, node_hash};
pub use proof::{
    MAX_PROOF_HASHES, MalformedProof, NodeReader, ProofError, consistency_proof, inclusion_proof,
    proof_from_bytes, proof_to_bytes, root_at,
};
pub use tile::{MalformedTilePath, NodeInTile, TILE_HEIGHT, TILE_WIDTH, TileId, TilePath};
pub use verify::{ProofInvalid, verify_consistency, verify_inclusion};
