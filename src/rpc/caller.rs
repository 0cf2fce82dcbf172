//! What handlers ask of the [`Authorizer`], with what tonic hands them.

use super::{convert, pb};
use crate::{
    access::{Act, Permit, Principal},
    api::{
        authorizer::{Authorizer, Caller},
        rate_limit::{Metered, StreamLease},
    },
    domain::Jurisdiction,
    tls::Peer,
};
use prost::Message;
use std::sync::Arc;
use tonic::{Extensions, Request, Status};

/// A request of a person, who states purpose and basis.
pub(super) trait Grounded {
    /// What is stated; taken out of the request.
    fn take_grounds(&mut self) -> Option<pb::Grounds>;
}

macro_rules! grounded {
    ($($request:ident)+) => {
        $(impl Grounded for pb::$request {
            fn take_grounds(&mut self) -> Option<pb::Grounds> {
                self.grounds.take()
            }
        })+
    };
}

grounded! {
    WatchReferralsRequest
    ProposePartnerRequest ApprovePartnerRequest SuspendPartnerRequest DraftPartnerChangeRequest
    ApprovePartnerChangeRequest ListPartnersRequest
    GetCheckpointRequest ReplayRequest ProveInclusionRequest ProveConsistencyRequest
}

/// Who is at the other end of the connection.
fn principal(extensions: &Extensions) -> Result<Principal, Status> {
    extensions
        .get::<Arc<Peer>>()
        .map(|peer| peer.identity().principal().clone())
        .ok_or_else(|| Status::unauthenticated("no client certificate came with this call"))
}

impl Authorizer {
    /// A permit for the act that a request asks for, and the request.
    pub(super) fn admit<R: Grounded, A: Act>(
        &self,
        request: Request<R>,
        act: A,
    ) -> Result<(Permit<A>, R), Status> {
        let (_, extensions, mut request) = request.into_parts();
        let permit = self.permit(&extensions, request.take_grounds(), act)?;
        Ok((permit, request))
    }

    /// A permit for an act, on the grounds stated.
    pub(super) fn permit<A: Act>(
        &self,
        extensions: &Extensions,
        grounds: Option<pb::Grounds>,
        act: A,
    ) -> Result<Permit<A>, Status> {
        let caller = Caller {
            principal: principal(extensions)?,
            grounds: convert::grounds(grounds),
        };
        Ok(self.authorize(caller, act)?)
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

    /// A caller's place among its streams, before it says on what grounds it calls: callers that keep us waiting for that
    /// have their limit too.
    pub(super) fn stream(&self, extensions: &Extensions) -> Result<StreamLease, Status> {
        Ok(self.metered(&principal(extensions)?).stream()?)
    }

    /// Spends what an act on a record adds to the log.
    pub(super) fn acting<A>(&self, permit: &Permit<A>, said: &impl Message) -> Result<(), Status> {
        Ok(self.spend_act(permit, said.encoded_len())?)
    }

    /// The partner whose node calls, with its stream's place and its side of the quotas.
    pub(super) fn partner(
        &self,
        extensions: &Extensions,
    ) -> Result<(Jurisdiction, Metered, StreamLease), Status> {
        let principal = principal(extensions)?;
        let partner = self.authorize_relay(&principal)?;
        let metered = self.metered(&principal);
        let lease = metered.stream()?;
        Ok((partner, metered, lease))
    }
}
