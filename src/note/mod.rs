//! C2SP signed notes: checkpoints, cosignatures, verifier keys, and the proofs that rest on them. Ed25519 throughout.
//!
//! A [`SignedCheckpoint`] was signed by a log's key: only signing and verifying make one.
//!
//! Begin with `signed.rs`, which verifies a note, then `checkpoint.rs` and `cosignature.rs` for what is signed.

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
