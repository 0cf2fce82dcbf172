//! Limits on handshakes under way and on connections, in all and by origin. A flood only takes capacity from itself.
//!
//! A handshake takes milliseconds, and a flood consists of half-open ones that last. So when all slots are taken, the
//! oldest handshake is dropped instead of refusing the newest: a peer that shakes hands promptly is admitted.

use super::{refusal::Reason, server::GateLimits};
use crate::{access::Principal, domain::Jurisdiction};
use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio_util::sync::CancellationToken;

/// One address has at most one handshake in this many.
const ADDRESS_SHARE: usize = 4;
/// Another jurisdiction, its node and all its people, has at most one connection in this many: its CA can create any
/// number of principals.
const FOREIGN_SHARE: usize = 4;
/// One connection in this many is reserved for the node's own people, so that partners together cannot shut them out.
const OWN_SHARE: usize = 4;

/// Where a connection comes from. For IPv6 this is the network: whoever has one address there has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Host(IpAddr);

impl Host {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            v4 @ IpAddr::V4(_) => Self(v4),
            IpAddr::V6(v6) => {
                let network = v6.to_bits() >> 64 << 64;
                Self(Ipv6Addr::from_bits(network).into())
            }
        }
    }
}

/// The slots in use.
#[derive(Debug, Default)]
struct Occupancy {
    next: u64,
    handshakes: BTreeMap<u64, (Host, CancellationToken)>,
    connections: usize,
    hosts: HashMap<Host, usize>,
    principals: HashMap<Principal, usize>,
    jurisdictions: HashMap<Jurisdiction, usize>,
}

/// The limits of a listener, and the slots in use.
#[derive(Debug)]
pub(super) struct ConnectionLimits {
    own: Jurisdiction,
    limits: GateLimits,
    counts: Mutex<Occupancy>,
}

impl ConnectionLimits {
    pub(super) fn new(own: Jurisdiction, limits: GateLimits) -> Arc<Self> {
        Arc::new(Self {
            own,
            limits,
            counts: Mutex::default(),
        })
    }

    /// How many connections other jurisdictions may have together.
    fn for_partners(&self) -> usize {
        let all = self.limits.connections;
        all.saturating_sub(all / OWN_SHARE).max(1)
    }

    fn counts(&self) -> MutexGuard<'_, Occupancy> {
        // Nothing panics while the lock is held, and the counts are consistent at every step.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a handshake. If there is no free slot, the oldest handshake gives up its own.
    pub(super) fn begin(self: &Arc<Self>, address: IpAddr) -> Result<HandshakeSlot, Reason> {
        let host = Host::of(address);
        let mut counts = self.counts();
        if counts.connections >= self.limits.connections {
            return Err(Reason::TooManyConnections);
        }
        if count(&counts.hosts, &host) >= self.limits.connections_per_address {
            return Err(Reason::TooManyFromAddress);
        }
        let from_here = |(_, (other, _)): &(&u64, &(Host, CancellationToken))| *other == host;
        let share = (self.limits.handshakes / ADDRESS_SHARE).max(1);
        let crowded = if counts.handshakes.iter().filter(from_here).count() >= share {
            counts
                .handshakes
                .iter()
                .find(from_here)
                .map(|(key, _)| *key)
        } else if counts.handshakes.len() >= self.limits.handshakes {
            counts.handshakes.keys().next().copied()
        } else {
            None
        };
        if let Some((_, oldest)) = crowded.and_then(|key| counts.handshakes.remove(&key)) {
            oldest.cancel();
        }
        let (key, crowded_out) = (counts.next, CancellationToken::new());
        counts.next += 1;
        counts.handshakes.insert(key, (host, crowded_out.clone()));
        Ok(HandshakeSlot {
            slots: Arc::clone(self),
            key,
            host,
            crowded_out,
        })
    }

    /// How many handshakes are under way, and how many connections.
    pub(super) fn occupancy(&self) -> (usize, usize) {
        let counts = self.counts();
        (counts.handshakes.len(), counts.connections)
    }
}

fn count<K: std::hash::Hash + Eq>(of: &HashMap<K, usize>, key: &K) -> usize {
    of.get(key).copied().unwrap_or_default()
}

fn leave<K: std::hash::Hash + Eq>(of: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = of.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            of.remove(key);
        }
    }
}

/// The slot of a handshake, released when dropped.
#[derive(Debug)]
pub(super) struct HandshakeSlot {
    slots: Arc<ConnectionLimits>,
    key: u64,
    host: Host,
    crowded_out: CancellationToken,
}

impl HandshakeSlot {
    /// Waits until a newer handshake takes the slot.
    pub(super) async fn crowded_out(&self) {
        self.crowded_out.cancelled().await;
    }

    /// The handshake is complete: takes a slot for the connection.
    pub(super) fn admit(&self, principal: &Principal) -> Result<ConnectionSlot, Reason> {
        let (slots, code) = (&self.slots, principal.jurisdiction());
        let mut counts = slots.counts();
        if counts.connections >= slots.limits.connections {
            return Err(Reason::TooManyConnections);
        }
        if count(&counts.hosts, &self.host) >= slots.limits.connections_per_address {
            return Err(Reason::TooManyFromAddress);
        }
        let foreign = (slots.limits.connections / FOREIGN_SHARE).max(1);
        if count(&counts.principals, principal) >= slots.limits.connections_per_principal
            || (code != slots.own && count(&counts.jurisdictions, &code) >= foreign)
        {
            return Err(Reason::TooManyOfPrincipal);
        }
        let own = count(&counts.jurisdictions, &slots.own);
        if code != slots.own && counts.connections.saturating_sub(own) >= slots.for_partners() {
            return Err(Reason::TooManyConnections);
        }
        counts.connections += 1;
        *counts.hosts.entry(self.host).or_default() += 1;
        *counts.principals.entry(principal.clone()).or_default() += 1;
        *counts.jurisdictions.entry(code).or_default() += 1;
        metrics::gauge!("yichuan_connections").increment(1);
        Ok(ConnectionSlot {
            slots: Arc::clone(slots),
            host: self.host,
            principal: principal.clone(),
        })
    }
}

impl Drop for HandshakeSlot {
    fn drop(&mut self) {
        self.slots.counts().handshakes.remove(&self.key);
    }
}

/// The slot of a connection, released when dropped.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    slots: Arc<ConnectionLimits>,
    host: Host,
    principal: Principal,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut counts = self.slots.counts();
        counts.connections = counts.connections.saturating_sub(1);
        leave(&mut counts.hosts, &self.host);
        leave(&mut counts.principals, &self.principal);
        leave(&mut counts.jurisdictions, &self.principal.jurisdiction());
        metrics::gauge!("yichuan_connections").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;

    fn slots(limits: GateLimits) -> Arc<ConnectionLimits> {
        ConnectionLimits::new("520624".parse().unwrap(), limits)
    }

    fn at(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    fn officer(of: &str, number: usize) -> Principal {
        Principal::person(of.parse().unwrap(), Role::Officer, &number.to_string()).unwrap()
    }

    #[test]
    fn a_flood_of_handshakes_takes_room_from_itself() {
        let slots = slots(GateLimits {
            handshakes: 8,
            ..GateLimits::default()
        });
        let honest = slots.begin(at("192.0.2.1")).unwrap();
        let flood: Vec<_> = (0..100)
            .map(|_| slots.begin(at("198.51.100.9")).unwrap())
            .collect();
        // A quarter of the slots, the newest.
        assert_eq!(
            flood
                .iter()
                .filter(|h| !h.crowded_out.is_cancelled())
                .count(),
            2
        );
        assert!(!flood.last().unwrap().crowded_out.is_cancelled());
        assert!(!honest.crowded_out.is_cancelled());
        assert_eq!(slots.occupancy(), (3, 0));
        drop((flood, honest));
        assert_eq!(slots.occupancy(), (0, 0));
    }

    #[test]
    fn a_flood_from_everywhere_crowds_out_the_slowest() {
        let slots = slots(GateLimits {
            handshakes: 8,
            ..GateLimits::default()
        });
        let flood: Vec<_> = (0..100)
            .map(|n| slots.begin(at(&format!("198.51.100.{n}"))).unwrap())
            .collect();
        let honest = slots.begin(at("192.0.2.1")).unwrap();
        assert!(!honest.crowded_out.is_cancelled());
        assert_eq!(
            flood
                .iter()
                .filter(|h| !h.crowded_out.is_cancelled())
                .count(),
            7
        );
        // The last ones are the ones that stay.
        assert!(flood[93..].iter().all(|h| !h.crowded_out.is_cancelled()));
        assert!(honest.admit(&officer("520624", 1)).is_ok());
    }

    #[test]
    fn an_address_a_principal_and_another_jurisdiction_have_their_share() {
        let slots = slots(GateLimits {
            connections: 40,
            connections_per_address: 3,
            connections_per_principal: 2,
            ..GateLimits::default()
        });
        let connect = |from: String, who: &Principal| slots.begin(at(&from))?.admit(who);
        let one = officer("520624", 1);
        let held: Vec<_> = (0..2)
            .map(|n| connect(format!("192.0.2.{n}"), &one).unwrap())
            .collect();
        let refused = connect("192.0.2.9".into(), &one).unwrap_err();
        assert_eq!(refused, Reason::TooManyOfPrincipal);
        let near: Vec<_> = (2..5)
            .map(|n| connect("203.0.113.1".into(), &officer("520624", n)).unwrap())
            .collect();
        let refused = connect("203.0.113.1".into(), &officer("520624", 9)).unwrap_err();
        assert_eq!(refused, Reason::TooManyFromAddress);
        // A partner that mints officers gets a quarter of the slots, and no more.
        let minted: Vec<_> = (0..40)
            .filter_map(|n| connect(format!("198.51.100.{n}"), &officer("440000", n)).ok())
            .collect();
        assert_eq!(minted.len(), 10);
        assert!(
            connect(
                "192.0.2.7".into(),
                &Principal::node("330000".parse().unwrap())
            )
            .is_ok()
        );
        drop((held, near, minted));
        let counts = slots.counts();
        assert!(counts.hosts.is_empty() && counts.principals.is_empty());
        assert!(counts.jurisdictions.is_empty() && counts.connections == 0);
    }

    #[test]
    fn regression_partners_together_leave_room_for_the_nodes_own_people() {
        let slots = slots(GateLimits {
            connections: 40,
            ..GateLimits::default()
        });
        let connect = |n: usize, who: &Principal| {
            let from = format!("198.51.100.{n}");
            slots.begin(at(&from))?.admit(who)
        };
        let partners = ["440000", "330000", "110000", "310000", "510000"];
        let each = partners.iter().flat_map(|of| (0..10).map(move |n| (of, n)));
        let minted: Vec<_> = each
            .filter_map(|(of, n)| connect(n, &officer(of, n)).ok())
            .collect();
        assert_eq!(minted.len(), 30);
        let refused = connect(99, &officer("510000", 99)).unwrap_err();
        assert_eq!(refused, Reason::TooManyConnections);
        let own: Vec<_> = (0..10)
            .map(|n| connect(100 + n, &officer("520624", n)).unwrap())
            .collect();
        assert_eq!(slots.occupancy(), (0, 40));
        drop((own, minted));
        assert!(connect(1, &officer("510000", 1)).is_ok());
    }

    #[test]
    fn of_ipv6_the_network_counts_and_mapped_addresses_are_ipv4() {
        assert_eq!(
            Host::of(at("2001:db8::1")),
            Host::of(at("2001:db8::ffff:2"))
        );
        assert_ne!(Host::of(at("2001:db8::1")), Host::of(at("2001:db8:0:1::1")));
        assert_eq!(Host::of(at("::ffff:192.0.2.1")), Host::of(at("192.0.2.1")));
    }
}
