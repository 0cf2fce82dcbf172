//! Who calls, and may they.

use super::{convert, pb, status};
use crate::{
    access::{Act, Grounds, Permit, Policy, Principal},
    tls::Peer,
};
use arc_swap::ArcSwap;
use std::sync::Arc;
use tonic::{Extensions, Status};

/// Decides about every call, and logs every denial.
#[derive(Clone, Debug)]
pub(super) struct Door {
    policy: Arc<ArcSwap<Policy>>,
}

impl Door {
    pub(super) fn new(policy: Arc<ArcSwap<Policy>>) -> Self {
        Self { policy }
    }

    /// Who is at the other end of the connection.
    pub(super) fn principal(extensions: &Extensions) -> Result<Principal, Status> {
        extensions
            .get::<Arc<Peer>>()
            .map(|peer| peer.identity().principal().clone())
            .ok_or_else(|| Status::unauthenticated("no client certificate came with this call"))
    }

    /// A permit for an act, on the grounds stated.
    pub(super) fn permit<A: Act>(
        &self,
        extensions: &Extensions,
        grounds: Option<pb::Grounds>,
        act: A,
    ) -> Result<Permit<A>, Status> {
        let principal = Self::principal(extensions)?;
        let grounds = self.grounds::<A>(&principal, grounds)?;
        self.policy
            .load()
            .authorize(&principal, grounds, act)
            .map_err(|denial| {
                refused(&principal, A::NAME, denial.code());
                status::denial(&denial)
            })
    }

    fn grounds<A: Act>(
        &self,
        principal: &Principal,
        grounds: Option<pb::Grounds>,
    ) -> Result<Grounds, Status> {
        convert::grounds(grounds).map_err(|defect| {
            refused(principal, A::NAME, "no_grounds");
            status::grounds(&defect)
        })
    }

    /// The partner whose node calls.
    pub(super) fn partner(
        &self,
        extensions: &Extensions,
    ) -> Result<crate::domain::Jurisdiction, Status> {
        let principal = Self::principal(extensions)?;
        self.policy
            .load()
            .authorize_relay(&principal)
            .map_err(|denial| {
                refused(&principal, "relay dispatches", denial.code());
                status::denial(&denial)
            })
    }
}

fn refused(principal: &Principal, action: &'static str, reason: &'static str) {
    metrics::counter!("yichuan_calls_denied_total", "reason" => reason).increment(1);
    tracing::warn!(%principal, action, reason, "a call was refused");
}
