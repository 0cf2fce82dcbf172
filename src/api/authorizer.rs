//! Who calls, and may they. Every call comes through the [`Authorizer`] before anything of it is done.

use super::{
    rate_limit::{Looking, Meter, Metered, Reading, Searching},
    refused::Refused,
};
use crate::{
    access::{Act, Grounds, GroundsDefect, Permit, Policy, Principal, Quota},
    domain::Jurisdiction,
};
use arc_swap::ArcSwap;
use std::sync::Arc;

/// Records of a page that count as one call.
const RECORDS_PER_CALL: usize = 100;

/// Bytes that an act on a record is taken to add to the log beside its own: its entry, and the entry that answers it.
const ACT_BYTES: usize = 2_048;

/// Who calls, as the transport authenticated them, and on what grounds.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    /// As stated, or what is wrong with them.
    pub(crate) grounds: Result<Grounds, GroundsDefect>,
}

/// Decides about every call: who may, and how much. Denials are counted here, and logged with all other refusals.
#[derive(Clone, Debug)]
pub(crate) struct Authorizer {
    policy: Arc<ArcSwap<Policy>>,
    meter: Arc<Meter>,
}

impl Authorizer {
    pub(crate) fn new(policy: Arc<ArcSwap<Policy>>, meter: Arc<Meter>) -> Self {
        Self { policy, meter }
    }

    /// The caller's side of the quotas.
    pub(crate) fn metered(&self, principal: &Principal) -> Metered {
        Metered::new(Arc::clone(&self.meter), principal.clone())
    }

    /// A permit for an act, on the grounds stated. Spends what the act costs beside the call itself.
    pub(crate) fn authorize<A: Act>(&self, caller: Caller, act: A) -> Result<Permit<A>, Refused> {
        let Caller { principal, grounds } = caller;
        let grounds = grounds.map_err(|defect| Refused::no_grounds(&defect))?;
        let permit = self
            .policy
            .load()
            .authorize(&principal, grounds, act)
            .map_err(|denial| Refused::denied(&denial))?;
        if let Some(quota) = act.rule().spends {
            self.meter.spend(&principal, quota, 1)?;
        }
        Ok(permit)
    }

    /// The permit once more, by the policy of now: somebody who reads for hours may have been taken off a list since.
    pub(crate) fn again<A: Act>(&self, permit: &Permit<A>) -> Result<Permit<A>, Refused> {
        let (who, grounds) = (permit.principal(), permit.grounds().clone());
        let permit = self.policy.load().authorize(who, grounds, permit.act());
        permit.map_err(|denial| Refused::denied(&denial))
    }

    /// The partner whose node calls.
    pub(crate) fn authorize_relay(&self, principal: &Principal) -> Result<Jurisdiction, Refused> {
        let partner = self.policy.load().authorize_relay(principal);
        partner.map_err(|denial| Refused::denied(&denial))
    }

    /// The trace of a look at so many records, within what the caller may add to the log.
    pub(crate) fn reading<A>(
        &self,
        permit: &Permit<A>,
        records: usize,
    ) -> Result<Reading, Refused> {
        self.metered(permit.principal()).reading(records)
    }

    /// Spends what an act on a record adds to the log; `bytes` is how much its caller says.
    pub(crate) fn spend_act<A>(&self, permit: &Permit<A>, bytes: usize) -> Result<(), Refused> {
        let bytes = bytes.saturating_add(ACT_BYTES);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.meter.spend(permit.principal(), Quota::Logged, bytes)
    }

    /// Waits for the caller's turn to look. A page counts as one call for each hundred records that it may hold, for it
    /// costs the log and this node as much.
    pub(crate) async fn look<A>(
        &self,
        permit: &Permit<A>,
        records: usize,
    ) -> Result<Looking, Refused> {
        let more = records.saturating_sub(1) / RECORDS_PER_CALL;
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        self.meter.spend(permit.principal(), Quota::Calls, more)?;
        self.metered(permit.principal()).look().await
    }

    /// Counts a search of what records say, where the call is one, and waits for its turn.
    pub(crate) async fn search<A>(
        &self,
        permit: &Permit<A>,
        asked: Option<&str>,
    ) -> Result<Searching, Refused> {
        match asked {
            Some(asked) => self.metered(permit.principal()).search(asked).await,
            None => Ok(Searching::nobody()),
        }
    }
}
