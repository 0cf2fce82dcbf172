//! Caught notices, 抓获通报: the destination tells the origin that it caught one of its residents, with or without a lead
//! before. A notice has no later steps: delivered is its end.

mod fields;
mod notice;
mod reading;

pub use fields::{CaughtColumn, CaughtFields};
pub use notice::{CaughtNotice, CaughtRules, ParsedNotice};
