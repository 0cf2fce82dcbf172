//! One address that answers beside others that do not.

use super::*;
use crate::{
    telemetry::SystemClock,
    tls::{Authority, Crl, Gate, GateLimits},
};
use futures_util::StreamExt as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Regression: the first of several addresses had all ten seconds, each time, and a node with a second address that answers
/// was never reached.
#[tokio::test]
async fn regression_an_address_that_does_not_answer_holds_up_no_other() {
    let county: Jurisdiction = "520624".parse().unwrap();
    let ca = dev::ca(county).unwrap();
    let authority = Authority::parse(ca.certificate.as_bytes()).unwrap();
    let list = Crl::parse(ca.crl.as_bytes(), &authority).unwrap();
    let trust = Arc::new(TrustStore::new(authority, Some(list)).unwrap());
    let credentials = |name| {
        let identity = dev::identity(county, name).unwrap();
        let (certificate, key) = (identity.certificate.as_bytes(), identity.key.as_bytes());
        Arc::new(Credentials::from_pem(certificate, key).unwrap())
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let limits = GateLimits::default();
    let gate = Gate::new(credentials("node"), trust.clone(), limits, clock.clone()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let live = listener.local_addr().unwrap();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let mut incoming = gate.incoming(listener, &tasks, stop.clone()).unwrap();
    let dialer = Dialer::new(credentials("officer-001"), trust, clock).unwrap();

    // One whose queue is full, which the system does not even acknowledge, and one that takes the connection and is silent.
    let full = TcpSocket::new_v4().unwrap();
    full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = full.listen(1).unwrap();
    let black_hole = full.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(Ok(tcp)) =
        timeout(Duration::from_millis(300), TcpStream::connect(black_hole)).await
    {
        queued.push(tcp);
    }
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = vec![black_hole, silent.local_addr().unwrap(), live];

    let dialling = happy_eyeballs::first(addresses, |address| dialer.dial_at(address, county));
    let (dialled, admitted) = tokio::join!(timeout(CONNECT_TIMEOUT, dialling), incoming.next());
    let dialled = dialled.expect("within the time for all").unwrap();
    assert_eq!(dialled.peer().address(), live);
    assert!(admitted.is_some());
    // The others are given up, and their files with them.
    assert_eq!(dialer.sockets.available_permits(), Dialer::SOCKETS - 1);
    drop(dialled);
    assert_eq!(dialer.sockets.available_permits(), Dialer::SOCKETS);

    // A node never has more connections to others than its open files allow.
    let _all = dialer.sockets.try_acquire_many(512).unwrap();
    let refused = dialer.dial_at(live, county).await;
    assert!(refused.is_err());
    stop.cancel();
}
