//! People whom nobody knows, each with a name, number, telephone and plate that can be nothing else in a log; and the
//! sheets that tell of them.

use super::leads;
use calamine::{Data, Reader as _, Xlsx, open_workbook};
use rust_xlsxwriter::Workbook;
use std::{collections::BTreeMap, path::Path};
use yichuan::domain::{Column, LeadFields};

/// Columns that tell of a person, or of the lead.
const SECRET: [Column; 9] = [
    Column::Number,
    Column::Name,
    Column::ResidentNumber,
    Column::RegisteredPlace,
    Column::DestinationPlace,
    Column::Facts,
    Column::Phone,
    Column::Plate,
    Column::Remarks,
];

/// Of the sample the places are public: nodes bear their names.
const SECRET_IN_SAMPLE: [Column; 6] = [
    Column::Number,
    Column::Name,
    Column::ResidentNumber,
    Column::Facts,
    Column::Phone,
    Column::Plate,
];

pub(crate) const CAMPAIGN_NOTE: &str = "鹮鹮口述其表弟骉先生知情";

/// A lead to this destination about the `n`th of them.
pub(crate) fn lead(n: usize, destination: &str) -> LeadFields {
    const RARE: [char; 12] = [
        '骉', '犇', '猋', '麤', '鱻', '淼', '焱', '垚', '鑫', '森', '晶', '磊',
    ];
    let rare = RARE[n % RARE.len()];
    LeadFields {
        number: format!("驿密{n:03}-QX-{}", 7000 + n),
        name: format!("欧阳{rare}鹮"),
        resident_number: leads::resident_number(1900 + n),
        registered_place: format!("思南县鹮{rare}镇第{n}组老槐树下"),
        destination_place: format!("深圳市{rare}鹮城中村{n}栋"),
        facts: format!("{rare}某于鹮字号货栈第{n}次交接，现场有人目睹，笔录在卷。"),
        phone: format!("139{:08}", 19_070_000 + n),
        plate: format!("贵D·Q{n:02}{rare}"),
        remarks: format!("家住{rare}鹮桥头第{n}户"),
        ..leads::fields(n, destination)
    }
}

/// What is secret in a lead, by label.
pub(crate) fn secrets(lead: &LeadFields, label: &str) -> BTreeMap<String, String> {
    let mut secrets: BTreeMap<_, _> = SECRET
        .iter()
        .map(|column| (format!("{column} of {label}"), lead.get(*column).to_owned()))
        .collect();
    // Where and when somebody was born is in the number.
    let born = lead.resident_number[..14].to_owned();
    secrets.insert(format!("birth of {label}"), born);
    secrets
}

/// What is secret in a sheet, also in rows that are rejected.
pub(crate) fn secrets_of_sheet(path: &Path) -> BTreeMap<String, String> {
    let mut book: Xlsx<_> = open_workbook(path).unwrap();
    let sheet = book.worksheet_range_at(0).unwrap().unwrap();
    let mut rows = sheet.rows();
    let headers: Vec<_> = rows.next().unwrap().iter().map(Data::to_string).collect();
    let mut secrets = BTreeMap::new();
    for (at, row) in (2..).zip(rows) {
        for column in SECRET_IN_SAMPLE {
            let position = headers.iter().position(|h| h == column.header_zh());
            let text = row[position.unwrap()].to_string();
            // A cell of a word or two, such as 无, tells of nobody.
            if text.trim().len() >= 6 {
                secrets.insert(format!("{column} in row {at}"), text.trim().to_owned());
            }
        }
    }
    secrets
}

/// A sheet with these rows.
pub(crate) fn write_sheet(path: &Path, rows: &[LeadFields]) {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (at, column) in (0_u16..).zip(Column::ALL) {
        sheet.write_string(0, at, column.header_zh()).unwrap();
        for (row, fields) in (1_u32..).zip(rows) {
            sheet.write_string(row, at, fields.get(*column)).unwrap();
        }
    }
    book.save(path).unwrap();
}

/// The same lead with what belongs elsewhere in each of its columns, one a row: all are rejected.
pub(crate) fn misfilled(lead: &LeadFields) -> Vec<LeadFields> {
    let wrong = [
        (Column::Sex, Column::Name),
        (Column::RegisteredCode, Column::ResidentNumber),
        (Column::DestinationCode, Column::Phone),
        (Column::CollectedOn, Column::ResidentNumber),
        (Column::GradeScheme, Column::Name),
        (Column::SourceGrade, Column::Plate),
        (Column::InformationGrade, Column::Phone),
        (Column::Urgency, Column::Name),
        (Column::Handling, Column::Plate),
        (Column::ResidentNumber, Column::Phone),
        (Column::ResidentNumber, Column::Name),
    ];
    wrong
        .iter()
        .enumerate()
        .map(|(n, (into, from))| {
            let mut wrong = lead.clone();
            wrong.number = format!("{}-{n}", lead.number);
            *wrong.get_mut(*into) = lead.get(*from).to_owned();
            wrong
        })
        .collect()
}
