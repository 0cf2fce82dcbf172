//! Who may do what: the table of actions, and [`Policy::authorize`], which returns a [`Permit`] or a [`Denial`].

use super::{Assignee, Grounds, Officer, Principal, Purpose, Quota, Role, UnitName, Units};
use crate::domain::{Family, Jurisdiction};
use std::{collections::BTreeSet, fmt};

/// An action that needs a permit. The types that implement it are the list of all such actions.
pub trait Act: Copy + fmt::Debug + Send + Sync + 'static {
    /// Who may take it, and for what.
    fn rule(self) -> &'static Rule;
}

/// Who may take an action, and for what.
#[derive(Debug)]
pub struct Rule {
    /// How denials name it: `push leads`.
    pub name: &'static str,
    /// Roles of the node's own jurisdiction that may take it.
    pub roles: &'static [Role],
    /// Whether officers of another jurisdiction may take it, on records addressed to or from theirs.
    pub partners_may: bool,
    /// Purposes for which it may be taken.
    pub purposes: &'static [Purpose],
    /// The quota that it spends besides [`Quota::Calls`].
    pub spends: Option<Quota>,
}

/// An action on records of one family.
pub trait OfFamily: Act {
    /// Which.
    fn family(self) -> Family;
}

macro_rules! rule {
    ($name:literal: [$($role:ident),*], partners: $partners:literal, for [$($purpose:ident),*] $(, spends $quota:ident)?) => {
        Rule {
            name: $name,
            roles: &[$(Role::$role),*],
            partners_may: $partners,
            purposes: &[$(Purpose::$purpose),*],
            spends: [$(Quota::$quota)?].first().copied(),
        }
    };
}

/// Actions on records: one rule for each family.
macro_rules! record_acts {
    ($($(#[$doc:meta])* $act:ident { $($family:ident = { $($rule:tt)+ })+ })+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $act(pub Family);

            impl Act for $act {
                fn rule(self) -> &'static Rule {
                    match self.0 {
                        $(Family::$family => const { &rule!($($rule)+) },)+
                    }
                }
            }

            impl OfFamily for $act {
                fn family(self) -> Family {
                    self.0
                }
            }
        )+
    };
}

/// All other actions.
macro_rules! acts {
    ($($(#[$doc:meta])* $act:ident = { $($rule:tt)+ })+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $act;

            impl Act for $act {
                fn rule(self) -> &'static Rule {
                    const { &rule!($($rule)+) }
                }
            }
        )+
    };
}

record_acts! {
    /// Submit records to partners.
    Submit {
        Lead = { "push leads": [Officer, Supervisor], partners: false, for [Screening, Case] }
        Referral = { "open a referral": [Officer, Supervisor], partners: false, for [Screening, Case, Assistance] }
        ArrestNotice = { "push caught notices": [Officer, Supervisor], partners: false,
            for [Screening, Case, Assistance] }
    }
    /// List or follow records without payloads, and see where they stand.
    List {
        Lead = { "list leads": [Officer, Supervisor], partners: true,
            for [Screening, Case, Assistance, Supervision] }
        Referral = { "list referrals": [Officer, Supervisor], partners: true,
            for [Screening, Case, Assistance, Supervision] }
        ArrestNotice = { "list caught notices": [Officer, Supervisor], partners: true,
            for [Screening, Case, Assistance, Supervision] }
    }
    /// Open a record's payload.
    Open {
        Lead = { "open a lead": [Officer, Supervisor, Auditor], partners: true,
            for [Screening, Case, Assistance, Supervision, Audit], spends Opened }
        Referral = { "read a referral": [Officer, Supervisor, Auditor], partners: true,
            for [Screening, Case, Assistance, Supervision, Audit], spends Opened }
        ArrestNotice = { "open a caught notice": [Officer, Supervisor, Auditor], partners: true,
            for [Screening, Case, Assistance, Supervision, Audit], spends Opened }
    }
    /// Act on a record that is there.
    ActOn {
        Lead = { "answer a lead": [Officer, Supervisor], partners: false, for [Screening, Case, Assistance] }
        Referral = { "act on a referral": [Officer, Supervisor], partners: false,
            for [Screening, Case, Assistance] }
        ArrestNotice = { "act on a caught notice": [Officer, Supervisor], partners: false,
            for [Screening, Case, Assistance] }
    }
}

acts! {
    /// Approve a transfer that somebody else drafted.
    ApproveReferral = { "approve a referral": [Supervisor], partners: false, for [Case, Assistance, Supervision] }
    /// Draft a partner.
    ProposePartner = { "propose a partner": [Admin, Officer, Supervisor], partners: false, for [Supervision] }
    /// Approve a partner that somebody else drafted, or cut one off.
    ApprovePartner = { "approve or suspend a partner": [Supervisor], partners: false, for [Supervision] }
    /// See who the partners are; pushing needs to know.
    ListPartners = { "list partners": [Admin, Officer, Supervisor, Auditor], partners: false,
        for [Screening, Case, Assistance, Supervision, Audit] }
    /// Assign a record to an officer or a unit of the node.
    AssignRecord = { "assign a record": [Supervisor], partners: false,
        for [Screening, Case, Assistance, Supervision] }
    /// See the newest checkpoint: how long the log is, and its root. Partners are shown it anyway.
    ReadCheckpoint = { "read the checkpoint": [Admin, Officer, Supervisor, Auditor], partners: false,
        for [Screening, Case, Assistance, Supervision, Audit] }
    /// Read the log.
    ReadLog = { "read the log": [Auditor], partners: false, for [Audit] }
}

/// Whether people of a role may take an action for a purpose in their own jurisdiction.
pub fn may<A: Act>(act: A, role: Role, purpose: Purpose) -> bool {
    let rule = act.rule();
    rule.roles.contains(&role) && rule.purposes.contains(&purpose)
}

/// Which records a permit lets its holder see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All records of the node.
    Node,
    /// Records addressed to or from this jurisdiction.
    Counterpart(Jurisdiction),
}

/// The two jurisdictions of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parties {
    /// The sender.
    pub from: Jurisdiction,
    /// The recipient.
    pub to: Jurisdiction,
}

impl Scope {
    /// True if a record between these parties is in scope.
    pub fn covers(self, parties: Parties) -> bool {
        match self {
            Self::Node => true,
            Self::Counterpart(who) => parties.from == who || parties.to == who,
        }
    }
}

/// Permission to take one action. Only [`Policy::authorize`] makes one.
#[derive(Clone, Debug)]
pub struct Permit<A> {
    principal: Principal,
    grounds: Grounds,
    scope: Scope,
    /// The node's units that the holder belongs to.
    units: BTreeSet<UnitName>,
    overrides: bool,
    act: A,
}

impl<A> Permit<A> {
    /// The holder.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The purpose and basis that the holder stated.
    pub fn grounds(&self) -> &Grounds {
        &self.grounds
    }

    /// The records that the holder may see.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    pub(super) const fn units(&self) -> &BTreeSet<UnitName> {
        &self.units
    }

    pub(super) const fn overrides(&self) -> bool {
        self.overrides
    }

    /// What it permits.
    pub const fn act(&self) -> A
    where
        A: Act,
    {
        self.act
    }

    /// The family of records that it is for.
    pub fn family(&self) -> Family
    where
        A: OfFamily,
    {
        self.act.family()
    }

    /// The same permit with or without a request to override assignments, which only supervisors may.
    #[must_use]
    pub fn overriding(self, overrides: bool) -> Self {
        Self { overrides, ..self }
    }
}

/// Why an action is denied. Names roles and jurisdictions, never a person's data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The role does not include the action.
    #[error("{role} may not {action} here")]
    Role {
        /// The caller's role.
        role: Role,
        /// The action.
        action: &'static str,
    },
    /// People of another jurisdiction do not do this here.
    #[error("officers of {jurisdiction} only list here; {action} at your own node")]
    Foreign {
        /// The caller's jurisdiction.
        jurisdiction: Jurisdiction,
        /// The action.
        action: &'static str,
    },
    /// The purpose does not cover the action.
    #[error("the purpose {purpose} does not cover: {action}")]
    Purpose {
        /// The purpose stated.
        purpose: Purpose,
        /// The action.
        action: &'static str,
    },
    /// The auditor is not on the policy's list.
    #[error("this auditor is not listed in the node's policy")]
    UnlistedAuditor,
    /// The record is assigned to somebody else.
    #[error(
        "this record is assigned to {0}; a supervisor can assign it to you, or override the assignment, which is logged"
    )]
    Assigned(Assignee),
    /// The record is assigned to somebody else, and the caller is no supervisor who may override that.
    #[error("this record is assigned to {0}; only a supervisor of this node overrides that")]
    Override(Assignee),
    /// People of another jurisdiction see that a record exists here. They open it at their own node.
    #[error(
        "officers of {jurisdiction} see ids, states, deadlines and proofs here; open it at your own node, which has it too"
    )]
    Elsewhere {
        /// The caller's jurisdiction.
        jurisdiction: Jurisdiction,
    },
    /// The caller is not the node of another jurisdiction.
    #[error("only a partner's node relays dispatches")]
    NotAPartnerNode,
}

impl Denial {
    /// The stable key in logs and metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Role { .. } => "role",
            Self::Foreign { .. } => "foreign",
            Self::Purpose { .. } => "purpose",
            Self::UnlistedAuditor => "unlisted_auditor",
            Self::Assigned(_) => "assigned",
            Self::Override(_) => "override",
            Self::Elsewhere { .. } => "elsewhere",
            Self::NotAPartnerNode => "not_a_partner_node",
        }
    }
}

/// The access policy in the node's configuration. Every change of it is a log entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The node's own jurisdiction.
    pub own: Jurisdiction,
    /// Auditors who may read this log.
    pub auditors: BTreeSet<String>,
    /// The node's units, and the officers in each.
    pub units: Units,
}

impl Policy {
    /// Decides on an action. For the holder of the permit, records outside its [`Scope`] do not exist.
    ///
    /// # Errors
    /// The denial, which is logged and shown to the caller.
    pub fn authorize<A: Act>(
        &self,
        principal: &Principal,
        grounds: Grounds,
        act: A,
    ) -> Result<Permit<A>, Denial> {
        let (role, rule) = (principal.role(), act.rule());
        let foreign = principal.jurisdiction() != self.own;
        if foreign {
            let reads = rule.partners_may && matches!(role, Role::Officer | Role::Supervisor);
            if !reads {
                return Err(Denial::Foreign {
                    jurisdiction: principal.jurisdiction(),
                    action: rule.name,
                });
            }
        } else if !rule.roles.contains(&role) {
            return Err(Denial::Role {
                role,
                action: rule.name,
            });
        }
        if role == Role::Auditor && !self.auditors.contains(&principal.to_string()) {
            return Err(Denial::UnlistedAuditor);
        }
        let audits = grounds.purpose == Purpose::Audit;
        if !rule.purposes.contains(&grounds.purpose) || (audits != (role == Role::Auditor)) {
            return Err(Denial::Purpose {
                purpose: grounds.purpose,
                action: rule.name,
            });
        }
        let scope = if foreign {
            Scope::Counterpart(principal.jurisdiction())
        } else {
            Scope::Node
        };
        Ok(Permit {
            principal: principal.clone(),
            grounds,
            scope,
            units: self.units_of(principal),
            overrides: false,
            act,
        })
    }

    fn units_of(&self, principal: &Principal) -> BTreeSet<UnitName> {
        let is_in = |members: &BTreeSet<Officer>| members.iter().any(|o| o.is(principal));
        self.units
            .iter()
            .filter(|(_, members)| principal.jurisdiction() == self.own && is_in(members))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The partner whose node the principal is.
    ///
    /// # Errors
    /// The principal is no node, or it is this node itself.
    pub fn authorize_relay(&self, principal: &Principal) -> Result<Jurisdiction, Denial> {
        let partner = principal.jurisdiction();
        if principal.role() == Role::Node && partner != self.own {
            Ok(partner)
        } else {
            Err(Denial::NotAPartnerNode)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy {
            own: "520624".parse().unwrap(),
            auditors: ["spiffe://520624.yichuan/auditor/001".to_owned()].into(),
            units: Units::new(),
        }
    }

    fn ask<A: Act>(who: &str, purpose: Purpose, act: A) -> Result<Scope, Denial> {
        let grounds = Grounds {
            purpose,
            basis: "campaign:520624-2026-01".parse().unwrap(),
        };
        policy()
            .authorize(&who.parse().unwrap(), grounds, act)
            .map(|p| p.scope())
    }

    #[test]
    fn officers_of_another_jurisdiction_only_read_what_concerns_theirs() {
        let officer = "spiffe://440000.yichuan/officer/001";
        let theirs = "440000".parse().unwrap();
        let scope = ask(officer, Purpose::Screening, List(Family::Lead));
        assert_eq!(scope, Ok(Scope::Counterpart(theirs)));
        assert_eq!(
            ask(officer, Purpose::Screening, Open(Family::Lead)),
            Ok(Scope::Counterpart(theirs))
        );
        for denial in [
            ask(officer, Purpose::Screening, Submit(Family::Lead)).unwrap_err(),
            ask(officer, Purpose::Screening, ActOn(Family::Lead)).unwrap_err(),
            ask(officer, Purpose::Supervision, ProposePartner).unwrap_err(),
            ask(
                "spiffe://440000.yichuan/auditor/001",
                Purpose::Audit,
                ReadLog,
            )
            .unwrap_err(),
            ask(
                "spiffe://440000.yichuan/node",
                Purpose::Screening,
                List(Family::Lead),
            )
            .unwrap_err(),
        ] {
            assert_eq!(denial.code(), "foreign");
        }
        let covered = |from: &str, to: &str| {
            Scope::Counterpart(theirs).covers(Parties {
                from: from.parse().unwrap(),
                to: to.parse().unwrap(),
            })
        };
        assert!(covered("520624", "440000") && covered("440000", "520624"));
        assert!(!covered("520624", "330000"));
    }

    #[test]
    fn auditors_read_and_do_nothing_else() {
        let auditor = "spiffe://520624.yichuan/auditor/001";
        assert_eq!(ask(auditor, Purpose::Audit, ReadLog), Ok(Scope::Node));
        assert_eq!(
            ask(auditor, Purpose::Audit, Open(Family::Lead)),
            Ok(Scope::Node)
        );
        assert_eq!(
            ask(auditor, Purpose::Audit, Submit(Family::Lead))
                .unwrap_err()
                .code(),
            "role"
        );
        assert_eq!(
            ask(auditor, Purpose::Screening, Open(Family::Lead))
                .unwrap_err()
                .code(),
            "purpose"
        );
        let stranger = "spiffe://520624.yichuan/auditor/002";
        assert_eq!(
            ask(stranger, Purpose::Audit, ReadLog),
            Err(Denial::UnlistedAuditor)
        );
    }

    #[test]
    fn admins_see_no_payload_and_officers_approve_no_partner() {
        let admin = "spiffe://520624.yichuan/admin/001";
        assert_eq!(
            ask(admin, Purpose::Supervision, Open(Family::Lead))
                .unwrap_err()
                .code(),
            "role"
        );
        assert_eq!(
            ask(admin, Purpose::Supervision, List(Family::Lead))
                .unwrap_err()
                .code(),
            "role"
        );
        assert!(ask(admin, Purpose::Supervision, ProposePartner).is_ok());
        let officer = "spiffe://520624.yichuan/officer/001";
        assert_eq!(
            ask(officer, Purpose::Supervision, ApprovePartner)
                .unwrap_err()
                .code(),
            "role"
        );
        assert_eq!(
            ask(officer, Purpose::Audit, List(Family::Lead))
                .unwrap_err()
                .code(),
            "purpose"
        );
    }

    #[test]
    fn the_checkpoint_is_for_everybody_of_the_node_and_nobody_else() {
        for (who, purpose) in [
            ("officer/001", Purpose::Screening),
            ("supervisor/001", Purpose::Supervision),
            ("auditor/001", Purpose::Audit),
            ("admin/001", Purpose::Supervision),
        ] {
            let own = ask(
                &format!("spiffe://520624.yichuan/{who}"),
                purpose,
                ReadCheckpoint,
            );
            assert_eq!(own, Ok(Scope::Node), "{who}");
            let other = ask(
                &format!("spiffe://440000.yichuan/{who}"),
                purpose,
                ReadCheckpoint,
            );
            assert_eq!(other.unwrap_err().code(), "foreign", "{who}");
        }
    }

    #[test]
    fn only_a_partners_node_relays() {
        let who = |text: &str| policy().authorize_relay(&text.parse().unwrap());
        assert_eq!(
            who("spiffe://440000.yichuan/node"),
            Ok("440000".parse().unwrap())
        );
        assert_eq!(
            who("spiffe://440000.yichuan/officer/001"),
            Err(Denial::NotAPartnerNode)
        );
        assert_eq!(
            who("spiffe://520624.yichuan/node"),
            Err(Denial::NotAPartnerNode)
        );
    }
}
