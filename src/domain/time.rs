//! Time as it is passed in.

use std::fmt;

/// Milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since 1970-01-01 UTC.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970-01-01 UTC.
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// This time and so many seconds.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// The civil date in Asia/Shanghai, in which deadlines and retention are counted.
    pub fn shanghai_date(self) -> jiff::civil::Date {
        // China Standard Time has been UTC+8 without daylight saving since 1992, and no time here is older.
        let seconds = i64::try_from(self.seconds())
            .unwrap_or(i64::MAX)
            .saturating_add(8 * 3600);
        jiff::Timestamp::from_second(seconds)
            .unwrap_or(jiff::Timestamp::MAX)
            .to_zoned(jiff::tz::TimeZone::UTC)
            .date()
    }

    /// As people in Asia/Shanghai write it: `2026-03-05 14:07:09`.
    pub fn shanghai_text(self) -> String {
        let seconds = i64::try_from(self.seconds())
            .unwrap_or(i64::MAX)
            .saturating_add(8 * 3600);
        jiff::Timestamp::from_second(seconds)
            .unwrap_or(jiff::Timestamp::MAX)
            .to_zoned(jiff::tz::TimeZone::UTC)
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string()
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// Where the time comes from. Passed in everywhere, so that tests and replays decide what time it is.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shanghai_is_eight_hours_ahead() {
        // 2026-03-04T16:00:00Z is midnight of the 5th in Shanghai.
        let midnight = Timestamp::from_millis(1_772_640_000_000);
        assert_eq!(midnight.shanghai_text(), "2026-03-05 00:00:00");
        assert_eq!(midnight.shanghai_date(), jiff::civil::date(2026, 3, 5));
        let before = Timestamp::from_millis(1_772_639_999_999);
        assert_eq!(before.shanghai_date(), jiff::civil::date(2026, 3, 4));
    }
}
