//! Floods of calls and streams on good connections.

use crate::{
    COUNTY, counted,
    raw::{DATA, END_HEADERS, HEADERS, Raw, call_headers, frame},
    world,
    world::{channel, within},
};
use futures_util::{StreamExt as _, stream};
use tonic::Code;
use yichuan::{
    access::Purpose,
    cli::demo::cluster::grounds,
    rpc::pb::{self, partners_client::PartnersClient, referrals_client::ReferralsClient},
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
    let before = counted(refused);
    let hostile = channel(&endpoint, COUNTY, COUNTY, "officer-002");

    let request = || pb::WatchReferralsRequest {
        grounds: Some(grounds(COUNTY, Purpose::Assistance)),
        after_index: None,
    };
    let mut held = Vec::new();
    for _ in 0..100 {
        let mut client = ReferralsClient::new(hostile.clone());
        held.extend(within(client.watch_referrals(request())).await.ok());
    }
    assert_eq!(held.len(), 8);
    assert!(counted(refused) >= before + 92);

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
        // The quota, or the connection's own bound on requests.
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
