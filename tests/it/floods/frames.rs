//! Abuses of HTTP/2 itself, by somebody with a valid certificate.

use super::{
    COUNTY, World,
    raw::{
        CONTINUATION, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, Heard, PING, RST_STREAM,
        Raw, SETTINGS, call_headers, frame,
    },
    world,
    world::within,
};

const PATH: &str = "/yichuan.v1.Partners/ListPartners";

async fn hostile(world: &World) -> Raw {
    let to = world.cluster.member(COUNTY).node.address();
    Raw::connect("officer-002", to).await.unwrap()
}

#[tokio::test]
async fn rapid_reset_is_told_to_calm_down() {
    // CVE-2023-44487.
    let mut world = world(|_| {}).await;
    let mut raw = hostile(&world).await;
    let mut flood = Vec::new();
    for n in 0..5_000 {
        let stream = 2 * n + 1;
        flood.extend(frame(HEADERS, END_HEADERS, stream, &call_headers(PATH)));
        flood.extend(frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
    }
    raw.say(&flood).await;
    let heard = within(raw.listen(|heard| heard.goaway.is_some())).await;
    assert_eq!(heard.goaway, Some(ENHANCE_YOUR_CALM), "{heard:?}");
    world.honest_traffic_flows().await;
    drop(raw);
    world.is_as_before().await;
}

#[tokio::test]
async fn headers_without_end_are_told_to_calm_down() {
    // The CONTINUATION flood, CVE-2024-27316 and its kin.
    let mut world = world(|_| {}).await;
    let mut raw = hostile(&world).await;
    raw.say(&frame(HEADERS, 0, 1, &call_headers(PATH))).await;
    let mut said = 0;
    // A literal header of a kilobyte, again and again.
    let mut block = vec![0x00, 1, b'x', 0x7f, 0x81, 0x07];
    block.extend([b'x'; 1024]);
    while said < 10_000 && raw.say(&frame(CONTINUATION, 0, 1, &block)).await {
        said += 1;
    }
    let heard = within(raw.listen(|heard| heard.goaway.is_some())).await;
    assert_eq!(heard.goaway, Some(ENHANCE_YOUR_CALM), "{heard:?}");
    world.honest_traffic_flows().await;
    drop(raw);
    world.is_as_before().await;
}

#[tokio::test]
async fn a_bomb_in_the_headers_does_not_go_off() {
    let mut world = world(|_| {}).await;
    let answered = |heard: &Heard| heard.frames[usize::from(HEADERS)] > 0;
    let mut raw = hostile(&world).await;
    // Without the bomb, the service answers.
    raw.say(&frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        1,
        &call_headers(PATH),
    ))
    .await;
    assert_eq!(within(raw.listen(answered)).await.status, Some(0x88));
    drop(raw);

    let mut raw = hostile(&world).await;
    // One header of 3 KiB into the dynamic table, and ten thousand references to it: 30 MiB in 13 KiB.
    let mut block = call_headers(PATH);
    block.extend([0x40, 1, b'x', 0x7f, 0x81, 0x17]);
    block.extend([b'x'; 3072]);
    block.extend([0xbe; 10_000]);
    raw.say(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block))
        .await;
    let heard = within(raw.listen(|heard| answered(heard) || heard.goaway.is_some())).await;
    // No service has seen it.
    assert_eq!(
        (heard.status, heard.goaway),
        (None, Some(ENHANCE_YOUR_CALM))
    );
    world.honest_traffic_flows().await;
    drop(raw);
    world.is_as_before().await;
}

#[tokio::test]
async fn pings_and_settings_without_end_hold_up_nobody_else() {
    let mut world = world(|_| {}).await;
    for (kind, payload) in [(PING, &[7; 8][..]), (SETTINGS, &[])] {
        let mut raw = hostile(&world).await;
        let burst = frame(kind, 0, 0, payload).repeat(1_000);
        let flood = async {
            // Nobody listens to the answers: what the node would say waits, and it reads no more meanwhile.
            while raw.say(&burst).await {}
        };
        tokio::select! {
            () = flood => {}
            () = async {
                for _ in 0..2 {
                    world.honest_traffic_flows().await;
                }
            } => {}
        }
        drop(raw);
        world.is_as_before().await;
    }
}
