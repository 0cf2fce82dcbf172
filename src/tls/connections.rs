//! Registers live connections, so that one whose peer is no longer trusted can be cut.

use super::{identity::PeerIdentity, refusal::Reason};
use crate::domain::Jurisdiction;
use rustls::{AlertDescription, CommonState, NamedGroup};
use rustls_pki_types::CertificateDer;
use std::{
    collections::{BTreeMap, HashMap},
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The other end of a connection. Every request's extensions carry it.
#[derive(Clone)]
pub struct Peer {
    identity: PeerIdentity,
    address: SocketAddr,
    leaf: CertificateDer<'static>,
    group: Option<NamedGroup>,
}

impl Peer {
    /// The peer of a completed handshake.
    ///
    /// # Errors
    /// There is no certificate, or it is not an identity's.
    pub(super) fn of(connection: &CommonState, address: SocketAddr) -> Result<Self, Reason> {
        let leaf = connection
            .peer_certificates()
            .and_then(|chain| chain.first())
            .ok_or(Reason::NoClientCertificate)?
            .clone()
            .into_owned();
        Ok(Self {
            identity: PeerIdentity::from_der(&leaf)?,
            address,
            leaf,
            group: connection
                .negotiated_key_exchange_group()
                .map(|group| group.name()),
        })
    }

    /// Who it is.
    pub const fn identity(&self) -> &PeerIdentity {
        &self.identity
    }

    /// Its address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its certificate.
    pub const fn leaf(&self) -> &CertificateDer<'static> {
        &self.leaf
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}", self.identity, self.address)
    }
}

/// All connections of one side.
#[derive(Default)]
pub(super) struct Connections(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    next: u64,
    alert: Option<AlertDescription>,
    open: HashMap<u64, Entry>,
    /// The group of the last key exchange with each node.
    groups: BTreeMap<Jurisdiction, NamedGroup>,
}

struct Entry {
    peer: Arc<Peer>,
    cut: CancellationToken,
}

impl Connections {
    /// Registers a connection until the lease is dropped.
    pub(super) fn enter(self: &Arc<Self>, peer: Arc<Peer>) -> Registration {
        let cut = CancellationToken::new();
        let mut entries = self.entries();
        let key = entries.next;
        entries.next += 1;
        let principal = peer.identity.principal();
        if let Some(group) = peer.group.filter(|_| principal.is_node()) {
            entries.groups.insert(principal.jurisdiction(), group);
        }
        entries.open.insert(
            key,
            Entry {
                peer: peer.clone(),
                cut: cut.clone(),
            },
        );
        Registration {
            connections: self.clone(),
            key,
            peer,
            cut: Box::pin(cut.cancelled_owned()),
        }
    }

    /// Cuts every connection whose peer is no longer admitted. Returns how many.
    pub(super) fn cut(&self, admit: impl Fn(&Peer) -> Result<(), Reason>) -> usize {
        let entries: Vec<_> = {
            let entries = self.entries();
            let open = entries.open.values();
            open.map(|e| (e.peer.clone(), e.cut.clone())).collect()
        };
        let mut cuts = 0;
        for (peer, cut) in entries {
            if let Err(reason) = admit(&peer) {
                tracing::warn!(
                    reason = reason.as_str(),
                    peer = %peer.address,
                    principal = %peer.identity.principal(),
                    "connection cut"
                );
                cut.cancel();
                cuts += 1;
            }
        }
        cuts
    }

    /// Cuts every connection. Returns how many.
    pub(super) fn cut_all(&self) -> usize {
        let entries = self.entries();
        for entry in entries.open.values() {
            entry.cut.cancel();
        }
        entries.open.len()
    }

    pub(super) fn peers(&self) -> Vec<Arc<Peer>> {
        let entries = self.entries();
        entries.open.values().map(|e| e.peer.clone()).collect()
    }

    /// The alert with which a peer last ended a connection.
    pub(super) fn last_alert(&self) -> Option<AlertDescription> {
        self.entries().alert
    }

    /// The group of the last key exchange with a jurisdiction's node, by its IANA name.
    pub(super) fn key_exchange(&self, node: Jurisdiction) -> Option<String> {
        let group = self.entries().groups.get(&node).copied();
        group.map(|group| format!("{group:?}"))
    }

    /// Remembers an alert, because the layers above the stream drop it or turn it into text.
    fn note(&self, error: &io::Error) {
        let error = error.get_ref().and_then(|inner| inner.downcast_ref());
        if let Some(rustls::Error::AlertReceived(alert)) = error {
            self.entries().alert = Some(*alert);
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Nothing panics while the lock is held, and the map is consistent at every step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's registration.
pub(super) struct Registration {
    connections: Arc<Connections>,
    key: u64,
    peer: Arc<Peer>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.connections.entries().open.remove(&self.key);
    }
}

/// A stream that ends when its connection is cut.
pub(super) struct CuttableStream<S> {
    stream: S,
    lease: Registration,
    /// The write that found the peer gone.
    broken: Option<io::Error>,
    /// After the stream: a file counts as free once it is closed.
    _socket: OwnedSemaphorePermit,
}

impl<S> CuttableStream<S> {
    pub(super) const fn new(stream: S, lease: Registration, socket: OwnedSemaphorePermit) -> Self {
        Self {
            stream,
            lease,
            broken: None,
            _socket: socket,
        }
    }

    pub(super) const fn peer(&self) -> &Arc<Peer> {
        &self.lease.peer
    }

    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.lease.cut.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "cut: the peer is trusted no more, or the node stops",
            )),
            Poll::Pending => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CuttableStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Poll::Ready(Err(error)) = &read {
            self.lease.connections.note(error);
        }
        read
    }
}

impl<S: AsyncRead + Unpin> CuttableStream<S> {
    /// A peer that hangs up sends the reason in an alert, which may be unread when a write finds the connection closed.
    /// The write fails once the alert is read; with the connection closed, that cannot take long.
    fn after_write<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match written {
            Poll::Ready(Err(error)) if is_hang_up(&error) => {
                self.broken = Some(error);
                self.last_word(cx).map(Err)
            }
            Poll::Ready(_) | Poll::Pending => written,
        }
    }

    fn last_word(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let mut rest = [0; 1];
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut ReadBuf::new(&mut rest));
        let Poll::Ready(read) = read else {
            return Poll::Pending;
        };
        if let Err(error) = &read {
            self.lease.connections.note(error);
        }
        let broken = self.broken.take();
        let gone = || io::ErrorKind::BrokenPipe.into();
        Poll::Ready(read.err().or(broken).unwrap_or_else(gone))
    }
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for CuttableStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        if self.broken.is_some() {
            return self.last_word(cx).map(Err);
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, buffer);
        self.after_write(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        if self.broken.is_some() {
            return self.last_word(cx).map(Err);
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.after_write(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
