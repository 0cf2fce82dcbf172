//! What damage comes to: storage errors at every step, rotten bits in every file, and the repair of a directory.
#![allow(
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a test that panics has failed"
)]

mod doctor;
mod faults;
mod flips;
mod full_disk;
mod keys;
mod log_lines;
mod open_files;
mod reads;
mod reserve;
mod stopped;
mod syncs;

use crate::common::{leads, processes};
