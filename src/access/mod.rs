//! Access control: principals, the purpose and basis of a call, permits, clearance for single records, and quotas. Whatever
//! is not allowed is denied.
//!
//! Begin at `authorize.rs`, whose table says who may do what, and at `visibility.rs` for who may see which record.

mod assignment;
mod authorize;
mod grounds;
mod principal;
mod quota;
mod visibility;

pub use assignment::{Assignee, MalformedAssignee, Officer, UnitName, Units};
pub use authorize::{
    Act, ActOn, ApprovePartner, ApproveReferral, AssignRecord, Denial, List, ListPartners,
    OfFamily, Open, Parties, Permit, Policy, ProposePartner, ReadCheckpoint, ReadLog, Rule, Scope,
    Submit, may,
};
pub use grounds::{Basis, Grounds, GroundsDefect, Purpose};
pub use principal::{MalformedPrincipal, Principal, Role};
pub use quota::{
    Attempt, AttemptReport, Exceeded, Ledger, Quota, QuotaReached, QuotaReport, Quotas, Search,
};
pub use visibility::{Clearance, Subject, Visibility};
