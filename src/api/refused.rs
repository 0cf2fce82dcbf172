//! A refused call: what its caller is told, before a transport puts it into its own form, and how each error of casework is
//! told. What is expected is said; what is not is logged in full and answered vaguely.

use super::reason::RefusedFor;
use crate::{
    access::{Denial, Exceeded, GroundsDefect, Quota},
    casework::{ActRefused, AssignRefused, CaseworkError, PartnerRefused, SubmitRefused},
    domain::{Lang, SheetColumn, Withheld, content::referral::ContentDefect, keyed},
    log::ReadError,
    store::DiskShort,
};
use std::fmt::Display;

/// Seconds after which to ask again whether the disk has room.
const DISK_AGAIN_S: u64 = 60;

keyed! {
    /// What sort of refusal it is. Each transport has a code for each of these.
    pub(crate) enum RefusalKind {
        /// What was sent is wrong, whatever the node's state.
        InvalidArgument = "invalid_argument",
        /// What was asked for lies outside what there is.
        OutOfRange = "out_of_range",
        /// The caller may not.
        PermissionDenied = "permission_denied",
        /// It is not there, or not for this caller.
        NotFound = "not_found",
        /// It is there already.
        AlreadyExists = "already_exists",
        /// The state does not allow it.
        FailedPrecondition = "failed_precondition",
        /// There is no more of what it takes: a quota, streams, disk.
        ResourceExhausted = "resource_exhausted",
        /// The node cannot do it now.
        Unavailable = "unavailable",
        /// The node failed.
        Internal = "internal",
    }
}

/// One field of a request that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Which; empty for the request as a whole.
    pub(crate) field: String,
    /// The key of what is wrong with it, such as `too_long`.
    pub(crate) key: &'static str,
    /// The same as a sentence in English.
    pub(crate) description: String,
}

/// A refused call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refused {
    /// What sort of refusal.
    pub(crate) kind: RefusalKind,
    /// Why; none for a used-up quota and for failures of the node, of which nothing is said.
    pub(crate) reason: Option<RefusedFor>,
    /// The sentence in English. It may repeat what the caller made up, so it is told to nobody else.
    pub(crate) message: String,
    /// The fields that are wrong, where the kind is [`RefusalKind::InvalidArgument`].
    pub(crate) fields: Vec<Violation>,
    /// Seconds after which the same call may be answered.
    pub(crate) retry_after_s: Option<u64>,
    /// The quota that is used up.
    pub(crate) quota: Option<Quota>,
}

impl Refused {
    pub(crate) fn new(
        kind: RefusalKind,
        reason: impl Into<Option<RefusedFor>>,
        said: impl Display,
    ) -> Self {
        Self {
            kind,
            reason: reason.into(),
            message: said.to_string(),
            fields: Vec::new(),
            retry_after_s: None,
            quota: None,
        }
    }

    /// An argument that is wrong. `field` is empty for the request as a whole.
    pub(crate) fn invalid(reason: RefusedFor, field: &str, said: impl Display) -> Self {
        let violation = Violation {
            field: field.to_owned(),
            key: reason.as_str(),
            description: said.to_string(),
        };
        Self::invalid_fields(reason, vec![violation], said)
    }

    fn invalid_fields(reason: RefusedFor, fields: Vec<Violation>, said: impl Display) -> Self {
        Self {
            fields,
            ..Self::new(RefusalKind::InvalidArgument, reason, said)
        }
    }

    /// A failure of this node: the caller learns that it happened, the node's diagnostics what it was.
    pub(crate) fn internal(error: impl Display) -> Self {
        tracing::error!(%error, "a call failed");
        let said =
            "this node failed to do it; its administrator finds the cause in its diagnostics";
        Self::new(RefusalKind::Internal, None, said)
    }

    /// The log takes no writes until an administrator has repaired the node.
    pub(crate) fn closed(error: impl Display) -> Self {
        let said = format!("this node takes no writes now: {error}");
        Self::new(RefusalKind::Unavailable, RefusedFor::Closed, said)
    }

    /// Somebody may not do something. Counts the denial.
    pub(crate) fn denied(denial: &Denial) -> Self {
        count_denial(denial.code());
        Self::new(
            RefusalKind::PermissionDenied,
            RefusedFor::from(denial),
            denial,
        )
    }

    /// A call without purpose or basis, which is a matter of permission. Counts the denial.
    pub(crate) fn no_grounds(defect: &GroundsDefect) -> Self {
        let reason = RefusedFor::NoGrounds;
        count_denial(reason.as_str());
        Self::new(RefusalKind::PermissionDenied, reason, defect)
    }

    fn disk_short(short: DiskShort) -> Self {
        Self {
            retry_after_s: Some(DISK_AGAIN_S),
            ..Self::new(RefusalKind::ResourceExhausted, RefusedFor::DiskShort, short)
        }
    }

    /// The key under which it is logged: one of few, all of this program.
    pub(crate) fn key(&self) -> &'static str {
        let quota = self.quota.map(Quota::as_str);
        let reason = || self.reason.map(RefusedFor::as_str);
        quota.or_else(reason).unwrap_or(self.kind.as_str())
    }
}

fn count_denial(key: &'static str) {
    metrics::counter!("yichuan_calls_denied_total", "reason" => key).increment(1);
}

/// Which quota is used up, how much there is of it, and when to come back.
impl From<Exceeded> for Refused {
    fn from(exceeded: Exceeded) -> Self {
        Self {
            retry_after_s: Some(exceeded.retry_after_s),
            quota: Some(exceeded.quota),
            ..Self::new(RefusalKind::ResourceExhausted, None, exceeded)
        }
    }
}

impl From<&ReadError> for Refused {
    fn from(error: &ReadError) -> Self {
        match error {
            ReadError::Unpublished { .. }
            | ReadError::NoSuchEntry { .. }
            | ReadError::Shrinks { .. } => Self::new(RefusalKind::OutOfRange, None, error),
            ReadError::CutOff => Self::new(RefusalKind::Unavailable, None, error),
            ReadError::Store(_) | ReadError::Damaged(_) | ReadError::InDoubt => {
                Self::internal(error)
            }
        }
    }
}

impl From<&CaseworkError> for Refused {
    fn from(error: &CaseworkError) -> Self {
        let not_found = |reason| Self::new(RefusalKind::NotFound, reason, error);
        match error {
            CaseworkError::NotFound(_) => not_found(RefusedFor::NotFound),
            CaseworkError::Erased(_) => not_found(RefusedFor::Erased),
            CaseworkError::Denied(denial) => Self::denied(denial),
            CaseworkError::Read(error) => error.into(),
            CaseworkError::Log(_) => Self::closed(error),
            CaseworkError::Disk(short) => Self::disk_short(*short),
            CaseworkError::Rows(_) | CaseworkError::Vault(_) => Self::internal(error),
        }
    }
}

impl From<&AssignRefused> for Refused {
    fn from(refused: &AssignRefused) -> Self {
        match refused {
            AssignRefused::Casework(error) => error.into(),
            AssignRefused::NoUnit(_) => Self::invalid(RefusedFor::NoUnit, "assignee", refused),
        }
    }
}

impl From<&ActRefused> for Refused {
    fn from(refused: &ActRefused) -> Self {
        let wrong = |reason, field| Self::invalid(reason, field, refused);
        let reason = match refused {
            ActRefused::Casework(error) => return error.into(),
            ActRefused::Stage(error) => return Self::internal(error),
            ActRefused::Content(defect) => return (*defect).into(),
            ActRefused::Needs(_) => return wrong(RefusedFor::Needs, "action"),
            ActRefused::NoPartner(_) => return wrong(RefusedFor::NoPartner, "to"),
            ActRefused::NoteTooLong => return wrong(RefusedFor::NoteTooLong, "note"),
            ActRefused::Own => return wrong(RefusedFor::OwnDestination, "to"),
            ActRefused::NotAsEvidence => {
                return wrong(RefusedFor::NotAsEvidence, "handling");
            }
            ActRefused::ForeignLead => {
                return wrong(RefusedFor::ForeignLead, "referral.lead_ids");
            }
            ActRefused::SamePerson(_) => {
                let (kind, reason) = (RefusalKind::PermissionDenied, RefusedFor::SamePerson);
                return Self::new(kind, reason, refused);
            }
            ActRefused::NotNow(not_now) => match not_now.withheld() {
                Some(Withheld::Disputed) => RefusedFor::DisputedTransfer,
                Some(Withheld::TakenOver) => RefusedFor::TakenOver,
                None => RefusedFor::NotNow,
            },
            ActRefused::OwnLead(_) => RefusedFor::OwnLead,
            ActRefused::Draft(_) => RefusedFor::Draft,
            ActRefused::NotADraft(_) => RefusedFor::NotADraft,
            ActRefused::Full(..) => RefusedFor::Full,
        };
        Self::new(RefusalKind::FailedPrecondition, reason, refused)
    }
}

/// The reason is that of content; the field has one of its own.
impl From<ContentDefect> for Refused {
    fn from(defect: ContentDefect) -> Self {
        let (field, reason) = match defect {
            ContentDefect::Missing(field) => (field, RefusedFor::Missing),
            ContentDefect::TooLong(field) => (field, RefusedFor::TooLong),
            ContentDefect::Malformed(field) => (field, RefusedFor::Malformed),
        };
        let violation = Violation {
            field: match field {
                // These stand beside the referral in the request.
                "note" | "referral" => field.to_owned(),
                field => format!("referral.{field}"),
            },
            key: reason.as_str(),
            description: defect.to_string(),
        };
        Self::invalid_fields(RefusedFor::Content, vec![violation], defect)
    }
}

impl<C: SheetColumn> From<&SubmitRefused<C>> for Refused {
    fn from(refused: &SubmitRefused<C>) -> Self {
        match refused {
            SubmitRefused::Rejected(findings) => {
                let broken = findings.iter().filter(|finding| !finding.is_warning());
                let fields = broken.map(|finding| Violation {
                    field: finding.column.map_or("", |it| it.as_str()).to_owned(),
                    key: finding.code.as_str(),
                    description: finding.code.message(Lang::En).to_owned(),
                });
                Self::invalid_fields(RefusedFor::Content, fields.collect(), refused)
            }
            SubmitRefused::Stage(error) => Self::internal(error),
            SubmitRefused::Casework(error) => error.into(),
        }
    }
}

impl From<&PartnerRefused> for Refused {
    fn from(refused: &PartnerRefused) -> Self {
        use RefusalKind::{AlreadyExists, FailedPrecondition, NotFound, PermissionDenied};
        let (kind, reason) = match refused {
            PartnerRefused::Card(_) | PartnerRefused::TooLong => {
                return Self::invalid(RefusedFor::BadCard, "card", refused);
            }
            PartnerRefused::Own => return Self::invalid(RefusedFor::OwnCard, "card", refused),
            PartnerRefused::Disk(short) => return Self::disk_short(*short),
            PartnerRefused::Rows(error) => return Self::internal(error),
            PartnerRefused::Witness(error) => return Self::internal(error),
            PartnerRefused::Log(_) => return Self::closed(refused),
            PartnerRefused::Known(_) => (AlreadyExists, RefusedFor::KnownCard),
            PartnerRefused::NoDraft(_) => (NotFound, RefusedFor::NoCard),
            PartnerRefused::NoPartner(_) => (NotFound, RefusedFor::NotAPartner),
            PartnerRefused::NoChange(_) => (NotFound, RefusedFor::NoChange),
            PartnerRefused::SamePerson(_) => (PermissionDenied, RefusedFor::SamePerson),
            PartnerRefused::Fingerprint(_) => (PermissionDenied, RefusedFor::Fingerprint),
            PartnerRefused::Older { .. } => (FailedPrecondition, RefusedFor::OlderCard),
            PartnerRefused::Changes { .. } => (FailedPrecondition, RefusedFor::CardChanges),
            PartnerRefused::NewLog { .. } => (FailedPrecondition, RefusedFor::NewLog),
            PartnerRefused::Suspended(_) => (FailedPrecondition, RefusedFor::Suspended),
            PartnerRefused::NotSuspended(_) => (FailedPrecondition, RefusedFor::NotSuspended),
        };
        Self::new(kind, reason, refused)
    }
}
