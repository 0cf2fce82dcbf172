//! Closed lists as they come off the wire, and as people read them.

pub(super) use crate::api::labels::put_off_label;
use crate::{
    api::labels::{Sent, refused},
    domain::{Lang, LeadState},
    entry::pb,
    intake::JsonReason,
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

/// A duplicate of what the partner refused: a reason of its verdict.
pub(super) fn refused_before(word: &str, lang: Lang) -> Option<JsonReason> {
    let said = refused(word, Sent::Row, lang)?;
    Some(JsonReason {
        column: None,
        code: "refused_by_partner".to_owned(),
        message: format!("{}{said}", lang.pick("重复，", "duplicate, ")),
    })
}
