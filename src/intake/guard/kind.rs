//! What a file is by its first bytes, whatever its name ends in.

use crate::domain::Lang;
use memchr::memmem;

const ZIP: &[u8] = b"PK\x03\x04";
/// Compound File Binary: .xls, .et, .doc, and xlsx under a password.
const CFB: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
/// How a file that is not read begins.
const OTHERS: [(&[u8], FileKind); 13] = [
    (b"%PDF", FileKind::Pdf),
    (b"\x89PNG", FileKind::Image),
    (b"\xff\xd8\xff", FileKind::Image),
    (b"GIF8", FileKind::Image),
    (b"BM", FileKind::Image),
    (b"II*\0", FileKind::Image),
    (b"Rar!", FileKind::Archive),
    (b"7z\xbc\xaf", FileKind::Archive),
    (b"\x1f\x8b", FileKind::Archive),
    (b"PK\x05\x06", FileKind::Archive),
    (b"{\\rtf", FileKind::Word),
    (b"MIME-Version:", FileKind::WebPage),
    (b"SQLite format", FileKind::Other),
];
/// How a page begins that programs save under the name of a workbook; in lower case.
const PAGES: [&[u8]; 6] = [
    b"<html",
    b"<!doctype",
    b"<head",
    b"<meta",
    b"<table",
    b"<style",
];
/// Text is looked at so far for what no text has.
const SNIFF: usize = 64 * 1024;
/// One in so many is no text any more.
const MANY: usize = 64;

/// A kind of file that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// Word, or rich text.
    Word,
    /// A presentation.
    Slides,
    /// OpenDocument.
    OpenDocument,
    /// A binary workbook, .xlsb.
    BinaryWorkbook,
    /// Portable Document Format.
    Pdf,
    /// A picture.
    Image,
    /// Packed files that are no workbook.
    Archive,
    /// HTML, often under the name .xls.
    WebPage,
    /// XML, as of Excel 2003.
    Xml,
    /// None that is known here.
    Other,
}

impl FileKind {
    /// In words, as in 'this is …'.
    pub(in crate::intake) const fn label(self, lang: Lang) -> &'static str {
        let (zh, en) = match self {
            Self::Word => (" Word 文档", "a Word document"),
            Self::Slides => ("演示文稿", "a presentation"),
            Self::OpenDocument => (" OpenDocument 文件", "an OpenDocument file"),
            Self::BinaryWorkbook => (" .xlsb 二进制工作簿", "a binary workbook (.xlsb)"),
            Self::Pdf => (" PDF 文件", "a PDF file"),
            Self::Image => ("图片", "a picture"),
            Self::Archive => ("压缩包", "an archive"),
            Self::WebPage => ("网页（HTML）", "a web page (HTML)"),
            Self::Xml => (" XML 文件", "an XML file"),
            Self::Other => ("不认识的文件", "a file of unknown type"),
        };
        lang.pick(zh, en)
    }
}

/// What a file's bytes say that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Magic {
    Zip,
    Text,
    Nothing,
    Xls,
    Encrypted,
    Other(FileKind),
}

pub(super) fn of(bytes: &[u8]) -> Magic {
    if bytes.starts_with(ZIP) {
        return Magic::Zip;
    }
    if bytes.starts_with(CFB) {
        return compound_file(bytes);
    }
    if let Some((_, kind)) = OTHERS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Magic::Other(*kind);
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Magic::Text;
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let start = text.trim_ascii_start();
    if start.is_empty() {
        return Magic::Nothing;
    }
    let lower = start.get(..16).unwrap_or(start).to_ascii_lowercase();
    if PAGES.iter().any(|page| lower.starts_with(page)) {
        return Magic::Other(FileKind::WebPage);
    }
    if lower.starts_with(b"<?xml") {
        return Magic::Other(FileKind::Xml);
    }
    // No text in any encoding that is read has these. A stray one is told by its record, when that is read.
    let sniffed = text.get(..SNIFF).unwrap_or(text);
    let strange = sniffed
        .iter()
        .filter(|byte| matches!(byte, 0..=8 | 14..=26));
    if strange.count() * MANY > sniffed.len() {
        return Magic::Other(FileKind::Other);
    }
    Magic::Text
}

fn compound_file(bytes: &[u8]) -> Magic {
    let names = |name: &str| {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        memmem::find(bytes, &name).is_some()
    };
    if names("EncryptedPackage") {
        Magic::Encrypted
    } else if names("WordDocument") {
        Magic::Other(FileKind::Word)
    } else {
        Magic::Xls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_say_what_a_file_is() {
        for (bytes, is) in [
            (b"PK\x03\x04....".as_slice(), Magic::Zip),
            (b"number,name\r\n", Magic::Text),
            (b"\xef\xbb\xbf\xe5\xa7\x93\xe5\x90\x8d", Magic::Text),
            (b"\xd0\xd5\xc3\xfb,\xd0\xd4\xb1\xf0", Magic::Text),
            (b"\xff\xfen\0a\0", Magic::Text),
            (b"", Magic::Nothing),
            (b"\xef\xbb\xbf \r\n", Magic::Nothing),
            (b"%PDF-1.7", Magic::Other(FileKind::Pdf)),
            (b"\x89PNG\r\n", Magic::Other(FileKind::Image)),
            (
                b"\r\n <HTML xmlns:x='urn'>",
                Magic::Other(FileKind::WebPage),
            ),
            (b"<?xml version='1.0'?>", Magic::Other(FileKind::Xml)),
            (b"n\0u\0m\0", Magic::Other(FileKind::Other)),
        ] {
            assert_eq!(of(bytes), is, "{bytes:?}");
        }
    }
}
