//! Spreadsheets to leads: the sample, sheets as officers make them, and files made to do harm.

mod bounds;
mod csv;
mod files;
mod mended;
mod parts;
mod refused;
mod sheets;
mod shown;
mod template;
mod written;

use jiff::civil::{Date, date};
use rust_xlsxwriter::{Workbook, Worksheet};
use std::{
    collections::{BTreeSet, HashSet},
    io::{Cursor, Read, Write},
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use yichuan::{
    cli::lead_check::{self, Summary},
    domain::{Column, Finding, FindingCode, Jurisdiction, Lang, LeadFields, Rules},
    intake::{JsonRow, RowVerdict, Sheet, Verdict, check},
};
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

const SAMPLE: &str = "tests/data/screening-sample.xlsx";
const EXPECTED: &str = include_str!("../../data/screening-sample.expected.tsv");
const TODAY: Date = date(2026, 8, 1);

fn partners() -> BTreeSet<Jurisdiction> {
    ["440000", "330000"]
        .map(|code| code.parse().unwrap())
        .into()
}

fn rules(partners: &BTreeSet<Jurisdiction>) -> Rules<'_> {
    Rules {
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
        .map(|v| (v.row(), v.verdict, findings(v)))
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
        let mut parts = unpacked(from);
        let (_, text) = parts.iter_mut().find(|(name, _)| name == part).unwrap();
        let changed = change(text.clone());
        assert_ne!(changed, *text, "nothing was tampered with");
        *text = changed;
        let parts = parts
            .into_iter()
            .map(|(name, text)| (name, text.into_bytes()));
        self.package(parts)
    }

    /// A workbook of these parts.
    fn package(&self, parts: impl IntoIterator<Item = (String, Vec<u8>)>) -> PathBuf {
        let mut to = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in parts {
            to.start_file(name, SimpleFileOptions::default()).unwrap();
            to.write_all(&bytes).unwrap();
        }
        self.file("tampered.xlsx", &to.finish().unwrap().into_inner())
    }
}

/// The parts of a workbook, all of them text.
fn unpacked(workbook: Vec<u8>) -> Vec<(String, String)> {
    let mut archive = ZipArchive::new(Cursor::new(workbook)).unwrap();
    let parts = (0..archive.len()).map(|index| {
        let mut entry = archive.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        (name, text)
    });
    parts.collect()
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
                v.row(),
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
        .map(|v| (v.row(), v.findings[0].column.unwrap().as_str()))
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
    assert_eq!(verdicts[28].first.as_ref().unwrap().row, 29);
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
        .filter_map(|v| Some(v.parsed.as_ref()?.route))
        .collect();
    assert_eq!(to, partners());
}

#[test]
fn every_code_is_stable_and_speaks_both_languages() {
    let codes: Vec<_> = FindingCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(
        codes,
        [
            "missing_column",
            "surplus_fields",
            "blank_row",
            "footer_row",
            "repeated_header",
            "duplicate_in_file",
            "changed_content",
            "numeric_id",
            "rounded_id",
            "unmended",
            "not_as_typed",
            "error_value",
            "not_computed",
            "shown_otherwise",
            "picture_in_cell",
            "struck_out",
            "merged_cell",
            "legacy_15_digit",
            "bad_length",
            "look_alike",
            "odd_character",
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
            "unreadable",
            "not_a_name",
            "several_names",
            "ambiguous_date",
            "no_such_day",
            "day_too_early",
            "too_long",
            "own_resident",
            "no_origin_partner",
            "future_catch",
            "bad_case_number",
            "unknown_lead",
            "maybe_rounded",
            "shown_styled",
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
    assert!(json.starts_with(
        r#"{"sheet":"排查表","row":2,"verdict":"accept","reasons":[],"lead_id":null}"#
    ));

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
            assert!(
                !everything.contains(secret.as_str()),
                "row {}",
                row.place.row
            );
        }
    }
}
