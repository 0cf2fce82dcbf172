//! All services of a node on one router: ours, health and reflection, behind mutual TLS.

use super::{
    audit::AuditService,
    carrier::RevocationLists,
    caught::CaughtService,
    desk::DeskService,
    partners::{PartnersChanged, PartnersService},
    pb,
    rate_limit::RateLimitLayer,
    referrals::ReferralsService,
    refusals::LogRefusals,
    relay::ExchangeService,
    services::{Handlers, SERVICES},
};
use crate::{
    access::Policy,
    api::{Meter, authorizer::Authorizer},
    desk::{Desk, PartnerDesk},
    exchange::{Courier, Directory, Inbox, Witness},
    log::Log,
};
use arc_swap::ArcSwap;
use std::{sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::transport::{Server, server::Router};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::layer::util::{Identity, Stack};

/// Streams of one connection at once, where it may not have more requests than that. More than a client opens before it is
/// told how many it may (100, as a rule), so that none is reset unheard; what goes beyond the requests waits its turn.
const STREAMS: usize = 128;

/// What health and reflection are asked is at most so many bytes: the name of a service, a file or a field. By themselves
/// they take 4 MiB, from everybody with a certificate, and 64 of them at once on each connection.
const MAX_QUESTION: usize = 4 * 1024;

/// What the services need.
#[derive(Debug)]
pub struct Services {
    /// The access policy; swapped on reload.
    pub policy: Arc<ArcSwap<Policy>>,
    /// The quotas.
    pub meter: Arc<Meter>,
    /// The log.
    pub log: Log,
    /// What officers do.
    pub desk: Desk,
    /// What admins and supervisors do.
    pub partners: PartnerDesk,
    /// The partners.
    pub directory: Arc<Directory>,
    /// Partners' trees.
    pub witness: Arc<Witness>,
    /// The receiving side.
    pub inbox: Arc<Inbox>,
    /// The sending side.
    pub courier: Arc<Courier>,
    /// Revocation lists.
    pub lists: Arc<dyn RevocationLists>,
    /// What follows when the partners change.
    pub changed: Arc<dyn PartnersChanged>,
    /// Requests at a time on one connection; more wait their turn.
    pub requests_per_connection: usize,
    /// Streams' tasks.
    pub tasks: TaskTracker,
    /// Ends streams.
    pub stop: CancellationToken,
}

/// What every call comes through, the outermost last.
pub type Layers = Stack<RateLimitLayer, Stack<LogRefusals, Identity>>;

/// The router of a node.
///
/// # Errors
/// The descriptors for reflection do not load.
pub async fn router(services: Services) -> Result<Router<Layers>, tonic_reflection::server::Error> {
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
        desk: DeskService {
            authorizer: authorizer.clone(),
            desk: services.desk.clone(),
            tasks: services.tasks.clone(),
        },
        audit: AuditService {
            authorizer: authorizer.clone(),
            desk: services.desk.clone(),
            log: services.log.clone(),
        },
        referrals: ReferralsService {
            authorizer: authorizer.clone(),
            desk: services.desk.clone(),
            stop: services.stop,
        },
        caught: CaughtService {
            authorizer: authorizer.clone(),
            desk: services.desk,
            tasks: services.tasks.clone(),
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
    // Nothing here refuses a call by itself: what does so stands behind the layer that logs. What waits for a place among the
    // requests waits no longer than those before it, each of which ends in time.
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

/// Shows in the health service whether the log takes writes: not while one does not return, and not once it is closed.
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

/// What the health service says of all that ends in the log. Showing that log to auditors goes on when it is closed.
async fn writes(reporter: &HealthReporter, status: ServingStatus) {
    let names = SERVICES.iter().filter(|it| it.writes).map(|it| it.name);
    for name in names.chain([""]) {
        reporter.set_service_status(name, status).await;
    }
}
