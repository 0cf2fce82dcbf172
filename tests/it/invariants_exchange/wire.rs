//! A connection that fails in one direction: what is sent arrives, and nobody hears the answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use yichuan::tls::EndpointUrl;

/// Forwards connections to a node.
pub(crate) struct Wire {
    pub(crate) endpoint: EndpointUrl,
    strand: Arc<Mutex<Arc<Strand>>>,
    stop: CancellationToken,
}

/// The connections since it was mended last, which fail together.
struct Strand {
    mute: AtomicBool,
    cut: CancellationToken,
}

impl Strand {
    fn new(stop: &CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            mute: AtomicBool::new(false),
            cut: stop.child_token(),
        })
    }
}

impl Wire {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let strand = Arc::new(Mutex::new(Strand::new(&stop)));
        let (accepting, spawning) = (Arc::clone(&strand), tasks.clone());
        tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let Ok(node) = TcpStream::connect(target).await else {
                    continue;
                };
                let strand = Arc::clone(&accepting.lock().unwrap());
                let ((from_caller, to_caller), (from_node, to_node)) =
                    (caller.into_split(), node.into_split());
                spawning.spawn(strand.cut.clone().run_until_cancelled_owned(async move {
                    tokio::select! {
                        () = forward(from_caller, to_node, || false) => {}
                        () = forward(from_node, to_caller, || strand.mute.load(Ordering::SeqCst)) => {}
                    }
                }));
            }
        }));
        Self {
            endpoint: endpoint.parse().unwrap(),
            strand,
            stop,
        }
    }

    /// From now on nothing that the node says arrives.
    pub(crate) fn lose_answers(&self) {
        let strand = self.strand.lock().unwrap();
        strand.mute.store(true, Ordering::SeqCst);
    }

    /// Cuts what is connected, which stays mute to its end; new connections are whole.
    pub(crate) fn mend(&self) {
        let mut strand = self.strand.lock().unwrap();
        strand.cut.cancel();
        *strand = Strand::new(&self.stop);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, lost: impl Fn() -> bool) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if !lost() && to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
