//! Checks who may cause which entry, and that people state their grounds.

use super::{
    defect::{DefectCode, Fault},
    partners::PartnerTracker,
};
use crate::{
    access::Role,
    domain::Jurisdiction,
    entry::{Cause, Consultation, Kind},
};

/// Applies the rules of admission again, to what was actually logged.
pub(super) fn check(
    cause: &Cause,
    kind: &Kind,
    own: Jurisdiction,
    partners: &PartnerTracker<'_>,
) -> Result<(), Fault> {
    let principal = &cause.principal;
    let (home, role) = (principal.jurisdiction() == own, principal.role());
    let may = match kind {
        Kind::LogStarted { .. }
        | Kind::PolicyChanged { .. }
        | Kind::DispatchReceived(_)
        | Kind::DispatchRefused { .. }
        | Kind::ReceiptLogged { .. }
        | Kind::RefusalLogged { .. }
        | Kind::EvidenceKept { .. }
        | Kind::QuotaReached(_)
        | Kind::AttemptRefused(_) => home && role == Role::Node,
        Kind::PartnerProposed { .. } | Kind::PartnerChangeDrafted { .. } => {
            home && matches!(role, Role::Admin | Role::Officer | Role::Supervisor)
        }
        // That it must be a supervisor has a code of its own.
        Kind::PartnerApproved { .. }
        | Kind::PartnerSuspended { .. }
        | Kind::PartnerResumed { .. }
        | Kind::PartnerRemoved { .. }
        | Kind::ReferralApproved { .. } => home && role != Role::Node,
        Kind::DispatchSent(_) | Kind::ReferralDrafted(_) => {
            home && matches!(role, Role::Officer | Role::Supervisor)
        }
        // Only a supervisor of the node assigns records and overrides assignments.
        Kind::RecordAssigned { .. }
        | Kind::Consulted {
            overridden: true, ..
        } => home && role == Role::Supervisor,
        Kind::Consulted {
            how: Consultation::Act,
            ..
        } => false,
        Kind::Consulted {
            how: Consultation::Log { .. },
            ..
        } => home && role == Role::Auditor,
        Kind::Consulted { .. } => match role {
            Role::Officer | Role::Supervisor => {
                home || partners.is_partner(principal.jurisdiction())
            }
            Role::Auditor => home,
            Role::Node | Role::Admin => false,
        },
    };
    if !may {
        return Err(DefectCode::WrongActor.with(format_args!(
            "{role} of {}, for {}",
            principal.jurisdiction(),
            kind.as_str()
        )));
    }
    if role != Role::Node && cause.grounds.is_none() {
        return Err(DefectCode::MissingGrounds.into());
    }
    Ok(())
}
