//! What records say: a file or a directory for each kind, with its columns and what it is checked for. Kinds that come as
//! rows of sheets share `record.rs`, which checks a row, and `column.rs`, the table of columns.

pub mod arrest_notice;
mod column;
mod day;
pub mod lead;
mod reading;
mod record;
pub mod referral;

pub use arrest_notice::{ArrestNotice, ArrestNoticeColumn, ArrestNoticeFields};
pub use column::{ColumnSpec, Form, SheetColumn};
pub use lead::{Column, Lead, LeadFields};
pub use reading::Reading;
pub use record::{Parsed, PartnerLookup, RecordColumn, RecordSpec, Rules, SheetRecord};
