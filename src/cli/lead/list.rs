//! `lead list` and `lead inbox`: leads without their payloads, page by page.

use crate::{
    cli::{
        args::{Direction, NumberArgs, OverrideArgs, When},
        client::Connection,
        context::{Context, block_on},
        exit::{Exit, Failure},
        labels::{Sent, refused, standing, state_from_wire, state_to_wire},
        listing::{Listing, PageArgs},
        print::{self, plain, rfc3339},
    },
    domain::{AssessmentOutcome, Handling, Jurisdiction, Lang, LeadState, ReturnReason, Urgency},
    entry::{self, pb},
};
use clap::Args;
use serde::Serialize;
use std::io::Write;

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
    #[command(flatten)]
    number: NumberArgs,
    #[command(flatten)]
    over: OverrideArgs,
    #[command(flatten)]
    page: PageArgs,
}

pub(super) fn run(
    args: &ListArgs,
    direction: Direction,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    // Before stdin is waited for.
    context.grounds()?;
    let resident_number = args.number.value(context.lang())?;
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
            urgency: args.urgency.map_or(0, entry::urgency_to_wire),
            since_ms: args.since.map_or(0, When::millis),
            before_ms: args.before.map_or(0, When::millis),
            resident_number,
            after_index: args.page.after,
            limit: args.page.limit(),
            override_assignment: args.over.assignment,
        };
        let mut listing = listing(context);
        loop {
            let page = page(&node, &request).await?;
            for lead in &page.leads {
                print_lead(lead, &mut listing, out)?;
            }
            let (asked, lang) = (request.after_index, context.lang());
            request.after_index = args.page.next(asked, page.next_after, &node, lang)?;
            if request.after_index.is_none() {
                break;
            }
        }
        listing.finish("leads", out)
    })?;
    Ok(Exit::Done)
}

async fn page(
    node: &Connection,
    request: &pb::ListLeadsRequest,
) -> Result<pb::ListLeadsResponse, Failure> {
    let mut desk = node.desk();
    node.patient(async || desk.list_leads(request.clone()).await)
        .await
}

fn code(jurisdiction: Option<Jurisdiction>) -> String {
    jurisdiction
        .map(|code| code.to_string())
        .unwrap_or_default()
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
    /// The refusal in words, and what to do.
    refused: Option<String>,
    /// As the sheet has it; of refused leads.
    number: Option<&'a str>,
    put_off: Option<&'a str>,
    urgency: Option<&'static str>,
    handling: Option<&'static str>,
    sign_by: Option<String>,
    assigned_to: Option<&'a str>,
}

impl<'a> Row<'a> {
    pub(super) fn of(lead: &'a pb::LeadSummary, lang: Lang) -> Self {
        Self {
            lead_id: &lead.lead_id,
            log_index: lead.log_index,
            time: rfc3339(lead.time_ms),
            origin: &lead.origin,
            destination: &lead.destination,
            state: state_from_wire(lead.state).map(LeadState::as_str),
            outcome: entry::outcome_from_wire(lead.outcome).map(AssessmentOutcome::as_str),
            return_reason: entry::return_reason_from_wire(lead.return_reason)
                .map(ReturnReason::as_str),
            refusal: Some(lead.refusal.as_str()).filter(|text| !text.is_empty()),
            refused: refused(&lead.refusal, Sent::Row, lang),
            number: Some(lead.number.as_str()).filter(|text| !text.is_empty()),
            put_off: Some(lead.put_off.as_str()).filter(|text| !text.is_empty()),
            urgency: entry::urgency_from_wire(lead.urgency).map(Urgency::as_str),
            handling: entry::handling_from_wire(lead.handling).map(Handling::as_str),
            sign_by: rfc3339(lead.sign_by_ms),
            assigned_to: Some(lead.assigned_to.as_str()).filter(|text| !text.is_empty()),
        }
    }
}

fn listing(context: &Context<'_>) -> Listing {
    Listing::new(
        context,
        [
            "线索标识",
            "时间",
            "来自",
            "发往",
            "状态",
            "紧急程度",
            "处理限制",
            "签收期限",
            "指派",
        ],
        [
            "lead id",
            "time",
            "from",
            "to",
            "state",
            "urgency",
            "handling",
            "sign by",
            "assigned to",
        ],
    )
}

/// Where it stands; of a refused lead also the number by which its row is found in the sheet.
fn found_by(lead: &pb::LeadSummary, lang: Lang) -> String {
    let (standing, number) = (standing(lead, lang), &lead.number);
    match (number.is_empty(), lang) {
        (true, _) => standing,
        (false, Lang::Zh) => format!("{standing}，编号 {number}"),
        (false, Lang::En) => format!("{standing}, number {number}"),
    }
}

fn print_lead(
    lead: &pb::LeadSummary,
    listing: &mut Listing,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let cells = |lang| {
        let urgency = entry::urgency_from_wire(lead.urgency);
        let handling = entry::handling_from_wire(lead.handling);
        [
            plain(&lead.lead_id),
            print::time(lead.time_ms),
            plain(&lead.origin),
            plain(&lead.destination),
            plain(&found_by(lead, lang)),
            urgency.map_or("", |u| u.label(lang)).to_owned(),
            handling.map_or("", Handling::as_str).to_owned(),
            print::time(lead.sign_by_ms),
            plain(&lead.assigned_to),
        ]
    };
    if let Some(refused) = refused(&lead.refusal, Sent::Row, listing.lang()) {
        listing.note(refused);
    }
    listing.row(&Row::of(lead, listing.lang()), cells, out)
}
