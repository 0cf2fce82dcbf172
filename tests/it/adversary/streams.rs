//! Streams that are not even streams.

use super::{
    heard::Heard,
    hostile::{Line, bringing, hello, saying},
    sender::World,
    world::{COUNTY, GUANGDONG, channel, kept},
};
use bytes::{BufMut as _, Bytes};
use prost::Message as _;
use tonic::Code;
use yichuan::{entry::Kind, rpc::pb, tls::EndpointUrl};

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
                witnessed: vec![Bytes::new(); 65],
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
    let behind = Bytes::from_static(&[0xff; 40]);
    let greeting = saying(hello()).encode_to_vec().into();
    let mut line = raw(&world.endpoint(), vec![greeting, behind])
        .await
        .unwrap();
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

/// Regression: two million dispatches that say nothing, 4 MiB on the wire, were 570 MB in memory before anybody counted
/// them, and before a hello was due.
#[tokio::test]
async fn regression_more_than_a_message_may_hold_is_refused_before_it_is_built() {
    let mut world = World::new().await;
    let heard = Heard::listen();
    let before = kept(world.log());
    let greeting: Bytes = saying(hello()).encode_to_vec().into();
    let nothing = |field: u8, inner: u8| {
        let mut message = vec![field << 3 | 2];
        let inner = [inner << 3 | 2, 0].repeat(2_000_000);
        prost::encoding::encode_varint(inner.len() as u64, &mut message);
        message.extend(inner);
        Bytes::from(message)
    };
    let (witnessed, dispatches, linked) = (nothing(1, 4), nothing(2, 4), nothing(2, 5));
    let early = bringing(pb::Delivery::default()).encode_to_vec().into();
    for (what, said, messages) in [
        (
            "a hello of nothing",
            "would take more than",
            vec![witnessed],
        ),
        (
            "a delivery of nothing",
            "cannot be read",
            vec![greeting.clone(), dispatches.clone()],
        ),
        ("links of nothing", "cannot be read", vec![greeting, linked]),
        (
            "a delivery for a hello",
            "would take more than",
            vec![dispatches],
        ),
        (
            "a short delivery for a hello",
            "comes too early",
            vec![early],
        ),
    ] {
        let refused = match raw(&world.endpoint(), messages).await {
            Err(refused) => refused,
            Ok(mut line) => {
                assert!(line.message().await.unwrap().is_some(), "{what}");
                super::world::within(line.message()).await.unwrap_err()
            }
        };
        assert_eq!(refused.code(), Code::InvalidArgument, "{what}: {refused:?}");
        assert!(refused.message().contains(said), "{what}: {refused:?}");
        let lines = heard.take();
        let is_logged = lines
            .iter()
            .any(|line| line.contains_key("fault") || line.contains_key("reason"));
        assert!(is_logged, "{what}: {lines:?}");
    }
    assert!(kept(world.log()) == before);
    world.goes_on().await;
    world.cluster.stop().await;
}

/// Sends messages as they are.
async fn raw(
    endpoint: &EndpointUrl,
    messages: Vec<Bytes>,
) -> Result<tonic::Streaming<pb::RelayResponse>, tonic::Status> {
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
    let path = http::uri::PathAndQuery::from_static("/yichuan.v1.Exchange/Relay");
    let messages = tonic::Request::new(tokio_stream::iter(messages));
    Ok(client.streaming(messages, path, Raw).await?.into_inner())
}
