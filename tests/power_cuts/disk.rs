//! A model of a file system on a drive: what of the operations so far is sure to be there after the power is cut, and
//! what is still pending.
//!
//! Sizes, names and bytes that were not synced are pending, all of them: the model has no timer that writes them back, so
//! that the worst is among what [`survival`](super::survival) draws.

use super::record::{Op, Record, What};
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    ops::Range,
    path::Path,
};

/// Which names are durable when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileSystem {
    /// ext4 with `data=ordered`: names and sizes go through one journal in their order, and `fsync` of any file commits
    /// all of it. `fdatasync` commits it only as far as the file's own creation and length need it.
    Journal,
    /// No more than POSIX says: `fsync` of a file is for its bytes, of a directory for the names in it. Names that are
    /// not synced come and go in any order.
    Strict,
}

/// What the drive does when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Drive {
    /// Its cache is lost unless it was told to flush it. `sync_file_range` does not tell it.
    Volatile,
    /// Its cache survives: what `sync_file_range` waited for is durable, within the file's durable length; beyond it as
    /// soon as the journal brings the length.
    Protected,
}

/// Syncs that a disk without them would not have had, by the path of the file: for proving that cuts find it out.
pub(crate) type Unsynced = fn(&str) -> bool;

pub(crate) type FileNo = usize;

/// A change that is not durable yet.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    sequence: u64,
    pub(crate) what: Bytes,
    /// The sync of a range that brought it to a protected drive.
    flushed: Option<u64>,
}

/// How a file's bytes change.
#[derive(Clone, Debug)]
pub(crate) enum Bytes {
    /// Bytes of the record at an offset.
    Write { at: usize, bytes: Range<usize> },
    /// A length.
    Truncate { length: usize },
}

impl Bytes {
    /// The length of a file that had `before`.
    pub(crate) fn length_after(&self, before: usize) -> usize {
        match self {
            Self::Write { at, bytes } => before.max(at + bytes.len()),
            Self::Truncate { length } => *length,
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Write { at, bytes },
                Self::Write {
                    at: from,
                    bytes: other,
                },
            ) => *at < from + other.len() && *from < at + bytes.len(),
            _ => true,
        }
    }
}

/// A file or directory, whatever its names are.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) directory: bool,
    /// Its newest name.
    path: String,
    pub(crate) durable: Vec<u8>,
    pub(crate) changes: Vec<Change>,
}

/// A change of names that is not durable yet.
#[derive(Clone, Debug)]
pub(crate) struct Naming {
    sequence: u64,
    pub(crate) what: Name,
}

/// How names change.
#[derive(Clone, Debug)]
pub(crate) enum Name {
    Put { path: String, file: FileNo },
    Move { from: String, to: String },
    Take { path: String },
}

pub(crate) type Names = BTreeMap<String, FileNo>;

impl Name {
    pub(crate) fn apply(&self, names: &mut Names) {
        match self {
            Self::Put { path, file } => {
                names.insert(path.clone(), *file);
            }
            Self::Move { from, to } => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Self::Take { path } => {
                names.remove(path);
            }
        }
    }

    /// The directory whose names change.
    fn directory(&self) -> &str {
        let (Self::Put { path, .. } | Self::Move { from: path, .. } | Self::Take { path }) = self;
        parent(path)
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The state of a disk after some operations of a record.
#[derive(Clone)]
pub(crate) struct Disk<'r> {
    record: &'r Record,
    file_system: FileSystem,
    drive: Drive,
    unsynced: Option<Unsynced>,
    pub(crate) files: Vec<File>,
    /// As processes see them.
    live: Names,
    pub(crate) durable: Names,
    pub(crate) pending: Vec<Naming>,
    /// The recorder's numbers.
    known: HashMap<u32, FileNo>,
}

impl<'r> Disk<'r> {
    /// With what is in `before`, all of it durable.
    pub(crate) fn new(
        record: &'r Record,
        before: &Tree,
        file_system: FileSystem,
        drive: Drive,
    ) -> Self {
        let mut disk = Self {
            record,
            file_system,
            drive,
            unsynced: None,
            files: Vec::new(),
            live: Names::new(),
            durable: Names::new(),
            pending: Vec::new(),
            known: HashMap::new(),
        };
        for (path, content) in before {
            let file = disk.add(content.is_none(), path);
            disk.files[file].durable = content.clone().unwrap_or_default();
            disk.live.insert(path.clone(), file);
        }
        disk.durable = disk.live.clone();
        disk
    }

    /// Without the syncs of some files.
    pub(crate) fn without(mut self, unsynced: Unsynced) -> Self {
        self.unsynced = Some(unsynced);
        self
    }

    pub(crate) fn record(&self) -> &'r Record {
        self.record
    }

    pub(crate) fn file_system(&self) -> FileSystem {
        self.file_system
    }

    fn add(&mut self, directory: bool, path: &str) -> FileNo {
        self.files.push(File {
            directory,
            path: path.to_owned(),
            durable: Vec::new(),
            changes: Vec::new(),
        });
        self.files.len() - 1
    }

    fn change(&mut self, sequence: u64, file: u32, what: Bytes) {
        let file = self.known[&file];
        self.files[file].changes.push(Change {
            sequence,
            what,
            flushed: None,
        });
    }

    fn name(&mut self, sequence: u64, what: Name) {
        if let Name::Move { from, to } = &what {
            assert_eq!(
                parent(from),
                parent(to),
                "a rename across directories has no model"
            );
            let file = self.live[from];
            self.files[file].path.clone_from(to);
        }
        what.apply(&mut self.live);
        self.pending.push(Naming { sequence, what });
    }

    /// The next operation of the record.
    pub(crate) fn step(&mut self, op: &Op) {
        let sequence = op.sequence;
        match &op.what {
            What::Create { file, path } | What::MakeDirectory { file, path } => {
                let number = self.add(matches!(op.what, What::MakeDirectory { .. }), path);
                self.known.insert(*file, number);
                let path = path.clone();
                self.name(sequence, Name::Put { path, file: number });
            }
            What::Found { file, path } => {
                self.known.insert(*file, self.live[path]);
            }
            What::Write { file, at, bytes } => {
                let (at, bytes) = (*at, bytes.clone());
                self.change(sequence, *file, Bytes::Write { at, bytes });
            }
            What::Truncate { file, length } => {
                let length = *length;
                self.change(sequence, *file, Bytes::Truncate { length });
            }
            What::Rename { from, to } => {
                let (from, to) = (from.clone(), to.clone());
                self.name(sequence, Name::Move { from, to });
            }
            What::Remove { path } => {
                let path = path.clone();
                self.name(sequence, Name::Take { path });
            }
            What::Sync { file, covered } => self.sync(*file, *covered, false),
            What::SyncData { file, covered } => self.sync(*file, *covered, true),
            What::SyncRange {
                file,
                covered,
                range,
            } => {
                if self.drive == Drive::Protected {
                    self.sync_range(sequence, self.known[file], *covered, range);
                }
            }
            What::Note(_) => {}
        }
    }

    fn sync(&mut self, file: u32, covered: u64, data_only: bool) {
        let number = self.known[&file];
        let path = self.files[number].path.clone();
        if self.unsynced.is_some_and(|unsynced| unsynced(&path)) {
            return;
        }
        match self.file_system {
            FileSystem::Strict if self.files[number].directory => {
                self.commit_names(|naming| {
                    naming.sequence <= covered && naming.what.directory() == path
                });
            }
            FileSystem::Strict => {
                self.harden(number, |change| change.sequence <= covered);
            }
            FileSystem::Journal => {
                let upto = if data_only {
                    self.needs_journal_upto(number, covered)
                } else {
                    covered
                };
                self.harden(number, |change| change.sequence <= covered);
                self.commit_names(|naming| naming.sequence <= upto);
                // The lengths of what a protected drive has already.
                for other in 0..self.files.len() {
                    self.harden(other, |change| change.flushed.is_some_and(|at| at <= upto));
                }
            }
        }
    }

    /// How far `fdatasync` must commit the journal: to the file's creation, and to its newest length.
    fn needs_journal_upto(&self, number: FileNo, covered: u64) -> u64 {
        let file = &self.files[number];
        let created = self.pending.iter().filter_map(|naming| match naming.what {
            Name::Put { file, .. } if file == number => Some(naming.sequence),
            _ => None,
        });
        let mut length = file.durable.len();
        let resized = file.changes.iter().filter_map(|change| {
            let before = length;
            length = change.what.length_after(before);
            (length != before).then_some(change.sequence)
        });
        let needed = created
            .chain(resized)
            .filter(|sequence| *sequence <= covered);
        needed.max().unwrap_or(0)
    }

    fn sync_range(&mut self, sequence: u64, number: FileNo, covered: u64, range: &Range<usize>) {
        let file = &mut self.files[number];
        for change in &mut file.changes {
            if let Bytes::Write { at, bytes } = &change.what
                && change.sequence <= covered
                && *at >= range.start
                && at + bytes.len() <= range.end
            {
                change.flushed.get_or_insert(sequence);
            }
        }
        let durable_length = file.durable.len();
        self.harden(number, |change| {
            change.flushed.is_some() && change.what.length_after(0) <= durable_length
        });
    }

    /// Makes changes of a file durable, except those that lie over an earlier one which is not.
    fn harden(&mut self, number: FileNo, which: impl Fn(&Change) -> bool) {
        let File {
            durable, changes, ..
        } = &mut self.files[number];
        let mut left: Vec<Change> = Vec::new();
        for change in changes.drain(..) {
            if which(&change)
                && !left
                    .iter()
                    .any(|earlier| earlier.what.overlaps(&change.what))
            {
                apply(self.record, durable, &change.what);
            } else {
                left.push(change);
            }
        }
        *changes = left;
    }

    fn commit_names(&mut self, which: impl Fn(&Naming) -> bool) {
        let (now, later) = self.pending.drain(..).partition(which);
        self.pending = later;
        let now: Vec<Naming> = now;
        now.iter()
            .for_each(|naming| naming.what.apply(&mut self.durable));
    }

    /// What processes see: all that was done.
    pub(crate) fn seen(&self) -> Tree {
        let content = |file: &FileNo| {
            let file = &self.files[*file];
            let mut bytes = file.durable.clone();
            let changes = file.changes.iter();
            changes.for_each(|change| apply(self.record, &mut bytes, &change.what));
            (!file.directory).then_some(bytes)
        };
        let names = self.live.iter();
        names
            .map(|(path, file)| (path.clone(), content(file)))
            .collect()
    }
}

/// Changes a file's bytes.
pub(crate) fn apply(record: &Record, content: &mut Vec<u8>, what: &Bytes) {
    content.resize(what.length_after(content.len()), 0);
    if let Bytes::Write { at, bytes } = what {
        content[*at..at + bytes.len()].copy_from_slice(record.bytes(bytes));
    }
}

/// All directories and files below one, by path: the files' bytes, nothing for a directory. Parents come first.
pub(crate) type Tree = BTreeMap<String, Option<Vec<u8>>>;

/// Reads a tree.
pub(crate) fn tree(root: &Path) -> Tree {
    let mut found = BTreeMap::from([(String::new(), None)]);
    let mut open = vec![String::new()];
    while let Some(directory) = open.pop() {
        for item in fs::read_dir(root.join(&directory)).unwrap() {
            let item = item.unwrap();
            let name = item.file_name().into_string().unwrap();
            let path = if directory.is_empty() {
                name
            } else {
                format!("{directory}/{name}")
            };
            if item.file_type().unwrap().is_dir() {
                open.push(path.clone());
                found.insert(path, None);
            } else {
                found.insert(path, Some(fs::read(item.path()).unwrap()));
            }
        }
    }
    found
}
