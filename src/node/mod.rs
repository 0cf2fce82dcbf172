//! A node: its parts wired together, and the order in which they start and stop.
//!
//! Begin with `start.rs`, which builds everything in order. `data_dir.rs` is what lies on disk, `trust.rs`
//! follows certificates and partners, and `doctor/` repairs a stopped node.

mod core_dumps;
pub mod data_dir;
pub mod doctor;
mod follow_partners;
mod open;
mod open_files;
mod preflight;
mod probe;
mod rebuild;
mod scrub;
mod serve;
mod start;
mod trust;

pub(crate) use core_dumps::forbid_dumps;
pub use data_dir::DataDirError;
pub use open::{StoreLayer, open_log, views};
pub use open_files::TooFewFiles;
pub(crate) use preflight::{Check, Found, check_config};
pub use rebuild::{RebuildNodeError, Rebuilt, rebuild_views};
pub use serve::{NodeError, serve};
pub use start::StartError;
pub use trust::TrustError;

use crate::{
    access::Policy,
    casework::ensure_policy,
    config::Config,
    domain::{Clock, Jurisdiction},
    exchange::{ClockSkews, Courier, Directory, LinkState, OwnLog},
    log::Log,
    store::DiskReserve,
    tls::Drained,
};
use arc_swap::ArcSwap;
use start::policy_of;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use trust::Trust;

/// A running node.
pub struct Node {
    own: Jurisdiction,
    address: SocketAddr,
    clock: Arc<dyn Clock>,
    log: Log,
    policy: Arc<ArcSwap<Policy>>,
    directory: Arc<Directory>,
    trust: Arc<Trust>,
    courier: Arc<Courier>,
    own_log: Arc<OwnLog>,
    skews: Arc<ClockSkews>,
    reserve: Arc<DiskReserve>,
    tasks: TaskTracker,
    stop: CancellationToken,
    serving: Mutex<Option<JoinHandle<Result<Drained, tonic::transport::Error>>>>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("own", &self.own)
            .field("address", &self.address)
            .finish()
    }
}

/// The current load of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Handshakes under way.
    pub handshakes: usize,
    /// Connections after their handshake.
    pub connections: usize,
    /// Tasks of connections, streams and the node itself.
    pub tasks: usize,
}

impl Node {
    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// What it is busy with.
    pub fn load(&self) -> Load {
        let (handshakes, connections) = self.trust.gate().occupancy();
        Load {
            handshakes,
            connections,
            tasks: self.tasks.len(),
        }
    }

    /// The state of the stream to each partner.
    pub fn links(&self) -> BTreeMap<Jurisdiction, LinkState> {
        self.courier.states()
    }

    /// Reads certificates and policy again. On an error the old ones stay.
    ///
    /// # Errors
    /// What is wrong with the new ones.
    pub async fn reload(&self, config: &Config) -> Result<(), StartError> {
        let cut = self.trust.reload(&self.directory).await?;
        let policy = policy_of(config);
        ensure_policy(&self.log, &policy)
            .await
            .map_err(|e| StartError::Log(e.to_string()))?;
        self.policy.store(Arc::new(policy));
        tracing::info!(cut, "certificates and policy are reloaded");
        Ok(())
    }

    /// Stops the node: no new connections, streams end, connections drain, the log closes last.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.courier.stopped().await;
        let serving = self
            .serving
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(serving) = serving {
            match serving.await {
                Ok(Ok(Drained::Clean)) => {}
                Ok(Ok(Drained::Cut(count))) => tracing::warn!(count, "connections were cut"),
                Ok(Err(error)) => tracing::error!(%error, "serving failed"),
                Err(error) => tracing::error!(%error, "serving was cut off"),
            }
        }
        ended(&self.tasks).await;
        self.log.close().await;
        tracing::info!(jurisdiction = %self.own, "the node is stopped");
    }
}

/// Waits for tracked tasks, which were told to stop.
async fn ended(tasks: &TaskTracker) {
    tasks.close();
    if tokio::time::timeout(Duration::from_secs(10), tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!(count = tasks.len(), "tasks did not end in time");
    }
}
