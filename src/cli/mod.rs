//! Commands: what is typed, what is printed, and the exit codes.

pub mod lead_check;
pub mod certs;
