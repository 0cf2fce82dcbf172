//! Converts the text of parts. The workbook reader supports only UTF-8; parts may also be in UTF-16 (ECMA-376 part 2,
//! 6.2.5).

use super::package::{Counted, MAX_RATIO, RATIO_FREE_BYTES, damaged};
use crate::intake::SheetError;
use quick_xml::encoding::DecodingReader;
use std::io::{BufRead, BufReader, Cursor, Read, Write};
use zip::ZipArchive;

/// The longest part that refers to other parts, in bytes.
const MAX_INDEX_BYTES: u64 = 4 * 1024 * 1024;
/// The longest XML declaration, in bytes.
const MAX_DECLARATION: usize = 512;

pub(super) type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// The text of a part that refers to other parts.
pub(super) fn text(archive: &mut Archive<'_>, part: usize) -> Result<String, SheetError> {
    let mut text = Vec::new();
    if is_utf_16(archive, part)? {
        write_as_utf_8(archive, part, MAX_INDEX_BYTES, &mut text)?;
    } else {
        let mut counted = Counted::new(archive.by_index(part).map_err(damaged)?, MAX_INDEX_BYTES);
        let read = counted.read_to_end(&mut text);
        if counted.over {
            return Err(SheetError::Bomb);
        }
        read.map_err(|_| SheetError::Damaged)?;
    }
    let text = String::from_utf8(text).map_err(|_| SheetError::Damaged)?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// Whether a part is in UTF-16, with or without a byte order mark.
pub(super) fn is_utf_16(archive: &mut Archive<'_>, part: usize) -> Result<bool, SheetError> {
    let mut start = Vec::new();
    let part = archive.by_index(part).map_err(damaged)?;
    part.take(2)
        .read_to_end(&mut start)
        .map_err(|_| SheetError::Damaged)?;
    Ok(matches!(
        start.as_slice(),
        [0xfe, 0xff] | [0xff, 0xfe] | [0, b'<'] | [b'<', 0]
    ))
}

/// Rewrites a part from UTF-16 to UTF-8, without the declaration of its encoding. Returns its length.
pub(super) fn write_as_utf_8(
    archive: &mut Archive<'_>,
    part: usize,
    limit: u64,
    to: &mut dyn Write,
) -> Result<u64, SheetError> {
    let part = archive.by_index(part).map_err(damaged)?;
    let ratio = part.compressed_size().saturating_mul(MAX_RATIO);
    let limit = limit.min(ratio.max(RATIO_FREE_BYTES));
    let mut text = DecodingReader::new(BufReader::new(part));
    let mut length = 0;
    let mut start = Vec::new();
    let mut is_begun = false;
    loop {
        let piece = text.fill_buf().map_err(|_| SheetError::Damaged)?;
        let read = piece.len();
        let is_over = read == 0;
        let piece = if is_begun {
            piece
        } else {
            start.extend_from_slice(piece);
            if start.len() < MAX_DECLARATION && !is_over {
                text.consume(read);
                continue;
            }
            is_begun = true;
            let end = start.windows(2).position(|two| two == b"?>");
            match end.filter(|_| start.starts_with(b"<?xml")) {
                Some(end) => start.get(end + 2..).unwrap_or_default(),
                None => &start,
            }
        };
        length += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if length > limit {
            return Err(SheetError::Bomb);
        }
        to.write_all(piece).map_err(|_| SheetError::Damaged)?;
        if is_over {
            return Ok(length);
        }
        text.consume(read);
    }
}
