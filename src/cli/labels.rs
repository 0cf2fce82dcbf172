//! Closed lists as they come off the wire, and as people read them.

use super::print::plain;
use crate::{
    domain::{Lang, LeadState},
    exchange::NotYet,
    intake::JsonReason,
    record::{self, Refusal, pb},
};

/// Key and label of an action on a lead.
pub(super) fn action(value: i32) -> (&'static str, &'static str) {
    match pb::Action::try_from(value) {
        Ok(pb::Action::Lead) => ("lead", "发出线索"),
        Ok(pb::Action::LeadSign) => ("lead_sign", "签收"),
        Ok(pb::Action::LeadAssess) => ("lead_assess", "核查"),
        Ok(pb::Action::LeadReturn) => ("lead_return", "退回"),
        Ok(pb::Action::ReferralAssistance) => ("referral_assistance", "发起协作"),
        Ok(pb::Action::ReferralTransfer) => ("referral_transfer", "发起移送"),
        Ok(pb::Action::ReferralSign) => ("referral_sign", "签收"),
        Ok(pb::Action::ReferralAccept) => ("referral_accept", "受理"),
        Ok(pb::Action::ReferralRequestSupplement) => ("referral_request_supplement", "要求补充"),
        Ok(pb::Action::ReferralSupply) => ("referral_supply", "补充材料"),
        Ok(pb::Action::ReferralReturn) => ("referral_return", "退回"),
        Ok(pb::Action::ReferralResubmit) => ("referral_resubmit", "重新提交"),
        Ok(pb::Action::ReferralProgress) => ("referral_progress", "阶段反馈"),
        Ok(pb::Action::ReferralFeedback) => ("referral_feedback", "结果反馈"),
        Ok(pb::Action::ReferralConfirm) => ("referral_confirm", "确认"),
        Ok(pb::Action::ReferralDispute) => ("referral_dispute", "异议"),
        Ok(pb::Action::ReferralClose) => ("referral_close", "办结"),
        Ok(pb::Action::ReferralCorrect) => ("referral_correct", "更正"),
        Ok(pb::Action::ReferralRecall) => ("referral_recall", "撤回"),
        Ok(pb::Action::Caught) => ("caught", "抓获通报"),
        Ok(pb::Action::Unspecified) | Err(_) => ("unknown", "未知"),
    }
}

pub(super) fn state_from_wire(value: i32) -> Option<LeadState> {
    let wire = pb::LeadState::try_from(value).ok()?;
    LeadState::ALL
        .iter()
        .copied()
        .find(|state| state_to_wire(*state) == wire)
}

pub(super) const fn state_to_wire(state: LeadState) -> pb::LeadState {
    match state {
        LeadState::Sent => pb::LeadState::Sent,
        LeadState::Delivered => pb::LeadState::Delivered,
        LeadState::SignedFor => pb::LeadState::SignedFor,
        LeadState::Assessed => pb::LeadState::Assessed,
        LeadState::Returned => pb::LeadState::Returned,
        LeadState::Refused => pb::LeadState::Refused,
    }
}

/// Why a partner's node refused a dispatch, in words. The word itself where it is of a newer node.
pub(super) fn refusal_label(word: &str, lang: Lang) -> &str {
    refusal(word).map_or(word, |refusal| refusal.label(lang))
}

fn refusal(word: &str) -> Option<Refusal> {
    word.parse().ok()
}

/// What a partner's node may have refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// A lead or a notice: by its number the same row is found again, and not sent again.
    Row,
    /// A referral.
    Referral,
}

/// What to do about a refusal, in words.
pub(super) fn next_step(word: &str, sent: Sent, lang: Lang) -> String {
    let first = match refusal(word) {
        Some(Refusal::ChangedContent) => None,
        Some(Refusal::InvalidContent) => Some((
            "与对方核对不合哪条规定，改正内容",
            "ask the partner which rule it breaks and correct it",
        )),
        Some(Refusal::Malformed | Refusal::PayloadMismatch | Refusal::Conflict) => Some((
            "请双方管理员核对程序版本和日志",
            "have the administrators of both nodes compare versions and logs",
        )),
        Some(Refusal::Misaddressed) => Some((
            "请双方管理员重新核对节点名片",
            "have the administrators of both nodes compare node cards again",
        )),
        Some(Refusal::Untimely) => Some((
            "请双方管理员核对时钟",
            "have the administrators of both nodes compare their clocks",
        )),
        Some(Refusal::NotAllowed) | None => Some((
            "请与对方联系，问明缘由",
            "ask the partner what stands in the way",
        )),
    };
    let again = match sent {
        Sent::Row => (
            "换一个编号重新发送（原编号不会再发）",
            "push it again under another number; under this one it is not sent again",
        ),
        Sent::Referral => ("重新发起", "open it again"),
    };
    let steps = first.into_iter().chain([again]);
    let steps: Vec<_> = steps.map(|(zh, en)| lang.pick(zh, en)).collect();
    steps.join(lang.pick("；然后", "; then "))
}

/// The refusal and what to do about it, in one line; none where nothing was refused.
pub(super) fn refused(word: &str, sent: Sent, lang: Lang) -> Option<String> {
    if word.is_empty() {
        return None;
    }
    let (why, step) = (
        plain(refusal_label(word, lang)),
        next_step(word, sent, lang),
    );
    Some(match lang {
        Lang::Zh => format!("对方拒收：{why}。下一步：{step}"),
        Lang::En => format!("refused by the partner: {why}; next: {step}"),
    })
}

/// A duplicate of what the partner refused: a reason of its verdict.
pub(super) fn refused_before(word: &str, lang: Lang) -> Option<JsonReason> {
    let said = refused(word, Sent::Row, lang)?;
    Some(JsonReason {
        column: None,
        code: "refused_by_partner".to_owned(),
        message: format!("{}{said}", lang.pick("重复，", "duplicate, ")),
    })
}

/// Why a partner's node has not taken a dispatch yet, though it has seen it. The word itself where it is of a newer node.
pub(super) fn put_off_label(word: &str, lang: Lang) -> &str {
    word.parse().map_or(word, |why: NotYet| why.label(lang))
}

/// A lead's state with what it says of its end: `assessed (verified)`.
pub(super) fn standing(summary: &pb::LeadSummary, lang: Lang) -> String {
    let Some(state) = state_from_wire(summary.state) else {
        return lang.pick("未知", "unknown").to_owned();
    };
    let label = state.label(lang);
    let outcome = record::outcome_from_wire(summary.outcome).map(|o| o.label(lang));
    let reason = record::return_reason_from_wire(summary.return_reason).map(|r| r.label(lang));
    let refusal = Some(summary.refusal.as_str()).filter(|text| !text.is_empty());
    let refusal = refusal.map(|word| refusal_label(word, lang));
    let put_off = Some(summary.put_off.as_str()).filter(|text| !text.is_empty());
    let put_off = put_off.map(|word| put_off_label(word, lang));
    match outcome.or(reason).or(refusal).or(put_off) {
        Some(more) => match lang {
            Lang::Zh => format!("{label}（{more}）"),
            Lang::En => format!("{label} ({more})"),
        },
        None => label.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regression_each_refusal_is_said_in_words_with_what_to_do() {
        let words = Refusal::ALL.iter().map(|refusal| refusal.as_str());
        for word in words.chain(["of_the_future"]) {
            for sent in [Sent::Row, Sent::Referral] {
                let zh = refused(word, sent, Lang::Zh).unwrap();
                let en = refused(word, sent, Lang::En).unwrap();
                assert!(
                    zh.contains("下一步：") && en.contains("next: "),
                    "{zh} {en}"
                );
                let is_known = refusal(word).is_some();
                assert_eq!(!zh.contains(word), is_known, "{zh}");
                assert!(
                    !is_known || !zh.contains(|c: char| c.is_ascii_alphabetic()),
                    "{zh}"
                );
                assert!(!is_known || !en.contains('_'), "{en}");
            }
        }
        assert_eq!(refused("", Sent::Row, Lang::Zh), None);
    }
}
