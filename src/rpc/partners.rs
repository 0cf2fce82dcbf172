//! The `Partners` service.

use super::{
    convert::{self, WireDefect},
    pb, status,
};
use crate::{
    access,
    api::authorizer::Authorizer,
    casework::{Approval, PartnerAdmin, PartnerEntry, PartnerRefused, Standing},
    domain::Jurisdiction,
    entry::PartnerChange,
    exchange::{Courier, Directory, Inbox, LinkState, Outbox, Witness},
    log::Log,
    tls::Fingerprint,
};
use std::{collections::BTreeMap, fmt, pin::Pin, sync::Arc};
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status};

/// Rows of an outbox that are read at once to count it.
const OUTBOX_AT_ONCE: usize = 1_000;

/// Makes directory, trust, streams and couriers follow a change of the partners.
pub(crate) trait PartnersChanged: Send + Sync + fmt::Debug {
    /// Follows the approval, suspension, resumption or removal of a partner. Returns how many connections were cut.
    fn changed(&self) -> Pin<Box<dyn Future<Output = Result<usize, String>> + Send + '_>>;

    /// Approved partners with which nothing can be exchanged, and why.
    fn left_out(&self) -> BTreeMap<Jurisdiction, String>;

    /// The groups of the last key exchanges with a partner's node: when it connected, and when this node did. Empty if there
    /// was none since the start.
    fn key_exchanges(&self, partner: Jurisdiction) -> [String; 2];
}

#[derive(Clone)]
pub(super) struct PartnersService {
    pub(super) authorizer: Authorizer,
    pub(super) partners: PartnerAdmin,
    pub(super) log: Log,
    pub(super) witness: Arc<Witness>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) courier: Arc<Courier>,
    pub(super) directory: Arc<Directory>,
    pub(super) tasks: TaskTracker,
    pub(super) changed: Arc<dyn PartnersChanged>,
}

impl PartnersService {
    async fn summary(&self, entry: PartnerEntry) -> Result<pb::PartnerSummary, Status> {
        let partner = entry.partner;
        let code = partner.code;
        let standing = entry.standing;
        // A draft is sent nothing.
        let outbox = match standing {
            Standing::Draft => 0,
            Standing::InForce | Standing::Suspended | Standing::Removed => self
                .log
                .read(move |reader| Outbox::count(reader, code, OUTBOX_AT_ONCE))
                .await
                .and_then(|count| count)?,
        };
        let in_force = self.directory.get(code).is_some();
        let connected = in_force && self.courier.states().get(&code) == Some(&LinkState::Up);
        let [key_exchange_in, key_exchange_out] = self.changed.key_exchanges(code);
        let put_off = self.courier.deferred_by(code);
        let verified_size = self.witness.tree(&partner).size;
        let approved = matches!(standing, Standing::InForce | Standing::Suspended);
        let left_out = self.changed.left_out().remove(&code);
        let (change, change_by) = match entry.change {
            Some((change, by)) => (change.to_wire(), by),
            None => (pb::PartnerChange::Unspecified, String::new()),
        };
        Ok(pb::PartnerSummary {
            jurisdiction: code.to_string(),
            name: partner.name,
            endpoint: partner.endpoint,
            origin: partner.key.name().to_owned(),
            card_fingerprint: hex::encode(entry.card_sha256),
            approved,
            proposed_by: entry.proposed_by,
            approved_by: entry.approved_by.unwrap_or_default(),
            connected,
            outbox: u64::try_from(outbox).unwrap_or(u64::MAX),
            verified_size,
            ca_fingerprint: Fingerprint::of(&partner.ca).to_hex(),
            key_fingerprint: Fingerprint::of(partner.key.public_key()).to_hex(),
            clock_ahead_s: self.inbox.skews().ahead(code),
            state: match standing {
                Standing::Draft => pb::PartnerState::Draft,
                Standing::InForce => pb::PartnerState::InForce,
                Standing::Suspended => pb::PartnerState::Suspended,
                Standing::Removed => pb::PartnerState::Removed,
            }
            .into(),
            left_out: left_out.filter(|_| approved).unwrap_or_default(),
            change: change.into(),
            change_by,
            issued: partner.issued.0.to_string(),
            serial: partner.issued.1,
            key_exchange_in,
            key_exchange_out,
            evidence: u64::try_from(self.witness.evidence_against(code)).unwrap_or(u64::MAX),
            put_off: put_off.map_or(0, |(count, _)| u64::try_from(count).unwrap_or(u64::MAX)),
            put_off_why: put_off.map_or("", |(_, why)| why.as_str()).to_owned(),
        })
    }

    /// Commits a change of the partners and has everything follow it, even if the caller does not wait: what the log says is
    /// in force.
    async fn in_force<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T, PartnerRefused>> + Send + 'static,
    ) -> Result<(T, usize), Status> {
        let changed = Arc::clone(&self.changed);
        let done = self.tasks.spawn(async move {
            let done = change.await?;
            let cut = changed.changed().await;
            Ok::<_, Status>((done, cut.map_err(|error| status::internal(&error))?))
        });
        done.await.map_err(|error| status::internal(&error))?
    }

    async fn changed(
        &self,
        code: Jurisdiction,
        cut: usize,
    ) -> Result<Response<pb::PartnerChanged>, Status> {
        let entry = self.partners.get(code).await?;
        Ok(Response::new(pb::PartnerChanged {
            partner: Some(self.summary(entry).await?),
            cut: u64::try_from(cut).unwrap_or(u64::MAX),
        }))
    }
}

fn change_of(number: i32) -> Result<PartnerChange, WireDefect> {
    PartnerChange::from_wire(number).ok_or(WireDefect::Malformed("change"))
}

fn code_of(text: &str) -> Result<Jurisdiction, WireDefect> {
    convert::jurisdiction(text, "jurisdiction")
}

impl TryFrom<pb::ApprovePartnerRequest> for (Jurisdiction, Approval) {
    type Error = WireDefect;

    fn try_from(request: pb::ApprovePartnerRequest) -> Result<Self, WireDefect> {
        let code = code_of(&request.jurisdiction)?;
        let fingerprint: Fingerprint = request
            .fingerprint
            .parse()
            .map_err(|_| WireDefect::Malformed("fingerprint"))?;
        let changes: Result<_, _> = request.changes.iter().map(|name| name.parse()).collect();
        let approval = Approval {
            fingerprint: *fingerprint.as_bytes(),
            changes: changes.map_err(|_| WireDefect::Malformed("changes"))?,
            accepted_log: Some(request.accept_new_log).filter(|origin| !origin.is_empty()),
        };
        Ok((code, approval))
    }
}

impl TryFrom<pb::SuspendPartnerRequest> for Jurisdiction {
    type Error = WireDefect;

    fn try_from(request: pb::SuspendPartnerRequest) -> Result<Self, WireDefect> {
        code_of(&request.jurisdiction)
    }
}

impl TryFrom<pb::DraftPartnerChangeRequest> for (Jurisdiction, PartnerChange) {
    type Error = WireDefect;

    fn try_from(request: pb::DraftPartnerChangeRequest) -> Result<Self, WireDefect> {
        Ok((code_of(&request.jurisdiction)?, change_of(request.change)?))
    }
}

impl TryFrom<pb::ApprovePartnerChangeRequest> for (Jurisdiction, PartnerChange) {
    type Error = WireDefect;

    fn try_from(request: pb::ApprovePartnerChangeRequest) -> Result<Self, WireDefect> {
        Ok((code_of(&request.jurisdiction)?, change_of(request.change)?))
    }
}

#[tonic::async_trait]
impl pb::partners_server::Partners for PartnersService {
    async fn propose_partner(
        &self,
        request: Request<pb::ProposePartnerRequest>,
    ) -> Result<Response<pb::PartnerSummary>, Status> {
        let (permit, request) = self.authorizer.admit(request, access::ProposePartner)?;
        let entry = self
            .partners
            .propose(&permit, request.card.to_vec())
            .await?;
        Ok(Response::new(self.summary(entry).await?))
    }

    async fn approve_partner(
        &self,
        request: Request<pb::ApprovePartnerRequest>,
    ) -> Result<Response<pb::PartnerSummary>, Status> {
        let (permit, request) = self.authorizer.admit(request, access::ApprovePartner)?;
        let (code, approval): (Jurisdiction, Approval) = request.try_into()?;
        let partners = self.partners.clone();
        let approve = async move { partners.approve(&permit, code, approval).await };
        let (entry, _) = self.in_force(approve).await?;
        Ok(Response::new(self.summary(entry).await?))
    }

    async fn suspend_partner(
        &self,
        request: Request<pb::SuspendPartnerRequest>,
    ) -> Result<Response<pb::PartnerChanged>, Status> {
        let (permit, request) = self.authorizer.admit(request, access::ApprovePartner)?;
        let code: Jurisdiction = request.try_into()?;
        let partners = self.partners.clone();
        let suspend = async move { partners.suspend(&permit, code).await };
        let ((), cut) = self.in_force(suspend).await?;
        self.changed(code, cut).await
    }

    async fn draft_partner_change(
        &self,
        request: Request<pb::DraftPartnerChangeRequest>,
    ) -> Result<Response<pb::PartnerSummary>, Status> {
        let (permit, request) = self.authorizer.admit(request, access::ProposePartner)?;
        let (code, change): (Jurisdiction, PartnerChange) = request.try_into()?;
        self.partners.draft_change(&permit, code, change).await?;
        let entry = self.partners.get(code).await?;
        Ok(Response::new(self.summary(entry).await?))
    }

    async fn approve_partner_change(
        &self,
        request: Request<pb::ApprovePartnerChangeRequest>,
    ) -> Result<Response<pb::PartnerChanged>, Status> {
        let (permit, request) = self.authorizer.admit(request, access::ApprovePartner)?;
        let (code, change): (Jurisdiction, PartnerChange) = request.try_into()?;
        let partners = self.partners.clone();
        let approve = async move { partners.approve_change(&permit, code, change).await };
        let ((), cut) = self.in_force(approve).await?;
        self.changed(code, cut).await
    }

    async fn list_partners(
        &self,
        request: Request<pb::ListPartnersRequest>,
    ) -> Result<Response<pb::ListPartnersResponse>, Status> {
        let (permit, _) = self.authorizer.admit(request, access::ListPartners)?;
        let looking = self.authorizer.look(&permit, 0).await?;
        let entries = self.partners.list(&permit).await?;
        // A card costs as much as thirty rows, for its signature is checked.
        let mut unreadable = self.directory.cut_off().unreadable.clone();
        let cards = entries.len().saturating_mul(30);
        let mut partners = Vec::with_capacity(entries.len());
        let mut waiting: u64 = 0;
        for entry in entries {
            if entry.standing != Standing::Draft {
                unreadable.remove(&entry.partner.code);
            }
            let summary = self.summary(entry).await?;
            waiting = waiting.saturating_add(summary.outbox);
            partners.push(summary);
        }
        // Counting a hundred dispatches costs as much as one row.
        let counted = usize::try_from(waiting / 100).unwrap_or(usize::MAX);
        looking.looked_at(cards.saturating_add(counted));
        // All that is known of these is that they were approved.
        partners.extend(
            unreadable
                .into_iter()
                .map(|(code, why)| pb::PartnerSummary {
                    jurisdiction: code.to_string(),
                    approved: true,
                    state: pb::PartnerState::InForce.into(),
                    left_out: why,
                    ..pb::PartnerSummary::default()
                }),
        );
        let own_clock = self.inbox.skews().own_clock();
        Ok(Response::new(pb::ListPartnersResponse {
            partners,
            own_clock_behind_s: own_clock.map(|own| own.behind_s),
        }))
    }
}
