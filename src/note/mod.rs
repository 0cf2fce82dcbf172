//! C2SP signed notes: checkpoints, cosignatures, verifier keys, and proofs that stand on them. Ed25519 throughout.
//!
//! Whoever holds a [`SignedCheckpoint`] knows that a log's key signed it: only signing and verifying make one.

mod checkpoint;
mod cosignature;
mod key;
mod line;
mod signed;
mod signer;
mod tlog_proof;

pub use checkpoint::Checkpoint;
pub use cosignature::Cosignature;
pub use key::{MalformedKey, VerifierKey};
pub use line::InvalidName;
pub use signed::{MAX_NOTE_BYTES, MAX_SIGNATURE_LINES, NoteError, SignedCheckpoint};
pub use signer::{LogSigner, SignerError};
pub use tlog_proof::{MAX_TLOG_PROOF_BYTES, MalformedTlogProof, TlogProof, TlogProofInvalid};

/// Bytes of an Ed25519 signature (RFC 8032).
pub(crate) const SIGNATURE_BYTES: usize = 64;
