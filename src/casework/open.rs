//! Opening one record to read it, and seeing where it stands.

use super::{
    Casework, CaseworkError, Listed, Trace,
    event_row::{EventRow, ReceiptSummary, events, history},
    recent_looks::Look,
    record_row::RecordRow,
    sight::{look, shown},
};
use crate::{
    access::{Assignee, List, OfFamily, Open, Permit},
    domain::{Action, DispatchId, RecordId, ReturnReason, Standing, State, Timestamp, resolve},
    entry::{Content, DispatchAction, Entry, Kind},
    exchange::{Payload, Vault, VaultError},
    log::{Durable, Reader},
    seal::PurgeMonth,
};
use std::sync::Arc;

/// One record, opened.
#[derive(Debug)]
pub struct Detail {
    /// Where it stands.
    pub row: RecordRow,
    /// To whom it is assigned, as far as that concerns who asks.
    pub assigned: Option<Assignee>,
    /// What it says now, after corrections and resubmissions, where it was opened.
    pub content: Option<Content>,
    /// What happened, in the order of this log.
    pub events: Vec<EventDetail>,
    /// The actions that this node's side may take now.
    pub allowed: Vec<Action>,
    /// By when the originator of a transfer tells whoever reported the case.
    pub notice_due: Option<Timestamp>,
}

/// One action on a record.
#[derive(Debug)]
pub struct EventDetail {
    /// Index in this log.
    pub index: u64,
    /// When it was written into this log.
    pub time: Timestamp,
    /// What.
    pub action: DispatchAction,
    /// Who, a SPIFFE ID.
    pub principal: String,
    /// Whether it counts.
    pub standing: Standing,
    /// What it said, where that is not what the record says.
    pub said: Option<Content>,
    /// With a return.
    pub return_reason: Option<ReturnReason>,
    /// The partner's proof, once this node has it.
    pub receipt: Option<ReceiptSummary>,
}

impl Casework {
    /// Opens one record of the permit's family. The consultation is durable before anything is returned.
    ///
    /// # Errors
    /// It is not there for the caller, or not theirs to open; it is erased, or the log failed.
    pub async fn open(
        &self,
        permit: &Permit<Open>,
        record: RecordId,
    ) -> Result<Durable<(Detail, Trace)>, CaseworkError> {
        let cleared = self.clear_to_open(permit, record).await?;
        let (vault, permit) = (Arc::clone(&self.vault), permit.clone());
        let detail = self
            .log
            .read(move |reader| detail(reader, Some(&vault), &permit, record))
            .await??;
        Ok(cleared.map(|(_, trace)| (detail, trace)))
    }

    /// Where one record stands and what proves it, for whoever may know that it is there. The consultation is durable before
    /// anything is returned.
    ///
    /// # Errors
    /// It is not there for the caller, or the log failed.
    pub async fn standing(
        &self,
        permit: &Permit<List>,
        record: RecordId,
    ) -> Result<Durable<(Detail, Trace)>, CaseworkError> {
        let asking = permit.clone();
        let reading = self.log.read(move |mut reader| {
            let detail = detail(reader, None, &asking, record)?;
            let shown = shown(&mut reader, record)?;
            Ok::<_, CaseworkError>((detail, shown))
        });
        let (detail, shown) = reading.await??;
        let consulted = self.consulted(permit, Look::one(record, shown)).await?;
        Ok(consulted.map(|trace| (detail, trace)))
    }
}

/// What there is to see of a record; its content, where there is a vault to take it from.
fn detail<A: OfFamily>(
    mut reader: &Reader,
    vault: Option<&Vault>,
    permit: &Permit<A>,
    record: RecordId,
) -> Result<Detail, CaseworkError> {
    let listed = look(&mut reader, permit, record)?;
    let Listed {
        mut row, assigned, ..
    } = listed.ok_or(CaseworkError::NotFound(record))?;
    if vault.is_none() {
        row.withhold();
    }
    let rows = events(&mut reader, record)?;
    let history = history(&rows, &row)?;
    let standings = resolve(row.kind, &history).standings;
    let opened = |(_, event): &&(u64, EventRow)| event.action.opens().is_some();
    let notice_due = rows
        .iter()
        .find(opened)
        .and_then(|(_, event)| row.notice_due(Timestamp::from_millis(event.acted_ms)));
    let mut says = None;
    let mut happened = Vec::with_capacity(rows.len());
    for ((index, event), taken) in rows.into_iter().zip(history) {
        let month = event.month()?;
        let mut said = content(reader, vault, index, month, event.dispatch)?;
        if taken.action == Action::Open || taken.action.restates() {
            let whole = said.take();
            if index == row.says_index {
                says = whole;
            }
        }
        happened.push(EventDetail {
            index,
            time: Timestamp::from_millis(event.time_ms),
            action: event.action,
            principal: event.principal,
            standing: standings
                .get(&taken.hash)
                .copied()
                .unwrap_or(Standing::Waiting),
            said,
            return_reason: event.return_reason,
            receipt: event.receipt,
        });
    }
    if row.draft.is_some() {
        says = drafted(reader, vault, &row)?.or(says);
    }
    // A draft is only approved: it never left, so there is nothing to take back.
    let allowed = if row.progress == State::Drafted {
        Vec::new()
    } else {
        row.kind.allowed(row.progress, row.own_side())
    };
    if vault.is_some() && says.is_none() {
        return Err(CaseworkError::Erased(record));
    }
    Ok(Detail {
        row,
        assigned,
        content: says,
        events: happened,
        allowed,
        notice_due,
    })
}

/// What a draft says.
fn drafted(
    reader: &Reader,
    vault: Option<&Vault>,
    row: &RecordRow,
) -> Result<Option<Content>, CaseworkError> {
    let Some(leaf) = reader.entry(row.index)? else {
        return Ok(None);
    };
    let Ok(Entry {
        kind: Kind::ReferralDrafted(sent),
        ..
    }) = Entry::decode(&leaf)
    else {
        return Ok(None);
    };
    let (month, dispatch) = (sent.terms.purge_month, sent.dispatch_id);
    content(reader, vault, row.index, month, dispatch)
}

fn content(
    mut reader: &Reader,
    vault: Option<&Vault>,
    index: u64,
    month: PurgeMonth,
    dispatch: DispatchId,
) -> Result<Option<Content>, CaseworkError> {
    let damaged = VaultError::Damaged {
        index,
        what: "its content cannot be read",
    };
    let Some(vault) = vault else {
        return Ok(None);
    };
    match vault.open_payload(&mut reader, index, month, dispatch)? {
        Payload::Open(plaintext) => Ok(Some(plaintext.content().map_err(|_| damaged)?)),
        Payload::Erased => Ok(None),
    }
}
