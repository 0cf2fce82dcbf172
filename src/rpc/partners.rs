//! The `Partners` service.

use super::{caller::Door, convert, pb, status};
use crate::{
    access,
    desk::{PartnerDesk, PartnerEntry},
    exchange::{Courier, Inbox, LinkState, Outbox, Witness},
    log::Log,
    tls::Fingerprint,
};
use std::{fmt, pin::Pin, sync::Arc};
use tonic::{Request, Response, Status};

/// Rows of an outbox that are held while it is counted.
const OUTBOX_AT_ONCE: usize = 1_000;

/// What happens when the partners changed: trust, directory and couriers follow.
pub trait PartnersChanged: Send + Sync + fmt::Debug {
    /// A partner was approved.
    fn changed(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>>;
}

#[derive(Clone)]
pub(super) struct PartnersService {
    pub(super) door: Door,
    pub(super) partners: PartnerDesk,
    pub(super) log: Log,
    pub(super) witness: Arc<Witness>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) courier: Arc<Courier>,
    pub(super) changed: Arc<dyn PartnersChanged>,
}

impl PartnersService {
    async fn summary(&self, entry: PartnerEntry) -> Result<pb::PartnerSummary, Status> {
        let partner = entry.partner;
        let code = partner.code;
        // Nothing goes to a draft.
        let outbox = match entry.approved_by {
            Some(_) => self
                .log
                .read(move |reader| Outbox::count(reader, code, OUTBOX_AT_ONCE))
                .await
                .and_then(|count| count)
                .map_err(|error| status::read(&error))?,
            None => 0,
        };
        let connected = self.courier.states().get(&code) == Some(&LinkState::Up);
        let verified_size = self.witness.tree(&partner).size;
        Ok(pb::PartnerSummary {
            jurisdiction: code.to_string(),
            name: partner.name,
            endpoint: partner.endpoint,
            origin: partner.key.name().to_owned(),
            card_fingerprint: hex::encode(entry.card_sha256),
            approved: entry.approved_by.is_some(),
            proposed_by: entry.proposed_by,
            approved_by: entry.approved_by.unwrap_or_default(),
            connected,
            outbox: u64::try_from(outbox).unwrap_or(u64::MAX),
            verified_size,
            ca_fingerprint: Fingerprint::of(&partner.ca).to_hex(),
            key_fingerprint: Fingerprint::of(partner.key.public_key()).to_hex(),
            clock_ahead_s: self.inbox.skews().ahead(code),
        })
    }
}

#[tonic::async_trait]
impl pb::partners_server::Partners for PartnersService {
    async fn propose_partner(
        &self,
        request: Request<pb::ProposePartnerRequest>,
    ) -> Result<Response<pb::PartnerSummary>, Status> {
        let (_, extensions, request) = request.into_parts();
        let permit = self
            .door
            .permit(&extensions, request.grounds, access::ProposePartner)?;
        let entry = self
            .partners
            .propose(&permit, request.card.to_vec())
            .await
            .map_err(|e| status::partner(&e))?;
        Ok(Response::new(self.summary(entry).await?))
    }

    async fn approve_partner(
        &self,
        request: Request<pb::ApprovePartnerRequest>,
    ) -> Result<Response<pb::PartnerSummary>, Status> {
        let (_, extensions, request) = request.into_parts();
        let permit = self
            .door
            .permit(&extensions, request.grounds, access::ApprovePartner)?;
        let code = convert::jurisdiction(&request.jurisdiction, "jurisdiction")?;
        let fingerprint: Fingerprint = request
            .fingerprint
            .parse()
            .map_err(|_| super::WireDefect::Malformed("fingerprint"))?;
        let entry = self
            .partners
            .approve(&permit, code, *fingerprint.as_bytes())
            .await
            .map_err(|e| status::partner(&e))?;
        self.changed
            .changed()
            .await
            .map_err(|error| status::internal(&error))?;
        Ok(Response::new(self.summary(entry).await?))
    }

    async fn list_partners(
        &self,
        request: Request<pb::ListPartnersRequest>,
    ) -> Result<Response<pb::ListPartnersResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let permit = self
            .door
            .permit(&extensions, request.grounds, access::ListPartners)?;
        let looking = self.door.look(&permit, 0).await?;
        let entries = self
            .partners
            .list(&permit)
            .await
            .map_err(|e| status::partner(&e))?;
        // A card is thirty rows' work: its signature is checked.
        let cards = entries.len().saturating_mul(30);
        let mut partners = Vec::with_capacity(entries.len());
        let mut waiting: u64 = 0;
        for entry in entries {
            let summary = self.summary(entry).await?;
            waiting = waiting.saturating_add(summary.outbox);
            partners.push(summary);
        }
        // Counting reads keys in a row, a hundred for what another row costs.
        let counted = usize::try_from(waiting / 100).unwrap_or(usize::MAX);
        looking.looked_at(cards.saturating_add(counted));
        Ok(Response::new(pb::ListPartnersResponse { partners }))
    }
}
