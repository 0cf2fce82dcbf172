//! Floods of connections.

use super::{COUNTY, raw, world, world::within};
use std::{collections::VecDeque, time::Duration};
use tokio::io::AsyncWriteExt as _;

/// Connections that never finish their handshake, from everywhere and without end.
async fn flood(to: std::net::SocketAddr, says: &[u8]) {
    let mut held = VecDeque::new();
    for n in 0u32.. {
        let host = u8::try_from(2 + n % 200).unwrap();
        if let Ok(mut tcp) = raw::tcp([127, 0, 1, host], to).await {
            drop(tcp.write_all(says).await);
            held.push_back(tcp);
        }
        if held.len() > 300 {
            held.pop_front();
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn half_open_and_garbage_handshakes_hold_nobody_up() {
    let mut world = world(|config| config.limits.handshakes = 64).await;
    let to = world.cluster.member(COUNTY).node.address();
    let crowded = "yichuan_tls_refused_total{reason=\"crowded_out\"}";
    let garbled = "yichuan_tls_refused_total{reason=\"handshake\"}";
    let before = (world.counted.of(crowded), world.counted.of(garbled));
    for says in [
        &b""[..],
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut most = 0;
        let honest = async {
            for _ in 0..2 {
                world.honest_traffic_flows().await;
                most = most.max(world.load().handshakes);
            }
        };
        tokio::select! {
            () = flood(to, says) => unreachable!("it has no end"),
            () = honest => {}
        }
        assert!(most <= 64, "{most}");
    }
    assert!(world.counted.of(crowded) > before.0);
    assert!(world.counted.of(garbled) > before.1);
    world.is_as_before().await;
}

#[tokio::test]
async fn one_that_connects_and_says_nothing_has_its_share_and_no_more() {
    let mut world = world(|config| {
        config.limits.connections = 32;
        config.limits.connections_per_principal = 8;
        config.limits.handshake_timeout = Duration::from_secs(2);
    })
    .await;
    let to = world.cluster.member(COUNTY).node.address();
    let refused = "yichuan_tls_refused_total{reason=\"too_many_of_principal\"}";
    let silent = "yichuan_tls_refused_total{reason=\"silent\"}";
    let before = (world.counted.of(refused), world.counted.of(silent));
    let mut held = Vec::new();
    for _ in 0..40 {
        held.push(within(raw::tls("officer-002", to)).await.unwrap());
    }
    world.honest_traffic_flows().await;
    assert!(world.load().connections <= 8 + 2, "{:?}", world.load());
    world.is_as_before().await;
    assert!(world.counted.of(refused) >= before.0 + 32);
    assert!(world.counted.of(silent) >= before.1 + 8);
    drop(held);
}
