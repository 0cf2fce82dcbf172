//! `referral show`: one referral, opened: what it says, what happened, what proves it, and what may be done now.

use super::summary::{Row, due, kind_from_wire, kind_label, standing};
use crate::{
    cli::{
        args::LookArgs,
        context::{Context, block_on},
        exit::{Exit, Failure},
        labels::{Sent, action, refused},
        listing::{JsonReceipt, action_label, receipt_line},
        print::{self, Format, lines, plain, rfc3339},
    },
    domain::{Handling, Lang, RecordId, ReferralKind, ReturnReason},
    entry::{self, pb},
};
use serde::Serialize;
use std::io::Write;

pub(super) fn run(
    referral: RecordId,
    look: LookArgs,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let shown = block_on(async {
        let node = context.connect()?;
        let request = pb::ShowReferralRequest {
            grounds: node.grounds(),
            referral_id: referral.to_string(),
            override_assignment: look.over.assignment,
            standing_only: look.standing,
        };
        let shown = node
            .patient(async || node.referrals().show_referral(request.clone()).await)
            .await?;
        match (shown.summary, shown.referral) {
            (Some(summary), said) if said.is_some() || look.standing => Ok(Shown {
                summary,
                said,
                events: shown.events,
                allowed: shown.allowed,
                notice_due_ms: shown.notice_due_ms,
                consulted_index: shown.consulted_index,
            }),
            _ => Err(node.nonsense("a referral without its content")),
        }
    })?;
    match context.format() {
        Format::Json => print::json(out, &shown.to_json(context.lang()))?,
        Format::Table => shown.print(context.lang(), out)?,
    }
    Ok(Exit::Done)
}

struct Shown {
    summary: pb::ReferralSummary,
    said: Option<pb::Referral>,
    events: Vec<pb::ReferralEvent>,
    allowed: Vec<i32>,
    notice_due_ms: u64,
    consulted_index: u64,
}

#[derive(Serialize)]
struct JsonReferral<'a> {
    #[serde(flatten)]
    summary: Row<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referral: Option<JsonSaid<'a>>,
    events: Vec<JsonEvent<'a>>,
    allowed: Vec<&'static str>,
    notice_due: Option<String>,
    consulted_index: u64,
}

#[derive(Serialize)]
struct JsonSaid<'a> {
    title: &'a str,
    matter: &'a str,
    case_number: &'a str,
    subject_name: &'a str,
    subject_number: &'a str,
    place_code: &'a str,
    substance: &'a str,
    lead_ids: &'a [String],
}

#[derive(Serialize)]
struct JsonEvent<'a> {
    log_index: u64,
    time: Option<String>,
    action: &'static str,
    principal: &'a str,
    superseded: bool,
    waiting: bool,
    return_reason: Option<&'static str>,
    note: Option<&'a str>,
    receipt: Option<JsonReceipt<'a>>,
}

impl<'a> From<&'a pb::ReferralEvent> for JsonEvent<'a> {
    fn from(event: &'a pb::ReferralEvent) -> Self {
        Self {
            log_index: event.log_index,
            time: rfc3339(event.time_ms),
            action: action(event.action).0,
            principal: &event.principal,
            superseded: event.superseded,
            waiting: event.waiting,
            return_reason: reason(event).map(ReturnReason::as_str),
            note: note(event),
            receipt: event.receipt.as_ref().map(JsonReceipt::from),
        }
    }
}

fn reason(event: &pb::ReferralEvent) -> Option<ReturnReason> {
    entry::return_reason_from_wire(event.return_reason)
}

fn note(event: &pb::ReferralEvent) -> Option<&str> {
    Some(event.note.as_str()).filter(|note| !note.is_empty())
}

impl Shown {
    fn to_json(&self, lang: Lang) -> JsonReferral<'_> {
        JsonReferral {
            summary: Row::of(&self.summary, lang),
            referral: self.said.as_ref().map(|said| JsonSaid {
                title: &said.title,
                matter: &said.matter,
                case_number: &said.case_number,
                subject_name: &said.subject_name,
                subject_number: &said.subject_number,
                place_code: &said.place_code,
                substance: &said.substance,
                lead_ids: &said.lead_ids,
            }),
            events: self.events.iter().map(JsonEvent::from).collect(),
            allowed: self.allowed.iter().map(|step| action(*step).0).collect(),
            notice_due: rfc3339(self.notice_due_ms),
            consulted_index: self.consulted_index,
        }
    }

    fn print(&self, lang: Lang, out: &mut dyn Write) -> Result<(), Failure> {
        writeln!(out, "{}", self.facts(lang))?;
        if let Some(refused) = refused(&self.summary.refusal, Sent::Referral, lang) {
            writeln!(out, "{refused}")?;
        }
        let mut events = print::table(
            lang,
            ["条目", "时间", "动作", "何人", "说明", "对方回执"],
            ["entry", "time", "action", "by", "says", "partner's receipt"],
        );
        for event in &self.events {
            let reason = reason(event).map(|reason| reason.label(lang));
            let words: Vec<_> = [reason, note(event)].into_iter().flatten().collect();
            events.add_row([
                event.log_index.to_string(),
                print::time(event.time_ms),
                action_label(event.action, event.superseded, event.waiting, lang),
                plain(&event.principal),
                lines(&words.join(lang.pick("；", "; "))),
                receipt_line(event.receipt.as_ref(), lang),
            ]);
        }
        writeln!(out, "{events}")?;
        if self.summary.state() == pb::ReferralState::Drafted {
            writeln!(
                out,
                "{}",
                lang.pick(
                    "拟稿尚未发出：须由起草人以外的主管审批（referral approve）",
                    "a draft, not sent: a supervisor who did not draft it approves it (referral approve)",
                )
            )?;
        }
        if kind_from_wire(self.summary.kind) == Some(ReferralKind::Transfer)
            && self.summary.state() == pb::ReferralState::Disputed
        {
            writeln!(
                out,
                "{}",
                lang.pick(
                    "移送案件有异议，一方不能自行办结（程序规定第22条、第356条）：系统外商定或报请共同的上级公安机关，再由接收方重新反馈，\
                     发起方确认、办结",
                    "a disputed transfer is ended by neither side alone (程序规定 arts. 22 and 356): agree, or ask the common \
                     superior, outside the exchange; then the recipient gives feedback again, and the originator confirms \
                     and closes",
                )
            )?;
        }
        let steps: Vec<_> = self
            .allowed
            .iter()
            .map(|step| command(*step, lang))
            .collect();
        let steps = steps.join(lang.pick("、", ", "));
        let steps = match steps.as_str() {
            "" => lang.pick("无", "nothing"),
            steps => steps,
        };
        let logged = self.consulted_index;
        match lang {
            Lang::Zh => {
                writeln!(out, "本方现在可办：{steps}")?;
                writeln!(out, "本次查看已记入日志第 {logged} 条")?;
            }
            Lang::En => {
                writeln!(out, "this side may now: {steps}")?;
                writeln!(out, "that you opened it is entry {logged} of the log")?;
            }
        }
        Ok(())
    }

    fn facts(&self, lang: Lang) -> comfy_table::Table {
        let summary = &self.summary;
        let said = self.said.clone().unwrap_or_default();
        let urgency = entry::urgency_from_wire(summary.urgency);
        let handling = entry::handling_from_wire(summary.handling);
        // Whoever sent the transfer on owes it, not its recipient.
        let notice = match self.notice_due_ms {
            0 => String::new(),
            by => format!("{} {}", print::time(by), plain(&summary.origin)),
        };
        let mut facts = print::unheaded();
        for (zh, en, value) in [
            ("协查标识", "referral id", plain(&summary.referral_id)),
            ("种类", "kind", kind_label(summary.kind, lang).to_owned()),
            ("来自", "from", plain(&summary.origin)),
            ("发往", "to", plain(&summary.destination)),
            ("状态", "state", standing(summary, lang)),
            ("期限", "due", due(summary)),
            ("告知报案人期限", "tell the reporter by", notice),
            (
                "紧急程度",
                "urgency",
                urgency.map_or("", |u| u.label(lang)).to_owned(),
            ),
            (
                "处理限制",
                "handling",
                handling.map_or("", Handling::as_str).to_owned(),
            ),
            ("标题", "title", lines(&said.title)),
            ("事项", "matter", lines(&said.matter)),
            ("案件编号", "case", plain(&said.case_number)),
            ("人员姓名", "subject's name", plain(&said.subject_name)),
            (
                "公民身份号码",
                "subject's number",
                plain(&said.subject_number),
            ),
            ("指向地代码", "place", plain(&said.place_code)),
            ("毒品种类", "substance", plain(&said.substance)),
            ("所附线索", "leads", lines(&said.lead_ids.join("\n"))),
        ] {
            if !value.is_empty() {
                facts.add_row([lang.pick(zh, en), &value]);
            }
        }
        facts
    }
}

/// A step by its command: `签收 sign`.
fn command(step: i32, lang: Lang) -> String {
    let (key, zh) = action(step);
    let command = match key {
        "referral_request_supplement" => "supplement",
        key => key.strip_prefix("referral_").unwrap_or(key),
    };
    match lang {
        Lang::Zh => format!("{zh} {command}"),
        Lang::En => command.to_owned(),
    }
}
