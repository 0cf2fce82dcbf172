//! A lead, 线索: a person suspected, on stated facts, of trafficking in another jurisdiction.

mod fields;
#[cfg(test)]
mod tests;

pub use fields::{Column, LeadFields};

use super::{
    reading::Reading,
    record::{RecordColumn, RecordSpec, SheetRecord},
};
use crate::domain::{FindingCode, Grading, Handling, Locality, RecordKind, Urgency};

/// A lead whose every field has been read.
pub type Lead = SheetRecord<Column>;

/// What only leads say, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadDetails {
    destination: Locality,
    grading: Grading,
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
        Some(LeadDetails {
            destination: destination?,
            grading: grading?,
            urgency: urgency?,
            handling: handling?,
        })
    }

    fn terms(details: &LeadDetails) -> (Urgency, Handling) {
        (details.urgency, details.handling)
    }
}

fn grading(reading: &mut Reading<Column>) -> Option<Grading> {
    let source = reading.capitals(Column::SourceGrade);
    let information = reading.capitals(Column::InformationGrade);
    let fields = &mut reading.fields;
    match Grading::parse(&fields.grade_scheme, &source, &information) {
        Ok(grading) => {
            grading
                .scheme()
                .as_str()
                .clone_into(&mut fields.grade_scheme);
            fields.source_grade = source;
            fields.information_grade = information;
            Some(grading)
        }
        Err(findings) => {
            findings
                .into_iter()
                .for_each(|finding| reading.also(finding));
            None
        }
    }
}

impl Lead {
    /// 流入地代码.
    pub const fn destination(&self) -> &Locality {
        &self.details.destination
    }

    /// 来源可靠性 and 信息可信度, with their scheme.
    pub const fn grading(&self) -> Grading {
        self.details.grading
    }

    /// 紧急程度.
    pub const fn urgency(&self) -> Urgency {
        self.details.urgency
    }

    /// 处理限制.
    pub const fn handling(&self) -> Handling {
        self.details.handling
    }
}
