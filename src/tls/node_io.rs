//! Connections that the gate has admitted, as tonic serves them.

use super::{
    connection_limits::ConnectionSlot,
    connections::{CuttableStream, Peer},
    refusal::Reason,
    server::Gate,
};
use futures_util::Stream;
use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::mpsc,
    time::{Sleep, sleep},
};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// Length of the preface with which every HTTP/2 connection begins: RFC 9113 section 3.4.
const PREFACE: usize = 24;

/// Admitted connections.
pub struct Incoming(mpsc::Receiver<NodeIo>);

impl Incoming {
    pub(super) const fn new(admitted: mpsc::Receiver<NodeIo>) -> Self {
        Self(admitted)
    }
}

impl Stream for Incoming {
    type Item = io::Result<NodeIo>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|io| io.map(Ok))
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Incoming")
    }
}

/// The peer that sent a request, from the request's extensions. Behind a [`Gate`] there always is one.
pub fn peer_of(extensions: &http::Extensions) -> Option<&Arc<Peer>> {
    extensions.get()
}

/// An admitted connection. Requests on it carry their [`Peer`]: see [`peer_of`].
pub struct NodeIo {
    io: CuttableStream<TlsStream<TcpStream>>,
    /// `Some` until the preface is read.
    silence: Option<Silence>,
    _place: ConnectionSlot,
}

/// How long a peer may send nothing after its handshake: HTTP/2's own keep-alive begins with the preface.
struct Silence {
    unsaid: usize,
    over: Pin<Box<Sleep>>,
    gate: Arc<Gate>,
}

impl NodeIo {
    /// A connection whose peer is cut off if it sends nothing for `silence`.
    pub(super) fn new(
        io: CuttableStream<TlsStream<TcpStream>>,
        gate: &Arc<Gate>,
        silence: Duration,
        place: ConnectionSlot,
    ) -> Self {
        Self {
            io,
            silence: Some(Silence {
                unsaid: PREFACE,
                over: Box::pin(sleep(silence)),
                gate: Arc::clone(gate),
            }),
            _place: place,
        }
    }
}

impl fmt::Debug for NodeIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.io.peer())
    }
}

impl Connected for NodeIo {
    type ConnectInfo = Arc<Peer>;

    fn connect_info(&self) -> Arc<Peer> {
        self.io.peer().clone()
    }
}

impl AsyncRead for NodeIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        let Some(silence) = &mut self.silence else {
            return read;
        };
        silence.unsaid = silence
            .unsaid
            .saturating_sub(buffer.filled().len() - before);
        if silence.unsaid == 0 {
            self.silence = None;
        } else if read.is_pending() && silence.over.as_mut().poll(cx).is_ready() {
            let (gate, address) = (Arc::clone(&silence.gate), self.io.peer().address());
            self.silence = None;
            gate.refuse(Reason::Silent, address);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for NodeIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
