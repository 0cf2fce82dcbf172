//! What files may cost: the real command, on files made to eat memory, may have no more than so much of it.

use super::*;
use std::process::Command;
use yichuan::intake::MAX_ROWS;
use zip::CompressionMethod;

/// Address space of the command, in KiB. Whoever asks for more is refused by the system, and aborts.
const LIMIT_KIB: u32 = 448 * 1024;

/// What the check says of a file, within bounded memory.
fn said(path: &Path) -> (Option<i32>, String) {
    let program = env!("CARGO_BIN_EXE_yichuan");
    let script = format!("ulimit -v {LIMIT_KIB} && exec \"$0\" \"$@\"");
    let output = Command::new("sh")
        .args(["-c", &script, program, "--lang", "en", "lead", "check"])
        .args(["--jurisdiction", "520624", "--partners", "440000"])
        .arg(path)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap() + &String::from_utf8_lossy(&output.stdout);
    (output.status.code(), said)
}

fn refused(path: &Path, why: &str) {
    let (code, said) = said(path);
    assert_eq!(code, Some(65), "{why}: {said}");
    assert!(said.contains(why), "{why}: {said}");
}

const RELS: &str = r#"<Relationships><Relationship Id="r0" Type="x/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;

/// A part of a workbook, written as it is packed.
type Part<'a> = (&'a str, &'a dyn Fn(&mut dyn Write));

/// A workbook of these worksheets and other parts, as no spreadsheet program would make it.
fn raw(fixture: &Fixture, sheets: usize, parts: &[Part<'_>]) -> PathBuf {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let mut workbook = "<workbook><sheets>".to_owned();
    let mut rels = "<Relationships>".to_owned();
    for nth in 1..=sheets {
        workbook += &format!(r#"<sheet name="S{nth}" sheetId="{nth}" r:id="r{nth}"/>"#);
        rels += &format!(
            r#"<Relationship Id="r{nth}" Type="x/relationships/worksheet" Target="worksheets/sheet{nth}.xml"/>"#
        );
    }
    workbook += "</sheets></workbook>";
    for (part, kind) in [(STRINGS, "sharedStrings"), (STYLES, "styles")] {
        if parts.iter().any(|(name, _)| *name == part) {
            rels += &format!(
                r#"<Relationship Id="{kind}" Type="x/relationships/{kind}" Target="/{part}"/>"#
            );
        }
    }
    rels += "</Relationships>";
    for (name, text) in [
        ("_rels/.rels", RELS),
        ("xl/workbook.xml", &workbook),
        ("xl/_rels/workbook.xml.rels", &rels),
    ] {
        zip.start_file(name, options).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    for (name, write) in parts {
        zip.start_file(*name, options).unwrap();
        write(&mut zip);
    }
    fixture.file("raw.xlsx", &zip.finish().unwrap().into_inner())
}

const SHEET: &str = "xl/worksheets/sheet1.xml";
const STRINGS: &str = "xl/sharedStrings.xml";
const STYLES: &str = "xl/styles.xml";

/// Writes a text again and again.
fn again(to: &mut dyn Write, text: &str, times: usize) {
    let many = text.repeat(1_000);
    for _ in 0..times / 1_000 {
        to.write_all(many.as_bytes()).unwrap();
    }
    to.write_all(text.repeat(times % 1_000).as_bytes()).unwrap();
}

/// A worksheet's markup around its rows.
fn worksheet(to: &mut dyn Write, rows: &dyn Fn(&mut dyn Write)) {
    // A dimension is a claim, and nobody's business.
    to.write_all(br#"<worksheet><dimension ref="A1:B2"/><sheetData>"#)
        .unwrap();
    rows(to);
    to.write_all(b"</sheetData></worksheet>").unwrap();
}

#[test]
fn bombs_are_refused_in_words_within_bounded_memory() {
    let fixture = Fixture::new();
    let strings = |to: &mut dyn Write, text: &str, times: usize| {
        to.write_all(b"<sst uniqueCount=\"1\">").unwrap();
        again(to, text, times);
        to.write_all(b"</sst>").unwrap();
    };
    let empty = |to: &mut dyn Write| worksheet(to, &|_| {});
    // What is packed by more than any text is: 200 MB in 200 kB.
    let blank: Part<'_> = (STRINGS, &|to| again(to, " ", 200_000_000));
    refused(
        &raw(&fixture, 1, &[(SHEET, &empty), blank]),
        "unpacks to too much",
    );
    let honest: Part<'_> = (STRINGS, &|to| strings(to, "<si/>", 2_100_000));
    refused(
        &raw(&fixture, 1, &[(SHEET, &empty), honest]),
        "too many different texts",
    );
    let claim: Part<'_> = (STRINGS, &|to| {
        to.write_all(b"<sst uniqueCount=\"4294967295\"/>").unwrap();
    });
    refused(
        &raw(&fixture, 1, &[(SHEET, &empty), claim]),
        "claims more than it can hold",
    );
    let styles: Part<'_> = (STYLES, &|to| {
        to.write_all(b"<styleSheet><cellXfs>").unwrap();
        again(to, "<xf numFmtId=\"14\"/>", 200_000);
    });
    refused(
        &raw(&fixture, 1, &[(SHEET, &empty), styles]),
        "unpacks to too much",
    );
    let deep: Part<'_> = (SHEET, &|to| {
        worksheet(to, &|to| again(to, "<a>", 5_000_000))
    });
    refused(&raw(&fixture, 1, &[deep]), "nested too deep");
    let laughs: Part<'_> = (SHEET, &|to| {
        to.write_all(b"<!DOCTYPE x [<!ENTITY a \"&b;&b;\">]><worksheet>&a;</worksheet>")
            .unwrap();
    });
    refused(&raw(&fixture, 1, &[laughs]), "declares entities");
    let long: Part<'_> = (SHEET, &|to| {
        worksheet(to, &|to| {
            to.write_all(b"<row><c t=\"inlineStr\"><is><t>").unwrap();
            again(to, "&amp;x", 1_000_000);
        });
    });
    refused(&raw(&fixture, 1, &[long]), "32,767 characters");
    let wide: Part<'_> = (SHEET, &|to| {
        worksheet(to, &|to| {
            to.write_all(b"<row>").unwrap();
            again(to, "<c><v>1</v></c>", 1_000_000);
            to.write_all(b"</row>").unwrap();
        });
    });
    refused(&raw(&fixture, 1, &[wide]), "more than 1024 columns");
    // One long string in every cell of a hundred thousand.
    let one: Part<'_> = (STRINGS, &|to| {
        to.write_all(b"<sst><si><t>").unwrap();
        again(to, "text ", 20_000);
        to.write_all(b"</t></si></sst>").unwrap();
    });
    let everywhere: Part<'_> = (SHEET, &|to| {
        worksheet(to, &|to| {
            to.write_all("<row><c t=\"inlineStr\"><is><t>姓名</t></is></c><c t=\"inlineStr\"><is><t>性别</t></is></c></row>".as_bytes()).unwrap();
            again(to, "<row><c t=\"s\"><v>0</v></c></row>", 100_000);
        });
    });
    refused(
        &raw(&fixture, 1, &[everywhere, one]),
        "too many different texts",
    );
}

#[test]
fn two_million_rows_are_refused_with_what_to_do() {
    let fixture = Fixture::new();
    // With and without their numbers.
    let rows = |to: &mut dyn Write| {
        worksheet(to, &|to| again(to, "<row><c><v>1</v></c></row>", 1_000_000));
    };
    let parts: [Part<'_>; 2] = [(SHEET, &rows), ("xl/worksheets/sheet2.xml", &rows)];
    refused(
        &raw(&fixture, 2, &parts),
        "more than 200000 rows in all worksheets together: split the file",
    );
    let mut csv = "姓名,性别\r\n".to_owned();
    csv += &"甲,男\r\n".repeat(2_000_000);
    refused(
        &fixture.file("long.csv", csv.as_bytes()),
        "more than 200000 rows",
    );
    // The last row alone, far below the others.
    let far = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        write(sheet, MAX_ROWS, Column::ALL, &person(1));
    });
    refused(&far, "more than 200000 rows");
}

#[test]
fn text_without_end_is_refused_within_bounded_memory() {
    let fixture = Fixture::new();
    for (text, why) in [
        (
            "姓名,性别\n\"".to_owned() + &"x\n".repeat(20_000_000),
            "row 2 is longer",
        ),
        (
            "姓名,性别\n".to_owned() + &",".repeat(40_000_000),
            "row 2 has more than 1024 columns",
        ),
        ("姓名,性别\n".to_owned() + &"\n".repeat(40_000_000), ""),
        ("x".repeat(40_000_000), "longer than 256 KiB"),
    ] {
        let path = fixture.file("long.csv", text.as_bytes());
        if why.is_empty() {
            let (code, said) = said(&path);
            assert_eq!(code, Some(0), "{said}");
        } else {
            refused(&path, why);
        }
    }
    let large = fixture.file("large.csv", &vec![b'x'; (64 << 20) + 1]);
    refused(&large, "larger than 64 MiB");
}

#[test]
fn a_long_list_of_verdicts_is_printed_in_bounded_memory() {
    let fixture = Fixture::new();
    let mut csv = "姓名,性别\r\n".to_owned();
    csv += &"甲,男\r\n".repeat(3_000);
    let (code, said) = said(&fixture.file("rejected.csv", csv.as_bytes()));
    assert_eq!(code, Some(1));
    assert!(said.contains("3001") && said.contains("3000 rejected"));
    // More than one page, each with its header.
    assert!(said.matches("verdict").count() > 10);
}
