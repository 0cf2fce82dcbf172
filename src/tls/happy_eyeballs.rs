//! Connects to one of several addresses of a node, tried in parallel as in RFC 8305: one that does not answer delays no
//! other.

use super::{client::reason_of, refusal::Reason};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use std::{io, net::SocketAddr, time::Duration};
use tokio::time::{sleep, timeout};

/// Time between the starts of two attempts, unless one fails before: RFC 8305 section 5.
const STAGGER: Duration = Duration::from_millis(250);

/// Limit for one address of several, connection and handshake together.
const EACH: Duration = Duration::from_secs(5);

/// How many addresses are tried.
const MOST: usize = 16;

/// The result of the first successful attempt; the others are abandoned. The error tells why the last one failed, or
/// which node was reached and refused.
pub(super) async fn first<T, F>(
    addresses: Vec<SocketAddr>,
    attempt: impl Fn(SocketAddr) -> F,
) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    // A single address has all the time that the caller allows.
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

/// Somebody answered who is not the node.
fn is_refused(error: &io::Error) -> bool {
    reason_of(error).is_some_and(|reason| reason != Reason::Timeout)
}

/// Alternates between address families, so that a family without a working route costs only one wait: RFC 8305 section
/// 4.
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
