//! The desk of an officer: one handle on everything that may be done with leads.

use super::{
    Direction, LeadRow, Listed, Trace,
    looks::{Look, Looks},
    rows::{ReceiptRow, RowsError, actions, events},
    sight::{RecordRow as _, look, shown},
};
use crate::{
    access::{Assignee, Denial, ListLeads, OpenLead, Permit},
    domain::{
        Clock, Jurisdiction, LeadFields, LeadStep, RecordId, ReturnReason, Standing, Timestamp,
        resolve,
    },
    entry::{Content, DispatchAction, LeadAnswer},
    exchange::{Directory, Outbox, Payload, Vault, VaultError},
    log::{Durable, Log, ProposeError, ReadError, Reader},
    seal::PurgeMonth,
    store::DiskShort,
};
use std::{fmt, sync::Arc};

/// What officers do with leads.
#[derive(Clone)]
pub struct Desk {
    pub(super) log: Log,
    pub(super) own: Jurisdiction,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) vault: Arc<Vault>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) directory: Arc<Directory>,
    pub(super) looks: Arc<Looks>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

/// A lead could not be listed, opened or answered.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// There is no such lead, or not for this caller: which of the two is not said.
    #[error("no record {0} is here for you; list those that are")]
    NotFound(RecordId),
    /// It is there, and not for this caller to open or to act on.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The view or the log failed to read.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// The log failed to read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A payload failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The payload's key is destroyed.
    #[error("the content of record {0} is erased; the log still proves its exchange")]
    Erased(RecordId),
    /// There is no room for new records.
    #[error(transparent)]
    Disk(#[from] DiskShort),
    /// The log takes no writes.
    #[error("{0}")]
    Log(String),
}

/// One lead, opened.
#[derive(Debug)]
pub struct LeadDetail {
    /// Where it stands.
    pub row: LeadRow,
    /// To whom it is assigned, as far as that concerns who asks.
    pub assigned: Option<Assignee>,
    /// What it says, where it was opened.
    pub lead: Option<LeadFields>,
    /// What happened, in the order of this log.
    pub events: Vec<LeadEvent>,
}

/// One action on a lead.
#[derive(Debug)]
pub struct LeadEvent {
    /// Index in this log.
    pub index: u64,
    /// When it was written into this log.
    pub time: Timestamp,
    /// What.
    pub step: LeadStep,
    /// Who, a SPIFFE ID.
    pub principal: String,
    /// Whether it counts.
    pub standing: Standing,
    /// What it said; nothing for the lead itself.
    pub answer: Option<LeadAnswer>,
    /// With a return.
    pub return_reason: Option<ReturnReason>,
    /// The partner's proof, once this node has it.
    pub receipt: Option<ReceiptSummary>,
}

/// A receipt in short.
#[derive(Clone, Debug)]
pub struct ReceiptSummary {
    /// Index of the receipt in this log.
    pub index: u64,
    /// Index of the dispatch in the partner's log.
    pub partner_index: u64,
    /// Origin of that log.
    pub partner_origin: String,
    /// Size of the partner's signed tree that proves it.
    pub tree_size: u64,
    /// When the partner's entry was written, by its clock.
    pub time: Timestamp,
}

impl From<ReceiptRow> for ReceiptSummary {
    fn from(receipt: ReceiptRow) -> Self {
        Self {
            index: receipt.index,
            partner_index: receipt.partner_index,
            partner_origin: receipt.partner_origin,
            tree_size: receipt.tree_size,
            time: Timestamp::from_millis(receipt.time_ms),
        }
    }
}

impl Desk {
    /// Asks for room for a new record, and makes its purge month's keys, once a month, off the async workers.
    pub(super) async fn ready_for_new(&self, month: PurgeMonth) -> Result<(), DeskError> {
        self.vault.admit()?;
        match self.vault.ready(&self.log, month).await {
            // That closed the log.
            Err(VaultError::KeyFile(error)) => Err(DeskError::Log(error.to_string())),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(()),
        }
    }

    /// The desk of a node.
    pub fn new(
        log: Log,
        own: Jurisdiction,
        clock: Arc<dyn Clock>,
        vault: Arc<Vault>,
        outbox: Arc<Outbox>,
        directory: Arc<Directory>,
    ) -> Self {
        Self {
            log,
            own,
            clock,
            vault,
            outbox,
            directory,
            looks: Arc::default(),
        }
    }

    /// Opens one lead. The consultation is durable before anything is returned.
    ///
    /// # Errors
    /// It is not there for the caller, or not theirs to open; it is erased, or the log failed.
    pub async fn open(
        &self,
        permit: &Permit<OpenLead>,
        record: RecordId,
    ) -> Result<Durable<(LeadDetail, Trace)>, DeskError> {
        let cleared = self.clear_to_open::<LeadRow, _>(permit, record).await?;
        let (vault, permit) = (Arc::clone(&self.vault), permit.clone());
        let detail = self
            .log
            .read(move |reader| detail(reader, Some(&vault), &permit, record))
            .await??;
        Ok(cleared.map(|(_, trace)| (detail, trace)))
    }

    /// Where one lead stands and what proves it, for whoever may know that it is there. The consultation is durable before
    /// anything is returned.
    ///
    /// # Errors
    /// It is not there for the caller, or the log failed.
    pub async fn lead_standing(
        &self,
        permit: &Permit<ListLeads>,
        record: RecordId,
    ) -> Result<Durable<(LeadDetail, Trace)>, DeskError> {
        let asking = permit.clone();
        let reading = self.log.read(move |mut reader| {
            let detail = detail(reader, None, &asking, record)?;
            let shown = shown::<LeadRow>(&mut reader, record)?;
            Ok::<_, DeskError>((detail, shown))
        });
        let (detail, shown) = reading.await??;
        let consulted = self.consulted(permit, Look::one(record, shown)).await?;
        Ok(consulted.map(|trace| (detail, trace)))
    }
}

pub(super) fn log_error<E: fmt::Display>(error: ProposeError<E>) -> DeskError {
    DeskError::Log(error.to_string())
}

/// What there is to see of a lead; its content, where there is a vault to take it from.
fn detail<A>(
    mut reader: &Reader,
    vault: Option<&Vault>,
    permit: &Permit<A>,
    record: RecordId,
) -> Result<LeadDetail, DeskError> {
    let listed = look::<LeadRow, A>(&mut reader, permit, record)?;
    let Listed {
        mut row, assigned, ..
    } = listed.ok_or(DeskError::NotFound(record))?;
    if vault.is_none() {
        row.withhold();
    }
    let rows = events(&mut reader, record)?;
    let actions =
        actions(&rows, row.direction, DispatchAction::lead_step).map_err(RowsError::from)?;
    let standings = resolve(&actions).standings;
    let mut fields = None;
    let mut happened = Vec::with_capacity(rows.len());
    for ((index, event), action) in rows.into_iter().zip(actions) {
        let month = event.month().map_err(RowsError::from)?;
        let mut answer = None;
        if let Some(vault) = vault
            && let Payload::Open(plaintext) =
                vault.open_payload(&mut reader, index, month, event.dispatch)?
        {
            let damaged = VaultError::Damaged {
                index,
                what: "its content cannot be read",
            };
            match plaintext.content().map_err(|_| damaged)? {
                Content::Lead(lead) => fields = Some(*lead),
                Content::LeadAnswer(said) => answer = Some(said),
                Content::Referral(_) | Content::ReferralNote(_) | Content::Caught(_) => {}
            }
        }
        happened.push(LeadEvent {
            index,
            time: Timestamp::from_millis(event.time_ms),
            step: action.step,
            principal: event.principal,
            standing: standings
                .get(&action.hash)
                .copied()
                .unwrap_or(Standing::Waiting),
            answer,
            return_reason: event.return_reason,
            receipt: event.receipt.map(ReceiptSummary::from),
        });
    }
    if vault.is_some() && fields.is_none() {
        return Err(DeskError::Erased(record));
    }
    Ok(LeadDetail {
        row,
        assigned,
        lead: fields,
        events: happened,
    })
}

/// True where the row went the way asked for.
pub(super) fn went(row: &LeadRow, direction: Option<Direction>) -> bool {
    direction.is_none_or(|direction| row.direction == direction)
}
