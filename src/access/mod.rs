//! Who calls, why, and what they may do. Deny by default.

mod assignment;
mod authorize;
mod grounds;
mod principal;
mod quota;
mod sight;

pub use assignment::{Assignee, MalformedAssignee, Officer, UnitName, Units};
pub use authorize::{
    Act, ActOnReferral, AnswerLead, ApprovePartner, ApproveReferral, AssignRecord, Denial,
    ListCaught, ListLeads, ListPartners, ListReferrals, OpenCaught, OpenLead, OpenReferral,
    Parties, Permit, Policy, ProposePartner, PushCaught, PushLeads, ReadCheckpoint, ReadLog,
    ReadReferral, Relay, Scope, may,
};
pub use grounds::{Basis, Grounds, GroundsDefect, Purpose};
pub use principal::{MalformedPrincipal, Principal, Role};
pub use quota::{
    Attempt, AttemptReport, Exceeded, Ledger, Quota, QuotaReport, Quotas, Reach, Search,
};
pub use sight::{Clearance, Sight, Subject};
