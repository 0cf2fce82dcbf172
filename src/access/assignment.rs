//! To whom a record is assigned, and who may open it or act on it then.

use super::{Denial, Grounds, MalformedPrincipal, Permit, Principal, Role, Scope};
use crate::domain::RecordId;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

/// Longest name of a unit, in bytes.
const MAX_UNIT: usize = 32;

/// Not an officer, a unit or an assignee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedAssignee {
    /// Neither of the two.
    #[error("not an assignee: expected officer/<number> or unit/<name>")]
    Kind,
    /// Not an officer.
    #[error("not an officer: expected officer/ and 1 to 16 letters, digits or hyphens")]
    Officer,
    /// Not the name of a unit.
    #[error("not a unit: a name is 1 to 32 small letters, digits or hyphens")]
    Unit,
}

/// An officer of the node's own jurisdiction: `officer/001`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Officer(String);

impl Officer {
    /// True where that is who calls. The caller's jurisdiction is not looked at.
    pub fn is(&self, principal: &Principal) -> bool {
        principal.role() == Role::Officer && principal.number() == Some(&self.0)
    }
}

impl FromStr for Officer {
    type Err = MalformedAssignee;

    fn from_str(text: &str) -> Result<Self, MalformedAssignee> {
        let number = text.strip_prefix("officer/");
        let number = number.ok_or(MalformedAssignee::Officer)?;
        Principal::check_number(number)
            .map_err(|_: MalformedPrincipal| MalformedAssignee::Officer)?;
        Ok(Self(number.to_owned()))
    }
}

impl fmt::Display for Officer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "officer/{}", self.0)
    }
}

/// The name of a unit: `narcotics`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitName(String);

impl FromStr for UnitName {
    type Err = MalformedAssignee;

    fn from_str(text: &str) -> Result<Self, MalformedAssignee> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=MAX_UNIT).contains(&text.len()) || !text.bytes().all(legal) {
            return Err(MalformedAssignee::Unit);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A node's units, and the officers in each.
pub type Units = BTreeMap<UnitName, BTreeSet<Officer>>;

/// To whom a record is assigned: `officer/001`, `unit/narcotics`. One spelling each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Assignee {
    /// One officer.
    Officer(Officer),
    /// All officers of a unit.
    Unit(UnitName),
}

impl FromStr for Assignee {
    type Err = MalformedAssignee;

    fn from_str(text: &str) -> Result<Self, MalformedAssignee> {
        match text.split_once('/') {
            Some(("officer", _)) => text.parse().map(Self::Officer),
            Some(("unit", name)) => name.parse().map(Self::Unit),
            Some(_) | None => Err(MalformedAssignee::Kind),
        }
    }
}

impl fmt::Display for Assignee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Officer(officer) => officer.fmt(f),
            Self::Unit(name) => write!(f, "unit/{name}"),
        }
    }
}

/// Permission to open one record, or to act on it. Only [`Permit::clear`] makes one, so whoever holds one was checked
/// against the record's assignment.
#[derive(Clone, Debug)]
pub struct Clearance {
    principal: Principal,
    grounds: Grounds,
    scope: Scope,
    record: RecordId,
    overridden: bool,
}

impl Clearance {
    /// Who may.
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Why, and on what.
    pub const fn grounds(&self) -> &Grounds {
        &self.grounds
    }

    /// As the permit has it.
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// The record.
    pub const fn record(&self) -> RecordId {
        self.record
    }

    /// True where it is assigned to somebody else and a supervisor overrides that: the log must say so.
    pub const fn overridden(&self) -> bool {
        self.overridden
    }
}

impl<A> Permit<A> {
    /// Clearance for one record in the permit's scope. A record that is assigned is for its assignee; assignment concerns
    /// neither auditors nor officers of other jurisdictions.
    ///
    /// # Errors
    /// It is assigned to somebody else, and no supervisor overrides that.
    pub fn clear(
        &self,
        record: RecordId,
        assigned: Option<&Assignee>,
    ) -> Result<Clearance, Denial> {
        let overridden = match assigned {
            Some(assignee) if self.is_bound() && !self.is_for(assignee) => {
                let is_supervisor = self.principal().role() == Role::Supervisor;
                match (self.overrides(), is_supervisor) {
                    (true, true) => true,
                    (true, false) => return Err(Denial::Override(assignee.clone())),
                    (false, _) => return Err(Denial::Assigned(assignee.clone())),
                }
            }
            // Nothing stands in the way, so nothing is overridden, whatever was asked.
            Some(_) | None => false,
        };
        Ok(Clearance {
            principal: self.principal().clone(),
            grounds: self.grounds().clone(),
            scope: self.scope(),
            record,
            overridden,
        })
    }

    fn is_bound(&self) -> bool {
        self.scope() == Scope::Node && self.principal().role() != Role::Auditor
    }

    fn is_for(&self, assignee: &Assignee) -> bool {
        match assignee {
            Assignee::Officer(officer) => officer.is(self.principal()),
            Assignee::Unit(name) => self.units().contains(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access::{OpenLead, Policy, Purpose},
        domain::Timestamp,
    };

    const OFFICER: &str = "spiffe://520624.yichuan/officer/001";
    const COLLEAGUE: &str = "spiffe://520624.yichuan/officer/002";
    const SUPERVISOR: &str = "spiffe://520624.yichuan/supervisor/001";
    const AUDITOR: &str = "spiffe://520624.yichuan/auditor/001";
    const FOREIGN: &str = "spiffe://440000.yichuan/officer/002";

    /// Whether the record is open to somebody, and whether by an override.
    fn ask(who: &str, assigned: Option<&str>, overrides: bool) -> Result<bool, &'static str> {
        let policy = Policy {
            own: "520624".parse().unwrap(),
            auditors: [AUDITOR.to_owned()].into(),
            units: [(
                "narcotics".parse().unwrap(),
                ["officer/001".parse().unwrap()].into(),
            )]
            .into(),
        };
        let principal: Principal = who.parse().unwrap();
        let grounds = Grounds {
            purpose: if principal.role() == Role::Auditor {
                Purpose::Audit
            } else {
                Purpose::Case
            },
            basis: "campaign:520624-2026-01".parse().unwrap(),
        };
        let permit = policy.authorize(&principal, grounds, OpenLead).unwrap();
        let assigned = assigned.map(|text| text.parse().unwrap());
        let record = RecordId::new(Timestamp::from_millis(1_772_640_000_000));
        permit
            .overriding(overrides)
            .clear(record, assigned.as_ref())
            .map(|clearance| clearance.overridden())
            .map_err(|denial| denial.code())
    }

    #[test]
    fn what_is_assigned_is_for_its_assignee() {
        for assigned in [None, Some("officer/001"), Some("unit/narcotics")] {
            assert_eq!(ask(OFFICER, assigned, false), Ok(false), "{assigned:?}");
        }
        assert_eq!(ask(COLLEAGUE, None, false), Ok(false));
        for assigned in ["officer/001", "unit/narcotics", "unit/unheard-of"] {
            let assigned = Some(assigned);
            assert_eq!(ask(COLLEAGUE, assigned, false), Err("assigned"));
            assert_eq!(ask(SUPERVISOR, assigned, false), Err("assigned"));
        }
        // A supervisor's number is not an officer's.
        assert_eq!(ask(SUPERVISOR, Some("officer/001"), false), Err("assigned"));
    }

    #[test]
    fn only_a_supervisor_overrides_and_only_what_stands_in_the_way() {
        let assigned = Some("officer/001");
        assert_eq!(ask(SUPERVISOR, assigned, true), Ok(true));
        assert_eq!(ask(COLLEAGUE, assigned, true), Err("override"));
        assert_eq!(ask(OFFICER, assigned, true), Ok(false));
        assert_eq!(ask(SUPERVISOR, None, true), Ok(false));
    }

    #[test]
    fn assignment_concerns_neither_auditors_nor_other_jurisdictions() {
        for assigned in [None, Some("officer/001"), Some("unit/narcotics")] {
            assert_eq!(ask(AUDITOR, assigned, false), Ok(false));
            assert_eq!(ask(FOREIGN, assigned, false), Ok(false));
        }
    }

    #[test]
    fn an_officer_of_another_jurisdiction_with_the_same_number_is_in_no_unit() {
        let policy = Policy {
            own: "520624".parse().unwrap(),
            auditors: BTreeSet::new(),
            units: [(
                "narcotics".parse().unwrap(),
                ["officer/002".parse().unwrap()].into(),
            )]
            .into(),
        };
        let grounds = Grounds {
            purpose: Purpose::Case,
            basis: "campaign:520624-2026-01".parse().unwrap(),
        };
        let permit = policy.authorize(&FOREIGN.parse().unwrap(), grounds, OpenLead);
        assert!(permit.unwrap().units().is_empty());
    }

    #[test]
    fn assignees_have_one_spelling() {
        for good in ["officer/001", "officer/A-7", "unit/narcotics", "unit/2-a"] {
            let assignee: Assignee = good.parse().unwrap();
            assert_eq!(assignee.to_string(), good);
        }
        use MalformedAssignee as E;
        for (bad, why) in [
            ("", E::Kind),
            ("nobody", E::Kind),
            ("supervisor/001", E::Kind),
            ("officer/", E::Officer),
            ("officer/1/2", E::Officer),
            ("officer/00000000000000001", E::Officer),
            ("unit/", E::Unit),
            ("unit/Narcotics", E::Unit),
            ("unit/a b", E::Unit),
        ] {
            assert_eq!(bad.parse::<Assignee>(), Err(why), "{bad}");
        }
    }
}
