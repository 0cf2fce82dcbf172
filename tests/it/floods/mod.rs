//! Floods: of connections, of HTTP/2 frames, of calls and of messages, each by somebody with a valid certificate or by
//! nobody at all. Whoever is honest goes on meanwhile, each abuse is ended and counted, and afterwards the node is as
//! empty as before. Real nodes, real sockets, frames written by hand.

mod calls;
mod connections;
mod frames;
mod messages;
mod raw;

use crate::common::{counted::Counted, heard, world};
use world::{COUNTY, ZHEJIANG, eager, leads_to, within};
use yichuan::{
    cli::demo::cluster::Cluster, config::Config, domain::LeadFields, node::Load,
    telemetry::SystemClock,
};

/// The county, which is flooded, and Zhejiang, with which it goes on exchanging.
struct World {
    _dir: tempfile::TempDir,
    cluster: Cluster,
    counted: Counted,
    leads: std::vec::IntoIter<LeadFields>,
    base: Load,
}

async fn world(arrange: impl Fn(&mut Config)) -> World {
    let counted = Counted::start();
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
        counted,
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
