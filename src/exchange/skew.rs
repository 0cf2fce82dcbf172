//! How far partners' clocks are from ours. A partner's time is only its claim: it is shown and warned about, and
//! decides nothing here. Deadlines run from this node's own entries.

use crate::domain::{Jurisdiction, Timestamp};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Clocks further apart than this cause a warning, seconds.
pub(crate) const SKEW_TOLERATED_S: u64 = 300;

/// An entry dated further ahead than this is deferred, seconds: no time zone or daylight saving explains it.
pub(crate) const SKEW_ABSURD_S: u64 = 24 * 3_600;

/// How far ahead of ours each partner's clock was when it was last seen, seconds; negative if it is behind.
#[derive(Debug, Default)]
pub(crate) struct ClockSkews(Mutex<BTreeMap<Jurisdiction, i64>>);

/// This node's own clock, judged by its partners' clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnClock {
    /// How far it is behind them, seconds; negative if it is ahead.
    pub behind_s: i64,
    /// How many partners' clocks indicate this.
    pub by: usize,
    /// How many partners' clocks were seen.
    pub of: usize,
}

impl std::fmt::Display for OwnClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, side) = match self.behind_s {
            behind @ 0.. => (behind.unsigned_abs(), "behind"),
            ahead => (ahead.unsigned_abs(), "ahead of"),
        };
        let Self { by, of, .. } = self;
        write!(
            f,
            "this node's clock is some {seconds} s {side} those of {by} of {of} partners: it is likely ours that is wrong; \
             set it by a time server"
        )
    }
}

impl ClockSkews {
    /// Notes a partner's clock: the time in a verified cosignature.
    pub(super) fn saw(&self, partner: Jurisdiction, at_seconds: u64, now: Timestamp) {
        let signed = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        self.note(
            partner,
            signed(at_seconds).saturating_sub(signed(now.seconds())),
        );
    }

    /// Notes that an entry of a partner is dated `time`, so its clock is at least that far ahead.
    pub(super) fn saw_entry(&self, partner: Jurisdiction, time: Timestamp, now: Timestamp) {
        let ahead = time.seconds().saturating_sub(now.seconds());
        if ahead > SKEW_TOLERATED_S {
            self.note(partner, i64::try_from(ahead).unwrap_or(i64::MAX));
        }
    }

    fn note(&self, partner: Jurisdiction, ahead_s: i64) {
        let (before, own) = {
            let mut skews = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let own = own_clock(&skews);
            (skews.insert(partner, ahead_s), own)
        };
        let is_off = |ahead: i64| ahead.unsigned_abs() > SKEW_TOLERATED_S;
        if is_off(ahead_s) && !before.is_some_and(is_off) {
            tracing::warn!(
                %partner,
                ahead_s,
                "a partner's clock and ours are apart; compare both with a time server"
            );
        }
        // Beyond 2^53 seconds the precision of a float does not matter.
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        let gauge = ahead_s as f64;
        metrics::gauge!("yichuan_partner_clock_ahead_seconds", "partner" => partner.to_string())
            .set(gauge);
        let now = self.own_clock();
        metrics::gauge!("yichuan_own_clock_suspect").set(f64::from(u8::from(now.is_some())));
        if let (None, Some(wrong)) = (own, now) {
            tracing::warn!("{wrong}");
        }
    }

    /// If most partners' clocks, and at least two, are off to the same side of ours by more than is tolerated, the
    /// fault is ours: returns by how much.
    pub(crate) fn own_clock(&self) -> Option<OwnClock> {
        own_clock(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How far ahead a partner's clock is, seconds; `None` if it was not seen since the start.
    pub(crate) fn ahead(&self, partner: Jurisdiction) -> Option<i64> {
        let skews = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        skews.get(&partner).copied()
    }
}

fn own_clock(skews: &BTreeMap<Jurisdiction, i64>) -> Option<OwnClock> {
    let tolerated = i64::try_from(SKEW_TOLERATED_S).unwrap_or(i64::MAX);
    let (mut ahead, mut behind): (Vec<i64>, Vec<i64>) = skews
        .values()
        .filter(|ahead| ahead.unsigned_abs() > SKEW_TOLERATED_S)
        .partition(|ahead| **ahead > tolerated);
    let off = if ahead.len() > behind.len() {
        &mut ahead
    } else {
        &mut behind
    };
    off.sort_unstable();
    let (by, of) = (off.len(), skews.len());
    (by >= 2 && by * 2 > of).then(|| OwnClock {
        behind_s: off.get(by / 2).copied().unwrap_or_default(),
        by,
        of,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_most_partners_disagree_to_one_side_it_is_our_clock() {
        let now = Timestamp::from_millis(1_772_640_000_000);
        let two_years = 2 * 365 * 86_400;
        let partners = ["110000", "330000", "440000", "500000"].map(|code| code.parse().unwrap());
        let skews = ClockSkews::default();
        let see = |nth: usize, ahead: u64| {
            skews.saw(partners[nth], now.seconds() + ahead, now);
            skews.own_clock().map(|own| (own.behind_s, own.by, own.of))
        };
        // One against one: nobody can tell whose it is.
        assert_eq!(see(0, two_years), None);
        assert_eq!(
            see(1, two_years + 7),
            Some((two_years.cast_signed() + 7, 2, 2))
        );
        assert_eq!(see(2, 0), Some((two_years.cast_signed() + 7, 2, 3)));
        // Half of them is no majority.
        assert_eq!(see(3, 1), None);
        // Nor are two that are off to different sides.
        let skews = ClockSkews::default();
        skews.saw(partners[0], now.seconds() + 4_000, now);
        skews.saw(partners[1], now.seconds() - 4_000, now);
        assert_eq!(skews.own_clock(), None);
    }

    #[test]
    fn a_clock_is_as_far_ahead_as_its_cosignature_and_at_least_as_far_as_its_entries() {
        let (skews, partner) = (ClockSkews::default(), "440000".parse().unwrap());
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
