//! When to come back, as gRPC clients know it: `google.rpc.RetryInfo` among the details of a status.

use prost::Message;
use tonic::{Code, Status, metadata::MetadataMap};

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Details {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Seconds>,
}

/// `google.protobuf.Duration`, without fractions.
#[derive(Clone, PartialEq, Message)]
struct Seconds {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

/// RESOURCE_EXHAUSTED that says after how many seconds to come back: in its details, and as `retry-after`.
pub(super) fn exhausted(message: String, retry_after_s: u64) -> Status {
    let info = RetryInfo {
        retry_delay: Some(Seconds {
            seconds: i64::try_from(retry_after_s).unwrap_or(i64::MAX),
        }),
    };
    let details = Details {
        code: Code::ResourceExhausted as i32,
        message: message.clone(),
        details: vec![Any {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
            value: info.encode_to_vec(),
        }],
    };
    let mut metadata = MetadataMap::new();
    metadata.insert("retry-after", retry_after_s.into());
    Status::with_details_and_metadata(
        Code::ResourceExhausted,
        message,
        details.encode_to_vec().into(),
        metadata,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_finds_when_to_come_back_where_it_looks() {
        let status = exhausted("later".to_owned(), 720);
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.metadata().get("retry-after").unwrap(), "720");
        let details = Details::decode(status.details()).unwrap();
        assert_eq!(details.code, 8);
        let info = RetryInfo::decode(&*details.details[0].value).unwrap();
        assert_eq!(info.retry_delay.unwrap().seconds, 720);
    }
}
