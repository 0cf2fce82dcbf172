//! Checks the parts of a workbook: each is unpacked here once, and counted while it is, before the workbook reader sees
//! it.
//!
//! The reader believes what a workbook says about itself: 5.6 kB that claim four billion shared strings make it ask for
//! 96 GB and abort (calamine#684), and cell references out of range overflow its arithmetic.

use super::{MAX_UNPACKED_BYTES, layout::Layout, parts, xml};
use crate::intake::SheetError;
use memchr::memmem;
use std::io::{self, Cursor, Read};
use zip::{ZipArchive, result::ZipError};

/// The most parts of a workbook.
const MAX_PARTS: usize = 1_000;
/// Text compresses to a tenth or a fiftieth. Deflate's own limit, which bombs reach, is 1,032.
pub(super) const MAX_RATIO: u64 = 300;
/// Parts below this many bytes may compress by any ratio.
pub(super) const RATIO_FREE_BYTES: u64 = 1024 * 1024;
/// The longest piece of markup or text between two events: readers hold it in memory as a whole.
const MAX_PIECE_BYTES: u64 = 1024 * 1024;

/// A workbook in normal form, and what its worksheets have besides their values, in the order in which it names them.
pub(super) struct CheckedPackage {
    pub(super) workbook: Vec<u8>,
    pub(super) layouts: Vec<Layout>,
}

/// Unpacks every part and checks its claims against its content. The workbook reader gets none of these bytes but a
/// package in normal form: the parts that it reads, found as [`parts`] finds them, under the names that it looks for.
/// So it reads what was checked, whatever rules it has for finding parts.
pub(super) fn check(bytes: &[u8]) -> Result<CheckedPackage, SheetError> {
    if claims_too_many_parts(bytes) {
        return Err(SheetError::Bomb);
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    if archive.len() > MAX_PARTS {
        return Err(SheetError::Bomb);
    }
    // Two parts of one name: it would be ambiguous which one counts.
    if archive.has_duplicate_names() {
        return Err(SheetError::Damaged);
    }
    let parts = parts::find(&mut archive)?;
    let mut left = MAX_UNPACKED_BYTES;
    let mut unread = xml::Totals::default();
    for index in 0..archive.len() {
        if !parts.is_read(index) {
            walk(&mut archive, index, &mut left, &mut unread)?;
        }
    }
    let workbook = parts.normal_form(&mut archive, left)?;
    let mut archive = ZipArchive::new(Cursor::new(workbook.as_slice())).map_err(damaged)?;
    let mut totals = xml::Totals::default();
    for index in 0..archive.len() {
        walk(&mut archive, index, &mut left, &mut totals)?;
    }
    let layouts = totals.index.into_layouts(&parts.sheets())?;
    Ok(CheckedPackage { workbook, layouts })
}

/// Unpacks one part.
fn walk(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
    left: &mut u64,
    totals: &mut xml::Totals,
) -> Result<(), SheetError> {
    let part = archive.by_index(index).map_err(damaged)?;
    let name = part.name().map_err(damaged)?.into_owned();
    let is_xml = xml::is_xml(&name);
    let packed = part.compressed_size();
    // A white picture compresses to almost nothing, and only this code unpacks it.
    let ratio_limit = if is_xml {
        packed.saturating_mul(MAX_RATIO).max(RATIO_FREE_BYTES)
    } else {
        u64::MAX
    };
    let mut counted = Counted::new(part, ratio_limit.min(*left));
    let walked = if is_xml {
        xml::walk(&name, &mut counted, totals)
    } else {
        Ok(())
    };
    counted.unmark();
    let drained = if walked.is_ok() {
        io::copy(&mut counted, &mut io::sink())
    } else {
        Ok(0)
    };
    if counted.over {
        return Err(SheetError::Bomb);
    }
    walked?;
    drained.map_err(|_| SheetError::Damaged)?;
    *left = left.saturating_sub(counted.count);
    Ok(())
}

/// Checks what the ends of the archive claim, before the archive reader allocates memory for it.
fn claims_too_many_parts(bytes: &[u8]) -> bool {
    let number = |at: usize, len: usize| {
        let bytes = bytes.get(at..at + len)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |n: u64, byte| (n << 8) | u64::from(*byte)),
        )
    };
    // An end names its own disk and that of the directory; the archive reader requires them to be the same.
    let claims = |signature: &'static [u8], disk: (usize, usize), count: (usize, usize)| {
        memmem::find_iter(bytes, signature)
            .filter(|at| number(at + disk.0, disk.1) == number(at + disk.0 + disk.1, disk.1))
            .filter_map(move |at| number(at + count.0, count.1))
            .max()
    };
    let limit = u64::try_from(MAX_PARTS).unwrap_or(u64::MAX);
    // 65,535 means 'see the larger end'.
    let end = claims(b"PK\x05\x06", (4, 2), (10, 2)).filter(|n| *n != u64::from(u16::MAX));
    let large_end = claims(b"PK\x06\x06", (16, 4), (32, 8));
    end.max(large_end).is_some_and(|n| n > limit)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
pub(super) fn damaged(error: ZipError) -> SheetError {
    if matches!(
        error,
        ZipError::InvalidPassword | ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)
    ) {
        SheetError::Encrypted
    } else {
        SheetError::Damaged
    }
}

/// Counts the bytes unpacked, in all and since a mark, and fails at a limit.
pub(super) struct Counted<R> {
    inner: R,
    count: u64,
    limit: u64,
    pub(super) over: bool,
    marked: Option<u64>,
}

impl<R> Counted<R> {
    pub(super) const fn new(inner: R, limit: u64) -> Self {
        Self {
            inner,
            count: 0,
            limit,
            over: false,
            marked: None,
        }
    }

    /// What follows is another piece, with a limit of its own.
    pub(super) const fn mark(&mut self) {
        self.marked = Some(self.count);
    }

    /// What follows is not held in memory.
    const fn unmark(&mut self) {
        self.marked = None;
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.over {
            return Err(io::Error::other("unpacks to too much"));
        }
        let read = self.inner.read(buffer)?;
        self.count += u64::try_from(read).unwrap_or(u64::MAX);
        let is_long = |marked: u64| self.count.saturating_sub(marked) > MAX_PIECE_BYTES;
        self.over = self.count > self.limit || self.marked.is_some_and(is_long);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_stops_at_the_limit() {
        let mut counted = Counted::new(io::repeat(b'x'), 100_000);
        assert!(io::copy(&mut counted, &mut io::sink()).is_err());
        assert!(counted.over && counted.count < 200_000);
    }

    #[test]
    fn an_archive_that_claims_a_million_parts_is_not_given_room_for_them() {
        let mut small = vec![0; 22];
        small.splice(..4, *b"PK\x05\x06");
        assert!(!claims_too_many_parts(&small));
        small[11] = 4;
        assert!(claims_too_many_parts(&small), "1,024 parts");
        let mut large = vec![0; 56];
        large.splice(..4, *b"PK\x06\x06");
        large[34] = 16;
        assert!(claims_too_many_parts(&large), "a million parts");
    }
}
