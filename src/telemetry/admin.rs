//! Health and metrics for the machine's own tools: `/healthz`, `/readyz`, `/metrics`. On loopback only, because it asks
//! nobody who they are.

use super::{metrics::Metrics, pace};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
    serve::Listener,
};
use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{MissedTickBehavior, Sleep, interval, sleep},
};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

const UPKEEP: Duration = Duration::from_secs(5);

/// Connections at once. It asks nobody who they are, so everybody on this machine can have them: beyond it the oldest makes
/// room, and whoever asks at once is answered.
const CONNECTIONS: usize = 64;

/// How long a connection lasts, whatever is said on it.
const LASTS: Duration = Duration::from_secs(10);

/// How long the port rests when the system has no socket to give.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Open files of this port: itself, its connections, and one that waits for the oldest to make room.
pub const ADMIN_SOCKETS: usize = CONNECTIONS + 2;

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
    let doorway = Doorway {
        listener,
        places: Arc::new(Semaphore::new(CONNECTIONS)),
        open: VecDeque::new(),
    };
    // Not gracefully: an idle client of this port must not hold up the node's end.
    tokio::select! {
        served = axum::serve(doorway, router) => served,
        () = upkeep => Ok(()),
        () = stop.cancelled() => Ok(()),
    }
}

/// Connections as they come, so many at a time.
struct Doorway {
    listener: TcpListener,
    places: Arc<Semaphore>,
    /// The oldest first. Those that are over are cancelled.
    open: VecDeque<CancellationToken>,
}

impl Listener for Doorway {
    type Io = Visit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visit, SocketAddr) {
        loop {
            let (tcp, address) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "the admin port cannot accept connections; retrying");
                    sleep(ACCEPT_REST).await;
                    continue;
                }
            };
            self.open.retain(|visit| !visit.is_cancelled());
            if self.places.available_permits() == 0
                && let Some(oldest) = self.open.pop_front()
            {
                oldest.cancel();
            }
            // Never closed.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                continue;
            };
            let over = CancellationToken::new();
            self.open.push_back(over.clone());
            let visit = Visit {
                tcp,
                late: Box::pin(sleep(LASTS)),
                crowded_out: Box::pin(over.clone().cancelled_owned()),
                _over: over.drop_guard(),
                _place: place,
            };
            return (visit, address);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends in time, and before where it must make room.
struct Visit {
    tcp: TcpStream,
    late: Pin<Box<Sleep>>,
    crowded_out: Pin<Box<WaitForCancellationFutureOwned>>,
    _over: DropGuard,
    // After the connection: its file is free when it is closed.
    _place: OwnedSemaphorePermit,
}

impl Visit {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let over = self.late.as_mut().poll(cx).is_ready();
        if over || self.crowded_out.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl AsyncRead for Visit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Visit {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.tcp).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.tcp).poll_shutdown(cx)
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

    /// Regression: it had room for as many as the process had files, and the log closed for want of one.
    #[tokio::test]
    async fn regression_those_who_say_nothing_make_room_and_are_let_go() {
        let (_, metrics) = Metrics::build().unwrap();
        let probe: Probe = Arc::new(|| Readiness::Ready);
        let listener = bind_admin("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        tracker.spawn(serve_admin(listener, probe, metrics, stop.clone()));
        let mut silent = Vec::new();
        for _ in 0..2 * CONNECTIONS {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        assert!(fetch(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        // The first were crowded out, the last are let go when their time is over.
        for mut tcp in silent {
            let ended = tokio::time::timeout(LASTS * 3, tcp.read(&mut [0; 1])).await;
            assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
        }
        stop.cancel();
    }

    #[tokio::test]
    async fn nobody_else_can_reach_it() {
        for far in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let refused = bind_admin(far.parse().unwrap()).await;
            assert!(matches!(refused, Err(AdminError::NotLoopback(_))), "{far}");
        }
    }
}
