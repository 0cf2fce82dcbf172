//! Where a referral stands, as people read it and programs do.

use crate::{
    cli::{
        labels::{Sent, refusal_label, refused},
        print::{self, plain, rfc3339},
    },
    desk::ReferralState,
    domain::{
        Handling, Lang, ReturnReason, Urgency,
        referral::{ReferralKind, ReferralProgress},
    },
    entry::{self, pb},
};
use serde::Serialize;
use std::str::FromStr;

/// Key and label of a state.
pub(in crate::cli) fn state(value: i32) -> (&'static str, &'static str) {
    let Some(state) = state_from_wire(value) else {
        return ("unknown", "未知");
    };
    let zh = match state {
        ReferralState::Sent => "已发",
        ReferralState::Refused => "对方节点拒收",
        ReferralState::At(ReferralProgress::Sent) => "已送达",
        ReferralState::At(progress) => progress.label(Lang::Zh),
    };
    (state.as_str(), zh)
}

fn state_from_wire(value: i32) -> Option<ReferralState> {
    use pb::ReferralState as S;
    let progress = match S::try_from(value).ok()? {
        S::Unspecified => return None,
        S::Sent => return Some(ReferralState::Sent),
        S::Refused => return Some(ReferralState::Refused),
        S::Delivered => ReferralProgress::Sent,
        S::Drafted => ReferralProgress::Drafted,
        S::SignedFor => ReferralProgress::SignedFor,
        S::SupplementRequested => ReferralProgress::SupplementRequested,
        S::Returned => ReferralProgress::Returned,
        S::Accepted => ReferralProgress::Accepted,
        S::InProgress => ReferralProgress::InProgress,
        S::FeedbackGiven => ReferralProgress::FeedbackGiven,
        S::Confirmed => ReferralProgress::Confirmed,
        S::Disputed => ReferralProgress::Disputed,
        S::Closed => ReferralProgress::Closed,
        S::Recalled => ReferralProgress::Recalled,
        S::Forwarded => ReferralProgress::Forwarded,
    };
    Some(ReferralState::At(progress))
}

/// A state to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StateArg(i32);

impl StateArg {
    pub(super) const fn to_wire(self) -> i32 {
        self.0
    }

    /// All of them.
    fn all() -> impl Iterator<Item = Self> {
        (1..)
            .take_while(|value| state_from_wire(*value).is_some())
            .map(Self)
    }
}

/// No state of a referral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of: {}", StateArg::all().map(|s| state(s.0).0).collect::<Vec<_>>().join(", "))]
pub(super) struct UnknownState;

impl FromStr for StateArg {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::all()
            .find(|arg| {
                let (key, zh) = state(arg.0);
                text == key || text == zh
            })
            .ok_or(UnknownState)
    }
}

pub(super) const fn kind_to_wire(kind: ReferralKind) -> pb::ReferralKind {
    match kind {
        ReferralKind::Assistance => pb::ReferralKind::Assistance,
        ReferralKind::Transfer => pb::ReferralKind::Transfer,
    }
}

pub(super) fn kind_from_wire(value: i32) -> Option<ReferralKind> {
    let mut kinds = ReferralKind::ALL.iter().copied();
    kinds.find(|kind| i32::from(kind_to_wire(*kind)) == value)
}

pub(super) fn kind_label(value: i32, lang: Lang) -> &'static str {
    kind_from_wire(value).map_or("", |kind| kind.label(lang))
}

/// The state, with what it says of its end: `returned (not_competent)`.
pub(super) fn standing(summary: &pb::ReferralSummary, lang: Lang) -> String {
    let (key, zh) = state(summary.state);
    let label = lang.pick(zh, key);
    let reason = entry::return_reason_from_wire(summary.return_reason).map(|r| r.label(lang));
    let refusal = Some(summary.refusal.as_str()).filter(|text| !text.is_empty());
    let refusal = refusal.map(|word| refusal_label(word, lang));
    plain(&match (reason.or(refusal), lang) {
        (None, _) => label.to_owned(),
        (Some(more), Lang::Zh) => format!("{label}（{more}）"),
        (Some(more), Lang::En) => format!("{label} ({more})"),
    })
}

/// By when somebody must act, and who.
pub(super) fn due(summary: &pb::ReferralSummary) -> String {
    let due = format!(
        "{} {}",
        print::time(summary.due_ms),
        plain(&summary.obliged)
    );
    due.trim().to_owned()
}

/// A referral without its payload, as JSON.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    referral_id: &'a str,
    log_index: u64,
    time: Option<String>,
    kind: Option<&'static str>,
    origin: &'a str,
    destination: &'a str,
    state: &'static str,
    return_reason: Option<&'static str>,
    refusal: Option<&'a str>,
    /// The refusal in words, and what to do.
    refused: Option<String>,
    urgency: Option<&'static str>,
    handling: Option<&'static str>,
    due: Option<String>,
    obliged: Option<&'a str>,
    assigned_to: Option<&'a str>,
}

impl<'a> Row<'a> {
    pub(super) fn of(referral: &'a pb::ReferralSummary, lang: Lang) -> Self {
        let stated = |text: &'a str| Some(text).filter(|text| !text.is_empty());
        Self {
            referral_id: &referral.referral_id,
            log_index: referral.log_index,
            time: rfc3339(referral.time_ms),
            kind: kind_from_wire(referral.kind).map(ReferralKind::as_str),
            origin: &referral.origin,
            destination: &referral.destination,
            state: state(referral.state).0,
            return_reason: entry::return_reason_from_wire(referral.return_reason)
                .map(ReturnReason::as_str),
            refusal: stated(&referral.refusal),
            refused: refused(&referral.refusal, Sent::Referral, lang),
            urgency: entry::urgency_from_wire(referral.urgency).map(Urgency::as_str),
            handling: entry::handling_from_wire(referral.handling).map(Handling::as_str),
            due: rfc3339(referral.due_ms),
            obliged: stated(&referral.obliged),
            assigned_to: stated(&referral.assigned_to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_state_reads_back_and_no_two_are_alike() {
        let all: Vec<_> = StateArg::all().collect();
        assert_eq!(all.len(), 15);
        let keys: BTreeSet<_> = all.iter().map(|arg| state(arg.0).0).collect();
        assert_eq!(keys.len(), all.len());
        for arg in all {
            let (key, zh) = state(arg.0);
            assert_eq!((key.parse(), zh.parse()), (Ok(arg), Ok(arg)));
        }
        assert_eq!("unknown".parse::<StateArg>(), Err(UnknownState));
    }

    #[test]
    fn what_a_node_says_of_an_end_stands_behind_the_state() {
        let mut summary = pb::ReferralSummary {
            state: pb::ReferralState::Returned.into(),
            return_reason: pb::ReturnReason::NotCompetent.into(),
            ..pb::ReferralSummary::default()
        };
        assert_eq!(standing(&summary, Lang::En), "returned (not_competent)");
        assert_eq!(standing(&summary, Lang::Zh), "已退回（不具管辖权）");
        summary.state = 99;
        summary.return_reason = 0;
        assert_eq!(standing(&summary, Lang::En), "unknown");
    }
}
