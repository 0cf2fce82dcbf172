//! Floods: of connections, of HTTP/2 frames, of calls and of messages, each by somebody with a valid certificate or by
//! nobody at all. Whoever is honest goes on meanwhile, each abuse is ended and counted, and afterwards the node is as
//! empty as before. Real nodes, real sockets, frames written by hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test whose world cannot be set up fails"
)]

#[path = "../adversary/heard.rs"]
mod heard;
#[path = "../adversary/world.rs"]
mod world;

mod calls;
mod connections;
mod frames;
mod messages;
mod raw;

use std::sync::LazyLock;
use world::{COUNTY, ZHEJIANG, eager, leads_to, within};
use yichuan::{
    cli::demo::cluster::Cluster,
    config::Config,
    domain::LeadFields,
    node::Load,
    telemetry::{Metrics, SystemClock},
};

static METRICS: LazyLock<Metrics> = LazyLock::new(|| Metrics::install().unwrap());

/// A counter of all nodes of this process.
fn counted(name: &str) -> u64 {
    let rendered = METRICS.render();
    let value = rendered.lines().find_map(|line| line.strip_prefix(name));
    value.map_or(0, |value| value.trim().parse().unwrap())
}

/// The county, which is flooded, and Zhejiang, with which it goes on exchanging.
struct World {
    _dir: tempfile::TempDir,
    cluster: Cluster,
    leads: std::vec::IntoIter<LeadFields>,
    base: Load,
}

async fn world(arrange: impl Fn(&mut Config)) -> World {
    LazyLock::force(&METRICS);
    heard::install();
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start_with(dir.path(), &[COUNTY, ZHEJIANG], eager(), |config| {
        arrange(config);
        std::sync::Arc::new(SystemClock)
    })
    .await
    .unwrap();
    cluster.introduce().await.unwrap();
    let mut world = World {
        _dir: dir,
        base: cluster.member(COUNTY).node.load(),
        leads: leads_to(ZHEJIANG).into_iter(),
        cluster,
    };
    // Both streams are up from here on.
    world.honest_traffic_flows().await;
    let streams = |load: Load| load.connections == 1 && load.handshakes == 0;
    within(async {
        while !streams(world.load()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    world.base = world.load();
    world
}

impl World {
    fn load(&self) -> Load {
        self.cluster.member(COUNTY).node.load()
    }

    /// An officer connects anew and pushes a lead, and it gets Zhejiang's receipt.
    async fn honest_traffic_flows(&mut self) {
        let lead = self.leads.next().unwrap();
        within(world::honest_traffic_flows(&self.cluster, &lead)).await;
    }

    /// Nothing of the flood is left.
    async fn is_as_before(&self) {
        within(async {
            while self.load() != self.base {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        })
        .await;
    }
}
