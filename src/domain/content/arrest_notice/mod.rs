//! Arrest notices, 抓获通报: the destination tells the origin that it caught one of its residents, with or without a lead
//! before. A notice has no later steps: delivered is its end.

mod fields;
#[cfg(test)]
mod tests;

pub use fields::{ArrestNoticeColumn, ArrestNoticeFields};

use super::{
    reading::Reading,
    record::{RecordColumn, RecordSpec, SheetRecord},
};
use crate::domain::{FindingCode, RecordId, RecordKind, case_number::is_case_number};

/// An arrest notice whose every field has been read.
pub type ArrestNotice = SheetRecord<ArrestNoticeColumn>;

/// What only arrest notices say, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeDetails {
    lead: Option<RecordId>,
}

impl RecordColumn for ArrestNoticeColumn {
    type Details = NoticeDetails;

    const RECORD: RecordSpec<Self> = RecordSpec {
        kind: RecordKind::ArrestNotice,
        labels: ["caught number", "caught content"],
        lead: Some(Self::LeadId),
        longest: Self::Conduct,
        canonical: b"yichuan/caught/1\n",
        place: Self::RegisteredCode,
        own_place: FindingCode::OwnResident,
        no_partner: FindingCode::NoOriginPartner,
        day: Self::CaughtOn,
        future_day: FindingCode::FutureCatch,
        never_marks: &[Self::Number],
    };

    fn details(reading: &mut Reading<Self>) -> Option<NoticeDetails> {
        let place = reading.place(Self::CaughtCode, FindingCode::Unreadable);
        let case = reading.typed(Self::CaseNumber, FindingCode::BadCaseNumber, |text| {
            Some(text.to_ascii_uppercase()).filter(|text| is_case_number(text))
        });
        let lead = reading.typed(Self::LeadId, FindingCode::UnknownLead, |text| {
            text.to_ascii_lowercase().parse().ok()
        });
        place.and(case).map(|_| NoticeDetails { lead })
    }

    fn lead(details: &NoticeDetails) -> Option<RecordId> {
        details.lead
    }
}
