//! How far partners' clocks are from ours. A partner's time is its own word: it is shown, warned of, and decides nothing
//! here. Deadlines run from this node's own entries.

use crate::domain::{Jurisdiction, Timestamp};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Clocks further apart than this are warned of, seconds.
pub const SKEW_TOLERATED_S: u64 = 300;

/// An entry dated further ahead than this is refused, seconds: no zone and no summer time explains it.
pub const SKEW_ABSURD_S: u64 = 24 * 3_600;

/// How far ahead of ours each partner's clock was when it was last seen, seconds; negative where it is behind.
#[derive(Debug, Default)]
pub struct Skews(Mutex<BTreeMap<Jurisdiction, i64>>);

impl Skews {
    /// A partner's clock, as it stood just now: the time in a verified cosignature.
    pub(super) fn saw(&self, partner: Jurisdiction, at_seconds: u64, now: Timestamp) {
        let signed = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        self.note(
            partner,
            signed(at_seconds).saturating_sub(signed(now.seconds())),
        );
    }

    /// An entry of a partner is dated `time`, so its clock is at least that far on.
    pub(super) fn saw_entry(&self, partner: Jurisdiction, time: Timestamp, now: Timestamp) {
        let ahead = time.seconds().saturating_sub(now.seconds());
        if ahead > SKEW_TOLERATED_S {
            self.note(partner, i64::try_from(ahead).unwrap_or(i64::MAX));
        }
    }

    fn note(&self, partner: Jurisdiction, ahead_s: i64) {
        let before = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(partner, ahead_s);
        let is_off = |ahead: i64| ahead.unsigned_abs() > SKEW_TOLERATED_S;
        if is_off(ahead_s) && !before.is_some_and(is_off) {
            tracing::warn!(
                %partner,
                ahead_s,
                "a partner's clock and ours are apart; compare both with a time server"
            );
        }
        // Beyond 2^53 seconds a float is as good as the clock.
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        let gauge = ahead_s as f64;
        metrics::gauge!("yichuan_partner_clock_ahead_seconds", "partner" => partner.to_string())
            .set(gauge);
    }

    /// How far ahead a partner's clock is, seconds; nothing where it was not seen since the start.
    pub fn ahead(&self, partner: Jurisdiction) -> Option<i64> {
        let skews = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        skews.get(&partner).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_as_far_ahead_as_its_cosignature_and_at_least_as_far_as_its_entries() {
        let (skews, partner) = (Skews::default(), "440000".parse().unwrap());
        let now = Timestamp::from_millis(1_772_640_000_000);
        assert_eq!(skews.ahead(partner), None);
        // An old entry says nothing: it may have waited.
        skews.saw_entry(partner, Timestamp::from_millis(0), now);
        assert_eq!(skews.ahead(partner), None);
        skews.saw_entry(partner, now.plus_seconds(3_600), now);
        assert_eq!(skews.ahead(partner), Some(3_600));
        skews.saw(partner, now.seconds() - 3_600, now);
        assert_eq!(skews.ahead(partner), Some(-3_600));
        skews.saw(partner, u64::MAX, now);
        assert!(skews.ahead(partner).is_some_and(|ahead| ahead > 0));
    }
}
