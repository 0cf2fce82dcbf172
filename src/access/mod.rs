//! Who calls, why, and what they may do. Deny by default.

mod authorize;
mod grounds;
mod principal;

pub use authorize::{
    Act, AnswerLead, ApprovePartner, Denial, ListLeads, ListPartners, OpenLead, Parties, Permit,
    Policy, ProposePartner, PushLeads, ReadLog, Relay, Scope,
};
pub use grounds::{Basis, Grounds, GroundsDefect, Purpose};
pub use principal::{MalformedPrincipal, Principal, Role};
