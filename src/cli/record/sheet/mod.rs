//! Sheets of records: an empty one to fill, what each row would get, and the push of what is accepted, with the sheets that
//! are written beside it.

pub mod check;
pub(in crate::cli) mod outputs;
pub(in crate::cli) mod push;
mod receipt;
mod rejected;
mod report;
pub(in crate::cli) mod submission;
pub(in crate::cli) mod template;
