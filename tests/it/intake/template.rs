//! The template: what it is filled with is taken, and nothing in it is taken for a lead.

use super::*;
use calamine::{Reader as _, SheetVisible, Xlsx, open_workbook};
use rust_xlsxwriter::XlsxError;
use yichuan::intake::{Note, template};

const LANGS: [Lang; 2] = [Lang::Zh, Lang::En];

/// A template with rows in it.
fn filled(fixture: &Fixture, lang: Lang, rows: &[LeadFields]) -> PathBuf {
    let mut workbook = template(lang).unwrap();
    let form = workbook.worksheet_from_index(0).unwrap();
    for (fields, row) in rows.iter().zip(1..) {
        for (column, at) in Column::ALL.iter().zip(0..) {
            let text = fields.get(*column);
            if !text.is_empty() {
                form.write(row, at, text).unwrap();
            }
        }
    }
    let path = fixture.dir.path().join(format!("{lang}.xlsx"));
    workbook.save(&path).unwrap();
    path
}

#[test]
fn a_filled_template_is_accepted_and_its_other_pages_are_no_leads() {
    let fixture = Fixture::new();
    for lang in LANGS {
        let path = filled(&fixture, lang, &[person(1), person(2)]);
        let notes = Sheet::open(&path).unwrap().notes().to_vec();
        assert_eq!(notes.len(), 2);
        assert!(notes.iter().all(Note::is_expected), "{notes:?}");
        let rows = told(&verdicts(path));
        let accepted = |row| (row, Verdict::Accept, String::new());
        assert_eq!(rows, [accepted(2), accepted(3)], "{lang}");
    }
}

#[test]
fn digits_and_days_survive_being_typed_into_it() -> Result<(), XlsxError> {
    let fixture = Fixture::new();
    let path = filled(&fixture, Lang::Zh, &[]);
    let mut page = String::new();
    let mut archive = ZipArchive::new(std::fs::File::open(&path).unwrap()).unwrap();
    archive
        .by_name("xl/worksheets/sheet1.xml")
        .unwrap()
        .read_to_string(&mut page)
        .unwrap();
    // Every column is formatted, as text or as a day: `General` makes numbers of what is typed.
    let number = |column: &str, name: &str| -> usize {
        let (_, rest) = column.split_once(name).unwrap();
        rest.split('"').nth(1).unwrap().parse().unwrap()
    };
    let formatted: usize = page
        .split("<col ")
        .skip(1)
        .filter(|column| column.contains("style="))
        .map(|column| number(column, "max=") - number(column, "min=") + 1)
        .sum();
    assert_eq!(formatted, Column::ALL.len());
    // A day that Excel made of what was typed.
    let mut workbook = template(Lang::Zh)?;
    let form = workbook.worksheet_from_index(0)?;
    write(form, 1, Column::ALL, &person(1));
    let at = Column::ALL.iter().position(|c| *c == Column::CollectedOn);
    form.write_number(1, u16::try_from(at.unwrap()).unwrap(), 46_174)?;
    workbook.save(&path)?;
    let verdicts = verdicts(path);
    let lead = &verdicts[0].parsed.as_ref().unwrap().record;
    assert_eq!(lead.day(), date(2026, 6, 1));
    Ok(())
}

/// The values of a range such as `'选项'!$C$1:$C$6`.
fn values(lists: &calamine::Range<calamine::Data>, range: &str) -> Vec<String> {
    let (_, cells) = range.split_once("!$").unwrap();
    let column = u32::from(cells.bytes().next().unwrap() - b'A');
    let last: u32 = cells.rsplit('$').next().unwrap().parse().unwrap();
    (0..last)
        .map(|row| lists.get_value((row, column)).unwrap().to_string())
        .collect()
}

/// The ranges of a list's formula, each with the scheme of grades under which it counts: `IF($N2="uk-3x5x2",…,…)`.
fn ranges(formula: &str) -> Vec<(&str, &str)> {
    let mut ranges = Vec::new();
    let mut scheme = "";
    for part in formula.split(',') {
        if part.starts_with("IF(") {
            scheme = part.split('"').nth(1).unwrap();
        } else {
            ranges.push((std::mem::take(&mut scheme), part.trim_end_matches(')')));
        }
    }
    ranges
}

/// A lead in which a value was chosen.
fn chosen(nth: usize, column: Column, scheme: &str, value: String) -> LeadFields {
    let mut fields = person(nth);
    scheme.clone_into(&mut fields.grade_scheme);
    *fields.get_mut(column) = value;
    let (source, information) = match fields.grade_scheme.as_str() {
        "uk-3x5x2" => ("1", "A"),
        _ => ("A", "1"),
    };
    if column != Column::SourceGrade {
        fields.source_grade = source.into();
    }
    if column != Column::InformationGrade {
        fields.information_grade = information.into();
    }
    if ["女", "F"].contains(&&*fields.sex) {
        fields.resident_number = "522225190001010000".into();
    }
    fields
}

#[test]
fn every_value_of_every_drop_down_is_taken() {
    let fixture = Fixture::new();
    for lang in LANGS {
        let path = filled(&fixture, lang, &[]);
        let mut workbook: Xlsx<_> = open_workbook(&path).unwrap();
        let hidden = workbook.sheets_metadata()[2].clone();
        assert_eq!(hidden.visible, SheetVisible::Hidden);
        let lists = workbook.worksheet_range(&hidden.name).unwrap();
        let mut xml = String::new();
        let mut archive = ZipArchive::new(std::fs::File::open(&path).unwrap()).unwrap();
        let mut sheet = archive.by_name("xl/worksheets/sheet1.xml").unwrap();
        sheet.read_to_string(&mut xml).unwrap();
        let mut rows = Vec::new();
        let mut dropdowns = 0;
        for (column, at) in Column::ALL.iter().copied().zip(b'A'..) {
            let place = format!("sqref=\"{}2:", char::from(at));
            let validation = xml
                .split("<dataValidation ")
                .find(|validation| validation.contains(&place));
            let validation = validation.unwrap_or_else(|| panic!("{column} is not validated"));
            if !validation.contains("type=\"list\"") {
                continue;
            }
            dropdowns += 1;
            let formula = validation.split("<formula1>").nth(1).unwrap();
            let formula = formula.split("</formula1>").next().unwrap();
            assert!(formula.len() < 255, "{column}");
            for (scheme, range) in ranges(formula) {
                for value in values(&lists, range) {
                    rows.push(chosen(rows.len(), column, scheme, value));
                }
            }
        }
        assert_eq!(dropdowns, 6);
        assert!(rows.len() > 30, "{} values", rows.len());
        let path = filled(&fixture, lang, &rows);
        for (row, verdict, findings) in told(&verdicts(path)) {
            assert_eq!(verdict, Verdict::Accept, "{lang} row {row}: {findings}");
        }
    }
}
