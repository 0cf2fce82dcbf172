//! `referral list`: referrals without their payloads, page by page.

use super::summary::{Row, StateArg, due, kind_label, kind_to_wire, standing};
use crate::{
    cli::{
        args::{self, Direction, NumberArgs, OverrideArgs, When},
        context::{Context, block_on},
        exit::{Exit, Failure},
        labels::{Sent, refused},
        listing::{Listing, PageArgs},
        print::{self, plain},
    },
    domain::{Handling, Jurisdiction, Locality, Urgency, referral::ReferralKind},
    entry::{self, pb},
};
use clap::Args;
use std::io::Write;

/// Which referrals. All filters given must hold. With several `-`, stdin has a line for the number, then one for the
/// name.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// 方向 / Which way they went.
    #[arg(long, value_enum, default_value = "both")]
    direction: Direction,
    /// 状态 / In one of these states: drafted, sent, delivered, signed_for, supplement_requested, returned, accepted,
    /// in_progress, feedback_given, confirmed, disputed, closed, recalled, forwarded, refused.
    #[arg(long, value_name = "STATE,…", value_delimiter = ',')]
    state: Vec<StateArg>,
    /// 种类 / assistance or transfer.
    #[arg(long)]
    kind: Option<ReferralKind>,
    /// 对方 / With this jurisdiction, whichever way.
    #[arg(long, value_name = "CODE")]
    counterpart: Option<Jurisdiction>,
    /// 紧急程度 / As urgent: normal, urgent or critical.
    #[arg(long)]
    urgency: Option<Urgency>,
    /// 自 / Entered in the node's log at or after: 2026-03-05, '2026-03-05 14:00', in Asia/Shanghai.
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// 之前 / Entered before.
    #[arg(long, value_name = "TIME")]
    before: Option<When>,
    /// 到期 / Something is due before this time.
    #[arg(long, value_name = "TIME")]
    due_before: Option<When>,
    #[command(flatten)]
    number: NumberArgs,
    /// 姓名 / About a person of this name. Write - and give it on stdin, on the line after the number's.
    #[arg(long, value_name = "-", allow_hyphen_values = true)]
    name: Option<String>,
    /// 指向地代码 / About this place, exactly.
    #[arg(long, value_name = "CODE")]
    place: Option<Locality>,
    /// 毒品种类 / About this substance, exactly.
    #[arg(long, value_name = "TEXT")]
    substance: Option<String>,
    #[command(flatten)]
    over: OverrideArgs,
    #[command(flatten)]
    page: PageArgs,
}

impl ListArgs {
    fn request(&self, context: &Context<'_>) -> Result<pb::ListReferralsRequest, Failure> {
        // Before stdin is waited for.
        context.grounds()?;
        let lang = context.lang();
        let millis = |when: Option<When>| when.map_or(0, When::millis);
        Ok(pb::ListReferralsRequest {
            grounds: None,
            direction: self.direction.to_wire().into(),
            states: self.state.iter().map(|state| state.to_wire()).collect(),
            kind: self.kind.map_or(0, |kind| kind_to_wire(kind).into()),
            counterpart: self.counterpart.map(|c| c.to_string()).unwrap_or_default(),
            urgency: self.urgency.map_or(0, entry::urgency_to_wire),
            since_ms: millis(self.since),
            before_ms: millis(self.before),
            due_before_ms: millis(self.due_before),
            // In the order in which they stand on stdin.
            subject_number: self.number.value(lang)?,
            subject_name: match &self.name {
                Some(typed) => args::line("--name", typed, lang)?,
                None => String::new(),
            },
            place_code: self.place.as_ref().map_or("", Locality::as_str).to_owned(),
            substance: self.substance.clone().unwrap_or_default(),
            after_index: self.page.after,
            limit: self.page.limit(),
            override_assignment: self.over.assignment,
        })
    }
}

pub(super) fn run(
    args: &ListArgs,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut request = args.request(context)?;
    block_on(async {
        let node = context.connect()?;
        request.grounds = node.grounds();
        let mut listing = listing(context);
        let mut client = node.referrals();
        loop {
            let page = node
                .patient(async || client.list_referrals(request.clone()).await)
                .await?;
            for referral in &page.referrals {
                print_one(referral, &mut listing, out)?;
            }
            let (asked, lang) = (request.after_index, context.lang());
            request.after_index = args.page.next(asked, page.next_after, &node, lang)?;
            if request.after_index.is_none() {
                break;
            }
        }
        listing.finish("referrals", out)
    })?;
    Ok(Exit::Done)
}

fn listing(context: &Context<'_>) -> Listing {
    Listing::new(
        context,
        [
            "协查标识",
            "时间",
            "种类",
            "来自",
            "发往",
            "状态",
            "紧急程度",
            "处理限制",
            "期限",
            "指派",
        ],
        [
            "referral id",
            "time",
            "kind",
            "from",
            "to",
            "state",
            "urgency",
            "handling",
            "due",
            "assigned to",
        ],
    )
}

fn print_one(
    referral: &pb::ReferralSummary,
    listing: &mut Listing,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let cells = |lang| {
        let urgency = entry::urgency_from_wire(referral.urgency);
        let handling = entry::handling_from_wire(referral.handling);
        [
            plain(&referral.referral_id),
            print::time(referral.time_ms),
            kind_label(referral.kind, lang).to_owned(),
            plain(&referral.origin),
            plain(&referral.destination),
            standing(referral, lang),
            urgency.map_or("", |u| u.label(lang)).to_owned(),
            handling.map_or("", Handling::as_str).to_owned(),
            due(referral),
            plain(&referral.assigned_to),
        ]
    };
    let lang = listing.lang();
    if let Some(refused) = refused(&referral.refusal, Sent::Referral, lang) {
        listing.note(refused);
    }
    listing.row(&Row::of(referral, lang), cells, out)
}
