//! What a file must be before the workbook reader sees it.
//!
//! The reader believes what a workbook says of itself: 5.6 kB that claim four billion shared strings make it ask for 96 GB
//! and abort (calamine#684), and cell references out of range overflow its arithmetic. So every part is unpacked here once,
//! counted as it comes (declared sizes are claims too), and what it claims is held against what it is.

use super::SheetError;
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read},
    path::Path,
};
use zip::{ZipArchive, result::ZipError};

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 32 * 1024 * 1024;
/// The most that all parts of a workbook may come to, unpacked, in bytes.
pub const MAX_UNPACKED_BYTES: u64 = 256 * 1024 * 1024;
/// The most parts of a workbook.
const MAX_PARTS: usize = 1_000;
/// Sheets of text shrink to a tenth or a fiftieth. Deflate's own limit, which bombs reach, is 1,032.
const MAX_RATIO: u64 = 300;
/// Below this many bytes a part may shrink as it likes.
const RATIO_FREE_BYTES: u64 = 1024 * 1024;
/// Excel's own limits: row 1,048,576, column XFD.
const MAX_ROW: u32 = 1_048_576;
const MAX_COLUMN: u32 = 16_384;
/// The shortest shared string, `<si/>`, in bytes.
const MIN_STRING_BYTES: u64 = 5;

const ZIP: &[u8] = b"PK\x03\x04";
/// Compound File Binary: .xls, and xlsx under a password.
const CFB: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// Reads a file that is fit to be parsed: its bytes, once, so that what was looked at is what is parsed.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, SheetError> {
    let file = File::open(path).map_err(SheetError::Unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(SheetError::Unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > MAX_FILE_BYTES) {
        return Err(SheetError::FileTooLarge);
    }
    if bytes.starts_with(CFB) {
        return Err(compound_file(&bytes));
    }
    if !bytes.starts_with(ZIP) {
        let is_csv = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("csv") || e.eq_ignore_ascii_case("txt"));
        return Err(if is_csv {
            SheetError::Csv
        } else {
            SheetError::NotXlsx
        });
    }
    parts(&bytes)?;
    Ok(bytes)
}

fn compound_file(bytes: &[u8]) -> SheetError {
    let name: Vec<u8> = "EncryptedPackage"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    if bytes.windows(name.len()).any(|window| window == name) {
        SheetError::Encrypted
    } else {
        SheetError::LegacyXls
    }
}

/// Unpacks every part and holds its claims against what it is.
fn parts(bytes: &[u8]) -> Result<(), SheetError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    if archive.len() > MAX_PARTS {
        return Err(SheetError::Bomb);
    }
    // Two parts of one name: which of them counts is anybody's guess.
    if archive.has_duplicate_names() {
        return Err(SheetError::Damaged);
    }
    let mut left = MAX_UNPACKED_BYTES;
    let mut has_workbook = false;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(damaged)?;
        has_workbook |= part
            .name()
            .is_ok_and(|name| name.to_ascii_lowercase().ends_with("workbook.xml"));
        let packed = part.compressed_size();
        let ratio_limit = packed.saturating_mul(MAX_RATIO).max(RATIO_FREE_BYTES);
        let limit = left.min(ratio_limit);
        let mut counted = Counted::new(part, limit);
        let claims = claims(&mut counted);
        let drained = io::copy(&mut counted, &mut io::sink());
        if counted.over {
            return Err(SheetError::Bomb);
        }
        drained.map_err(|_| SheetError::Damaged)?;
        if claims?.is_some_and(|strings| strings > counted.count / MIN_STRING_BYTES) {
            return Err(SheetError::FalseClaim);
        }
        left = left.saturating_sub(counted.count);
    }
    if has_workbook {
        Ok(())
    } else {
        Err(SheetError::NotXlsx)
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn damaged(error: ZipError) -> SheetError {
    if matches!(
        error,
        ZipError::InvalidPassword | ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)
    ) {
        SheetError::Encrypted
    } else {
        SheetError::Damaged
    }
}

/// Walks a part as the workbook reader would, looking at every cell reference and dimension, and returns how many shared
/// strings it claims. A part that is not XML claims nothing: the walk ends where the reader's would.
fn claims(part: impl Read) -> Result<Option<u64>, SheetError> {
    let mut xml = Reader::from_reader(BufReader::new(part));
    // As the workbook reader has it, so that both see the same events.
    let config = xml.config_mut();
    config.check_end_names = false;
    config.check_comments = false;
    config.expand_empty_elements = true;
    let mut strings: Option<u64> = None;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match xml.read_event_into(&mut buffer) {
            Ok(Event::Start(element)) => match element.local_name().as_ref() {
                "sst" => {
                    let claimed = attribute(&element, "uniqueCount")?
                        .map_or(Ok(0), |n| n.trim().parse())
                        .unwrap_or(u64::MAX);
                    strings = Some(strings.unwrap_or(0).max(claimed));
                }
                "dimension" => dimension(attribute(&element, "ref")?.as_deref())?,
                "row" | "c" => reference(attribute(&element, "r")?.as_deref())?,
                _ => {}
            },
            Ok(Event::Eof) | Err(_) => return Ok(strings),
            Ok(_) => {}
        }
    }
}

/// The largest of an element's attributes of that name, so that no second one hides behind the first.
fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, SheetError> {
    let mut found: Option<String> = None;
    for attribute in element.attributes().with_checks(true) {
        let attribute = attribute.map_err(|_| SheetError::Damaged)?;
        if attribute.key.as_ref() == name {
            found = Some(attribute.value.into_owned());
        }
    }
    Ok(found)
}

fn dimension(text: Option<&str>) -> Result<(), SheetError> {
    let mut corners = text.unwrap_or_default().split(':').map(position);
    match (corners.next(), corners.next(), corners.next()) {
        (Some(Some(_)), None, None) => Ok(()),
        (Some(Some(from)), Some(Some(to)), None) if from.0 <= to.0 && from.1 <= to.1 => Ok(()),
        _ if text.is_none_or(str::is_empty) => Ok(()),
        _ => Err(SheetError::FalseClaim),
    }
}

fn reference(text: Option<&str>) -> Result<(), SheetError> {
    match text.map(position) {
        Some(None) => Err(SheetError::FalseClaim),
        Some(Some(_)) | None => Ok(()),
    }
}

/// Row and column of `B7`, or of `7` alone, both counted from 1; none where they lie outside a sheet.
fn position(text: &str) -> Option<(u32, u32)> {
    let digits = text.find(|c: char| c.is_ascii_digit())?;
    let (letters, digits) = text.split_at_checked(digits)?;
    if letters.len() > 3 || digits.len() > 7 {
        return None;
    }
    let column = letters.bytes().try_fold(0_u32, |column, letter| {
        let value = u32::from(letter.to_ascii_uppercase()).checked_sub(64)?;
        (letter.is_ascii_alphabetic()).then(|| column * 26 + value)
    })?;
    let row: u32 = digits.parse().ok()?;
    ((1..=MAX_ROW).contains(&row) && column <= MAX_COLUMN).then_some((row, column))
}

/// Counts what comes out, and breaks off at a limit.
struct Counted<R> {
    inner: R,
    count: u64,
    limit: u64,
    over: bool,
}

impl<R> Counted<R> {
    const fn new(inner: R, limit: u64) -> Self {
        Self {
            inner,
            count: 0,
            limit,
            over: false,
        }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.over {
            return Err(io::Error::other("unpacks to too much"));
        }
        let read = self.inner.read(buffer)?;
        self.count += u64::try_from(read).unwrap_or(u64::MAX);
        self.over = self.count > self.limit;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_lie_in_a_sheet() {
        assert_eq!(position("A1"), Some((1, 1)));
        assert_eq!(position("XFD1048576"), Some((1_048_576, 16_384)));
        assert_eq!(position("12"), Some((12, 0)));
        for bad in [
            "",
            "A",
            "A0",
            "A1048577",
            "XFE1",
            "AAAA1",
            "A99999999999",
            "A1B",
            "Ａ1",
            "-1",
        ] {
            assert_eq!(position(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_claimed_is_counted() {
        let strings = |xml: &str| claims(xml.as_bytes());
        assert_eq!(strings("<a><sst uniqueCount='7'/></a>").unwrap(), Some(7));
        assert_eq!(strings("<x:sst uniqueCount='-7'>").unwrap(), Some(u64::MAX));
        assert_eq!(strings("<sst/>").unwrap(), Some(0));
        assert_eq!(strings("\u{89}PNG <<<").unwrap(), None);
        for lie in [
            "<dimension ref='B2:A1'/>",
            "<dimension ref='A1:XFD9999999'/>",
            "<row r='4294967297'/>",
            "<c r='ZZZZZZZ1'/>",
        ] {
            assert!(matches!(strings(lie), Err(SheetError::FalseClaim)), "{lie}");
        }
    }

    #[test]
    fn counting_stops_at_the_limit() {
        let mut counted = Counted::new(io::repeat(b'x'), 100_000);
        assert!(io::copy(&mut counted, &mut io::sink()).is_err());
        assert!(counted.over && counted.count < 200_000);
    }
}
