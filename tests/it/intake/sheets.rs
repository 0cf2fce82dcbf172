//! Sheets as officers make them.

use super::*;
use rust_xlsxwriter::{ExcelDateTime, Format};
use yichuan::intake::Note;

#[test]
fn columns_stand_in_any_order_in_either_language_below_a_title() {
    let fixture = Fixture::new();
    let path = fixture.workbook(|sheet| {
        sheet.write(1, 0, "思南县外流贩毒人员排查表").unwrap();
        sheet.write(3, 0, "民族").unwrap();
        for (column, at) in Column::ALL.iter().rev().zip(1..) {
            let name = match at % 3 {
                0 => format!(" {}* ", column.header_zh()),
                1 => format!("{}（必填）", column.header_zh()),
                _ => column.as_str().to_owned(),
            };
            sheet.write(3, at, name).unwrap();
            for row in [4, 6] {
                sheet
                    .write(row, at, person(row.try_into().unwrap()).get(*column))
                    .unwrap();
            }
        }
        // Numbered in advance, and never filled.
        for row in 4..40 {
            sheet.write(row, 0, "不录").unwrap();
        }
    });
    let verdicts = verdicts(path);
    assert_eq!(
        told(&verdicts),
        [
            (5, Verdict::Accept, String::new()),
            (6, Verdict::Skip, ":blank_row".into()),
            (7, Verdict::Accept, String::new()),
        ]
    );
    let lead = &verdicts[0].parsed.as_ref().unwrap().record;
    let content = String::from_utf8_lossy(&lead.canonical_content()).into_owned();
    assert!(!content.contains("不录"), "a column of no lead got in");
}

#[test]
fn a_bare_list_of_names_is_refused_column_by_column() {
    let fixture = Fixture::new();
    let columns = [Column::Name, Column::ResidentNumber];
    let path = fixture.workbook(|sheet| {
        header(sheet, 0, &columns);
        write(sheet, 1, &columns, &person(1));
    });
    let verdicts = verdicts(path);
    assert_eq!(verdicts[0].verdict, Verdict::Reject);
    let missing: Vec<_> = verdicts[0]
        .findings
        .iter()
        .map(|f| (f.column.unwrap(), f.code))
        .collect();
    let required: Vec<_> = Column::ALL
        .iter()
        .filter(|c| c.is_required() && !columns.contains(c))
        .map(|c| (*c, FindingCode::MissingColumn))
        .collect();
    assert_eq!(missing, required);
}

#[test]
fn numbers_and_dates_as_spreadsheets_keep_them() {
    let fixture = Fixture::new();
    let path = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        for row in 1..=5 {
            write(sheet, row, Column::ALL, &person(row.try_into().unwrap()));
        }
        let day = ExcelDateTime::from_ymd(2026, 6, 1).unwrap();
        let shown = Format::new().set_num_format("yyyy\"年\"m\"月\"d\"日\"");
        sheet
            .write_with_format(1, at(Column::CollectedOn), &day, &shown)
            .unwrap();
        sheet.write(2, at(Column::CollectedOn), 46_174).unwrap();
        sheet
            .write(3, at(Column::ResidentNumber), 522_225_190_010_142_478_u64)
            .unwrap();
        sheet.write(3, at(Column::CollectedOn), 20_990_101).unwrap();
        sheet
            .write(4, at(Column::DestinationCode), 440_232)
            .unwrap();
        sheet.write(4, at(Column::InformationGrade), 1).unwrap();
        sheet
            .write(4, at(Column::Phone), 13_800_000_000_u64)
            .unwrap();
        sheet
            .write(5, at(Column::ResidentNumber), "5.22225190010142E+17")
            .unwrap();
    });
    let verdicts = verdicts(path);
    assert_eq!(
        told(&verdicts),
        [
            (2, Verdict::Accept, String::new()),
            (3, Verdict::Accept, "collected_on:normalised".into()),
            (
                4,
                Verdict::Reject,
                "resident_number:numeric_id collected_on:future_collection collected_on:normalised"
                    .into()
            ),
            (5, Verdict::Accept, String::new()),
            (6, Verdict::Reject, "resident_number:rounded_id".into()),
        ]
    );
    for row in [0, 1] {
        let lead = &verdicts[row].parsed.as_ref().unwrap().record;
        assert_eq!(lead.day(), date(2026, 6, 1));
    }
    assert_eq!(
        verdicts[3]
            .parsed
            .as_ref()
            .unwrap()
            .record
            .to_fields()
            .phone,
        "13800000000"
    );
}

#[test]
fn one_number_stands_for_one_content() {
    let fixture = Fixture::new();
    let spelt_otherwise = LeadFields {
        number: " SN000000001".into(),
        sex: "M".into(),
        collected_on: "2026/6/1".into(),
        grade_scheme: "admiralty".into(),
        ..person(1)
    };
    let other_facts = LeadFields {
        facts: "现场查获吸毒人员指认".into(),
        ..person(1)
    };
    let wrong_at_first = LeadFields {
        handling: "H9".into(),
        ..person(2)
    };
    let path = fixture.workbook(|sheet| {
        header(sheet, 0, Column::ALL);
        let rows = [
            person(1),
            spelt_otherwise,
            other_facts,
            wrong_at_first,
            person(2),
            person(1),
        ];
        for (fields, row) in rows.iter().zip(1..) {
            write(sheet, row, Column::ALL, fields);
        }
    });
    let verdicts = verdicts(path);
    let same = || "number:duplicate_in_file".to_owned();
    assert_eq!(
        told(&verdicts),
        [
            (2, Verdict::Accept, String::new()),
            (3, Verdict::Duplicate, same()),
            (4, Verdict::Reject, "number:changed_content".into()),
            (5, Verdict::Reject, "handling:unknown_handling".into()),
            (6, Verdict::Accept, String::new()),
            (7, Verdict::Duplicate, same()),
        ]
    );
    assert!(
        verdicts[5]
            .message(&verdicts[5].findings[0], Lang::En)
            .ends_with("(row 2)")
    );
}

#[test]
fn every_visible_worksheet_with_a_header_is_read() {
    let fixture = Fixture::new();
    let mut workbook = Workbook::new();
    let fill = |sheet: &mut Worksheet, name: &str, at: u32, numbers: &[usize]| {
        sheet.set_name(name).unwrap();
        header(sheet, at, Column::ALL);
        for (nth, row) in numbers.iter().zip(at + 1..) {
            write(sheet, row, Column::ALL, &person(*nth));
        }
    };
    let about = workbook.add_worksheet().set_name("说明").unwrap();
    about.write(0, 0, "填表说明").unwrap();
    about.write(1, 0, "姓名").unwrap();
    about.write(1, 1, "按证件填写").unwrap();
    fill(workbook.add_worksheet(), "东片", 0, &[1, 2]);
    workbook.add_worksheet().set_name("空白").unwrap();
    fill(workbook.add_worksheet(), "西片", 4, &[3, 1]);
    let hidden = workbook.add_worksheet();
    fill(hidden, "去年", 0, &[4]);
    hidden.set_hidden(true);
    let path = fixture.file("several.xlsx", &workbook.save_to_buffer().unwrap());
    let sheet = Sheet::open(&path).unwrap();
    assert_eq!(sheet.len(), 4);
    let name = |name: &str| name.to_owned();
    assert_eq!(
        sheet.notes(),
        [
            Note::NoHeader {
                sheet: name("说明")
            },
            Note::Hidden {
                sheet: name("去年")
            },
        ]
    );
    let verdicts = verdicts(&path);
    let got: Vec<_> = verdicts
        .iter()
        .map(|v| {
            (
                v.place.table.name().unwrap(),
                v.row(),
                v.place.nth,
                v.verdict,
            )
        })
        .collect();
    assert_eq!(
        got,
        [
            ("东片", 2, 1, Verdict::Accept),
            ("东片", 3, 2, Verdict::Accept),
            ("西片", 6, 3, Verdict::Accept),
            ("西片", 7, 4, Verdict::Duplicate),
        ]
    );
    let said = verdicts[3].message(&verdicts[3].findings[0], Lang::Zh);
    assert!(said.contains("工作表“东片”第2行"), "{said}");
    let row = verdicts[3].to_json(Lang::En, None);
    assert_eq!((row.sheet.as_deref(), row.row), (Some("西片"), 7));
}

#[test]
fn groups_of_columns_stand_above_them_in_merged_cells() {
    let fixture = Fixture::new();
    let path = fixture.workbook(|sheet| {
        let format = Format::new();
        let last = u16::try_from(Column::ALL.len()).unwrap();
        sheet
            .merge_range(0, 0, 0, last, "思南县排查表", &format)
            .unwrap();
        for (column, at) in Column::ALL.iter().zip(0..) {
            sheet.write(3, at, person(1).get(*column)).unwrap();
            let code = if [Column::RegisteredCode, Column::DestinationCode].contains(column) {
                "代 码*"
            } else if [Column::RegisteredPlace, Column::DestinationPlace].contains(column) {
                "名称"
            } else if [Column::Name, Column::Sex].contains(column) {
                column.header_zh()
            } else {
                let name = column.header_zh();
                sheet.merge_range(1, at, 2, at, name, &format).unwrap();
                continue;
            };
            sheet.write(2, at, code).unwrap();
        }
        for (from, group) in [
            (Column::Name, "基本\n情况"),
            (Column::RegisteredCode, "户籍地"),
            (Column::DestinationCode, "流入地"),
        ] {
            let from = at(from);
            sheet
                .merge_range(1, from, 1, from + 1, group, &format)
                .unwrap();
        }
    });
    let verdicts = verdicts(path);
    assert_eq!(told(&verdicts), [(4, Verdict::Accept, String::new())]);
    assert_eq!(verdicts[0].place.table.header_row(), 3);
}
