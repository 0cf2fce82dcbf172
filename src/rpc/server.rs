//! The router of a node: our services, health and reflection, behind mutual TLS.

use super::{
    audit::AuditService,
    carrier::RevocationLists,
    partners::{PartnersChanged, PartnersService},
    pb,
    rate_limit::RateLimitLayer,
    records::RecordsService,
    refusals::LogRefusals,
    relay::ExchangeService,
    services::{Handlers, SERVICES},
};
use crate::{
    access::Policy,
    api::{Meter, authorizer::Authorizer},
    casework::{Casework, PartnerAdmin},
    exchange::{Courier, Directory, Inbox, Witness},
    log::Log,
};
use arc_swap::ArcSwap;
use std::{sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::transport::{Server, server::Router};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::layer::util::{Identity, Stack};

/// The least limit on concurrent streams of a connection. It exceeds what a client opens before it knows the limit (usually
/// 100), so that no stream is reset unheard. Streams beyond the limit on requests wait their turn.
const STREAMS: usize = 128;

/// The largest request to health and reflection, in bytes: they are asked for the name of a service, a file or a field. Their
/// default is 4 MiB, for 64 requests at once on each connection of anybody with a certificate.
const MAX_QUESTION: usize = 4 * 1024;

/// What the services need.
#[derive(Debug)]
pub(crate) struct Services {
    /// The access policy, which a reload swaps.
    pub(crate) policy: Arc<ArcSwap<Policy>>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) log: Log,
    /// The records that officers work on.
    pub(crate) casework: Casework,
    /// Drafts and approvals of partners.
    pub(crate) partners: PartnerAdmin,
    pub(crate) directory: Arc<Directory>,
    /// Partners' trees.
    pub(crate) witness: Arc<Witness>,
    /// The receiving side.
    pub(crate) inbox: Arc<Inbox>,
    /// The sending side.
    pub(crate) courier: Arc<Courier>,
    /// Revocation lists.
    pub(crate) lists: Arc<dyn RevocationLists>,
    /// What a change of the partners sets in motion.
    pub(crate) changed: Arc<dyn PartnersChanged>,
    /// Concurrent requests of one connection. More wait their turn.
    pub(crate) requests_per_connection: usize,
    /// Tracks the tasks of streams.
    pub(crate) tasks: TaskTracker,
    /// Ends streams.
    pub(crate) stop: CancellationToken,
}

/// The layers that every call passes, the outermost last.
pub(crate) type Layers = Stack<RateLimitLayer, Stack<LogRefusals, Identity>>;

/// The router of a node.
///
/// # Errors
/// The descriptors for reflection are malformed.
pub(crate) async fn router(
    services: Services,
) -> Result<Router<Layers>, tonic_reflection::server::Error> {
    let limits = RateLimitLayer(Arc::clone(&services.meter));
    let refusals = LogRefusals(Arc::clone(&services.meter));
    let authorizer = Authorizer::new(services.policy, services.meter);
    let (tasks, stop) = (services.tasks.clone(), services.stop.clone());
    let handlers = Handlers {
        exchange: ExchangeService {
            authorizer: authorizer.clone(),
            directory: Arc::clone(&services.directory),
            inbox: Arc::clone(&services.inbox),
            lists: services.lists,
            tasks: services.tasks.clone(),
            stop: services.stop.clone(),
        },
        audit: AuditService {
            authorizer: authorizer.clone(),
            casework: services.casework.clone(),
            log: services.log.clone(),
        },
        records: RecordsService {
            authorizer: authorizer.clone(),
            casework: services.casework,
            tasks: services.tasks.clone(),
            stop: services.stop,
        },
        partners: PartnersService {
            authorizer,
            partners: services.partners,
            log: services.log.clone(),
            witness: services.witness,
            inbox: services.inbox,
            courier: services.courier,
            directory: services.directory,
            tasks: services.tasks,
            changed: services.changed,
        },
    };

    let (reporter, health) = tonic_health::server::health_reporter();
    for service in SERVICES {
        let serving = ServingStatus::Serving;
        reporter.set_service_status(service.name, serving).await;
    }
    let (log, until) = (services.log, stop);
    tasks.spawn(async move {
        until.run_until_cancelled(follow(&log, &reporter)).await;
    });
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(pb::DESCRIPTOR)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let streams = services.requests_per_connection.max(STREAMS);
    // No setting here refuses a call: refusals come from behind the layer that logs them. A request that waits for a place
    // waits no longer than those before it take, each of which ends in time.
    let router = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .max_concurrent_streams(u32::try_from(streams).ok())
        .http2_max_pending_accept_reset_streams(Some(20))
        .concurrency_limit_per_connection(services.requests_per_connection)
        .layer(refusals)
        .layer(limits)
        .add_service(health.max_decoding_message_size(MAX_QUESTION))
        .add_service(
            reflection()
                .build_v1()?
                .max_decoding_message_size(MAX_QUESTION),
        )
        .add_service(
            reflection()
                .build_v1alpha()?
                .max_decoding_message_size(MAX_QUESTION),
        );
    Ok(handlers.on(router))
}

/// Shows in the health service whether the log takes writes. It does not while a write stalls, and once it is closed.
async fn follow(log: &Log, reporter: &HealthReporter) {
    let mut stalled = true;
    loop {
        tokio::select! {
            biased;
            _ = log.until_closed() => break,
            () = log.until_stalled(stalled) => {}
        }
        let status = if stalled {
            ServingStatus::NotServing
        } else {
            ServingStatus::Serving
        };
        writes(reporter, status).await;
        stalled = !stalled;
    }
    writes(reporter, ServingStatus::NotServing).await;
}

/// Sets the health of all services that write to the log.
async fn writes(reporter: &HealthReporter, status: ServingStatus) {
    let names = SERVICES.iter().filter(|it| it.writes).map(|it| it.name);
    for name in names.chain([""]) {
        reporter.set_service_status(name, status).await;
    }
}
