//! Who calls, and may they.

use super::{convert, pb, status};
use crate::{
    access::{Act, Permit, Policy, Principal},
    tls::Peer,
};
use arc_swap::ArcSwap;
use std::sync::Arc;
use tonic::{Extensions, Status};

/// Decides about every call. Denials are counted, and logged with all other refusals.
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
        let grounds = convert::grounds(grounds).map_err(|defect| {
            refused("no_grounds");
            status::grounds(&defect)
        })?;
        self.policy
            .load()
            .authorize(&principal, grounds, act)
            .map_err(|denial| status::denial(&denial))
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
            .map_err(|denial| status::denial(&denial))
    }
}

pub(super) fn refused(reason: &'static str) {
    metrics::counter!("yichuan_calls_denied_total", "reason" => reason).increment(1);
}
