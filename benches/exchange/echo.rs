//! gRPC over mutual TLS that does nothing: what the transport alone costs. The TLS is the node's own.

use crate::{
    child::{self, Child},
    machine,
    measure::{Sample, Window, closed_loop},
};
use futures_util::{Stream, StreamExt as _, future::BoxFuture};
use std::{
    collections::VecDeque, convert::Infallible, net::SocketAddr, sync::Arc, task, time::Duration,
    time::Instant,
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    client::Grpc,
    server::{self, NamedService, StreamingService, UnaryService},
    transport::{Channel, Server},
};
use tonic_prost::ProstCodec;
use yichuan::{
    telemetry::SystemClock,
    tls::{self, Authority, Credentials, Crl, Dialer, Gate, GateLimits, TrustStore, dev},
};

const CODE: &str = "520624";
const MESSAGE: usize = 1024;

type Codec = ProstCodec<Vec<u8>, Vec<u8>>;

#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl UnaryService<Vec<u8>> for Echo {
    type Response = Vec<u8>;
    type Future = std::future::Ready<Result<Response<Vec<u8>>, Status>>;

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        std::future::ready(Ok(Response::new(request.into_inner())))
    }
}

/// The same, as a stream.
struct EchoStream;

impl StreamingService<Vec<u8>> for EchoStream {
    type Response = Vec<u8>;
    type ResponseStream = Streaming<Vec<u8>>;
    type Future = std::future::Ready<Result<Response<Streaming<Vec<u8>>>, Status>>;

    fn call(&mut self, request: Request<Streaming<Vec<u8>>>) -> Self::Future {
        std::future::ready(Ok(Response::new(request.into_inner())))
    }
}

impl tower::Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> task::Poll<Result<(), Infallible>> {
        task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = server::Grpc::new(Codec::default());
            Ok(if request.uri().path().ends_with("Unary") {
                grpc.unary(Self, request).await
            } else {
                grpc.streaming(EchoStream, request).await
            })
        })
    }
}

fn identity(name: &str) -> (Arc<Credentials>, Arc<TrustStore>) {
    let code = CODE.parse().unwrap();
    let identity = dev::identity(code, name).unwrap();
    let credentials =
        Credentials::from_pem(identity.certificate.as_bytes(), identity.key.as_bytes()).unwrap();
    let ca = dev::ca(code).unwrap();
    let authority = Authority::parse(ca.certificate.as_bytes()).unwrap();
    let crl = Crl::parse(ca.crl.as_bytes(), &authority).unwrap();
    let trust = TrustStore::new(authority, Some(crl)).unwrap();
    (Arc::new(credentials), Arc::new(trust))
}

/// The child's part: serves until it is killed.
pub(crate) async fn serve() {
    let (credentials, trust) = identity("node");
    let limits = GateLimits {
        connections: 1024,
        handshake_timeout: Duration::from_secs(10),
    };
    let gate = Gate::new(credentials, trust, limits, Arc::new(SystemClock)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let incoming = gate.incoming(listener, &tasks, stop.clone()).unwrap();
    println!("{address}");
    tls::serve(&gate, incoming, stop, Duration::ZERO, |incoming, stop| {
        Server::builder()
            .add_service(Echo)
            .serve_with_incoming_shutdown(incoming, stop)
    })
    .await
    .unwrap();
}

pub(crate) struct EchoServer {
    channel: Channel,
    child: Child,
}

impl EchoServer {
    pub(crate) async fn start() -> Self {
        let mut child = child::start(&["--echo-server"]);
        let address: SocketAddr = child.line().await.parse().unwrap();
        let (credentials, trust) = identity("officer-001");
        let dialer = Dialer::new(credentials, trust, Arc::new(SystemClock)).unwrap();
        let endpoint = format!("https://{address}").parse().unwrap();
        Self {
            channel: dialer.connect(&endpoint, CODE.parse().unwrap()),
            child,
        }
    }

    pub(crate) fn cpu(&self) -> Duration {
        machine::cpu(self.child.id())
    }

    pub(crate) async fn unary(&self, in_flight: usize, window: Window) -> Sample {
        let workers = (0..in_flight)
            .map(|_| {
                let channel = self.channel.clone();
                move || {
                    let mut grpc = Grpc::new(channel.clone());
                    async move {
                        grpc.ready().await.unwrap();
                        let path = http::uri::PathAndQuery::from_static("/bench.Echo/Unary");
                        let request = Request::new(vec![0x5a; MESSAGE]);
                        grpc.unary(request, path, Codec::default()).await.unwrap();
                    }
                }
            })
            .collect();
        closed_loop(workers, window).await.0
    }

    pub(crate) async fn stream(&self, in_flight: usize, window: Window) -> Sample {
        let (requests, queued) = mpsc::channel::<Vec<u8>>(in_flight);
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        let path = http::uri::PathAndQuery::from_static("/bench.Echo/Stream");
        let request = Request::new(ReceiverStream::new(queued));
        let answers = grpc
            .streaming(request, path, Codec::default())
            .await
            .unwrap()
            .into_inner();
        pump(in_flight, window, answers, || {
            requests.try_send(vec![0x5a; MESSAGE]).unwrap();
        })
        .await
    }
}

/// Keeps so many messages in flight on a stream that answers in order.
pub(crate) async fn pump<T>(
    in_flight: usize,
    window: Window,
    mut answers: impl Stream<Item = Result<T, Status>> + Unpin,
    mut send: impl FnMut(),
) -> Sample {
    let mut sample = Sample::new(window);
    let mut started = VecDeque::with_capacity(in_flight);
    for _ in 0..in_flight {
        send();
        started.push_back(Instant::now());
    }
    while let Some(began) = started.pop_front() {
        answers.next().await.unwrap().unwrap();
        sample.finished(began);
        if !window.is_over() {
            started.push_back(Instant::now());
            send();
        }
    }
    sample
}
