//! Reading a lead's fields: each from raw text to its meaning, noting everything that is wrong on the way.

use super::{Column, Lead, LeadFields};
use crate::domain::{
    Finding, FindingCode, Grading, Handling, Jurisdiction, Locality, ResidentNumber, Sex, Urgency,
    division_name, names, tidy,
};
use jiff::civil::Date;

/// The columns in which a space separates; the others are codes, in which space and width mean nothing.
const WORDS: [Column; 11] = [
    Column::Name,
    Column::RegisteredPlace,
    Column::DestinationPlace,
    Column::Substance,
    Column::Conduct,
    Column::Facts,
    Column::CollectionMethod,
    Column::Phone,
    Column::Plate,
    Column::Remarks,
    Column::CollectedOn,
];

/// A lead being read.
pub(super) struct Reading {
    fields: LeadFields,
    findings: Vec<Finding>,
    destination: Option<Locality>,
    collected_on: Option<Date>,
    resident_number: Option<ResidentNumber>,
}

impl Reading {
    /// Tidies the text of all columns, and finds what is missing or too long.
    pub(super) fn new(raw: LeadFields) -> Self {
        let mut reading = Self {
            fields: LeadFields::default(),
            findings: Vec::new(),
            destination: None,
            collected_on: None,
            resident_number: None,
        };
        for column in Column::ALL {
            reading.tidy(*column, raw.get(*column));
        }
        reading
    }

    fn tidy(&mut self, column: Column, raw: &str) {
        let tidied = if WORDS.contains(&column) {
            tidy::text(raw)
        } else {
            tidy::code(raw)
        };
        // Space around a value is no news; anything else that changed is.
        if tidied != raw.trim_matches([' ', '\t', '\r', '\n']) && !tidied.is_empty() {
            self.found(column, FindingCode::Normalised);
        }
        if tidied.is_empty() && column.is_required() {
            let code = if column == Column::Facts {
                FindingCode::NoFactualBasis
            } else {
                FindingCode::MissingValue
            };
            self.found(column, code);
        }
        // A citizen number of another length has a code of its own.
        if column != Column::ResidentNumber && tidied.chars().count() > column.max_chars() {
            self.found(column, FindingCode::TooLong);
        } else {
            *self.fields.get_mut(column) = tidied;
        }
    }

    /// The lead, where every typed column could be read. It counts only if no finding is an error.
    pub(super) fn lead(&mut self) -> Option<Lead> {
        // Each is read before any is missed, so that one pass finds everything.
        self.destination = self.locality(Column::DestinationCode, FindingCode::BadDestination);
        let registered = self.locality(Column::RegisteredCode, FindingCode::Unreadable);
        self.resident_number = self.resident_number();
        let sex = self.sex();
        self.collected_on = self.date();
        let grading = self.grading();
        let urgency = self.code(Column::Urgency, FindingCode::UnknownUrgency, |text| {
            text.to_ascii_lowercase().parse::<Urgency>().ok()
        });
        let handling = self.code(Column::Handling, FindingCode::UnknownHandling, |text| {
            text.to_ascii_uppercase().parse::<Handling>().ok()
        });

        let lead = Lead {
            sex: sex?,
            resident_number: self.resident_number.clone()?,
            registered: registered?,
            destination: self.destination.clone()?,
            collected_on: self.collected_on?,
            grading: grading?,
            urgency: urgency?,
            handling: handling?,
            fields: self.fields.clone(),
        };
        Some(lead.with_one_spelling())
    }

    pub(super) fn destination(&self) -> Option<Jurisdiction> {
        self.destination.as_ref().map(Locality::jurisdiction)
    }

    pub(super) fn collected_on(&self) -> Option<Date> {
        self.collected_on
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
        if !self.fields.facts.is_empty() && names::says_nothing(&self.fields.facts) {
            self.found(Column::Facts, FindingCode::NoFactualBasis);
        }
        for column in [Column::Number, Column::Conduct, Column::CollectionMethod] {
            if names::is_mark(self.fields.get(column)) {
                self.found(column, FindingCode::MissingValue);
            }
        }
    }

    pub(super) fn found(&mut self, column: Column, code: FindingCode) {
        let finding = Finding::new(column, code);
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Everything found, the most important first.
    pub(super) fn into_findings(mut self) -> Vec<Finding> {
        Finding::sort(&mut self.findings);
        self.findings
    }

    /// Reads a column with a closed list; an empty one has been missed already.
    fn code<T>(
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

    fn locality(&mut self, column: Column, otherwise: FindingCode) -> Option<Locality> {
        let place = self.code(column, otherwise, |text| text.parse::<Locality>().ok())?;
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
        let sex = self.code(Column::Sex, FindingCode::Unreadable, Sex::parse)?;
        // A number that does not hold contradicts nothing.
        if self
            .resident_number
            .as_ref()
            .is_some_and(|n| n.sex() != sex)
        {
            self.found(Column::Sex, FindingCode::SexMismatch);
        }
        Some(sex)
    }

    fn date(&mut self) -> Option<Date> {
        let text = &self.fields.collected_on;
        if text.is_empty() {
            return None;
        }
        let date = match read_date(text) {
            Ok(date) => date,
            Err(code) => {
                self.found(Column::CollectedOn, code);
                return None;
            }
        };
        if date.to_string() != self.fields.collected_on {
            self.found(Column::CollectedOn, FindingCode::Normalised);
        }
        Some(date)
    }

    fn grading(&mut self) -> Option<Grading> {
        let fields = &self.fields;
        let source = fields.source_grade.to_ascii_uppercase();
        let information = fields.information_grade.to_ascii_uppercase();
        let changed = [
            (Column::SourceGrade, source != fields.source_grade),
            (
                Column::InformationGrade,
                information != fields.information_grade,
            ),
        ];
        let read = Grading::parse(&fields.grade_scheme, &source, &information);
        for (column, changed) in changed {
            if changed {
                self.found(column, FindingCode::Normalised);
            }
        }
        match read {
            Ok(grading) => Some(grading),
            Err(findings) => {
                self.findings.extend(findings);
                None
            }
        }
    }
}

impl Lead {
    /// Writes the typed columns back as text, so that one meaning has one text.
    fn with_one_spelling(mut self) -> Self {
        let fields = &mut self.fields;
        self.sex.as_str().clone_into(&mut fields.sex);
        self.resident_number
            .as_str()
            .clone_into(&mut fields.resident_number);
        fields.collected_on = self.collected_on.to_string();
        self.grading
            .scheme()
            .as_str()
            .clone_into(&mut fields.grade_scheme);
        fields.source_grade = self.grading.source().to_string();
        fields.information_grade = self.grading.information().to_string();
        self.urgency.as_str().clone_into(&mut fields.urgency);
        self.handling.as_str().clone_into(&mut fields.handling);
        self
    }
}

/// The first day that is taken from whoever sends. Earlier ones are what spreadsheet programs make of `3.5` or of nothing.
pub(super) const FIRST_DAY: Date = jiff::civil::date(2000, 1, 1);

/// A day as officers write it: `2026-06-01`, `2026/6/1`, `2026.6.1`, `2026年6月1日`, `20260601`, `20260601143000`, in full-width digits too,
/// with or without a day of the week or a time after it, which is dropped.
///
/// # Errors
/// The day does not exist; or its year does not come first, so that `05/03/2026` may be in March or in May; or it is no
/// day at all, which is [`FindingCode::Unreadable`]. Or more is said after the day: a span, `前`, `左右`.
pub(super) fn read_date(text: &str) -> Result<Date, FindingCode> {
    let mut text: String = text.trim().chars().map(tidy::narrow).collect();
    let (day, rest) = if text.contains('年') {
        text.retain(|c| !c.is_whitespace());
        text.split_once(['日', '号'])
    } else {
        text.split_once(|c: char| c.is_whitespace() || c == 'T')
    }
    .unwrap_or((&text, ""));
    let day = day_of_stamp(day).unwrap_or(day);
    let parts: Vec<&str> = match (day.get(..4), day.get(4..6), day.get(6..8)) {
        (Some(year), Some(month), Some(last)) if day.len() == 8 && is_number(day) => {
            vec![year, month, last]
        }
        _ => day.split(['-', '/', '.', '年', '月']).collect(),
    };
    let [first, second, third] = parts.as_slice() else {
        return Err(FindingCode::Unreadable);
    };
    if !parts.iter().all(|part| is_number(part)) {
        return Err(FindingCode::Unreadable);
    }
    match (first.len(), second.len(), third.len()) {
        (4, 1 | 2, 1 | 2) => {}
        (1 | 2, 1 | 2, 1 | 2 | 4) => return Err(FindingCode::AmbiguousDate),
        _ => return Err(FindingCode::Unreadable),
    }
    let numbers = (first.parse(), second.parse(), third.parse());
    let (Ok(year), Ok(month), Ok(day)) = numbers else {
        return Err(FindingCode::Unreadable);
    };
    let date = Date::new(year, month, day).map_err(|_| FindingCode::NoSuchDay)?;
    // 至4月1日, 前, 左右: which day it was, only who wrote it knows.
    if !is_time(rest) {
        return Err(FindingCode::AmbiguousDate);
    }
    Ok(date)
}

/// The day of a time stamp without separators, 12 or 14 digits, as systems write it.
fn day_of_stamp(text: &str) -> Option<&str> {
    let (day, time) = text.split_at_checked(8).filter(|_| is_number(text))?;
    let two = |at: usize| time.get(at..at + 2).and_then(|two| two.parse::<u8>().ok());
    let is_time = match time.len() {
        4 => two(0)? < 24 && two(2)? < 60,
        6 => two(0)? < 24 && two(2)? < 60 && two(4)? < 60,
        _ => false,
    };
    is_time.then_some(day)
}

/// What may follow a day and says no more of it: a day of the week, a time.
fn is_time(rest: &str) -> bool {
    let mut rest = rest.trim();
    if let Some(day) = rest.strip_prefix("星期").or(rest.strip_prefix("周")) {
        let Some(after) = day.strip_prefix(['一', '二', '三', '四', '五', '六', '日', '天'])
        else {
            return false;
        };
        rest = after.trim_start();
    }
    let half = rest.strip_prefix("上午").or(rest.strip_prefix("下午"));
    let rest = half.unwrap_or(rest).trim_start();
    if rest.is_empty() {
        return half.is_none();
    }
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    matches!(rest.len() - after.len(), 1 | 2)
        && after.starts_with([':', '时', '点'])
        && after
            .chars()
            .all(|c| c.is_ascii_digit() || c.is_whitespace() || ":.时点分秒Z+AMPamp".contains(c))
}

/// ASCII digits; no sign.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{FindingCode, read_date};

    #[test]
    fn days_as_officers_write_them() {
        let day = jiff::civil::date(2026, 6, 1);
        for text in [
            "2026-06-01",
            "2026/6/1",
            "2026.06.1",
            "2026年6月1日",
            "2026 年 6 月 1 日 08:30",
            "2026年06月01日14时30分",
            "20260601",
            "20260601143000",
            "202606011430",
            "2026-06-01T23:59:59",
            "2026-06-01 08:30",
            "2026/6/1\u{3000}0:00:00",
            "２０２６－０６－０１",
            "２０２６．６．１",
            "2026-06-01T23:59:59.000+08:00",
            "2026年6月1日星期一",
            "2026/6/1 周一 下午 3:05",
            "2026-6-1 3:05 PM",
            "2026年6月1日8点",
        ] {
            assert_eq!(read_date(text), Ok(day), "{text}");
        }
    }

    #[test]
    fn what_is_no_day_says_why() {
        for text in [
            "05/03/2026",
            "5.3.2026",
            "31-12-2026",
            "26/3/5",
            "26年3月5日",
        ] {
            assert_eq!(read_date(text), Err(FindingCode::AmbiguousDate), "{text}");
        }
        // The first day of a span is not the day.
        for text in [
            "2026年3月5日至4月1日",
            "2026年3月5日前",
            "2026-03-05 至 2026-04-01",
            "2026-03-05 2026-04-01",
            "2026-03-05 左右",
            "2026年3月5日或6日",
            "2026-03-05 20260401",
        ] {
            assert_eq!(read_date(text), Err(FindingCode::AmbiguousDate), "{text}");
        }
        for text in ["2026-02-29", "2026年4月31日", "20261301", "2026/0/1"] {
            assert_eq!(read_date(text), Err(FindingCode::NoSuchDay), "{text}");
        }
        for text in [
            "",
            "46174",
            "20260601253000",
            "2026060114300",
            "2026-6",
            "+026-6-1",
            "去年",
            "2026-006-1",
            "2026-6-1-1",
            "2026年6月",
        ] {
            assert_eq!(read_date(text), Err(FindingCode::Unreadable), "{text}");
        }
    }
}
