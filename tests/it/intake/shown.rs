//! Cells that show something else than they hold, pictures in cells, and what is struck through.

use super::{refused::write_back, *};
use rust_xlsxwriter::{ExcelDateTime, Format, Formula};

fn codes(path: impl AsRef<Path>) -> Vec<(u32, Verdict, String)> {
    told(&verdicts(path))
}

fn rejected(row: u32, why: &str) -> (u32, Verdict, String) {
    (row, Verdict::Reject, why.to_owned())
}

/// 1 that is shown as SN202600001 was taken as the number '1', and the next row collided with it.
#[test]
fn regression_a_number_shown_otherwise_is_not_taken_for_what_it_shows() {
    let fixture = Fixture::new();
    let path = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        for row in 1..=7 {
            write(sheet, row, Column::ALL, &person(row.try_into().unwrap()));
        }
        let shown = |code: &str| Format::new().set_num_format(code);
        let mut put = |row, column, n: f64, code| {
            let format = shown(code);
            sheet
                .write_with_format(row, at(column), n, &format)
                .unwrap();
        };
        put(1, Column::Number, 1.0, "\"SN2026\"00000");
        put(2, Column::Number, 7.0, "00000");
        put(3, Column::Phone, 13_800_000_000.0, "000-0000-0000");
        put(4, Column::InformationGrade, 1.0, "0_ ");
        put(5, Column::CollectedOn, 46_174.0, "yyyy\"年\"m\"月\"");
        put(6, Column::CollectedOn, 46_174.0, "yyyy/m/d;@");
        let plate = shown("\"贵D\"@");
        sheet
            .write_with_format(7, at(Column::Plate), "54321", &plate)
            .unwrap();
    });
    let accepted = |row, why: &str| (row, Verdict::Accept, why.to_owned());
    assert_eq!(
        codes(&path),
        [
            rejected(2, "number:shown_otherwise"),
            rejected(3, "number:shown_otherwise"),
            accepted(4, "phone:shown_styled"),
            accepted(5, ""),
            rejected(6, "collected_on:shown_otherwise"),
            accepted(7, ""),
            rejected(8, "plate:shown_otherwise"),
        ]
    );
    // Pushed as it comes back it is refused again.
    let back = codes(write_back(&fixture, &path, Lang::Zh));
    assert_eq!(
        back,
        [
            rejected(2, "number:unmended"),
            rejected(3, "number:unmended"),
            rejected(4, "collected_on:unmended"),
            rejected(5, "plate:unmended"),
        ]
    );
}

/// The formula behind a picture became a person's name.
#[test]
fn regression_a_picture_in_a_cell_is_no_name() {
    let fixture = Fixture::new();
    let of_wps = "=DISPIMG(\"ID_0123456789ABCDEF\",1)";
    let path = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        write(sheet, 1, Column::ALL, &person(1));
        write(sheet, 2, Column::ALL, &person(2));
        let formula = Formula::new("=_xlfn.DISPIMG(\"ID_0123456789ABCDEF\",1)").set_result(of_wps);
        sheet.write(1, at(Column::Name), formula).unwrap();
        sheet.write(2, at(Column::Phone), of_wps).unwrap();
    });
    assert_eq!(
        codes(&path),
        [
            rejected(2, "name:picture_in_cell"),
            rejected(3, "phone:picture_in_cell")
        ]
    );
    let back = codes(write_back(&fixture, &path, Lang::En));
    assert_eq!(
        back,
        [rejected(2, "name:unmended"), rejected(3, "phone:unmended")]
    );
    // As Excel keeps it.
    let of_excel = fixture.tampered("xl/worksheets/sheet1.xml", |xml| {
        let start = xml.find("<c r=\"B2\"").unwrap();
        let end = start + xml[start..].find("</c>").unwrap();
        let cell = "<c r=\"B2\" t=\"e\" vm=\"1\"><v>#VALUE!</v>";
        format!("{}{cell}{}", &xml[..start], &xml[end..])
    });
    assert_eq!(codes(of_excel), [rejected(2, "name:picture_in_cell")]);
    let header: Vec<_> = Column::ALL.iter().map(|c| c.header_zh()).collect();
    let fields = LeadFields {
        name: "\"=DISPIMG(\"\"ID_0\"\",1)\"".into(),
        ..person(1)
    };
    let cells: Vec<_> = Column::ALL.iter().map(|c| fields.get(*c)).collect();
    let csv = format!("{}\n{}\n", header.join(","), cells.join(","));
    assert_eq!(
        codes(fixture.file("picture.csv", csv.as_bytes())),
        [rejected(2, "name:picture_in_cell")]
    );
}

/// A row that is struck through was sent without a word.
#[test]
fn regression_what_is_struck_through_is_not_sent_without_a_word() {
    let fixture = Fixture::new();
    let path = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        let line = Format::new().set_font_strikethrough();
        for row in 1..=4 {
            write(sheet, row, Column::ALL, &person(row.try_into().unwrap()));
        }
        for (column, at) in Column::ALL.iter().zip(0..) {
            let fields = person(1);
            let text = fields.get(*column);
            if !text.is_empty() {
                sheet.write_with_format(1, at, text, &line).unwrap();
            }
        }
        sheet
            .write_with_format(2, at(Column::Phone), "13800000001", &line)
            .unwrap();
        let plain = Format::new();
        sheet
            .write_rich_string(
                3,
                at(Column::Remarks),
                &[(&line, "13800000002"), (&plain, "13800000003")],
            )
            .unwrap();
    });
    let struck = [
        rejected(2, ":struck_out"),
        rejected(3, "phone:struck_out"),
        rejected(4, "remarks:struck_out"),
    ];
    let found = codes(&path);
    assert_eq!(found[..3], struck);
    assert_eq!(found[3].1, Verdict::Accept);
    // It comes back with its line, and is refused until somebody has decided.
    assert_eq!(codes(write_back(&fixture, &path, Lang::Zh)), struck);
}

/// × looks right, and was said to be a wrong check digit.
#[test]
fn regression_a_character_that_looks_like_another_is_named() {
    let fixture = Fixture::new();
    let numbers = [
        ("52222519040926870×", "look_alike", "U+00D7"),
        ("52222519040926870Х", "look_alike", "U+0425"),
        ("52222519040926870Ⅹ", "look_alike", "U+2169"),
        ("5222251904o926870X", "look_alike", "U+006F"),
        ("52222519040926870甲", "odd_character", "U+7532"),
        ("5222251904092687X", "bad_length", ""),
        ("522225190409268701", "bad_check_digit", ""),
    ];
    let path = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        for ((number, ..), row) in numbers.iter().zip(1..) {
            let fields = LeadFields {
                resident_number: (*number).to_owned(),
                sex: "女".into(),
                ..person(row.try_into().unwrap())
            };
            write(sheet, row, Column::ALL, &fields);
        }
    });
    for (verdict, (number, code, character)) in verdicts(&path).iter().zip(numbers) {
        let finding = &verdict.findings[0];
        assert_eq!(finding.code.as_str(), code, "{number}");
        for lang in [Lang::Zh, Lang::En] {
            let said = verdict.message(finding, lang);
            assert!(said.contains(character) && !said.contains("5222"), "{said}");
        }
    }
}

#[test]
fn one_word_is_not_said_of_two_causes() {
    let fixture = Fixture::new();
    let day = ExcelDateTime::from_ymd(2026, 6, 1).unwrap();
    let path = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        let of = |nth: usize, number: &str, day: &str| LeadFields {
            resident_number: number.into(),
            collected_on: day.into(),
            ..person(nth)
        };
        let number = "522225190010142478";
        write(
            sheet,
            1,
            Column::ALL,
            &of(1, "522225190001011000", "2026-06-01"),
        );
        write(sheet, 2, Column::ALL, &of(2, number, "20260601143000"));
        write(sheet, 3, Column::ALL, &of(3, number, ""));
        write(sheet, 4, Column::ALL, &of(4, number, "六月"));
        write(sheet, 5, Column::ALL, &of(5, number, "2026-06-01"));
        let shown = Format::new().set_num_format("yyyy-mm-dd");
        sheet
            .write_with_format(5, at(Column::CollectedOn), &day, &shown)
            .unwrap();
    });
    let found = codes(path);
    assert_eq!(
        found,
        [
            rejected(2, "resident_number:rounded_id"),
            (3, Verdict::Accept, "collected_on:normalised".to_owned()),
            rejected(4, "collected_on:missing_value"),
            rejected(5, "collected_on:unreadable"),
            (6, Verdict::Accept, String::new()),
        ]
    );
    let said = FindingCode::RoundedId.message(Lang::En);
    assert!(!said.contains("stored as a number"), "{said}");
    // A header may begin as a bitmap does.
    let header: Vec<_> = Column::ALL.iter().map(|c| c.header_zh()).collect();
    let fields = person(1);
    let cells: Vec<_> = Column::ALL.iter().map(|c| fields.get(*c)).collect();
    let csv = format!("BM,{}\n1,{}\n", header.join(","), cells.join(","));
    let found = codes(fixture.file("bm.csv", csv.as_bytes()));
    assert_eq!(found, [(2, Verdict::Accept, String::new())]);
    let protected = b"b\x14\x23\x65\x09\0\x01\0E-SafeNet\0\0LOCK\0\x02".repeat(40);
    let error = Sheet::open(fixture.file("sheet.xlsx", &protected)).unwrap_err();
    assert!(error.message(Lang::Zh).contains("解密"), "{error}");
}
