//! Starts a node: opens its log, builds its parts, asks its partners, and lets the first writes through.

use super::{
    DataDirError, Node, RebuildNodeError, TrustError,
    data_dir::DataDir,
    ended,
    follow_partners::FollowPartners,
    open::{StoreLayer, open_with},
    open_files,
    scrub::scrub,
    trust::Trust,
};
use crate::{
    access::{Ledger, Policy},
    api::Meter,
    casework::{
        Casework, CaseworkAdmission, PartnerAdmin, PartnerRefused, ensure_policy, has_policy,
        recount_quotas, start_log,
    },
    config::Config,
    domain::Clock,
    exchange::{
        ClockSkews, Courier, CourierOptions, Directory, DisclosedTrees, Inbox, InboxParts, Outbox,
        OwnLog, Vault, VaultError, Witness, WitnessError,
    },
    log::{Closure, Log, LogHealth, OpenError},
    note::LogSigner,
    rpc::{self, GrpcCarrier, RevocationLists},
    store::{DiskReserve, OpenStoreError, StoreError},
    tls::{self, Cards, TlsError},
};
use arc_swap::ArcSwap;
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

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
    /// The views of an older program were not rebuilt.
    #[error("the views of an older program could not be rebuilt: {0}")]
    Views(#[from] RebuildNodeError),
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
        let measured = Arc::clone(&reserve);
        tokio::task::spawn_blocking(move || measured.measure())
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
        let partners = PartnerAdmin::new(log.clone(), own, Arc::new(Cards), Arc::clone(&vault));
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
                admission: Arc::new(CaseworkAdmission::new(
                    own,
                    Arc::clone(&vault),
                    Arc::new(Cards),
                )),
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
        let casework = Casework::new(
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
        let changed = FollowPartners {
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
            casework,
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
}

pub(super) fn policy_of(config: &Config) -> Policy {
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
