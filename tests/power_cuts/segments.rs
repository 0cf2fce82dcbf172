//! What sled says of its own log. It lies on disk in segments, and the header of each says up to where the log was stable
//! when the segment was begun. sled means that `sync_file_range` had returned for it; a drive may still lose it. When it
//! opens and does not find what a header vouches for, it gives up the whole log. So a header must not get to the disk
//! before what it vouches for is synced.

use super::record::{Op, Record, What};
use std::collections::HashMap;

const SEGMENT: usize = 512 * 1024;
const HEADER: usize = 4 + 8 + 8;

/// Where in the log a segment begins, and up to where its header says that the log is stable.
fn header(bytes: &[u8]) -> Option<(i64, i64)> {
    let number = |at: usize| {
        let bytes = bytes.get(at..at + 8)?.try_into().ok()?;
        Some(i64::from_le_bytes(bytes) ^ i64::MAX)
    };
    let (begins, stable) = (number(HEADER - 16)?, number(HEADER - 8)?);
    let is_header = begins >= 0 && begins % i64::try_from(SEGMENT).unwrap() == 0;
    is_header.then_some((begins, stable))
}

/// A file of sled's, as far as it is known.
#[derive(Default)]
struct File {
    /// Where in the log each segment of the file begins.
    begins: HashMap<usize, i64>,
    /// Where in the log what was written and not synced begins, and the write.
    pending: Vec<(i64, u64)>,
    /// Segments begun since the last sync.
    begun: usize,
}

/// What became of segments in a record.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    /// Most of one file begun between two syncs.
    pub(crate) most_at_once: usize,
    /// After how many operations one was begun.
    pub(crate) begun: Vec<usize>,
    /// After how many operations a header vouched for what no sync had covered.
    pub(crate) vouched_early: Vec<usize>,
}

impl Segments {
    /// Goes through a record; `before` gives the bytes of a file that was there when it began.
    pub(crate) fn of<'a>(record: &Record, before: impl Fn(&str) -> Option<&'a [u8]>) -> Self {
        let (mut segments, mut files) = (Self::default(), HashMap::<u32, File>::new());
        for (at, Op { sequence, what }) in record.ops.iter().enumerate() {
            match what {
                What::Create { file, path } | What::Found { file, path }
                    if path.ends_with("/sled/db") =>
                {
                    let known = before(path).unwrap_or_default().chunks(SEGMENT);
                    let begins = known.enumerate().filter_map(|(segment, bytes)| {
                        header(bytes).map(|(begins, _)| (segment, begins))
                    });
                    let file = files.entry(*file).or_default();
                    file.begins = begins.collect();
                }
                What::Write {
                    file,
                    at: from,
                    bytes,
                } => {
                    if let Some(file) = files.get_mut(file) {
                        let bytes = record.bytes(bytes);
                        let begun = file.begun;
                        if file.write(*sequence, *from, bytes) {
                            segments.vouched_early.push(at);
                        }
                        if file.begun > begun {
                            segments.begun.push(at);
                        }
                        segments.most_at_once = segments.most_at_once.max(file.begun);
                    }
                }
                What::Sync { file, covered } | What::SyncData { file, covered } => {
                    if let Some(file) = files.get_mut(file) {
                        file.pending.retain(|(_, sequence)| sequence > covered);
                        file.begun = 0;
                    }
                }
                _ => {}
            }
        }
        segments
    }
}

impl File {
    /// Takes a write. True where it is a header that vouches for what is not synced.
    fn write(&mut self, sequence: u64, from: usize, bytes: &[u8]) -> bool {
        let (segment, within) = (from / SEGMENT, from % SEGMENT);
        let mut early = false;
        if within == 0 {
            self.begins.remove(&segment);
            if let Some((begins, stable)) = header(bytes) {
                early = self.pending.iter().any(|(from, _)| *from <= stable);
                self.begins.insert(segment, begins);
                self.begun += 1;
            }
        }
        if let Some(begins) = self.begins.get(&segment) {
            let from = begins + i64::try_from(within).unwrap();
            self.pending.push((from, sequence));
        }
        early
    }
}
