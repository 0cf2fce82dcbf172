//! Messages that mean harm or nothing: too long, compressed out of proportion, malformed, or half empty.

use super::{
    COUNTY, World, world,
    world::{channel, until},
};
use bytes::{Buf as _, BufMut as _, Bytes};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
};
use yichuan::{
    access::{Attempt, Purpose},
    cli::demo::cluster::grounds,
    entry::Kind,
    rpc::pb,
};

/// Messages as bytes.
#[derive(Default)]
struct AsIs;

impl Codec for AsIs {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for AsIs {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(message);
        Ok(())
    }
}

impl Decoder for AsIs {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

const LIST: &str = "/yichuan.v1.Records/ListRecords";
const PUSH: &str = "/yichuan.v1.Records/PushRecords";

/// Calls with messages as they are, and says how it ends.
async fn call(
    world: &World,
    path: &'static str,
    compressed: Option<CompressionEncoding>,
    messages: Vec<Bytes>,
) -> Status {
    let endpoint = &world.cluster.member(COUNTY).config.listen.endpoint;
    let channel = channel(endpoint, COUNTY, COUNTY, "officer-001");
    let mut client = Grpc::new(channel);
    if let Some(encoding) = compressed {
        client = client.send_compressed(encoding);
    }
    world::within(async {
        client.ready().await.unwrap();
        let path = PathAndQuery::from_static(path);
        let requests = Request::new(tokio_stream::iter(messages));
        let mut answers = match client.streaming(requests, path, AsIs).await {
            Ok(answers) => answers.into_inner(),
            Err(status) => return status,
        };
        let mut count = 0;
        loop {
            match answers.message().await {
                Ok(Some(_)) => count += 1,
                Ok(None) => return Status::ok(format!("{count} answers")),
                Err(status) => return status,
            }
        }
    })
    .await
}

fn list() -> pb::ListRecordsRequest {
    pb::ListRecordsRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: Some(grounds(COUNTY, Purpose::Screening)),
        ..Default::default()
    }
}

fn bytes(message: &impl prost::Message) -> Bytes {
    message.encode_to_vec().into()
}

/// The call is refused so, and nothing enters the log.
async fn refused(
    world: &World,
    what: &str,
    code: Code,
    path: &'static str,
    compressed: Option<CompressionEncoding>,
    messages: Vec<Bytes>,
) -> Status {
    let log = world.cluster.member(COUNTY).node.log();
    let before = log.checkpoint().size();
    let status = call(world, path, compressed, messages).await;
    assert_eq!(status.code(), code, "{what}: {status:?}");
    assert_eq!(log.checkpoint().size(), before, "{what}");
    status
}

#[tokio::test]
async fn what_is_too_long_or_blown_up_is_refused_unread() {
    let mut world = world(|_| {}).await;
    // 64 MiB of nothing in a few KiB, as a field that nobody knows.
    let mut bomb = vec![0xfa, 0x7f];
    prost::encoding::encode_varint(64 << 20, &mut bomb);
    bomb.resize(bomb.len() + (64 << 20), 0);
    let bomb = Bytes::from(bomb);
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        for path in [LIST, PUSH, "/yichuan.v1.Exchange/Relay"] {
            let messages = vec![bomb.clone()];
            let status = refused(
                &world,
                "a bomb",
                Code::Unimplemented,
                path,
                Some(encoding),
                messages,
            )
            .await;
            assert!(status.message().len() < 200, "{status:?}");
        }
    }
    for path in [LIST, PUSH] {
        let messages = vec![bomb.slice(..100 * 1024)];
        refused(&world, "100 KiB", Code::OutOfRange, path, None, messages).await;
    }
    for path in [
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
    ] {
        let messages = vec![bomb.slice(..5 * 1024)];
        refused(&world, "5 KiB", Code::OutOfRange, path, None, messages).await;
    }
    // Reflection ends its stream without a word. Asked for the list of services, of a host with a long name or a short one.
    for (length, answers) in [(5000, "0 answers"), (500, "1 answers")] {
        let mut question = vec![0x0a];
        prost::encoding::encode_varint(length, &mut question);
        question.extend(vec![b'h'; usize::try_from(length).unwrap()]);
        question.extend([0x3a, 0]);
        for path in [
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ] {
            let messages = vec![Bytes::from(question.clone())];
            let status = refused(&world, "a host", Code::Ok, path, None, messages).await;
            assert_eq!(status.message(), answers);
        }
    }
    world.honest_traffic_flows().await;
    world.is_as_before().await;
}

#[tokio::test]
async fn what_means_nothing_is_refused_by_its_field() {
    let mut world = world(|_| {}).await;
    let garbage = |bytes: &'static [u8]| vec![Bytes::from_static(bytes)];
    for (what, messages) in [
        ("no protobuf", garbage(&[0xff; 12])),
        ("a length beyond the end", garbage(&[0x0a, 0x7f])),
        ("text that is no text", garbage(&[0x4a, 0x02, 0xff, 0xfe])),
        ("groups in groups", vec![Bytes::from(vec![0x0b; 4_000])]),
    ] {
        let status = refused(&world, what, Code::InvalidArgument, LIST, None, messages).await;
        assert!(
            status.message().contains("cannot be read"),
            "{what}: {status:?}"
        );
    }
    let unknown = pb::ListRecordsRequest {
        states: vec![9_999],
        ..list()
    };
    let empty = pb::ShowRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: Some(grounds(COUNTY, Purpose::Screening)),
        ..Default::default()
    };
    let rowless = pb::PushRecordsRequest {
        grounds: Some(grounds(COUNTY, Purpose::Screening)),
        row: 1,
        content: None,
    };
    let show = "/yichuan.v1.Records/ShowRecord";
    for (what, field, path, message) in [
        ("an unknown state", "states", LIST, bytes(&unknown)),
        ("no lead named", "record_id", show, bytes(&empty)),
        (
            "a row without a lead",
            "content is missing",
            PUSH,
            bytes(&rowless),
        ),
    ] {
        let status = refused(
            &world,
            what,
            Code::InvalidArgument,
            path,
            None,
            vec![message],
        )
        .await;
        assert!(status.message().contains(field), "{what}: {status:?}");
    }
    // That somebody tried without grounds is one entry.
    let log = world.cluster.member(COUNTY).node.log();
    let before = log.checkpoint().size();
    for _ in 0..2 {
        let nothing = vec![Bytes::new()];
        let status = call(&world, LIST, None, nothing).await;
        assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    }
    until(
        log,
        1,
        |kind| matches!(kind, Kind::AttemptRefused(report) if report.attempt == Attempt::NoGrounds),
    )
    .await;
    assert_eq!(log.checkpoint().size(), before + 1);

    world.honest_traffic_flows().await;
    world.is_as_before().await;
}
