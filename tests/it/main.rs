//! The integration tests, as modules of one binary: a binary of tests links the whole program, and one link is quicker
//! than thirty. `cargo test --test it quotas::` runs those of a module.
//!
//! What needs a process of its own has a binary of its own: `decoded`, whose allocator counts, and `power_cuts`, which
//! preloads a recorder into itself. Here nobody sets the environment, the current directory or a recorder of metrics of
//! the process, and logs are heard through [`common::heard`] alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that panics has failed"
)]

mod common;

mod adversary;
mod architecture;
mod assignment;
mod audit;
mod casefile;
mod casework;
mod caught;
mod cli;
mod clocks;
mod corpus;
mod damage;
mod demo;
mod docs;
mod drawing;
mod exchange;
mod floods;
mod formats;
mod intake;
mod invariants_exchange;
mod invariants_log;
mod kill9;
mod lead_sheets;
mod log_export;
mod million;
mod oracles;
mod privacy;
mod process;
mod quotas;
mod readme;
mod rebuild;
mod record_commands;
mod referrals;
mod refusals;
mod sheets_push;
mod tls_refusals;
