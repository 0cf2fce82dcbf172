//! What auditors find: nothing in two honest logs, and each lie by its own name.

mod answers;
mod inspect;
mod nodes;
mod reconcile;
mod replay;
mod tampering;
mod transfers;

use crate::common::two_logs;
