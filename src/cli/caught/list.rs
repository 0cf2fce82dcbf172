//! `caught list`: notices without their payloads, page by page.

use crate::{
    cli::{
        args::{self, Direction, NumberArgs, When},
        context::{Context, block_on},
        exit::{Exit, Failure},
        labels::{Sent, refusal_label, refused},
        listing::{Listing, PageArgs},
        print::{self, plain, rfc3339},
    },
    domain::{CaughtState, Jurisdiction, Lang},
    entry::pb,
};
use clap::Args;
use serde::Serialize;
use std::io::Write;

/// Which notices. All filters given must hold. With several `-`, stdin has a line for the number, then one for the name.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// 方向 / Which way they went.
    #[arg(long, value_enum, default_value = "both")]
    direction: Direction,
    /// 状态 / In one of these states: sent, delivered, refused.
    #[arg(long, value_name = "STATE,…", value_delimiter = ',')]
    state: Vec<CaughtState>,
    /// 对方 / With this jurisdiction, whichever way.
    #[arg(long, value_name = "CODE")]
    counterpart: Option<Jurisdiction>,
    /// 自 / Entered in the node's log at or after: 2026-03-05, '2026-03-05 14:00', in Asia/Shanghai.
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// 之前 / Entered before.
    #[arg(long, value_name = "TIME")]
    before: Option<When>,
    #[command(flatten)]
    number: NumberArgs,
    /// 姓名 / About a person of this name. Write - and give it on stdin, on the line after the number's.
    #[arg(long, value_name = "-", allow_hyphen_values = true)]
    name: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

pub(super) fn run(
    args: &ListArgs,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    // Before stdin is waited for.
    context.grounds()?;
    let lang = context.lang();
    let mut request = pb::ListCaughtRequest {
        grounds: None,
        direction: args.direction.to_wire().into(),
        states: args
            .state
            .iter()
            .map(|s| state_to_wire(*s).into())
            .collect(),
        counterpart: args
            .counterpart
            .map(|code| code.to_string())
            .unwrap_or_default(),
        since_ms: args.since.map_or(0, When::millis),
        before_ms: args.before.map_or(0, When::millis),
        resident_number: args.number.value(lang)?,
        name: match &args.name {
            Some(typed) => args::line("--name", typed, lang)?,
            None => String::new(),
        },
        after_index: args.page.after,
        limit: args.page.limit(),
    };
    block_on(async {
        let node = context.connect()?;
        request.grounds = node.grounds();
        let mut listing = Listing::new(
            context,
            ["通报标识", "时间", "来自", "发往", "状态"],
            ["caught id", "time", "from", "to", "state"],
        );
        let mut client = node.caught();
        loop {
            let page = node
                .patient(async || client.list_caught(request.clone()).await)
                .await?;
            for notice in &page.notices {
                let cells = |lang| {
                    [
                        plain(&notice.caught_id),
                        print::time(notice.time_ms),
                        plain(&notice.origin),
                        plain(&notice.destination),
                        standing(notice, lang),
                    ]
                };
                if let Some(refused) = refused(&notice.refusal, Sent::Row, lang) {
                    listing.note(refused);
                }
                listing.row(&Row::of(notice, lang), cells, out)?;
            }
            let asked = request.after_index;
            request.after_index = args.page.next(asked, page.next_after, &node, lang)?;
            if request.after_index.is_none() {
                break;
            }
        }
        listing.finish("notices", out)
    })?;
    Ok(Exit::Done)
}

/// A notice without its payload, as JSON.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    caught_id: &'a str,
    log_index: u64,
    time: Option<String>,
    origin: &'a str,
    destination: &'a str,
    state: Option<&'static str>,
    refusal: Option<&'a str>,
    /// The refusal in words, and what to do.
    refused: Option<String>,
}

impl<'a> Row<'a> {
    pub(super) fn of(notice: &'a pb::CaughtSummary, lang: Lang) -> Self {
        Self {
            caught_id: &notice.caught_id,
            log_index: notice.log_index,
            time: rfc3339(notice.time_ms),
            origin: &notice.origin,
            destination: &notice.destination,
            state: state_from_wire(notice.state).map(CaughtState::as_str),
            refusal: Some(notice.refusal.as_str()).filter(|text| !text.is_empty()),
            refused: refused(&notice.refusal, Sent::Row, lang),
        }
    }
}

const fn state_to_wire(state: CaughtState) -> pb::CaughtState {
    match state {
        CaughtState::Sent => pb::CaughtState::Sent,
        CaughtState::Delivered => pb::CaughtState::Delivered,
        CaughtState::Refused => pb::CaughtState::Refused,
    }
}

fn state_from_wire(value: i32) -> Option<CaughtState> {
    let wire = pb::CaughtState::try_from(value).ok()?;
    let mut all = CaughtState::ALL.iter().copied();
    all.find(|state| state_to_wire(*state) == wire)
}

/// A notice's state, with why it was refused.
pub(super) fn standing(notice: &pb::CaughtSummary, lang: Lang) -> String {
    let label = match (state_from_wire(notice.state), lang) {
        (Some(state), Lang::En) => state.as_str(),
        (Some(CaughtState::Sent), Lang::Zh) => "已发",
        (Some(CaughtState::Delivered), Lang::Zh) => "已送达",
        (Some(CaughtState::Refused), Lang::Zh) => "对方节点拒收",
        (None, lang) => lang.pick("未知", "unknown"),
    };
    match (plain(refusal_label(&notice.refusal, lang)), lang) {
        (refusal, _) if refusal.is_empty() => label.to_owned(),
        (refusal, Lang::Zh) => format!("{label}（{refusal}）"),
        (refusal, Lang::En) => format!("{label} ({refusal})"),
    }
}
