//! Files that are no sheet, and files made to do harm.

use super::*;
use yichuan::intake::{FileKind, MAX_ROWS, SheetError};

/// Opens a file that must be refused.
fn refused(path: impl AsRef<Path>) -> SheetError {
    let error = Sheet::open(path).unwrap_err();
    for lang in [Lang::Zh, Lang::En] {
        assert!(!error.message(lang).is_empty());
    }
    error
}

#[test]
fn files_that_are_no_workbook_are_refused_by_name() {
    let fixture = Fixture::new();
    let cfb = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    let encrypted: Vec<u8> = cfb
        .iter()
        .copied()
        .chain([0; 512])
        .chain("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    let word = {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("word/document.xml", SimpleFileOptions::default())
            .unwrap();
        zip.finish().unwrap().into_inner()
    };
    assert!(matches!(
        refused("no/such/file.xlsx"),
        SheetError::Unreadable(_)
    ));
    assert!(matches!(
        refused(fixture.dir.path()),
        SheetError::Unreadable(_)
    ));
    assert!(matches!(
        refused(fixture.file("a.xls", &cfb)),
        SheetError::LegacyXls
    ));
    assert!(matches!(
        refused(fixture.file("b.xlsx", &encrypted)),
        SheetError::Encrypted
    ));
    for (bytes, is) in [
        (b"%PDF-1.7".as_slice(), FileKind::Pdf),
        (b"\x89PNG\r\n\x1a\n", FileKind::Image),
        (b"<html><table><tr><td>1", FileKind::WebPage),
        (b"\x7fELF\x02\x01\x01\0\0", FileKind::Other),
        (&word, FileKind::Word),
    ] {
        // Whatever it is called.
        for name in ["d.xlsx", "d.xls", "d.csv"] {
            let error = refused(fixture.file(name, bytes));
            assert!(
                matches!(error, SheetError::WrongType(kind) if kind == is),
                "{error}"
            );
        }
    }
    assert!(matches!(
        refused(fixture.file("e.xlsx", b"")),
        SheetError::Empty
    ));
    assert!(matches!(
        refused(fixture.file("c.CSV", "序号,民族\n1,2\n".as_bytes())),
        SheetError::NoHeader
    ));
    assert!(matches!(
        refused(fixture.workbook(|_| {})),
        SheetError::Empty
    ));
    let spill = fixture.tampered("xl/worksheets/sheet1.xml", |xml| {
        let at = xml
            .find("<c r=\"U2\"")
            .unwrap_or_else(|| xml.find("<c r=\"R2\"").unwrap());
        let end = at + xml[at..].find("</c>").unwrap();
        format!(
            "{}<c r=\"U2\" t=\"e\"><v>#SPILL!</v>{}",
            &xml[..at],
            &xml[end..]
        )
    });
    // In its column alone: the file is read.
    let found = told(&verdicts(spill));
    assert_eq!(
        found,
        [(
            2,
            Verdict::Reject,
            "remarks:error_value handling:missing_value".to_owned()
        )]
    );
    let headless = fixture.workbook(|sheet| {
        sheet.write(0, 0, "序号").unwrap();
    });
    assert!(matches!(refused(headless), SheetError::NoHeader));
    let twice = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        sheet.write(0, 26, "身份证号").unwrap();
    });
    let error = refused(twice);
    assert!(error.message(Lang::Zh).contains("D 列和 AA 列"), "{error}");
}

#[test]
fn hostile_workbooks_are_refused_before_they_are_parsed() {
    let fixture = Fixture::new();
    let sheet = "xl/worksheets/sheet1.xml";
    // The 96 GB of calamine#684.
    let strings = fixture.tampered("xl/sharedStrings.xml", |xml| {
        let at = xml.find("uniqueCount=\"").unwrap() + "uniqueCount=\"".len();
        let end = at + xml[at..].find('"').unwrap();
        format!("{}4294967295{}", &xml[..at], &xml[end..])
    });
    assert!(matches!(refused(strings), SheetError::FalseClaim));
    let far = fixture.tampered(sheet, |xml| xml.replace("r=\"A2\"", "r=\"A4294967298\""));
    assert!(matches!(refused(far), SheetError::FalseClaim));
    let inside_out = fixture.tampered(sheet, |xml| xml.replace("ref=\"A1:", "ref=\"C9:"));
    assert!(matches!(refused(inside_out), SheetError::FalseClaim));
    // Excel shows the last of two values, a reader perhaps the first.
    let twice = fixture.tampered(sheet, |xml| xml.replace("r=\"B2\"", "r=\"A2\""));
    assert!(matches!(refused(twice), SheetError::Damaged));
    // It would stand beside each row.
    let named = fixture.tampered("xl/workbook.xml", |xml| {
        xml.replace(
            "name=\"Sheet1\"",
            &format!("name=\"{}\"", "S".repeat(900_000)),
        )
    });
    assert!(matches!(refused(named), SheetError::Bomb));
    let bomb = fixture.tampered("docProps/core.xml", |xml| xml + &" ".repeat(40 << 20));
    assert!(matches!(refused(bomb), SheetError::Bomb));
    let parts = {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for nth in 0..1_001 {
            zip.start_file(format!("xl/{nth}.xml"), SimpleFileOptions::default())
                .unwrap();
        }
        fixture.file("parts.xlsx", &zip.finish().unwrap().into_inner())
    };
    assert!(matches!(refused(parts), SheetError::Bomb));
    let long = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        write(sheet, MAX_ROWS, Column::ALL, &person(1));
    });
    let error = refused(long);
    assert!(matches!(error, SheetError::FarRow { row } if row == MAX_ROWS + 1));
    assert!(error.to_string().contains("200000"));
}

#[test]
fn a_workbook_that_breaks_off_is_never_half_read() {
    let fixture = Fixture::new();
    let whole = std::fs::read(SAMPLE).unwrap();
    for tenth in 0..10 {
        let cut = &whole[..whole.len() * tenth / 10];
        let error = refused(fixture.file("cut.xlsx", cut));
        assert!(
            matches!(error, SheetError::Damaged | SheetError::Empty),
            "{tenth}: {error}"
        );
    }
    let unfinished = fixture.tampered("xl/worksheets/sheet1.xml", |xml| {
        xml.split("<c r=\"C2\"").next().unwrap().to_owned()
    });
    assert!(matches!(refused(unfinished), SheetError::Damaged));
}

#[test]
fn flipped_bytes_never_panic_or_pass_for_the_original() {
    let fixture = Fixture::new();
    let whole = std::fs::read(SAMPLE).unwrap();
    let original = told(&verdicts(SAMPLE));
    // A fixed walk over the file: the same bytes at every run.
    for step in 0..600_usize {
        let mut bytes = whole.clone();
        let at = (step * 7_919) % bytes.len();
        bytes[at] ^= 1 << (step % 8);
        let path = fixture.file("flipped.xlsx", &bytes);
        if let Ok(sheet) = Sheet::open(path) {
            let partners = partners();
            let got: Vec<_> = check(sheet, &rules(&partners)).collect();
            // Only what the zip does not checksum, such as a date of a part, may be flipped unnoticed.
            assert_eq!(told(&got), original, "byte {at}");
        }
    }
}
