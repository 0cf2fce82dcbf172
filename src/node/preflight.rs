//! Checks everything that a start takes from the configuration, with the parts that use it. Each start begins with
//! this, and `config check` does nothing else, so the two always agree.

use super::{NodeError, StartError, TrustError, data_dir::DataDir, open_files, trust};
use crate::{
    access::Principal,
    config::Config,
    domain::{Clock, Timestamp},
    exchange::VaultError,
    log,
    note::VerifierKey,
    store::KeyFile,
    telemetry::AdminError,
};
use std::{io, net::TcpListener, sync::Arc};

/// One thing that was checked.
#[derive(Debug)]
pub(crate) struct Check {
    pub key: &'static str,
    /// What it is, or why a node does not start with it.
    pub found: Result<Found, NodeError>,
}

/// What was found, if a node starts with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It is sound.
    Sound,
    /// Another process has the address now: the node itself, if it runs.
    Taken,
    /// The log's key.
    Log(VerifierKey),
    /// The CA's certificate.
    Authority {
        /// When it expires.
        until: Timestamp,
    },
    /// The CA's list.
    List {
        /// When the next one is due.
        until: Timestamp,
        /// Whether that time is in the future. A node starts with an expired list, for the sake of its partners, and
        /// admits nobody of its own.
        fresh: bool,
    },
    /// The node's certificate.
    Certificate {
        /// Whose it is.
        principal: Principal,
        /// When it expires.
        until: Timestamp,
    },
}

/// Checks all of it. Changes nothing. Blocks.
pub(crate) fn check_config(config: &Config, clock: &Arc<dyn Clock>) -> Vec<Check> {
    let mut checks = vec![Check {
        key: "limits",
        found: open_files::allow(&config.limits.gate())
            .map(|()| Found::Sound)
            .map_err(NodeError::from),
    }];
    ports(config, &mut checks);
    checks.push(Check {
        key: "data",
        found: data(config).map(Found::Log).map_err(NodeError::Start),
    });
    tls(config, clock, &mut checks);
    checks
}

/// Whether it can listen on both ports at the same time.
fn ports(config: &Config, checks: &mut Vec<Check>) {
    let (admin, address) = (config.listen.admin, config.listen.address);
    let held = TcpListener::bind(admin);
    let beside = TcpListener::bind(address).map(drop);
    let alone = is_taken(&beside) && held.is_ok();
    let held = held.map(drop);
    let beside = match alone && TcpListener::bind(address).is_ok() {
        true => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!(
                "listen.admin is {admin}, which leaves no room for it; give one of the two another port"
            ),
        )),
        false => beside,
    };
    checks.push(Check {
        key: "listen.admin",
        found: port(held).map_err(|source| {
            let address = admin;
            AdminError::Bind { address, source }.into()
        }),
    });
    checks.push(Check {
        key: "listen.address",
        found: port(beside).map_err(|source| StartError::Listen { address, source }.into()),
    });
}

fn port(bound: io::Result<()>) -> io::Result<Found> {
    match is_taken(&bound) {
        true => Ok(Found::Taken),
        false => bound.map(|()| Found::Sound),
    }
}

fn is_taken(bound: &io::Result<()>) -> bool {
    let error = bound.as_ref().err();
    error.is_some_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// The data directory's own files. Opening the store checks what is in it.
fn data(config: &Config) -> Result<VerifierKey, StartError> {
    let files = DataDir::at(&config.data);
    files.require_private()?;
    let signer = files.signer()?;
    files.of(config.jurisdiction, &signer)?;
    let key = signer.verifier_key();
    let checkpoint = files.checkpoint();
    let kept = log::kept_checkpoint(&checkpoint, &key)?;
    log::refuse_if_failed(&checkpoint)?;
    let ring = KeyFile::at(files.bucket_keys()).load();
    // The first start makes one, before the log has an entry.
    if ring.map_err(VaultError::from)?.is_none() && kept.is_some_and(|kept| kept.size() > 0) {
        return Err(VaultError::NoKeyFile.into());
    }
    Ok(key)
}

/// The node's certificates. The CA's and the list are reported if they are at fault by themselves; what is wrong with
/// all of them together is reported for the node's certificate.
fn tls(config: &Config, clock: &Arc<dyn Clock>, checks: &mut Vec<Check>) {
    let mut add = |key, found: Result<Found, TrustError>| {
        let found = found.map_err(|error| NodeError::Start(error.into()));
        checks.push(Check { key, found });
    };
    let (own, files) = (config.jurisdiction, &config.tls);
    let mut issuer = None;
    match trust::authority(own, files) {
        Err(error) => add("tls.ca", Err(error)),
        Ok(authority) => {
            let until = authority.not_after();
            add("tls.ca", Ok(Found::Authority { until }));
            match trust::list(files, &authority) {
                Err(error) => add("tls.crl", Err(error)),
                Ok(list) => {
                    let (until, fresh) = (list.next_update(), list.is_fresh(clock.now()));
                    add("tls.crl", Ok(Found::List { until, fresh }));
                    issuer = Some((authority, list));
                }
            }
        }
    }
    let certificate = trust::credentials(own, files).and_then(|credentials| {
        let identity = credentials.identity();
        let (principal, until) = (identity.principal().clone(), identity.not_after());
        if let Some((authority, list)) = issuer {
            trust::stand(config, credentials, authority, list, clock)?;
        }
        Ok(Found::Certificate { principal, until })
    });
    add("tls.cert", certificate);
}
