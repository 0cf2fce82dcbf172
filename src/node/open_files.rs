//! Limits open files. Each connection needs one, and so does each file that the log rewrites: connections must not use
//! up those of the log, because a log that cannot write closes. So everything that opens sockets has a fixed share, and
//! the rest is the log's.

use crate::{
    telemetry::ADMIN_SOCKETS,
    tls::{Dialer, GateLimits},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For everything except connections from others and to partners: the store, keys and checkpoint, ports, name lookups.
const OWN: u64 = 384;
/// More is never requested.
const ENOUGH: u64 = 65_536;

/// The system gives this process fewer files than its connection limits may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process may open {may} files at once, and its limits on connections need {needs}: raise that (`LimitNOFILE=` of \
     its service, `ulimit -Hn`), or lower limits.connections and limits.handshakes"
)]
pub struct TooFewFiles {
    /// How many it may open.
    pub may: u64,
    /// How many it needs.
    pub needs: u64,
}

/// Raises the soft limit on open files (getrlimit(2), `RLIMIT_NOFILE`), which is low for the sake of programs that use
/// select(2), up to the hard one.
///
/// # Errors
/// Even the hard limit is lower than what these limits need.
pub(super) fn allow(limits: &GateLimits) -> Result<(), TooFewFiles> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // `None` means no limit.
    let (soft, hard) = (current.unwrap_or(u64::MAX), maximum.unwrap_or(u64::MAX));
    let needs = needs(limits);
    let wanted = hard.min(ENOUGH.max(needs));
    let mut may = soft;
    if soft < wanted {
        let raised = Rlimit {
            current: Some(wanted),
            maximum,
        };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => may = wanted,
            Err(error) => tracing::warn!(%error, "the limit on open files cannot be raised"),
        }
    }
    if may < needs {
        return Err(TooFewFiles { may, needs });
    }
    Ok(())
}

fn needs(limits: &GateLimits) -> u64 {
    let sockets = [limits.sockets(), ADMIN_SOCKETS, Dialer::SOCKETS];
    let sockets = sockets.into_iter().fold(0, usize::saturating_add);
    u64::try_from(sockets)
        .unwrap_or(u64::MAX)
        .saturating_add(OWN)
}

/// How many connections to partners the system allows beyond [`Dialer::SOCKETS`].
pub(super) fn more_sockets(limits: &GateLimits) -> usize {
    let may = getrlimit(Resource::Nofile).current.unwrap_or(ENOUGH);
    let more = may.min(ENOUGH).saturating_sub(needs(limits));
    usize::try_from(more).unwrap_or_default()
}
