//! What auditors find: nothing in two honest logs, and each lie by its own name.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that panics has failed, and that is all"
)]

#[path = "../common/two_logs.rs"]
mod two_logs;

mod answers;
mod inspect;
mod nodes;
mod reconcile;
mod replay;
mod tampering;
mod transfers;
