//! Makes a running node follow changes of its partners.

use super::trust::Trust;
use crate::{
    casework::PartnerAdmin,
    domain::Jurisdiction,
    exchange::{Courier, Directory, Inbox},
    rpc::PartnersChanged,
};
use std::{collections::BTreeMap, pin::Pin, sync::Arc};

/// Follows a change of the partners: directory, trust, streams, couriers, in this order.
#[derive(Debug)]
pub(super) struct FollowPartners {
    pub(super) partners: PartnerAdmin,
    pub(super) directory: Arc<Directory>,
    pub(super) trust: Arc<Trust>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) courier: Arc<Courier>,
    /// Held from reading the rows until everything follows them: an older state never replaces a newer one.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl PartnersChanged for FollowPartners {
    fn changed(&self) -> Pin<Box<dyn Future<Output = Result<usize, String>> + Send + '_>> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            self.partners
                .refresh(&self.directory)
                .await
                .map_err(|e| e.to_string())?;
            let cut = self.trust.follow(&self.directory).await;
            // Even if our own certificates are invalid: whoever is cut off stays cut off.
            self.inbox.follow();
            self.courier.refresh();
            cut.map_err(|e| e.to_string())
        })
    }

    fn left_out(&self) -> BTreeMap<Jurisdiction, String> {
        left_out(&self.directory, &self.trust)
    }

    fn key_exchanges(&self, partner: Jurisdiction) -> [String; 2] {
        let (gate, dialer) = (self.trust.gate(), self.trust.dialer());
        [gate.key_exchange(partner), dialer.key_exchange(partner)].map(Option::unwrap_or_default)
    }
}

/// Approved partners with which nothing can be exchanged, and why.
pub(super) fn left_out(directory: &Directory, trust: &Trust) -> BTreeMap<Jurisdiction, String> {
    let mut left_out = trust.left_out();
    left_out.extend(directory.cut_off().unreadable.clone());
    left_out
}
