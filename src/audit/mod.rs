//! What auditors do, trusting no node: their own machine recomputes.
//!
//! Whether a log is what its checkpoint says is decided here from bytes alone, in memory that does not grow with the
//! log: [`LogVerifier`] for leaves that arrive one after the other, [`verify_export`] for a directory that
//! [`TileWriter`] wrote. What leaves mean is no matter of these files.

mod export;
mod recompute;
mod tiles;
mod verify;

pub use export::{ExportError, TileWriter};
pub use recompute::{LeafTooLong, LogVerifier, MAX_LEAF_BYTES, Mismatch, VerifiedLog};
pub use tiles::{Entries, ExportDefect, ExportedTree, entries};
pub use verify::verify_export;
