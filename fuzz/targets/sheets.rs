//! Spreadsheets. An officer opens what somebody sent, and the reader is other people's code.

use super::input::{Input, discreet};
use jiff::civil::date;
use std::{
    collections::BTreeSet,
    io::{Cursor, Write as _},
    sync::OnceLock,
};
use tempfile::TempDir;
use yichuan::{
    domain::{ArrestNoticeColumn, Jurisdiction, Lang, RecordColumn, Rules},
    intake::{RowVerdict, Sheet, Verdict, check},
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// The file, byte for byte.
pub(crate) fn xlsx(bytes: &[u8]) {
    opened(bytes, bytes, "sheet.xlsx");
}

/// A text file, byte for byte: its encoding and delimiter are found first.
pub(crate) fn csv(bytes: &[u8]) {
    opened(bytes, bytes, "sheet.csv");
}

/// The parts of a workbook, each as the input has it, in a file that holds together.
pub(crate) fn workbook(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, usual) in PARTS {
        let part = input.piece();
        let part = if part.is_empty() {
            usual.as_bytes()
        } else {
            part
        };
        zip.start_file(*name, stored).expect("in memory");
        zip.write_all(part).expect("in memory");
    }
    let file = zip.finish().expect("in memory").into_inner();
    opened(bytes, &file, "sheet.xlsx");
}

/// What is usual, where the input says nothing.
const PARTS: &[(&str, &str)] = &[
    ("xl/worksheets/sheet1.xml", ""),
    ("xl/sharedStrings.xml", "<sst/>"),
    (
        "xl/workbook.xml",
        "<workbook xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\">\
         <sheets><sheet name=\"1\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>",
    ),
    (
        "xl/_rels/workbook.xml.rels",
        "<Relationships><Relationship Id=\"rId1\" Target=\"worksheets/sheet1.xml\" \
         Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet\"/></Relationships>",
    ),
    (
        "xl/styles.xml",
        "<styleSheet><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/></cellXfs></styleSheet>",
    ),
    ("[Content_Types].xml", "<Types/>"),
];

fn opened(input: &[u8], file: &[u8], name: &str) {
    static DIRECTORY: OnceLock<TempDir> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| TempDir::new().expect("a directory"));
    let path = directory.path().join(name);
    std::fs::write(&path, file).expect("a file");
    let partners: BTreeSet<Jurisdiction> = ["440000", "330000", "520624"]
        .map(|code| code.parse().expect("a code"))
        .into();
    let today = date(2026, 8, 1);
    match Sheet::open(&path) {
        Ok(sheet) => {
            let rules = Rules {
                own: "520624".parse().expect("a code"),
                partners: &partners,
                today,
            };
            let rows = sheet.len();
            assert_eq!(judged(input, check(sheet, &rules)), rows);
        }
        Err(error) => discreet(input, &error.message(Lang::En)),
    }
    match Sheet::<ArrestNoticeColumn>::of(&path) {
        Ok(sheet) => {
            let rules = Rules {
                own: "440000".parse().expect("a code"),
                partners: &partners,
                today,
            };
            let rows = sheet.len();
            assert_eq!(judged(input, check(sheet, &rules)), rows);
        }
        Err(error) => discreet(input, &error.message(Lang::En)),
    }
}

/// Every row has a verdict and says why.
fn judged<C: RecordColumn>(input: &[u8], verdicts: impl Iterator<Item = RowVerdict<C>>) -> usize {
    let mut count = 0;
    for row in verdicts {
        count += 1;
        assert_eq!(row.parsed.is_some(), row.verdict == Verdict::Accept);
        assert!(row.verdict != Verdict::Reject || !row.findings.is_empty());
        for finding in &row.findings {
            discreet(input, &row.message(finding, Lang::En));
        }
    }
    count
}
