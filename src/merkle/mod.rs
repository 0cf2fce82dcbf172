//! RFC 6962 Merkle trees: hashing, the frontier, proofs and their checks, and how C2SP tlog-tiles lays nodes out.
//!
//! Nothing here stores anything. A tree is appended to through its [`Frontier`]; whoever keeps the nodes that the
//! frontier completes can prove things about the tree by being a [`NodeReader`].

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
