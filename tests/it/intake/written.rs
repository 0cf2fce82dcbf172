//! The sheets that we write, as other readers take them: each part well-formed, each row and each cell once, in rising order.

use super::{refused::write_back, *};
use quick_xml::{Reader, events::Event};
use yichuan::{
    domain::Timestamp,
    intake::{Outcome, Proof, Receipt, ReceiptRow, receipt, template},
};

/// A position in a sheet, row first.
fn position(reference: &str) -> (u32, u32) {
    let digits = reference.find(|c: char| c.is_ascii_digit()).unwrap();
    let (letters, row) = reference.split_at(digits);
    let column = letters.bytes().fold(0, |column, letter| {
        column * 26 + u32::from(letter - b'A') + 1
    });
    (row.parse().unwrap(), column)
}

/// Says how many rows all its sheets have.
fn sound(workbook: Vec<u8>, what: &str) -> usize {
    let mut rows = 0;
    for (name, text) in unpacked(workbook) {
        let mut xml = Reader::from_str(&text);
        let (mut depth, mut last_row, mut last_cell) = (0_u32, 0, (0, 0));
        loop {
            let event = xml
                .read_event()
                .unwrap_or_else(|e| panic!("{what} {name}: {e}"));
            let element = match event {
                Event::Start(element) => {
                    depth += 1;
                    element
                }
                Event::Empty(element) => element,
                Event::End(_) => {
                    depth -= 1;
                    continue;
                }
                Event::Eof => break,
                Event::Text(_)
                | Event::CData(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_)
                | Event::GeneralRef(_) => continue,
            };
            let reference = |key: &str| {
                let attribute = element
                    .attributes()
                    .map(Result::unwrap)
                    .find(|a| a.key.as_ref() == key);
                attribute.map(|a| a.value.into_owned()).unwrap()
            };
            if !name.starts_with("xl/worksheets/") {
                continue;
            }
            match element.local_name().as_ref() {
                "row" => {
                    let row: u32 = reference("r").parse().unwrap();
                    assert!(row > last_row, "{what} {name}: row {row} after {last_row}");
                    last_row = row;
                    rows += 1;
                }
                "c" => {
                    let at = position(&reference("r"));
                    assert!(
                        at > last_cell && at.0 == last_row,
                        "{what} {name}: {at:?} after {last_cell:?}"
                    );
                    last_cell = at;
                }
                _ => {}
            }
        }
        assert_eq!(depth, 0, "{what} {name}");
    }
    rows
}

fn pushed(rows: u32, is_proved: bool) -> Receipt {
    let at = |second: u64| Timestamp::from_millis(1_780_000_000_000 + second * 1_000);
    let row = |(row, outcome): (u32, Outcome)| ReceiptRow {
        sheet: Some("线索".into()),
        row,
        number: format!("SN{row}"),
        outcome,
        lead_id: String::new(),
        log_index: Some(row.into()),
        destination: "440000".into(),
        state: "已送达".into(),
        reason: "甲乙丙丁\n".repeat(row as usize % 4),
    };
    Receipt {
        node: "思南 520624".into(),
        principal: "spiffe://520624.yichuan/officer/officer-001".into(),
        purpose: "排查".into(),
        basis: "campaign:520624-2026-01".into(),
        file: "a.xlsx".into(),
        sha256: "00".repeat(32),
        began: at(0),
        ended: at(9),
        rows: (2..rows + 2)
            .zip(Outcome::ALL.into_iter().cycle())
            .map(row)
            .collect(),
        broken_off: (!is_proved).then(|| "断了".to_owned()),
        proof: is_proved.then(|| Proof {
            origin: "520624.yichuan/log/1".into(),
            size: 9,
            root: "x".into(),
            note: "x\ny\n".into(),
            verified: true,
        }),
    }
}

/// The last row of each sheet of rejects and of each receipt stood there twice, the second time empty; other readers kept
/// the second and lost a person.
#[test]
fn regression_every_row_of_what_we_write_stands_there_once() {
    let fixture = Fixture::new();
    for lang in [Lang::Zh, Lang::En] {
        let form = template(lang).unwrap().save_to_buffer().unwrap();
        assert!(sound(form, "template") > 20);
        for (rows, is_proved) in [(0, true), (1, false), (70, true)] {
            let mut workbook = receipt(&pushed(rows, is_proved), lang, fixture.dir.path()).unwrap();
            let written = sound(workbook.save_to_buffer().unwrap(), "receipt");
            assert!(written > rows as usize + 8);
        }
        // Two worksheets: each ends before the next begins.
        let mut workbook = Workbook::new();
        for name in ["一月", "二月"] {
            let sheet = workbook.add_worksheet().set_name(name).unwrap();
            header(sheet, 0, Column::ALL);
            for row in 1..=3 {
                let fields = LeadFields {
                    facts: String::new(),
                    remarks: "多行\n".repeat(row.try_into().unwrap()),
                    ..person(row.try_into().unwrap())
                };
                write(sheet, row, Column::ALL, &fields);
            }
        }
        let path = fixture.file("two.xlsx", &workbook.save_to_buffer().unwrap());
        let back = std::fs::read(write_back(&fixture, &path, lang)).unwrap();
        // Header, three rows and the end of each.
        assert_eq!(sound(back, "rejected"), 2 * 5);
    }
}
