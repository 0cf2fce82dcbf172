//! The words of the field and the rules that hold for them everywhere: what records are and what may be done with them
//! ([`record`]), what they say ([`content`]). Pure: no runtime, no storage, no clock reads.

mod case_number;
mod codes;
pub mod content;
mod divisions;
mod finding;
mod grade;
mod ids;
mod jurisdiction;
mod keyed;
mod lang;
mod names;
mod printable;
pub mod record;
mod redact;
mod resident;
mod tidy;
mod time;

pub use codes::{AssessmentOutcome, Handling, ReturnReason, Urgency};
pub use content::{
    ArrestNotice, ArrestNoticeColumn, ArrestNoticeFields, Column, Lead, LeadFields, Parsed,
    PartnerLookup, RecordColumn, Rules, SheetColumn, SheetRecord,
};
pub use divisions::division_name;
pub use finding::{Finding, FindingCode};
pub use grade::GradeScheme;
pub use ids::{DispatchId, EntryId, MalformedId, RecordId};
pub use jurisdiction::{Jurisdiction, Locality, MalformedCode};
pub use keyed::UnknownKey;
pub(crate) use keyed::keyed;
pub use lang::{Lang, UnknownLang};
pub use printable::{is_printable, is_selector_of, printable, printable_lines};
pub use record::{
    Action, ActionHash, Area, Deadline, DeadlineRule, Event, Facts, Family, NotAllowed,
    PREDECESSOR_LIMIT, Rank, RecordKind, Resolution, Side, Span, Spec, Standing, Start, State,
    Transition, Withheld, resolve, sign_within_seconds,
};
pub use redact::redacted;
pub use resident::{ResidentNumber, Sex};
pub use tidy::is_invisible;
pub use time::{Clock, Timestamp};
