//! The configuration as it is shown: what counts, under the names of the file's keys, so that it could be read again.

use super::resolved::Config;
use crate::access::{Quota, Quotas};
use serde::Serialize;
use std::collections::BTreeMap;

/// The configuration, with defaults filled in and the environment laid over it.
#[derive(Debug, Serialize)]
pub struct Shown<'a> {
    jurisdiction: String,
    name: &'a str,
    data: String,
    listen: Listen,
    tls: Tls,
    access: Access,
    client: Client,
    check: Check,
    limits: Limits,
    exchange: Exchange,
    quotas: BTreeMap<&'static str, u32>,
}

#[derive(Debug, Serialize)]
struct Listen {
    address: String,
    endpoint: String,
    admin: String,
}

#[derive(Debug, Serialize)]
struct Tls {
    cert: String,
    key: String,
    ca: String,
    crl: String,
    require_hybrid: &'static str,
}

#[derive(Debug, Serialize)]
struct Access {
    auditors: Vec<String>,
    units: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Serialize)]
struct Client {
    node: String,
    identities: String,
}

#[derive(Debug, Serialize)]
struct Check {
    partners: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Exchange {
    start_wait_s: u64,
}

#[derive(Debug, Serialize)]
struct Limits {
    connections: usize,
    connections_per_address: usize,
    connections_per_principal: usize,
    handshakes: usize,
    requests_per_connection: usize,
    handshake_timeout_s: u64,
    drain_s: u64,
    disk_reserve_mib: u64,
}

impl<'a> From<&'a Config> for Shown<'a> {
    fn from(config: &'a Config) -> Self {
        let Config {
            path: _,
            jurisdiction,
            name,
            data,
            listen,
            tls,
            access,
            client,
            check,
            limits,
            exchange,
            quotas,
        } = config;
        let texts = |items: &mut dyn Iterator<Item = String>| items.collect();
        Self {
            jurisdiction: jurisdiction.to_string(),
            name,
            data: data.display().to_string(),
            listen: Listen {
                address: listen.address.to_string(),
                endpoint: listen.endpoint.to_string(),
                admin: listen.admin.to_string(),
            },
            tls: Tls {
                cert: tls.cert.display().to_string(),
                key: tls.key.display().to_string(),
                ca: tls.ca.display().to_string(),
                crl: tls.crl.display().to_string(),
                require_hybrid: tls.require_hybrid.as_str(),
            },
            access: Access {
                auditors: texts(&mut access.auditors.iter().map(ToString::to_string)),
                units: access
                    .units
                    .iter()
                    .map(|(name, members)| {
                        let members = texts(&mut members.iter().map(ToString::to_string));
                        (name.to_string(), members)
                    })
                    .collect(),
            },
            client: Client {
                node: client.node.to_string(),
                identities: client.identities.display().to_string(),
            },
            check: Check {
                partners: texts(&mut check.partners.iter().map(ToString::to_string)),
            },
            limits: Limits {
                connections: limits.connections,
                connections_per_address: limits.connections_per_address,
                connections_per_principal: limits.connections_per_principal,
                handshakes: limits.handshakes,
                requests_per_connection: limits.requests_per_connection,
                handshake_timeout_s: limits.handshake_timeout.as_secs(),
                drain_s: limits.drain.as_secs(),
                disk_reserve_mib: limits.disk_reserve / 1024 / 1024,
            },
            exchange: Exchange {
                start_wait_s: exchange.start_wait.as_secs(),
            },
            quotas: limits_by_key(quotas),
        }
    }
}

fn limits_by_key(quotas: &Quotas) -> BTreeMap<&'static str, u32> {
    Quota::ALL
        .iter()
        .map(|quota| (quota.as_str(), quotas.limit(*quota)))
        .chain([("streams", quotas.streams)])
        .collect()
}
