//! What programs read of a refused call beside its sentence: `google.rpc.Status` in `grpc-status-details-bin`.

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
    /// In capitals, as the standard has it.
    #[prost(string, tag = "3")]
    pub(super) reason: String,
}

impl FieldViolation {
    /// Of a word such as `too_long`.
    pub(super) fn new(field: &str, word: &str, description: &str) -> Self {
        Self {
            field: field.to_owned(),
            description: description.to_owned(),
            reason: word.to_ascii_uppercase(),
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
