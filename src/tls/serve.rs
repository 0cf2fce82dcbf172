//! Serves the connections of a gate, and drains them at the end.

use super::{node_io::Incoming, server::Gate};
use std::{pin::pin, time::Duration};
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every connection finished.
    Clean,
    /// This many were cut when the time was over.
    Cut(usize),
}

/// Serves until `stop` is cancelled, then lets connections finish for at most `drain`, then cuts the rest: a single
/// silent peer would otherwise delay the end forever (hyperium/hyper#4170).
///
/// `start` gets the connections and the signal: `|incoming, stop| router.serve_with_incoming_shutdown(incoming, stop)`.
///
/// # Errors
/// The error of `start`.
pub async fn serve<F, E>(
    gate: &Gate,
    incoming: Incoming,
    stop: CancellationToken,
    drain: Duration,
    start: impl FnOnce(Incoming, WaitForCancellationFutureOwned) -> F,
) -> Result<Drained, E>
where
    F: Future<Output = Result<(), E>>,
{
    let mut serving = pin!(start(incoming, stop.clone().cancelled_owned()));
    let over = async {
        stop.cancelled().await;
        sleep(drain).await;
    };
    tokio::select! {
        done = &mut serving => done.map(|()| Drained::Clean),
        () = over => {
            let cut = gate.cut_all();
            serving.await.map(|()| Drained::Cut(cut))
        }
    }
}
