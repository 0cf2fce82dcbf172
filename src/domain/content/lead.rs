//! A lead, 线索: a person suspected, on stated facts, of trafficking in another jurisdiction.

use super::{
    Column, LeadFields,
    lead_reading::{FIRST_DAY, Reading},
};
use crate::domain::{
    Finding, FindingCode, Grading, Handling, Jurisdiction, Locality, ResidentNumber, Sex, Urgency,
};
use jiff::civil::Date;
use std::{collections::BTreeSet, fmt};

/// First bytes of [`Lead::canonical_content`]; another layout gets another number.
const CANONICAL_V1: &[u8] = b"yichuan/lead/1\n";

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

/// What the originator's node knows when it takes a lead.
#[derive(Clone, Copy)]
pub struct LeadRules<'a> {
    /// The originator.
    pub own: Jurisdiction,
    /// Those to whom it can send.
    pub partners: &'a dyn PartnerLookup,
    /// Today in Asia/Shanghai.
    pub today: Date,
}

impl LeadRules<'_> {
    /// The partner node that a lead to this destination goes to.
    ///
    /// # Errors
    /// The destination is the originator's own, or no partner covers it.
    fn route(&self, destination: Jurisdiction) -> Result<Jurisdiction, FindingCode> {
        match competent(self.own, self.partners, destination) {
            Some(code) if code == self.own => Err(FindingCode::OwnCountyDestination),
            Some(code) => Ok(code),
            None => Err(FindingCode::NoPartnerCard),
        }
    }
}

/// Whose node answers for a place: one's own or a partner's.
pub(in crate::domain) fn competent(
    own: Jurisdiction,
    partners: &dyn PartnerLookup,
    place: Jurisdiction,
) -> Option<Jurisdiction> {
    // A province's node does not answer for its counties where the county has a node of its own: the more specific of the
    // two, own or partner, decides.
    let partner = partners.route(place);
    place
        .ancestry()
        .find(|code| *code == own || Some(*code) == partner)
}

impl fmt::Debug for LeadRules<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeadRules")
            .field("own", &self.own)
            .field("today", &self.today)
            .finish_non_exhaustive()
    }
}

/// A lead whose every field has been read. Only [`Lead::parse`] and [`Lead::reread`] make one.
#[derive(Clone, PartialEq, Eq)]
pub struct Lead {
    /// The text of all fields, each in its one spelling.
    pub(super) fields: LeadFields,
    pub(super) sex: Sex,
    pub(super) resident_number: ResidentNumber,
    pub(super) registered: Locality,
    pub(super) destination: Locality,
    pub(super) collected_on: Date,
    pub(super) grading: Grading,
    pub(super) urgency: Urgency,
    pub(super) handling: Handling,
}

/// A lead that may be sent, and where to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parsed {
    /// The lead.
    pub lead: Lead,
    /// The partner node that it goes to.
    pub route: Jurisdiction,
    /// What was tidied, or is not in the division table.
    pub warnings: Vec<Finding>,
}

impl Lead {
    /// Reads a lead that is to be sent: all that [`Lead::reread`] asks, and that it leaves the own jurisdiction for a
    /// partner, that nothing in it is later than today nor collected before 2000, and that its name is one.
    ///
    /// # Errors
    /// All findings, warnings too, the most important first.
    pub fn parse(fields: LeadFields, rules: &LeadRules<'_>) -> Result<Parsed, Vec<Finding>> {
        let typed_name = fields.name.clone();
        let mut reading = Reading::new(fields);
        let lead = reading.lead();
        reading.says_nothing(&typed_name);
        // These are looked at even where another column is wrong, so that one pass tells the officer everything.
        let route = match reading.destination().map(|to| rules.route(to)) {
            Some(Ok(route)) => Some(route),
            Some(Err(code)) => {
                reading.found(Column::DestinationCode, code);
                None
            }
            None => None,
        };
        if reading.collected_on().is_some_and(|day| day > rules.today) {
            reading.found(Column::CollectedOn, FindingCode::FutureCollection);
        }
        if reading.collected_on().is_some_and(|day| day < FIRST_DAY) {
            reading.found(Column::CollectedOn, FindingCode::DayTooEarly);
        }
        if reading.born().is_some_and(|day| day > rules.today) {
            reading.found(Column::ResidentNumber, FindingCode::BadBirthDate);
        }
        let findings = reading.into_findings();
        match (lead, route) {
            (Some(lead), Some(route)) if findings.iter().all(Finding::is_warning) => Ok(Parsed {
                lead,
                route,
                warnings: findings,
            }),
            _ => Err(findings),
        }
    }

    /// Reads a lead that somebody else took: what holds at every time and place. A recipient and a reader of the store
    /// know neither the originator's partners nor its date.
    ///
    /// # Errors
    /// All findings, warnings too, the most important first.
    pub fn reread(fields: LeadFields) -> Result<Self, Vec<Finding>> {
        let mut reading = Reading::new(fields);
        let lead = reading.lead();
        let findings = reading.into_findings();
        lead.filter(|_| findings.iter().all(Finding::is_warning))
            .ok_or(findings)
    }

    /// The text of all fields, each in its one spelling: sex `M` or `F`, the urgency's key, the grade scheme written out.
    pub fn to_fields(&self) -> LeadFields {
        self.fields.clone()
    }

    /// All fields as unambiguous bytes: equal exactly where two leads say the same.
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

    /// 线索编号: unique within the originating jurisdiction.
    pub fn number(&self) -> &str {
        &self.fields.number
    }

    /// 姓名.
    pub fn name(&self) -> &str {
        &self.fields.name
    }

    /// 性别.
    pub const fn sex(&self) -> Sex {
        self.sex
    }

    /// 公民身份号码.
    pub const fn resident_number(&self) -> &ResidentNumber {
        &self.resident_number
    }

    /// 户籍地代码.
    pub const fn registered(&self) -> &Locality {
        &self.registered
    }

    /// 户籍地, in words; may be empty.
    pub fn registered_place(&self) -> &str {
        &self.fields.registered_place
    }

    /// 流入地代码.
    pub const fn destination(&self) -> &Locality {
        &self.destination
    }

    /// 流入地, in words; may be empty.
    pub fn destination_place(&self) -> &str {
        &self.fields.destination_place
    }

    /// 毒品种类; may be empty.
    pub fn substance(&self) -> &str {
        &self.fields.substance
    }

    /// 涉嫌行为.
    pub fn conduct(&self) -> &str {
        &self.fields.conduct
    }

    /// 事实依据.
    pub fn facts(&self) -> &str {
        &self.fields.facts
    }

    /// 采集方式.
    pub fn collection_method(&self) -> &str {
        &self.fields.collection_method
    }

    /// 采集时间.
    pub const fn collected_on(&self) -> Date {
        self.collected_on
    }

    /// 来源可靠性 and 信息可信度, with their scheme.
    pub const fn grading(&self) -> Grading {
        self.grading
    }

    /// 紧急程度.
    pub const fn urgency(&self) -> Urgency {
        self.urgency
    }

    /// 处理限制.
    pub const fn handling(&self) -> Handling {
        self.handling
    }

    /// 联系电话; may be empty.
    pub fn phone(&self) -> &str {
        &self.fields.phone
    }

    /// 车辆号牌; may be empty.
    pub fn plate(&self) -> &str {
        &self.fields.plate
    }

    /// 备注; may be empty.
    pub fn remarks(&self) -> &str {
        &self.fields.remarks
    }
}

/// Nothing about the person, nor the sheet's number.
impl fmt::Debug for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lead")
            .field("urgency", &self.urgency)
            .field("handling", &self.handling)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "lead_tests.rs"]
mod tests;
