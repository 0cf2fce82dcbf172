//! What was verified, proved or written out of a log.

use crate::{
    audit::{Inspection, Proved},
    note::SignedCheckpoint,
};
use serde::Serialize;

/// A log that was inspected.
#[derive(Serialize)]
pub(crate) struct Inspected<'a> {
    verified: bool,
    #[serde(flatten)]
    inspection: &'a Inspection,
}

impl<'a> From<&'a Inspection> for Inspected<'a> {
    fn from(inspection: &'a Inspection) -> Self {
        Self {
            verified: inspection.is_clean(),
            inspection,
        }
    }
}

/// A log that was written out, each entry hashed on the way.
#[derive(Serialize)]
pub(crate) struct Exported<'a> {
    verified: bool,
    origin: &'a str,
    size: u64,
    root: String,
}

impl<'a> From<&'a SignedCheckpoint> for Exported<'a> {
    fn from(checkpoint: &'a SignedCheckpoint) -> Self {
        Self {
            verified: true,
            origin: checkpoint.origin(),
            size: checkpoint.size(),
            root: checkpoint.root().to_string(),
        }
    }
}

/// Entries that were proved, and the directory that their proofs were written into.
#[derive(Serialize)]
pub(crate) struct ProvedInto<'a> {
    proved: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<String>,
    #[serde(flatten)]
    what: &'a Proved,
}

impl<'a> ProvedInto<'a> {
    pub(crate) fn new(what: &'a Proved, written: Option<String>) -> Self {
        Self {
            proved: true,
            written,
            what,
        }
    }
}
