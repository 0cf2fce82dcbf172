//! Errors as gRPC statuses: a small set of codes. What we expect is said; what we don't is logged in full and answered
//! vaguely.

use super::{
    WireDefect,
    details::{BadRequest, FieldViolation, detailed},
    reason::{self, RefusedFor, worded},
};
use crate::{
    access::{Denial, Exceeded, GroundsDefect},
    desk::{AnswerRefused, AssignRefused, DeskError, PartnerRefused, PushRefused, ReferralRefused},
    domain::{Lang, referral::ContentDefect},
    log::ReadError,
    store::DiskShort,
};
use tonic::{Code, Status, metadata::MetadataMap};

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
        let (field, reason) = match defect {
            WireDefect::Missing(field) => (field, RefusedFor::Missing),
            WireDefect::Malformed(field) => (field, RefusedFor::Malformed),
            WireDefect::Spelling(field) => (field, RefusedFor::Spelling),
            WireDefect::TooLong(field) => (field, RefusedFor::TooLong),
            WireDefect::TooMuch { field, .. } => (field, RefusedFor::TooMuch),
        };
        invalid(reason, field, defect.to_string())
    }
}

/// INVALID_ARGUMENT, the only way to it: what is wrong as a word beside it, and as `google.rpc.BadRequest` among its
/// details. `field` is empty for the message as a whole.
pub(super) fn invalid(reason: RefusedFor, field: &str, message: String) -> Status {
    let violation = FieldViolation::new(field, reason.as_str(), &message);
    invalid_fields(reason, vec![violation], message)
}

fn invalid_fields(reason: RefusedFor, fields: Vec<FieldViolation>, message: String) -> Status {
    let request = BadRequest {
        field_violations: fields,
    };
    let (code, name) = (Code::InvalidArgument, "google.rpc.BadRequest");
    reason.beside(detailed(code, message, name, &request, MetadataMap::new()))
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

/// A message that is not built, as tonic would say it. The source tells it from what the other side says.
pub(super) fn undecoded<E>(why: &E) -> Status
where
    E: std::error::Error + Clone + Send + Sync + 'static,
{
    let said = why.to_string();
    let said = said.strip_prefix(UNDECODED).unwrap_or(&said);
    with_source(Status::internal(format!("{UNDECODED}{said}")), why)
}

/// What a message that cannot be read ends with. It is the caller's fault, and the words name fields, not what is in them.
pub(super) fn unread(status: Status) -> Status {
    let words = status.message().strip_prefix(UNDECODED);
    match words.filter(|_| status.code() == Code::Internal) {
        Some(words) => {
            let said =
                format!("the message cannot be read; compare versions with this node: {words}");
            invalid(RefusedFor::Unreadable, "", said)
        }
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
        AssignRefused::NoUnit(_) => invalid(RefusedFor::NoUnit, "assignee", refused.to_string()),
    };
    worded(status, reason::assign(refused))
}

pub(super) fn answer(refused: &AnswerRefused) -> Status {
    let status = match refused {
        AnswerRefused::Desk(error) => desk(error),
        AnswerRefused::OwnLead(_) | AnswerRefused::NotNow { .. } | AnswerRefused::Full(_) => {
            Status::failed_precondition(refused.to_string())
        }
        AnswerRefused::NoteTooLong => invalid(RefusedFor::NoteTooLong, "note", refused.to_string()),
        AnswerRefused::Stage(error) => internal(error),
    };
    worded(status, reason::answer(refused))
}

pub(super) fn referral(refused: &ReferralRefused) -> Status {
    let wrong = |reason, field| invalid(reason, field, refused.to_string());
    let code = match refused {
        ReferralRefused::Desk(error) => return desk(error),
        ReferralRefused::Stage(error) => return internal(error),
        ReferralRefused::Content(defect) => return content(*defect),
        ReferralRefused::Needs(_) => return wrong(RefusedFor::Needs, "action"),
        ReferralRefused::NoPartner(_) => return wrong(RefusedFor::NoPartner, "to"),
        ReferralRefused::Own => return wrong(RefusedFor::OwnDestination, "to"),
        ReferralRefused::NotAsEvidence => return wrong(RefusedFor::NotAsEvidence, "handling"),
        ReferralRefused::ForeignLead => {
            return wrong(RefusedFor::ForeignLead, "referral.lead_ids");
        }
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

/// The word beside it is that of content; the field has one of its own.
fn content(defect: ContentDefect) -> Status {
    let (field, word) = match defect {
        ContentDefect::Missing(field) => (field, RefusedFor::Missing),
        ContentDefect::TooLong(field) => (field, RefusedFor::TooLong),
        ContentDefect::Malformed(field) => (field, RefusedFor::Malformed),
    };
    let said = defect.to_string();
    let place = match field {
        // These stand beside the referral in the request.
        "note" | "referral" => field.to_owned(),
        field => format!("referral.{field}"),
    };
    let violation = FieldViolation::new(&place, word.as_str(), &said);
    invalid_fields(RefusedFor::Content, vec![violation], said)
}

pub(super) fn push(refused: &PushRefused) -> Status {
    match refused {
        PushRefused::Rejected(findings) => {
            let broken = findings.iter().filter(|finding| !finding.is_warning());
            let fields = broken.map(|finding| {
                let column = finding.column.map_or("", |column| column.as_str());
                let code = finding.code;
                FieldViolation::new(column, code.as_str(), code.message(Lang::En))
            });
            let fields = fields.collect();
            invalid_fields(RefusedFor::Content, fields, refused.to_string())
        }
        PushRefused::Stage(error) => internal(error),
        PushRefused::Desk(error) => desk(error),
    }
}

pub(super) fn partner(refused: &PartnerRefused) -> Status {
    let code = match refused {
        PartnerRefused::Card(_) | PartnerRefused::TooLong => {
            return invalid(RefusedFor::BadCard, "card", refused.to_string());
        }
        PartnerRefused::Own => {
            return invalid(RefusedFor::OwnCard, "card", refused.to_string());
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

#[cfg(test)]
mod tests {
    use super::{super::details::Details, *};
    use crate::{
        access::UnitName,
        domain::{Column, Finding, FindingCode},
    };
    use prost::Message as _;

    /// What a program reads of a refused call once it has travelled: the word, and each field with its reason.
    fn travelled(status: Status) -> (Option<RefusedFor>, Vec<(String, String)>) {
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        let headers = status.into_http::<()>().into_parts().0.headers;
        let status = Status::from_header_map(&headers).unwrap();
        let details = Details::decode(status.details()).unwrap();
        assert_eq!((details.code, &*details.message), (3, status.message()));
        let [detail] = details.details.as_slice() else {
            panic!("{details:?}")
        };
        assert_eq!(detail.type_url, "type.googleapis.com/google.rpc.BadRequest");
        let request = BadRequest::decode(detail.value.clone()).unwrap();
        let fields = request.field_violations.into_iter();
        let fields = fields.map(|violation| {
            assert!(!violation.description.is_empty());
            (violation.field, violation.reason)
        });
        (RefusedFor::of(&status), fields.collect())
    }

    #[test]
    fn regression_what_is_wrong_with_an_argument_travels_as_a_word_and_a_field() {
        for reason in RefusedFor::ALL {
            let (word, fields) = travelled(invalid(*reason, "lead.name", "why".to_owned()));
            assert_eq!(word, Some(*reason));
            let expected = reason.as_str().to_uppercase();
            assert_eq!(fields, [("lead.name".to_owned(), expected)]);
        }
        let undecoded = Status::internal(format!("{UNDECODED}invalid wire type"));
        let unit: UnitName = "narcotics".parse().unwrap();
        let findings = vec![
            Finding::new(Column::Phone, FindingCode::Normalised),
            Finding::new(Column::Number, FindingCode::ChangedContent),
        ];
        let limit = WireDefect::TooMuch {
            field: "limit",
            most: 1000,
        };
        let content = |defect| referral(&ReferralRefused::Content(defect));
        let place = "440000".parse().unwrap();
        for (status, word, field, reason) in [
            (
                WireDefect::Missing("lead").into(),
                "missing",
                "lead",
                "MISSING",
            ),
            (
                WireDefect::Malformed("states").into(),
                "malformed",
                "states",
                "MALFORMED",
            ),
            (
                WireDefect::Spelling("lead_id").into(),
                "spelling",
                "lead_id",
                "SPELLING",
            ),
            (
                WireDefect::TooLong("crl").into(),
                "too_long",
                "crl",
                "TOO_LONG",
            ),
            (limit.into(), "too_much", "limit", "TOO_MUCH"),
            (unread(undecoded), "unreadable", "", "UNREADABLE"),
            (
                assign(&AssignRefused::NoUnit(unit)),
                "no_unit",
                "assignee",
                "NO_UNIT",
            ),
            (
                answer(&AnswerRefused::NoteTooLong),
                "note_too_long",
                "note",
                "NOTE_TOO_LONG",
            ),
            (
                content(ContentDefect::Missing("title")),
                "content",
                "referral.title",
                "MISSING",
            ),
            (
                content(ContentDefect::TooLong("note")),
                "content",
                "note",
                "TOO_LONG",
            ),
            (
                content(ContentDefect::Malformed("lead_ids")),
                "content",
                "referral.lead_ids",
                "MALFORMED",
            ),
            (
                referral(&ReferralRefused::Needs("a note")),
                "needs",
                "action",
                "NEEDS",
            ),
            (
                referral(&ReferralRefused::NoPartner(place)),
                "no_partner",
                "to",
                "NO_PARTNER",
            ),
            (
                referral(&ReferralRefused::Own),
                "own_destination",
                "to",
                "OWN_DESTINATION",
            ),
            (
                referral(&ReferralRefused::NotAsEvidence),
                "not_as_evidence",
                "handling",
                "NOT_AS_EVIDENCE",
            ),
            (
                referral(&ReferralRefused::ForeignLead),
                "foreign_lead",
                "referral.lead_ids",
                "FOREIGN_LEAD",
            ),
            (
                push(&PushRefused::Rejected(findings)),
                "content",
                "number",
                "CHANGED_CONTENT",
            ),
            (
                partner(&PartnerRefused::Card("x".into())),
                "bad_card",
                "card",
                "BAD_CARD",
            ),
            (
                partner(&PartnerRefused::TooLong),
                "bad_card",
                "card",
                "BAD_CARD",
            ),
            (
                partner(&PartnerRefused::Own),
                "own_card",
                "card",
                "OWN_CARD",
            ),
        ] {
            let (said, fields) = travelled(status);
            assert_eq!(said.map(RefusedFor::as_str), Some(word));
            assert_eq!(fields, [(field.to_owned(), reason.to_owned())]);
        }
    }
}
