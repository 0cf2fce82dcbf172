//! Floods of calls and streams on good connections.

use super::heard::Heard;
use super::{
    COUNTY,
    raw::{DATA, END_HEADERS, HEADERS, Raw, call_headers, frame},
    world,
    world::{channel, within},
};
use futures_util::{StreamExt as _, future::join_all, stream};
use tonic::Code;
use yichuan::{
    access::Purpose,
    cli::demo::cluster::grounds,
    rpc::{
        RefusedFor,
        pb::{self, partners_client::PartnersClient, records_client::RecordsClient},
    },
};

#[tokio::test]
async fn calls_and_streams_without_end_are_refused_to_one_and_answered_to_others() {
    let mut world = world(|config| {
        config.quotas.calls_per_minute = 300;
        config.quotas.streams = 8;
    })
    .await;
    let endpoint = world.cluster.member(COUNTY).config.listen.endpoint.clone();
    let refused = "yichuan_quota_refusals_total{quota=\"streams\"}";
    let before = world.counted.of(refused);
    let hostile = channel(&endpoint, COUNTY, COUNTY, "officer-002");

    let request = || pb::WatchRecordsRequest {
        family: pb::RecordFamily::Referral.into(),
        grounds: Some(grounds(COUNTY, Purpose::Assistance)),
        after_index: None,
    };
    let mut held = Vec::new();
    for _ in 0..100 {
        let mut client = RecordsClient::new(hostile.clone());
        held.extend(within(client.watch_records(request())).await.ok());
    }
    assert_eq!(held.len(), 8);
    assert!(world.counted.of(refused) >= before + 92);

    let flood = stream::iter(0..)
        .map(|_| async {
            let mut client = PartnersClient::new(hostile.clone());
            let grounds = Some(grounds(COUNTY, Purpose::Screening));
            client
                .list_partners(pb::ListPartnersRequest { grounds })
                .await
        })
        .buffer_unordered(100)
        .filter_map(async |answer| answer.err());
    let flood = flood.for_each(async |status| {
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    });
    tokio::select! {
        () = flood => unreachable!("it has no end"),
        () = async {
            for _ in 0..3 {
                world.honest_traffic_flows().await;
            }
        } => {}
    }
    drop((held, hostile));
    world.is_as_before().await;
}

#[tokio::test]
async fn a_call_that_trickles_is_ended_and_holds_up_nobody() {
    let mut world = world(|_| {}).await;
    let to = world.cluster.member(COUNTY).node.address();
    let mut raw = Raw::connect("officer-002", to).await.unwrap();
    // As many as one connection may have under way, each the first bytes of a message.
    let headers = call_headers("/yichuan.v1.Partners/ListPartners");
    for n in 0..64 {
        raw.say(&frame(HEADERS, END_HEADERS, 2 * n + 1, &headers))
            .await;
        raw.say(&frame(DATA, 0, 2 * n + 1, &[0, 0, 0])).await;
    }
    world.honest_traffic_flows().await;
    // Another byte of each now and then does not put off the end, which comes after half a minute.
    let trickle = async {
        let mut ended = 0;
        while ended < 64 {
            for n in 0..64 {
                raw.say(&frame(DATA, 0, 2 * n + 1, &[0])).await;
            }
            let tick = tokio::time::sleep(std::time::Duration::from_secs(5));
            tokio::select! {
                () = tick => {}
                _ = raw.listen(|heard| heard.frames[usize::from(HEADERS)] >= 64) => {}
            }
            ended = raw.heard.frames[usize::from(HEADERS)];
            assert!(!raw.heard.closed, "{:?}", raw.heard);
        }
    };
    let patience = std::time::Duration::from_secs(90);
    tokio::time::timeout(patience, trickle).await.unwrap();
    world.honest_traffic_flows().await;
    drop(raw);
    world.is_as_before().await;
}

/// Regression: a node took 128 streams of a connection and served 64 requests; the others got a bare status of tonic's, with
/// no reason, no word when to come back, and no line in the log.
#[tokio::test]
async fn regression_of_many_calls_on_one_connection_each_is_answered_or_told_why() {
    let mut world = world(|config| config.quotas.calls_per_minute = 150).await;
    let endpoint = world.cluster.member(COUNTY).config.listen.endpoint.clone();
    let heard = Heard::listen();
    let one = channel(&endpoint, COUNTY, COUNTY, "officer-002");
    let lists = (0..200).map(|_| {
        let mut client = RecordsClient::new(one.clone());
        async move {
            let request = pb::ListRecordsRequest {
                family: pb::RecordFamily::Lead.into(),
                grounds: Some(grounds(COUNTY, Purpose::Screening)),
                limit: 1,
                ..Default::default()
            };
            client.list_records(request).await
        }
    });
    let ended = within(join_all(lists)).await;
    let refused: Vec<_> = ended.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 50);
    for status in &refused {
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert!(status.message().contains("calls_per_minute"), "{status:?}");
        assert!(status.metadata().contains_key("retry-after"), "{status:?}");
    }
    let lines = heard.take();
    let reason = |line: &&super::heard::Said| {
        line.get("reason").map(String::as_str) == Some("calls_per_minute")
    };
    assert_eq!(lines.iter().filter(reason).count(), 50);
    drop(one);
    world.honest_traffic_flows().await;
    world.is_as_before().await;
}

/// Regression: a call that was not answered in time was ended by tonic, ahead of the layer that logs.
#[tokio::test]
async fn regression_a_call_that_is_not_answered_in_time_leaves_a_line() {
    let mut world = world(|_| {}).await;
    let to = world.cluster.member(COUNTY).node.address();
    let heard = Heard::listen();
    let mut raw = Raw::connect("officer-002", to).await.unwrap();
    let mut headers = call_headers("/yichuan.v1.Records/PushRecords");
    headers.extend([0x00, 12]);
    headers.extend(b"grpc-timeout");
    headers.extend([4]);
    headers.extend(b"200m");
    // It never says what it pushes.
    raw.say(&frame(HEADERS, END_HEADERS, 1, &headers)).await;
    within(raw.listen(|heard| heard.frames[usize::from(HEADERS)] > 0)).await;
    let late = RefusedFor::Late.as_str();
    let lines = heard.take();
    assert!(
        lines
            .iter()
            .any(|line| line.get("reason").map(String::as_str) == Some(late)),
        "{lines:?}"
    );
    drop(raw);
    world.honest_traffic_flows().await;
    world.is_as_before().await;
}
