//! The invariants of the log and the store, each by its name in the design.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a test that panics or leaks a task has failed, and that is all"
)]

#[path = "invariants_log/behaviour.rs"]
mod behaviour;
#[path = "common/log.rs"]
mod common;
#[path = "invariants_log/damage.rs"]
mod damage;
#[path = "invariants_log/durability.rs"]
mod durability;
