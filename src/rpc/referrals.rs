//! The `Referrals` service.

use super::{
    convert::{self, WireDefect},
    pb, status,
};
use crate::{
    access::{self, Assignee, Permit},
    api::authorizer::Authorizer,
    desk::{
        About, ActionTaken, Change, Desk, Detail, EventDetail, NewAction, NewReferral, Query,
        RecordRow,
    },
    domain::{Action, Family, RecordId, RecordKind, Side, Standing, State, Timestamp},
    entry::{self, Content, DispatchAction},
};
use futures_util::{Stream, stream};
use std::{collections::VecDeque, pin::Pin};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

/// Changes read at once for somebody who follows.
const WATCH_CHUNK: usize = 256;

#[derive(Clone, Debug)]
pub(super) struct ReferralsService {
    pub(super) authorizer: Authorizer,
    pub(super) desk: Desk,
    pub(super) stop: CancellationToken,
}

type WatchStream = Pin<Box<dyn Stream<Item = Result<pb::WatchReferralsResponse, Status>> + Send>>;

/// Somebody who follows.
struct Watching {
    authorizer: Authorizer,
    desk: Desk,
    permit: Permit<access::ListReferrals>,
    after: Option<u64>,
    ready: VecDeque<Change>,
    published: tokio::sync::watch::Receiver<std::sync::Arc<crate::note::SignedCheckpoint>>,
    stop: CancellationToken,
}

impl Watching {
    /// The next change; nothing when the node stops.
    async fn next(mut self) -> Result<Option<(pb::WatchReferralsResponse, Self)>, Status> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                let message = pb::WatchReferralsResponse {
                    log_index: change.index,
                    referral: Some(summary(
                        change.record,
                        &change.listed.row,
                        change.listed.assigned.as_ref(),
                    )),
                };
                return Ok(Some((message, self)));
            }
            // Marked before reading, so that nothing is missed in between.
            let size = self.published.borrow_and_update().size();
            // What somebody may see changes while they follow.
            self.permit = self.authorizer.again(&self.permit, access::ListReferrals)?;
            let reading = self.authorizer.reading(&self.permit, WATCH_CHUNK)?;
            let looking = self
                .authorizer
                .metered(self.permit.principal())
                .look()
                .await?;
            let (seen, trace) = self
                .desk
                .changes(&self.permit, self.after, WATCH_CHUNK)
                .await
                .map_err(|error| status::desk(&error))?;
            looking.looked_at(0);
            reading.cost(trace.map_or(0, |trace| trace.bytes));
            if seen.looked_to.is_some() {
                self.after = seen.looked_to;
                self.ready.extend(seen.changes);
                continue;
            }
            self.after = self.after.max(size.checked_sub(1));
            tokio::select! {
                changed = self.published.changed() => if changed.is_err() { return Ok(None) },
                () = self.stop.cancelled() => return Ok(None),
            }
        }
    }
}

#[tonic::async_trait]
impl pb::referrals_server::Referrals for ReferralsService {
    type WatchReferralsStream = WatchStream;

    async fn open_referral(
        &self,
        request: Request<pb::OpenReferralRequest>,
    ) -> Result<Response<pb::ReferralAnswer>, Status> {
        let (_, extensions, request) = request.into_parts();
        let permit =
            self.authorizer
                .permit(&extensions, request.grounds.clone(), access::OpenReferral)?;
        self.authorizer.acting(&permit, &request)?;
        let taken = self
            .desk
            .open_referral(&permit, new_referral(request)?)
            .await;
        taken.map(answer).map_err(|refused| status::act(&refused))
    }

    async fn approve_referral(
        &self,
        request: Request<pb::ApproveReferralRequest>,
    ) -> Result<Response<pb::ReferralAnswer>, Status> {
        let (_, extensions, request) = request.into_parts();
        let permit = self.authorizer.permit(
            &extensions,
            request.grounds.clone(),
            access::ApproveReferral,
        )?;
        self.authorizer.acting(&permit, &request)?;
        let record = referral_id(&request.referral_id)?;
        let taken = self.desk.approve_referral(&permit, record).await;
        taken.map(answer).map_err(|refused| status::act(&refused))
    }

    async fn act_on_referral(
        &self,
        request: Request<pb::ActOnReferralRequest>,
    ) -> Result<Response<pb::ReferralAnswer>, Status> {
        let (_, extensions, request) = request.into_parts();
        let permit = self
            .authorizer
            .permit(&extensions, request.grounds.clone(), access::ActOnReferral)?
            .overriding(request.override_assignment);
        self.authorizer.acting(&permit, &request)?;
        let record = referral_id(&request.referral_id)?;
        let taken = self.desk.act(&permit, record, new_action(request)?).await;
        taken.map(answer).map_err(|refused| status::act(&refused))
    }

    async fn list_referrals(
        &self,
        request: Request<pb::ListReferralsRequest>,
    ) -> Result<Response<pb::ListReferralsResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let permit = self
            .authorizer
            .permit(&extensions, request.grounds.clone(), access::ListReferrals)?
            .overriding(request.override_assignment);
        let query = query(&request)?;
        let asked = query.about.asked();
        let searching = self.authorizer.search(&permit, asked.as_deref()).await?;
        let reading = self.authorizer.reading(&permit, query.limit)?;
        let looking = self.authorizer.look(&permit, query.limit).await?;
        let listed = self.desk.list(&permit, query).await;
        let (page, trace) = listed.map_err(|e| status::desk(&e))?.into_inner();
        let consulted_index = reading.left(trace);
        looking.page(page.looked, asked.is_some());
        searching.found(!page.records.is_empty());
        Ok(Response::new(pb::ListReferralsResponse {
            referrals: page
                .records
                .iter()
                .map(|(id, listed)| summary(*id, &listed.row, listed.assigned.as_ref()))
                .collect(),
            next_after: page.next_after,
            consulted_index,
        }))
    }

    async fn show_referral(
        &self,
        request: Request<pb::ShowReferralRequest>,
    ) -> Result<Response<pb::ShowReferralResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let record = referral_id(&request.referral_id)?;
        let (read, reading) = if request.standing_only {
            let permit =
                self.authorizer
                    .permit(&extensions, request.grounds, access::ListReferrals)?;
            let reading = self.authorizer.reading(&permit, 1)?;
            (self.desk.standing(&permit, record).await, reading)
        } else {
            let permit = self
                .authorizer
                .permit(&extensions, request.grounds, access::ReadReferral)?
                .overriding(request.override_assignment);
            let reading = self.authorizer.reading(&permit, 1)?;
            (self.desk.open(&permit, record).await, reading)
        };
        let (detail, trace) = read.map_err(|e| status::desk(&e))?.into_inner();
        let consulted_index = reading.left(trace);
        Ok(Response::new(shown(record, detail, consulted_index)))
    }

    async fn watch_referrals(
        &self,
        request: Request<pb::WatchReferralsRequest>,
    ) -> Result<Response<WatchStream>, Status> {
        let (_, extensions, request) = request.into_parts();
        let (permit, lease) =
            self.authorizer
                .permit_stream(&extensions, request.grounds, access::ListReferrals)?;
        let published = self.desk.follow();
        let now = published.borrow().size().checked_sub(1);
        let watching = Watching {
            authorizer: self.authorizer.clone(),
            desk: self.desk.clone(),
            permit,
            after: request.after_index.or(now),
            ready: VecDeque::new(),
            published,
            stop: self.stop.clone(),
        };
        let changes = stream::try_unfold(watching, Watching::next);
        Ok(Response::new(lease.over(changes)))
    }
}

pub(super) fn new_referral(request: pb::OpenReferralRequest) -> Result<NewReferral, WireDefect> {
    Ok(NewReferral {
        kind: convert::stated(request.kind, kind_from_wire, "kind")?
            .ok_or(WireDefect::Missing("kind"))?,
        to: convert::jurisdiction(&request.to, "to")?,
        fields: entry::referral_from_wire(request.referral.ok_or(WireDefect::Missing("referral"))?),
        urgency: entry::urgency_from_wire(request.urgency).ok_or(WireDefect::Missing("urgency"))?,
        handling: entry::handling_from_wire(request.handling)
            .ok_or(WireDefect::Missing("handling"))?,
    })
}

pub(super) fn new_action(request: pb::ActOnReferralRequest) -> Result<NewAction, WireDefect> {
    let action = DispatchAction::from_wire(request.action)
        .filter(|action| action.family() == Family::Referral && action.opens().is_none())
        .ok_or(WireDefect::Malformed("action"))?;
    let reason = request.return_reason;
    Ok(NewAction {
        action: action.action(),
        outcome: None,
        return_reason: convert::stated(reason, entry::return_reason_from_wire, "return_reason")?,
        note: request.note,
        fields: request.referral.map(entry::referral_from_wire),
    })
}

pub(super) fn referral_id(text: &str) -> Result<RecordId, WireDefect> {
    convert::id(text, "referral_id")
}

fn answer(taken: ActionTaken) -> Response<pb::ReferralAnswer> {
    Response::new(pb::ReferralAnswer {
        referral_id: taken.record.to_string(),
        log_index: taken.index,
        state: state_to_wire(taken.state),
    })
}

const fn kind_to_wire(kind: RecordKind) -> i32 {
    let wire = match kind {
        RecordKind::Assistance => pb::ReferralKind::Assistance,
        RecordKind::Transfer => pb::ReferralKind::Transfer,
        // No referrals.
        RecordKind::Lead | RecordKind::ArrestNotice => pb::ReferralKind::Unspecified,
    };
    wire as i32
}

fn kind_from_wire(value: i32) -> Option<RecordKind> {
    Family::Referral
        .kinds()
        .find(|kind| kind_to_wire(*kind) == value)
}

const fn state_to_wire(state: State) -> i32 {
    let wire = match state {
        State::Sent => pb::ReferralState::Sent,
        State::Refused => pb::ReferralState::Refused,
        State::Drafted => pb::ReferralState::Drafted,
        State::Delivered => pb::ReferralState::Delivered,
        State::SignedFor => pb::ReferralState::SignedFor,
        State::SupplementRequested => pb::ReferralState::SupplementRequested,
        State::Returned => pb::ReferralState::Returned,
        State::Forwarded => pb::ReferralState::Forwarded,
        State::Accepted => pb::ReferralState::Accepted,
        State::InProgress => pb::ReferralState::InProgress,
        State::FeedbackGiven => pb::ReferralState::FeedbackGiven,
        State::Confirmed => pb::ReferralState::Confirmed,
        State::Disputed => pb::ReferralState::Disputed,
        State::Closed => pb::ReferralState::Closed,
        State::Recalled => pb::ReferralState::Recalled,
        // No referral is seen so.
        State::Approved | State::Assessed => pb::ReferralState::Unspecified,
    };
    wire as i32
}

pub(super) fn query(request: &pb::ListReferralsRequest) -> Result<Query, WireDefect> {
    Ok(Query {
        direction: convert::direction(request.direction)?,
        states: convert::states(Family::Referral, &request.states, state_to_wire)?,
        kind: convert::stated(request.kind, kind_from_wire, "kind")?,
        counterpart: convert::optional(&request.counterpart, "counterpart")?,
        urgency: convert::stated(request.urgency, entry::urgency_from_wire, "urgency")?,
        since: convert::time(request.since_ms),
        before: convert::time(request.before_ms),
        due_before: convert::time(request.due_before_ms),
        about: About::default()
            .text("number", &request.subject_number)
            .text("name", &request.subject_name)
            .text("place", &request.place_code)
            .text("substance", &request.substance),
        after_index: request.after_index,
        limit: convert::limit(request.limit)?,
        ..Query::default()
    })
}

fn summary(record: RecordId, row: &RecordRow, assigned: Option<&Assignee>) -> pb::ReferralSummary {
    let due = row.due();
    pb::ReferralSummary {
        referral_id: record.to_string(),
        log_index: row.index,
        time_ms: row.time_ms,
        kind: kind_to_wire(row.kind),
        origin: row.from.to_string(),
        destination: row.to.to_string(),
        state: state_to_wire(row.state()),
        urgency: entry::urgency_to_wire(row.urgency),
        handling: entry::handling_to_wire(row.handling),
        return_reason: row.return_reason.map_or(0, entry::return_reason_to_wire),
        refusal: row.refusal.clone().unwrap_or_default(),
        due_ms: due.map_or(0, |(due, _)| due.millis()),
        obliged: due
            .map(|(_, side): (_, Side)| row.party(side).to_string())
            .unwrap_or_default(),
        assigned_to: convert::assigned_to(assigned),
    }
}

fn shown(record: RecordId, detail: Detail, consulted_index: u64) -> pb::ShowReferralResponse {
    let allowed = detail.allowed.into_iter();
    pb::ShowReferralResponse {
        summary: Some(summary(record, &detail.row, detail.assigned.as_ref())),
        referral: match &detail.content {
            Some(Content::Referral(referral)) => Some(entry::referral_to_wire(referral)),
            Some(_) | None => None,
        },
        events: detail.events.into_iter().map(event).collect(),
        // What stays at its node is no action that can be asked for.
        allowed: allowed
            .filter_map(|action: Action| DispatchAction::act(Family::Referral, action))
            .map(DispatchAction::to_wire)
            .collect(),
        consulted_index,
        notice_due_ms: detail.notice_due.map_or(0, Timestamp::millis),
    }
}

fn event(event: EventDetail) -> pb::ReferralEvent {
    pb::ReferralEvent {
        log_index: event.index,
        time_ms: event.time.millis(),
        action: event.action.to_wire(),
        principal: event.principal,
        superseded: event.standing == Standing::Superseded,
        waiting: event.standing == Standing::Waiting,
        note: match event.said {
            Some(Content::ReferralNote(note)) => note.0,
            Some(_) | None => String::new(),
        },
        return_reason: event.return_reason.map_or(0, entry::return_reason_to_wire),
        receipt: event.receipt.map(convert::receipt),
    }
}
