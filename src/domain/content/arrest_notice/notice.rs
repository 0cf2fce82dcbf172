//! A caught notice whose every field has been read.

use super::{CaughtColumn as Column, CaughtFields, reading::Reading};
use crate::domain::{
    Finding, FindingCode, Jurisdiction, Locality, PartnerLookup, RecordId, ResidentNumber,
    content::{lead::competent, lead_reading::FIRST_DAY},
};
use jiff::civil::Date;
use std::fmt;

/// First bytes of [`CaughtNotice::canonical_content`]; another layout gets another number.
const CANONICAL_V1: &[u8] = b"yichuan/caught/1\n";

/// What the notifying node knows when it takes a notice.
#[derive(Clone, Copy)]
pub struct CaughtRules<'a> {
    /// Who notifies.
    pub own: Jurisdiction,
    /// Those to whom it can send.
    pub partners: &'a dyn PartnerLookup,
    /// Today in Asia/Shanghai.
    pub today: Date,
}

impl fmt::Debug for CaughtRules<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaughtRules")
            .field("own", &self.own)
            .field("today", &self.today)
            .finish_non_exhaustive()
    }
}

/// A notice whose every field has been read. Only [`CaughtNotice::parse`] and [`CaughtNotice::reread`] make one.
#[derive(Clone, PartialEq, Eq)]
pub struct CaughtNotice {
    /// The text of all fields, each in its one spelling.
    pub(super) fields: CaughtFields,
    pub(super) resident_number: ResidentNumber,
    pub(super) registered: Locality,
    pub(super) lead: Option<RecordId>,
}

/// A notice that may be sent, and where to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParsedNotice {
    /// The notice.
    pub notice: CaughtNotice,
    /// The partner node that it goes to.
    pub route: Jurisdiction,
    /// What was tidied, or is not in the division table.
    pub warnings: Vec<Finding<Column>>,
}

impl CaughtNotice {
    /// Reads a notice that is to be sent: all that [`CaughtNotice::reread`] asks, and that a partner answers for the
    /// registered residence, that nothing in it is later than today nor a catch before 2000, and that its name is one.
    ///
    /// # Errors
    /// All findings, warnings too, the most important first.
    pub fn parse(
        fields: &CaughtFields,
        rules: &CaughtRules<'_>,
    ) -> Result<ParsedNotice, Vec<Finding<Column>>> {
        let mut reading = Reading::new(fields);
        let notice = reading.notice();
        reading.says_nothing(&fields.name);
        // These are looked at even where another column is wrong, so that one pass tells the officer everything.
        let route = reading.registered().and_then(|place| {
            match competent(rules.own, rules.partners, place) {
                Some(code) if code == rules.own => {
                    reading.found(Column::RegisteredCode, FindingCode::OwnResident);
                    None
                }
                Some(code) => Some(code),
                None => {
                    reading.found(Column::RegisteredCode, FindingCode::NoOriginPartner);
                    None
                }
            }
        });
        if reading.caught_on().is_some_and(|day| day > rules.today) {
            reading.found(Column::CaughtOn, FindingCode::FutureCatch);
        }
        if reading.caught_on().is_some_and(|day| day < FIRST_DAY) {
            reading.found(Column::CaughtOn, FindingCode::DayTooEarly);
        }
        if reading.born().is_some_and(|day| day > rules.today) {
            reading.found(Column::ResidentNumber, FindingCode::BadBirthDate);
        }
        let findings = reading.into_findings();
        match (notice, route) {
            (Some(notice), Some(route)) if findings.iter().all(Finding::is_warning) => {
                Ok(ParsedNotice {
                    notice,
                    route,
                    warnings: findings,
                })
            }
            _ => Err(findings),
        }
    }

    /// Reads a notice that somebody else took: what holds at every time and place.
    ///
    /// # Errors
    /// All findings, warnings too, the most important first.
    pub fn reread(fields: &CaughtFields) -> Result<Self, Vec<Finding<Column>>> {
        let mut reading = Reading::new(fields);
        let notice = reading.notice();
        let findings = reading.into_findings();
        notice
            .filter(|_| findings.iter().all(Finding::is_warning))
            .ok_or(findings)
    }

    /// The text of all fields, each in its one spelling.
    pub fn to_fields(&self) -> CaughtFields {
        self.fields.clone()
    }

    /// All fields as unambiguous bytes: equal exactly where two notices say the same.
    pub fn canonical_content(&self) -> Vec<u8> {
        let mut bytes = CANONICAL_V1.to_vec();
        for column in Column::ALL {
            let text = self.fields.get(*column);
            // No field is longer than a few thousand characters.
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }

    /// 通报编号: unique within the jurisdiction that notifies.
    pub fn number(&self) -> &str {
        &self.fields.number
    }

    /// 姓名.
    pub fn name(&self) -> &str {
        &self.fields.name
    }

    /// 公民身份号码.
    pub const fn resident_number(&self) -> &ResidentNumber {
        &self.resident_number
    }

    /// 户籍地代码.
    pub const fn registered(&self) -> &Locality {
        &self.registered
    }

    /// The lead before, if there was one.
    pub const fn lead(&self) -> Option<RecordId> {
        self.lead
    }
}

/// Nothing about the person, nor the notice's number.
impl fmt::Debug for CaughtNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaughtNotice")
            .field("lead", &self.lead)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn fields() -> CaughtFields {
        CaughtFields {
            number: "GD-2026-0001".into(),
            name: "钱癸子".into(),
            sex: "男".into(),
            resident_number: "522225190010142478".into(),
            registered_code: "520624101".into(),
            caught_on: "2026/6/1".into(),
            caught_code: "440304".into(),
            conduct: "贩卖毒品".into(),
            measure: "刑事拘留".into(),
            case_number: "a4403040000002026060001".into(),
            ..CaughtFields::default()
        }
    }

    fn parse(change: impl FnOnce(&mut CaughtFields)) -> Result<ParsedNotice, Vec<Finding<Column>>> {
        let partners: BTreeSet<Jurisdiction> = ["520624".parse().unwrap()].into();
        let mut fields = fields();
        change(&mut fields);
        let rules = CaughtRules {
            own: "440000".parse().unwrap(),
            partners: &partners,
            today: jiff::civil::date(2026, 6, 2),
        };
        CaughtNotice::parse(&fields, &rules)
    }

    #[test]
    fn a_notice_goes_to_the_origin_in_one_spelling() {
        let parsed = parse(|_| {}).unwrap();
        assert_eq!(parsed.route.as_str(), "520624");
        let said = parsed.notice.to_fields();
        assert_eq!(
            (said.sex.as_str(), said.caught_on.as_str()),
            ("M", "2026-06-01")
        );
        assert_eq!(said.case_number, "A4403040000002026060001");
        // Read again, it says the same, and another spelling of the same is the same.
        let again = CaughtNotice::reread(&said).unwrap();
        assert_eq!(again.canonical_content(), parsed.notice.canonical_content());
        let other = parse(|f| f.measure = "取保候审".into()).unwrap().notice;
        assert_ne!(other.canonical_content(), again.canonical_content());
    }

    #[test]
    fn each_defect_has_its_column_and_code() {
        let found = |change: fn(&mut CaughtFields)| {
            let findings = parse(change).unwrap_err();
            let worst = findings.first().unwrap();
            (worst.column.unwrap(), worst.code)
        };
        use Column as C;
        use FindingCode as F;
        assert_eq!(
            found(|f| f.case_number.clear()),
            (C::CaseNumber, F::MissingValue)
        );
        assert_eq!(
            found(|f| f.case_number = "A1".into()),
            (C::CaseNumber, F::BadCaseNumber)
        );
        assert_eq!(
            found(|f| f.caught_on = "2026-06-03".into()),
            (C::CaughtOn, F::FutureCatch)
        );
        assert_eq!(
            found(|f| f.registered_code = "440304".into()),
            (C::RegisteredCode, F::OwnResident)
        );
        assert_eq!(
            found(|f| f.registered_code = "330106".into()),
            (C::RegisteredCode, F::NoOriginPartner)
        );
        assert_eq!(
            found(|f| f.resident_number = "522225190010142470".into()),
            (C::ResidentNumber, F::BadCheckDigit)
        );
        assert_eq!(found(|f| f.sex = "女".into()), (C::Sex, F::SexMismatch));
        assert_eq!(
            found(|f| f.lead_id = "1".into()),
            (C::LeadId, F::UnknownLead)
        );
        assert_eq!(
            found(|f| f.conduct = "长".repeat(501)),
            (C::Conduct, F::TooLong)
        );
        // Nobody is left out: a bare name names all that it lacks.
        let bare = CaughtFields {
            name: "钱癸子".into(),
            ..CaughtFields::default()
        };
        let missing = CaughtNotice::reread(&bare).unwrap_err();
        let required = Column::ALL.iter().filter(|c| c.is_required()).count();
        assert_eq!(missing.len(), required - 1);
    }

    #[test]
    fn debug_shows_nothing_about_anybody() {
        let parsed = parse(|_| {}).unwrap();
        let shown = format!("{parsed:?}{:?}", parsed.notice.to_fields());
        assert!(
            !shown.contains("钱癸子") && !shown.contains("5222"),
            "{shown}"
        );
    }
}
