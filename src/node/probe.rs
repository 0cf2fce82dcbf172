//! The health of a running node.

use super::{Node, follow_partners::left_out};
use crate::{
    log::LogHealth,
    telemetry::{Probe, Readiness},
};
use std::sync::Arc;

impl Node {
    /// A probe of the node's health.
    pub fn probe(&self) -> Probe {
        let (log, trust, clock, own, reserve, directory) = (
            self.log.clone(),
            Arc::clone(&self.trust),
            Arc::clone(&self.clock),
            self.own,
            Arc::clone(&self.reserve),
            Arc::clone(&self.directory),
        );
        let (own_log, skews) = (Arc::clone(&self.own_log), Arc::clone(&self.skews));
        Arc::new(move || {
            let mut reasons = Vec::new();
            if let LogHealth::Closed { why } = log.health() {
                reasons.push(why.to_string());
            }
            if let Some(lasts) = log.stalled() {
                let lasts = lasts.as_secs();
                reasons.push(format!(
                    "a write to the log has not returned for {lasts} s: see whether the disk hangs"
                ));
            }
            if let Err(short) = reserve.admit() {
                reasons.push(short.to_string());
            }
            let stale = trust.gate().trust();
            if stale.without_fresh_crl(clock.now()).any(|code| code == own) {
                reasons.push("our own revocation list has expired; issue a new one".to_owned());
            }
            if !reasons.is_empty() {
                return Readiness::NotReady(reasons);
            }
            let mut warnings: Vec<_> = left_out(&directory, &trust)
                .into_iter()
                .map(|(partner, why)| format!("partner {partner} is left out: {why}"))
                .collect();
            if own_log.asked_nobody(&directory) {
                warnings.push(
                    "no partner could be asked since the start what it holds of this log; nobody would have noticed an \
                     older copy of the store"
                        .to_owned(),
                );
            }
            warnings.extend(skews.own_clock().map(|wrong| wrong.to_string()));
            if warnings.is_empty() {
                Readiness::Ready
            } else {
                Readiness::Warned(warnings)
            }
        })
    }
}
