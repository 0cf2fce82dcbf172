//! Officers, units, and the assignment of a record to one of them.

use super::{MalformedPrincipal, Principal, Role};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

/// Longest name of a unit, in bytes.
const MAX_UNIT: usize = 32;

/// Why a text names no officer, unit or assignee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedAssignee {
    /// It begins with neither `officer/` nor `unit/`.
    #[error("not an assignee: expected officer/<number> or unit/<name>")]
    Kind,
    /// It is not `officer/` and a service number.
    #[error("not an officer: expected officer/ and 1 to 16 letters, digits or hyphens")]
    Officer,
    /// It is not the name of a unit.
    #[error("not a unit: a name is 1 to 32 small letters, digits or hyphens")]
    Unit,
}

/// An officer of the node's own jurisdiction: `officer/001`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Officer(String);

impl Officer {
    /// True if the principal is this officer. Does not compare jurisdictions.
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

/// Whom a record is assigned to: `officer/001` or `unit/narcotics`. Each has exactly one spelling.
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

#[cfg(test)]
mod tests {
    use super::*;

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
