//! Opening one caught notice.

use super::{
    Desk, DeskError, ReceiptSummary,
    caught_rows::{CaughtRow, caught},
    rows::{RowDamaged, RowsError, events},
};
use crate::{
    access::{OpenCaught, Parties, Permit, Scope},
    domain::{CaughtFields, RecordId},
    exchange::{Payload, Vault, VaultError},
    log::{Durable, Reader},
    record::{Consultation, Content},
};
use std::sync::Arc;

/// One notice, opened.
#[derive(Debug)]
pub struct CaughtDetail {
    /// Where it stands.
    pub row: CaughtRow,
    /// What it says.
    pub notice: CaughtFields,
    /// Who sent it, a SPIFFE ID.
    pub principal: String,
    /// The recipient's proof, once this node has it, where this node sent the notice.
    pub receipt: Option<ReceiptSummary>,
}

impl Desk {
    /// Opens one caught notice. The consultation is durable before anything is returned.
    ///
    /// # Errors
    /// It is not there for the caller, it is erased, or the log failed.
    pub async fn open_caught(
        &self,
        permit: &Permit<OpenCaught>,
        record: RecordId,
    ) -> Result<Durable<(CaughtDetail, u64)>, DeskError> {
        let scope = permit.scope();
        self.log
            .read(move |reader| visible(reader, scope, record))
            .await??;
        let consulted = self
            .consulted(
                permit.principal(),
                permit.grounds(),
                Consultation::Open,
                vec![record],
            )
            .await?;
        let vault = Arc::clone(&self.vault);
        let detail = self
            .log
            .read(move |reader| detail(reader, &vault, scope, record))
            .await??;
        Ok(consulted.map(|index| (detail, index)))
    }
}

/// A notice's row, if it is in scope.
fn visible(mut reader: &Reader, scope: Scope, record: RecordId) -> Result<CaughtRow, DeskError> {
    caught(&mut reader, record)?
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
    scope: Scope,
    record: RecordId,
) -> Result<CaughtDetail, DeskError> {
    let row = visible(reader, scope, record)?;
    let (index, event) = events(&mut reader, record)?
        .into_iter()
        .next()
        .ok_or(RowDamaged)
        .map_err(RowsError::from)?;
    let month = event.month().map_err(RowsError::from)?;
    let Payload::Open(plaintext) = vault.open_payload(&mut reader, index, month, event.dispatch)?
    else {
        return Err(DeskError::Erased(record));
    };
    let Ok(Content::Caught(notice)) = plaintext.content() else {
        return Err(DeskError::Vault(VaultError::Damaged {
            index,
            what: "its content cannot be read",
        }));
    };
    Ok(CaughtDetail {
        row,
        notice: *notice,
        principal: event.principal,
        receipt: event.receipt.map(ReceiptSummary::from),
    })
}
