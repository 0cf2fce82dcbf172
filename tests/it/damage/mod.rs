//! What damage comes to: storage errors at every step, rotten bits in every file, and the repair of a directory.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a test that panics has failed; not every test needs every helper"
)]

#[path = "damage/doctor.rs"]
mod doctor;
#[path = "damage/faults.rs"]
mod faults;
#[path = "damage/flips.rs"]
mod flips;
#[path = "damage/full_disk.rs"]
mod full_disk;
#[path = "damage/keys.rs"]
mod keys;
#[path = "common/leads.rs"]
mod leads;
#[path = "damage/log_lines.rs"]
mod log_lines;
#[path = "damage/open_files.rs"]
mod open_files;
#[path = "common/processes.rs"]
mod processes;
#[path = "damage/reads.rs"]
mod reads;
#[path = "damage/reserve.rs"]
mod reserve;
#[path = "damage/stopped.rs"]
mod stopped;
#[path = "damage/syncs.rs"]
mod syncs;
