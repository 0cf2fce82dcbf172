//! Makes a copy of a damaged node's directory from which a node can start.

use super::{
    DoctorError, Part, State,
    examine::{Examination, OpenedCopy},
    source::{Scratch, write_synced},
};
use crate::{
    config::Config,
    exchange::Vault,
    log,
    node::{data_dir::DataDir, views},
    store::{Batch, KeyFile, SledStore, Store as _, StoreError},
};
use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// How many bytes of rows are committed at once.
const BYTES_AT_ONCE: usize = 1024 * 1024;

/// The parameters of a repair.
#[derive(Clone, Debug)]
pub struct RepairOptions {
    /// The directory to create. It must not exist yet.
    pub into: PathBuf,
    /// Exports of this log, and copies of this node's data directory, to replace what is damaged.
    pub from: Vec<PathBuf>,
    /// Where copies are made meanwhile.
    pub scratch: PathBuf,
}

/// The result of a repair.
#[derive(Debug)]
pub struct Repaired {
    /// What was found.
    pub examination: Examination,
    /// Whether there is a directory to continue from. If not, something that was published is lost, or a key is.
    pub done: bool,
}

/// Copies everything that is proved of a stopped node's directory into a fresh one: leaves as signed, tiles and views
/// rebuilt, rows as they follow from the log. `progress` as in [`examine`](super::examine). Blocks.
///
/// # Errors
/// As [`examine`](super::examine), or the copy could not be written. What is left in the new directory is then
/// worthless.
pub fn repair(
    config: &Config,
    options: &RepairOptions,
    mut progress: impl FnMut(u64, u64),
) -> Result<Repaired, DoctorError> {
    let into = &options.into;
    if into.exists() {
        return Err(DoctorError::Exists(into.clone()));
    }
    let mut scratch = Scratch::within(&options.scratch)?;
    let mut examination = Examination::default();
    let found = &mut examination;
    let copy = OpenedCopy::open(config, &mut scratch, &options.from, found, &mut progress)?;
    let Some(copy) = copy.filter(|copy| {
        let keys = [Part::LogKey, Part::BucketKeys].map(|part| found.state(part));
        copy.damage.can_continue() && !keys.contains(&Some(State::Lost))
    }) else {
        return Ok(Repaired {
            examination,
            done: false,
        });
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(into)
        .map_err(DoctorError::io("make", into))?;
    copy_store(&copy, into, found, &mut progress)?;
    // Last: a directory without a key is not a node's, should this be interrupted.
    copy_files(&copy, into)?;
    make_views(&copy, into, &mut scratch, &mut progress)?;
    let files = DataDir::at(into);
    sync(into)?;
    write_key(&copy.files.log_key(), &files.log_key())?;
    sync(into)?;
    if let Some(parent) = into.parent().filter(|p| !p.as_os_str().is_empty()) {
        sync(parent)?;
    }
    Ok(Repaired {
        examination,
        done: true,
    })
}

fn copy_store(
    copy: &OpenedCopy<'_>,
    into: &Path,
    found: &mut Examination,
    progress: &mut impl FnMut(u64, u64),
) -> Result<(), DoctorError> {
    let to = SledStore::open(into).map_err(DoctorError::Store)?;
    let damage = &copy.damage;
    let frontier = damage.copy_leaves(copy.store(), &to, &mut copy.leaves(), progress)?;
    let mut right = Rows::into(&to);
    // Views are rebuilt: a page of theirs that cannot be read is not touched.
    copy.rows(found, |key, value| right.put(key, value));
    right.finish()?;
    damage.finish_copy(&to, &copy.key, frontier)?;
    Ok(())
}

/// Collects rows into commits of bounded size.
struct Rows<'a> {
    to: &'a SledStore,
    batch: Batch,
    bytes: usize,
    failed: Option<StoreError>,
}

impl<'a> Rows<'a> {
    fn into(to: &'a SledStore) -> Self {
        Self {
            to,
            batch: Batch::new(),
            bytes: 0,
            failed: None,
        }
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        self.batch.put(key, value);
        if self.bytes >= BYTES_AT_ONCE {
            self.write();
        }
    }

    fn write(&mut self) {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        if self.failed.is_none() && !batch.is_empty() {
            self.failed = self.to.commit(0, &batch).err();
        }
    }

    fn finish(mut self) -> Result<(), StoreError> {
        self.write();
        self.failed.map_or(Ok(()), Err)
    }
}

fn copy_files(copy: &OpenedCopy<'_>, into: &Path) -> Result<(), DoctorError> {
    let files = DataDir::at(into);
    let note = copy.damage.checkpoint().note().as_bytes();
    let path = files.checkpoint();
    write_synced(&path, note, 0o644).map_err(DoctorError::io("write", &path))?;
    let path = files.vkey();
    let text = format!("{}\n", copy.key);
    write_synced(&path, text.as_bytes(), 0o644).map_err(DoctorError::io("write", &path))?;
    write_key(&copy.files.bucket_keys(), &files.bucket_keys())
}

fn write_key(from: &Path, to: &Path) -> Result<(), DoctorError> {
    let bytes = fs::read(from).map_err(DoctorError::io("read", from))?;
    let bytes = zeroize::Zeroizing::new(bytes);
    write_synced(to, &bytes, 0o600).map_err(DoctorError::io("write", to))
}

fn make_views(
    copy: &OpenedCopy<'_>,
    into: &Path,
    scratch: &mut Scratch,
    progress: &mut impl FnMut(u64, u64),
) -> Result<(), DoctorError> {
    let files = DataDir::at(into);
    let store = SledStore::open(into).map_err(DoctorError::Store)?;
    let made = SledStore::open(&scratch.fresh()?).map_err(DoctorError::Store)?;
    let vault = Arc::new(Vault::open(KeyFile::at(files.bucket_keys()), false)?);
    let checkpoint = files.checkpoint();
    let rebuilt = log::rebuild_views(
        &store,
        (&copy.key, &checkpoint),
        &mut views(copy.config.jurisdiction, &vault),
        &made,
        progress,
    )?;
    rebuilt.write()?;
    // A repair is only reported as done if the node can start.
    Ok(log::check(&store, &copy.key, &checkpoint)?)
}

fn sync(path: &Path) -> Result<(), DoctorError> {
    fs::File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(DoctorError::io("sync", path))
}
