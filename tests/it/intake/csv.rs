//! Comma-separated text as programs and people write it.

use super::*;
use yichuan::intake::{Note, SheetError};

/// Lines of the given columns, with a header.
fn lines(columns: &[Column], rows: &[LeadFields], delimiter: &str, end: &str) -> String {
    let header: Vec<_> = columns.iter().map(|c| c.header_zh().to_owned()).collect();
    let row = |fields: &LeadFields| {
        let cells: Vec<_> = columns.iter().map(|c| fields.get(*c).to_owned()).collect();
        cells.join(delimiter)
    };
    let mut text = header.join(delimiter) + end;
    for fields in rows {
        text += &row(fields);
        text += end;
    }
    text
}

fn accepted(verdicts: &[RowVerdict]) -> Vec<u32> {
    let of = |v: &RowVerdict| (v.verdict == Verdict::Accept).then_some(v.place.row);
    verdicts.iter().filter_map(of).collect()
}

#[test]
fn every_encoding_delimiter_and_line_end_reads_the_same() {
    let fixture = Fixture::new();
    let rows = [person(1), person(2)];
    let mut contents = BTreeSet::new();
    let mut files = 0;
    for delimiter in [",", ";", "\t"] {
        for end in ["\n", "\r\n", "\r"] {
            let text = lines(Column::ALL, &rows, delimiter, end);
            let utf_16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
                ("\u{feff}".to_owned() + &text)
                    .encode_utf16()
                    .flat_map(bytes)
                    .collect()
            };
            for bytes in [
                text.as_bytes().to_vec(),
                format!("\u{feff}{text}").into_bytes(),
                encoding_rs::GB18030.encode(&text).0.into_owned(),
                utf_16(u16::to_le_bytes),
                utf_16(u16::to_be_bytes),
            ] {
                let verdicts = verdicts(fixture.file("leads.csv", &bytes));
                assert_eq!(accepted(&verdicts), [2, 3]);
                let lead = &verdicts[0].parsed.as_ref().unwrap().record;
                contents.insert(lead.canonical_content());
                files += 1;
            }
        }
    }
    assert_eq!((files, contents.len()), (45, 1));
}

#[test]
fn rows_are_named_by_record_with_their_cells_as_written() {
    let fixture = Fixture::new();
    let header: Vec<_> = Column::ALL.iter().map(|c| c.header_zh()).collect();
    let mut first = person(1);
    first.facts = "\"流入地查获包裹，\r\n\"\"指向\"\"该人寄递\"".into();
    let mut third = person(3);
    third.resident_number = "5.22225E+17".into();
    let mut fourth = person(4);
    fourth.resident_number = "522225190010142000".into();
    let mut fifth = person(5);
    fifth.resident_number = "=\"522225190010142478\"".into();
    let rows = lines(Column::ALL, &[first, third, fourth, fifth], ",", "\r\n");
    let (_, rows) = rows.split_once("\r\n").unwrap();
    let (first, others) = rows.split_once("\r\nSN000000003").unwrap();
    let text = format!(
        "思南县外流贩毒人员排查表,,\r\n\r\n{},本局意见\r\n{first}\r\n\r\nSN000000003{others}",
        header.join(",")
    );
    let path = fixture.file("leads.txt", text.as_bytes());
    let sheet = Sheet::open(&path).unwrap();
    let letters = "V".to_owned();
    let header = "本局意见".to_owned();
    assert_eq!(
        sheet.notes(),
        [Note::UnknownColumn {
            sheet: None,
            letters,
            header
        }]
    );
    let verdicts = verdicts(&path);
    let numeric = || "resident_number:rounded_id".to_owned();
    assert_eq!(
        told(&verdicts),
        [
            (4, Verdict::Accept, "facts:normalised".into()),
            (5, Verdict::Skip, ":blank_row".into()),
            (6, Verdict::Reject, numeric()),
            (7, Verdict::Reject, numeric()),
            (8, Verdict::Accept, String::new()),
        ]
    );
    let facts = verdicts[0]
        .parsed
        .as_ref()
        .unwrap()
        .record
        .to_fields()
        .facts;
    assert_eq!(facts, "流入地查获包裹，\n\"指向\"该人寄递");
    let table = &verdicts[2].place.table;
    assert_eq!((table.name(), table.header_row()), (None, 3));
    assert_eq!(table.header().len(), Column::ALL.len() + 1);
    let cells = verdicts[2].cells.as_slice();
    assert_eq!(cells.len(), table.header().len());
    assert_eq!(
        (cells[0].as_str(), cells[3].as_str()),
        ("SN000000003", "5.22225E+17")
    );
}

#[test]
fn text_that_breaks_off_is_refused_by_its_record() {
    let fixture = Fixture::new();
    let mut text = lines(Column::ALL, &[person(1), person(2)], ",", "\r\n").into_bytes();
    text.extend_from_slice(b"\"SN3,");
    let error = Sheet::open(fixture.file("open.csv", &text)).unwrap_err();
    assert!(
        matches!(error, SheetError::OpenQuote { record: 4 }),
        "{error}"
    );
    let text = lines(Column::ALL, &[person(1), person(2)], ",", "\r\n");
    let at = text.rfind("男").unwrap();
    let cut = &text.as_bytes()[..=at];
    let error = Sheet::open(fixture.file("cut.csv", cut)).unwrap_err();
    assert!(
        matches!(error, SheetError::BadText { record: 3, .. }),
        "{error}"
    );
    assert!(error.message(Lang::Zh).contains("第3条记录"), "{error}");
}

#[test]
fn days_are_read_in_every_form_and_refused_where_they_say_two_things() {
    let fixture = Fixture::new();
    let days = [
        ("2026-03-05", Ok(())),
        ("2026/3/5", Ok(())),
        ("2026.3.5", Ok(())),
        ("2026年3月5日", Ok(())),
        ("２０２６年３月５日", Ok(())),
        ("20260305", Ok(())),
        ("2026-03-05 14:30", Ok(())),
        ("05/03/2026", Err(FindingCode::AmbiguousDate)),
        ("26.3.5", Err(FindingCode::AmbiguousDate)),
        ("2026-02-30", Err(FindingCode::NoSuchDay)),
        ("三月五日", Err(FindingCode::Unreadable)),
        // In text nobody knows whether days are counted from 1900 or from 1904.
        ("46086", Err(FindingCode::Unreadable)),
    ];
    let rows = days.iter().zip(1..).map(|((day, _), nth)| LeadFields {
        collected_on: (*day).to_owned(),
        ..person(nth)
    });
    let rows: Vec<_> = rows.collect();
    let text = lines(Column::ALL, &rows, ",", "\n");
    let verdicts = verdicts(fixture.file("days.csv", text.as_bytes()));
    for ((day, becomes), verdict) in days.iter().zip(&verdicts) {
        match becomes {
            Ok(()) => {
                let lead = &verdict.parsed.as_ref().unwrap().record;
                assert_eq!(lead.day(), date(2026, 3, 5), "{day}");
            }
            Err(code) => {
                let found = verdict.findings[0];
                assert_eq!(
                    (found.column, found.code),
                    (Some(Column::CollectedOn), *code)
                );
                assert!(
                    verdict.message(&found, Lang::Zh).contains("2026-06-01"),
                    "{day}"
                );
            }
        }
    }
}

/// A comma in a telephone cell that nobody put into marks: what stood in the last column was lost, and the row was sent.
#[test]
fn regression_a_row_that_has_shifted_is_not_taken() {
    let fixture = Fixture::new();
    let text = lines(Column::ALL, &[person(1), person(2)], ",", "\n");
    let at = text.trim_end().rfind('\n').unwrap();
    let (before, last) = text.trim_end().split_at(at);
    let text = format!("{before}{last},more\n");
    let verdicts = verdicts(fixture.file("shifted.csv", text.as_bytes()));
    let told = told(&verdicts);
    assert_eq!(told[0].1, Verdict::Accept, "{told:?}");
    assert_eq!(told[1].1, Verdict::Reject);
    assert!(told[1].2.contains(":surplus_fields"), "{told:?}");
}

#[test]
fn a_stray_mark_far_down_is_named_by_its_record() {
    let fixture = Fixture::new();
    let people: Vec<_> = (1..60).map(person).collect();
    let mut text = lines(Column::ALL, &people, ",", "\n");
    text.push_str("\"SN90,甲\n\"SN91,乙\n");
    let error = Sheet::open(fixture.file("stray.csv", text.as_bytes())).unwrap_err();
    assert!(
        matches!(error, SheetError::StrayQuote { record: 61 }),
        "{error}"
    );
}
