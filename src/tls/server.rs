//! The listener: it admits the peers that [`TrustStore`] admits, and cuts those that it no longer admits.

use super::{
    connection_limits::{ConnectionLimits, HandshakeSlot},
    connections::{Connections, CuttableStream, Peer},
    credentials::Credentials,
    dev,
    hybrid::{self, RequireHybrid},
    identity::PeerIdentity,
    node_io::{Incoming, NodeIo},
    refusal::Reason,
    trust::TrustStore,
    verifier::{KeyExchange, TlsError, server_config},
};
use crate::domain::{Clock, Jurisdiction};
use arc_swap::ArcSwap;
use rustls::{ServerConfig, server::Acceptor};
use std::{
    fmt, io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How often live connections are checked for certificates and lists that have expired meanwhile.
const RECHECK: Duration = Duration::from_secs(60);
/// How long the listener pauses when the system has no socket to give.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// The limits of a listener.
#[derive(Clone, Copy, Debug)]
pub struct GateLimits {
    /// Connections after their handshake.
    pub connections: usize,
    /// Of these, from one address; an IPv6 network of 64 bits counts as one.
    pub connections_per_address: usize,
    /// Of these, by one principal.
    pub connections_per_principal: usize,
    /// Handshakes under way. Beyond this number the oldest is dropped.
    pub handshakes: usize,
    /// For a handshake, and again for the first bytes after it.
    pub handshake_timeout: Duration,
    /// From whom a hybrid key exchange is demanded.
    pub require_hybrid: RequireHybrid,
}

impl GateLimits {
    /// How many files a gate may have open: one for each slot, and some for peers that are being refused or dropped.
    pub const fn sockets(&self) -> usize {
        let places = self.connections.saturating_add(self.handshakes);
        let sockets = places.saturating_add(64);
        if sockets > Semaphore::MAX_PERMITS {
            Semaphore::MAX_PERMITS
        } else {
            sockets
        }
    }
}

impl Default for GateLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_address: 256,
            connections_per_principal: 64,
            handshakes: 512,
            handshake_timeout: Duration::from_secs(10),
            require_hybrid: RequireHybrid::default(),
        }
    }
}

/// The listener's certificates and trust, its live connections, and its count of refusals.
pub struct Gate {
    state: ArcSwap<State>,
    /// Held while a successor state is built, so that none is built on an outdated state.
    turn: Mutex<()>,
    connections: Arc<Connections>,
    refused: Vec<AtomicU64>,
    slots: Arc<ConnectionLimits>,
    /// One permit for each open file: a connection that gave up its slot keeps the file open for a moment longer.
    sockets: Arc<Semaphore>,
    limits: GateLimits,
    clock: Arc<dyn Clock>,
}

struct State {
    credentials: Arc<Credentials>,
    trust: Arc<TrustStore>,
    /// For clients that offer X25519MLKEM768, at any position in their list.
    hybrid: Arc<ServerConfig>,
    /// For clients that do not offer it.
    plain: Arc<ServerConfig>,
}

impl Gate {
    /// A gate of the node with these credentials.
    ///
    /// # Errors
    /// Partners would refuse the credentials, or they do not make a TLS configuration.
    pub fn new(
        credentials: Arc<Credentials>,
        trust: Arc<TrustStore>,
        limits: GateLimits,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, TlsError> {
        let slots = ConnectionLimits::new(trust.own(), limits);
        trust.admit_own(&credentials, clock.now())?;
        let state = State::build(credentials, trust, limits.require_hybrid, &clock)?;
        Ok(Arc::new(Self {
            state: ArcSwap::from_pointee(state),
            turn: Mutex::new(()),
            connections: Arc::default(),
            refused: Reason::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            slots,
            sockets: Arc::new(Semaphore::new(limits.sockets())),
            limits,
            clock,
        }))
    }

    /// Replaces certificates and trust, then cuts the live connections whose peer is no longer admitted. Returns how
    /// many.
    ///
    /// # Errors
    /// As [`Gate::new`], or a revocation list is older than the known one. The old state then stays in use.
    pub fn reload(
        &self,
        credentials: Arc<Credentials>,
        trust: Arc<TrustStore>,
    ) -> Result<usize, TlsError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.state.load().trust.check_successor(&trust)?;
        trust.admit_own(&credentials, self.clock.now())?;
        let next = State::build(credentials, trust, self.limits.require_hybrid, &self.clock)?;
        self.state.store(Arc::new(next));
        Ok(self.recheck_all())
    }

    /// Changes trust alone: `change` receives the current trust, and returns its successor, or `None` to keep it.
    /// Returns how many connections were cut.
    ///
    /// # Errors
    /// The error of `change`, or as [`Gate::reload`].
    pub fn update_trust(
        &self,
        change: impl FnOnce(&TrustStore) -> Result<Option<TrustStore>, TlsError>,
    ) -> Result<usize, TlsError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.state.load_full();
        let Some(next) = change(&now.trust)? else {
            return Ok(0);
        };
        now.trust.check_successor(&next)?;
        // Our own certificate may have expired meanwhile; that must not keep anybody from being cut off.
        if next.differs_for(next.own(), &now.trust) {
            next.admit_own(&now.credentials, self.clock.now())?;
        }
        let next = Arc::new(next);
        let state = State::build(
            now.credentials.clone(),
            Arc::clone(&next),
            self.limits.require_hybrid,
            &self.clock,
        )?;
        self.state.store(Arc::new(state));
        let changed = |peer: &Peer| {
            let of = peer.identity().principal().jurisdiction();
            next.differs_for(of, &now.trust)
        };
        Ok(self.recheck_if(changed))
    }

    /// Cuts the live connections whose certificate, or whose jurisdiction's revocation list, has expired meanwhile.
    /// Returns how many. The listener calls this once a minute.
    pub fn recheck(&self) -> usize {
        let (trust, now) = (self.trust(), self.clock.now());
        self.connections
            .cut(|peer| trust.still_admits_caller(peer.identity(), now))
    }

    /// Cuts the live connections that the current trust would not admit.
    fn recheck_all(&self) -> usize {
        self.recheck_if(|_| true)
    }

    /// As [`Gate::recheck_all`], only for peers that the change may concern: an update by one partner costs no check of the
    /// others.
    fn recheck_if(&self, changed: impl Fn(&Peer) -> bool) -> usize {
        self.connections.cut(|peer| {
            if changed(peer) {
                self.admit(peer.leaf(), peer.address())?;
            }
            Ok(())
        })
    }

    /// Cuts all live connections. Returns how many.
    pub fn cut_all(&self) -> usize {
        self.connections.cut_all()
    }

    /// The peers of the live connections.
    pub fn peers(&self) -> Vec<Arc<Peer>> {
        self.connections.peers()
    }

    /// How many connections were refused for this reason.
    pub fn refused(&self, reason: Reason) -> u64 {
        Reason::ALL
            .iter()
            .zip(&self.refused)
            .find(|(known, _)| **known == reason)
            .map_or(0, |(_, count)| count.load(Ordering::Relaxed))
    }

    /// The group of the last key exchange with a jurisdiction's node when it connected, by its IANA name; `None` if it
    /// has not connected since the start.
    pub fn key_exchange(&self, node: Jurisdiction) -> Option<String> {
        self.connections.key_exchange(node)
    }

    /// How many handshakes are under way, and how many connections.
    pub fn occupancy(&self) -> (usize, usize) {
        self.slots.occupancy()
    }

    /// The current certificate. Raise an alarm before it expires.
    pub fn credentials(&self) -> Arc<Credentials> {
        self.state.load().credentials.clone()
    }

    /// The current trust.
    pub fn trust(&self) -> Arc<TrustStore> {
        self.state.load().trust.clone()
    }

    /// The connections as they are admitted. The listener closes when `stop` is cancelled or the stream is dropped.
    ///
    /// # Errors
    /// Development certificates, and an address outside loopback.
    pub fn incoming(
        self: &Arc<Self>,
        listener: TcpListener,
        tracker: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Incoming, TlsError> {
        if let Ok(address) = listener.local_addr() {
            self.state.load().refuse_dev(address)?;
        }
        let (admitted, receiver) = mpsc::channel(16);
        let gate = self.clone();
        let handshakes = tracker.clone();
        tracker.spawn(async move {
            let mut recheck = interval(RECHECK);
            recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = admitted.closed() => break,
                    _ = recheck.tick() => {
                        gate.recheck();
                    }
                    accepted = gate.accept(&listener) => match accepted {
                        Ok((tcp, socket, address)) => {
                            gate.take((tcp, socket), address, &handshakes, &admitted);
                        }
                        Err(error) => {
                            tracing::warn!(%error, "cannot accept connections; retrying");
                            sleep(ACCEPT_REST).await;
                        }
                    },
                }
            }
        });
        Ok(Incoming::new(receiver))
    }

    /// The next connection, once a file can be opened for it.
    async fn accept(
        &self,
        listener: &TcpListener,
    ) -> io::Result<(TcpStream, OwnedSemaphorePermit, SocketAddr)> {
        let socket = Arc::clone(&self.sockets).acquire_owned().await;
        let socket = socket.map_err(io::Error::other)?;
        let (tcp, address) = listener.accept().await?;
        Ok((tcp, socket, address))
    }

    /// Starts the handshake of an accepted connection, if there is a slot for it.
    fn take(
        self: &Arc<Self>,
        (tcp, socket): (TcpStream, OwnedSemaphorePermit),
        address: SocketAddr,
        handshakes: &TaskTracker,
        admitted: &mpsc::Sender<NodeIo>,
    ) {
        let place = match self.slots.begin(address.ip()) {
            Ok(place) => place,
            Err(reason) => {
                self.refuse(reason, address);
                return;
            }
        };
        let gate = self.clone();
        let admitted = admitted.clone();
        handshakes.spawn(async move {
            let shaken = tokio::select! {
                biased;
                () = place.crowded_out() => Err(Reason::CrowdedOut),
                shaken = gate.handshake((tcp, socket), address, &place) => shaken,
            };
            drop(place);
            match shaken {
                // Fails only when the node stops.
                Ok(io) => drop(admitted.send(io).await),
                Err(reason) => gate.refuse(reason, address),
            }
        });
    }

    async fn handshake(
        self: &Arc<Self>,
        (tcp, socket): (TcpStream, OwnedSemaphorePermit),
        address: SocketAddr,
        place: &HandshakeSlot,
    ) -> Result<NodeIo, Reason> {
        tcp.set_nodelay(true).map_err(|_| Reason::Aborted)?;
        let tls = timeout(self.limits.handshake_timeout, self.shake(tcp))
            .await
            .map_err(|_| Reason::Timeout)?
            .map_err(|error| Reason::of_handshake(&error))?;
        let peer = Arc::new(Peer::of(tls.get_ref().1, address)?);
        let lease = self.connections.enter(peer.clone());
        // Trust may have changed during the handshake. From here on a reload sees the connection, so one of the two
        // checks notices.
        self.admit(peer.leaf(), address)?;
        let place = place.admit(peer.identity().principal())?;
        let io = CuttableStream::new(tls, lease, socket);
        Ok(NodeIo::new(io, self, self.limits.handshake_timeout, place))
    }

    /// A server chooses among its client's groups in its client's order: a client that names X25519MLKEM768 last would
    /// get its first group. So the configuration is chosen by what the client offers.
    async fn shake(&self, tcp: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let begun = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
        let state = self.state.load_full();
        let offered = begun.client_hello().named_groups().unwrap_or_default();
        let config = match offered.contains(&hybrid::GROUP) {
            true => &state.hybrid,
            false => &state.plain,
        };
        begun.into_stream(Arc::clone(config)).await
    }

    fn admit(
        &self,
        leaf: &rustls_pki_types::CertificateDer<'_>,
        address: SocketAddr,
    ) -> Result<PeerIdentity, Reason> {
        let trust = &self.state.load().trust;
        let identity = trust.admit_caller(leaf, self.clock.now())?;
        if let Some(authority) = trust.authority(identity.principal().jurisdiction()) {
            dev::refuse_dev_outside_loopback(authority, address.ip())
                .map_err(|_| Reason::DevCertificate)?;
        }
        Ok(identity)
    }

    pub(super) fn refuse(&self, reason: Reason, address: SocketAddr) {
        let counted = Reason::ALL.iter().zip(&self.refused);
        for (_, count) in counted.filter(|(known, _)| **known == reason) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        metrics::counter!("yichuan_tls_refused_total", "reason" => reason.as_str()).increment(1);
        tracing::warn!(reason = reason.as_str(), peer = %address, "connection refused");
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl State {
    fn build(
        credentials: Arc<Credentials>,
        trust: Arc<TrustStore>,
        require: RequireHybrid,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, TlsError> {
        let config = |exchange| server_config(&credentials, &trust, clock, exchange).map(Arc::new);
        Ok(Self {
            hybrid: config(KeyExchange::Hybrid)?,
            plain: config(KeyExchange::Plain(require))?,
            credentials,
            trust,
        })
    }

    fn refuse_dev(&self, address: SocketAddr) -> Result<(), TlsError> {
        match self.trust.authority(self.trust.own()) {
            Some(own) => Ok(dev::refuse_dev_outside_loopback(own, address.ip())?),
            None => Ok(()),
        }
    }
}
