//! What `recorder.c` wrote down: operations on files, in their order, and notes between them.

use std::ops::Range;

/// One operation that succeeded.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    /// Counts up by one. Syncs name what they cover by it.
    pub(crate) sequence: u64,
    pub(crate) what: What,
}

/// Paths are relative to the recorded directory; files are the recorder's numbers.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A new, empty file.
    Create {
        file: u32,
        path: String,
    },
    /// A file or directory that was there before the record began was opened for the first time.
    Found {
        file: u32,
        path: String,
    },
    MakeDirectory {
        file: u32,
        path: String,
    },
    /// Bytes of the record were written at an offset.
    Write {
        file: u32,
        at: usize,
        bytes: Range<usize>,
    },
    /// The length was set.
    Truncate {
        file: u32,
        length: usize,
    },
    Rename {
        from: String,
        to: String,
    },
    /// A name of a file or of an empty directory is gone.
    Remove {
        path: String,
    },
    /// `fsync` returned. It covers what came before `covered`, and that.
    Sync {
        file: u32,
        covered: u64,
    },
    /// The same of `fdatasync`.
    SyncData {
        file: u32,
        covered: u64,
    },
    /// The same of `sync_file_range`, which waited for this range.
    SyncRange {
        file: u32,
        covered: u64,
        range: Range<usize>,
    },
    /// What the process said.
    Note(String),
}

/// A record.
pub(crate) struct Record {
    pub(crate) ops: Vec<Op>,
    bytes: Vec<u8>,
}

const HEADER: usize = 40;

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn size(value: u64) -> usize {
    usize::try_from(value).unwrap()
}

impl Record {
    /// Reads a record.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let mut ops = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let (kind, file) = (u32_at(&bytes, at), u32_at(&bytes, at + 4));
            let sequence = u64_at(&bytes, at + 8);
            let (a, b) = (u64_at(&bytes, at + 16), u64_at(&bytes, at + 24));
            assert_eq!(b, 0, "a field that nothing uses");
            let path = at + HEADER..at + HEADER + size(u32_at(&bytes, at + 32).into());
            let data = path.end..path.end + size(u32_at(&bytes, at + 36).into());
            at = data.end;
            let text =
                |range: &Range<usize>| String::from_utf8(bytes[range.clone()].to_vec()).unwrap();
            let path = text(&path);
            let what = match u8::try_from(kind).unwrap() {
                b'C' => What::Create { file, path },
                b'O' => What::Found { file, path },
                b'M' => What::MakeDirectory { file, path },
                b'W' => What::Write {
                    file,
                    at: size(a),
                    bytes: data,
                },
                b'T' => What::Truncate {
                    file,
                    length: size(a),
                },
                b'R' => What::Rename {
                    from: path,
                    to: text(&data),
                },
                b'U' | b'X' => What::Remove { path },
                b'F' => What::Sync { file, covered: a },
                b'D' => What::SyncData { file, covered: a },
                b'S' => {
                    let start = size(u64_at(&bytes, data.start));
                    let length = size(u64_at(&bytes, data.start + 8));
                    let range = start..start.saturating_add(length);
                    What::SyncRange {
                        file,
                        covered: a,
                        range,
                    }
                }
                b'N' => What::Note(text(&data)),
                other => panic!("a record of kind {other}"),
            };
            ops.push(Op { sequence, what });
        }
        assert!(
            !ops.is_empty(),
            "nothing was recorded: was the recorder preloaded?"
        );
        Self { ops, bytes }
    }

    /// As it was read.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes that were written.
    pub(crate) fn bytes(&self, range: &Range<usize>) -> &[u8] {
        &self.bytes[range.clone()]
    }

    /// The notes and the number of operations before each.
    pub(crate) fn notes(&self) -> impl Iterator<Item = (usize, &str)> {
        self.ops
            .iter()
            .enumerate()
            .filter_map(|(at, op)| match &op.what {
                What::Note(text) => Some((at, text.trim_end())),
                _ => None,
            })
    }
}
