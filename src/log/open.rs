//! The checks before a log opens (I3, I4), and the creation of a new one.

use std::{fs, io, ops::ControlFlow, path::Path, path::PathBuf, sync::Arc};

use rustix::io::Errno;

use super::{
    Damage, ReadError, checkpoint_writer, failure_marker, frames, head::Head, tiles::TileEdges,
    tiles::TileReader,
};
use crate::{
    domain::Timestamp,
    entry::Entry,
    merkle::{Frontier, Hash, NodeReader, leaf_hash, node_hash, root_at},
    note::{LogSigner, NoteError, SignedCheckpoint, VerifierKey},
    store::{Batch, Store, StoreError, keys},
};

/// How many of the newest leaves are hashed again on open. More would make opening linear in the log; the background
/// scrub covers the rest.
const LEAVES_CHECKED: u64 = 10_000;

/// Why a log did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store holds another log.
    #[error(
        "the store holds the log {stored}, the configuration says {given}; point the node at its own directory"
    )]
    WrongOrigin {
        /// Origin in the store.
        stored: String,
        /// Origin of the signer.
        given: String,
    },
    /// The store's log was begun with another key.
    #[error(
        "the log {origin} was begun with another key: it is {stored}, the signer's is {given}. Continuing would fork the \
         log; restore its key, or begin a successor log"
    )]
    WrongKey {
        /// The log's origin.
        origin: String,
        /// Verifier key in the store.
        stored: Box<VerifierKey>,
        /// Verifier key of the signer.
        given: Box<VerifierKey>,
    },
    /// What is stored is not what was written.
    #[error(
        "the log is damaged: {0}. Keep the directory and run `yichuan doctor`: it says all that is damaged and how to \
         repair it"
    )]
    Damaged(#[from] Damage),
    /// The store is older than what was published.
    #[error(
        "the store was rolled back: it holds {stored} entries, but a checkpoint over {published} was published. A log \
         that was shown is never cut: bring back the newer store, or begin a successor log"
    )]
    RolledBack {
        /// Entries in the store.
        stored: u64,
        /// Entries under the checkpoint in the file.
        published: u64,
    },
    /// The checkpoint file and the store disagree.
    #[error(
        "the store does not continue the published log: at {size} entries it has another root than the checkpoint file. \
         Keep both and begin a successor log"
    )]
    Forked {
        /// Size of the checkpoint in the file.
        size: u64,
    },
    /// The checkpoint file cannot be read or written.
    #[error("could not use the checkpoint file {}: {source}", path.display())]
    CheckpointFile {
        /// The checkpoint file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no checkpoint file, though it is on disk before the first entry.
    #[error(
        "the log has {size} entries, but its checkpoint file {} is missing: nothing shows that the store is not an older \
         copy. Put the file back; where it is lost, put the `checkpoint` of the newest export that an auditor has in its \
         place, or run `yichuan doctor`, whose repair writes one",
        path.display()
    )]
    NoCheckpointFile {
        /// Entries in the store.
        size: u64,
        /// The checkpoint file.
        path: PathBuf,
    },
    /// The checkpoint file holds something else.
    #[error("{} is not a checkpoint of this log: {source}. Find out who changed it before you move it away", path.display())]
    ForeignCheckpoint {
        /// The checkpoint file.
        path: PathBuf,
        /// What is wrong with it.
        source: NoteError,
    },
    /// A storage error closed the log when it was last open. What the kernel shows of the files now may disappear with
    /// the next power cut.
    #[error(
        "a storage error closed this log before ({}): {said}. Run `yichuan doctor`: it copies what is proved into a \
         fresh directory to start from",
        path.display()
    )]
    FailedBefore {
        /// The marker file.
        path: PathBuf,
        /// What it says.
        said: String,
    },
    /// A thread could not be started.
    #[error("could not start the log's threads: {0}")]
    Thread(io::Error),
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => Self::Store(error),
            ReadError::Damaged(damage) => Self::Damaged(damage),
            // Nothing else is asked of the store while the log opens.
            ReadError::Unpublished { .. }
            | ReadError::NoSuchEntry { .. }
            | ReadError::Shrinks { .. }
            | ReadError::InDoubt
            | ReadError::CutOff => Self::Damaged(Damage::Head),
        }
    }
}

/// A log that passed its checks.
pub(super) struct Opened {
    pub(super) frontier: Frontier,
    pub(super) edges: TileEdges,
    pub(super) last_time: Timestamp,
    pub(super) checkpoint: Arc<SignedCheckpoint>,
}

/// Opens the log in `store`, or creates it.
pub(super) fn open(
    store: &dyn Store,
    signer: &LogSigner,
    checkpoint_file: &Path,
) -> Result<Opened, OpenError> {
    let key = signer.verifier_key();
    let kept = kept_checkpoint(checkpoint_file, &key);
    failure_marker::refuse_if_failed(checkpoint_file)?;
    let shown = kept_checkpoint(
        &failure_marker::disowned_checkpoint_file(checkpoint_file),
        &key,
    )?;
    let opened = match (store.get(&keys::IDENTITY)?, store.get(&keys::HEAD)?) {
        (None, None) => {
            if let Some(kept) = shown.or(kept?) {
                let (stored, published) = (0, kept.size());
                return Err(OpenError::RolledBack { stored, published });
            }
            let created = create(store, signer, &key)?;
            begin_file(checkpoint_file, &created.checkpoint)?;
            return Ok(created);
        }
        (Some(_), Some(_)) => {
            let (head, checkpoint) = signed_head(store, &key)?;
            match kept? {
                Some(kept) => check_not_rolled_back(store, &checkpoint, &kept)?,
                // The first start was interrupted.
                None if head.size == 0 => begin_file(checkpoint_file, &checkpoint)?,
                None => {
                    let (size, path) = (head.size, checkpoint_file.to_owned());
                    return Err(OpenError::NoCheckpointFile { size, path });
                }
            }
            if let Some(shown) = &shown {
                check_not_rolled_back(store, &checkpoint, shown)?;
            }
            check_tree(store, &head, &checkpoint)?;
            Opened {
                edges: TileEdges::load(store, head.size)?,
                frontier: head.frontier,
                last_time: head.last_time,
                checkpoint: Arc::new(checkpoint),
            }
        }
        (Some(_), None) | (None, Some(_)) => return Err(Damage::Head.into()),
    };
    if let Some(shown) = shown {
        remove_disowned(
            &failure_marker::disowned_checkpoint_file(checkpoint_file),
            &shown,
        );
    }
    Ok(opened)
}

/// Removes the checkpoint that the log did not contain and now does: the newer store is back.
fn remove_disowned(path: &Path, shown: &SignedCheckpoint) {
    let size = shown.size();
    match fs::remove_file(path) {
        Ok(()) => tracing::warn!(
            size,
            "the checkpoint that the log was closed for is in it again"
        ),
        // The next start compares it with the log again.
        Err(error) => tracing::warn!(size, "could not remove {}: {error}", path.display()),
    }
}

/// The newest checkpoint of the log that was begun with `key`, in a store on which no log is open. It is not behind
/// what was published. Creates nothing.
pub(super) fn published_head(
    store: &dyn Store,
    key: &VerifierKey,
    checkpoint_file: &Path,
) -> Result<SignedCheckpoint, OpenError> {
    let kept = kept_checkpoint(checkpoint_file, key)?;
    failure_marker::refuse_if_failed(checkpoint_file)?;
    let (_, checkpoint) = signed_head(store, key)?;
    let shown = kept_checkpoint(
        &failure_marker::disowned_checkpoint_file(checkpoint_file),
        key,
    )?;
    for published in [&kept, &shown].into_iter().flatten() {
        check_not_rolled_back(store, &checkpoint, published)?;
    }
    Ok(checkpoint)
}

/// Runs the checks of a log that opens (I3, I4) on a store on which no log is open. Creates nothing. Blocks.
///
/// # Errors
/// What would keep the log from opening.
pub fn check(
    store: &dyn Store,
    key: &VerifierKey,
    checkpoint_file: &Path,
) -> Result<(), OpenError> {
    published_head(store, key, checkpoint_file)?;
    let (head, checkpoint) = signed_head(store, key)?;
    check_tree(store, &head, &checkpoint)
}

fn create(store: &dyn Store, signer: &LogSigner, key: &VerifierKey) -> Result<Opened, OpenError> {
    let frontier = Frontier::new();
    let checkpoint = signer.sign(0, frontier.root());
    let head = Head {
        size: 0,
        last_time: Timestamp::default(),
        frontier: frontier.clone(),
        note: checkpoint.note().into(),
    };
    let mut rows = Batch::new();
    rows.put(keys::IDENTITY, key.to_string());
    rows.put(keys::HEAD, head.to_bytes());
    store.commit(0, &rows)?;
    Ok(Opened {
        frontier,
        edges: TileEdges::default(),
        last_time: head.last_time,
        checkpoint: Arc::new(checkpoint),
    })
}

/// Writes the file before the first entry, so that its absence is noticed later.
fn begin_file(path: &Path, checkpoint: &SignedCheckpoint) -> Result<(), OpenError> {
    let Err(source) = checkpoint_writer::write(path, checkpoint.note().as_bytes()) else {
        return Ok(());
    };
    let refused = was_refused(&source);
    let error = OpenError::CheckpointFile {
        path: path.to_owned(),
        source,
    };
    if !refused {
        failure_marker::write(path, &error);
    }
    Err(error)
}

/// Whether the system did nothing and reported that: it says nothing about the disk, and the next start may succeed.
fn was_refused(error: &io::Error) -> bool {
    let too_many = [Errno::MFILE, Errno::NFILE].map(|errno| Some(errno.raw_os_error()));
    too_many.contains(&error.raw_os_error()) || error.kind() == io::ErrorKind::PermissionDenied
}

/// The head row of the log that was begun with `key`, and the checkpoint in it.
pub(super) fn signed_head(
    store: &dyn Store,
    key: &VerifierKey,
) -> Result<(Head, SignedCheckpoint), OpenError> {
    let identity = store.get(&keys::IDENTITY)?.ok_or(Damage::Head)?;
    check_identity(&identity, key)?;
    let head = store.get(&keys::HEAD)?.ok_or(Damage::Head)?;
    let head = Head::from_bytes(&head).ok_or(Damage::Head)?;
    let checkpoint = key.verify(&head.note).map_err(|_| Damage::Signature)?;
    Ok((head, checkpoint))
}

pub(super) fn check_identity(stored: &[u8], given: &VerifierKey) -> Result<(), OpenError> {
    let stored: VerifierKey = str::from_utf8(stored)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Damage::Head)?;
    if stored.name() != given.name() {
        return Err(OpenError::WrongOrigin {
            stored: stored.name().to_owned(),
            given: given.name().to_owned(),
        });
    }
    if stored != *given {
        return Err(OpenError::WrongKey {
            origin: given.name().to_owned(),
            stored: Box::new(stored),
            given: Box::new(given.clone()),
        });
    }
    Ok(())
}

/// I3: frontier, tile edges and newest leaves against the signed root.
pub(super) fn check_tree(
    store: &dyn Store,
    head: &Head,
    checkpoint: &SignedCheckpoint,
) -> Result<(), OpenError> {
    let (size, root) = (checkpoint.size(), *checkpoint.root());
    if head.size != size {
        return Err(Damage::Head.into());
    }
    if head.frontier.size() != size || head.frontier.root() != root {
        return Err(Damage::Frontier.into());
    }
    let tiles = TileReader::new(store);
    if root_at(&tiles, size)? != root {
        return Err(Damage::TileEdge.into());
    }

    let start = size.saturating_sub(LEAVES_CHECKED);
    let (mut leaves, mut newest) = (Vec::new(), Vec::new());
    frames::visit(store, start, size, |_, leaf| {
        leaves.push(leaf_hash(&leaf));
        newest = leaf;
        ControlFlow::Continue(())
    })?;
    // Nothing else vouches for this time, and later entries would adopt it.
    if Entry::decode(&newest).is_ok_and(|entry| entry.time != head.last_time) {
        return Err(Damage::Head.into());
    }
    let newest = Rehashed {
        tiles: &tiles,
        start,
        leaves: &leaves,
    };
    let leaves_are_signed = root_at(&newest, size)? == root;
    for (index, hash) in (start..).zip(&leaves) {
        if tiles.node(0, index)? == *hash {
            continue;
        }
        return Err(if leaves_are_signed {
            Damage::Tile { level: 0, index }.into()
        } else {
            Damage::Leaf { index }.into()
        });
    }
    if !leaves_are_signed {
        return Err(Damage::TileEdge.into());
    }
    Ok(())
}

/// The tree as its newest leaves describe it, with the stored tiles before them.
struct Rehashed<'a> {
    tiles: &'a TileReader<'a>,
    start: u64,
    leaves: &'a [Hash],
}

impl NodeReader for Rehashed<'_> {
    type Error = ReadError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, ReadError> {
        let (first, end) = (index << level, (index + 1) << level);
        if end <= self.start {
            return self.tiles.node(level, index);
        }
        if level == 0 {
            let at = usize::try_from(first - self.start).unwrap_or(usize::MAX);
            let found = self.leaves.get(at).copied();
            return found.ok_or(Damage::Frame { index: first }.into());
        }
        let left = self.node(level - 1, index << 1)?;
        let right = self.node(level - 1, (index << 1) | 1)?;
        Ok(node_hash(&left, &right))
    }
}

/// The checkpoint in the file outside the store (I4); `None` if there is no file.
///
/// # Errors
/// The file cannot be read, or does not hold a checkpoint of the log with this key.
pub fn kept_checkpoint(
    path: &Path,
    key: &VerifierKey,
) -> Result<Option<SignedCheckpoint>, OpenError> {
    let path = || path.to_owned();
    match fs::read(path()) {
        Ok(note) => key.verify(&note).map(Some).map_err(|source| {
            let path = path();
            OpenError::ForeignCheckpoint { path, source }
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => {
            let path = path();
            Err(OpenError::CheckpointFile { path, source })
        }
    }
}

/// I4: what was published is still there.
fn check_not_rolled_back(
    store: &dyn Store,
    stored: &SignedCheckpoint,
    kept: &SignedCheckpoint,
) -> Result<(), OpenError> {
    let size = kept.size();
    if size > stored.size() {
        return Err(OpenError::RolledBack {
            stored: stored.size(),
            published: size,
        });
    }
    let root = if size == stored.size() {
        *stored.root()
    } else {
        root_at(&TileReader::new(store), size)?
    };
    if root != *kept.root() {
        return Err(OpenError::Forked { size });
    }
    Ok(())
}
