//! What records say: a file for each kind, with its columns, the check of raw text, and what it is found by.

pub mod arrest_notice;
mod lead;
mod lead_fields;
mod lead_reading;
pub mod referral;

pub use arrest_notice::{CaughtColumn, CaughtFields, CaughtNotice, CaughtRules, ParsedNotice};
pub use lead::{Lead, LeadRules, Parsed, PartnerLookup};
pub use lead_fields::{Column, LeadFields};
