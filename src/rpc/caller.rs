//! Who calls, and may they.

use super::{
    convert,
    meter::{Looking, Meter, Metered, Reading, Searching, StreamLease},
    pb, status,
};
use crate::{
    access::{Act, Permit, Policy, Principal, Quota},
    tls::Peer,
};
use arc_swap::ArcSwap;
use prost::Message;
use std::sync::Arc;
use tonic::{Extensions, Status};

/// Records of a page that count as one call.
const RECORDS_PER_CALL: usize = 100;

/// Bytes of log that an act on a record is taken to add beside its own: its entry, and the entry that answers it.
const ACT_BYTES: usize = 2_048;

/// Decides about every call: who may, and how much. Denials are counted, and logged with all other refusals.
#[derive(Clone, Debug)]
pub(super) struct Door {
    policy: Arc<ArcSwap<Policy>>,
    meter: Arc<Meter>,
}

impl Door {
    pub(super) fn new(policy: Arc<ArcSwap<Policy>>, meter: Arc<Meter>) -> Self {
        Self { policy, meter }
    }

    /// Who is at the other end of the connection.
    pub(super) fn principal(extensions: &Extensions) -> Result<Principal, Status> {
        extensions
            .get::<Arc<Peer>>()
            .map(|peer| peer.identity().principal().clone())
            .ok_or_else(|| Status::unauthenticated("no client certificate came with this call"))
    }

    /// The caller's side of the quotas.
    pub(super) fn metered(&self, principal: &Principal) -> Metered {
        Metered::new(Arc::clone(&self.meter), principal.clone())
    }

    /// A permit for an act, on the grounds stated. The call itself is paid for.
    pub(super) fn permit<A: Act>(
        &self,
        extensions: &Extensions,
        grounds: Option<pb::Grounds>,
        act: A,
    ) -> Result<Permit<A>, Status> {
        let principal = Self::principal(extensions)?;
        let grounds = convert::grounds(grounds).map_err(|defect| {
            refused("no_grounds");
            status::grounds(&defect)
        })?;
        let permit = self
            .policy
            .load()
            .authorize(&principal, grounds, act)
            .map_err(|denial| status::denial(&denial))?;
        if let Some(quota) = A::SPENDS {
            self.meter.spend(&principal, quota, 1)?;
        }
        Ok(permit)
    }

    /// A permit for an act that lasts, with its place among the caller's streams.
    pub(super) fn permit_stream<A: Act>(
        &self,
        extensions: &Extensions,
        grounds: Option<pb::Grounds>,
        act: A,
    ) -> Result<(Permit<A>, StreamLease), Status> {
        let permit = self.permit(extensions, grounds, act)?;
        let lease = self.metered(permit.principal()).stream()?;
        Ok((permit, lease))
    }

    /// A caller's place among its streams, before it says on what grounds it calls: those who keep us waiting for it have
    /// their number too.
    pub(super) fn stream(&self, extensions: &Extensions) -> Result<StreamLease, Status> {
        self.metered(&Self::principal(extensions)?).stream()
    }

    /// The trace of a look at so many records, within what the caller may add to the log.
    pub(super) fn reading<A>(&self, permit: &Permit<A>, records: usize) -> Result<Reading, Status> {
        self.metered(permit.principal()).reading(records)
    }

    /// An act on a record, within what the caller may add to the log.
    pub(super) fn acting<A>(&self, permit: &Permit<A>, said: &impl Message) -> Result<(), Status> {
        let bytes = said.encoded_len().saturating_add(ACT_BYTES);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.meter.spend(permit.principal(), Quota::Logged, bytes)
    }

    /// What a permit was given for, by the policy of now: who reads for hours may have been taken off a list.
    pub(super) fn again<A: Act>(&self, permit: &Permit<A>, act: A) -> Result<Permit<A>, Status> {
        let (who, grounds) = (permit.principal(), permit.grounds().clone());
        let permit = self.policy.load().authorize(who, grounds, act);
        permit.map_err(|denial| status::denial(&denial))
    }

    /// A page of records counts as a call for each hundred that it may hold: it costs the log and this node as much. Then
    /// the caller waits until it is its turn to look.
    pub(super) async fn look<A>(
        &self,
        permit: &Permit<A>,
        records: usize,
    ) -> Result<Looking, Status> {
        let more = records.saturating_sub(1) / RECORDS_PER_CALL;
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        self.meter.spend(permit.principal(), Quota::Calls, more)?;
        self.metered(permit.principal()).look().await
    }

    /// Counts a search of what records say, where the call is one, and waits until it is its turn.
    pub(super) async fn search<A>(
        &self,
        permit: &Permit<A>,
        asked: Option<&str>,
    ) -> Result<Searching, Status> {
        match asked {
            Some(asked) => self.metered(permit.principal()).search(asked).await,
            None => Ok(Searching::nobody()),
        }
    }

    /// The partner whose node calls, with its stream's place and its side of the quotas.
    pub(super) fn partner(
        &self,
        extensions: &Extensions,
    ) -> Result<(crate::domain::Jurisdiction, Metered, StreamLease), Status> {
        let principal = Self::principal(extensions)?;
        let partner = self
            .policy
            .load()
            .authorize_relay(&principal)
            .map_err(|denial| status::denial(&denial))?;
        let metered = self.metered(&principal);
        let lease = metered.stream()?;
        Ok((partner, metered, lease))
    }
}

pub(super) fn refused(reason: &'static str) {
    metrics::counter!("yichuan_calls_denied_total", "reason" => reason).increment(1);
}
