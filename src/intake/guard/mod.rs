//! What a file must be before anything reads it as a sheet.
//!
//! What an officer was sent may be anything: another program's file, half a file, or one made to do harm. Nothing is
//! believed that a file says of itself, and each kind that is not read is refused by its name.

mod kind;
mod layout;
mod package;
mod parts;
mod utf8;
mod xml;

use super::SheetError;
pub use kind::FileKind;
pub(super) use layout::{At, Layout};
use std::{fs::File, io::Read, path::Path};

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// The most that all parts of a workbook may come to, unpacked, in bytes. They are never unpacked all at once.
pub const MAX_UNPACKED_BYTES: u64 = 512 * 1024 * 1024;
/// The most rows of a file, in all its worksheets together, headers and blank ones included.
pub const MAX_ROWS: u32 = 200_000;
/// The most of one row, in bytes of text. A lead comes to some fourteen thousand at most.
pub(super) const MAX_ROW_BYTES: usize = 256 * 1024;
/// The most columns up to the last that has anything in it.
pub(super) const MAX_COLUMNS: usize = 1_024;

/// The bytes of a file that may be parsed: read once, so that what was looked at is what is parsed.
pub(super) enum Fit {
    /// An .xlsx workbook in normal form, whose parts are what they claim to be, and what its worksheets have beside their
    /// values.
    Workbook(Vec<u8>, Vec<Layout>),
    /// Text.
    Text(Vec<u8>),
}

/// Reads a file that is fit to be parsed.
pub(super) fn read(path: &Path) -> Result<Fit, SheetError> {
    let file = File::open(path).map_err(SheetError::Unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(SheetError::Unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > MAX_FILE_BYTES) {
        return Err(SheetError::FileTooLarge);
    }
    match kind::of(&bytes) {
        kind::Magic::Zip => {
            let checked = package::check(&bytes)?;
            Ok(Fit::Workbook(checked.workbook, checked.layouts))
        }
        kind::Magic::Text => {
            // As old programs end a text.
            if bytes.last() == Some(&0x1a) {
                bytes.pop();
            }
            Ok(Fit::Text(bytes))
        }
        kind::Magic::Nothing => Err(SheetError::Empty),
        kind::Magic::Xls => Err(SheetError::LegacyXls),
        kind::Magic::Encrypted => Err(SheetError::Encrypted),
        kind::Magic::Other(kind) => Err(SheetError::WrongType(kind)),
    }
}
