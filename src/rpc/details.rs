//! The details of a refusal for programs: `google.rpc.Status` in `grpc-status-details-bin`.

use crate::api::Violation;
use prost::{Message, bytes::Bytes};
use tonic::{Code, Status, metadata::MetadataMap};

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Details {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Any {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) value: Bytes,
}

/// `google.rpc.BadRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) field_violations: Vec<FieldViolation>,
}

/// `google.rpc.BadRequest.FieldViolation`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FieldViolation {
    /// Empty for the message as a whole.
    #[prost(string, tag = "1")]
    pub(super) field: String,
    #[prost(string, tag = "2")]
    pub(super) description: String,
    /// In capitals, as the standard demands.
    #[prost(string, tag = "3")]
    pub(super) reason: String,
}

impl From<&Violation> for FieldViolation {
    fn from(violation: &Violation) -> Self {
        Self {
            field: violation.field.clone(),
            description: violation.description.clone(),
            reason: violation.key.to_ascii_uppercase(),
        }
    }
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Seconds>,
}

/// `google.protobuf.Duration`, without fractions.
#[derive(Clone, PartialEq, Message)]
struct Seconds {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

impl RetryInfo {
    pub(super) fn after(seconds: u64) -> Self {
        Self {
            retry_delay: Some(Seconds {
                seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
            }),
        }
    }
}

/// A status with one detail.
pub(super) fn detailed(
    code: Code,
    message: String,
    name: &str,
    detail: &impl Message,
    metadata: MetadataMap,
) -> Status {
    let details = Details {
        code: code as i32,
        message: message.clone(),
        details: vec![Any {
            type_url: format!("type.googleapis.com/{name}"),
            value: detail.encode_to_vec().into(),
        }],
    };
    Status::with_details_and_metadata(code, message, details.encode_to_vec().into(), metadata)
}
