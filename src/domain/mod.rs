//! The words of the field, and the rules that hold for them everywhere. Pure: no runtime, no storage, no clock reads.

mod codes;
mod ids;
mod jurisdiction;
mod time;

pub use codes::{AssessmentOutcome, Handling, ReturnReason, UnknownCode, Urgency};
pub use ids::{DispatchId, EntryId, MalformedId, RecordId};
pub use jurisdiction::{Jurisdiction, Locality, MalformedCode};
pub use time::{Clock, Timestamp};
