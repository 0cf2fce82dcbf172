//! Reads the fields of a row: each from raw text to its meaning, noting everything that is wrong on the way.

use super::{
    column::{Form, SheetColumn},
    day::read_date,
};
use crate::domain::{
    Finding, FindingCode, Locality, ResidentNumber, Sex, division_name, names, tidy,
};
use jiff::civil::Date;

/// A row being read. Begins with what rows of all kinds say; the rest is read column by column.
pub struct Reading<C: SheetColumn> {
    /// The text of all fields, each in its one spelling as soon as it has been read.
    pub(super) fields: C::Fields,
    findings: Vec<Finding<C>>,
    pub(super) resident_number: Option<ResidentNumber>,
    pub(super) sex: Option<Sex>,
    pub(super) registered: Option<Locality>,
    pub(super) day: Option<Date>,
}

impl<C: SheetColumn> Reading<C> {
    /// Tidies the text of all columns, finds what is missing or too long, and reads what rows of all kinds say.
    pub(super) fn new(raw: &C::Fields, day: C) -> Self {
        let mut reading = Self {
            fields: C::Fields::default(),
            findings: Vec::new(),
            resident_number: None,
            sex: None,
            registered: None,
            day: None,
        };
        for column in C::ALL {
            reading.tidy(*column, column.text(raw));
        }
        reading.resident_number = reading.resident_number();
        reading.sex = reading.sex();
        reading.registered = reading.place(C::REGISTERED_CODE, FindingCode::Unreadable);
        reading.day = reading.day(day);
        reading
    }

    fn tidy(&mut self, column: C, raw: &str) {
        let tidied = if column.is_words() {
            tidy::text(raw)
        } else {
            tidy::code(raw)
        };
        let form = column.spec().form;
        // Space around a value is no news; anything else that changed is.
        if tidied != raw.trim_matches([' ', '\t', '\r', '\n']) && !tidied.is_empty() {
            self.found(column, FindingCode::Normalised);
        }
        if tidied.is_empty() && column.is_required() {
            let code = if form == Form::Facts {
                FindingCode::NoFactualBasis
            } else {
                FindingCode::MissingValue
            };
            self.found(column, code);
        }
        // Numbers of another length have codes of their own.
        let has_own = matches!(form, Form::ResidentNumber | Form::CaseNumber);
        if !has_own && tidied.chars().count() > column.max_chars() {
            self.found(column, FindingCode::TooLong);
        } else {
            *column.text_mut(&mut self.fields) = tidied;
        }
    }

    /// Looks for what says nothing in columns that must say something. Of what somebody else took nobody asks this.
    pub(super) fn says_nothing(&mut self, typed_name: &str, never_marks: &[C]) {
        if let Some((code, character)) = names::fault(typed_name) {
            self.findings
                .push(Finding::on_character(C::NAME, code, character));
        }
        for column in C::ALL {
            let text = column.text(&self.fields);
            let is_facts = column.spec().form == Form::Facts;
            if is_facts && !text.is_empty() && names::says_nothing(text) {
                self.found(*column, FindingCode::NoFactualBasis);
            } else if never_marks.contains(column) && names::is_mark(text) {
                self.found(*column, FindingCode::MissingValue);
            }
        }
    }

    pub(super) fn found(&mut self, column: C, code: FindingCode) {
        self.also(Finding::new(column, code));
    }

    pub(super) fn also(&mut self, finding: Finding<C>) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Everything found, the most important first.
    pub(super) fn into_findings(mut self) -> Vec<Finding<C>> {
        Finding::sort(&mut self.findings);
        self.findings
    }

    /// Reads a typed column, and spells it in its one way. An empty one has been missed already, where it may not be.
    pub(super) fn typed<T: ToString>(
        &mut self,
        column: C,
        otherwise: FindingCode,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = column.text_mut(&mut self.fields);
        if text.is_empty() {
            return None;
        }
        let value = read(text);
        match &value {
            Some(value) => *text = value.to_string(),
            None => self.found(column, otherwise),
        }
        value
    }

    pub(super) fn place(&mut self, column: C, otherwise: FindingCode) -> Option<Locality> {
        let text = column.text(&self.fields);
        if text.is_empty() {
            return None;
        }
        let Ok(place) = text.parse() else {
            self.found(column, otherwise);
            return None;
        };
        if division_name(&place).is_none() {
            self.found(column, FindingCode::UnknownDivision);
        }
        Some(place)
    }

    /// Puts a code into capitals, which is worth a warning.
    pub(super) fn capitals(&mut self, column: C) -> String {
        let capitals = column.text(&self.fields).to_ascii_uppercase();
        if capitals != column.text(&self.fields) {
            self.found(column, FindingCode::Normalised);
        }
        capitals
    }

    fn resident_number(&mut self) -> Option<ResidentNumber> {
        let column = C::RESIDENT_NUMBER;
        let text = self.capitals(column);
        if text.is_empty() {
            return None;
        }
        let typed = column.text_mut(&mut self.fields);
        match ResidentNumber::parse(&text) {
            Ok(number) => {
                *typed = text;
                Some(number)
            }
            Err(code) => {
                let wrong =
                    ResidentNumber::wrong_character(typed).and_then(|(_, character)| character);
                let is_told = matches!(code, FindingCode::LookAlike | FindingCode::OddCharacter);
                self.findings.push(Finding::on_character(
                    column,
                    code,
                    wrong.filter(|_| is_told),
                ));
                None
            }
        }
    }

    fn sex(&mut self) -> Option<Sex> {
        let sex = self.typed(C::SEX, FindingCode::Unreadable, Sex::parse)?;
        // A number that does not hold contradicts nothing.
        let number = self.resident_number.as_ref();
        if number.is_some_and(|number| number.sex() != sex) {
            self.found(C::SEX, FindingCode::SexMismatch);
        }
        Some(sex)
    }

    fn day(&mut self, column: C) -> Option<Date> {
        let text = column.text_mut(&mut self.fields);
        if text.is_empty() {
            return None;
        }
        match read_date(text) {
            Ok(day) => {
                let typed = std::mem::replace(text, day.to_string());
                if typed != *text {
                    self.found(column, FindingCode::Normalised);
                }
                Some(day)
            }
            Err(code) => {
                self.found(column, code);
                None
            }
        }
    }
}
