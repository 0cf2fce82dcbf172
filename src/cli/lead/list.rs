//! `lead list` and `lead inbox`: leads without their payloads, page by page.

use super::typed_or_stdin;
use crate::{
    cli::{
        client::Connection,
        context::{Context, block_on},
        exit::{Exit, Failure},
        print::{self, Format, plain, remark, rfc3339},
        words::{standing, state_from_wire, state_to_wire, urgency_label},
    },
    domain::{
        AssessmentOutcome, Handling, Jurisdiction, Lang, LeadState, ResidentNumber, ReturnReason,
        Urgency,
    },
    record::{self, pb},
};
use clap::Args;
use serde::Serialize;
use std::{io::Write, str::FromStr};

/// Which leads. All filters given must hold.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// 状态 / In one of these states: sent, delivered, signed_for, assessed, returned, refused.
    #[arg(long, value_name = "STATE,…", value_delimiter = ',')]
    state: Vec<LeadState>,
    /// 来自 / From this jurisdiction.
    #[arg(long, value_name = "CODE")]
    origin: Option<Jurisdiction>,
    /// 发往 / To the node of this jurisdiction.
    #[arg(long, value_name = "CODE")]
    destination: Option<Jurisdiction>,
    /// 紧急程度 / As urgent: normal, urgent or critical.
    #[arg(long)]
    urgency: Option<Urgency>,
    /// 自 / Entered in the node's log at or after: 2026-03-05, '2026-03-05 14:00', in Asia/Shanghai.
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// 之前 / Entered before.
    #[arg(long, value_name = "TIME")]
    before: Option<When>,
    /// 公民身份号码 / About this citizen number. Write - and give it on stdin: command lines are public on a machine.
    #[arg(
        long,
        value_name = "-",
        env = "YICHUAN_NUMBER",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    number: Option<String>,
    /// 从此之后 / After this index in the node's log, as the page before said.
    #[arg(long, value_name = "INDEX")]
    after: Option<u64>,
    /// 每页条数 / At most so many.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// 全部 / All pages.
    #[arg(long)]
    all: bool,
}

/// Which way leads went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Direction {
    /// 发出 / From this node.
    Sent,
    /// 收到 / To this node.
    Received,
    /// 全部 / Both ways.
    Both,
}

impl Direction {
    const fn to_wire(self) -> pb::Direction {
        match self {
            Self::Sent => pb::Direction::Sent,
            Self::Received => pb::Direction::Received,
            Self::Both => pb::Direction::Unspecified,
        }
    }
}

/// A point in time, as people in Asia/Shanghai write it, or with an offset of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct When(u64);

/// Not a point in time since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a date or time such as 2026-03-05, '2026-03-05 14:00' or 2026-03-05T14:00:00+08:00"
)]
pub(in crate::cli) struct MalformedWhen;

impl When {
    pub(in crate::cli) const fn millis(self) -> u64 {
        self.0
    }
}

impl FromStr for When {
    type Err = MalformedWhen;

    fn from_str(text: &str) -> Result<Self, MalformedWhen> {
        let offset = jiff::tz::offset(8);
        let timestamp = text
            .parse::<jiff::Timestamp>()
            .or_else(|_| {
                let civil = text.parse::<jiff::civil::DateTime>()?;
                offset.to_timestamp(civil)
            })
            .map_err(|_| MalformedWhen)?;
        u64::try_from(timestamp.as_millisecond())
            .map(Self)
            .map_err(|_| MalformedWhen)
    }
}

pub(super) fn run(
    args: &ListArgs,
    direction: Direction,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    // Before stdin is waited for.
    context.grounds()?;
    let resident_number = number(args, context.lang())?;
    block_on(async {
        let node = context.connect()?;
        let mut request = pb::ListLeadsRequest {
            grounds: node.grounds(),
            direction: direction.to_wire().into(),
            states: args
                .state
                .iter()
                .map(|s| state_to_wire(*s).into())
                .collect(),
            origin: code(args.origin),
            destination: code(args.destination),
            urgency: args.urgency.map_or(0, record::urgency_to_wire),
            since_ms: args.since.map_or(0, When::millis),
            before_ms: args.before.map_or(0, When::millis),
            resident_number,
            after_index: args.after,
            limit: args.limit,
        };
        let mut printer = Printer::new(context);
        loop {
            let page = page(&node, &request).await?;
            for lead in &page.leads {
                printer.lead(lead, out)?;
            }
            let Some(next) = page.next_after else { break };
            if request.after_index.is_some_and(|after| next <= after) {
                return Err(node.nonsense("pages that do not go on"));
            }
            if !args.all {
                remark(&match context.lang() {
                    Lang::Zh => format!("还有更多：--after {next}，或 --all"),
                    Lang::En => format!("there are more: --after {next}, or --all"),
                });
                break;
            }
            request.after_index = Some(next);
        }
        printer.finish(out)
    })?;
    Ok(Exit::Done)
}

async fn page(
    node: &Connection,
    request: &pb::ListLeadsRequest,
) -> Result<pb::ListLeadsResponse, Failure> {
    let mut desk = node.desk();
    node.call(desk.list_leads(request.clone())).await
}

fn code(jurisdiction: Option<Jurisdiction>) -> String {
    jurisdiction
        .map(|code| code.to_string())
        .unwrap_or_default()
}

fn number(args: &ListArgs, lang: Lang) -> Result<String, Failure> {
    let Some(typed) = &args.number else {
        return Ok(String::new());
    };
    let number = typed_or_stdin(typed)?;
    ResidentNumber::parse(&number).map_err(|code| {
        Failure::new(
            Exit::BadData,
            code.message(Lang::Zh),
            code.message(Lang::En),
        )
        .at("--number")
    })?;
    if typed != "-" && std::env::var_os("YICHUAN_NUMBER").is_none() {
        remark(lang.pick(
            "注意：命令行对本机所有人可见；请用 --number - 从标准输入给出号码",
            "take care: command lines are public on a machine; write --number - and give the number on stdin",
        ));
    }
    Ok(number)
}

/// A lead without its payload, as JSON.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    lead_id: &'a str,
    log_index: u64,
    time: Option<String>,
    origin: &'a str,
    destination: &'a str,
    state: Option<&'static str>,
    outcome: Option<&'static str>,
    return_reason: Option<&'static str>,
    refusal: Option<&'a str>,
    urgency: Option<&'static str>,
    handling: Option<&'static str>,
    sign_by: Option<String>,
}

impl<'a> From<&'a pb::LeadSummary> for Row<'a> {
    fn from(lead: &'a pb::LeadSummary) -> Self {
        Self {
            lead_id: &lead.lead_id,
            log_index: lead.log_index,
            time: rfc3339(lead.time_ms),
            origin: &lead.origin,
            destination: &lead.destination,
            state: state_from_wire(lead.state).map(LeadState::as_str),
            outcome: record::outcome_from_wire(lead.outcome).map(AssessmentOutcome::as_str),
            return_reason: record::return_reason_from_wire(lead.return_reason)
                .map(ReturnReason::as_str),
            refusal: Some(lead.refusal.as_str()).filter(|text| !text.is_empty()),
            urgency: record::urgency_from_wire(lead.urgency).map(Urgency::as_str),
            handling: record::handling_from_wire(lead.handling).map(Handling::as_str),
            sign_by: rfc3339(lead.sign_by_ms),
        }
    }
}

/// JSON at once, a table at the end.
struct Printer {
    format: Format,
    lang: Lang,
    table: comfy_table::Table,
    leads: usize,
}

impl Printer {
    fn new(context: &Context<'_>) -> Self {
        let lang = context.lang();
        Self {
            format: context.format(),
            lang,
            table: print::table(
                lang,
                [
                    "线索标识",
                    "时间",
                    "来自",
                    "发往",
                    "状态",
                    "紧急程度",
                    "处理限制",
                    "签收期限",
                ],
                [
                    "lead id", "time", "from", "to", "state", "urgency", "handling", "sign by",
                ],
            ),
            leads: 0,
        }
    }

    fn lead(&mut self, lead: &pb::LeadSummary, out: &mut dyn Write) -> Result<(), Failure> {
        self.leads += 1;
        if self.format == Format::Json {
            return print::json(out, &Row::from(lead));
        }
        let urgency = record::urgency_from_wire(lead.urgency);
        let handling = record::handling_from_wire(lead.handling);
        self.table.add_row([
            plain(&lead.lead_id),
            print::time(lead.time_ms),
            plain(&lead.origin),
            plain(&lead.destination),
            plain(&standing(lead, self.lang)),
            urgency
                .map_or("", |u| urgency_label(u, self.lang))
                .to_owned(),
            handling.map_or("", Handling::as_str).to_owned(),
            print::time(lead.sign_by_ms),
        ]);
        Ok(())
    }

    fn finish(self, out: &mut dyn Write) -> Result<(), Failure> {
        if self.format == Format::Json {
            return Ok(());
        }
        if self.leads > 0 {
            writeln!(out, "{}", self.table)?;
        }
        let leads = self.leads;
        match self.lang {
            Lang::Zh => writeln!(out, "共{leads}条")?,
            Lang::En => writeln!(out, "{leads} leads")?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shanghais_unless_they_say_otherwise() {
        let midnight = Ok(When(1_772_640_000_000));
        for text in [
            "2026-03-05",
            "2026-03-05 00:00",
            "2026-03-05T00:00:00",
            "2026-03-05T00:00:00+08:00",
            "2026-03-04T16:00:00Z",
        ] {
            assert_eq!(text.parse::<When>(), midnight, "{text}");
        }
        for bad in ["", "yesterday", "2026-02-30", "1969-12-31"] {
            assert_eq!(bad.parse::<When>(), Err(MalformedWhen), "{bad}");
        }
    }
}
