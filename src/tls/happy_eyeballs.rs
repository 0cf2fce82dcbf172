//! Several addresses of one node, tried side by side as RFC 8305 has it: one that does not answer holds up no other.

use super::{client::reason_of, refusal::Reason};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use std::{io, net::SocketAddr, time::Duration};
use tokio::time::{sleep, timeout};

/// Between the beginnings of two attempts, unless one fails before: RFC 8305 section 5.
const STAGGER: Duration = Duration::from_millis(250);

/// For one address of several, connection and handshake together.
const EACH: Duration = Duration::from_secs(5);

/// So many addresses are tried.
const MOST: usize = 16;

/// What the first address gives whose attempt comes to something; the others are given up. Errors say why the last one
/// failed, or which node was reached and refused.
pub(super) async fn first<T, F>(
    addresses: Vec<SocketAddr>,
    attempt: impl Fn(SocketAddr) -> F,
) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    // One that is alone has all the time that whoever waits for it has.
    let each = if addresses.len() > 1 {
        EACH
    } else {
        Duration::MAX
    };
    let mut waiting = alternating(addresses).into_iter().take(MOST);
    let mut under_way = FuturesUnordered::new();
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    loop {
        if let Some(address) = waiting.next() {
            under_way.push(timeout(each, attempt(address)));
        }
        tokio::select! {
            biased;
            Some(ended) = under_way.next() => match ended {
                Ok(Ok(won)) => return Ok(won),
                Ok(Err(error)) if !is_refused(&failed) => failed = error,
                Err(_) if !is_refused(&failed) => failed = io::ErrorKind::TimedOut.into(),
                Ok(Err(_)) | Err(_) => {}
            },
            () = sleep(STAGGER), if waiting.len() > 0 => {}
            else => return Err(failed),
        }
    }
}

/// Somebody was reached and is not the node.
fn is_refused(error: &io::Error) -> bool {
    reason_of(error).is_some_and(|reason| reason != Reason::Timeout)
}

/// The families take turns, so that a whole one that leads nowhere costs one wait: RFC 8305 section 4.
fn alternating(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let begins = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == begins);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut order = Vec::with_capacity(one.len() + other.len());
    while one.len() + other.len() > 0 {
        order.extend(one.next());
        order.extend(other.next());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_take_turns_and_none_is_left_out() {
        let at = |text: &&str| text.parse::<SocketAddr>().unwrap();
        let given = [
            "[::1]:1",
            "[::2]:1",
            "[::3]:1",
            "192.0.2.1:1",
            "192.0.2.2:1",
        ];
        let order = [
            "[::1]:1",
            "192.0.2.1:1",
            "[::2]:1",
            "192.0.2.2:1",
            "[::3]:1",
        ];
        let given = given.iter().map(at).collect();
        assert_eq!(alternating(given), order.iter().map(at).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn one_that_fails_or_hangs_makes_way_and_a_refusal_is_told() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let won = first((1..=4).map(at).collect(), |address| async move {
            match address.port() {
                1 => Err(io::ErrorKind::ConnectionRefused.into()),
                4 => Ok(address.port()),
                _ => std::future::pending().await,
            }
        });
        assert_eq!(won.await.unwrap(), 4);
        let lost = first((1..=3).map(at).collect(), |address| async move {
            Err::<(), _>(match address.port() {
                2 => io::Error::other(Reason::WrongPeer),
                _ => io::ErrorKind::ConnectionRefused.into(),
            })
        });
        assert_eq!(reason_of(&lost.await.unwrap_err()), Some(Reason::WrongPeer));
    }
}
