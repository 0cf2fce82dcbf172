//! When to come back, as gRPC clients know it: `google.rpc.RetryInfo` among the details of a status.

use super::details::detailed;
use prost::Message;
use tonic::{Code, Status, metadata::MetadataMap};

/// The header that says it in seconds.
const HEADER: &str = "retry-after";

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
    let mut metadata = MetadataMap::new();
    metadata.insert(HEADER, retry_after_s.into());
    detailed(
        Code::ResourceExhausted,
        message,
        "google.rpc.RetryInfo",
        &info,
        metadata,
    )
}

/// After how many seconds a node says to come back; none where it does not say.
pub fn retry_after_s(status: &Status) -> Option<u64> {
    status.metadata().get(HEADER)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{super::details::Details, *};

    #[test]
    fn a_client_finds_when_to_come_back_where_it_looks() {
        let status = exhausted("later".to_owned(), 720);
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.metadata().get("retry-after").unwrap(), "720");
        assert_eq!(retry_after_s(&status), Some(720));
        assert_eq!(retry_after_s(&Status::resource_exhausted("full")), None);
        let details = Details::decode(status.details()).unwrap();
        assert_eq!(details.code, 8);
        let info = RetryInfo::decode(&*details.details[0].value).unwrap();
        assert_eq!(info.retry_delay.unwrap().seconds, 720);
    }
}
