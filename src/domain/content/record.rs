//! Records that come as rows of sheets: how a row of any kind is checked, and what it then is.

use super::{Column, column::SheetColumn, day::FIRST_DAY, reading::Reading};
use crate::domain::{
    Finding, FindingCode, Handling, Jurisdiction, Locality, RecordId, RecordKind, ResidentNumber,
    Sex, Urgency,
};
use jiff::civil::Date;
use std::{collections::BTreeSet, fmt};

/// Which partner answers for a destination.
pub trait PartnerLookup {
    /// The most specific partner with a card: the county's, else the prefecture's, else the province's.
    fn route(&self, destination: Jurisdiction) -> Option<Jurisdiction>;
}

impl PartnerLookup for BTreeSet<Jurisdiction> {
    fn route(&self, destination: Jurisdiction) -> Option<Jurisdiction> {
        destination.ancestry().find(|code| self.contains(code))
    }
}

/// What the sender's node knows when it takes a record.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// Who sends.
    pub own: Jurisdiction,
    /// Those to whom it can send.
    pub partners: &'a dyn PartnerLookup,
    /// Today in Asia/Shanghai.
    pub today: Date,
}

impl Rules<'_> {
    /// The partner node that a record goes to which is about this place.
    pub(super) fn route<C: RecordColumn>(
        &self,
        place: Jurisdiction,
    ) -> Result<Jurisdiction, FindingCode> {
        // A province's node does not answer for its counties where the county has a node of its own: the more specific of
        // the two, own or partner, decides.
        let partner = self.partners.route(place);
        let mut ancestry = place.ancestry();
        match ancestry.find(|code| *code == self.own || Some(*code) == partner) {
            Some(code) if code == self.own => Err(C::RECORD.own_place),
            Some(code) => Ok(code),
            None => Err(C::RECORD.no_partner),
        }
    }
}

impl fmt::Debug for Rules<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("own", &self.own)
            .field("today", &self.today)
            .finish_non_exhaustive()
    }
}

/// What a kind asks of its rows, beside what it asks of each column.
#[derive(Clone, Copy, Debug)]
pub struct RecordSpec<C: 'static> {
    /// What a row is.
    pub kind: RecordKind,
    /// What keeps its numbers, and the contents under them, apart from those of other kinds in the keyed index. Both are in
    /// stores and never change.
    pub labels: [&'static str; 2],
    /// The column that names a lead before it.
    pub lead: Option<C>,
    /// The column at fault where a row as a whole is too long.
    pub longest: C,
    /// First bytes of [`SheetRecord::canonical_content`]; another layout gets another number.
    pub canonical: &'static [u8],
    /// The place that decides whom the record goes to.
    pub place: C,
    /// Said of that place where it is the sender's own.
    pub own_place: FindingCode,
    /// Said of that place where nobody answers for it.
    pub no_partner: FindingCode,
    /// The day of what happened.
    pub day: C,
    /// Said of that day where it is later than today.
    pub future_day: FindingCode,
    /// Columns in which a mark alone says nothing.
    pub never_marks: &'static [C],
}

/// A column of a kind of sheet whose rows are records.
pub trait RecordColumn: SheetColumn {
    /// What only records of this kind say, read.
    type Details: Clone + fmt::Debug + PartialEq + Eq;

    /// What the kind asks of its rows.
    const RECORD: RecordSpec<Self>;

    /// Reads what only records of this kind say.
    fn details(reading: &mut Reading<Self>) -> Option<Self::Details>;

    /// How urgent a record is, and how to be handled. One that asks for nothing is as urgent as any, and for police use.
    fn terms(_details: &Self::Details) -> (Urgency, Handling) {
        (Urgency::Normal, Handling::H0)
    }

    /// The lead before it, which must be between the same two jurisdictions.
    fn lead(_details: &Self::Details) -> Option<RecordId> {
        None
    }
}

/// A record whose every field has been read. Only [`SheetRecord::parse`] and [`SheetRecord::reread`] make one.
#[derive(Clone, PartialEq, Eq)]
pub struct SheetRecord<C: RecordColumn> {
    /// The text of all fields, each in its one spelling.
    fields: C::Fields,
    sex: Sex,
    resident_number: ResidentNumber,
    day: Date,
    pub(super) details: C::Details,
}

/// A record that may be sent, and where to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parsed<C: RecordColumn = Column> {
    /// The record.
    pub record: SheetRecord<C>,
    /// The partner node that it goes to.
    pub route: Jurisdiction,
    /// What was tidied, or is not in the division table.
    pub warnings: Vec<Finding<C>>,
}

impl<C: RecordColumn> SheetRecord<C> {
    /// Reads a record that is to be sent: all that [`SheetRecord::reread`] asks, and that a partner answers for the place
    /// that it goes to, that nothing in it is later than today nor happened before 2000, and that its name is one.
    ///
    /// # Errors
    /// All findings, warnings too, the most important first.
    pub fn parse(fields: &C::Fields, rules: &Rules<'_>) -> Result<Parsed<C>, Vec<Finding<C>>> {
        let spec = C::RECORD;
        let mut reading = Reading::new(fields, spec.day);
        let record = Self::read(&mut reading);
        reading.says_nothing(C::NAME.text(fields), spec.never_marks);
        // These are looked at even where another column is wrong, so that one pass tells the officer everything.
        let place = spec.place.text(&reading.fields).parse::<Locality>();
        let route = place
            .ok()
            .and_then(|place| match rules.route::<C>(place.jurisdiction()) {
                Ok(route) => Some(route),
                Err(code) => {
                    reading.found(spec.place, code);
                    None
                }
            });
        if reading.day.is_some_and(|day| day > rules.today) {
            reading.found(spec.day, spec.future_day);
        }
        if reading.day.is_some_and(|day| day < FIRST_DAY) {
            reading.found(spec.day, FindingCode::DayTooEarly);
        }
        let born = reading.resident_number.as_ref().map(ResidentNumber::born);
        if born.is_some_and(|day| day > rules.today) {
            reading.found(C::RESIDENT_NUMBER, FindingCode::BadBirthDate);
        }
        let findings = reading.into_findings();
        match (record, route) {
            (Some(record), Some(route)) if findings.iter().all(Finding::is_warning) => Ok(Parsed {
                record,
                route,
                warnings: findings,
            }),
            _ => Err(findings),
        }
    }

    /// Reads a record that somebody else took: what holds at every time and place. A recipient and a reader of the store
    /// know neither the sender's partners nor its date.
    ///
    /// # Errors
    /// All findings, warnings too, the most important first.
    pub fn reread(fields: &C::Fields) -> Result<Self, Vec<Finding<C>>> {
        let mut reading = Reading::new(fields, C::RECORD.day);
        let record = Self::read(&mut reading);
        let findings = reading.into_findings();
        record
            .filter(|_| findings.iter().all(Finding::is_warning))
            .ok_or(findings)
    }

    /// The record, where every typed column could be read. It counts only if no finding is an error.
    fn read(reading: &mut Reading<C>) -> Option<Self> {
        // Each is read before any is missed, so that one pass finds everything.
        let details = C::details(reading);
        reading.registered.as_ref()?;
        Some(Self {
            sex: reading.sex?,
            resident_number: reading.resident_number.clone()?,
            day: reading.day?,
            details: details?,
            fields: reading.fields.clone(),
        })
    }

    /// The text of all fields, each in its one spelling: sex `M` or `F`, the urgency's key, the grade scheme written out.
    pub fn to_fields(&self) -> C::Fields {
        self.fields.clone()
    }

    /// All fields as unambiguous bytes: equal exactly where two records say the same.
    pub fn canonical_content(&self) -> Vec<u8> {
        let mut bytes = C::RECORD.canonical.to_vec();
        for column in C::ALL {
            let text = column.text(&self.fields);
            // No field is longer than a few thousand characters.
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }

    /// The sheet's number: unique within the sending jurisdiction.
    pub fn number(&self) -> &str {
        C::NUMBER.text(&self.fields)
    }

    /// The place that decides whom the record goes to.
    pub fn place(&self) -> Option<Locality> {
        C::RECORD.place.text(&self.fields).parse().ok()
    }

    /// How urgent it is, and how to be handled.
    pub fn terms(&self) -> (Urgency, Handling) {
        C::terms(&self.details)
    }

    /// The lead before it, if it names one.
    pub fn lead(&self) -> Option<RecordId> {
        C::lead(&self.details)
    }

    /// 姓名.
    pub fn name(&self) -> &str {
        C::NAME.text(&self.fields)
    }

    /// 性别.
    pub const fn sex(&self) -> Sex {
        self.sex
    }

    /// 公民身份号码.
    pub const fn resident_number(&self) -> &ResidentNumber {
        &self.resident_number
    }

    /// The day of what happened: 采集时间, 抓获时间.
    pub const fn day(&self) -> Date {
        self.day
    }
}

/// Nothing about the person, nor the sheet's number.
impl<C: RecordColumn> fmt::Debug for SheetRecord<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SheetRecord").finish_non_exhaustive()
    }
}
