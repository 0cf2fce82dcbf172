//! Calls to a node about arrest notices.

use super::wire::{columns, receipt};
use crate::{
    cli::{
        args::LookArgs,
        client::Connection,
        exit::Failure,
        record::{
            kind::Kind,
            row::{Opened, Page, Query, Row, Term},
            sheet::submission::{Judged, Rules, SheetKind, Source, Take},
        },
    },
    domain::{CaughtColumn, CaughtRules, CaughtState, Jurisdiction, ParsedNotice, RecordId},
    entry::{self, pb},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

pub(super) async fn list(node: &Connection, query: Query) -> Result<Page, Failure> {
    let request = pb::ListCaughtRequest {
        grounds: node.grounds(),
        direction: query.direction.map_or(0, |way| way.to_wire().into()),
        states: query.states,
        counterpart: query.counterpart,
        since_ms: query.since_ms,
        before_ms: query.before_ms,
        resident_number: query.number,
        name: query.name,
        after_index: query.after,
        limit: query.limit,
    };
    let page = node
        .patient(async || node.caught().list_caught(request.clone()).await)
        .await?;
    Ok(Page {
        rows: page.notices.into_iter().map(row).collect(),
        next: page.next_after,
    })
}

fn row(notice: pb::CaughtSummary) -> Row {
    Row {
        id: notice.caught_id,
        log_index: notice.log_index,
        time_ms: notice.time_ms,
        origin: notice.origin,
        destination: notice.destination,
        state: state(notice.state),
        refusal: notice.refusal,
        ..Row::default()
    }
}

fn state(value: i32) -> Option<Term> {
    let mut all = CaughtState::ALL.iter().copied();
    let state = all.find(|state| state_to_wire(*state) == value)?;
    Some(Term::of(state, CaughtState::label))
}

pub(in crate::cli) const fn state_to_wire(state: CaughtState) -> i32 {
    let wire = match state {
        CaughtState::Sent => pb::CaughtState::Sent,
        CaughtState::Delivered => pb::CaughtState::Delivered,
        CaughtState::Refused => pb::CaughtState::Refused,
    };
    wire as i32
}

pub(super) async fn show(
    node: &Connection,
    notice: RecordId,
    look: LookArgs,
) -> Result<Option<Opened>, Failure> {
    let request = pb::ShowCaughtRequest {
        grounds: node.grounds(),
        caught_id: notice.to_string(),
        standing_only: look.standing,
    };
    let shown = node
        .patient(async || node.caught().show_caught(request.clone()).await)
        .await?;
    let content = shown.notice.map(entry::caught_from_wire);
    Ok(shown.summary.map(|summary| Opened {
        row: Row {
            sender: shown.principal,
            receipt: shown.receipt.map(receipt),
            ..row(summary)
        },
        content: content.map(columns::<CaughtColumn>),
        events: None,
        allowed: None,
        advice: None,
        consulted_index: shown.consulted_index,
    }))
}

impl SheetKind for CaughtColumn {
    type Parsed = ParsedNotice;
    type Request = pb::PushCaughtRequest;
    type Response = pb::PushCaughtResponse;

    const KIND: Kind = Kind::ArrestNotice;
    const AGAIN: [&'static str; 2] = ["重新发送即可", "push again"];

    fn check(source: Source<Self>, rules: &Rules, take: Take<'_, Self>) {
        let rules = CaughtRules {
            own: rules.own,
            partners: &rules.partners,
            today: rules.today,
        };
        source.check(&rules, take);
    }

    fn route(parsed: &ParsedNotice) -> Jurisdiction {
        parsed.route
    }

    fn request(grounds: Option<pb::Grounds>, row: u64, parsed: &ParsedNotice) -> Self::Request {
        pb::PushCaughtRequest {
            grounds,
            row,
            notice: Some(entry::caught_to_wire(&parsed.notice.to_fields())),
        }
    }

    async fn push(
        node: &Connection,
        requests: ReceiverStream<Self::Request>,
    ) -> Result<Streaming<Self::Response>, Failure> {
        node.call(node.caught().push_caught(requests)).await
    }

    fn judged(answer: Self::Response) -> Option<Judged> {
        Some(Judged {
            log_index: answer.log_index,
            reasons: answer.reasons,
            refusal: answer.refusal,
            ..Judged::of(answer.row, answer.verdict, &answer.caught_id)?
        })
    }
}
