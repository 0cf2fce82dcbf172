//! What auditors do, trusting no node: their own machine recomputes.
//!
//! Whether a log is what its checkpoint says is decided here from bytes alone, in memory that does not grow with the
//! log: [`LogVerifier`] for leaves that arrive one after the other, [`verify_export`] for a directory that
//! [`TileWriter`] wrote. What the leaves mean is read on top of that: [`replay`] shows them, an [`Inspector`] checks that
//! what one log claims holds together and is signed by whom it says, and a [`Reconciler`] that two logs tell of the same
//! dispatches. A [`CaseFile`] proves single entries to somebody who has no log at all.

mod capped_list;
mod case;
mod codes;
mod export;
mod inspect;
mod reading;
mod recompute;
mod reconcile;
mod replay;
mod row;
mod tiles;
mod verify;

pub use capped_list::{CappedList, LISTED_LIMIT};
pub use case::{
    CaseDefect, CaseFile, Cosigned, Delivery, FolderDefect, Found, LinkDefect, MAX_PROOFS,
    PayloadDigests, Place, Proved, Search, SearchError, Statement, TransferDefect, Wanted,
    check_folder, read_proof, write_folder,
};
pub use export::{ExportError, TileWriter};
pub use inspect::{
    ConsultationCount, Defect, DefectCode, Evidence, Inspection, Inspector, NotTheLog, Remark,
    RemarkCode, Trusted, Unanswered,
};
pub use reading::{NotALogKey, log_owner};
pub use recompute::{LeafTooLong, LogVerifier, MAX_LEAF_BYTES, Mismatch, VerifiedLog};
pub use reconcile::{
    Difference, DifferenceCode, ExportedLog, Flow, ReconcileError, Reconciler, Reconciliation,
    Side, feed,
};
pub use replay::{PrincipalFilter, Replay, ReplayCounts, ReplayFilter, UnknownPrincipal, replay};
pub use row::{KindName, ReplayRow, UnknownKind};
pub use tiles::{Entries, ExportDefect, ExportedTree, entries};
pub use verify::verify_export;
