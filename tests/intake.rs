//! Spreadsheets to leads: the sample, sheets as officers make them, and files made to do harm.

use jiff::civil::{Date, date};
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet};
use std::{
    collections::{BTreeSet, HashSet},
    io::{Cursor, Read, Write},
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use yichuan::{
    cli::lead_check::{self, Summary},
    domain::{Column, Finding, FindingCode, Jurisdiction, Lang, LeadFields, LeadRules},
    intake::{JsonRow, MAX_ROWS, RowVerdict, Sheet, SheetError, Verdict, check},
};
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

const SAMPLE: &str = "tests/data/screening-sample.xlsx";
const EXPECTED: &str = include_str!("data/screening-sample.expected.tsv");
const TODAY: Date = date(2026, 8, 1);

fn partners() -> BTreeSet<Jurisdiction> {
    ["440000", "330000"]
        .map(|code| code.parse().unwrap())
        .into()
}

fn rules(partners: &BTreeSet<Jurisdiction>) -> LeadRules<'_> {
    LeadRules {
        own: "520624".parse().unwrap(),
        partners,
        today: TODAY,
    }
}

fn verdicts(path: impl AsRef<Path>) -> Vec<RowVerdict> {
    let partners = partners();
    check(Sheet::open(path).unwrap(), &rules(&partners)).collect()
}

/// Row number, verdict, and `column:code` of all findings.
fn told(verdicts: &[RowVerdict]) -> Vec<(u32, Verdict, String)> {
    let finding = |f: &Finding| format!("{}:{}", f.column.map_or("", Column::as_str), f.code);
    let findings = |v: &RowVerdict| v.findings.iter().map(finding).collect::<Vec<_>>().join(" ");
    verdicts
        .iter()
        .map(|v| (v.row, v.verdict, findings(v)))
        .collect()
}

/// An invented person; each `nth` has a lead number of its own.
fn person(nth: usize) -> LeadFields {
    LeadFields {
        number: format!("SN{nth:09}"),
        name: "钱癸子".into(),
        sex: "男".into(),
        resident_number: "522225190010142478".into(),
        registered_code: "520624111".into(),
        destination_code: "440232".into(),
        substance: "不详".into(),
        conduct: "贩卖".into(),
        facts: "流入地查获包裹指向该人寄递".into(),
        collection_method: "讯问笔录".into(),
        collected_on: "2026-06-01".into(),
        source_grade: "D".into(),
        information_grade: "1".into(),
        urgency: "普通".into(),
        handling: "H0".into(),
        ..LeadFields::default()
    }
}

struct Fixture {
    dir: TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
        }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn workbook(&self, fill: impl FnOnce(&mut Worksheet)) -> PathBuf {
        let mut workbook = Workbook::new();
        fill(workbook.add_worksheet());
        self.file("sheet.xlsx", &workbook.save_to_buffer().unwrap())
    }

    /// A workbook with one part in another's place.
    fn tampered(&self, part: &str, change: impl Fn(String) -> String) -> PathBuf {
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        header(sheet, 0, Column::ALL);
        write(sheet, 1, Column::ALL, &person(1));
        let from = workbook.save_to_buffer().unwrap();
        let mut archive = ZipArchive::new(Cursor::new(from)).unwrap();
        let mut to = ZipWriter::new(Cursor::new(Vec::new()));
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).unwrap();
            let name = entry.name().unwrap().into_owned();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            if name == part {
                let changed = change(text.clone());
                assert_ne!(changed, text, "nothing was tampered with");
                text = changed;
            }
            to.start_file(name, SimpleFileOptions::default()).unwrap();
            to.write_all(text.as_bytes()).unwrap();
        }
        self.file("tampered.xlsx", &to.finish().unwrap().into_inner())
    }
}

fn header(sheet: &mut Worksheet, row: u32, columns: &[Column]) {
    for (column, at) in columns.iter().zip(0..) {
        sheet.write(row, at, column.header_zh()).unwrap();
    }
}

fn write(sheet: &mut Worksheet, row: u32, columns: &[Column], fields: &LeadFields) {
    for (column, at) in columns.iter().zip(0..) {
        sheet.write(row, at, fields.get(*column)).unwrap();
    }
}

fn at(column: Column) -> u16 {
    let at = Column::ALL.iter().position(|c| *c == column).unwrap();
    u16::try_from(at).unwrap()
}

#[test]
fn the_sample_gets_what_its_key_says() {
    let expected: Vec<(u32, &str, &str)> = EXPECTED
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut cells = line.split('\t');
            let row = cells.next().unwrap().parse().unwrap();
            (row, cells.next().unwrap(), cells.next().unwrap_or(""))
        })
        .collect();
    let verdicts = verdicts(SAMPLE);
    let got: Vec<_> = verdicts
        .iter()
        .map(|v| {
            (
                v.row,
                v.verdict.as_str(),
                v.findings.first().map_or("", |f| f.code.as_str()),
            )
        })
        .collect();
    assert_eq!(got, expected);
    assert_eq!(got.len(), 200);

    let columns: HashSet<_> = verdicts
        .iter()
        .filter(|v| v.verdict == Verdict::Reject)
        .map(|v| (v.row, v.findings[0].column.unwrap().as_str()))
        .collect();
    assert_eq!(
        columns,
        HashSet::from([
            (18, "source_grade"),
            (20, "resident_number"),
            (24, "destination_code"),
            (28, "destination_code"),
            (44, "resident_number"),
            (60, "destination_code"),
            (88, "resident_number"),
            (107, "resident_number"),
            (143, "collected_on"),
            (172, "facts"),
        ])
    );
    assert_eq!(verdicts[28].first_row, Some(29));
    let tidied: Vec<_> = told(&verdicts)
        .into_iter()
        .filter(|(_, verdict, findings)| *verdict == Verdict::Accept && !findings.is_empty())
        .map(|(row, _, findings)| (row, findings))
        .collect();
    let normalised = || "resident_number:normalised".to_owned();
    assert_eq!(
        tidied,
        [(15, normalised()), (99, normalised()), (155, normalised())]
    );
    let to: BTreeSet<_> = verdicts
        .iter()
        .filter_map(|v| Some(v.lead.as_ref()?.route))
        .collect();
    assert_eq!(to, partners());
}

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
    let lead = &verdicts[0].lead.as_ref().unwrap().lead;
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
            (6, Verdict::Reject, "resident_number:numeric_id".into()),
        ]
    );
    for row in [0, 1] {
        let lead = &verdicts[row].lead.as_ref().unwrap().lead;
        assert_eq!(lead.collected_on(), date(2026, 6, 1));
    }
    assert_eq!(
        verdicts[3].lead.as_ref().unwrap().lead.phone(),
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
    assert!(matches!(
        refused(fixture.file("c.CSV", "线索编号,姓名".as_bytes())),
        SheetError::Csv
    ));
    assert!(matches!(
        refused(fixture.file("d.xlsx", b"%PDF-1.7")),
        SheetError::NotXlsx
    ));
    assert!(matches!(
        refused(fixture.file("e.xlsx", b"")),
        SheetError::NotXlsx
    ));
    assert!(matches!(
        refused(fixture.file("f.xlsx", &word)),
        SheetError::NotXlsx
    ));
    assert!(matches!(
        refused(fixture.workbook(|_| {})),
        SheetError::Empty
    ));
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
    assert!(matches!(error, SheetError::TooManyRows));
    assert!(error.to_string().contains("50000"));
}

#[test]
fn a_workbook_that_breaks_off_is_never_half_read() {
    let fixture = Fixture::new();
    let whole = std::fs::read(SAMPLE).unwrap();
    for tenth in 0..10 {
        let cut = &whole[..whole.len() * tenth / 10];
        let error = refused(fixture.file("cut.xlsx", cut));
        assert!(
            matches!(error, SheetError::Damaged | SheetError::NotXlsx),
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

#[test]
fn every_code_is_stable_and_speaks_both_languages() {
    let codes: Vec<_> = FindingCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(
        codes,
        [
            "missing_column",
            "blank_row",
            "duplicate_in_file",
            "changed_content",
            "numeric_id",
            "legacy_15_digit",
            "bad_check_digit",
            "bad_birth_date",
            "sex_mismatch",
            "own_county_destination",
            "bad_destination",
            "no_partner_card",
            "no_factual_basis",
            "future_collection",
            "unknown_grade",
            "unknown_handling",
            "unknown_urgency",
            "missing_value",
            "too_long",
            "normalised",
            "unknown_division",
        ]
    );
    for code in FindingCode::ALL {
        let zh = code.message(Lang::Zh);
        let en = code.message(Lang::En);
        assert!(zh.chars().any(|c| c > '\u{4e00}') && zh != en, "{code}");
        assert!(
            !en.contains("  ") && en.is_ascii() || en.contains(['–', '普']),
            "{code}: {en}"
        );
    }
}

fn printed(format: lead_check::Format, lang: Lang) -> (Summary, String) {
    let partners = partners();
    let mut out = Vec::new();
    let path = Path::new(SAMPLE);
    let summary = lead_check::run(path, &rules(&partners), format, lang, &mut out).unwrap();
    (summary, String::from_utf8(out).unwrap())
}

#[test]
fn the_command_prints_verdicts_and_nothing_of_a_person() {
    let (summary, table) = printed(lead_check::Format::Table, Lang::Zh);
    assert_eq!(
        summary,
        Summary {
            accepted: 188,
            warned: 3,
            duplicates: 1,
            rejected: 10,
            skipped: 1
        }
    );
    assert!(
        table.contains("共200行：接受188（其中有提示3），重复1，拒绝10，跳过1"),
        "{table}"
    );
    assert!(
        table.contains("bad_check_digit") && table.contains("第29行"),
        "{table}"
    );
    let (_, json) = printed(lead_check::Format::Json, Lang::En);
    let rows: Vec<JsonRow> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 200);
    assert_eq!(
        (rows[16].row, rows[16].reasons[0].column.as_deref()),
        (18, Some("source_grade"))
    );
    assert!(json.starts_with(r#"{"row":2,"verdict":"accept","reasons":[],"lead_id":null}"#));

    let everything = format!("{table}{json}");
    for row in Sheet::open(SAMPLE).unwrap().rows() {
        let yichuan::intake::Content::Filled { fields, .. } = row.content else {
            continue;
        };
        let lead = [
            fields.number,
            fields.name,
            fields.resident_number,
            fields.facts,
        ];
        for secret in lead.iter().filter(|text| !text.trim().is_empty()) {
            assert!(!everything.contains(secret.as_str()), "row {}", row.row);
        }
    }
}
