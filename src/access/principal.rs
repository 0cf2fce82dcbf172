//! Who calls: a jurisdiction's node, or one of its people.

use crate::domain::{Jurisdiction, keyed};
use std::{fmt, str::FromStr};

/// Longest spelling of a [`Principal`], in bytes.
const MAX_LEN: usize = 64;
/// Longest service number, in bytes.
const MAX_NUMBER: usize = 16;

keyed! {
    /// The role of a principal in its jurisdiction. The key is a segment of the identity.
    pub enum Role {
        /// The jurisdiction's server.
        Node = "node",
        /// Works on leads and referrals.
        Officer = "officer",
        /// Approves what needs two people, and may override.
        Supervisor = "supervisor",
        /// Reads the log.
        Auditor = "auditor",
        /// Runs the node and sees no payload.
        Admin = "admin",
    }
}

impl Role {
    fn of_person(text: &str) -> Option<Self> {
        text.parse().ok().filter(|role| *role != Self::Node)
    }
}

/// Why a text is no principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedPrincipal {
    /// It is too long.
    #[error("not a principal: more than 64 characters")]
    TooLong,
    /// It does not begin with `spiffe://<code>.yichuan/`.
    #[error(
        "not a principal: expected spiffe://<code>.yichuan/… such as spiffe://520624.yichuan/node"
    )]
    TrustDomain,
    /// The role is unknown, a node has a number, or a person has none.
    #[error(
        "not a principal: expected node, or officer, supervisor, auditor or admin and a number"
    )]
    Role,
    /// The service number is malformed.
    #[error("not a principal: a number is 1 to 16 letters, digits or hyphens")]
    Number,
}

/// The identity of a caller: `spiffe://520624.yichuan/node`, or `…/officer/<no>`, `…/supervisor/<no>`, `…/auditor/<no>`,
/// `…/admin/<no>`. Each has exactly one spelling.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal {
    jurisdiction: Jurisdiction,
    role: Role,
    /// Empty for a node, and only for a node.
    number: String,
}

impl Principal {
    /// The jurisdiction's node.
    pub const fn node(jurisdiction: Jurisdiction) -> Self {
        Self {
            jurisdiction,
            role: Role::Node,
            number: String::new(),
        }
    }

    /// A person of the jurisdiction.
    ///
    /// # Errors
    /// [`Role::Node`], which is no person, or a malformed number.
    pub fn person(
        jurisdiction: Jurisdiction,
        role: Role,
        number: &str,
    ) -> Result<Self, MalformedPrincipal> {
        if role == Role::Node {
            return Err(MalformedPrincipal::Role);
        }
        Self::check_number(number)?;
        Ok(Self {
            jurisdiction,
            role,
            number: number.to_owned(),
        })
    }

    pub(super) fn check_number(number: &str) -> Result<(), MalformedPrincipal> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if !(1..=MAX_NUMBER).contains(&number.len()) || !number.bytes().all(legal) {
            return Err(MalformedPrincipal::Number);
        }
        Ok(())
    }

    /// The jurisdiction that vouches for it.
    pub const fn jurisdiction(&self) -> Jurisdiction {
        self.jurisdiction
    }

    /// Its role there.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// A person's service number; none for a node.
    pub fn number(&self) -> Option<&str> {
        (self.role != Role::Node).then_some(self.number.as_str())
    }

    /// True for a node, false for a person.
    pub fn is_node(&self) -> bool {
        self.role == Role::Node
    }
}

impl FromStr for Principal {
    type Err = MalformedPrincipal;

    fn from_str(text: &str) -> Result<Self, MalformedPrincipal> {
        if text.len() > MAX_LEN {
            return Err(MalformedPrincipal::TooLong);
        }
        let (code, path) = text
            .strip_prefix("spiffe://")
            .and_then(|rest| rest.split_once(".yichuan/"))
            .ok_or(MalformedPrincipal::TrustDomain)?;
        let jurisdiction = code.parse().map_err(|_| MalformedPrincipal::TrustDomain)?;
        match path.split_once('/') {
            None if path == Role::Node.as_str() => Ok(Self::node(jurisdiction)),
            None => Err(MalformedPrincipal::Role),
            Some((role, number)) => {
                let role = Role::of_person(role).ok_or(MalformedPrincipal::Role)?;
                Self::person(jurisdiction, role, number)
            }
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}.yichuan/{}", self.jurisdiction, self.role)?;
        match self.number() {
            Some(number) => write!(f, "/{number}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_parsed_is_printed_again() {
        for text in [
            "spiffe://520624.yichuan/node",
            "spiffe://520624.yichuan/officer/001",
            "spiffe://440000.yichuan/supervisor/A-7",
            "spiffe://440000.yichuan/auditor/0123456789abcdef",
            "spiffe://330000.yichuan/admin/1",
        ] {
            let principal: Principal = text.parse().unwrap();
            assert_eq!(principal.to_string(), text);
        }
        let officer: Principal = "spiffe://520624.yichuan/officer/001".parse().unwrap();
        assert_eq!(officer.jurisdiction().as_str(), "520624");
        assert_eq!(officer.role(), Role::Officer);
        assert_eq!(officer.number(), Some("001"));
        assert_eq!(Principal::node(officer.jurisdiction()).number(), None);
    }

    #[test]
    fn any_other_spelling_is_refused() {
        use MalformedPrincipal as E;
        for (text, why) in [
            ("", E::TrustDomain),
            ("520624", E::TrustDomain),
            ("SPIFFE://520624.yichuan/node", E::TrustDomain),
            ("spiffe://520624.YICHUAN/node", E::TrustDomain),
            ("spiffe://5206240.yichuan/node", E::TrustDomain),
            ("spiffe://990000.yichuan/node", E::TrustDomain),
            ("spiffe://x@520624.yichuan/node", E::TrustDomain),
            ("spiffe://520624.yichuan:443/node", E::TrustDomain),
            ("spiffe://520624.yichuan.example/node", E::TrustDomain),
            ("spiffe://520624.yichuan", E::TrustDomain),
            ("spiffe://520624.yichuan/", E::Role),
            ("spiffe://520624.yichuan/node/", E::Role),
            ("spiffe://520624.yichuan/node/1", E::Role),
            ("spiffe://520624.yichuan//node", E::Role),
            ("spiffe://520624.yichuan/officer", E::Role),
            ("spiffe://520624.yichuan/Officer/1", E::Role),
            ("spiffe://520624.yichuan/chief/1", E::Role),
            ("spiffe://520624.yichuan/officer/", E::Number),
            ("spiffe://520624.yichuan/officer/1/2", E::Number),
            ("spiffe://520624.yichuan/officer/1?x", E::Number),
            ("spiffe://520624.yichuan/officer/%31", E::Number),
            (
                "spiffe://520624.yichuan/officer/00000000000000001",
                E::Number,
            ),
            ("spiffe://520624.yichuan/officer/１", E::Number),
            (
                "spiffe://520624.yichuan/officer/000000000000000000000000000000001",
                E::TooLong,
            ),
        ] {
            assert_eq!(text.parse::<Principal>(), Err(why), "{text}");
        }
    }
}
