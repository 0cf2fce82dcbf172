//! What auditors do, without trusting any node: their own machine recomputes everything.
//!
//! Whether a log is what its checkpoint says is decided here from bytes alone, in memory that does not grow with the
//! log: [`LogVerifier`] takes leaves one after the other, [`verify_export`] a directory that [`TileWriter`] wrote. On
//! top of that, a [`ReplayFilter`] shows what the leaves mean, an [`Inspector`] checks that the claims of one log are
//! consistent and signed by whom it says, and a [`Reconciler`] checks that two logs agree on the dispatches between
//! them. A [`CaseFile`] proves single entries to somebody who has no log at all.
//!
//! Begin with `verify.rs`, then `inspect/mod.rs` and `case/mod.rs`.

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
pub use replay::{PrincipalFilter, ReplayFilter, UnknownPrincipal};
pub use row::{KindName, ReplayRow, UnknownKind};
pub use tiles::{Entries, ExportDefect, ExportedTree, entries};
pub use verify::verify_export;
