//! Health and metrics for the machine's own tools: `/healthz`, `/readyz`, `/metrics`. On loopback only, because it asks
//! nobody who they are.

use super::{metrics::Metrics, pace};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

const UPKEEP: Duration = Duration::from_secs(5);

/// Whether the node does its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It does.
    Ready,
    /// It does, but for what these say, which somebody should look into.
    Warned(Vec<String>),
    /// It does not, for these reasons.
    NotReady(Vec<String>),
}

/// Asked at each `/readyz`. Quick, and without waiting.
pub type Probe = Arc<dyn Fn() -> Readiness + Send + Sync>;

/// Why there is no admin port.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Others could reach it.
    #[error("the admin port must be on loopback, not {0}; set listen.admin to 127.0.0.1:7480")]
    NotLoopback(SocketAddr),
    /// Taken, or not allowed.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// Opens the admin port.
///
/// # Errors
/// An address outside loopback, or one that is taken.
pub async fn bind_admin(address: SocketAddr) -> Result<TcpListener, AdminError> {
    if !address.ip().is_loopback() {
        return Err(AdminError::NotLoopback(address));
    }
    TcpListener::bind(address)
        .await
        .map_err(|source| AdminError::Bind { address, source })
}

/// Serves the admin port until `stop` is cancelled.
///
/// # Errors
/// A listener that fails.
pub async fn serve_admin(
    listener: TcpListener,
    probe: Probe,
    metrics: Metrics,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz).with_state(probe))
        .route("/metrics", get(render).with_state(metrics.clone()));
    let upkeep = async {
        let mut ticks = interval(UPKEEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            metrics.upkeep();
            pace::tell();
        }
    };
    // Not gracefully: an idle client of this port must not hold up the node's end.
    tokio::select! {
        served = axum::serve(listener, router) => served,
        () = upkeep => Ok(()),
        () = stop.cancelled() => Ok(()),
    }
}

async fn readyz(State(probe): State<Probe>) -> impl IntoResponse {
    match probe() {
        Readiness::Ready => (StatusCode::OK, "ready\n".to_owned()),
        Readiness::Warned(warnings) => {
            let lines = warnings
                .iter()
                .map(|warning| format!("warning: {warning}\n"));
            (
                StatusCode::OK,
                ["ready\n".to_owned()].into_iter().chain(lines).collect(),
            )
        }
        Readiness::NotReady(reasons) => {
            let lines = reasons.iter().map(|reason| format!("{reason}\n"));
            (StatusCode::SERVICE_UNAVAILABLE, lines.collect())
        }
    }
}

async fn render(State(metrics): State<Metrics>) -> impl IntoResponse {
    const TEXT_FORMAT: &str = "text/plain; version=0.0.4";
    ([(header::CONTENT_TYPE, TEXT_FORMAT)], metrics.render())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };
    use tokio_util::task::TaskTracker;

    async fn fetch(address: SocketAddr, path: &str) -> String {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn health_readiness_and_metrics() {
        let (recorder, metrics) = Metrics::build().unwrap();
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("yichuan_things_total").increment(3);
            metrics::histogram!("yichuan_wait_seconds").record(0.004);
        });
        let ready = Arc::new(AtomicBool::new(false));
        let probe: Probe = {
            let ready = ready.clone();
            Arc::new(move || match ready.load(Ordering::SeqCst) {
                true => Readiness::Ready,
                false => Readiness::NotReady(vec!["the log is closed for writing".into()]),
            })
        };
        let listener = bind_admin("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let tracker = TaskTracker::new();
        let serving = tracker.spawn(serve_admin(listener, probe, metrics, stop.clone()));

        assert!(fetch(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        let waiting = fetch(address, "/readyz").await;
        assert!(waiting.starts_with("HTTP/1.1 503"), "{waiting}");
        assert!(
            waiting.ends_with("the log is closed for writing\n"),
            "{waiting}"
        );
        ready.store(true, Ordering::SeqCst);
        assert!(fetch(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        let counted = fetch(address, "/metrics").await;
        assert!(counted.contains("yichuan_things_total 3"), "{counted}");
        assert!(
            counted.contains("yichuan_wait_seconds_bucket{le=\"0.005\"} 1"),
            "{counted}"
        );
        assert!(fetch(address, "/").await.starts_with("HTTP/1.1 404"));

        // Somebody who says nothing does not hold up the end.
        let _silent = TcpStream::connect(address).await.unwrap();
        stop.cancel();
        serving.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn nobody_else_can_reach_it() {
        for far in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let refused = bind_admin(far.parse().unwrap()).await;
            assert!(matches!(refused, Err(AdminError::NotLoopback(_))), "{far}");
        }
    }
}
