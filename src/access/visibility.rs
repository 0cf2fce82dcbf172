//! How much of a record a caller may see. This is one decision for opening, acting, lists, searches, filters and streams.

use super::{Assignee, Denial, Parties, Permit, Role, Scope};

/// What decides who may see a record.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its two jurisdictions.
    pub parties: Parties,
    /// True for a draft, which has not left the node.
    pub draft: bool,
    /// Whom it is assigned to.
    pub assigned: Option<&'a Assignee>,
}

/// How much of a record a caller may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Nothing: for the caller it does not exist.
    Nothing,
    /// Its id, state, deadlines and proofs, but not its content, for this reason.
    Standing(Denial),
    /// Its content.
    Content {
        /// True if it is assigned to somebody else and a supervisor overrides that, which the log must say.
        overridden: bool,
    },
}

impl Visibility {
    /// True if the content may be opened, read or searched.
    pub const fn is_content(&self) -> bool {
        matches!(self, Self::Content { .. })
    }
}

/// Permission to open one record or to act on it. Only [`Permit::clear`] makes one, after a check of the record's parties and
/// its assignment.
#[derive(Clone, Debug)]
pub struct Clearance {
    overridden: bool,
}

impl Clearance {
    /// True if it is assigned to somebody else and a supervisor overrides that, which the log must say.
    pub const fn overridden(&self) -> bool {
        self.overridden
    }
}

impl<A> Permit<A> {
    /// How much of a record the holder may see. An assigned record is for its assignee and for auditors. People of another
    /// jurisdiction open nothing here.
    pub fn visibility(&self, of: Subject<'_>) -> Visibility {
        if let Scope::Counterpart(jurisdiction) = self.scope() {
            return if of.draft || !self.scope().covers(of.parties) {
                Visibility::Nothing
            } else {
                Visibility::Standing(Denial::Elsewhere { jurisdiction })
            };
        }
        let role = self.principal().role();
        let others = of
            .assigned
            .filter(|assignee| role != Role::Auditor && !self.is_for(assignee));
        let Some(assignee) = others else {
            // No assignment stands in the way, so nothing is overridden even if the caller asked to.
            return Visibility::Content { overridden: false };
        };
        match (self.overrides(), role == Role::Supervisor) {
            (true, true) => Visibility::Content { overridden: true },
            (true, false) => Visibility::Standing(Denial::Override(assignee.clone())),
            (false, _) => Visibility::Standing(Denial::Assigned(assignee.clone())),
        }
    }

    /// Clearance to open one record, or to act on it.
    ///
    /// # Errors
    /// The denial; none if for the holder the record does not exist.
    pub fn clear(&self, of: Subject<'_>) -> Result<Clearance, Option<Denial>> {
        match self.visibility(of) {
            Visibility::Nothing => Err(None),
            Visibility::Standing(denial) => Err(Some(denial)),
            Visibility::Content { overridden } => Ok(Clearance { overridden }),
        }
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
        access::{Grounds, Open, Policy, Principal, Purpose},
        domain::Family,
    };
    use std::collections::BTreeSet;

    const OFFICER: &str = "spiffe://520624.yichuan/officer/001";
    const COLLEAGUE: &str = "spiffe://520624.yichuan/officer/002";
    const SUPERVISOR: &str = "spiffe://520624.yichuan/supervisor/001";
    const AUDITOR: &str = "spiffe://520624.yichuan/auditor/001";
    const FOREIGN: &str = "spiffe://440000.yichuan/officer/002";
    const STRANGER: &str = "spiffe://330000.yichuan/supervisor/001";

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
        let permit = policy
            .authorize(&principal, grounds, Open(Family::Lead))
            .unwrap();
        let assigned = assigned.map(|text| text.parse().unwrap());
        let subject = Subject {
            parties: Parties {
                from: "440000".parse().unwrap(),
                to: "520624".parse().unwrap(),
            },
            draft: false,
            assigned: assigned.as_ref(),
        };
        permit
            .overriding(overrides)
            .clear(subject)
            .map(|clearance| clearance.overridden())
            .map_err(|denial| denial.map_or("nothing", |denial| denial.code()))
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
    fn assignment_concerns_no_auditor_and_another_jurisdiction_opens_nothing_here() {
        for assigned in [None, Some("officer/001"), Some("officer/002")] {
            assert_eq!(ask(AUDITOR, assigned, false), Ok(false));
            assert_eq!(ask(FOREIGN, assigned, false), Err("elsewhere"));
            assert_eq!(ask(FOREIGN, assigned, true), Err("elsewhere"));
            assert_eq!(ask(STRANGER, assigned, true), Err("nothing"));
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
        let permit = policy.authorize(&FOREIGN.parse().unwrap(), grounds, Open(Family::Lead));
        assert!(permit.unwrap().units().is_empty());
    }
}
