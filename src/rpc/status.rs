//! Refusals as gRPC statuses, and what a client reads from one: a code, the sentence, the reason's key in a header, and
//! `google.rpc` details.

use super::{
    convert::WireDefect,
    details::{BadRequest, FieldViolation, RetryInfo, detailed},
};
use crate::{
    api::{RefusalKind, Refused, RefusedFor},
    casework::{ActRefused, AssignRefused, CaseworkError, PartnerRefused, SubmitRefused},
    domain::SheetColumn,
    log::ReadError,
};
use std::sync::Arc;
use tonic::{
    Code, Status,
    metadata::{MetadataMap, MetadataValue},
};

/// The header with the reason's key.
const REASON: &str = "yichuan-reason";

/// The header that says in how many seconds to come back.
const RETRY_AFTER: &str = "retry-after";

/// How tonic begins to say that protobuf does not decode.
const UNDECODED: &str = "failed to decode Protobuf message: ";

impl RefusedFor {
    /// The reason that came with a status; none from an older node, or if the reason is unknown here.
    pub fn of(status: &Status) -> Option<Self> {
        let key = status.metadata().get(REASON)?.to_str().ok()?;
        key.parse().ok()
    }
}

/// Seconds after which a node says to come back, if it does.
pub(crate) fn retry_after_s(status: &Status) -> Option<u64> {
    let seconds = status.metadata().get(RETRY_AFTER)?;
    seconds.to_str().ok()?.parse().ok()
}

/// The same status, with the reason beside it.
pub(super) fn with_reason(mut status: Status, reason: RefusedFor) -> Status {
    let key = MetadataValue::from_static(reason.as_str());
    status.metadata_mut().insert(REASON, key);
    status
}

/// The source does not travel. It tells this node's log the key.
fn with_source<E>(mut status: Status, source: E) -> Status
where
    E: std::error::Error + Send + Sync + 'static,
{
    status.set_source(Arc::new(source));
    status
}

const fn code(kind: RefusalKind) -> Code {
    match kind {
        RefusalKind::InvalidArgument => Code::InvalidArgument,
        RefusalKind::OutOfRange => Code::OutOfRange,
        RefusalKind::PermissionDenied => Code::PermissionDenied,
        RefusalKind::NotFound => Code::NotFound,
        RefusalKind::AlreadyExists => Code::AlreadyExists,
        RefusalKind::FailedPrecondition => Code::FailedPrecondition,
        RefusalKind::ResourceExhausted => Code::ResourceExhausted,
        RefusalKind::Unavailable => Code::Unavailable,
        RefusalKind::Internal => Code::Internal,
    }
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        let (code, message) = (code(refused.kind), refused.message.clone());
        let mut metadata = MetadataMap::new();
        let status = if refused.kind == RefusalKind::InvalidArgument {
            let fields = refused.fields.iter().map(FieldViolation::from);
            let request = BadRequest {
                field_violations: fields.collect(),
            };
            detailed(code, message, "google.rpc.BadRequest", &request, metadata)
        } else if let Some(seconds) = refused.retry_after_s {
            metadata.insert(RETRY_AFTER, seconds.into());
            let info = RetryInfo::after(seconds);
            detailed(code, message, "google.rpc.RetryInfo", &info, metadata)
        } else {
            Self::new(code, message)
        };
        let status = match refused.reason {
            Some(reason) => with_reason(status, reason),
            None => status,
        };
        with_source(status, refused)
    }
}

macro_rules! refuses {
    ($($error:ty),+) => {
        $(impl From<$error> for Status {
            fn from(error: $error) -> Self {
                Refused::from(&error).into()
            }
        })+
    };
}

refuses!(
    ReadError,
    CaseworkError,
    PartnerRefused,
    AssignRefused,
    ActRefused
);

impl<C: SheetColumn> From<SubmitRefused<C>> for Status {
    fn from(refused: SubmitRefused<C>) -> Self {
        Refused::from(&refused).into()
    }
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

/// INVALID_ARGUMENT; `field` is empty for the message as a whole.
pub(super) fn invalid(reason: RefusedFor, field: &str, message: String) -> Status {
    Refused::invalid(reason, field, message).into()
}

/// A failure of this node.
pub(super) fn internal(error: &dyn std::fmt::Display) -> Status {
    Refused::internal(error).into()
}

/// A message that is not decoded, in tonic's words. The source tells it from a status that the other side sent.
pub(super) fn undecoded<E>(why: &E) -> Status
where
    E: std::error::Error + Clone + Send + Sync + 'static,
{
    let said = why.to_string();
    let said = said.strip_prefix(UNDECODED).unwrap_or(&said);
    with_source(Status::internal(format!("{UNDECODED}{said}")), why.clone())
}

/// Turns tonic's status for a malformed message into a refusal of its sender. The words name fields, not their content.
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

#[cfg(test)]
mod tests {
    use super::{super::details::Details, *};
    use crate::{
        access::{Exceeded, Quota, UnitName},
        domain::{Column, Finding, FindingCode, content::referral::ContentDefect},
    };
    use prost::Message as _;
    use std::collections::BTreeSet;

    /// The same status, once it has travelled.
    fn arrived(status: Status) -> Status {
        let headers = status.into_http::<()>().into_parts().0.headers;
        Status::from_header_map(&headers).unwrap()
    }

    #[test]
    fn reasons_travel_and_differ() {
        for reason in RefusedFor::ALL {
            let status = with_reason(Status::permission_denied("why"), *reason);
            assert_eq!(RefusedFor::of(&arrived(status)), Some(*reason));
        }
        let keys: BTreeSet<_> = RefusedFor::ALL.iter().map(|r| r.as_str()).collect();
        assert_eq!(keys.len(), RefusedFor::ALL.len());
        assert_eq!(RefusedFor::of(&Status::internal("why")), None);
    }

    #[test]
    fn a_client_finds_when_to_come_back_where_it_looks() {
        let exceeded = Exceeded {
            quota: Quota::Opened,
            limit: 5,
            whose: "caller",
            retry_after_s: 720,
        };
        let status = arrived(Refused::from(exceeded).into());
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.metadata().get("retry-after").unwrap(), "720");
        assert_eq!(retry_after_s(&status), Some(720));
        assert_eq!(retry_after_s(&Status::resource_exhausted("full")), None);
        let details = Details::decode(status.details()).unwrap();
        assert_eq!(details.code, 8);
        let info = RetryInfo::decode(&*details.details[0].value).unwrap();
        assert_eq!(info, RetryInfo::after(720));
    }

    /// What a program reads of a refused call once it has travelled: the word, and each field with its reason.
    fn travelled(status: Status) -> (Option<RefusedFor>, Vec<(String, String)>) {
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        let status = arrived(status);
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
        let content = |defect| Status::from(ActRefused::Content(defect));
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
                Status::from(AssignRefused::NoUnit(unit)),
                "no_unit",
                "assignee",
                "NO_UNIT",
            ),
            (
                Status::from(ActRefused::NoteTooLong),
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
                Status::from(ActRefused::Needs("a note")),
                "needs",
                "action",
                "NEEDS",
            ),
            (
                Status::from(ActRefused::NoPartner(place)),
                "no_partner",
                "to",
                "NO_PARTNER",
            ),
            (
                Status::from(ActRefused::Own),
                "own_destination",
                "to",
                "OWN_DESTINATION",
            ),
            (
                Status::from(ActRefused::NotAsEvidence),
                "not_as_evidence",
                "handling",
                "NOT_AS_EVIDENCE",
            ),
            (
                Status::from(ActRefused::ForeignLead),
                "foreign_lead",
                "referral.lead_ids",
                "FOREIGN_LEAD",
            ),
            (
                Status::from(SubmitRefused::Rejected(findings)),
                "content",
                "number",
                "CHANGED_CONTENT",
            ),
            (
                Status::from(PartnerRefused::Card("x".into())),
                "bad_card",
                "card",
                "BAD_CARD",
            ),
            (
                Status::from(PartnerRefused::TooLong),
                "bad_card",
                "card",
                "BAD_CARD",
            ),
            (
                Status::from(PartnerRefused::Own),
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
