//! Refused rows as they are written back: page by page, with what is wrong, and fit to be read again.

use super::*;
use calamine::{Data, Reader as _, Xlsx, open_workbook};
use yichuan::intake::{Fault, Note, Refused, RefusedRow};

/// Checks a file, and writes its refused rows to another.
pub(crate) fn write_back(fixture: &Fixture, path: &Path, lang: Lang) -> PathBuf {
    let mut refused = Refused::new(lang, fixture.dir.path()).unwrap();
    for row in verdicts(path) {
        if row.verdict != Verdict::Reject {
            continue;
        }
        let errors = row.findings.iter().filter(|f| !f.is_warning());
        refused
            .push(&RefusedRow {
                sheet: row.place.table.name(),
                row: row.place.row,
                header: row.place.table.header(),
                cells: row.cells.as_slice(),
                is_exceeded: row.place.table.is_exceeded(),
                faults: errors
                    .map(|finding| Fault {
                        column: finding.column,
                        code: Some(finding.code),
                        message: row.message(finding, lang),
                    })
                    .collect(),
            })
            .unwrap();
    }
    let back = fixture.dir.path().join("back.xlsx");
    refused.into_workbook().unwrap().save(&back).unwrap();
    back
}

pub(crate) fn cells(path: &Path) -> Vec<Vec<String>> {
    let mut workbook: Xlsx<_> = open_workbook(path).unwrap();
    let range = workbook.worksheet_range_at(0).unwrap().unwrap();
    let rows = range.rows();
    rows.map(|row| row.iter().map(Data::to_string).collect())
        .collect()
}

/// Of all wrong numbers, one in eleven has a fitting check character.
#[test]
fn digits_that_a_spreadsheet_lost_are_never_taken_for_a_number() {
    let fixture = Fixture::new();
    // What Excel keeps of it: its last three digits are zeros, and the check character happens to fit.
    let kept = "522225190001010000";
    assert!(yichuan::domain::ResidentNumber::parse(kept).is_ok());
    let path = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        write(sheet, 1, Column::ALL, &person(1));
        sheet
            .write_number(1, at(Column::ResidentNumber), 522_225_190_001_010_000.0)
            .unwrap();
        sheet.write(1, at(Column::Sex), "女").unwrap();
    });
    for lang in [Lang::Zh, Lang::En] {
        let back = write_back(&fixture, &path, lang);
        let again = verdicts(back);
        assert_eq!(again[0].verdict, Verdict::Reject, "{lang}");
        assert_eq!(again[0].findings[0].column, Some(Column::ResidentNumber));
    }
}

#[test]
fn a_sheet_that_lacks_a_column_comes_back_with_it() {
    let fixture = Fixture::new();
    let there: Vec<_> = Column::ALL
        .iter()
        .copied()
        .filter(|c| ![Column::Facts, Column::Urgency].contains(c))
        .collect();
    let path = fixture.workbook(|sheet| {
        header(sheet, 0, &there);
        sheet.write(0, 30, "序号").unwrap();
        for row in 1..4 {
            write(sheet, row, &there, &person(row.try_into().unwrap()));
            sheet.write(row, 30, row).unwrap();
        }
    });
    let back = write_back(&fixture, &path, Lang::Zh);
    let table = cells(&back);
    assert_eq!(table.len(), 4);
    assert_eq!(table[0][table[0].len() - 2..], ["事实依据", "紧急程度"]);
    assert!(table[0].contains(&"序号".to_owned()));
    let findings = |path: &Path| -> Vec<_> {
        let first = &verdicts(path)[0];
        first.findings.iter().map(|f| f.code).collect()
    };
    assert_eq!(findings(&path), [FindingCode::MissingColumn; 2]);
    assert_eq!(
        findings(&back),
        [FindingCode::NoFactualBasis, FindingCode::MissingValue]
    );
}

#[test]
fn the_added_columns_are_known_to_no_reading() {
    for lang in [Lang::Zh, Lang::En] {
        let fixture = Fixture::new();
        let path = fixture.workbook(|sheet| {
            header(sheet, 0, Column::ALL);
            let fields = LeadFields {
                facts: String::new(),
                ..person(1)
            };
            write(sheet, 1, Column::ALL, &fields);
        });
        let once = cells(&write_back(&fixture, &path, lang));
        for added in &once[0][..4] {
            let known: Option<Column> = yichuan::intake::column_named(added);
            assert_eq!(known, None, "{added}");
        }
        let back = fixture.dir.path().join("back.xlsx");
        let sheet = Sheet::open(&back).unwrap();
        assert_eq!(sheet.notes().len(), 4);
        assert!(sheet.notes().iter().all(Note::is_expected));
        // Refused twice, it has one set of them, of the second time.
        let first = fixture.dir.path().join("first.xlsx");
        std::fs::rename(&back, &first).unwrap();
        let twice = cells(&write_back(&fixture, &first, lang));
        assert_eq!(twice[0], once[0]);
        assert_eq!(twice[1][3..], once[1][3..]);
    }
}

#[test]
fn worksheets_keep_their_names_and_columns_apart() {
    let fixture = Fixture::new();
    let mut refused = Refused::<Column>::new(Lang::Zh, fixture.dir.path()).unwrap();
    let fault = || Fault {
        column: Some(Column::Name),
        code: Some(FindingCode::MissingValue),
        message: "必填".to_owned(),
    };
    let long = "一".repeat(40);
    for (sheet, header) in [
        (Some("一月"), ["姓名", "备注"]),
        (Some("二月"), ["备注", "姓名"]),
        (Some("二月 "), ["姓名", "性别"]),
        (Some(&*long), ["姓名", "性别"]),
        (Some("a/b"), ["姓名", "性别"]),
        (None, ["姓名", "性别"]),
    ] {
        refused
            .push(&RefusedRow {
                sheet,
                row: 2,
                header: &header.map(str::to_owned),
                cells: &["".to_owned(), "甲".to_owned()],
                is_exceeded: false,
                faults: vec![fault()],
            })
            .unwrap();
    }
    assert_eq!(refused.rows(), 6);
    let path = fixture.dir.path().join("pages.xlsx");
    refused.into_workbook().unwrap().save(&path).unwrap();
    let workbook: Xlsx<_> = open_workbook(&path).unwrap();
    let names = workbook.sheet_names();
    assert_eq!(
        names,
        ["一月", "二月", "二月 ", "退回 4", "退回 5", "退回 6"]
    );
}

/// A cell longer than a workbook takes broke off the push, again and again, and the rows after it were never sent.
#[test]
fn regression_a_cell_that_no_workbook_takes_is_cut_where_it_is_given_back() {
    let fixture = Fixture::new();
    let text = lines_of(&[person(1), person(2)], &"长".repeat(33_000));
    let path = fixture.file("long.csv", text.as_bytes());
    let back = write_back(&fixture, &path, Lang::Zh);
    let rows = cells(&back);
    assert_eq!(rows.len(), 3);
    let longest = rows
        .iter()
        .flatten()
        .map(|cell| cell.encode_utf16().count())
        .max();
    assert_eq!(longest, Some(32_767));
    assert!(rows.iter().flatten().any(|cell| cell.contains("32767")));
}

/// CSV of these rows, each with these facts.
fn lines_of(rows: &[LeadFields], facts: &str) -> String {
    let header: Vec<_> = Column::ALL.iter().map(|c| c.header_zh()).collect();
    let mut text = header.join(",");
    for fields in rows {
        let fields = LeadFields {
            facts: facts.to_owned(),
            ..fields.clone()
        };
        let cells: Vec<_> = Column::ALL.iter().map(|c| fields.get(*c)).collect();
        text += "\n";
        text += &cells.join(",");
    }
    text
}
