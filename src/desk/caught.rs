//! Opening one caught notice.

use super::{
    Desk, DeskError, ReceiptSummary, Trace,
    caught_rows::CaughtRow,
    looks::Look,
    rows::{RowDamaged, RowsError, events},
    sight::{look, shown},
};
use crate::{
    access::{ListCaught, OpenCaught, Permit},
    domain::{CaughtFields, RecordId},
    entry::Content,
    exchange::{Payload, Vault, VaultError},
    log::{Durable, Reader},
};
use std::sync::Arc;

/// One notice, opened.
#[derive(Debug)]
pub struct CaughtDetail {
    /// Where it stands.
    pub row: CaughtRow,
    /// What it says, where it was opened.
    pub notice: Option<CaughtFields>,
    /// Who sent it, a SPIFFE ID.
    pub principal: String,
    /// The recipient's proof, once this node has it, where this node sent the notice.
    pub receipt: Option<ReceiptSummary>,
}

impl Desk {
    /// Opens one caught notice. The consultation is durable before anything is returned.
    ///
    /// # Errors
    /// It is not there for the caller, or not theirs to open; it is erased, or the log failed.
    pub async fn open_caught(
        &self,
        permit: &Permit<OpenCaught>,
        record: RecordId,
    ) -> Result<Durable<(CaughtDetail, Trace)>, DeskError> {
        let cleared = self.clear_to_open::<CaughtRow, _>(permit, record).await?;
        let (vault, permit) = (Arc::clone(&self.vault), permit.clone());
        let detail = self
            .log
            .read(move |reader| detail(reader, Some(&vault), &permit, record))
            .await??;
        Ok(cleared.map(|(_, trace)| (detail, trace)))
    }

    /// Where one notice stands and what proves it, for whoever may know that it is there. The consultation is durable
    /// before anything is returned.
    ///
    /// # Errors
    /// It is not there for the caller, or the log failed.
    pub async fn caught_standing(
        &self,
        permit: &Permit<ListCaught>,
        record: RecordId,
    ) -> Result<Durable<(CaughtDetail, Trace)>, DeskError> {
        let asking = permit.clone();
        let reading = self.log.read(move |mut reader| {
            let detail = detail(reader, None, &asking, record)?;
            let shown = shown::<CaughtRow>(&mut reader, record)?;
            Ok::<_, DeskError>((detail, shown))
        });
        let (detail, shown) = reading.await??;
        let consulted = self.consulted(permit, Look::one(record, shown)).await?;
        Ok(consulted.map(|trace| (detail, trace)))
    }
}

/// What there is to see of a notice; its content, where there is a vault to take it from.
fn detail<A>(
    mut reader: &Reader,
    vault: Option<&Vault>,
    permit: &Permit<A>,
    record: RecordId,
) -> Result<CaughtDetail, DeskError> {
    let listed = look::<CaughtRow, A>(&mut reader, permit, record)?;
    let row = listed.ok_or(DeskError::NotFound(record))?.row;
    let (index, event) = events(&mut reader, record)?
        .into_iter()
        .next()
        .ok_or(RowDamaged)
        .map_err(RowsError::from)?;
    let month = event.month().map_err(RowsError::from)?;
    let mut notice = None;
    if let Some(vault) = vault {
        let Payload::Open(plaintext) =
            vault.open_payload(&mut reader, index, month, event.dispatch)?
        else {
            return Err(DeskError::Erased(record));
        };
        let Ok(Content::Caught(says)) = plaintext.content() else {
            return Err(DeskError::Vault(VaultError::Damaged {
                index,
                what: "its content cannot be read",
            }));
        };
        notice = Some(*says);
    }
    Ok(CaughtDetail {
        row,
        notice,
        principal: event.principal,
        receipt: event.receipt.map(ReceiptSummary::from),
    })
}
