//! The desk of an officer: one handle on everything that may be done with leads.

use super::{
    Direction, LeadRow,
    assignment::{Listed, listed},
    lead_rows::lead,
    rows::{ReceiptRow, RowsError, actions, events},
};
use crate::{
    access::{Assignee, Clearance, Denial, Grounds, OpenLead, Parties, Permit, Principal, Scope},
    domain::{
        Clock, EntryId, Jurisdiction, LeadFields, LeadStep, RecordId, ReturnReason, Standing,
        Timestamp, resolve,
    },
    exchange::{Directory, Outbox, Payload, Rows, Vault, VaultError},
    log::{Durable, Log, Proposal, ProposeError, ReadError, Reader, TxnError},
    record::{Cause, Consultation, Content, DispatchAction, Entry, Kind, LeadAnswer},
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
    /// It is assigned to somebody else.
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
    /// What it says.
    pub lead: LeadFields,
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
        }
    }

    /// Opens one lead. The consultation is durable before anything is returned.
    ///
    /// # Errors
    /// It is not there for the caller, or assigned to somebody else; it is erased, or the log failed.
    pub async fn open(
        &self,
        permit: &Permit<OpenLead>,
        record: RecordId,
    ) -> Result<Durable<(LeadDetail, u64)>, DeskError> {
        let cleared = self.clear_to_open(permit, record).await?;
        let (vault, clearance) = (Arc::clone(&self.vault), cleared.0.clone());
        let detail = self
            .log
            .read(move |reader| detail(reader, &vault, &clearance))
            .await??;
        Ok(cleared.map(|(_, index)| (detail, index)))
    }

    /// Appends a `Consulted` entry, and gives its index.
    pub(super) async fn consulted(
        &self,
        principal: &Principal,
        grounds: &Grounds,
        how: Consultation,
        records: Vec<RecordId>,
    ) -> Result<Durable<u64>, DeskError> {
        self.vault.admit_reading()?;
        let cause = Cause {
            principal: principal.clone(),
            grounds: Some(grounds.clone()),
        };
        let proposal = Proposal::new(move |txn| {
            let entry = Entry {
                time: txn.now(),
                id: EntryId::new(txn.now()),
                cause,
                kind: Kind::Consulted {
                    how,
                    records,
                    overridden: false,
                },
            };
            txn.append(entry.encode())
        });
        self.log
            .propose(proposal)
            .await
            .map_err(log_error::<TxnError>)
    }
}

pub(super) fn log_error<E: fmt::Display>(error: ProposeError<E>) -> DeskError {
    DeskError::Log(error.to_string())
}

/// A lead's row, if it is in scope.
pub(super) fn visible(
    rows: &mut dyn Rows,
    scope: Scope,
    record: RecordId,
) -> Result<LeadRow, DeskError> {
    lead(rows, record)?
        .filter(|row| {
            scope.covers(Parties {
                from: row.from,
                to: row.to,
            })
        })
        .ok_or(DeskError::NotFound(record))
}

fn detail(
    mut reader: &Reader,
    vault: &Vault,
    clearance: &Clearance,
) -> Result<LeadDetail, DeskError> {
    let (scope, record) = (clearance.scope(), clearance.record());
    let row = visible(&mut reader, scope, record)?;
    let Listed { row, assigned } = listed(&mut reader, scope, record, row)?;
    let rows = events(&mut reader, record)?;
    let actions =
        actions(&rows, row.direction, DispatchAction::lead_step).map_err(RowsError::from)?;
    let standings = resolve(&actions).standings;
    let mut fields = None;
    let mut happened = Vec::with_capacity(rows.len());
    for ((index, event), action) in rows.into_iter().zip(actions) {
        let month = event.month().map_err(RowsError::from)?;
        let mut answer = None;
        if let Payload::Open(plaintext) =
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
    let lead = fields.ok_or(DeskError::Erased(record))?;
    Ok(LeadDetail {
        row,
        assigned,
        lead,
        events: happened,
    })
}

/// True where the row went the way asked for.
pub(super) fn went(row: &LeadRow, direction: Option<Direction>) -> bool {
    direction.is_none_or(|direction| row.direction == direction)
}
