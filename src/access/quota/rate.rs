//! Rate limiting with the generic cell rate algorithm (ITU-T I.371), whose whole state is one number.

use crate::domain::Timestamp;
use std::time::Duration;

/// A limit over a window. All of it may be taken at once if nothing was taken before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// Microseconds that one unit takes up.
    each_us: u64,
    /// The window in microseconds.
    window_us: u64,
}

impl Rate {
    /// `limit` over `window_s` seconds. A limit of 0 counts as 1.
    pub(super) const fn new(limit: u32, window_s: u32) -> Self {
        let limit = if limit == 0 { 1 } else { limit };
        let window_us = window_s as u64 * 1_000_000;
        let each_us = window_us / limit as u64;
        Self {
            each_us: if each_us == 0 { 1 } else { each_us },
            window_us,
        }
    }

    /// The most that can ever be taken at once.
    const fn most(self) -> u64 {
        self.window_us / self.each_us
    }

    const fn cost_us(self, amount: u32) -> u64 {
        self.each_us.saturating_mul(amount as u64)
    }
}

/// A bucket, as the microsecond at which it will be empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    empty_at_us: u64,
}

const fn micros(now: Timestamp) -> u64 {
    now.millis().saturating_mul(1000)
}

impl Bucket {
    /// How full it is. A bucket fuller than possible was filled before the clock was set back and counts as empty.
    const fn level(self, now: u64, most: u64) -> u64 {
        if self.empty_at_us < now || self.empty_at_us > most {
            now
        } else {
            self.empty_at_us
        }
    }

    /// Takes `amount`, or returns how long until there is room for it. More than the whole limit counts as the limit.
    pub(super) fn take(&mut self, rate: Rate, amount: u32, now: Timestamp) -> Result<(), Duration> {
        let now = micros(now);
        let full = now.saturating_add(rate.window_us);
        let level = self.level(now, full);
        let cost = rate.cost_us(amount).min(rate.most() * rate.each_us);
        let next = level.saturating_add(cost);
        if next > full {
            self.empty_at_us = level;
            return Err(Duration::from_micros(next - full));
        }
        self.empty_at_us = next;
        Ok(())
    }

    /// Takes `amount`, or all that is left.
    pub(super) fn charge(&mut self, rate: Rate, amount: u32, now: Timestamp) {
        let now = micros(now);
        let full = now.saturating_add(rate.window_us);
        let level = self.level(now, full);
        self.empty_at_us = level.saturating_add(rate.cost_us(amount)).min(full);
    }

    /// Gives back what was taken and not used.
    pub(super) fn give_back(&mut self, rate: Rate, amount: u32, now: Timestamp) {
        let now = micros(now);
        let level = self.level(now, now.saturating_add(rate.window_us));
        self.empty_at_us = level.saturating_sub(rate.cost_us(amount)).max(now);
    }

    /// Takes `amount` in any case. Returns how long to wait before continuing, at most a window.
    pub(super) fn pace(&mut self, rate: Rate, amount: u32, now: Timestamp) -> Duration {
        let now = micros(now);
        let full = now.saturating_add(rate.window_us);
        let most = full.saturating_add(rate.window_us);
        let level = self.level(now, most);
        let next = level.saturating_add(rate.cost_us(amount)).min(most);
        self.empty_at_us = next;
        Duration::from_micros(next.saturating_sub(full))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_772_640_000_000 + millis)
    }

    proptest! {
        /// Whoever asks however often gets no more than the limit, and what the elapsed time gave back.
        #[test]
        fn no_more_is_given_than_the_rate_allows(
            limit in 1u32..200,
            steps in prop::collection::vec((0u64..2_000, 1u32..4), 1..200),
        ) {
            let rate = Rate::new(limit, 60);
            let (mut bucket, mut given, mut now) = (Bucket::default(), 0u64, 0);
            for (wait, amount) in steps {
                now += wait;
                if bucket.take(rate, amount, at(now)).is_ok() {
                    // What is more than the whole limit counts as the limit.
                    given += u64::from(amount.min(limit));
                }
                let back = now * 1000 / rate.each_us + 1;
                prop_assert!(given <= rate.most() + back, "{given} after {now} ms");
            }
        }

        /// Nobody is refused who keeps to the limit, and who waits as told is not refused again.
        #[test]
        fn who_keeps_to_it_is_never_refused(
            limit in 1u32..500,
            waits in prop::collection::vec(0u64..5_000, 1..300),
        ) {
            let rate = Rate::new(limit, 60);
            let (mut bucket, mut now) = (Bucket::default(), 0);
            for (nth, wait) in waits.into_iter().enumerate() {
                now += wait;
                match bucket.take(rate, 1, at(now)) {
                    Ok(()) => {}
                    Err(wait) => {
                        prop_assert!(nth as u64 >= u64::from(limit));
                        now += u64::try_from(wait.as_micros()).unwrap().div_ceil(1000);
                        prop_assert_eq!(bucket.take(rate, 1, at(now)), Ok(()));
                    }
                }
            }
        }

        /// What is paced goes at the rate, however it comes, and is never put off for longer than a window.
        #[test]
        fn what_is_paced_goes_at_the_rate(
            limit in 20u32..1_000,
            amounts in prop::collection::vec(1u32..20, 100..400),
        ) {
            let rate = Rate::new(limit, 60);
            let (mut bucket, mut now_us, mut passed) = (Bucket::default(), 0u64, 0u64);
            for amount in amounts {
                let wait = bucket.pace(rate, amount, at(now_us.div_ceil(1000)));
                prop_assert!(wait.as_micros() <= u128::from(rate.window_us));
                now_us = now_us.div_ceil(1000) * 1000 + u64::try_from(wait.as_micros()).unwrap();
                passed += u64::from(amount);
                prop_assert!(passed * rate.each_us <= rate.window_us + now_us + 20 * rate.each_us);
            }
        }
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let rate = Rate::new(10, 60);
        let mut bucket = Bucket::default();
        let hour = 3_600_000;
        assert_eq!(bucket.take(rate, 1, at(hour)), Ok(()));
        assert_eq!(bucket.take(rate, 10, at(0)), Ok(()));
        assert!(bucket.take(rate, 1, at(0)).is_err());
        assert_eq!(bucket.pace(rate, 10, at(hour)), Duration::ZERO);
        assert_eq!(bucket.pace(rate, 10, at(0)), Duration::ZERO);
    }
}
