//! Connections that are up, so that one whose peer is trusted no more can be cut.

use super::{identity::PeerIdentity, refusal::Reason};
use rustls_pki_types::CertificateDer;
use std::{
    collections::HashMap,
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The other end of a connection. Every request's extensions carry it.
#[derive(Clone)]
pub struct Peer {
    identity: PeerIdentity,
    address: SocketAddr,
    leaf: CertificateDer<'static>,
}

impl Peer {
    pub(super) const fn new(
        identity: PeerIdentity,
        address: SocketAddr,
        leaf: CertificateDer<'static>,
    ) -> Self {
        Self {
            identity,
            address,
            leaf,
        }
    }

    /// Who.
    pub const fn identity(&self) -> &PeerIdentity {
        &self.identity
    }

    /// From where.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// With which certificate.
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
pub(super) struct Live(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    next: u64,
    open: HashMap<u64, Entry>,
}

struct Entry {
    peer: Arc<Peer>,
    cut: CancellationToken,
}

impl Live {
    /// Enters a connection. It stays until the lease is dropped.
    pub(super) fn enter(self: &Arc<Self>, peer: Arc<Peer>) -> Lease {
        let cut = CancellationToken::new();
        let mut entries = self.entries();
        let key = entries.next;
        entries.next += 1;
        entries.open.insert(
            key,
            Entry {
                peer: peer.clone(),
                cut: cut.clone(),
            },
        );
        Lease {
            live: self.clone(),
            key,
            peer,
            cut: Box::pin(cut.cancelled_owned()),
        }
    }

    /// Cuts every connection whose peer is admitted no more, and says how many.
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

    /// Cuts every connection, and says how many.
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

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Nothing panics while the lock is held, and the map is sound at every step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place among the live ones.
pub(super) struct Lease {
    live: Arc<Live>,
    key: u64,
    peer: Arc<Peer>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.live.entries().open.remove(&self.key);
    }
}

/// A stream that ends when its connection is cut.
pub(super) struct Guarded<S> {
    stream: S,
    lease: Lease,
}

impl<S> Guarded<S> {
    pub(super) const fn new(stream: S, lease: Lease) -> Self {
        Self { stream, lease }
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

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
