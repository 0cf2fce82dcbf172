//! The configuration after defaults and checks.

use super::{
    DEFAULT_PATH, PATH_VARIABLE,
    error::ConfigError,
    overlay,
    schema::{self, ConfigFile},
};
use crate::{
    access::{Principal, Quotas, Role, Units},
    domain::Jurisdiction,
    tls::{EndpointUrl, GateLimits, RequireHybrid},
};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf, absolute},
    time::Duration,
};

/// A node's configuration: paths absolute, defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file that it was read from.
    pub path: PathBuf,
    /// The node's jurisdiction.
    pub jurisdiction: Jurisdiction,
    /// Name of the node, as partners see it.
    pub name: String,
    /// Directory of the log and its keys.
    pub data: PathBuf,
    /// The addresses on which it listens.
    pub listen: Listen,
    /// Its certificates.
    pub tls: TlsFiles,
    /// Who may do what.
    pub access: Access,
    /// What the commands connect to.
    pub client: Client,
    /// What can be checked without a node.
    pub check: Check,
    /// Its limits.
    pub limits: Limits,
    /// How it exchanges with partners.
    pub exchange: Exchange,
    /// What each principal may ask for.
    pub quotas: Quotas,
}

/// `[listen]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address on which it listens.
    pub address: SocketAddr,
    /// The address that partners dial.
    pub endpoint: EndpointUrl,
    /// Health and metrics; a loopback address.
    pub admin: SocketAddr,
}

/// `[tls]`: PEM files, and requirements on connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The node's certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The CA's certificate.
    pub ca: PathBuf,
    /// The CA's newest revocation list.
    pub crl: PathBuf,
    /// From whom a hybrid key exchange is demanded.
    pub require_hybrid: RequireHybrid,
}

/// `[access]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Who may audit.
    pub auditors: Vec<Principal>,
    /// Units that records can be assigned to, and the officers in each.
    pub units: Units,
}

/// `[client]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The node that commands talk to.
    pub node: EndpointUrl,
    /// Where `--as officer-001` finds `officer-001.pem` and `officer-001.key`.
    pub identities: PathBuf,
}

/// `[check]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Partners that an offline check may assume.
    pub partners: Vec<Jurisdiction>,
}

/// `[exchange]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// How long a starting node waits for its partners to state what they hold of its log, before the first write.
    pub start_wait: Duration,
}

/// `[limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections after their handshake.
    pub connections: usize,
    /// Of these, from one address.
    pub connections_per_address: usize,
    /// Of these, by one principal.
    pub connections_per_principal: usize,
    /// Handshakes under way.
    pub handshakes: usize,
    /// Concurrent requests on one connection.
    pub requests_per_connection: usize,
    /// For a handshake, and again for the first bytes after it.
    pub handshake_timeout: Duration,
    /// How long connections may take to finish when the node stops.
    pub drain: Duration,
    /// Bytes of disk space that new records and deliveries leave free.
    pub disk_reserve: u64,
}

impl Limits {
    /// The limits of the listener. [`TlsFiles`] has its demand for hybrid key exchanges.
    pub const fn gate(&self) -> GateLimits {
        GateLimits {
            connections: self.connections,
            connections_per_address: self.connections_per_address,
            connections_per_principal: self.connections_per_principal,
            handshakes: self.handshakes,
            handshake_timeout: self.handshake_timeout,
            require_hybrid: RequireHybrid::Nodes,
        }
    }
}

impl Client {
    /// Certificate and key of `--as officer-001`.
    pub fn identity(&self, name: &str) -> (PathBuf, PathBuf) {
        let file = |extension| self.identities.join(format!("{name}.{extension}"));
        (file("pem"), file("key"))
    }
}

impl Config {
    /// Reads the given file, else the one that `YICHUAN_CONFIG` names, else [`DEFAULT_PATH`], and overlays the
    /// `YICHUAN__SECTION__KEY` variables. `environment` is [`super::environment`]'s.
    ///
    /// # Errors
    /// All that [`ConfigError`] names.
    pub fn load(
        asked: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let environment: Vec<_> = environment.into_iter().collect();
        let named = environment
            .iter()
            .find(|(name, value)| name == PATH_VARIABLE && !value.is_empty())
            .map(|(_, value)| Path::new(value));
        let path = asked.or(named).unwrap_or(Path::new(DEFAULT_PATH));
        let failed = |source| ConfigError::Read {
            path: path.display().to_string(),
            source,
        };
        let path = absolute(path).map_err(failed)?;
        let text = fs::read_to_string(&path).map_err(failed)?;
        Self::parse(&path, &text, environment)
    }

    /// As [`Config::load`], for a text with a known absolute path.
    ///
    /// # Errors
    /// All that [`ConfigError`] names except `Read`.
    pub fn parse(
        path: &Path,
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let overrides = overlay::overrides(environment);
        let alone = toml::from_str::<ConfigFile>(text);
        let written = if overrides.is_empty() {
            alone.map_err(|e| ConfigError::in_file(path, text, &e))?
        } else {
            let mut table = text
                .parse::<toml::Table>()
                .map_err(|e| ConfigError::in_file(path, text, &e))?;
            for (name, value) in &overrides {
                overlay::set_key(&mut table, name, value);
            }
            let names: Vec<_> = overrides.iter().map(|(name, _)| &**name).collect();
            table.try_into().map_err(|error| match alone {
                // Errors in the file have a line and a column.
                Err(in_file) => ConfigError::in_file(path, text, &in_file),
                Ok(_) => ConfigError::Environment {
                    variables: names.join(", "),
                    message: overlay::without_values(error.to_string().trim(), &overrides),
                },
            })?
        };
        resolve(path, written)
    }
}

/// A start waits no longer than this for partners.
const START_WAIT_LIMIT_S: u16 = 60;

fn resolve(path: &Path, written: ConfigFile) -> Result<Config, ConfigError> {
    let rule = |key, message| ConfigError::Rule {
        path: path.display().to_string(),
        key,
        message,
    };
    let directory = path.parent().unwrap_or(Path::new("/"));
    let place = |written: Option<PathBuf>, default: &str| {
        directory.join(written.unwrap_or_else(|| PathBuf::from(default)))
    };
    if written.name.trim().is_empty() {
        return Err(rule("name", "is empty; write the node's name"));
    }
    let listen = listen(written.listen, rule)?;
    let schema::Access { auditors, units } = written.access;
    if auditors.iter().any(|p| p.role() != Role::Auditor) {
        return Err(rule(
            "access.auditors",
            "names somebody who is no auditor; write spiffe://<code>.yichuan/auditor/<number>",
        ));
    }
    // A node that waits for hours takes no writes, and nobody knows why.
    let start_wait_s = written.exchange.start_wait_s.unwrap_or(5);
    if start_wait_s > START_WAIT_LIMIT_S {
        return Err(rule("exchange.start_wait_s", "is at most 60"));
    }
    Ok(Config {
        jurisdiction: written.jurisdiction,
        name: written.name,
        data: place(written.data, "data"),
        client: Client {
            node: written
                .client
                .node
                .unwrap_or_else(|| listen.endpoint.clone()),
            identities: place(written.client.identities, "certs"),
        },
        listen,
        tls: TlsFiles {
            cert: place(written.tls.cert, "certs/node.pem"),
            key: place(written.tls.key, "certs/node.key"),
            ca: place(written.tls.ca, "certs/ca.pem"),
            crl: place(written.tls.crl, "certs/ca.crl"),
            require_hybrid: written.tls.require_hybrid.unwrap_or_default(),
        },
        access: Access { auditors, units },
        check: Check {
            partners: written.check.partners,
        },
        limits: limits(&written.limits),
        exchange: Exchange {
            start_wait: Duration::from_secs(start_wait_s.into()),
        },
        quotas: quotas(&written.quotas),
        path: path.to_owned(),
    })
}

fn listen(
    written: schema::Listen,
    rule: impl Fn(&'static str, &'static str) -> ConfigError,
) -> Result<Listen, ConfigError> {
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let address = written.address.unwrap_or(loopback(7443));
    let admin = written.admin.unwrap_or(loopback(7480));
    if !admin.ip().is_loopback() {
        return Err(rule(
            "listen.admin",
            "must be a loopback address such as 127.0.0.1:7480; it asks nobody who they are",
        ));
    }
    let endpoint = match written.endpoint {
        Some(endpoint) => endpoint,
        None => Some(format!("https://{address}"))
            .filter(|_| !address.ip().is_unspecified())
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| {
                rule(
                    "listen.endpoint",
                    "is missing; listen.address does not say what partners dial",
                )
            })?,
    };
    Ok(Listen {
        address,
        endpoint,
        admin,
    })
}

fn limits(written: &schema::Limits) -> Limits {
    let seconds = |s: Option<u32>, default: u32| Duration::from_secs(s.unwrap_or(default).into());
    let number = |n: Option<NonZeroUsize>, default: usize| n.map_or(default, NonZeroUsize::get);
    let gate = GateLimits::default();
    Limits {
        connections: number(written.connections, gate.connections),
        connections_per_address: number(
            written.connections_per_address,
            gate.connections_per_address,
        ),
        connections_per_principal: number(
            written.connections_per_principal,
            gate.connections_per_principal,
        ),
        handshakes: number(written.handshakes, gate.handshakes),
        requests_per_connection: number(written.requests_per_connection, 64),
        handshake_timeout: seconds(written.handshake_timeout_s.map(NonZeroU32::get), 10),
        drain: seconds(written.drain_s, 30),
        disk_reserve: u64::from(written.disk_reserve_mib.unwrap_or(256)) * 1024 * 1024,
    }
}

fn quotas(written: &schema::Quotas) -> Quotas {
    let (or, default) = (
        |n: Option<NonZeroU32>, default: u32| n.map_or(default, NonZeroU32::get),
        Quotas::default(),
    );
    Quotas {
        calls_per_minute: or(written.calls_per_minute, default.calls_per_minute),
        pushed_per_minute: or(written.pushed_per_minute, default.pushed_per_minute),
        pushed_per_day: or(written.pushed_per_day, default.pushed_per_day),
        opened_per_hour: or(written.opened_per_hour, default.opened_per_hour),
        searches_per_hour: or(written.searches_per_hour, default.searches_per_hour),
        misses_per_hour: or(written.misses_per_hour, default.misses_per_hour),
        conflicts_per_hour: or(written.conflicts_per_hour, default.conflicts_per_hour),
        dispatches_per_minute: or(written.dispatches_per_minute, default.dispatches_per_minute),
        dispatches_per_day: or(written.dispatches_per_day, default.dispatches_per_day),
        logged_bytes_per_day: or(written.logged_bytes_per_day, default.logged_bytes_per_day),
        streams: or(written.streams, default.streams),
    }
}
