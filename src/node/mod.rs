//! A node: its parts wired together, and the order in which they start and stop.
//!
//! Begin with [`Node::start_on`], which builds everything in order. `data_dir.rs` is what lies on disk, `trust.rs`
//! follows certificates and partners, and `doctor/` repairs a stopped node.

mod core_dumps;
pub mod data_dir;
pub mod doctor;
mod open;
mod open_files;
mod preflight;
mod rebuild;
mod serve;
mod trust;

pub use core_dumps::forbid_dumps;
pub use data_dir::DataDirError;
pub use open::{StoreLayer, open_log, views};
pub use open_files::TooFewFiles;
pub use preflight::{Found, Looked, look};
pub use rebuild::{RebuildNodeError, Rebuilt, rebuild_views};
pub use serve::{NodeError, serve};
pub use trust::TrustError;

use crate::{
    access::{Ledger, Policy},
    api::Meter,
    config::Config,
    desk::{
        Desk, DeskAdmission, PartnerDesk, PartnerRefused, ensure_policy, has_policy,
        recount_quotas, start_log,
    },
    domain::{Clock, Jurisdiction},
    exchange::{
        ClockSkews, Courier, CourierOptions, Directory, DisclosedTrees, Inbox, InboxParts,
        LinkState, Outbox, OwnLog, Vault, VaultError, Witness, WitnessError,
    },
    log::{Closure, Log, LogHealth, OpenError, ReadError},
    note::LogSigner,
    rpc::{self, GrpcCarrier, PartnersChanged, RevocationLists},
    store::{DiskReserve, OpenStoreError, StoreError},
    telemetry::{Probe, Readiness},
    tls::{self, Cards, Drained, TlsError},
};
use arc_swap::ArcSwap;
use data_dir::DataDir;
use open::open_with;
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle, time::MissedTickBehavior};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use trust::Trust;

/// Time between the start and the first scrub of the log, when the couriers have caught up.
const SCRUB_AFTER: Duration = Duration::from_secs(600);
const SCRUB_EVERY: Duration = Duration::from_secs(24 * 3600);
/// Time between two steps of a scrub, each some thousand entries: most of the machine's time is left to its users.
const SCRUB_PAUSE: Duration = Duration::from_millis(50);

/// A node could not start, or not continue.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its data directory.
    #[error(transparent)]
    Files(#[from] DataDirError),
    /// The store does not open.
    #[error(transparent)]
    OpenStore(#[from] OpenStoreError),
    /// The store does not read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log does not open.
    #[error(transparent)]
    OpenLog(#[from] OpenError),
    /// The bucket keys.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What partners showed before.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// The partners.
    #[error(transparent)]
    Partners(#[from] PartnerRefused),
    /// The certificates.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address is taken, or not on this machine.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The log takes no writes, though it was just opened.
    #[error("{0}")]
    Log(String),
}

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

/// Follows a change of the partners: directory, trust, streams, couriers, in this order.
#[derive(Debug)]
struct Follow {
    partners: PartnerDesk,
    directory: Arc<Directory>,
    trust: Arc<Trust>,
    inbox: Arc<Inbox>,
    courier: Arc<Courier>,
    /// Held from reading the rows until everything follows them: an older state never replaces a newer one.
    turn: tokio::sync::Mutex<()>,
}

impl PartnersChanged for Follow {
    fn changed(&self) -> Pin<Box<dyn Future<Output = Result<usize, String>> + Send + '_>> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            self.partners
                .refresh(&self.directory)
                .await
                .map_err(|e| e.to_string())?;
            let cut = self.trust.follow(&self.directory).await;
            // Even if our own certificates are invalid: whoever is cut off stays cut off.
            self.inbox.follow();
            self.courier.refresh();
            cut.map_err(|e| e.to_string())
        })
    }

    fn left_out(&self) -> BTreeMap<Jurisdiction, String> {
        left_out(&self.directory, &self.trust)
    }

    fn key_exchanges(&self, partner: Jurisdiction) -> [String; 2] {
        let (gate, dialer) = (self.trust.gate(), self.trust.dialer());
        [gate.key_exchange(partner), dialer.key_exchange(partner)].map(Option::unwrap_or_default)
    }
}

/// Approved partners with which nothing can be exchanged, and why.
fn left_out(directory: &Directory, trust: &Trust) -> BTreeMap<Jurisdiction, String> {
    let mut left_out = trust.left_out();
    left_out.extend(directory.cut_off().unreadable.clone());
    left_out
}

impl Node {
    /// Starts a node as configured.
    ///
    /// # Errors
    /// What keeps it from starting. Nothing is left running then.
    pub async fn start(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        Self::start_with(config, clock, CourierOptions::default()).await
    }

    /// As [`Node::start`], with other waiting times.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub async fn start_with(
        config: &Config,
        clock: Arc<dyn Clock>,
        waits: CourierOptions,
    ) -> Result<Self, StartError> {
        let layer: StoreLayer = Box::new(|store| Arc::new(store));
        Self::start_on(config, clock, waits, layer).await
    }

    /// As [`Node::start_with`], with the store wrapped by `layer`.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub async fn start_on(
        config: &Config,
        clock: Arc<dyn Clock>,
        waits: CourierOptions,
        layer: StoreLayer,
    ) -> Result<Self, StartError> {
        let (own, files) = (config.jurisdiction, DataDir::at(&config.data));
        let opening = {
            let (files, clock) = (files.clone(), Arc::clone(&clock));
            tokio::task::spawn_blocking(move || {
                let signer = Arc::new(files.signer()?);
                let opened = open_with(&files, Arc::clone(&signer), own, clock, layer)?;
                Ok::<_, StartError>((signer, opened))
            })
        };
        let (signer, (log, vault)) = opening
            .await
            .map_err(|_| StartError::Log("opening the log was cut off".into()))??;
        let running = (CancellationToken::new(), TaskTracker::new());
        let parts = (signer, log.clone(), vault);
        let started = Self::assemble(config, clock, waits, &files, parts, running.clone()).await;
        if started.is_err() {
            running.0.cancel();
            ended(&running.1).await;
            log.close().await;
        }
        started
    }

    async fn assemble(
        config: &Config,
        clock: Arc<dyn Clock>,
        waits: CourierOptions,
        files: &DataDir,
        (signer, log, vault): (Arc<LogSigner>, Log, Arc<Vault>),
        (stop, tasks): (CancellationToken, TaskTracker),
    ) -> Result<Self, StartError> {
        let own = config.jurisdiction;
        let reserve = Arc::new(DiskReserve::new(files.store(), config.limits.disk_reserve));
        let looking = Arc::clone(&reserve);
        tokio::task::spawn_blocking(move || looking.look())
            .await
            .map_err(|_| StartError::Log("asking for disk space was cut off".into()))??;
        vault.keep_free(Arc::clone(&reserve));
        // Until partners were asked what they hold of this log: see `Node::begin`.
        log.hold_writes();
        let policy = policy_of(config);
        let known = policy.clone();
        let in_force = log
            .read(move |mut reader| has_policy(&mut reader, &known))
            .await
            .map_err(|e| StartError::Log(e.to_string()))?
            .map_err(|e| StartError::Log(e.to_string()))?;
        let policy = if in_force {
            policy
        } else {
            Policy {
                own,
                auditors: std::collections::BTreeSet::new(),
                units: crate::access::Units::default(),
            }
        };
        let policy = Arc::new(ArcSwap::from_pointee(policy));

        let directory = Arc::new(Directory::default());
        let partners = PartnerDesk::new(log.clone(), own, Arc::new(Cards), Arc::clone(&vault));
        partners.refresh(&directory).await?;
        let witness = log
            .read(|mut reader| Witness::load(&mut reader))
            .await
            .map_err(|e| StartError::Log(e.to_string()))??;
        let witness = Arc::new(witness);
        let trust = Trust::start(
            own,
            config.tls.clone(),
            config.limits.gate(),
            Arc::clone(&clock),
            log.clone(),
            Arc::clone(&reserve),
            &directory,
        )
        .await?;

        let more = open_files::more_sockets(&config.limits.gate());
        trust.dialer().allow_more(more);

        let shown = Arc::new(DisclosedTrees::default());
        let own_log = Arc::new(OwnLog::new(log.clone()));
        let skews = Arc::new(ClockSkews::default());
        let outbox = Arc::new(Outbox::new(
            log.clone(),
            own,
            Arc::clone(&vault),
            Arc::clone(&witness),
            Arc::clone(&shown),
            Arc::clone(&own_log),
        ));
        let inbox = Arc::new(Inbox::new(
            log.clone(),
            InboxParts {
                own,
                signer,
                clock: Arc::clone(&clock),
                vault: Arc::clone(&vault),
                witness: Arc::clone(&witness),
                shown,
                directory: Arc::clone(&directory),
                admission: Arc::new(DeskAdmission::new(own, Arc::clone(&vault), Arc::new(Cards))),
                own_log: Arc::clone(&own_log),
                skews: Arc::clone(&skews),
            },
        ));
        let lists: Arc<dyn RevocationLists> = Arc::clone(&trust) as Arc<dyn RevocationLists>;
        let carrier = GrpcCarrier::new(
            Arc::clone(trust.dialer()),
            Arc::clone(&lists),
            tasks.clone(),
            stop.clone(),
        );
        let courier = Arc::new(Courier::new(
            Arc::clone(&outbox),
            Arc::clone(&inbox),
            Arc::clone(&witness),
            Arc::clone(&directory),
            Arc::new(carrier),
            waits,
            stop.clone(),
        ));
        let desk = Desk::new(
            log.clone(),
            own,
            Arc::clone(&clock),
            vault,
            Arc::clone(&outbox),
            Arc::clone(&directory),
        );
        let (quotas, now) = (config.quotas, clock.now());
        let ledger = log
            .read(move |reader| {
                let mut ledger = Ledger::new(own, quotas);
                recount_quotas(reader, now, &mut ledger).map(|()| ledger)
            })
            .await
            .map_err(|e| StartError::Log(e.to_string()))?
            .map_err(|e| StartError::Log(e.to_string()))?;
        let (meter, reports) = Meter::new(ledger, Arc::clone(&clock));
        tasks.spawn(reports.write(log.clone(), own, stop.clone()));
        let changed = Follow {
            partners: partners.clone(),
            directory: Arc::clone(&directory),
            trust: Arc::clone(&trust),
            inbox: Arc::clone(&inbox),
            courier: Arc::clone(&courier),
            turn: tokio::sync::Mutex::default(),
        };
        let router = rpc::router(rpc::Services {
            policy: Arc::clone(&policy),
            meter,
            log: log.clone(),
            desk,
            partners,
            directory: Arc::clone(&directory),
            witness,
            inbox,
            courier: Arc::clone(&courier),
            lists,
            changed: Arc::new(changed),
            requests_per_connection: config.limits.requests_per_connection,
            tasks: tasks.clone(),
            stop: stop.clone(),
        })
        .await
        .map_err(|e| StartError::Log(e.to_string()))?;

        let listen = |source| StartError::Listen {
            address: config.listen.address,
            source,
        };
        let listener = TcpListener::bind(config.listen.address)
            .await
            .map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let incoming = trust.gate().incoming(listener, &tasks, stop.clone())?;
        let serving = {
            let (gate, stop, drain) = (Arc::clone(trust.gate()), stop.clone(), config.limits.drain);
            tasks.spawn(async move {
                tls::serve(&gate, incoming, stop, drain, |incoming, stop| {
                    router.serve_with_incoming_shutdown(incoming, stop)
                })
                .await
            })
        };
        let announcing = Arc::clone(&outbox);
        let until = stop.clone();
        tasks.spawn(async move {
            until.run_until_cancelled(announcing.announce()).await;
        });
        let (scrubbed, until) = (log.clone(), stop.clone());
        tasks.spawn(async move {
            until.run_until_cancelled(scrub(&scrubbed)).await;
        });
        let (written, until) = (log.clone(), stop.clone());
        tasks.spawn(async move {
            until.run_until_cancelled(written.report_stalls()).await;
        });
        let (watching, until) = (Arc::clone(&reserve), stop.clone());
        tasks.spawn(async move {
            until.run_until_cancelled(watching.watch()).await;
        });
        courier.refresh();
        let node = Self {
            own,
            address,
            clock,
            log,
            policy,
            directory,
            trust,
            courier,
            own_log,
            skews,
            reserve,
            tasks,
            stop,
            serving: Mutex::new(Some(serving)),
        };
        if let Err(error) = node.begin(config).await {
            node.stop().await;
            return Err(error);
        }
        let size = node.log.checkpoint().size();
        tracing::info!(jurisdiction = %own, %address, size, "the node is up");
        Ok(node)
    }

    /// Asks all partners at once what they hold of this log, and only then lets anything be written: first which log
    /// this is and who may read it, then what waited meanwhile. A node whose log turns out not to be the one that it
    /// showed still starts: it reports that, and can be read.
    async fn begin(&self, config: &Config) -> Result<(), StartError> {
        let wait = config.exchange.start_wait;
        self.own_log.ask_all(&self.directory, wait).await;
        let (ahead, policy) = (self.log.ahead(), policy_of(config));
        let begun = match start_log(&ahead, self.own).await {
            Ok(()) => ensure_policy(&ahead, &policy).await,
            failed => failed,
        };
        self.log.admit_writes();
        match (begun, self.log.health()) {
            (Ok(()), _) => self.policy.store(Arc::new(policy)),
            (Err(_), LogHealth::Closed { why }) if matches!(*why, Closure::Disowned { .. }) => {}
            (Err(error), _) => return Err(StartError::Log(error.to_string())),
        }
        Ok(())
    }

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

    /// A probe of the node's health.
    pub fn probe(&self) -> Probe {
        let (log, trust, clock, own, reserve, directory) = (
            self.log.clone(),
            Arc::clone(&self.trust),
            Arc::clone(&self.clock),
            self.own,
            Arc::clone(&self.reserve),
            Arc::clone(&self.directory),
        );
        let (own_log, skews) = (Arc::clone(&self.own_log), Arc::clone(&self.skews));
        Arc::new(move || {
            let mut reasons = Vec::new();
            if let LogHealth::Closed { why } = log.health() {
                reasons.push(why.to_string());
            }
            if let Some(lasts) = log.stalled() {
                let lasts = lasts.as_secs();
                reasons.push(format!(
                    "a write to the log has not returned for {lasts} s: see whether the disk hangs"
                ));
            }
            if let Err(short) = reserve.admit() {
                reasons.push(short.to_string());
            }
            let stale = trust.gate().trust();
            if stale.without_fresh_crl(clock.now()).any(|code| code == own) {
                reasons.push("our own revocation list has expired; issue a new one".to_owned());
            }
            if !reasons.is_empty() {
                return Readiness::NotReady(reasons);
            }
            let mut warnings: Vec<_> = left_out(&directory, &trust)
                .into_iter()
                .map(|(partner, why)| format!("partner {partner} is left out: {why}"))
                .collect();
            if own_log.asked_nobody(&directory) {
                warnings.push(
                    "no partner could be asked since the start what it holds of this log; nobody would have noticed an \
                     older copy of the store"
                        .to_owned(),
                );
            }
            warnings.extend(skews.own_clock().map(|wrong| wrong.to_string()));
            if warnings.is_empty() {
                Readiness::Ready
            } else {
                Readiness::Warned(warnings)
            }
        })
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

/// Hashes the whole log again, soon after the start and then once a day (I3). A mismatch closes the log and names the
/// damage, which the health port then reports.
async fn scrub(log: &Log) {
    let first = tokio::time::Instant::now() + SCRUB_AFTER;
    let mut due = tokio::time::interval_at(first, SCRUB_EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        match log.scrub(SCRUB_PAUSE).await {
            Ok(entries) => tracing::info!(entries, "the whole log was hashed again and is sound"),
            // The result closed the log and was reported; checking again does not improve it.
            Err(ReadError::Store(_) | ReadError::Damaged(_)) => return,
            Err(error) => {
                tracing::warn!(%error, "the log could not be hashed; it is tried again in a day")
            }
        }
    }
}

fn policy_of(config: &Config) -> Policy {
    Policy {
        own: config.jurisdiction,
        auditors: config
            .access
            .auditors
            .iter()
            .map(ToString::to_string)
            .collect(),
        units: config.access.units.clone(),
    }
}
