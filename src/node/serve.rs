//! `yichuan serve`: one node, until it is told to stop.

use super::{Node, StartError, open_files::TooFewFiles, preflight};
use crate::{
    config::{Config, environment},
    domain::Clock,
    telemetry::{self, AdminError, Metrics, MetricsError, SystemClock},
};
use std::{io, sync::Arc};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A node could not be served.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The admin port.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// It may open too few files.
    #[error(transparent)]
    Files(#[from] TooFewFiles),
    /// Signals cannot be received.
    #[error("cannot receive signals: {0}")]
    Signals(io::Error),
    /// A second signal came before the node had drained.
    #[error("told to stop twice: exited without draining; what was acknowledged is on disk")]
    Hurried,
}

/// Serves until TERM or INT, which drain; a second one exits at once. HUP reloads certificates and policy.
///
/// # Errors
/// The node did not start, or a second signal ended it.
pub async fn serve(config: Config) -> Result<(), NodeError> {
    let listen = |kind| signal(kind).map_err(NodeError::Signals);
    let mut hangups = listen(SignalKind::hangup())?;
    let (mut terms, mut ints) = (
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
    );
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let looking = {
        let (config, clock) = (config.clone(), Arc::clone(&clock));
        tokio::task::spawn_blocking(move || preflight::check_config(&config, &clock))
    };
    let checks = looking
        .await
        .map_err(|_| StartError::Log("looking at the configuration was cut off".into()))?;
    for check in checks {
        check.found?;
    }
    let metrics = Metrics::install()?;
    // Before the node, so that a request made when it reports itself up is not refused.
    let admin = telemetry::bind_admin(config.listen.admin).await?;
    let node = Node::start(&config, clock).await?;

    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let serving = telemetry::serve_admin(admin, node.probe(), metrics, stop.clone());
    tasks.spawn(serving);
    loop {
        tokio::select! {
            _ = hangups.recv() => reload(&node, &config).await,
            () = either(&mut terms, &mut ints) => break,
        }
    }
    tracing::info!("stopping: told to");
    let drained = tokio::select! {
        () = node.stop() => Ok(()),
        () = either(&mut terms, &mut ints) => Err(NodeError::Hurried),
    };
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    drained
}

async fn either(terms: &mut Signal, ints: &mut Signal) {
    tokio::select! {
        _ = terms.recv() => {}
        _ = ints.recv() => {}
    }
}

async fn reload(node: &Node, config: &Config) {
    let again = environment().and_then(|ours| Config::load(Some(&config.path), ours));
    let reloaded = match again {
        Ok(config) => node.reload(&config).await.map_err(|e| e.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = reloaded {
        tracing::error!(
            error,
            "the reload is refused; the old certificates and policy stay"
        );
    }
}
