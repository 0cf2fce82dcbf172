//! Steps in the life of a record, as they were taken.

use super::row::{Answer, Step, Term};
use crate::{
    cli::{
        args::{self, StepArgs},
        context::Context,
        exit::Failure,
        print::{self, Format, plain},
    },
    domain::{Action, Family, Lang},
};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Answered<'a> {
    #[serde(flatten)]
    id: BTreeMap<&'static str, &'a str>,
    state: Option<Term>,
    log_index: u64,
}

impl Step {
    /// A step that is said in a note.
    pub(in crate::cli) fn noted(
        action: Action,
        args: &StepArgs,
        context: &Context<'_>,
    ) -> Result<Self, Failure> {
        // Before stdin is waited for.
        context.grounds()?;
        Ok(Self {
            action,
            outcome: None,
            reason: None,
            note: args::text(&args.note.note)?,
            restated: None,
            overriding: args.over.assignment,
        })
    }
}

/// Says where a record stands after a step, and which entry of the log says so.
pub(in crate::cli) fn print(
    family: Family,
    answer: &Answer,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let (state, log_index) = (answer.state, answer.log_index);
    if context.format() == Format::Json {
        let id = BTreeMap::from([(family.id_key(), answer.id.as_str())]);
        return print::json(
            context.out,
            &Answered {
                id,
                state,
                log_index,
            },
        );
    }
    let id = plain(&answer.id);
    let state = state.map_or("", |state| state.label(context.lang()));
    match context.lang() {
        Lang::Zh => writeln!(context.out, "{id}：{state}，日志第 {log_index} 条")?,
        Lang::En => writeln!(context.out, "{id}: {state}, entry {log_index} of the log")?,
    }
    Ok(())
}
