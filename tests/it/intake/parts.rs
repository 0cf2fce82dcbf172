//! Workbooks whose parts stand elsewhere than usual: legal packages, which other programs read, and those that say two
//! things of themselves.

use super::*;
use yichuan::intake::{FileKind, SheetError};

type Parts = Vec<(String, String)>;

/// The parts of a workbook of one row, in whose last column a formula was never computed.
fn uncomputed() -> Parts {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    header(sheet, 0, Column::ALL);
    write(sheet, 1, Column::ALL, &person(1));
    let mut parts = unpacked(workbook.save_to_buffer().unwrap());
    let formula = "<c r=\"U2\"><f>VLOOKUP(B2,Sheet2!A:B,2,0)</f></c></row></sheetData>";
    change(&mut parts, "xl/worksheets/sheet1.xml", |xml| {
        xml.replacen("</row></sheetData>", formula, 1)
    });
    parts
}

fn change(parts: &mut Parts, part: &str, change: impl Fn(&str) -> String) {
    let (_, text) = parts.iter_mut().find(|(name, _)| name == part).unwrap();
    let changed = change(text);
    assert_ne!(changed, *text, "{part}");
    *text = changed;
}

/// A part under another name, and what leads to it changed.
fn renamed(parts: &mut Parts, from: &str, to: &str, targets: &[(&str, &str, &str)]) {
    let (name, _) = parts.iter_mut().find(|(name, _)| name == from).unwrap();
    to.clone_into(name);
    for (part, old, new) in targets {
        change(parts, part, |xml| xml.replace(old, new));
    }
}

fn bytes(parts: Parts) -> impl Iterator<Item = (String, Vec<u8>)> {
    parts
        .into_iter()
        .map(|(name, text)| (name, text.into_bytes()))
}

/// What [`uncomputed`] comes to, wherever its parts stand.
fn is_seen(path: &Path, what: &str) {
    let found = told(&verdicts(path));
    let wanted = (2, Verdict::Reject, "remarks:not_computed".to_owned());
    assert_eq!(found, [wanted], "{what}");
}

const RELS: &str = "xl/_rels/workbook.xml.rels";
const TYPES: &str = "[Content_Types].xml";

/// A main part named otherwise was 'an archive', or was read past all checks: a formula without a value was an empty cell.
#[test]
fn regression_parts_are_found_by_relationships_under_any_name() {
    let fixture = Fixture::new();
    for (main, rels) in [
        ("xl/book.xml", "xl/_rels/book.xml.rels"),
        ("xl/myworkbook.xml", "xl/_rels/myworkbook.xml.rels"),
        ("xl/My%20Book.XML", "xl/_rels/my%20book.xml.rels"),
    ] {
        let mut parts = uncomputed();
        let targets = [
            ("_rels/.rels", "xl/workbook.xml", main),
            (TYPES, "/xl/workbook.xml", &format!("/{main}")),
        ];
        renamed(&mut parts, "xl/workbook.xml", main, &targets);
        renamed(&mut parts, RELS, rels, &[]);
        is_seen(&fixture.package(bytes(parts)), main);
    }
    for target in [
        "./worksheets/sheet1.xml",
        "../xl/worksheets/sheet1.xml",
        "worksheets/sheet%31.xml",
        "/xl/worksheets/sheet1.xml",
        "/XL/Worksheets/SHEET1.xml",
        "worksheets\\sheet1.xml",
    ] {
        let mut parts = uncomputed();
        change(&mut parts, RELS, |xml| {
            xml.replace("worksheets/sheet1.xml", target)
        });
        is_seen(&fixture.package(bytes(parts)), target);
    }
    let mut parts = uncomputed();
    let to = "xl/text/all.xml";
    let targets = [
        (RELS, "sharedStrings.xml", "text/all.xml"),
        (TYPES, "/xl/sharedStrings.xml", "/xl/text/all.xml"),
    ];
    renamed(&mut parts, "xl/sharedStrings.xml", to, &targets);
    // Where the usual name is another's, nothing is read from it.
    let decoy = "<sst><si><t>甲</t></si></sst>".to_owned();
    parts.push(("xl/sharedStrings.xml".to_owned(), decoy));
    is_seen(&fixture.package(bytes(parts)), "shared strings elsewhere");
}

#[test]
fn parts_in_utf_16_are_read() {
    let fixture = Fixture::new();
    for is_big in [false, true] {
        let parts = uncomputed().into_iter().map(|(name, text)| {
            let text = text.replacen("encoding=\"UTF-8\"", "encoding=\"UTF-16\"", 1);
            let units = std::iter::once(0xfeff).chain(text.encode_utf16());
            let bytes = units.flat_map(|unit| {
                if is_big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            });
            (name, bytes.collect())
        });
        is_seen(&fixture.package(parts), "UTF-16");
    }
}

#[test]
fn a_workbook_that_contradicts_itself_about_its_parts_is_refused() {
    let fixture = Fixture::new();
    let refused = |parts: Parts, what: &str| {
        let error = Sheet::open(fixture.package(bytes(parts))).unwrap_err();
        assert!(
            matches!(error, SheetError::AmbiguousParts),
            "{what}: {error}"
        );
    };
    // Two sheets of one part: what was noted of it was noted of one of them.
    let mut parts = uncomputed();
    change(&mut parts, "xl/workbook.xml", |xml| {
        let at = xml.find("<sheet ").unwrap();
        let end = at + xml[at..].find("/>").unwrap() + 2;
        let sheet = &xml[at..end];
        let hidden = sheet
            .replace("name=\"Sheet1\"", "name=\"Other\"")
            .replace("sheetId=\"1\"", "sheetId=\"2\"");
        format!("{}{hidden}{}", &xml[..at], &xml[at..])
    });
    refused(parts, "two sheets");
    let mut parts = uncomputed();
    let (_, text) = parts
        .iter()
        .find(|(name, _)| name == "xl/sharedStrings.xml")
        .unwrap()
        .clone();
    parts.push(("xl/other.xml".to_owned(), text));
    let strings =
        "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings";
    let second = parts.clone();
    change(&mut parts, RELS, |xml| {
        let other = format!(
            "<Relationship Id=\"x\" Type=\"{strings}\" Target=\"other.xml\"/></Relationships>"
        );
        xml.replace("</Relationships>", &other)
    });
    refused(parts, "two relationships");
    let mut parts = second;
    change(&mut parts, TYPES, |xml| {
        let of = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml";
        let other = format!("<Override PartName=\"/xl/other.xml\" ContentType=\"{of}\"/></Types>");
        xml.replace("</Types>", &other)
    });
    refused(parts, "relationship and content type");
    let mut parts = uncomputed();
    let (_, text) = parts[0].clone();
    parts.push(("XL/Workbook.xml".to_owned(), text));
    refused(parts, "two parts that differ in case");
}

#[test]
fn a_package_without_a_workbook_is_named() {
    let fixture = Fixture::new();
    let binary = "application/vnd.ms-excel.sheet.binary.macroEnabled.main";
    let mut parts = uncomputed();
    let main = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml";
    change(&mut parts, TYPES, |xml| xml.replace(main, binary));
    let error = Sheet::open(fixture.package(bytes(parts))).unwrap_err();
    assert!(matches!(
        error,
        SheetError::WrongType(FileKind::BinaryWorkbook)
    ));
    let mut parts = uncomputed();
    change(&mut parts, RELS, |xml| {
        xml.replace("worksheets/sheet1.xml", "worksheets/none.xml")
    });
    let error = Sheet::open(fixture.package(bytes(parts))).unwrap_err();
    assert!(matches!(error, SheetError::Damaged), "{error}");
}

/// What other programs pass over, or choose between, was read; and of a value in pieces, the first alone.
#[test]
fn regression_what_other_programs_read_otherwise_is_refused() {
    let fixture = Fixture::new();
    let refused = |part: &str, from: &str, to: &str| {
        let mut parts = uncomputed();
        change(&mut parts, part, |xml| xml.replacen(from, to, 1));
        let read = Sheet::open(fixture.package(bytes(parts)));
        let is_refused = matches!(read, Err(SheetError::Damaged | SheetError::AmbiguousParts));
        assert!(is_refused, "{to}");
    };
    let (book, sheet) = ("xl/workbook.xml", "xl/worksheets/sheet1.xml");
    let id = "r:id=\"rId1\"";
    refused(book, id, &format!("{id} xmlns:x=\"urn:x\" x:id=\"rId2\""));
    let open = "<sheetData>";
    refused(
        sheet,
        open,
        &format!("{open}<x:row xmlns:x=\"urn:x\" r=\"1\"><x:c r=\"A1\"/></x:row>"),
    );
    let rows = "<mc:AlternateContent xmlns:mc=\"urn:mc\"></mc:AlternateContent>";
    refused(sheet, open, &format!("{open}{rows}"));
    let formula = "<f>VLOOKUP(B2,Sheet2!A:B,2,0)</f>";
    for value in [
        "<v>138&#48;0000</v>",
        "<v><![CDATA[138]]></v>",
        "<v>138<!-- -->0000</v>",
        "<v>138<?x y?>0000</v>",
        "<v>138<x/></v>",
        "<v>138</v><v>139</v>",
    ] {
        refused(sheet, formula, value);
    }
    for cell in [
        "t=\"s\"><v>zz</v>",
        "t=\"s\"><v>1.0</v>",
        "t=\"str\"><v><![CDATA[138]]></v>",
        "s=\"x\"><v>138</v>",
    ] {
        refused(
            sheet,
            &format!("<c r=\"U2\">{formula}"),
            &format!("<c r=\"U2\" {cell}"),
        );
    }
    for value in ["<v>138</v>", "<v> 138 </v>", "<f>A1&amp;\"\"</f><v>138</v>"] {
        let mut parts = uncomputed();
        change(&mut parts, sheet, |xml| xml.replacen(formula, value, 1));
        assert!(
            Sheet::open(fixture.package(bytes(parts))).is_ok(),
            "{value}"
        );
    }
}
