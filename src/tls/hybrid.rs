//! Which connections must stay confidential against somebody who records them today and has a quantum computer later.
//!
//! Both sides of this program prefer X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem). A preference does not bind the peer:
//! one that offers only X25519 or P-256 gets it. So a gate and a dialer can demand the hybrid group.

use crate::access::Principal;
use rustls::NamedGroup;
use std::{fmt, str::FromStr};

/// The group that is demanded.
pub(super) const GROUP: NamedGroup = NamedGroup::X25519MLKEM768;

/// From whom a hybrid key exchange is demanded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequireHybrid {
    /// From nodes: both ends run this program or a compatible one.
    #[default]
    Nodes,
    /// From nodes and people.
    All,
    /// From nobody.
    Off,
}

/// Not one of the three words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("require_hybrid is \"nodes\" (between nodes), \"all\" (of people, too) or \"off\"")]
pub struct UnknownRequirement;

impl RequireHybrid {
    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::All => "all",
            Self::Off => "off",
        }
    }

    /// Whether it is demanded from this principal.
    pub fn of(self, principal: &Principal) -> bool {
        match self {
            Self::Nodes => principal.is_node(),
            Self::All => true,
            Self::Off => false,
        }
    }
}

impl FromStr for RequireHybrid {
    type Err = UnknownRequirement;

    fn from_str(text: &str) -> Result<Self, UnknownRequirement> {
        [Self::Nodes, Self::All, Self::Off]
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or(UnknownRequirement)
    }
}

impl fmt::Display for RequireHybrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
