//! `lead sign`, `lead assess`, `lead return`: answers to leads that came to this node.

use crate::{
    cli::{
        args::{self, NoteArgs, OverrideArgs},
        client::Connection,
        context::{Context, block_on},
        exit::{Exit, Failure},
        labels::state_from_wire,
        print::{self, Format},
    },
    domain::{AssessmentOutcome, Lang, LeadState, RecordId, ReturnReason},
    entry::{self, pb},
};
use serde::Serialize;
use std::io::Write;

/// What is answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Sign,
    Assess(AssessmentOutcome),
    Return(ReturnReason),
}

impl Answer {
    fn request(self, node: &Connection, lead: RecordId, note: &str) -> pb::AnswerLeadRequest {
        let (action, outcome, reason) = match self {
            Self::Sign => (pb::Action::LeadSign, 0, 0),
            Self::Assess(outcome) => (pb::Action::LeadAssess, entry::outcome_to_wire(outcome), 0),
            Self::Return(reason) => (
                pb::Action::LeadReturn,
                0,
                entry::return_reason_to_wire(reason),
            ),
        };
        pb::AnswerLeadRequest {
            grounds: node.grounds(),
            lead_id: lead.to_string(),
            action: action.into(),
            outcome,
            return_reason: reason,
            note: note.to_owned(),
            override_assignment: false,
        }
    }
}

#[derive(Serialize)]
struct Answered {
    lead_id: String,
    state: Option<&'static str>,
    log_index: u64,
}

/// Answers one lead after the other, and stops at the first that is refused.
pub(super) fn run(
    leads: &[RecordId],
    answer: &Answer,
    note: &NoteArgs,
    over: OverrideArgs,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    // Before stdin is waited for.
    context.grounds()?;
    let note = args::text(&note.note)?;
    block_on(async {
        let node = context.connect()?;
        let mut desk = node.desk();
        for lead in leads {
            let request = pb::AnswerLeadRequest {
                override_assignment: over.assignment,
                ..answer.request(&node, *lead, &note)
            };
            let answered = node
                .patient(async || desk.answer_lead(request.clone()).await)
                .await
                .map_err(|failure| failure.at(lead))?;
            print(*lead, &answered, context, out)?;
        }
        Ok(Exit::Done)
    })
}

fn print(
    lead: RecordId,
    answered: &pb::AnswerLeadResponse,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let (state, index) = (state_from_wire(answered.state), answered.log_index);
    match context.format() {
        Format::Json => print::json(
            out,
            &Answered {
                lead_id: lead.to_string(),
                state: state.map(LeadState::as_str),
                log_index: index,
            },
        ),
        Format::Table => {
            let lang = context.lang();
            let state = state.map_or("", |state| state.label(lang));
            match lang {
                Lang::Zh => writeln!(out, "{lead}：{state}，日志第 {index} 条")?,
                Lang::En => writeln!(out, "{lead}: {state}, entry {index} of the log")?,
            }
            Ok(())
        }
    }
}
