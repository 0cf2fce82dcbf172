//! Streams that are not even streams.

use super::{
    heard::Heard,
    hostile::{Line, bringing, hello, saying},
    sender::World,
    world::{COUNTY, GUANGDONG, channel, kept},
};
use tonic::Code;
use yichuan::{record::Kind, rpc::pb, tls::EndpointUrl};

#[tokio::test]
async fn a_stream_that_makes_no_sense_is_given_up() {
    let mut world = World::new().await;
    let heard = Heard::listen();
    let before = kept(world.log());
    let is_logged = |what: &str| {
        let said = heard.take();
        assert!(
            said.iter()
                .any(|event| event.contains_key("fault") || event.contains_key("reason")),
            "{what}: {said:?}"
        );
    };
    let open = |hello| {
        let endpoint = world.endpoint();
        async move { Line::open(&endpoint, COUNTY, GUANGDONG, hello).await }
    };

    let mut line = open(hello()).await.unwrap();
    line.send(saying(hello())).await;
    assert_eq!(
        line.answers().await.unwrap_err().code(),
        Code::InvalidArgument
    );
    is_logged("hello twice");

    let mut line = open(hello()).await.unwrap();
    line.send(pb::RelayRequest { message: None }).await;
    assert_eq!(
        line.answers().await.unwrap_err().code(),
        Code::InvalidArgument
    );
    is_logged("an empty message");

    for (what, expected, changed) in [
        (
            "protocol 2",
            Code::FailedPrecondition,
            pb::RelayHello {
                protocol: 2,
                ..hello()
            },
        ),
        (
            "no tree",
            Code::InvalidArgument,
            pb::RelayHello {
                verified: None,
                ..hello()
            },
        ),
        (
            "no root",
            Code::InvalidArgument,
            pb::RelayHello {
                verified: Some(pb::VerifiedTree::default()),
                ..hello()
            },
        ),
        (
            "65 witnessed",
            Code::InvalidArgument,
            pb::RelayHello {
                witnessed: vec![bytes::Bytes::new(); 65],
                ..hello()
            },
        ),
        (
            "a CRL of 65 KiB",
            Code::InvalidArgument,
            pb::RelayHello {
                crl: vec![0; 65 * 1024].into(),
                ..hello()
            },
        ),
        (
            "a tree that ours never was",
            Code::FailedPrecondition,
            pb::RelayHello {
                verified: Some(pb::VerifiedTree {
                    origin: world.log().origin().to_owned(),
                    size: 2,
                    root: vec![7; 32].into(),
                }),
                ..hello()
            },
        ),
        (
            "a tree larger than ours",
            Code::FailedPrecondition,
            pb::RelayHello {
                verified: Some(pb::VerifiedTree {
                    origin: world.log().origin().to_owned(),
                    size: u64::MAX,
                    root: vec![7; 32].into(),
                }),
                ..hello()
            },
        ),
    ] {
        let refused = open(changed).await.err().unwrap();
        assert_eq!(refused.code(), expected, "{what}");
        is_logged(what);
    }

    // Without a hello.
    let node = channel(&world.endpoint(), COUNTY, GUANGDONG, "node");
    let mut client = pb::exchange_client::ExchangeClient::new(node);
    let delivery = world.forger.delivery(1, 0, &[]);
    let refused = client
        .relay(tokio_stream::iter([bringing(delivery)]))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    is_logged("no hello");

    // Bytes that are no message, behind a good hello.
    let mut line = garbage(&world.endpoint()).await;
    assert!(line.message().await.unwrap().is_some());
    let refused = super::world::within(line.message()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    is_logged("garbage");

    assert!(kept(world.log()) == before);
    world.goes_on().await;
    world.cluster.stop().await;
}

/// Regression: the word that ended a stream overtook the answers to what had been taken before it. The sender then brought
/// those dispatches again, spent its quota on them again, and what it had been refused for waited longer than it was told.
#[tokio::test]
async fn regression_what_a_stream_brought_is_answered_before_the_stream_is_given_up() {
    let mut world = World::new().await;
    let mut line = world.line().await;
    let lead = world.leads.next().unwrap();
    let parcel = world.forger.lead(COUNTY, &lead);
    let delivery = world.forger.delivery(1, line.base, &[parcel]);
    line.send(bringing(delivery)).await;
    line.send(pb::RelayRequest { message: None }).await;

    let answers = line.answers().await.unwrap();
    assert!(matches!(
        world.proved(&answers, 0).1.kind,
        Kind::DispatchReceived(_)
    ));
    assert_eq!(
        line.answers().await.unwrap_err().code(),
        Code::InvalidArgument
    );
    world.goes_on().await;
    world.cluster.stop().await;
}

/// Sends a hello, then bytes that are no protobuf.
async fn garbage(endpoint: &EndpointUrl) -> tonic::Streaming<pb::RelayResponse> {
    use bytes::{BufMut as _, Bytes};
    use prost::Message as _;

    #[derive(Clone, Default)]
    struct Raw;
    impl tonic::codec::Encoder for Raw {
        type Item = Bytes;
        type Error = tonic::Status;
        fn encode(
            &mut self,
            item: Bytes,
            to: &mut tonic::codec::EncodeBuf<'_>,
        ) -> Result<(), tonic::Status> {
            to.put(item);
            Ok(())
        }
    }
    impl tonic::codec::Decoder for Raw {
        type Item = pb::RelayResponse;
        type Error = tonic::Status;
        fn decode(
            &mut self,
            from: &mut tonic::codec::DecodeBuf<'_>,
        ) -> Result<Option<pb::RelayResponse>, tonic::Status> {
            Ok(pb::RelayResponse::decode(from).ok())
        }
    }
    impl tonic::codec::Codec for Raw {
        type Encode = Bytes;
        type Decode = pb::RelayResponse;
        type Encoder = Self;
        type Decoder = Self;
        fn encoder(&mut self) -> Self {
            Self
        }
        fn decoder(&mut self) -> Self {
            Self
        }
    }

    let node = channel(endpoint, COUNTY, GUANGDONG, "node");
    let mut client = tonic::client::Grpc::new(node);
    client.ready().await.unwrap();
    let messages = [
        Bytes::from(saying(hello()).encode_to_vec()),
        Bytes::from_static(&[0xff; 40]),
    ];
    let path = http::uri::PathAndQuery::from_static("/yichuan.v1.Exchange/Relay");
    client
        .streaming(tonic::Request::new(tokio_stream::iter(messages)), path, Raw)
        .await
        .unwrap()
        .into_inner()
}
