//! Errors as gRPC statuses: a small set of codes. What we expect is said; what we don't is logged in full and answered
//! vaguely.

use super::{
    WireDefect,
    reason::{self, RefusedFor, worded},
};
use crate::{
    access::{Denial, Exceeded, GroundsDefect},
    desk::{AnswerRefused, AssignRefused, DeskError, PartnerRefused, PushRefused, ReferralRefused},
    log::ReadError,
    record::bounds::Unbuilt,
    store::DiskShort,
};
use tonic::{Code, Status};

/// With what tonic begins, when it says that protobuf does not decode.
const UNDECODED: &str = "failed to decode Protobuf message: ";

/// After how many seconds to ask again whether the disk has room.
const DISK_AGAIN_S: u64 = 60;

/// A failure of ours: the caller learns that it happened, the log what it was.
pub(super) fn internal(error: &dyn std::fmt::Display) -> Status {
    tracing::error!(%error, "a call failed");
    Status::internal("this node could not do it; its administrator finds the reason in its log")
}

/// The log takes no writes: try again when the node is mended.
pub(super) fn closed(error: &dyn std::fmt::Display) -> Status {
    RefusedFor::Closed.beside(Status::unavailable(format!(
        "this node takes no writes now: {error}"
    )))
}

impl From<WireDefect> for Status {
    fn from(defect: WireDefect) -> Self {
        Self::invalid_argument(defect.to_string())
    }
}

/// A call without purpose or basis is refused as a matter of permission, and logged.
pub(super) fn grounds(defect: &GroundsDefect) -> Status {
    let status = Status::permission_denied(defect.to_string());
    RefusedFor::NoGrounds.beside(with_source(status, defect))
}

/// The source does not travel; it tells this node's log the stable word for the reason.
fn with_source<E>(mut status: Status, source: &E) -> Status
where
    E: std::error::Error + Clone + Send + Sync + 'static,
{
    status.set_source(std::sync::Arc::new(source.clone()));
    status
}

/// A message that is not even built, as tonic would say it.
pub(super) fn undecoded(why: &Unbuilt) -> Status {
    Status::internal(format!("{UNDECODED}{why}"))
}

/// What a message that cannot be read ends with. It is the caller's fault, and the words name fields, not what is in them.
pub(super) fn unread(status: Status) -> Status {
    let words = status.message().strip_prefix(UNDECODED);
    match words.filter(|_| status.code() == Code::Internal) {
        Some(words) => Status::invalid_argument(format!(
            "the message cannot be read; compare versions with this node: {words}"
        )),
        None => status,
    }
}

/// A quota is used up: which, how much there is of it, and when to come back.
pub(super) fn exceeded(exceeded: Exceeded) -> Status {
    let status = super::retry::exhausted(exceeded.to_string(), exceeded.retry_after_s);
    with_source(status, &exceeded)
}

/// Counts the denial too.
pub(super) fn denial(denial: &Denial) -> Status {
    super::caller::refused(denial.code());
    let status = Status::permission_denied(denial.to_string());
    RefusedFor::from(denial).beside(with_source(status, denial))
}

pub(super) fn read(error: &ReadError) -> Status {
    match error {
        ReadError::Unpublished { .. }
        | ReadError::NoSuchEntry { .. }
        | ReadError::Shrinks { .. } => Status::out_of_range(error.to_string()),
        ReadError::CutOff => Status::unavailable(error.to_string()),
        ReadError::Store(_) | ReadError::Damaged(_) | ReadError::InDoubt => internal(error),
    }
}

pub(super) fn desk(error: &DeskError) -> Status {
    let status = match error {
        DeskError::NotFound(_) | DeskError::Erased(_) => Status::not_found(error.to_string()),
        DeskError::Denied(denied) => denial(denied),
        DeskError::Read(error) => read(error),
        DeskError::Log(_) => closed(error),
        DeskError::Disk(short) => return disk_short(*short),
        DeskError::Rows(_) | DeskError::Vault(_) => internal(error),
    };
    worded(status, reason::desk(error))
}

fn disk_short(short: DiskShort) -> Status {
    RefusedFor::DiskShort.beside(super::retry::exhausted(short.to_string(), DISK_AGAIN_S))
}

pub(super) fn assign(refused: &AssignRefused) -> Status {
    let status = match refused {
        AssignRefused::Desk(error) => desk(error),
        AssignRefused::NoUnit(_) => Status::invalid_argument(refused.to_string()),
    };
    worded(status, reason::assign(refused))
}

pub(super) fn answer(refused: &AnswerRefused) -> Status {
    let status = match refused {
        AnswerRefused::Desk(error) => desk(error),
        AnswerRefused::OwnLead(_) | AnswerRefused::NotNow { .. } | AnswerRefused::Full(_) => {
            Status::failed_precondition(refused.to_string())
        }
        AnswerRefused::NoteTooLong => Status::invalid_argument(refused.to_string()),
        AnswerRefused::Stage(error) => internal(error),
    };
    worded(status, reason::answer(refused))
}

pub(super) fn referral(refused: &ReferralRefused) -> Status {
    let code = match refused {
        ReferralRefused::Desk(error) => return desk(error),
        ReferralRefused::Stage(error) => return internal(error),
        ReferralRefused::Content(_)
        | ReferralRefused::Needs(_)
        | ReferralRefused::NoPartner(_)
        | ReferralRefused::Own
        | ReferralRefused::NotAsEvidence
        | ReferralRefused::ForeignLead => Code::InvalidArgument,
        ReferralRefused::NotNow(_)
        | ReferralRefused::Draft(_)
        | ReferralRefused::NotADraft(_)
        | ReferralRefused::Full(_) => Code::FailedPrecondition,
        ReferralRefused::SamePerson(_) => Code::PermissionDenied,
    };
    worded(
        Status::new(code, refused.to_string()),
        reason::referral(refused),
    )
}

pub(super) fn push(refused: &PushRefused) -> Status {
    match refused {
        PushRefused::Rejected(_) => Status::invalid_argument(refused.to_string()),
        PushRefused::Stage(error) => internal(error),
        PushRefused::Desk(error) => desk(error),
    }
}

pub(super) fn partner(refused: &PartnerRefused) -> Status {
    let code = match refused {
        PartnerRefused::Card(_) | PartnerRefused::TooLong | PartnerRefused::Own => {
            Code::InvalidArgument
        }
        PartnerRefused::Known(_) => Code::AlreadyExists,
        PartnerRefused::NoDraft(_) | PartnerRefused::NoPartner(_) | PartnerRefused::NoChange(_) => {
            Code::NotFound
        }
        PartnerRefused::Older { .. }
        | PartnerRefused::Changes { .. }
        | PartnerRefused::NewLog { .. }
        | PartnerRefused::Suspended(_)
        | PartnerRefused::NotSuspended(_) => Code::FailedPrecondition,
        PartnerRefused::SamePerson(_) | PartnerRefused::Fingerprint(_) => Code::PermissionDenied,
        PartnerRefused::Disk(short) => return disk_short(*short),
        PartnerRefused::Rows(error) => return internal(error),
        PartnerRefused::Witness(error) => return internal(error),
        PartnerRefused::Log(_) => return closed(refused),
    };
    worded(
        Status::new(code, refused.to_string()),
        reason::partner(refused),
    )
}
