//! The guard: what a file must be before anything reads it as a sheet.
//!
//! An officer may have been sent anything: another program's file, half a file, or one made to do harm. The guard
//! believes nothing that a file says about itself, and refuses each unsupported kind by name.
//!
//! Begin with [`read`](self::read) and `package.rs`; `kind.rs` tells kinds of files apart, `xml.rs` and `layout.rs`
//! walk the markup.

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
/// The most bytes that all parts of a workbook may have when unpacked. They are never unpacked all at once.
pub const MAX_UNPACKED_BYTES: u64 = 512 * 1024 * 1024;
/// The most rows of a file, in all its worksheets together, including headers and blank rows.
pub const MAX_ROWS: u32 = 200_000;
/// The most text in one row, in bytes. A lead has some fourteen thousand at most.
pub(super) const MAX_ROW_BYTES: usize = 256 * 1024;
/// The most columns, up to the last one that is not empty.
pub(super) const MAX_COLUMNS: usize = 1_024;

/// The bytes of a file that may be parsed. It is read once, so that the bytes that were checked are the bytes that are
/// parsed.
pub(super) enum CheckedFile {
    /// An .xlsx workbook in normal form, whose parts are what they claim to be, and what its worksheets have besides
    /// their values.
    Workbook(Vec<u8>, Vec<Layout>),
    /// Text.
    Text(Vec<u8>),
}

/// Reads a file and checks that it may be parsed.
pub(super) fn read(path: &Path) -> Result<CheckedFile, SheetError> {
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
            Ok(CheckedFile::Workbook(checked.workbook, checked.layouts))
        }
        kind::Magic::Text => {
            // Old programs end a text with this byte.
            if bytes.last() == Some(&0x1a) {
                bytes.pop();
            }
            Ok(CheckedFile::Text(bytes))
        }
        kind::Magic::Nothing => Err(SheetError::Empty),
        kind::Magic::Xls => Err(SheetError::LegacyXls),
        kind::Magic::Encrypted => Err(SheetError::Encrypted),
        kind::Magic::Other(kind) => Err(SheetError::WrongType(kind)),
    }
}
