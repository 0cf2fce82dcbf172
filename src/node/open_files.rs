//! Open files. Each connection is one, and so is each file that the log writes anew: connections without end must not take
//! those from it, because a log that cannot write closes. So whatever opens sockets has its share and no more, and what is
//! left is the log's.

use crate::{
    telemetry::ADMIN_SOCKETS,
    tls::{Dialer, GateLimits},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For all that is neither a connection of others nor one to partners: the store, keys and checkpoint, ports, names that
/// are looked up.
const OWN: u64 = 384;
/// More is not asked for.
const ENOUGH: u64 = 65_536;

/// The system gives this process fewer files than its limits on connections may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process may open {may} files at once, and its limits on connections need {needs}: raise that (`LimitNOFILE=` of \
     its service, `ulimit -Hn`), or lower limits.connections and limits.handshakes"
)]
pub struct TooFewFiles {
    /// As many as it may.
    pub may: u64,
    /// As many as it needs.
    pub needs: u64,
}

/// Raises the soft limit on open files (getrlimit(2), `RLIMIT_NOFILE`), which is low for the sake of programs that use
/// select(2), as far as the hard one goes.
///
/// # Errors
/// That is less than these limits need.
pub(super) fn allow(limits: &GateLimits) -> Result<(), TooFewFiles> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // None is no limit.
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

/// Connections to partners that the system allows beyond [`Dialer::SOCKETS`].
pub(super) fn more_sockets(limits: &GateLimits) -> usize {
    let may = getrlimit(Resource::Nofile).current.unwrap_or(ENOUGH);
    let more = may.min(ENOUGH).saturating_sub(needs(limits));
    usize::try_from(more).unwrap_or_default()
}
