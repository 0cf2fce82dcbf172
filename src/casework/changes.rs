//! Following records: what changed since, for whoever follows.

use super::{
    Casework, CaseworkError, Listed, Trace, recent_looks::Look, row_codec::RowDamaged, sight::look,
};
use crate::{
    access::{List, Permit},
    domain::RecordId,
    exchange::Rows as _,
    log::Reader,
    store::tables,
};
use std::{collections::BTreeSet, sync::Arc};

/// A record changed.
#[derive(Clone, Debug)]
pub struct Change {
    /// The entry that changed it.
    pub index: u64,
    /// Which.
    pub record: RecordId,
    /// As it stands now.
    pub listed: Listed,
}

/// What changed for somebody who follows.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Those that concern them.
    pub changes: Vec<Change>,
    /// The last change that was looked at, whether or not it concerns them; nothing where there were none.
    pub looked_to: Option<u64>,
}

impl Casework {
    /// Changes of referrals after an index, of the next `limit`, for whoever follows; and up to where they are complete. As
    /// with a list, the consultation, naming every record among them, is durable before any is returned. Where there is none,
    /// nothing was looked at, and nothing is written.
    ///
    /// # Errors
    /// The log failed.
    pub async fn changes(
        &self,
        permit: &Permit<List>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<(Changes, Option<Trace>), CaseworkError> {
        let from = after.map_or(0, |after| after.saturating_add(1));
        let asking = permit.clone();
        let seen = self
            .log
            .read(move |reader| changes(reader, &asking, from, limit))
            .await??;
        if seen.changes.is_empty() {
            return Ok((seen, None));
        }
        let records: BTreeSet<_> = seen.changes.iter().map(|change| change.record).collect();
        let mut shown = Vec::new();
        for change in &seen.changes {
            shown.extend(change.index.to_be_bytes());
            change.listed.write(&mut shown)?;
        }
        let look = Look::list(records.into_iter().collect(), shown);
        let trace = self.consulted(permit, look).await?.into_inner();
        Ok((seen, Some(trace)))
    }

    /// The log's newest size, and a way to wait for it to grow.
    pub fn follow(&self) -> tokio::sync::watch::Receiver<Arc<crate::note::SignedCheckpoint>> {
        self.log.subscribe()
    }
}

fn changes(
    mut reader: &Reader,
    permit: &Permit<List>,
    from: u64,
    limit: usize,
) -> Result<Changes, CaseworkError> {
    let (from, to) = (tables::record_change(from), tables::record_change(u64::MAX));
    let mut seen = Changes::default();
    for (key, value) in reader.rows(&from, &to, limit)? {
        let index = tables::last_index(&key).ok_or(RowDamaged)?;
        let record = RecordId::from_slice(&value).map_err(|_| RowDamaged)?;
        seen.looked_to = Some(index);
        if let Some(listed) = look(&mut reader, permit, record)? {
            seen.changes.push(Change {
                index,
                record,
                listed,
            });
        }
    }
    Ok(seen)
}
