//! Commands: what is typed, what is printed, and the exit codes.

pub mod certs;
pub mod demo;
pub mod lead_check;
