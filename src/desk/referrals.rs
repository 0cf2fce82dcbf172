//! Opening one referral to read it.

use super::{
    Desk, DeskError, Listed, ReceiptSummary, Trace,
    looks::Look,
    referral_rows::ReferralRow,
    rows::{EventRow, RowsError, actions, events},
    sight::{look, shown},
};
use crate::{
    access::{Assignee, ListReferrals, Permit, ReadReferral},
    domain::{
        RecordId, ReferralProgress, ReferralStep, ReturnReason, Standing, Timestamp,
        referral::ReferralFields, resolve,
    },
    entry::{Content, DispatchAction, Entry, Kind, Note},
    exchange::{Payload, Vault, VaultError},
    log::{Durable, Reader},
    seal::PurgeMonth,
};
use std::sync::Arc;

/// One referral, opened.
#[derive(Debug)]
pub struct ReferralDetail {
    /// Where it stands.
    pub row: ReferralRow,
    /// To whom it is assigned, as far as that concerns who asks.
    pub assigned: Option<Assignee>,
    /// What it says now, after corrections and resubmissions, where it was opened.
    pub fields: Option<ReferralFields>,
    /// What happened, in the order of this log.
    pub events: Vec<ReferralEvent>,
    /// The steps that this node's side may take now.
    pub allowed: Vec<ReferralStep>,
    /// By when the originator of a transfer tells whoever reported the case.
    pub notice_due: Option<Timestamp>,
}

/// One action on a referral.
#[derive(Debug)]
pub struct ReferralEvent {
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
    /// What it said, in words.
    pub note: Note,
    /// With a return.
    pub return_reason: Option<ReturnReason>,
    /// The partner's proof, once this node has it.
    pub receipt: Option<ReceiptSummary>,
}

impl Desk {
    /// Opens one referral. The consultation is durable before anything is returned.
    ///
    /// # Errors
    /// It is not there for the caller, or not theirs to open; it is erased, or the log failed.
    pub async fn read_referral(
        &self,
        permit: &Permit<ReadReferral>,
        record: RecordId,
    ) -> Result<Durable<(ReferralDetail, Trace)>, DeskError> {
        let cleared = self.clear_to_open::<ReferralRow, _>(permit, record).await?;
        let (vault, permit) = (Arc::clone(&self.vault), permit.clone());
        let detail = self
            .log
            .read(move |reader| detail(reader, Some(&vault), &permit, record))
            .await??;
        Ok(cleared.map(|(_, trace)| (detail, trace)))
    }

    /// Where one referral stands and what proves it, for whoever may know that it is there. The consultation is durable
    /// before anything is returned.
    ///
    /// # Errors
    /// It is not there for the caller, or the log failed.
    pub async fn referral_standing(
        &self,
        permit: &Permit<ListReferrals>,
        record: RecordId,
    ) -> Result<Durable<(ReferralDetail, Trace)>, DeskError> {
        let asking = permit.clone();
        let reading = self.log.read(move |mut reader| {
            let detail = detail(reader, None, &asking, record)?;
            let shown = shown::<ReferralRow>(&mut reader, record)?;
            Ok::<_, DeskError>((detail, shown))
        });
        let (detail, shown) = reading.await??;
        let consulted = self.consulted(permit, Look::one(record, shown)).await?;
        Ok(consulted.map(|trace| (detail, trace)))
    }
}

/// What there is to see of a referral; its content, where there is a vault to take it from.
fn detail<A>(
    mut reader: &Reader,
    vault: Option<&Vault>,
    permit: &Permit<A>,
    record: RecordId,
) -> Result<ReferralDetail, DeskError> {
    let listed = look::<ReferralRow, A>(&mut reader, permit, record)?;
    let Listed { row, assigned, .. } = listed.ok_or(DeskError::NotFound(record))?;
    let rows = events(&mut reader, record)?;
    let actions =
        actions(&rows, row.direction, DispatchAction::referral_step).map_err(RowsError::from)?;
    let standings = resolve(&actions).standings;
    let opened = |(_, event): &&(u64, EventRow)| matches!(event.action, DispatchAction::Open(_));
    let notice_due = rows
        .iter()
        .find(opened)
        .and_then(|(_, event)| row.notice_due(Timestamp::from_millis(event.acted_ms)));
    let mut fields = None;
    let mut happened = Vec::with_capacity(rows.len());
    for ((index, event), action) in rows.into_iter().zip(actions) {
        let month = event.month().map_err(RowsError::from)?;
        let mut note = Note::default();
        match content(reader, vault, index, month, event.dispatch)? {
            Some(Content::Referral(says)) if index == row.says_index => fields = Some(*says),
            Some(Content::ReferralNote(said)) => note = said,
            Some(
                Content::Referral(_)
                | Content::Lead(_)
                | Content::LeadAnswer(_)
                | Content::Caught(_),
            )
            | None => {}
        }
        happened.push(ReferralEvent {
            index,
            time: Timestamp::from_millis(event.time_ms),
            action: event.action,
            principal: event.principal,
            standing: standings
                .get(&action.hash)
                .copied()
                .unwrap_or(Standing::Waiting),
            note,
            return_reason: event.return_reason,
            receipt: event.receipt.map(ReceiptSummary::from),
        });
    }
    if row.draft.is_some() {
        let leaf = reader
            .entry(row.index)?
            .ok_or(DeskError::NotFound(record))?;
        if let Ok(Entry {
            kind: Kind::ReferralDrafted(sent),
            ..
        }) = Entry::decode(&leaf)
            && let Some(Content::Referral(says)) = content(
                reader,
                vault,
                row.index,
                sent.terms.purge_month,
                sent.dispatch_id,
            )?
        {
            fields = Some(*says);
        }
    }
    // A draft is only approved: it never left, so there is nothing to take back.
    let allowed = if row.progress == ReferralProgress::Drafted {
        Vec::new()
    } else {
        row.progress.allowed(row.kind, row.own_side())
    };
    if vault.is_some() && fields.is_none() {
        return Err(DeskError::Erased(record));
    }
    Ok(ReferralDetail {
        row,
        assigned,
        fields,
        events: happened,
        allowed,
        notice_due,
    })
}

fn content(
    mut reader: &Reader,
    vault: Option<&Vault>,
    index: u64,
    month: PurgeMonth,
    dispatch: crate::domain::DispatchId,
) -> Result<Option<Content>, DeskError> {
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
