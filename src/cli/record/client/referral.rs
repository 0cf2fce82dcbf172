//! Calls to a node about referrals.

use super::wire::{action, handling, reason, receipt, stated, urgency};
use crate::{
    cli::{
        args::LookArgs,
        client::Connection,
        exit::Failure,
        print::{lines, plain},
        record::row::{Answer, Event, Opened, Page, Query, Row, Said, Step, Term},
    },
    domain::{Family, RecordId, RecordKind, State},
    entry::{self, DispatchAction, pb},
};
use tonic::Streaming;

/// Where a referral stands. `unknown` where its node is newer.
pub(in crate::cli) fn state(value: i32) -> Term {
    let Some(state) = state_from_wire(value) else {
        return Term::UNKNOWN;
    };
    Term::of(state, State::label)
}

/// States have the same names on the wire as in JSON.
fn state_from_wire(value: i32) -> Option<State> {
    let name = pb::ReferralState::try_from(value).ok()?.as_str_name();
    let name = name.strip_prefix("REFERRAL_STATE_")?;
    let mut states = Family::Referral.states();
    states.find(|state| state.as_str().eq_ignore_ascii_case(name))
}

/// A state to look for, by its key or in Chinese; its number on the wire.
///
/// # Errors
/// It is none; with those that there are.
pub(in crate::cli) fn state_named(typed: &str) -> Result<i32, String> {
    let is_it = |value: &i32| [state(*value).key, state(*value).zh].contains(&typed);
    states().find(is_it).ok_or_else(|| {
        let keys: Vec<_> = states().map(|value| state(value).key).collect();
        format!("not one of: {}", keys.join(", "))
    })
}

/// All of them.
fn states() -> impl Iterator<Item = i32> {
    (1..).take_while(|value| state_from_wire(*value).is_some())
}

pub(in crate::cli) const fn kind_to_wire(kind: RecordKind) -> i32 {
    let kind = match kind {
        RecordKind::Assistance => pb::ReferralKind::Assistance,
        RecordKind::Transfer => pb::ReferralKind::Transfer,
        // No referrals.
        RecordKind::Lead | RecordKind::ArrestNotice => pb::ReferralKind::Unspecified,
    };
    kind as i32
}

fn kind(value: i32) -> Option<Term> {
    let mut kinds = Family::Referral.kinds();
    let kind = kinds.find(|kind| kind_to_wire(*kind) == value)?;
    Some(Term::of(kind, RecordKind::label))
}

pub(super) async fn list(node: &Connection, query: Query) -> Result<Page, Failure> {
    let request = pb::ListReferralsRequest {
        grounds: node.grounds(),
        direction: query.direction.map_or(0, |way| way.to_wire().into()),
        states: query.states,
        kind: query.kind.map_or(0, kind_to_wire),
        counterpart: query.counterpart,
        urgency: query.urgency.map_or(0, entry::urgency_to_wire),
        since_ms: query.since_ms,
        before_ms: query.before_ms,
        due_before_ms: query.due_before_ms,
        subject_number: query.number,
        subject_name: query.name,
        place_code: query.place,
        substance: query.substance,
        after_index: query.after,
        limit: query.limit,
        override_assignment: query.overriding,
    };
    let page = node
        .patient(async || node.referrals().list_referrals(request.clone()).await)
        .await?;
    Ok(Page {
        rows: page.referrals.into_iter().map(row).collect(),
        next: page.next_after,
    })
}

fn row(referral: pb::ReferralSummary) -> Row {
    Row {
        id: referral.referral_id,
        log_index: referral.log_index,
        time_ms: referral.time_ms,
        kind: kind(referral.kind),
        origin: referral.origin,
        destination: referral.destination,
        state: Some(state(referral.state)),
        return_reason: reason(referral.return_reason),
        refusal: referral.refusal,
        urgency: urgency(referral.urgency),
        handling: handling(referral.handling),
        due_ms: referral.due_ms,
        obliged: referral.obliged,
        assigned_to: referral.assigned_to,
        ..Row::default()
    }
}

pub(super) async fn show(
    node: &Connection,
    referral: RecordId,
    look: LookArgs,
) -> Result<Option<Opened>, Failure> {
    let request = pb::ShowReferralRequest {
        grounds: node.grounds(),
        referral_id: referral.to_string(),
        override_assignment: look.over.assignment,
        standing_only: look.standing,
    };
    let shown = node
        .patient(async || node.referrals().show_referral(request.clone()).await)
        .await?;
    Ok(shown.summary.map(|summary| Opened {
        advice: advice(&summary),
        row: Row {
            notice_due_ms: shown.notice_due_ms,
            ..row(summary)
        },
        content: shown.referral.map(said),
        events: Some(shown.events.into_iter().map(event).collect()),
        allowed: Some(shown.allowed.into_iter().map(action).collect()),
        consulted_index: shown.consulted_index,
    }))
}

fn event(event: pb::ReferralEvent) -> Event {
    Event {
        log_index: event.log_index,
        time_ms: event.time_ms,
        action: action(event.action),
        principal: event.principal,
        superseded: event.superseded,
        waiting: event.waiting,
        outcome: None,
        return_reason: reason(event.return_reason),
        note: stated(event.note),
        receipt: event.receipt.map(receipt),
    }
}

fn said(referral: pb::Referral) -> Vec<Said> {
    let field = |key, label, text: String, shown: fn(&str) -> String| Said {
        key,
        label,
        text: shown(&text),
        value: text.into(),
    };
    vec![
        field("title", ["标题", "title"], referral.title, lines),
        field("matter", ["事项", "matter"], referral.matter, lines),
        field(
            "case_number",
            ["案件编号", "case"],
            referral.case_number,
            plain,
        ),
        field(
            "subject_name",
            ["人员姓名", "subject's name"],
            referral.subject_name,
            plain,
        ),
        field(
            "subject_number",
            ["公民身份号码", "subject's number"],
            referral.subject_number,
            plain,
        ),
        field(
            "place_code",
            ["指向地代码", "place"],
            referral.place_code,
            plain,
        ),
        field(
            "substance",
            ["毒品种类", "substance"],
            referral.substance,
            plain,
        ),
        Said {
            key: "lead_ids",
            label: ["所附线索", "leads"],
            text: lines(&referral.lead_ids.join("\n")),
            value: referral.lead_ids.into(),
        },
    ]
}

/// What to know before the next step, in Chinese and in English.
fn advice(referral: &pb::ReferralSummary) -> Option<[&'static str; 2]> {
    let is_transfer = referral.kind() == pb::ReferralKind::Transfer;
    if referral.state() == pb::ReferralState::Drafted {
        return Some([
            "拟稿尚未发出：须由起草人以外的主管审批（referral approve）",
            "a draft, not sent: a supervisor who did not draft it approves it (referral approve)",
        ]);
    }
    (is_transfer && referral.state() == pb::ReferralState::Disputed).then_some([
        "移送案件有异议，一方不能自行办结（程序规定第22条、第356条）：系统外商定或报请共同的上级公安机关，再由接收方重新反馈，\
         发起方确认、办结",
        "a disputed transfer is ended by neither side alone (程序规定 arts. 22 and 356): agree, or ask the common superior, \
         outside the exchange; then the recipient gives feedback again, and the originator confirms and closes",
    ])
}

/// Opens a referral; the grounds are added here.
pub(in crate::cli) async fn open(
    node: &Connection,
    request: &pb::OpenReferralRequest,
) -> Result<Answer, Failure> {
    let request = pb::OpenReferralRequest {
        grounds: node.grounds(),
        ..request.clone()
    };
    node.patient(async || node.referrals().open_referral(request.clone()).await)
        .await
        .map(answer)
}

pub(in crate::cli) async fn approve(
    node: &Connection,
    referral: RecordId,
) -> Result<Answer, Failure> {
    let request = pb::ApproveReferralRequest {
        grounds: node.grounds(),
        referral_id: referral.to_string(),
    };
    node.patient(async || node.referrals().approve_referral(request.clone()).await)
        .await
        .map(answer)
}

/// Takes any other step.
pub(in crate::cli) async fn act(
    node: &Connection,
    referral: RecordId,
    step: &Step,
) -> Result<Answer, Failure> {
    let request = pb::ActOnReferralRequest {
        grounds: node.grounds(),
        referral_id: referral.to_string(),
        action: DispatchAction::act_to_wire(Family::Referral, step.action),
        return_reason: step.reason.map_or(0, entry::return_reason_to_wire),
        note: step.note.clone(),
        referral: step.restated.clone(),
        override_assignment: step.overriding,
    };
    node.patient(async || node.referrals().act_on_referral(request.clone()).await)
        .await
        .map(answer)
}

fn answer(answer: pb::ReferralAnswer) -> Answer {
    Answer {
        id: answer.referral_id,
        state: Some(state(answer.state)),
        log_index: answer.log_index,
    }
}

/// Follows referrals from behind an entry of the log, or from now on.
pub(in crate::cli) async fn watch(
    node: &Connection,
    after_index: Option<u64>,
) -> Result<Streaming<pb::WatchReferralsResponse>, Failure> {
    let request = pb::WatchReferralsRequest {
        grounds: node.grounds(),
        after_index,
    };
    node.call(node.referrals().watch_referrals(request)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::record::{kind::Kind, told::Told};
    use crate::domain::Lang;
    use std::collections::BTreeSet;

    #[test]
    fn every_state_reads_back_and_no_two_are_alike() {
        let all: Vec<_> = states().collect();
        assert_eq!(all.len(), 15);
        let keys: BTreeSet<_> = all.iter().map(|value| state(*value).key).collect();
        assert_eq!(keys.len(), all.len());
        for value in all {
            let Term { key, zh } = state(value);
            assert_eq!((state_named(key), state_named(zh)), (Ok(value), Ok(value)));
        }
        assert!(state_named("unknown").is_err());
    }

    #[test]
    fn what_a_node_says_of_an_end_stands_behind_the_state() {
        let standing = |summary: &pb::ReferralSummary, lang| {
            let (row, kind) = (&row(summary.clone()), Kind::Referral);
            Told { row, kind, lang }.standing()
        };
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
