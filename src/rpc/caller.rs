//! What handlers ask of the [`Authorizer`], with what tonic hands them.

use super::{convert::WireDefect, pb};
use crate::{
    access::{Act, Grounds, Permit, Principal},
    api::{
        Refused,
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
pub trait Grounded {
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
    PushRecordsRequest ListRecordsRequest ShowRecordRequest ActOnRecordRequest OpenReferralRequest ApproveRecordRequest
    AssignRecordRequest WatchRecordsRequest
    ProposePartnerRequest ApprovePartnerRequest SuspendPartnerRequest DraftPartnerChangeRequest
    ApprovePartnerChangeRequest ListPartnersRequest
    GetCheckpointRequest ReplayRequest ProveInclusionRequest ProveConsistencyRequest
}

/// What a request says, read before its caller is known to be allowed it. One without grounds is refused for that, whatever
/// else is wrong with it.
pub(super) fn said<T>(
    read: Result<T, WireDefect>,
    grounds: Option<&pb::Grounds>,
) -> Result<T, Status> {
    read.or_else(|defect| {
        Grounds::try_from(grounds.cloned()).map_err(|none| Refused::no_grounds(&none))?;
        Err(defect.into())
    })
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

    /// A permit for an act on a record, which adds what it says to the log, and the request.
    pub(super) fn admit_act<R: Grounded + Message, A: Act>(
        &self,
        request: Request<R>,
        act: A,
    ) -> Result<(Permit<A>, R), Status> {
        let bytes = request.get_ref().encoded_len();
        let (permit, request) = self.admit(request, act)?;
        self.spend_act(&permit, bytes)?;
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
            grounds: grounds.try_into(),
        };
        Ok(self.authorize(caller, act)?)
    }

    /// A caller's place among its streams, before it says on what grounds it calls: callers that keep us waiting for that
    /// have their limit too.
    pub(super) fn stream(&self, extensions: &Extensions) -> Result<StreamLease, Status> {
        Ok(self.metered(&principal(extensions)?).stream()?)
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
