//! This node's own log as its partners know it. A checkpoint that bears our signature and is not in our log closes the
//! log permanently (I9). A node that starts asks its partners before it makes the first write.

use super::{Directory, OutboxError, Tree};
use crate::{
    domain::Jurisdiction,
    log::{Log, Reader},
    merkle::Hash,
};
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::watch;

/// What partners hold of this node's log.
#[derive(Debug)]
pub struct OwnLog {
    log: Log,
    /// For each partner, since the start: whether it said what it holds, or could not be asked.
    asked: watch::Sender<BTreeMap<Jurisdiction, bool>>,
}

impl OwnLog {
    /// Starts with no partner asked.
    pub fn new(log: Log) -> Self {
        Self {
            log,
            asked: watch::Sender::default(),
        }
    }

    /// A partner stated what it holds of our log: `note`, with our signature; empty if it holds nothing. Notes that are
    /// not ours prove nothing.
    ///
    /// # Errors
    /// Our log does not contain it, and is now closed; or the comparison failed.
    pub(super) async fn partner_holds(
        &self,
        from: Jurisdiction,
        note: &[u8],
    ) -> Result<(), OutboxError> {
        let compared = self.compare(from, note).await;
        self.asked.send_if_modified(|asked| {
            let is_new = asked.get(&from) != Some(&true);
            asked.insert(from, true);
            is_new
        });
        compared
    }

    /// As [`OwnLog::partner_holds`], for a note that somebody passes on.
    pub(super) async fn compare(&self, by: Jurisdiction, note: &[u8]) -> Result<(), OutboxError> {
        let Ok(shown) = self.log.verifier_key().verify(note) else {
            return Ok(());
        };
        let size = shown.size();
        if self.log.contains(shown, by).await? {
            Ok(())
        } else {
            Err(OutboxError::NotOurTree { size })
        }
    }

    /// A partner could not be asked.
    pub(super) fn partner_unreachable(&self, partner: Jurisdiction) {
        self.asked.send_if_modified(|asked| {
            let is_new = !asked.contains_key(&partner);
            asked.entry(partner).or_insert(false);
            is_new
        });
    }

    /// Waits until each of the partners has stated what it holds or could not be reached, for at most this long, or
    /// until the log is closed. Logs which ones it could ask.
    pub async fn ask_all(&self, directory: &Directory, within: Duration) {
        let partners = directory.snapshot();
        if partners.is_empty() {
            return;
        }
        let mut asked = self.asked.subscribe();
        let all = asked.wait_for(|asked| partners.keys().all(|code| asked.contains_key(code)));
        tokio::select! {
            _ = tokio::time::timeout(within, all) => {}
            _ = self.log.until_closed() => return,
        }
        let answered = self.answered();
        let unasked = partners
            .keys()
            .filter(|code| !answered.contains(code))
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        if answered.is_empty() {
            tracing::warn!(
                unasked,
                "no partner could be asked what it holds of this log: were the store an older copy, it would show only when \
                 one comes up"
            );
        } else {
            tracing::info!(
                asked = answered.len(),
                unasked,
                "partners were asked: what they hold of this log is in it"
            );
        }
    }

    /// The partners that have stated what they hold, since the start.
    fn answered(&self) -> Vec<Jurisdiction> {
        let asked = self.asked.borrow();
        asked
            .iter()
            .filter(|(_, said)| **said)
            .map(|(code, _)| *code)
            .collect()
    }

    /// Whether there are partners, and none has stated what it holds since the start.
    pub fn asked_nobody(&self, directory: &Directory) -> bool {
        !directory.snapshot().is_empty() && self.answered().is_empty()
    }
}

/// The tree that a partner says it verified, if it is one of ours.
pub(super) fn own_tree(
    reader: &Reader,
    own_origin: &str,
    origin: &str,
    size: u64,
    root: Hash,
) -> Result<Tree, OutboxError> {
    let not_ours = OutboxError::NotOurTree { size };
    if size > reader.size() || (size > 0 && origin != own_origin) {
        return Err(not_ours);
    }
    if reader.proofs().root(size)? != root {
        return Err(not_ours);
    }
    Ok(Tree {
        origin: own_origin.to_owned(),
        size,
        root,
    })
}
