//! The invariants of the log and the store, each by its name in the design.
#![allow(
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a test that panics or leaks a task has failed, and that is all"
)]

mod behaviour;
mod damage;
mod durability;
mod fixture;
