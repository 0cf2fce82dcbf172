//! The accounts of all principals. Their number is bounded: the principal that was idle longest makes room for a new one.

use super::{
    Attempt, AttemptReport, Exceeded, Quota, QuotaReport, Quotas,
    attempts::{self, Attempts},
    lookups::{Enumeration, Lookups, Verdict},
    rate::{Bucket, Rate},
};
use crate::{
    access::Principal,
    domain::{Jurisdiction, Timestamp},
};
use std::{
    collections::{BTreeMap, btree_map::Entry, hash_map::RandomState},
    hash::BuildHasher as _,
    time::Duration,
};

/// Principals of the node's own jurisdiction that are remembered.
const OWN_ACCOUNTS: usize = 4_096;
/// Principals of each other jurisdiction that are remembered. A jurisdiction that mints identities displaces only its own.
const FOREIGN_ACCOUNTS: usize = 256;
/// All people of another jurisdiction together have this many times the limit of one.
const CROWD: u32 = 8;

/// What a principal has used.
#[derive(Debug, Default)]
struct Account {
    used: BTreeMap<Quota, Bucket>,
    lookups: Lookups,
    /// Which reports were made, and when.
    reported: BTreeMap<(Quota, bool), Timestamp>,
    attempts: Attempts,
    streams: u32,
    last: u64,
}

impl Account {
    /// True at most once a window.
    fn reports(&mut self, quota: Quota, refused: bool, now: Timestamp) -> bool {
        let before = self.reported.get(&(quota, refused)).copied();
        let fresh = before.is_none_or(|before| {
            now < before || now >= before.plus_seconds(quota.window_s().into())
        });
        if fresh {
            self.reported.insert((quota, refused), now);
        }
        fresh
    }
}

/// A jurisdiction's accounts.
#[derive(Debug, Default)]
struct JurisdictionAccounts {
    /// Of all its people together.
    crowd: Account,
    /// Of its node, which no number of people displaces.
    node: Account,
    people: BTreeMap<Principal, Account>,
}

/// A quota was reached: what to tell the caller, and what the log is to record unless it already has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaReached {
    /// For the caller.
    pub exceeded: Exceeded,
    /// For the log, once a window.
    pub report: Option<QuotaReport>,
}

/// A search that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// How long to wait before answering.
    pub wait: Duration,
    /// True if the person was not searched for before; call [`Ledger::missed`] if nobody is found.
    pub new: bool,
    /// For the log, once a window, if the search is slowed.
    pub report: Option<QuotaReport>,
}

/// The accounts of all principals.
#[derive(Debug)]
pub struct Ledger {
    own: Jurisdiction,
    quotas: Quotas,
    hasher: RandomState,
    books: BTreeMap<Jurisdiction, JurisdictionAccounts>,
    /// Counts uses, to find the account that was idle longest.
    uses: u64,
}

impl Ledger {
    /// Of a node with these quotas.
    pub fn new(own: Jurisdiction, quotas: Quotas) -> Self {
        Self {
            own,
            quotas,
            hasher: RandomState::new(),
            books: BTreeMap::new(),
            uses: 0,
        }
    }

    /// Spends some of a quota.
    ///
    /// # Errors
    /// The quota is used up. Nothing is spent.
    pub fn spend(
        &mut self,
        who: &Principal,
        quota: Quota,
        amount: u32,
        now: Timestamp,
    ) -> Result<(), Box<QuotaReached>> {
        let (limit, foreign) = (self.quotas.limit(quota), self.is_foreign_person(who));
        let (account, crowd) = self.accounts(who);
        let alone = Rate::new(limit, quota.window_s());
        let before = account.used.get(&quota).copied();
        let spent = account
            .used
            .entry(quota)
            .or_default()
            .take(alone, amount, now);
        if let Err(wait) = spent {
            let report = account.reports(quota, true, now);
            return Err(reach(who, quota, limit, "caller", limit, wait, report));
        }
        if foreign {
            let together = limit.saturating_mul(CROWD);
            let rate = Rate::new(together, quota.window_s());
            let spent = crowd.used.entry(quota).or_default().take(rate, amount, now);
            if let Err(wait) = spent {
                account.used.insert(quota, before.unwrap_or_default());
                let report = crowd.reports(quota, true, now);
                return Err(reach(
                    who,
                    quota,
                    together,
                    "jurisdiction",
                    together,
                    wait,
                    report,
                ));
            }
        }
        Ok(())
    }

    /// Spends what a finished call turned out to cost, or all that is left. The next call pays for it.
    pub fn charge(&mut self, who: &Principal, quota: Quota, amount: u32, now: Timestamp) {
        let (limit, foreign) = (self.quotas.limit(quota), self.is_foreign_person(who));
        let (account, crowd) = self.accounts(who);
        let charge = |account: &mut Account, limit| {
            let rate = Rate::new(limit, quota.window_s());
            let bucket = account.used.entry(quota).or_default();
            bucket.charge(rate, amount, now);
        };
        charge(account, limit);
        if foreign {
            charge(crowd, limit.saturating_mul(CROWD));
        }
    }

    /// Gives back what was spent beforehand and not used. An amount beyond the whole quota was spent as the whole quota.
    pub fn give_back(
        &mut self,
        who: &Principal,
        quota: Quota,
        (spent, used): (u32, u32),
        now: Timestamp,
    ) {
        let (limit, foreign) = (self.quotas.limit(quota), self.is_foreign_person(who));
        let (account, crowd) = self.accounts(who);
        let give_back = |account: &mut Account, limit: u32| {
            let rate = Rate::new(limit, quota.window_s());
            let bucket = account.used.entry(quota).or_default();
            bucket.give_back(rate, spent.min(limit).saturating_sub(used), now);
        };
        give_back(account, limit);
        if foreign {
            give_back(crowd, limit.saturating_mul(CROWD));
        }
    }

    /// Spends some of a quota that is never refused. Returns how long to wait before continuing.
    pub fn pace(&mut self, who: &Principal, quota: Quota, amount: u32, now: Timestamp) -> Duration {
        let rate = self.quotas.rate(quota);
        let (account, _) = self.accounts(who);
        account
            .used
            .entry(quota)
            .or_default()
            .pace(rate, amount, now)
    }

    /// Counts a search for a person, of whom only a hash under a key of this process is kept.
    ///
    /// # Errors
    /// Too many in this window, or too many at once.
    pub fn search(
        &mut self,
        who: &Principal,
        person: &str,
        now: Timestamp,
    ) -> Result<Search, Box<QuotaReached>> {
        let hash = self.hasher.hash_one(person);
        let (limits, foreign) = (self.enumeration(), self.is_foreign_person(who));
        let (account, crowd) = self.accounts(who);
        let mut found = judge(account, who, hash, limits, "caller", now)?;
        if foreign {
            let together = limits.times(CROWD);
            let shared = judge(crowd, who, hash, together, "jurisdiction", now)?;
            found.wait = found.wait.max(shared.wait);
            found.report = found.report.or(shared.report);
        }
        Ok(found)
    }

    /// A search found nobody.
    pub fn missed(&mut self, who: &Principal, now: Timestamp) {
        let foreign = self.is_foreign_person(who);
        let (account, crowd) = self.accounts(who);
        account.lookups.missed(now);
        if foreign {
            crowd.lookups.missed(now);
        }
    }

    /// Counts a search that was made before a restart.
    pub fn recount_search(&mut self, who: &Principal, missed: bool, time: Timestamp) {
        let foreign = self.is_foreign_person(who);
        let (account, crowd) = self.accounts(who);
        account.lookups.recount(missed, time);
        if foreign {
            crowd.lookups.recount(missed, time);
        }
    }

    /// Counts what was spent before a restart.
    pub fn recount(&mut self, who: &Principal, quota: Quota, time: Timestamp) {
        // What was answered then is over, whether or not it is within today's quota.
        drop(self.spend(who, quota, 1, time));
    }

    /// Records that the log already has a report, so that it is not made again.
    pub fn reported(&mut self, report: &QuotaReport, time: Timestamp) {
        let (account, _) = self.accounts(&report.principal);
        account.reports(report.quota, report.refused, time);
    }

    /// Counts a refused attempt. Returns what the log is to record of it unless it already has.
    pub fn attempt(
        &mut self,
        who: &Principal,
        attempt: Attempt,
        now: Timestamp,
    ) -> Option<AttemptReport> {
        let foreign = self.is_foreign_person(who);
        let (account, crowd) = self.accounts(who);
        let counted = account.attempts.count(attempt, now)?;
        if foreign && !crowd.attempts.may_report(now) {
            return None;
        }
        Some(AttemptReport {
            principal: who.clone(),
            attempt,
            counted,
            window_s: attempts::WINDOW_S,
        })
    }

    /// Records that the log already has an attempt, so that it is not written again.
    pub fn attempted(&mut self, report: &AttemptReport, time: Timestamp) {
        let (account, _) = self.accounts(&report.principal);
        account.attempts.told(report.attempt, time);
    }

    /// Opens a stream, to be ended by [`Ledger::close_stream`]. None if the principal has as many open as it may.
    pub fn open_stream(&mut self, who: &Principal) -> Option<()> {
        let limit = self.quotas.streams;
        let (account, _) = self.accounts(who);
        if account.streams >= limit {
            return None;
        }
        account.streams += 1;
        Some(())
    }

    /// Ends a stream.
    pub fn close_stream(&mut self, who: &Principal) {
        let (account, _) = self.accounts(who);
        account.streams = account.streams.saturating_sub(1);
    }

    const fn enumeration(&self) -> Enumeration {
        Enumeration {
            persons: self.quotas.searches_per_hour,
            misses: self.quotas.misses_per_hour,
        }
    }

    /// True for people of another jurisdiction, which can issue any number of certificates.
    pub fn is_foreign_person(&self, who: &Principal) -> bool {
        who.jurisdiction() != self.own && !who.is_node()
    }

    /// A principal's account, and that of its jurisdiction.
    fn accounts(&mut self, who: &Principal) -> (&mut Account, &mut Account) {
        let limit = if who.jurisdiction() == self.own {
            OWN_ACCOUNTS
        } else {
            FOREIGN_ACCOUNTS
        };
        self.uses = self.uses.wrapping_add(1);
        let book = self.books.entry(who.jurisdiction()).or_default();
        if who.is_node() {
            return (&mut book.node, &mut book.crowd);
        }
        if book.people.len() >= limit && !book.people.contains_key(who) {
            let idle = book.people.iter().min_by_key(|(who, account)| {
                // An account with an open stream is in use.
                (account.streams > 0, account.last, (*who).clone())
            });
            if let Some(idle) = idle.map(|(who, _)| who.clone()) {
                book.people.remove(&idle);
            }
        }
        let account = match book.people.entry(who.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Account::default()),
        };
        account.last = self.uses;
        (account, &mut book.crowd)
    }
}

fn judge(
    account: &mut Account,
    who: &Principal,
    person: u64,
    limits: Enumeration,
    whose: &'static str,
    now: Timestamp,
) -> Result<Search, Box<QuotaReached>> {
    let verdict = account.lookups.search(person, limits, now);
    let counted = account.lookups.counted();
    let of = |quota| {
        if quota == Quota::Misses {
            (limits.misses, counted.misses)
        } else {
            (limits.persons, counted.persons)
        }
    };
    match verdict {
        Verdict::After {
            wait,
            new,
            slowed_by,
        } => {
            let report = slowed_by.filter(|quota| account.reports(*quota, false, now));
            let report = report.map(|quota| {
                let (limit, counted) = of(quota);
                report_of(who, quota, limit, counted, false)
            });
            Ok(Search { wait, new, report })
        }
        Verdict::Refused { quota, retry } => {
            let (limit, counted) = of(quota);
            let report = account.reports(quota, true, now);
            Err(reach(who, quota, limit, whose, counted, retry, report))
        }
    }
}

fn report_of(
    who: &Principal,
    quota: Quota,
    limit: u32,
    counted: u32,
    refused: bool,
) -> QuotaReport {
    QuotaReport {
        principal: who.clone(),
        quota,
        limit,
        counted,
        window_s: quota.window_s(),
        refused,
    }
}

fn reach(
    who: &Principal,
    quota: Quota,
    limit: u32,
    whose: &'static str,
    counted: u32,
    wait: Duration,
    report: bool,
) -> Box<QuotaReached> {
    let retry_after_s = wait.as_millis().div_ceil(1000).max(1);
    Box::new(QuotaReached {
        exceeded: Exceeded {
            quota,
            limit,
            whose,
            retry_after_s: u64::try_from(retry_after_s).unwrap_or(u64::MAX),
        },
        report: report.then(|| report_of(who, quota, limit, counted, true)),
    })
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
