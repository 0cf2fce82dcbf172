//! `lead show`: one lead, opened: what it says, what happened, and what proves it.

use super::list::Row;
use crate::{
    cli::{
        args::LookArgs,
        context::{Context, block_on},
        exit::{Exit, Failure},
        labels::{Sent, action, refused, standing},
        listing::{JsonReceipt, action_label, receipt_line},
        print::{self, Format, lines, plain, rfc3339},
    },
    domain::{AssessmentOutcome, Column, Lang, LeadFields, RecordId, ReturnReason},
    entry::{self, pb},
};
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::Write;

pub(super) fn run(
    lead: RecordId,
    look: LookArgs,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let shown = block_on(async {
        let node = context.connect()?;
        let mut desk = node.desk();
        let request = pb::ShowLeadRequest {
            grounds: node.grounds(),
            lead_id: lead.to_string(),
            override_assignment: look.over.assignment,
            standing_only: look.standing,
        };
        let shown = node
            .patient(async || desk.show_lead(request.clone()).await)
            .await?;
        match (shown.summary, shown.lead) {
            (Some(summary), lead) if lead.is_some() || look.standing => Ok(Shown {
                summary,
                fields: lead.map(entry::lead_from_wire),
                events: shown.events,
                consulted_index: shown.consulted_index,
            }),
            _ => Err(node.nonsense("a lead without its content")),
        }
    })?;
    match context.format() {
        Format::Json => print::json(out, &shown.to_json(context.lang()))?,
        Format::Table => shown.print(context.lang(), out)?,
    }
    Ok(Exit::Done)
}

struct Shown {
    summary: pb::LeadSummary,
    fields: Option<LeadFields>,
    events: Vec<pb::LeadEvent>,
    consulted_index: u64,
}

#[derive(Serialize)]
struct JsonLead<'a> {
    #[serde(flatten)]
    summary: Row<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead: Option<Map<String, Value>>,
    events: Vec<JsonEvent<'a>>,
    consulted_index: u64,
}

#[derive(Serialize)]
struct JsonEvent<'a> {
    log_index: u64,
    time: Option<String>,
    action: &'static str,
    principal: &'a str,
    superseded: bool,
    waiting: bool,
    outcome: Option<&'static str>,
    return_reason: Option<&'static str>,
    note: Option<&'a str>,
    receipt: Option<JsonReceipt<'a>>,
}

impl<'a> From<&'a pb::LeadEvent> for JsonEvent<'a> {
    fn from(event: &'a pb::LeadEvent) -> Self {
        Self {
            log_index: event.log_index,
            time: rfc3339(event.time_ms),
            action: action(event.action).0,
            principal: &event.principal,
            superseded: event.superseded,
            waiting: event.waiting,
            outcome: outcome(event).map(AssessmentOutcome::as_str),
            return_reason: reason(event).map(ReturnReason::as_str),
            note: note(event),
            receipt: event.receipt.as_ref().map(JsonReceipt::from),
        }
    }
}

fn outcome(event: &pb::LeadEvent) -> Option<AssessmentOutcome> {
    entry::outcome_from_wire(event.answer.as_ref()?.outcome)
}

fn reason(event: &pb::LeadEvent) -> Option<ReturnReason> {
    entry::return_reason_from_wire(event.return_reason)
}

fn note(event: &pb::LeadEvent) -> Option<&str> {
    let note = event.answer.as_ref()?.note.as_str();
    Some(note).filter(|note| !note.is_empty())
}

impl Shown {
    fn to_json(&self, lang: Lang) -> JsonLead<'_> {
        let says = |fields: &LeadFields| {
            let field = |column: &Column| {
                let text = fields.get(*column).to_owned();
                (column.as_str().to_owned(), Value::String(text))
            };
            Column::ALL.iter().map(field).collect()
        };
        JsonLead {
            summary: Row::of(&self.summary, lang),
            lead: self.fields.as_ref().map(says),
            events: self.events.iter().map(JsonEvent::from).collect(),
            consulted_index: self.consulted_index,
        }
    }

    fn print(&self, lang: Lang, out: &mut dyn Write) -> Result<(), Failure> {
        let summary = &self.summary;
        let mut facts = print::unheaded();
        for (zh, en, value) in [
            ("线索标识", "lead id", plain(&summary.lead_id)),
            ("来自", "from", plain(&summary.origin)),
            ("发往", "to", plain(&summary.destination)),
            ("状态", "state", plain(&standing(summary, lang))),
            ("签收期限", "sign by", print::time(summary.sign_by_ms)),
        ] {
            if !value.is_empty() {
                facts.add_row([lang.pick(zh, en), &value]);
            }
        }
        for column in Column::ALL {
            let text = self.fields.as_ref().map(|it| lines(it.get(*column)));
            let text = text.unwrap_or_default();
            if !text.is_empty() {
                let label = lang.pick(column.header_zh(), column.as_str());
                facts.add_row([label, &text]);
            }
        }
        writeln!(out, "{facts}")?;
        if let Some(refused) = refused(&summary.refusal, Sent::Row, lang) {
            writeln!(out, "{refused}")?;
        }
        let mut events = print::table(
            lang,
            ["条目", "时间", "动作", "何人", "说明", "对方回执"],
            ["entry", "time", "action", "by", "says", "partner's receipt"],
        );
        for event in &self.events {
            events.add_row([
                event.log_index.to_string(),
                print::time(event.time_ms),
                action_label(event.action, event.superseded, event.waiting, lang),
                plain(&event.principal),
                said(event, lang),
                receipt_line(event.receipt.as_ref(), lang),
            ]);
        }
        writeln!(out, "{events}")?;
        let logged = self.consulted_index;
        match lang {
            Lang::Zh => writeln!(out, "本次查看已记入日志第 {logged} 条")?,
            Lang::En => writeln!(out, "that you opened it is entry {logged} of the log")?,
        }
        Ok(())
    }
}

fn said(event: &pb::LeadEvent, lang: Lang) -> String {
    let outcome = outcome(event).map(|outcome| outcome.label(lang));
    let reason = reason(event).map(|reason| reason.label(lang));
    let words = [outcome, reason, note(event)].into_iter().flatten();
    lines(&words.collect::<Vec<_>>().join(lang.pick("；", "; ")))
}
