//! Reading a notice's fields: each from raw text to its meaning, noting everything that is wrong on the way.

use super::{CaughtColumn as Column, CaughtFields, CaughtNotice};
use crate::domain::{
    Finding, FindingCode, Jurisdiction, Locality, RecordId, ResidentNumber, Sex,
    case_number::is_case_number, content::lead_reading::read_date, division_name, names, tidy,
};
use jiff::civil::Date;

/// A notice being read.
pub(super) struct Reading {
    fields: CaughtFields,
    findings: Vec<Finding<Column>>,
    registered: Option<Locality>,
    caught_on: Option<Date>,
    resident_number: Option<ResidentNumber>,
}

impl Reading {
    /// Tidies the text of all columns, and finds what is missing or too long.
    pub(super) fn new(raw: &CaughtFields) -> Self {
        let mut reading = Self {
            fields: CaughtFields::default(),
            findings: Vec::new(),
            registered: None,
            caught_on: None,
            resident_number: None,
        };
        for column in Column::ALL {
            reading.tidy(*column, raw.get(*column));
        }
        reading
    }

    fn tidy(&mut self, column: Column, raw: &str) {
        let tidied = if column.is_words() {
            tidy::text(raw)
        } else {
            tidy::code(raw)
        };
        // Space around a value is no news; anything else that changed is.
        if tidied != raw.trim_matches([' ', '\t', '\r', '\n']) && !tidied.is_empty() {
            self.found(column, FindingCode::Normalised);
        }
        if tidied.is_empty() && column.is_required() {
            self.found(column, FindingCode::MissingValue);
        }
        // Numbers of another length have codes of their own.
        let has_own = matches!(column, Column::ResidentNumber | Column::CaseNumber);
        if !has_own && tidied.chars().count() > column.max_chars() {
            self.found(column, FindingCode::TooLong);
        } else {
            *self.fields.get_mut(column) = tidied;
        }
    }

    /// The notice, where every typed column could be read. It counts only if no finding is an error.
    pub(super) fn notice(&mut self) -> Option<CaughtNotice> {
        // Each is read before any is missed, so that one pass finds everything.
        self.registered = self.locality(Column::RegisteredCode);
        self.locality(Column::CaughtCode);
        self.resident_number = self.resident_number();
        let sex = self.sex();
        self.caught_on = self.day();
        let case = self.read(Column::CaseNumber, FindingCode::BadCaseNumber, |text| {
            let text = text.to_ascii_uppercase();
            is_case_number(&text).then_some(text)
        });
        let lead = self.read(Column::LeadId, FindingCode::UnknownLead, |text| {
            text.to_ascii_lowercase().parse::<RecordId>().ok()
        });

        let mut fields = self.fields.clone();
        let number = self.resident_number.clone()?;
        sex?.as_str().clone_into(&mut fields.sex);
        number.as_str().clone_into(&mut fields.resident_number);
        fields.caught_on = self.caught_on?.to_string();
        fields.case_number = case?;
        fields.lead_id = lead.map(|id| id.to_string()).unwrap_or_default();
        Some(CaughtNotice {
            fields,
            resident_number: number,
            registered: self.registered.clone()?,
            lead,
        })
    }

    pub(super) fn registered(&self) -> Option<Jurisdiction> {
        self.registered.as_ref().map(Locality::jurisdiction)
    }

    pub(super) fn caught_on(&self) -> Option<Date> {
        self.caught_on
    }

    pub(super) fn born(&self) -> Option<Date> {
        self.resident_number.as_ref().map(ResidentNumber::born)
    }

    /// Looks for what says nothing in columns that must say something. Of what somebody else took nobody asks this.
    pub(super) fn says_nothing(&mut self, typed_name: &str) {
        if let Some((code, character)) = names::fault(typed_name) {
            self.findings
                .push(Finding::on_character(Column::Name, code, character));
        }
        if names::is_mark(&self.fields.number) {
            self.found(Column::Number, FindingCode::MissingValue);
        }
    }

    pub(super) fn found(&mut self, column: Column, code: FindingCode) {
        let finding = Finding::new(column, code);
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Everything found, the most important first.
    pub(super) fn into_findings(mut self) -> Vec<Finding<Column>> {
        Finding::sort(&mut self.findings);
        self.findings
    }

    /// Reads a typed column; an empty one has been missed already, where it may not be.
    fn read<T>(
        &mut self,
        column: Column,
        otherwise: FindingCode,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.fields.get(column);
        if text.is_empty() {
            return None;
        }
        let value = read(text);
        if value.is_none() {
            self.found(column, otherwise);
        }
        value
    }

    fn locality(&mut self, column: Column) -> Option<Locality> {
        let place = self.read(column, FindingCode::Unreadable, |text| text.parse().ok())?;
        if division_name(&place).is_none() {
            self.found(column, FindingCode::UnknownDivision);
        }
        Some(place)
    }

    fn resident_number(&mut self) -> Option<ResidentNumber> {
        let text = self.fields.resident_number.to_ascii_uppercase();
        if text.is_empty() {
            return None;
        }
        if text != self.fields.resident_number {
            self.found(Column::ResidentNumber, FindingCode::Normalised);
        }
        match ResidentNumber::parse(&text) {
            Ok(number) => Some(number),
            Err(code) => {
                let typed = &self.fields.resident_number;
                let wrong =
                    ResidentNumber::wrong_character(typed).and_then(|(_, character)| character);
                let is_told = matches!(code, FindingCode::LookAlike | FindingCode::OddCharacter);
                self.findings.push(Finding::on_character(
                    Column::ResidentNumber,
                    code,
                    wrong.filter(|_| is_told),
                ));
                None
            }
        }
    }

    fn sex(&mut self) -> Option<Sex> {
        let sex = self.read(Column::Sex, FindingCode::Unreadable, Sex::parse)?;
        // A number that does not hold contradicts nothing.
        if self
            .resident_number
            .as_ref()
            .is_some_and(|number| number.sex() != sex)
        {
            self.found(Column::Sex, FindingCode::SexMismatch);
        }
        Some(sex)
    }

    fn day(&mut self) -> Option<Date> {
        let text = &self.fields.caught_on;
        if text.is_empty() {
            return None;
        }
        let day = match read_date(text) {
            Ok(day) => day,
            Err(code) => {
                self.found(Column::CaughtOn, code);
                return None;
            }
        };
        if day.to_string() != self.fields.caught_on {
            self.found(Column::CaughtOn, FindingCode::Normalised);
        }
        Some(day)
    }
}
