//! The `Records` service: what officers do with records of any kind.

use super::{
    caller::said,
    convert::WireDefect,
    pb,
    push::{self, Sheet, Verdicts},
    record_messages::{family, shown, summary},
    watch::{WatchStream, Watching},
};
use crate::{
    access,
    api::authorizer::Authorizer,
    casework::{ActRefused, ActionTaken, Casework, NewReferral, Query},
    domain::Family,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Request, Response, Status, Streaming};

#[derive(Clone, Debug)]
pub(super) struct RecordsService {
    pub(super) authorizer: Authorizer,
    pub(super) casework: Casework,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

#[tonic::async_trait]
impl pb::records_server::Records for RecordsService {
    type PushRecordsStream = Verdicts;
    type WatchRecordsStream = WatchStream;

    async fn push_records(
        &self,
        request: Request<Streaming<pb::PushRecordsRequest>>,
    ) -> Result<Response<Verdicts>, Status> {
        let (_, extensions, mut requests) = request.into_parts();
        let lease = self.authorizer.stream(&extensions)?;
        let first = push::first(&mut requests).await?;
        let act = access::Submit(said(Family::try_from(&first), first.grounds.as_ref())?);
        let grounds = first.grounds.clone();
        let permit = self.authorizer.permit(&extensions, grounds, act)?;
        let sheet = Sheet {
            casework: self.casework.clone(),
            metered: self.authorizer.metered(permit.principal()),
            permit,
        };
        let verdicts = sheet.start(lease, first, requests, &self.tasks);
        Ok(Response::new(verdicts))
    }

    async fn open_referral(
        &self,
        request: Request<pb::OpenReferralRequest>,
    ) -> Result<Response<pb::ActionTaken>, Status> {
        let act = access::Submit(Family::Referral);
        let (permit, request) = self.authorizer.admit_act(request, act)?;
        let new = NewReferral::try_from(request)?;
        taken(self.casework.open_referral(&permit, new).await)
    }

    async fn approve_record(
        &self,
        request: Request<pb::ApproveRecordRequest>,
    ) -> Result<Response<pb::ActionTaken>, Status> {
        let act = access::ApproveReferral;
        let (permit, request) = self.authorizer.admit_act(request, act)?;
        let record = request.try_into()?;
        taken(self.casework.approve_referral(&permit, record).await)
    }

    async fn act_on_record(
        &self,
        request: Request<pb::ActOnRecordRequest>,
    ) -> Result<Response<pb::ActionTaken>, Status> {
        let asked = request.get_ref();
        let act = access::ActOn(said(family(asked.family), asked.grounds.as_ref())?);
        let (permit, request) = self.authorizer.admit_act(request, act)?;
        let permit = permit.overriding(request.override_assignment);
        let (record, new) = request.try_into()?;
        taken(self.casework.act(&permit, record, new).await)
    }

    async fn assign_record(
        &self,
        request: Request<pb::AssignRecordRequest>,
    ) -> Result<Response<pb::AssignRecordResponse>, Status> {
        let act = access::AssignRecord;
        let (permit, request) = self.authorizer.admit_act(request, act)?;
        let (record, to) = request.try_into()?;
        let log_index = self.casework.assign(&permit, record, to).await?;
        Ok(Response::new(pb::AssignRecordResponse { log_index }))
    }

    async fn list_records(
        &self,
        request: Request<pb::ListRecordsRequest>,
    ) -> Result<Response<pb::ListRecordsResponse>, Status> {
        let asked = request.get_ref();
        let act = access::List(said(family(asked.family), asked.grounds.as_ref())?);
        let (permit, request) = self.authorizer.admit(request, act)?;
        let permit = permit.overriding(request.override_assignment);
        let query = Query::try_from(request)?;
        let asked = query.about.asked();
        let searching = self.authorizer.search(&permit, asked.as_deref()).await?;
        let reading = self.authorizer.reading(&permit, query.limit)?;
        let looking = self.authorizer.look(&permit, query.limit).await?;
        let (page, trace) = self.casework.list(&permit, query).await?.into_inner();
        let consulted_index = reading.left(trace);
        looking.page(page.looked, asked.is_some());
        searching.found(!page.records.is_empty());
        let records = page.records.iter();
        let records = records.map(|(id, listed)| pb::RecordSummary {
            number: page.numbers.get(id).cloned().unwrap_or_default(),
            ..summary(&self.casework, *id, listed)
        });
        Ok(Response::new(pb::ListRecordsResponse {
            records: records.collect(),
            next_after: page.next_after,
            consulted_index,
        }))
    }

    async fn show_record(
        &self,
        request: Request<pb::ShowRecordRequest>,
    ) -> Result<Response<pb::ShowRecordResponse>, Status> {
        let asked = request.get_ref();
        let (family, record) = said(asked.try_into(), asked.grounds.as_ref())?;
        let (detail, consulted_index) = if asked.standing_only {
            let (permit, _) = self.authorizer.admit(request, access::List(family))?;
            let reading = self.authorizer.reading(&permit, 1)?;
            let (detail, trace) = self.casework.standing(&permit, record).await?.into_inner();
            (detail, reading.left(trace))
        } else {
            let (permit, request) = self.authorizer.admit(request, access::Open(family))?;
            let permit = permit.overriding(request.override_assignment);
            let reading = self.authorizer.reading(&permit, 1)?;
            let (detail, trace) = self.casework.open(&permit, record).await?.into_inner();
            (detail, reading.left(trace))
        };
        let shown = shown(&self.casework, record, detail, consulted_index);
        Ok(Response::new(shown))
    }

    async fn watch_records(
        &self,
        request: Request<pb::WatchRecordsRequest>,
    ) -> Result<Response<WatchStream>, Status> {
        let asked = request.get_ref();
        let act = access::List(said(family(asked.family), asked.grounds.as_ref())?);
        let (permit, request) = self.authorizer.admit(request, act)?;
        let lease = self.authorizer.metered(permit.principal()).stream()?;
        if !permit.family().is_followed() {
            return Err(WireDefect::Malformed("family").into());
        }
        let watching = Watching::new(
            self.authorizer.clone(),
            self.casework.clone(),
            permit,
            request.after_index,
            self.stop.clone(),
        );
        Ok(Response::new(lease.over(watching.changes())))
    }
}

fn taken(taken: Result<ActionTaken, ActRefused>) -> Result<Response<pb::ActionTaken>, Status> {
    Ok(Response::new(taken?.into()))
}
