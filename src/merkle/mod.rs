//! RFC 6962 Merkle trees: hashing, the frontier, proofs.
