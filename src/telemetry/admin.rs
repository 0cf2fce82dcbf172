//! Health and metrics for the machine's own tools: `/healthz`, `/readyz`, `/metrics`. On loopback only, because it does
//! not authenticate anybody.

use super::{log_rate_limit, metrics::Metrics};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
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
    task::JoinSet,
    time::{MissedTickBehavior, Sleep, interval, sleep},
};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

const UPKEEP: Duration = Duration::from_secs(5);

/// The most connections at once. Without authentication anybody on this machine can open them: beyond this number the
/// oldest is closed, so that a prompt request is answered.
const CONNECTIONS: usize = 64;

/// How long a connection lasts, whatever happens on it.
const LASTS: Duration = Duration::from_secs(10);

/// How much of a request is read before its head is complete, and of an answer buffered before it is sent.
const BUFFER: usize = 16 * 1024;

/// How long the port pauses when the system has no socket to give.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Open files of this port: itself, its connections, and one that waits for the oldest to close.
pub(crate) const ADMIN_SOCKETS: usize = CONNECTIONS + 2;

/// Whether the node does its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It does.
    Ready,
    /// It does, but with these warnings, which somebody should look into.
    Warned(Vec<String>),
    /// It does not, for these reasons.
    NotReady(Vec<String>),
}

/// Called for each `/readyz`. Quick, and without waiting.
pub type Probe = Arc<dyn Fn() -> Readiness + Send + Sync>;

/// Why the admin port is not open.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Others could reach it.
    #[error("the admin port must be on loopback, not {0}; set listen.admin to 127.0.0.1:7480")]
    NotLoopback(SocketAddr),
    /// The address is taken, or not allowed.
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
/// The address is outside loopback, or taken.
pub(crate) async fn bind_admin(address: SocketAddr) -> Result<TcpListener, AdminError> {
    if !address.ip().is_loopback() {
        return Err(AdminError::NotLoopback(address));
    }
    TcpListener::bind(address)
        .await
        .map_err(|source| AdminError::Bind { address, source })
}

/// Serves the admin port until `stop` is cancelled.
pub(crate) async fn serve_admin(
    listener: TcpListener,
    probe: Probe,
    metrics: Metrics,
    stop: CancellationToken,
) {
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
            log_rate_limit::report_suppressed();
        }
    };
    let mut acceptor = Acceptor {
        listener,
        places: Arc::new(Semaphore::new(CONNECTIONS)),
        open: VecDeque::new(),
    };
    let serving = async {
        // HTTP/1.1 only: one answer at a time on a connection, and the next one when it is read. One HTTP/2 connection
        // can hold two hundred unread answers.
        let mut http = Builder::new(TokioExecutor::new()).http1_only();
        http.http1().max_buf_size(BUFFER);
        let mut connections = JoinSet::new();
        loop {
            let connection = TokioIo::new(acceptor.accept().await);
            let service = TowerToHyperService::new(router.clone());
            let connection = http.serve_connection(connection, service).into_owned();
            // How a connection ends does not matter.
            connections.spawn(async { drop(connection.await) });
            while connections.try_join_next().is_some() {}
        }
    };
    // Not gracefully: an idle client of this port must not delay the node's end.
    tokio::select! {
        () = serving => {}
        () = upkeep => {}
        () = stop.cancelled() => {}
    }
}

/// Accepts connections up to the limit.
struct Acceptor {
    listener: TcpListener,
    places: Arc<Semaphore>,
    /// The oldest first. Closed ones are cancelled.
    open: VecDeque<CancellationToken>,
}

impl Acceptor {
    async fn accept(&mut self) -> LimitedConnection {
        loop {
            let tcp = match self.listener.accept().await {
                Ok((tcp, _)) => tcp,
                Err(error) => {
                    tracing::warn!(%error, "the admin port cannot accept connections; retrying");
                    sleep(ACCEPT_REST).await;
                    continue;
                }
            };
            self.open.retain(|connection| !connection.is_cancelled());
            if self.places.available_permits() == 0
                && let Some(oldest) = self.open.pop_front()
            {
                oldest.cancel();
            }
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                continue;
            };
            let over = CancellationToken::new();
            self.open.push_back(over.clone());
            return LimitedConnection {
                tcp,
                late: Box::pin(sleep(LASTS)),
                crowded_out: Box::pin(over.clone().cancelled_owned()),
                _over: over.drop_guard(),
                _place: place,
            };
        }
    }
}

/// A connection that ends at its time limit, or earlier to make room.
struct LimitedConnection {
    tcp: TcpStream,
    late: Pin<Box<Sleep>>,
    crowded_out: Pin<Box<WaitForCancellationFutureOwned>>,
    _over: DropGuard,
    // After the connection: its file is free once it is closed.
    _place: OwnedSemaphorePermit,
}

impl LimitedConnection {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let over = self.late.as_mut().poll(cx).is_ready();
        if over || self.crowded_out.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl AsyncRead for LimitedConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for LimitedConnection {
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
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
        serving.await.unwrap();
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

    /// Regression: it spoke HTTP/2 to whoever began with its preface, two hundred requests at a time, and kept the answers
    /// to all of them for somebody who read none.
    #[tokio::test]
    async fn regression_a_connection_has_one_answer_at_a_time() {
        let (_, metrics) = Metrics::build().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let probe: Probe = {
            let asked = Arc::clone(&asked);
            Arc::new(move || {
                asked.fetch_add(1, Ordering::SeqCst);
                Readiness::Warned(vec!["a long story".repeat(16 * 1024)])
            })
        };
        let listener = bind_admin("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        tracker.spawn(serve_admin(listener, probe, metrics, stop.clone()));

        // The preface, settings, and `GET /readyz` on the first stream: RFC 9113, sections 3.4, 4.1 and 6.2.
        let mut other = TcpStream::connect(address).await.unwrap();
        other
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
            .await
            .unwrap();
        other
            .write_all(b"\0\0\x0e\x01\x05\0\0\0\x01\x82\x86\x04\x07/readyz\x01\x01a")
            .await
            .unwrap();
        let mut said = Vec::new();
        other.read_to_end(&mut said).await.unwrap();
        assert!(!said.starts_with(b"\0\0"), "it speaks HTTP/2");
        assert_eq!(asked.load(Ordering::SeqCst), 0);

        // Two hundred at once, none of which is read. Two or three fit into the buffers of the system.
        let mut hasty = TcpStream::connect(address).await.unwrap();
        let many = "GET /readyz HTTP/1.1\r\nHost: admin\r\n\r\n".repeat(200);
        hasty.write_all(many.as_bytes()).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        let answered = asked.load(Ordering::SeqCst);
        assert!((1..100).contains(&answered), "{answered}");
        assert!(fetch(address, "/healthz").await.starts_with("HTTP/1.1 200"));
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
