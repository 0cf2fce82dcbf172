//! What a power cut leaves: everything durable, and of what was pending as much as chance wants.

use super::{
    disk::{Bytes, Disk, File, FileSystem, Names, apply},
    random::Random,
    record::Record,
};
use std::{collections::HashMap, fs, path::Path};

/// What becomes of pending changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Survival {
    /// They are lost.
    Nothing,
    /// They were written back just before.
    Everything,
    /// Of each file the first so many writes, of the names the first so many.
    Prefix,
    /// The same, and the next write as far as a sector of 512 bytes.
    Torn,
    /// Of each file any of its writes, without those before them.
    Reordered,
    /// Each page of 4 KiB as it was at a moment of its own.
    Pages,
    /// Each sector of 512 bytes as it was at a moment of its own.
    Sectors,
}

impl Survival {
    pub(crate) const ALL: [Self; 7] = [
        Self::Nothing,
        Self::Everything,
        Self::Prefix,
        Self::Torn,
        Self::Reordered,
        Self::Pages,
        Self::Sectors,
    ];
}

const SECTOR: usize = 512;
const PAGE: usize = 4096;

/// Writes below `to` what is left of `below`, a directory of the disk, after a cut.
pub(crate) fn leave(
    disk: &Disk<'_>,
    survival: Survival,
    random: &mut Random,
    below: &str,
    to: &Path,
) {
    let names = names(disk, survival, random);
    for (path, number) in &names {
        let Some(inside) = inside(path, below) else {
            continue;
        };
        let mut ancestors = path.match_indices('/').map(|(at, _)| &path[..at]);
        if !ancestors.all(|ancestor| names.contains_key(ancestor)) {
            continue;
        }
        let (file, target) = (&disk.files[*number], to.join(inside));
        if file.directory {
            fs::create_dir_all(target).unwrap();
        } else {
            fs::write(target, content(disk.record(), file, survival, random)).unwrap();
        }
    }
}

/// The path as it is from a directory, which is "" for all.
fn inside<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(directory)?;
    if directory.is_empty() {
        return (!rest.is_empty()).then_some(rest);
    }
    rest.strip_prefix('/')
}

fn names(disk: &Disk<'_>, survival: Survival, random: &mut Random) -> Names {
    let mut names = disk.durable.clone();
    let first = match survival {
        Survival::Nothing => 0,
        Survival::Everything => disk.pending.len(),
        _ if disk.file_system() == FileSystem::Journal => random.moment(disk.pending.len()),
        Survival::Prefix | Survival::Torn => random.moment(disk.pending.len()),
        Survival::Reordered | Survival::Pages | Survival::Sectors => {
            let pending = disk.pending.iter();
            let survivors = pending.filter(|_| random.coin());
            survivors.for_each(|naming| naming.what.apply(&mut names));
            return names;
        }
    };
    let survivors = disk.pending.iter().take(first);
    survivors.for_each(|naming| naming.what.apply(&mut names));
    names
}

fn content(record: &Record, file: &File, survival: Survival, random: &mut Random) -> Vec<u8> {
    let changes = &file.changes;
    let mut bytes = file.durable.clone();
    let mut take = |first: usize| {
        for change in &changes[..first] {
            apply(record, &mut bytes, &change.what);
        }
    };
    match survival {
        Survival::Nothing => {}
        Survival::Everything => take(changes.len()),
        Survival::Prefix => take(random.moment(changes.len())),
        Survival::Torn => {
            let first = random.moment(changes.len());
            take(first);
            if let Some(change) = changes.get(first) {
                tear(record, &mut bytes, &change.what, random);
            }
        }
        Survival::Reordered => {
            for change in changes {
                if random.coin() {
                    apply(record, &mut bytes, &change.what);
                }
            }
        }
        Survival::Pages => return units(record, file, PAGE, random),
        Survival::Sectors => return units(record, file, SECTOR, random),
    }
    bytes
}

/// Writes a part that ends with a sector of the disk.
fn tear(record: &Record, content: &mut Vec<u8>, what: &Bytes, random: &mut Random) {
    let Bytes::Write { at, bytes } = what else {
        return;
    };
    let end = (at + random.below(bytes.len() + 1)) / SECTOR * SECTOR;
    let kept = bytes.start..bytes.start + end.saturating_sub(*at);
    if !kept.is_empty() {
        apply(
            record,
            content,
            &Bytes::Write {
                at: *at,
                bytes: kept,
            },
        );
    }
}

/// Each unit, and the length, as of a moment of its own.
fn units(record: &Record, file: &File, unit: usize, random: &mut Random) -> Vec<u8> {
    let changes = &file.changes;
    let mut moments = HashMap::new();
    let mut lengths = vec![file.durable.len()];
    for change in changes {
        lengths.push(change.what.length_after(lengths[lengths.len() - 1]));
    }
    let mut content = file.durable.clone();
    content.resize(lengths.iter().copied().max().unwrap_or(0), 0);
    for (number, change) in changes.iter().enumerate() {
        let touched = match &change.what {
            Bytes::Write { at, bytes } => *at..at + bytes.len(),
            Bytes::Truncate { length } => *length..content.len(),
        };
        let mut from = touched.start;
        while from < touched.end {
            let to = touched.end.min((from / unit + 1) * unit);
            let moment = *moments
                .entry(from / unit)
                .or_insert_with(|| random.moment(changes.len()));
            if moment > number {
                match &change.what {
                    Bytes::Write { at, bytes } => {
                        let written = &record.bytes(bytes)[from - at..to - at];
                        content[from..to].copy_from_slice(written);
                    }
                    Bytes::Truncate { .. } => content[from..to].fill(0),
                }
            }
            from = to;
        }
    }
    content.truncate(lengths[random.moment(changes.len())]);
    content
}
