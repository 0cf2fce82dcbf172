//! Determines a file's kind by its first bytes, whatever its name ends in.

use crate::domain::Lang;
use memchr::memmem;

const ZIP: &[u8] = b"PK\x03\x04";
/// Compound File Binary: .xls, .et, .doc, and xlsx protected by a password.
const CFB: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
/// How files of unsupported kinds begin.
const OTHERS: [(&[u8], FileKind); 15] = [
    (b"%PDF-", FileKind::Pdf),
    (b"\x89PNG", FileKind::Image),
    (b"\xff\xd8\xff", FileKind::Image),
    (b"GIF87a", FileKind::Image),
    (b"GIF89a", FileKind::Image),
    (b"II*\0", FileKind::Image),
    (b"MM\0*", FileKind::Image),
    (b"Rar!\x1a\x07", FileKind::Archive),
    (b"7z\xbc\xaf", FileKind::Archive),
    (b"\x1f\x8b", FileKind::Archive),
    (b"PK\x05\x06", FileKind::Archive),
    (b"{\\rtf", FileKind::Word),
    (b"MIME-Version:", FileKind::WebPage),
    (b"SQLite format 3\0", FileKind::Other),
    (b"%TSD-Header-###%", FileKind::Protected),
];
/// Marks near the beginning of files that a document-protection client has encrypted.
const PROTECTED: [&[u8]; 3] = [b"E-SafeNet", b"ESAFENET", b"%TSD-Header"];
/// The range that is searched for them.
const PROTECTED_WITHIN: usize = 1024;
/// How web pages begin that programs save under a workbook's name; in lower case.
const PAGES: [&[u8]; 6] = [
    b"<html",
    b"<!doctype",
    b"<head",
    b"<meta",
    b"<table",
    b"<style",
];
/// How much of a text is checked for bytes that text does not have.
const SNIFF: usize = 64 * 1024;
/// With more than one such byte in this many, a file is not text.
const MANY: usize = 64;

/// An unsupported kind of file.
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
    /// Packed files that are not a workbook.
    Archive,
    /// HTML, often under the name .xls.
    WebPage,
    /// XML, as Excel 2003 writes it.
    Xml,
    /// Encrypted by a document-protection client, or by rights management.
    Protected,
    /// Unknown.
    Other,
}

impl FileKind {
    /// The kind in words that complete 'this is …'.
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
            Self::Protected => (
                "由文档保护（透明加密、权限管理）软件加密的文件",
                "a file encrypted by a document-protection client",
            ),
            Self::Other => ("不认识的文件", "a file of unknown type"),
        };
        lang.pick(zh, en)
    }
}

/// The kind that a file's bytes indicate.
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
    if is_bitmap(bytes) {
        return Magic::Other(FileKind::Image);
    }
    let start = bytes.get(..PROTECTED_WITHIN).unwrap_or(bytes);
    // Text may mention such a client; what it has encrypted is not text.
    let speaks = || PROTECTED.iter().any(|of| memmem::find(start, of).is_some());
    if strange(start) > 0 && speaks() {
        return Magic::Other(FileKind::Protected);
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
    // Text in a supported encoding does not have these. A single stray one is reported with its record when that is
    // read.
    let sniffed = text.get(..SNIFF).unwrap_or(text);
    if strange(sniffed) * MANY > sniffed.len() {
        return Magic::Other(FileKind::Other);
    }
    Magic::Text
}

/// Counts bytes that text does not have.
fn strange(bytes: &[u8]) -> usize {
    let strange = bytes.iter().filter(|byte| matches!(byte, 0..=8 | 14..=26));
    strange.count()
}

/// Whether this is a Windows bitmap. A header may begin with BM too; in a bitmap, four zero bytes and one of a few
/// lengths follow.
fn is_bitmap(bytes: &[u8]) -> bool {
    bytes.starts_with(b"BM")
        && bytes.get(6..10) == Some(&[0; 4])
        && matches!(
            bytes.get(14..18),
            Some([12 | 16 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0])
        )
}

fn compound_file(bytes: &[u8]) -> Magic {
    let names = |name: &str| {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        memmem::find(bytes, &name).is_some()
    };
    if names("DRMEncrypted") || names("DRMContent") {
        Magic::Other(FileKind::Protected)
    } else if names("EncryptedPackage") {
        Magic::Encrypted
    } else if names("WordDocument") {
        Magic::Other(FileKind::Word)
    } else if names("PowerPoint Document") {
        Magic::Other(FileKind::Slides)
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
            ("BM,姓名,性别\r\n".as_bytes(), Magic::Text),
            (b"GIF8,name\r\n", Magic::Text),
            (b"%PDF\r\n1", Magic::Text),
            (
                b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
                Magic::Other(FileKind::Image),
            ),
            (
                b"b\x14\x23\x65\x09\0\x01\0E-SafeNet\0\0LOCK\0\x02",
                Magic::Other(FileKind::Protected),
            ),
            (b"E-SafeNet,number,name\r\n", Magic::Text),
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
