//! Connections to nodes. Each is pinned to exactly one jurisdiction's node, whatever its address.

use super::{
    connections::{Connections, CuttableStream, Peer},
    credentials::Credentials,
    dev,
    endpoint::EndpointUrl,
    happy_eyeballs,
    hybrid::RequireHybrid,
    identity::PeerIdentity,
    refusal::Reason,
    trust::TrustStore,
    verifier::{TlsError, client_config, server_name},
};
use crate::domain::{Clock, Jurisdiction};
use arc_swap::ArcSwap;
use hyper_util::rt::TokioIo;
use rustls::{AlertDescription, ClientConfig};
use std::{
    fmt, io,
    net::{SocketAddr, ToSocketAddrs as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::TcpStream, sync::Semaphore, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint};

/// For TCP and TLS together, however many addresses there are.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How many names are looked up at once; each lookup may open some files.
const LOOKUPS: usize = 32;
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects as the principal whose credentials it holds.
pub struct Dialer {
    state: ArcSwap<State>,
    /// Held while a successor state is built.
    turn: Mutex<()>,
    connections: Arc<Connections>,
    /// One permit for each connection and each attempt.
    sockets: Arc<Semaphore>,
    lookups: Arc<Semaphore>,
    require: RequireHybrid,
    clock: Arc<dyn Clock>,
}

struct State {
    credentials: Arc<Credentials>,
    trust: Arc<TrustStore>,
    config: Arc<ClientConfig>,
}

impl Dialer {
    /// How many connections and attempts a dialer has at once, unless it is given [more](Self::allow_more).
    pub const SOCKETS: usize = 512;

    /// A dialer with these credentials, which it shows only to nodes that `trust` admits.
    ///
    /// # Errors
    /// The credentials do not make a TLS configuration.
    pub fn new(
        credentials: Arc<Credentials>,
        trust: Arc<TrustStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, TlsError> {
        Self::requiring(RequireHybrid::default(), credentials, trust, clock)
    }

    /// As [`Dialer::new`], with another demand for hybrid key exchanges than the default.
    ///
    /// # Errors
    /// As [`Dialer::new`].
    pub fn requiring(
        require: RequireHybrid,
        credentials: Arc<Credentials>,
        trust: Arc<TrustStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, TlsError> {
        let state = State::build(credentials, trust, require, &clock)?;
        Ok(Arc::new(Self {
            state: ArcSwap::from_pointee(state),
            turn: Mutex::new(()),
            connections: Arc::default(),
            sockets: Arc::new(Semaphore::new(Self::SOCKETS)),
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            require,
            clock,
        }))
    }

    /// Replaces certificates and trust, then cuts the connections to nodes that are no longer admitted. Returns how
    /// many.
    ///
    /// # Errors
    /// As [`Dialer::new`], or a revocation list is older than the known one. The old state then stays.
    pub fn reload(
        &self,
        credentials: Arc<Credentials>,
        trust: Arc<TrustStore>,
    ) -> Result<usize, TlsError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.swap(credentials, trust)
    }

    /// Allows this many connections at once beyond [`Dialer::SOCKETS`].
    pub fn allow_more(&self, sockets: usize) {
        self.sockets.add_permits(sockets);
    }

    /// Replaces trust alone: after [`super::Gate::update_trust`], `dialer.set_trust(gate.trust())`.
    ///
    /// # Errors
    /// As [`Dialer::reload`].
    pub fn set_trust(&self, trust: Arc<TrustStore>) -> Result<usize, TlsError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let credentials = self.state.load().credentials.clone();
        self.swap(credentials, trust)
    }

    fn swap(
        &self,
        credentials: Arc<Credentials>,
        trust: Arc<TrustStore>,
    ) -> Result<usize, TlsError> {
        self.state.load().trust.check_successor(&trust)?;
        let next = State::build(credentials, trust, self.require, &self.clock)?;
        self.state.store(Arc::new(next));
        Ok(self.connections.cut(|peer| self.admit(peer).map(|_| ())))
    }

    /// A channel to a jurisdiction's node. It connects on first use, and again when the connection is lost. Whatever
    /// answers must be `spiffe://<code>.yichuan/node` under that jurisdiction's CA.
    ///
    /// Call within a Tokio runtime.
    pub fn connect(self: &Arc<Self>, endpoint: &EndpointUrl, peer: Jurisdiction) -> Channel {
        let target: Arc<EndpointUrl> = Arc::new(endpoint.clone());
        let dialer = self.clone();
        let connector = tower::service_fn(move |_: http::Uri| {
            let (dialer, target) = (dialer.clone(), target.clone());
            async move {
                let dialled = timeout(CONNECT_TIMEOUT, dialer.dial(&target, peer)).await;
                let dialled = dialled.unwrap_or_else(|_| Err(refusal(Reason::Timeout)));
                if let Err(error) = &dialled {
                    tracing::warn!(
                        reason = reason_of(error).map_or("unreachable", Reason::as_str),
                        jurisdiction = %peer,
                        endpoint = %target,
                        "cannot connect to a node"
                    );
                }
                dialled.map(TokioIo::new)
            }
        });
        // Never `connect_with_connector`: it fails as soon as any crate turns on a tonic TLS feature (grpc-rust#2280).
        // HTTP/2 sees the jurisdiction's name, not the address; only the connector knows the address.
        Channel::new(
            connector,
            Endpoint::from(origin(peer))
                .http2_keep_alive_interval(KEEP_ALIVE)
                .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
                .keep_alive_while_idle(true),
        )
    }

    /// The alert with which a node last ended a connection, by its name in rustls: `CertificateRevoked`.
    ///
    /// In TLS 1.3 a node refuses its caller's certificate after the caller's side of the handshake is done (RFC 8446,
    /// section 4.4), and HTTP/2 then reports only that the connection was closed.
    pub fn last_alert(&self) -> Option<String> {
        self.connections
            .last_alert()
            .map(|alert| format!("{alert:?}"))
    }

    async fn dial(
        &self,
        endpoint: &EndpointUrl,
        peer: Jurisdiction,
    ) -> io::Result<CuttableStream<TlsStream<TcpStream>>> {
        let (host, port) = (endpoint.host(), endpoint.port());
        let addresses = match host.parse() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => self.look_up(host.to_owned(), port).await?,
        };
        happy_eyeballs::first(addresses, |address| self.dial_at(address, peer)).await
    }

    /// The caller may give up; the permit is free again when the system has answered.
    async fn look_up(&self, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        let place = Arc::clone(&self.lookups).acquire_owned().await;
        let place = place.map_err(io::Error::other)?;
        let asking = tokio::task::spawn_blocking(move || {
            let _place = place;
            Ok((host.as_str(), port).to_socket_addrs()?.collect())
        });
        asking.await.map_err(io::Error::other)?
    }

    async fn dial_at(
        &self,
        address: SocketAddr,
        peer: Jurisdiction,
    ) -> io::Result<CuttableStream<TlsStream<TcpStream>>> {
        // First, so that no development key is used on a network.
        self.refuse_dev(peer, address).map_err(refusal)?;
        let socket = Arc::clone(&self.sockets)
            .try_acquire_owned()
            .map_err(|_| io::Error::other("no more connections: open files are for the log"))?;
        let config = self.state.load().config.clone();
        let name = server_name(peer).map_err(io::Error::other)?;
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let tls = TlsConnector::from(config).connect(name, tcp).await;
        let tls = tls.map_err(|error| self.without_hybrid(error))?;
        let peer = Arc::new(Peer::of(tls.get_ref().1, address).map_err(refusal)?);
        let lease = self.connections.enter(peer.clone());
        // As at the gate: trust may have changed during the handshake.
        self.admit(&peer).map_err(refusal)?;
        Ok(CuttableStream::new(tls, lease, socket))
    }

    /// If only X25519MLKEM768 was offered, a node that finds no acceptable parameters does not support it: everything
    /// else that is offered is mandatory in TLS 1.3 (RFC 8446, section 9.1).
    fn without_hybrid(&self, error: io::Error) -> io::Error {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        let Some(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure)) = inner else {
            return error;
        };
        let own = self.state.load().credentials.clone();
        match self.require.of(own.identity().principal()) {
            true => refusal(Reason::NotHybrid),
            false => error,
        }
    }

    /// The group of the last key exchange with a jurisdiction's node, by its IANA name; `None` if there was none since
    /// the start.
    pub fn key_exchange(&self, node: Jurisdiction) -> Option<String> {
        self.connections.key_exchange(node)
    }

    fn admit(&self, peer: &Peer) -> Result<PeerIdentity, Reason> {
        let jurisdiction = peer.identity().principal().jurisdiction();
        let trust = &self.state.load().trust;
        trust.admit_node(peer.leaf(), jurisdiction, self.clock.now())
    }

    fn refuse_dev(&self, peer: Jurisdiction, address: SocketAddr) -> Result<(), Reason> {
        let trust = &self.state.load().trust;
        let authorities = [peer, trust.own()].map(|code| trust.authority(code));
        for authority in authorities.into_iter().flatten() {
            dev::refuse_dev_outside_loopback(authority, address.ip())
                .map_err(|_| Reason::DevCertificate)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialer")
    }
}

impl State {
    fn build(
        credentials: Arc<Credentials>,
        trust: Arc<TrustStore>,
        require: RequireHybrid,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, TlsError> {
        if credentials.identity().not_after() <= clock.now() {
            let until = credentials.identity().not_after().shanghai_text();
            return Err(TlsError::Own {
                reason: Reason::Expired,
                why: format!(
                    "it expired on {until}, and this machine's clock says {}: issue another with `yichuan certs issue`, or set \
                     the clock",
                    clock.now().shanghai_text()
                ),
            });
        }
        Ok(Self {
            config: Arc::new(client_config(&credentials, &trust, clock, require)?),
            credentials,
            trust,
        })
    }
}

/// A refusal as the connector carries it.
fn refusal(reason: Reason) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, reason)
}

/// Why a node was refused; `None` if no node was reached.
pub(super) fn reason_of(error: &io::Error) -> Option<Reason> {
    let inner = error.get_ref()?;
    inner.downcast_ref::<Reason>().copied().or_else(|| {
        inner
            .is::<rustls::Error>()
            .then(|| Reason::of_handshake(error))
    })
}

/// `https://<code>.yichuan`, which is what HTTP/2 sees.
fn origin(peer: Jurisdiction) -> http::Uri {
    http::Uri::builder()
        .scheme(http::uri::Scheme::HTTPS)
        .authority(peer.trust_domain())
        .path_and_query("/")
        .build()
        // Six digits and a fixed name always build.
        .unwrap_or_default()
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
