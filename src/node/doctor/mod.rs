//! The doctor: examines a stopped node's directory, and makes a repaired copy of it. The directory itself is never
//! changed.
//!
//! Begin with `examine.rs` and `repair.rs`; `source.rs` makes the copies that they work on.

mod examine;
mod parts;
mod repair;
mod source;

pub use examine::{Examination, Finding, Part, State, examine};
pub use repair::{RepairOptions, Repaired, repair};

use super::DataDirError;
use crate::{
    audit::ExportDefect,
    exchange::VaultError,
    log::{CopyError, OpenError, RebuildError},
    store::{LockError, OpenStoreError, StoreError},
};
use std::{
    io,
    path::{Path, PathBuf},
};

/// A directory could not be examined or repaired. Damage alone is reported in the [`Examination`].
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// The node runs.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// There is no node, or its log key is unusable.
    #[error(transparent)]
    Files(#[from] DataDirError),
    /// The file system failed.
    #[error("could not {doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be copied to the working directory.
    #[error(
        "could not copy {} to {}: {source}; it takes as much room as the store, see --scratch",
        from.display(), to.display()
    )]
    Copy {
        /// The file.
        from: PathBuf,
        /// The directory.
        to: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No way of opening the store works.
    #[error(transparent)]
    Store(OpenStoreError),
    /// The log cannot be examined.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The new store failed.
    #[error(transparent)]
    Row(#[from] StoreError),
    /// The log could not be copied.
    #[error(transparent)]
    Leaves(#[from] CopyError),
    /// The bucket keys.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The views could not be rebuilt.
    #[error(transparent)]
    Views(#[from] RebuildError),
    /// An export that was named is damaged itself, or another log's.
    #[error("{} cannot be used: {source}", path.display())]
    Export {
        /// The export.
        path: PathBuf,
        /// What is wrong.
        source: ExportDefect,
    },
    /// The directory to repair into exists already.
    #[error("{} exists already; name one that does not", .0.display())]
    Exists(PathBuf),
}

impl DoctorError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}
