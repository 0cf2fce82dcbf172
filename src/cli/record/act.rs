//! Steps in the life of a record, as they were taken.

use super::{
    kind::Kind,
    row::{Answer, Term},
};
use crate::{
    cli::{
        context::Context,
        exit::Failure,
        print::{self, Format, plain},
    },
    domain::Lang,
};
use serde::Serialize;
use std::{collections::BTreeMap, io::Write};

#[derive(Serialize)]
struct Answered<'a> {
    #[serde(flatten)]
    id: BTreeMap<&'static str, &'a str>,
    state: Option<Term>,
    log_index: u64,
}

/// Says where a record stands after a step, and which entry of the log says so.
pub(in crate::cli) fn print(
    kind: Kind,
    answer: &Answer,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let (state, log_index) = (answer.state, answer.log_index);
    if context.format() == Format::Json {
        let id = BTreeMap::from([(kind.id_key(), answer.id.as_str())]);
        return print::json(
            out,
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
        Lang::Zh => writeln!(out, "{id}：{state}，日志第 {log_index} 条")?,
        Lang::En => writeln!(out, "{id}: {state}, entry {log_index} of the log")?,
    }
    Ok(())
}
