//! A lead, 线索: a person suspected, on stated facts, of trafficking in another jurisdiction.

mod fields;
#[cfg(test)]
mod tests;

pub use fields::{Column, LeadFields};

use super::{
    reading::Reading,
    record::{RecordColumn, RecordSpec, SheetRecord},
};
use crate::domain::{FindingCode, GradeScheme, Handling, RecordKind, Urgency};

/// A lead whose every field has been read.
pub type Lead = SheetRecord<Column>;

/// What only leads say, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadDetails {
    urgency: Urgency,
    handling: Handling,
}

impl RecordColumn for Column {
    type Details = LeadDetails;

    const RECORD: RecordSpec<Self> = RecordSpec {
        kind: RecordKind::Lead,
        labels: ["lead number", "lead content"],
        lead: None,
        longest: Self::Facts,
        canonical: b"yichuan/lead/1\n",
        place: Self::DestinationCode,
        own_place: FindingCode::OwnCountyDestination,
        no_partner: FindingCode::NoPartnerCard,
        day: Self::CollectedOn,
        future_day: FindingCode::FutureCollection,
        never_marks: &[Self::Number, Self::Conduct, Self::CollectionMethod],
    };

    fn details(reading: &mut Reading<Self>) -> Option<LeadDetails> {
        let destination = reading.place(Self::DestinationCode, FindingCode::BadDestination);
        let grading = grading(reading);
        let urgency = reading.typed(Self::Urgency, FindingCode::UnknownUrgency, |text| {
            text.to_ascii_lowercase().parse().ok()
        });
        let handling = reading.typed(Self::Handling, FindingCode::UnknownHandling, |text| {
            text.to_ascii_uppercase().parse().ok()
        });
        destination.and(grading).and_then(|_| {
            Some(LeadDetails {
                urgency: urgency?,
                handling: handling?,
            })
        })
    }

    fn terms(details: &LeadDetails) -> (Urgency, Handling) {
        (details.urgency, details.handling)
    }
}

fn grading(reading: &mut Reading<Column>) -> Option<GradeScheme> {
    let source = reading.capitals(Column::SourceGrade);
    let information = reading.capitals(Column::InformationGrade);
    let fields = &mut reading.fields;
    match GradeScheme::of_grades(&fields.grade_scheme, &source, &information) {
        Ok(scheme) => {
            scheme.as_str().clone_into(&mut fields.grade_scheme);
            fields.source_grade = source;
            fields.information_grade = information;
            Some(scheme)
        }
        Err(findings) => {
            findings
                .into_iter()
                .for_each(|finding| reading.also(finding));
            None
        }
    }
}
