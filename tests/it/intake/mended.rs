//! Sheets that were read otherwise than they were meant, until somebody tried.

use super::{
    refused::{cells, write_back},
    *,
};
use rust_xlsxwriter::{ExcelDateTime, Format};
use yichuan::intake::{Note, SheetError};

fn codes(path: impl AsRef<Path>) -> Vec<(u32, Verdict, String)> {
    told(&verdicts(path))
}

fn rejected(row: u32, why: &str) -> (u32, Verdict, String) {
    (row, Verdict::Reject, why.to_owned())
}

fn accepted(row: u32) -> (u32, Verdict, String) {
    (row, Verdict::Accept, String::new())
}

/// Lines of CSV with all columns.
fn csv(rows: &[LeadFields]) -> String {
    let header: Vec<_> = Column::ALL.iter().map(|c| c.header_zh()).collect();
    let mut text = header.join(",") + "\n";
    for fields in rows {
        let cells: Vec<_> = Column::ALL.iter().map(|c| fields.get(*c)).collect();
        text += &(cells.join(",") + "\n");
    }
    text
}

/// Remarks with commas and without quotation marks came back cut off, with nothing marked, and were then taken.
#[test]
fn regression_fields_without_a_column_come_back_and_are_refused_until_they_are_dealt_with() {
    let fixture = Fixture::new();
    let fields = LeadFields {
        remarks: "认识王某,二人同住,一并核查".into(),
        ..person(1)
    };
    let path = fixture.file("tail.csv", csv(&[fields]).as_bytes());
    assert_eq!(codes(&path), [rejected(2, ":surplus_fields")]);
    for (lang, heading) in [
        (Lang::Zh, "驿传：多出的内容"),
        (Lang::En, "yichuan: surplus"),
    ] {
        let first = fixture.dir.path().join("first.xlsx");
        std::fs::rename(write_back(&fixture, &path, lang), &first).unwrap();
        let table = cells(&first);
        let at = table[0].iter().position(|text| text == heading).unwrap();
        assert_eq!(table[1][at], "二人同住 | 一并核查");
        // Pushed as it is, it is refused again, and loses nothing.
        assert_eq!(codes(&first), [rejected(2, ":surplus_fields")]);
        let twice = cells(&write_back(&fixture, &first, lang));
        assert_eq!(twice[1][4..], table[1][4..]);
    }
}

#[test]
fn regression_what_an_optional_cell_has_lost_is_not_taken_for_an_empty_one() {
    let fixture = Fixture::new();
    let path = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        for row in 1..=3 {
            write(sheet, row, Column::ALL, &person(row.try_into().unwrap()));
        }
        let day = ExcelDateTime::from_ymd(2026, 3, 1).unwrap();
        let shown = Format::new().set_num_format("m-d");
        sheet
            .write_with_format(1, at(Column::Remarks), &day, &shown)
            .unwrap();
        sheet.write(2, at(Column::Phone), 1.38e21).unwrap();
        sheet.write(3, at(Column::Phone), "1.38E+10").unwrap();
    });
    let lost = [
        rejected(2, "remarks:not_as_typed"),
        rejected(3, "phone:not_as_typed"),
        rejected(4, "phone:not_as_typed"),
    ];
    assert_eq!(codes(&path), lost);
    let unmended = [
        rejected(2, "remarks:unmended"),
        rejected(3, "phone:unmended"),
        rejected(4, "phone:unmended"),
    ];
    for lang in [Lang::Zh, Lang::En] {
        let once = fixture.dir.path().join("once.xlsx");
        std::fs::rename(write_back(&fixture, &path, lang), &once).unwrap();
        assert_eq!(codes(&once), unmended);
        assert_eq!(codes(write_back(&fixture, &once, lang)), unmended);
    }
}

#[test]
fn regression_a_cell_shown_as_a_day_of_another_century_is_refused() {
    let fixture = Fixture::new();
    let path = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        let shown = Format::new().set_num_format("yyyy-mm-dd");
        for (serial, row) in [0.0, 3.5, 2026.3, 46_174.0].into_iter().zip(1..) {
            write(sheet, row, Column::ALL, &person(row.try_into().unwrap()));
            sheet
                .write_with_format(row, at(Column::CollectedOn), serial, &shown)
                .unwrap();
        }
        let early = LeadFields {
            collected_on: "0001-01-01".into(),
            ..person(5)
        };
        write(sheet, 5, Column::ALL, &early);
    });
    let lost = |row| rejected(row, "collected_on:not_as_typed");
    assert_eq!(
        codes(path),
        [
            lost(2),
            lost(3),
            lost(4),
            accepted(5),
            rejected(6, "collected_on:day_too_early")
        ]
    );
}

/// The part of a workbook's first sheet, with what stands in some of its cells changed.
fn with_cells(fixture: &Fixture, cells: &[(&str, &str)], below: &str) -> PathBuf {
    fixture.tampered("xl/worksheets/sheet1.xml", |mut xml| {
        for (at, cell) in cells {
            let start = format!("<c r=\"{at}\"");
            // Empty cells are not written; those that are tested so stand behind all others.
            let Some(from) = xml.find(&start) else {
                let end = format!("{start}{cell}</row></sheetData>");
                xml = xml.replacen("</row></sheetData>", &end, 1);
                continue;
            };
            let end = xml[from..].find("</c>").map(|end| from + end + 4);
            let closed = xml[from..].find("/>").map(|end| from + end + 2);
            let to = end.into_iter().chain(closed).min().unwrap();
            xml.replace_range(from..to, &format!("{start}{cell}"));
        }
        xml.replacen("</sheetData>", &format!("</sheetData>{below}"), 1)
    })
}

#[test]
fn regression_errors_are_refused_in_their_row_and_passed_over_in_other_columns() {
    let fixture = Fixture::new();
    for (error, code) in [("#N/A", "error_value"), ("#SPILL!", "error_value")] {
        let cell = format!(" t=\"e\"><v>{error}</v></c>");
        let path = with_cells(&fixture, &[("I2", &cell), ("S2", &cell)], "");
        // Two of them, an optional and another, and what stands between them is where it stood.
        let why = format!("substance:{code} phone:{code}");
        assert_eq!(codes(&path), [rejected(2, &why)], "{error}");
        assert_eq!(
            codes(write_back(&fixture, &path, Lang::Zh)),
            [rejected(2, &why)]
        );
    }
    let unread = fixture.tampered("xl/worksheets/sheet1.xml", |xml| {
        xml.replacen(
            "</row></sheetData>",
            "<c r=\"Z2\" t=\"e\"><v>#CALC!</v></c></row></sheetData>",
            1,
        )
    });
    assert_eq!(codes(unread), [accepted(2)]);
    // Without their places in the file, cells behind one that stops the reader would shift.
    let unsure = fixture.tampered("xl/worksheets/sheet1.xml", |xml| {
        let end = "<c t=\"e\"><v>#CALC!</v></c><c><v>1</v></c></row></sheetData>";
        xml.replacen("</row></sheetData>", end, 1)
    });
    assert!(matches!(Sheet::open(unsure), Err(SheetError::ErrorCell)));
    let fields = LeadFields {
        phone: "NaN".into(),
        plate: "#REF!".into(),
        ..person(1)
    };
    let path = fixture.file("nan.csv", csv(&[fields]).as_bytes());
    assert_eq!(
        codes(path),
        [rejected(2, "phone:error_value plate:error_value")]
    );
}

#[test]
fn a_formula_that_was_never_computed_is_no_empty_cell() {
    let fixture = Fixture::new();
    let path = with_cells(&fixture, &[("S2", "><f>A1&amp;\"1\"</f><v></v></c>")], "");
    assert_eq!(codes(&path), [rejected(2, "phone:not_computed")]);
    let back = write_back(&fixture, &path, Lang::En);
    assert_eq!(codes(back), [rejected(2, "phone:unmended")]);
    // One that came to nothing is.
    let path = with_cells(&fixture, &[("S2", " t=\"str\"><f>\"\"</f><v></v></c>")], "");
    assert_eq!(codes(path), [accepted(2)]);
}

#[test]
fn merged_cells_below_the_header_are_refused_where_they_cover_a_column() {
    let fixture = Fixture::new();
    let path = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        let format = Format::new();
        for row in 1..=4 {
            write(sheet, row, Column::ALL, &person(row.try_into().unwrap()));
        }
        let phone = at(Column::Phone);
        sheet
            .merge_range(1, phone, 2, phone, "13800000000", &format)
            .unwrap();
        // Nothing is in it, and nothing is lost.
        let plate = at(Column::Plate);
        sheet.merge_range(3, plate, 4, plate, "", &format).unwrap();
        sheet
            .merge_range(4, 25, 5, 26, "科室意见", &format)
            .unwrap();
    });
    let found = codes(&path);
    let merged = rejected(3, "phone:merged_cell");
    assert_eq!(found, [accepted(2), merged, accepted(4), accepted(5)]);
    let back = write_back(&fixture, &path, Lang::Zh);
    assert_eq!(codes(back), [rejected(2, "phone:unmended")]);
}

#[test]
fn rows_that_are_not_shown_are_read_and_told() {
    let fixture = Fixture::new();
    let path = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        for row in 1..=3 {
            write(sheet, row, Column::ALL, &person(row.try_into().unwrap()));
        }
        sheet.set_row_hidden(1).unwrap();
        sheet.set_row_hidden(3).unwrap();
        sheet.set_row_hidden(4).unwrap();
    });
    let sheet = Sheet::open(&path).unwrap();
    let hidden = Note::HiddenRows {
        sheet: None,
        rows: 2,
    };
    assert_eq!(sheet.notes(), [hidden]);
    assert_eq!(codes(&path), [accepted(2), accepted(3), accepted(4)]);
}

/// A form for one person, or a list whose header was cut off: its first row was taken for the header and printed.
#[test]
fn regression_what_is_no_header_is_not_printed() {
    let fixture = Fixture::new();
    let form = fixture.workbook(|sheet| {
        let texts = ["姓名", "王癸甲", "性别", "男", "曾用名", "王二狗"];
        for (text, at) in texts.into_iter().zip(0..) {
            sheet.write(1, at, text).unwrap();
        }
    });
    let list = "SN1,王癸甲,电话,说明,贵D54321\nSN2,王癸乙,电话,说明,贵D54322\n";
    let list = fixture.file("headless.csv", list.as_bytes());
    for path in [form, list] {
        let sheet = Sheet::open(path).unwrap();
        let part = |note: &Note| matches!(note, Note::PartHeader { .. });
        assert!(sheet.notes().iter().any(part));
        for note in sheet.notes() {
            for lang in [Lang::Zh, Lang::En] {
                let said = note.message(lang);
                let is_bare = !said.contains(['王', '贵']) && !said.contains("SN1");
                assert!(is_bare, "{said}");
            }
        }
    }
    let colons = fixture.workbook(|sheet| {
        for (text, at) in ["姓名：王癸甲", "性别：男", "住址：凉水井镇7组"]
            .into_iter()
            .zip(0..)
        {
            sheet.write(0, at, text).unwrap();
        }
    });
    assert!(matches!(Sheet::open(colons), Err(SheetError::NoHeader)));
    let beside = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        sheet.write(0, 25, "住址：凉水井镇7组").unwrap();
        write(sheet, 1, Column::ALL, &person(1));
    });
    let said = Sheet::open(beside).unwrap().notes()[0].message(Lang::Zh);
    assert!(said.contains("“住址：…”"), "{said}");
}

/// One rounded number in eleven has a fitting check character.
#[test]
fn regression_rounded_numbers_are_refused_where_others_of_their_column_are() {
    let fixture = Fixture::new();
    let of = |nth: usize, number: &str, sex: &str| LeadFields {
        resident_number: number.into(),
        sex: sex.into(),
        ..person(nth)
    };
    let passes = of(1, "522225190001010000", "女");
    let fails = of(2, "522225190001011000", "男");
    let alone = fixture.file("alone.csv", csv(std::slice::from_ref(&passes)).as_bytes());
    let warned = "resident_number:maybe_rounded".to_owned();
    assert_eq!(codes(alone), [(2, Verdict::Accept, warned)]);
    let both = fixture.file("both.csv", csv(&[passes, person(3), fails]).as_bytes());
    let lost = |row| rejected(row, "resident_number:rounded_id");
    assert_eq!(codes(both), [lost(2), accepted(3), lost(4)]);
}

/// The last lead went out with half a telephone number.
#[test]
fn regression_a_file_that_ends_within_its_last_record_is_refused() {
    let fixture = Fixture::new();
    let fields = LeadFields {
        phone: "13800001234".into(),
        ..person(2)
    };
    let text = csv(&[person(1), fields]);
    let cut = &text[..text.find("13800001234").unwrap() + 6];
    let error = Sheet::open(fixture.file("cut.csv", cut.as_bytes())).unwrap_err();
    assert!(
        matches!(error, SheetError::BreaksOff { record: 3 }),
        "{error}"
    );
    // Whole but for its line end; or short, and ended.
    for text in [
        text.trim_end().to_owned(),
        format!("{cut}\n"),
        format!("{text}合计,2"),
    ] {
        let found = codes(fixture.file("whole.csv", text.as_bytes()));
        assert_eq!(found[..2], [accepted(2), accepted(3)]);
    }
}

#[test]
fn the_end_of_a_list_and_its_header_once_more_are_passed_over() {
    let fixture = Fixture::new();
    for gap in [1, 30] {
        let people: Vec<_> = (0..gap).map(person).collect();
        let list = csv(&people);
        let (head, rows) = list.split_once('\n').unwrap();
        let other = csv(&[person(99)]).split_once('\n').unwrap().1.to_owned();
        let text = format!(
            "{head}\n{rows}{head}\n{other}合 计,2\n填表人：甲,审核人：乙\n,以下空白\n注,,甲\n"
        );
        let found = codes(fixture.file("pages.csv", text.as_bytes()));
        let [.., header, lead, sum, by, end, note] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(header.2, ":repeated_header");
        assert_eq!((lead.1, sum.1), (Verdict::Accept, Verdict::Skip));
        for footer in [sum, by, end] {
            assert_eq!(footer.2, ":footer_row", "{footer:?}");
        }
        assert_eq!(note.1, Verdict::Reject);
        assert_eq!(found.len(), gap + 6);
    }
}

#[test]
fn a_stray_control_character_is_named_by_its_record() {
    let fixture = Fixture::new();
    let text = csv(&[person(1), person(2)]);
    let found = codes(fixture.file("dos.csv", format!("{text}\u{1a}").as_bytes()));
    assert_eq!(found, [accepted(2), accepted(3)]);
    for stray in ["\0", "\u{1}"] {
        let at = text.rfind("钱").unwrap();
        let (before, after) = text.split_at(at);
        let path = fixture.file("stray.csv", format!("{before}{stray}{after}").as_bytes());
        let error = Sheet::open(path).unwrap_err();
        assert!(
            matches!(error, SheetError::ControlCharacter { record: 3 }),
            "{error}"
        );
    }
}

#[test]
fn what_stands_far_below_in_no_column_is_no_reason_to_refuse() {
    let fixture = Fixture::new();
    let far = |column: u16| {
        fixture.workbook(|sheet| {
            header(sheet, 0, Column::ALL);
            write(sheet, 1, Column::ALL, &person(1));
            sheet.write(900_000, column, "x").unwrap();
        })
    };
    assert_eq!(codes(far(40)), [accepted(2)]);
    let error = Sheet::open(far(0)).unwrap_err();
    assert!(
        matches!(error, SheetError::FarRow { row: 900_001 }),
        "{error}"
    );
}

/// A jotting beside the table came back no more.
#[test]
fn regression_what_is_jotted_down_beside_a_table_comes_back() {
    let fixture = Fixture::new();
    let path = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        let fields = LeadFields {
            facts: String::new(),
            ..person(1)
        };
        write(sheet, 1, Column::ALL, &fields);
        sheet.write(1, 24, "问过派出所").unwrap();
    });
    let why = rejected(2, "facts:no_factual_basis");
    let first = fixture.dir.path().join("first.xlsx");
    std::fs::rename(write_back(&fixture, &path, Lang::Zh), &first).unwrap();
    let table = cells(&first);
    let at = table[0]
        .iter()
        .position(|text| text == "驿传：表外的内容")
        .unwrap();
    assert_eq!(table[1][at], "问过派出所");
    assert_eq!(codes(&first), [why]);
    assert_eq!(
        cells(&write_back(&fixture, &first, Lang::Zh))[1][at],
        "问过派出所"
    );
}

#[test]
fn a_white_picture_is_no_bomb() {
    let fixture = Fixture::new();
    let path = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        write(sheet, 1, Column::ALL, &person(1));
    });
    let mut zip = ZipWriter::new_append(
        std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap(),
    )
    .unwrap();
    zip.start_file("xl/media/white.bmp", SimpleFileOptions::default())
        .unwrap();
    zip.write_all(&vec![0xff; 8 << 20]).unwrap();
    zip.finish().unwrap();
    assert_eq!(codes(path), [accepted(2)]);
}

#[test]
fn blank_rows_one_below_the_other_are_one_line() {
    let fixture = Fixture::new();
    let text = csv(&[person(1), person(2)]);
    let (head, last) = text.trim_end().rsplit_once('\n').unwrap();
    let path = fixture.file(
        "gap.csv",
        format!("{head}\n{}{last}\n\n,,\n合计,2\n", "\n".repeat(500)).as_bytes(),
    );
    let partners = partners();
    let mut out = Vec::new();
    let format = lead_check::Format::Table;
    let summary = lead_check::run(&path, &rules(&partners), format, Lang::En, &mut out).unwrap();
    assert_eq!((summary.accepted, summary.skipped), (2, 503));
    let table = String::from_utf8(out).unwrap();
    assert!(
        table.contains("3–502") && table.contains("504–505"),
        "{table}"
    );
    assert_eq!(table.matches("blank_row").count(), 2, "{table}");
    assert_eq!(table.matches("footer_row").count(), 1, "{table}");
}
