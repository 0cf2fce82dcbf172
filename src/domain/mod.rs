//! The words of the field, the state machines of leads and referrals, the deadlines, and the rules that hold for them
//! everywhere. Pure: no runtime, no storage, no clock reads.

mod case_number;
pub mod caught;
mod codes;
mod deadline;
mod divisions;
mod fields;
mod finding;
mod grade;
mod history;
mod ids;
mod jurisdiction;
mod keyed;
mod lang;
mod lead;
mod lead_steps;
mod names;
mod printable;
mod reading;
mod redact;
pub mod referral;
mod resident;
mod sheet_column;
mod tidy;
mod time;

pub use caught::{
    CaughtColumn, CaughtFields, CaughtNotice, CaughtRules, CaughtState, ParsedNotice,
};
pub use codes::{AssessmentOutcome, Handling, LeadState, ReturnReason, Urgency};
pub use deadline::{Area, Deadline, DeadlineRule, Facts, Matter, Span, Start, sign_within_seconds};
pub use divisions::division_name;
pub use fields::{Column, LeadFields};
pub use finding::{Finding, FindingCode};
pub use grade::{GradeScheme, Grading};
pub use history::{
    Action, ActionHash, PREDECESSOR_LIMIT, Rank, Resolution, Side, Standing, Step, Transition,
    resolve,
};
pub use ids::{DispatchId, EntryId, MalformedId, RecordId};
pub use jurisdiction::{Jurisdiction, Locality, MalformedCode};
pub use keyed::UnknownKey;
pub(crate) use keyed::keyed;
pub use lang::{Lang, UnknownLang};
pub use lead::{Lead, LeadRules, Parsed, PartnerLookup};
pub use lead_steps::{LeadAction, LeadProgress, LeadStep};
pub use printable::{is_printable, is_selector_of, printable, printable_lines};
pub use redact::redacted;
pub use referral::{
    ReferralAction, ReferralKind, ReferralProgress, ReferralStep, StepNotAllowed, Withheld,
};
pub use resident::{ResidentNumber, Sex};
pub use sheet_column::SheetColumn;
pub use tidy::is_invisible;
pub use time::{Clock, Timestamp};
