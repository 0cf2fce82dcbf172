//! Refused attempts. They are counted so that the log records them and no number of them fills it.

use super::rate::{Bucket, Rate};
use crate::{
    access::Principal,
    domain::{Timestamp, keyed},
};
use std::collections::BTreeMap;

/// One principal's attempts of one kind make one entry within this many seconds.
pub(super) const WINDOW_S: u32 = 3_600;
/// Entries that all people of another jurisdiction together make within that time.
const CROWD: u32 = 32;

keyed! {
    /// What a caller tried and was refused. The keys are those of the refusals.
    pub enum Attempt {
        /// Without purpose or basis.
        NoGrounds = "no_grounds",
        /// An action that the role does not include.
        Role = "role",
        /// An action that people of another jurisdiction do not take here.
        Foreign = "foreign",
        /// An action that the stated purpose does not cover.
        Purpose = "purpose",
        /// Reading the log, by an auditor who is not listed.
        UnlistedAuditor = "unlisted_auditor",
        /// Opening a record that is assigned to somebody else.
        Assigned = "assigned",
        /// Overriding an assignment, by a caller who is no supervisor.
        Override = "override",
        /// Opening a record that is opened at the caller's own node.
        Elsewhere = "elsewhere",
        /// Relaying dispatches, by a caller that is no partner's node.
        NotAPartnerNode = "not_a_partner_node",
        /// A record that does not exist, or not for this caller. The entry does not say which.
        NotFound = "not_found",
    }
}

/// What the log records of refused attempts, once an hour. It does not name the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptReport {
    /// The caller.
    pub principal: Principal,
    /// What was tried.
    pub attempt: Attempt,
    /// Attempts since the entry before this one.
    pub counted: u32,
    /// Seconds within which there is one such entry.
    pub window_s: u32,
}

/// One account's attempts.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    kinds: BTreeMap<Attempt, (u32, Option<Timestamp>)>,
    reports: Bucket,
}

impl Attempts {
    /// Counts one attempt. Returns how many there were if an entry is due.
    pub(super) fn count(&mut self, attempt: Attempt, now: Timestamp) -> Option<u32> {
        let (counted, told) = self.kinds.entry(attempt).or_default();
        *counted = counted.saturating_add(1);
        let due = told.is_none_or(|told| now < told || now >= told.plus_seconds(WINDOW_S.into()));
        due.then(|| {
            *told = Some(now);
            std::mem::take(counted)
        })
    }

    /// An entry was made before a restart.
    pub(super) fn told(&mut self, attempt: Attempt, time: Timestamp) {
        self.kinds.insert(attempt, (0, Some(time)));
    }

    /// True while a jurisdiction's people have made fewer entries than they may.
    pub(super) fn may_report(&mut self, now: Timestamp) -> bool {
        self.reports
            .take(Rate::new(CROWD, WINDOW_S), 1, now)
            .is_ok()
    }
}
