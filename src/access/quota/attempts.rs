//! Refused attempts, counted so that the log keeps them and no number of them fills it.

use super::rate::{Bucket, Rate};
use crate::{
    access::Principal,
    domain::{Timestamp, keyed},
};
use std::collections::BTreeMap;

/// Seconds in which somebody's attempts of one kind are one entry.
pub(super) const WINDOW_S: u32 = 3_600;
/// The people of another jurisdiction have together so many entries in that time, however many they are.
const CROWD: u32 = 32;

keyed! {
    /// What somebody tried and was refused. The keys are those of the refusals.
    pub enum Attempt {
        /// Without purpose or basis.
        NoGrounds = "no_grounds",
        /// What the role does not do.
        Role = "role",
        /// What people of another jurisdiction do not do here.
        Foreign = "foreign",
        /// For a purpose that does not cover it.
        Purpose = "purpose",
        /// To read the log, by an auditor who is not listed.
        UnlistedAuditor = "unlisted_auditor",
        /// A record that is assigned to somebody else.
        Assigned = "assigned",
        /// To override an assignment, by somebody who is no supervisor.
        Override = "override",
        /// To open what is opened at the caller's own node.
        Elsewhere = "elsewhere",
        /// To relay dispatches, by somebody who is no partner's node.
        NotAPartnerNode = "not_a_partner_node",
        /// A record that is not there, or not for the caller: which of the two is not said.
        NotFound = "not_found",
    }
}

/// Somebody tried what they may not: what the log keeps, once an hour. It does not say on which record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptReport {
    /// Who.
    pub principal: Principal,
    /// What.
    pub attempt: Attempt,
    /// How often since the entry before this one.
    pub counted: u32,
    /// Seconds in which it is written down once.
    pub window_s: u32,
}

/// One account's attempts.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    kinds: BTreeMap<Attempt, (u32, Option<Timestamp>)>,
    reports: Bucket,
}

impl Attempts {
    /// Counts one; how many there were, where the log is to be told.
    pub(super) fn count(&mut self, attempt: Attempt, now: Timestamp) -> Option<u32> {
        let (counted, told) = self.kinds.entry(attempt).or_default();
        *counted = counted.saturating_add(1);
        let due = told.is_none_or(|told| now < told || now >= told.plus_seconds(WINDOW_S.into()));
        due.then(|| {
            *told = Some(now);
            std::mem::take(counted)
        })
    }

    /// The log was told before a restart.
    pub(super) fn told(&mut self, attempt: Attempt, time: Timestamp) {
        self.kinds.insert(attempt, (0, Some(time)));
    }

    /// True while a crowd's entries are within what it has.
    pub(super) fn may_report(&mut self, now: Timestamp) -> bool {
        self.reports
            .take(Rate::new(CROWD, WINDOW_S), 1, now)
            .is_ok()
    }
}
