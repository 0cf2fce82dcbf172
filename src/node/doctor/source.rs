//! Copies a stopped node's store to work on it: sled writes to whatever it opens, and truncates what it cannot read.

use super::DoctorError;
use crate::{
    log::{self, LeafSource, StoredLeaves},
    node::data_dir::DataDir,
    note::VerifierKey,
    store::{OpenStoreError, SledStore, Store, keys},
};
use rustix::io::Errno;
use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, FileExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

/// How much is copied at once, and at most given up at once if it cannot be read, in bytes.
const BLOCK: usize = 256 * 1024;
const SECTOR: usize = 4096;

/// sled's cache for a copy, in bytes.
const CACHE: u64 = 32 * 1024 * 1024;

/// A directory for copies, removed when this is dropped.
pub(super) struct Scratch {
    path: PathBuf,
    made: u32,
}

impl Scratch {
    /// A fresh directory in `parent`, readable only by its owner.
    pub(super) fn within(parent: &Path) -> Result<Self, DoctorError> {
        let name = format!("yichuan-doctor-{}", uuid::Uuid::now_v7());
        let path = parent.join(name);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(DoctorError::io("make", &path))?;
        Ok(Self { path, made: 0 })
    }

    /// A fresh directory in it.
    pub(super) fn fresh(&mut self) -> Result<PathBuf, DoctorError> {
        self.made += 1;
        let path = self.path.join(self.made.to_string());
        fs::create_dir(&path).map_err(DoctorError::io("make", &path))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "could not be removed; remove it by hand");
        }
    }
}

/// A store opened on a copy.
pub(super) struct Copied {
    pub(super) store: Arc<SledStore>,
    /// What had to be left out so that it opened: derived files that sled makes again.
    pub(super) without: Option<&'static str>,
    /// How many sectors of it the disk could not read.
    pub(super) unreadable: u64,
    /// Whether sled had put values into files of their own, which it never syncs. A node does not start with them; what
    /// is read of them here is verified like everything else.
    pub(super) unsynced: bool,
}

/// The ways to open a store, the plainest first, and what each leaves out.
const WAYS: [Way; 4] = [
    (None, &[]),
    (Some("sled's snapshot"), &["snap."]),
    (Some("sled's conf"), &["conf"]),
    (Some("sled's snapshot and conf"), &["snap.", "conf"]),
];

/// Copies the store in the data directory `data` and opens the copy. The plainest way that shows the log at least as
/// far as it was published is enough, unless there is a failure marker. In that case what is published may be less than
/// what was acknowledged, because the checkpoint file lags: then the way that shows most entries is chosen, and among
/// equals the plainest.
pub(super) fn open_copy(
    data: &Path,
    scratch: &mut Scratch,
    published: u64,
) -> Result<Copied, DoctorError> {
    let failed = log::failure_marker_file(&DataDir::at(data).checkpoint()).exists();
    let mut blobs = fs::read_dir(data.join("sled/blobs")).into_iter().flatten();
    let unsynced = blobs.next().is_some();
    let enough = (!failed).then_some(published);
    let mut refused = None;
    let open = |(without, left_out): Way| {
        let to = scratch.fresh()?;
        let unreadable = copy_directory(&data.join("sled"), &to.join("sled"), left_out)?;
        match SledStore::open_copy(&to, CACHE) {
            Ok(store) => {
                let size = size_of(&store);
                let copied = Copied {
                    store: Arc::new(store),
                    without,
                    unreadable,
                    unsynced,
                };
                Ok(Some((size, (copied, to))))
            }
            Err(error) => {
                refused.get_or_insert(error);
                clear(&to);
                Ok(None)
            }
        }
    };
    let best = largest(enough, open, |(copied, to)| {
        drop(copied);
        clear(&to);
    })?;
    let nothing = || OpenStoreError::Engine {
        path: data.to_owned(),
        said: "nothing to open".to_owned(),
    };
    best.map(|(copied, _)| copied)
        .ok_or_else(|| DoctorError::Store(refused.unwrap_or_else(nothing)))
}

type Way = (Option<&'static str>, &'static [&'static str]);

/// The opened copy that shows most entries; the others are discarded. The plainest way, which leaves nothing out, is
/// chosen without trying the others if it shows `enough`.
fn largest<T>(
    enough: Option<u64>,
    mut open: impl FnMut(Way) -> Result<Option<(Option<u64>, T)>, DoctorError>,
    mut discard: impl FnMut(T),
) -> Result<Option<T>, DoctorError> {
    let mut best: Option<(Option<u64>, T)> = None;
    for way in WAYS {
        let Some((size, opened)) = open(way)? else {
            continue;
        };
        if way.0.is_none() && enough.is_some_and(|enough| size >= Some(enough)) {
            return Ok(Some(opened));
        }
        if best.as_ref().is_none_or(|(most, _)| size > *most) {
            if let Some((_, smaller)) = best.replace((size, opened)) {
                discard(smaller);
            }
        } else {
            discard(opened);
        }
    }
    Ok(best.map(|(_, opened)| opened))
}

/// Frees the space. Leftovers are removed with the scratch directory.
fn clear(copy: &Path) {
    if let Err(error) = fs::remove_dir_all(copy) {
        tracing::debug!(path = %copy.display(), %error, "a copy stays until the end");
    }
}

/// The number of entries in the head row, if it can be read.
fn size_of(store: &dyn Store) -> Option<u64> {
    keys::head_size(&store.get(&keys::HEAD).ok()??)
}

/// Returns the number of sectors that could not be read.
fn copy_directory(from: &Path, to: &Path, left_out: &[&str]) -> Result<u64, DoctorError> {
    let mut unreadable = 0;
    fs::create_dir(to).map_err(DoctorError::io("make", to))?;
    let items = fs::read_dir(from).map_err(DoctorError::io("read", from))?;
    for item in items {
        let item = item.map_err(DoctorError::io("read", from))?;
        let name = item.file_name();
        let text = name.to_string_lossy();
        if left_out.iter().any(|prefix| text.starts_with(prefix)) {
            continue;
        }
        let (path, target) = (item.path(), to.join(&name));
        if path.is_dir() {
            unreadable += copy_directory(&path, &target, &[])?;
        } else {
            unreadable += copy_file(&path, &target)?;
        }
    }
    Ok(unreadable)
}

/// Copies what can be read of a file; unreadable sectors become zeros, which sled's checksums detect. Returns the
/// number of sectors that could not be read.
fn copy_file(from: &Path, to: &Path) -> Result<u64, DoctorError> {
    let file = fs::File::open(from).map_err(DoctorError::io("read", from))?;
    let length = file
        .metadata()
        .map_err(DoctorError::io("read", from))?
        .len();
    let copying = |source| DoctorError::Copy {
        from: from.to_owned(),
        to: to.to_owned(),
        source,
    };
    let mut out = fs::File::create(to).map_err(copying)?;
    let mut block = vec![0; BLOCK];
    let (mut unreadable, mut at) = (0, 0);
    while at < length {
        let want = usize::try_from(length - at).unwrap_or(BLOCK).min(BLOCK);
        let part = block.get_mut(..want).unwrap_or_default();
        unreadable += read_block(|part, at| file.read_exact_at(part, at), part, at)
            .map_err(DoctorError::io("read", from))?;
        out.write_all(part).map_err(copying)?;
        at += u64::try_from(want).unwrap_or(u64::MAX);
    }
    Ok(unreadable)
}

/// Fills a block, sector by sector if it cannot be read as one; unreadable sectors become zeros. Returns their number.
fn read_block(
    read: impl Fn(&mut [u8], u64) -> io::Result<()>,
    block: &mut [u8],
    at: u64,
) -> io::Result<u64> {
    let is_bad = |error: &io::Error| error.raw_os_error() == Some(Errno::IO.raw_os_error());
    match read(block, at) {
        Err(error) if is_bad(&error) => {}
        done => return done.map(|()| 0),
    }
    let (mut bad, mut from) = (0, at);
    for sector in block.chunks_mut(SECTOR) {
        match read(sector, from) {
            Err(error) if is_bad(&error) => {
                sector.fill(0);
                bad += 1;
            }
            done => done?,
        }
        from += u64::try_from(sector.len()).unwrap_or(u64::MAX);
    }
    Ok(bad)
}

/// Another source of leaves, and perhaps payloads, that the damaged store lacks.
pub(super) enum Elsewhere {
    /// A verified export, and its size.
    Export(PathBuf, u64),
    /// A copy of a node's data directory.
    Replica(Arc<SledStore>),
}

impl Elsewhere {
    /// Opens a source: an export, which is verified completely, or a data directory, of which a copy is opened.
    pub(super) fn open(
        path: &Path,
        key: &VerifierKey,
        scratch: &mut Scratch,
        progress: impl FnMut(u64, u64),
    ) -> Result<Self, DoctorError> {
        if path.join("sled").is_dir() {
            return Ok(Self::Replica(open_copy(path, scratch, 0)?.store));
        }
        let export = crate::audit::verify_export(path, key, progress).map_err(|source| {
            DoctorError::Export {
                path: path.to_owned(),
                source,
            }
        })?;
        Ok(Self::Export(path.to_owned(), export.size()))
    }

    /// Its leaves from the first on.
    pub(super) fn leaves(&self) -> Box<dyn LeafSource> {
        match self {
            Self::Export(path, size) => Box::new(ExportedLeaves {
                entries: crate::audit::entries(path, *size),
                next: 0,
                last: None,
            }),
            Self::Replica(store) => Box::new(StoredLeaves(Arc::clone(store) as Arc<dyn Store>)),
        }
    }

    pub(super) fn store(&self) -> Option<&dyn Store> {
        match self {
            Self::Export(..) => None,
            Self::Replica(store) => Some(store.as_ref()),
        }
    }
}

/// The leaves of an export, read sequentially.
struct ExportedLeaves {
    entries: crate::audit::Entries,
    next: u64,
    last: Option<(u64, Vec<u8>)>,
}

impl LeafSource for ExportedLeaves {
    fn leaf(&mut self, index: u64) -> Option<Vec<u8>> {
        if let Some((at, leaf)) = &self.last
            && *at == index
        {
            return Some(leaf.clone());
        }
        let skip = usize::try_from(index.checked_sub(self.next)?).ok()?;
        let leaf = self.entries.nth(skip)?.ok()?;
        self.next = index + 1;
        self.last = Some((index, leaf.clone()));
        Some(leaf)
    }
}

/// Writes a file with this mode and syncs it.
pub(super) fn write_synced(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each way shows, where it opens; which one is taken, and how many were tried.
    fn taken(enough: Option<u64>, shows: [Option<u64>; 4]) -> (Option<usize>, usize) {
        let mut tried = 0;
        let mut discarded = 0;
        let open = |_| {
            tried += 1;
            let way = tried - 1;
            Ok(shows[way].map(|size| (Some(size), way)))
        };
        let best = largest(enough, open, |_| discarded += 1).unwrap();
        let opened = shows.iter().take(tried).flatten().count();
        assert_eq!(discarded, opened - usize::from(best.is_some()));
        (best, tried)
    }

    /// The checkpoint file lags: what reached it was taken, though another way still had what was acknowledged after it.
    #[test]
    fn regression_of_a_store_that_failed_the_way_that_shows_most_is_taken() {
        let failed = None;
        assert_eq!(
            taken(failed, [Some(7), Some(9), None, Some(9)]),
            (Some(1), 4)
        );
        assert_eq!(
            taken(failed, [Some(9), Some(9), Some(9), Some(9)]),
            (Some(0), 4)
        );
        // The plain way does not open: what it would have shown is not known.
        assert_eq!(taken(Some(7), [None, Some(7), Some(9), None]), (Some(2), 4));
        assert_eq!(
            taken(Some(7), [Some(6), Some(7), None, Some(8)]),
            (Some(3), 4)
        );
        // Nothing speaks against it.
        assert_eq!(taken(Some(7), [Some(7), Some(9), None, None]), (Some(0), 1));
        assert_eq!(taken(Some(7), [None; 4]), (None, 4));
    }

    /// The most ordinary fault of a disk ended the examination before it said anything.
    #[test]
    fn regression_a_sector_that_cannot_be_read_costs_no_more_than_itself() {
        let file: Vec<u8> = (1..=u8::MAX).cycle().take(BLOCK).collect();
        let bad = 3 * SECTOR..5 * SECTOR;
        let read = |part: &mut [u8], at: u64| {
            let at = usize::try_from(at).unwrap();
            if at < bad.end && bad.start < at + part.len() {
                return Err(Errno::IO.into());
            }
            part.copy_from_slice(&file[at..at + part.len()]);
            Ok(())
        };
        let mut block = vec![9; BLOCK];
        assert_eq!(read_block(read, &mut block, 0).unwrap(), 2);
        assert!(block[bad.clone()].iter().all(|byte| *byte == 0));
        assert_eq!(block[..bad.start], file[..bad.start]);
        assert_eq!(block[bad.end..], file[bad.end..]);
        let denied = |_: &mut [u8], _| Err(io::ErrorKind::PermissionDenied.into());
        read_block(denied, &mut block, 0).unwrap_err();
    }
}
