//! Searches for persons. They are counted so that enumeration of numbers is slowed, then refused, and reported.

use super::Quota;
use crate::domain::Timestamp;
use std::{collections::HashSet, time::Duration};

/// The window in which searches count, and in which a report is made once.
const WINDOW_MS: u64 = Quota::Searches.window_s() as u64 * 1000;
/// Slowing begins when one part in this many of a limit is used.
const SLOW_FROM: u32 = 5;
/// The gap between two answers when slowing begins, and when the limit is nearly used up.
const GAP_MS: (u64, u64) = (500, 8_000);
/// The longest wait within a call, which has 30 seconds. A search that would wait longer is refused.
const LONGEST_WAIT_MS: u64 = 10_000;

/// Searches in the current window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// Distinct persons.
    pub(super) persons: u32,
    /// Those of them who were not found.
    pub(super) misses: u32,
}

/// Limits of enumeration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Enumeration {
    /// Persons in a window.
    pub(super) persons: u32,
    /// Misses in a window.
    pub(super) misses: u32,
}

impl Enumeration {
    pub(super) const fn times(self, many: u32) -> Self {
        Self {
            persons: self.persons.saturating_mul(many),
            misses: self.misses.saturating_mul(many),
        }
    }
}

/// One searcher's window. Persons are kept as keyed hashes that mean nothing outside this process.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    start_ms: u64,
    persons: HashSet<u64>,
    /// Counts restored after a restart, without their hashes.
    nameless: u32,
    misses: u32,
    /// When the next slowed answer is due.
    free_ms: u64,
}

/// The decision about a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Answer after this long.
    After {
        wait: Duration,
        /// The person was not searched for before in this window.
        new: bool,
        /// Which limit slows it.
        slowed_by: Option<Quota>,
    },
    /// Refuse.
    Refused { quota: Quota, retry: Duration },
}

impl Lookups {
    fn turn(&mut self, now_ms: u64) {
        // A clock that was set back does not make a window longer.
        self.start_ms = self.start_ms.min(now_ms);
        if self.free_ms > now_ms.saturating_add(LONGEST_WAIT_MS) {
            self.free_ms = now_ms;
        }
        if now_ms.saturating_sub(self.start_ms) >= WINDOW_MS {
            *self = Self {
                start_ms: now_ms,
                ..Self::default()
            };
        }
        if self.counted()
            == (Counted {
                persons: 0,
                misses: 0,
            })
        {
            self.start_ms = now_ms;
        }
    }

    pub(super) fn counted(&self) -> Counted {
        let known = u32::try_from(self.persons.len()).unwrap_or(u32::MAX);
        Counted {
            persons: known.saturating_add(self.nameless),
            misses: self.misses,
        }
    }

    /// Counts a search for the person with this hash.
    pub(super) fn search(&mut self, person: u64, limits: Enumeration, now: Timestamp) -> Verdict {
        let now_ms = now.millis();
        self.turn(now_ms);
        if self.persons.contains(&person) {
            return Verdict::After {
                wait: Duration::ZERO,
                new: false,
                slowed_by: None,
            };
        }
        let counted = self.counted();
        let used_up = [
            (Quota::Misses, counted.misses, limits.misses),
            (Quota::Searches, counted.persons, limits.persons),
        ];
        for (quota, used, limit) in used_up {
            if used >= limit {
                let end = self.start_ms.saturating_add(WINDOW_MS);
                return Verdict::Refused {
                    quota,
                    retry: Duration::from_millis(end.saturating_sub(now_ms)),
                };
            }
        }
        let slowest = used_up
            .into_iter()
            .filter_map(|(quota, used, limit)| Some((gap_ms(used, limit)?, quota)))
            .max();
        let (wait, slowed_by) = match slowest {
            Some((gap, quota)) => {
                let due = self.free_ms.max(now_ms).saturating_add(gap);
                let wait = due.saturating_sub(now_ms);
                if wait > LONGEST_WAIT_MS {
                    return Verdict::Refused {
                        quota,
                        retry: Duration::from_millis(wait - LONGEST_WAIT_MS),
                    };
                }
                self.free_ms = due;
                (wait, Some(quota))
            }
            None => (0, None),
        };
        self.persons.insert(person);
        Verdict::After {
            wait: Duration::from_millis(wait),
            new: true,
            slowed_by,
        }
    }

    /// The search found nobody.
    pub(super) fn missed(&mut self, now: Timestamp) {
        self.turn(now.millis());
        self.misses = self.misses.saturating_add(1);
    }

    /// Counts a search that was made at `time`, before a restart.
    pub(super) fn recount(&mut self, missed: bool, time: Timestamp) {
        self.turn(time.millis());
        self.nameless = self.nameless.saturating_add(1);
        self.misses = self.misses.saturating_add(u32::from(missed));
    }
}

/// The gap between answers when this much of a limit is used; none if they are not slowed.
fn gap_ms(used: u32, limit: u32) -> Option<u64> {
    let from = limit / SLOW_FROM;
    let over = used.checked_sub(from)?;
    let span = limit.saturating_sub(from).max(1);
    let (least, most) = GAP_MS;
    Some(least + (most - least) * u64::from(over) / u64::from(span))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Enumeration = Enumeration {
        persons: 300,
        misses: 100,
    };

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_772_640_000_000 + millis)
    }

    fn answered(verdict: Verdict) -> bool {
        matches!(verdict, Verdict::After { .. })
    }

    #[test]
    fn an_officer_at_work_is_not_slowed() {
        let mut lookups = Lookups::default();
        for person in 0..60 {
            // The same person again and again is one.
            for _ in 0..10 {
                let verdict = lookups.search(person, LIMITS, at(person * 1000));
                assert!(matches!(
                    verdict,
                    Verdict::After {
                        wait: Duration::ZERO,
                        ..
                    }
                ));
            }
        }
        assert_eq!(lookups.counted().persons, 60);
    }

    proptest! {
        /// However the searches come, a window answers no more than the limit, each wait is bounded, and answers come
        /// no closer together than the gap.
        #[test]
        fn trying_out_numbers_gets_slower_and_ends(
            waits in prop::collection::vec(0u64..12_000, 400..600),
            found in any::<bool>(),
        ) {
            let mut lookups = Lookups::default();
            let (mut now, mut given) = (0, 0u32);
            let mut last = None;
            for (person, wait) in (0u64..).zip(waits) {
                now += wait;
                if now >= WINDOW_MS {
                    break;
                }
                let verdict = lookups.search(person, LIMITS, at(now));
                if let Verdict::After { wait, slowed_by, .. } = verdict {
                    given += 1;
                    let wait = u64::try_from(wait.as_millis()).unwrap();
                    prop_assert!(wait <= LONGEST_WAIT_MS);
                    if slowed_by.is_some() {
                        let due = now + wait;
                        prop_assert!(last.is_none_or(|last| due >= last + GAP_MS.0));
                        last = Some(due);
                    }
                    if !found {
                        lookups.missed(at(now));
                    }
                }
            }
            let limit = if found { LIMITS.persons } else { LIMITS.misses };
            prop_assert!(given <= limit);
        }
    }

    #[test]
    fn misses_run_out_first_and_a_new_window_begins_anew() {
        let mut lookups = Lookups::default();
        let mut now = 0;
        let mut person = 0;
        while answered(lookups.search(person, LIMITS, at(now))) {
            lookups.missed(at(now));
            (person, now) = (person + 1, now + 9_000);
        }
        assert_eq!(
            lookups.counted(),
            Counted {
                persons: 100,
                misses: 100
            }
        );
        let Verdict::Refused { quota, retry } = lookups.search(person, LIMITS, at(now)) else {
            panic!("not refused");
        };
        assert_eq!(quota, Quota::Misses);
        // Whom it asked for before is still answered.
        assert!(answered(lookups.search(0, LIMITS, at(now))));
        now += u64::try_from(retry.as_millis()).unwrap();
        assert!(!answered(lookups.search(person, LIMITS, at(now - 1))));
        assert!(answered(lookups.search(person, LIMITS, at(now))));
        assert_eq!(
            lookups.counted(),
            Counted {
                persons: 1,
                misses: 0
            }
        );
    }

    #[test]
    fn all_at_once_gain_nothing() {
        let mut lookups = Lookups::default();
        let asked = (0..1_000).filter(|person| answered(lookups.search(*person, LIMITS, at(0))));
        // A fifth at once, and as many as can wait their turn within a call.
        let answered = asked.count();
        assert!((60..=80).contains(&answered), "{answered}");
    }

    #[test]
    fn what_was_searched_before_a_restart_counts() {
        let mut lookups = Lookups::default();
        for _ in 0..100 {
            lookups.recount(true, at(0));
        }
        let verdict = lookups.search(1, LIMITS, at(WINDOW_MS - 1));
        assert!(matches!(
            verdict,
            Verdict::Refused {
                quota: Quota::Misses,
                ..
            }
        ));
    }

    #[test]
    fn a_clock_set_back_does_not_make_a_window_longer() {
        let mut lookups = Lookups::default();
        for person in 0..300 {
            lookups.recount(false, at(WINDOW_MS + person));
        }
        assert!(!answered(lookups.search(1, LIMITS, at(0))));
        assert!(answered(lookups.search(1, LIMITS, at(WINDOW_MS))));
        // Nor does whoever is slowed wait for the old time to come again.
        for person in 2..100 {
            lookups.search(person, LIMITS, at(3 * WINDOW_MS));
        }
        assert!(answered(lookups.search(100, LIMITS, at(2 * WINDOW_MS + 1))));
    }
}
