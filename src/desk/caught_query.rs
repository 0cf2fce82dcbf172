//! Listing caught notices.

use super::{
    Desk, DeskError, Direction, Listed, Trace,
    caught_rows::{CaughtRow, state_key},
    looks::Look,
    pages::{Source, Wanted, collect, first_at},
    rows::RowsError,
    sight::look,
};
use crate::{
    access::{ListCaught, Permit, Scope},
    domain::{CaughtState, Jurisdiction, RecordId, ResidentNumber, Timestamp},
    exchange::{Rows as _, Vault},
    log::{Durable, Reader},
    seal::PurgeMonth,
    store::tables,
};
use std::{fmt, sync::Arc};

/// Which notices. All that is given must hold.
#[derive(Clone, Default)]
pub struct CaughtQuery {
    /// Which way they went.
    pub direction: Option<Direction>,
    /// In one of these states; empty for any.
    pub states: Vec<CaughtState>,
    /// With this jurisdiction, whichever way.
    pub counterpart: Option<Jurisdiction>,
    /// Entered in this log at or after.
    pub since: Option<Timestamp>,
    /// Entered before.
    pub before: Option<Timestamp>,
    /// About this citizen number.
    pub resident_number: Option<ResidentNumber>,
    /// About a person of this name.
    pub name: Option<String>,
    /// After this index in this log.
    pub after_index: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

impl fmt::Debug for CaughtQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whom it is about is nobody's business.
        f.debug_struct("CaughtQuery")
            .field("states", &self.states)
            .field("counterpart", &self.counterpart)
            .finish_non_exhaustive()
    }
}

impl CaughtQuery {
    /// Whom it is about. Number and name together are one guess: each other name under a number is another.
    pub fn person(&self) -> Option<String> {
        let number = self.resident_number.as_ref().map(ResidentNumber::as_str);
        let name = self.name.as_deref();
        let asked = || [number.unwrap_or_default(), name.unwrap_or_default()].join("\0");
        (number.is_some() || name.is_some()).then(asked)
    }
}

/// One page.
#[derive(Clone, Debug, Default)]
pub struct CaughtPage {
    /// In the order of this log.
    pub notices: Vec<(RecordId, Listed<CaughtRow>)>,
    /// Where the next page starts; nothing on the last.
    pub next_after: Option<u64>,
    /// Rows looked at to find them.
    pub looked: usize,
}

impl Desk {
    /// Lists caught notices. The consultation, naming every one on the page, is durable before the page is returned.
    ///
    /// # Errors
    /// The log failed.
    pub async fn list_caught(
        &self,
        permit: &Permit<ListCaught>,
        query: CaughtQuery,
    ) -> Result<Durable<(CaughtPage, Trace)>, DeskError> {
        let (asking, vault) = (permit.clone(), Arc::clone(&self.vault));
        let asked = query.person();
        let page = self
            .log
            .read(move |reader| page(reader, &vault, &asking, &query))
            .await??;
        let look = Look::page(&page.notices, asked)?;
        let consulted = self.consulted(permit, look).await?;
        Ok(consulted.map(|trace| (page, trace)))
    }
}

fn page(
    reader: &Reader,
    vault: &Vault,
    permit: &Permit<ListCaught>,
    query: &CaughtQuery,
) -> Result<CaughtPage, DeskError> {
    let mut from = query.after_index.map_or(0, |after| after.saturating_add(1));
    if let Some(since) = query.since {
        from = from.max(first_at(reader, since)?);
    }
    let end = match query.before {
        Some(before) => first_at(reader, before)?,
        None => u64::MAX,
    };
    let wanted = Wanted {
        within: from..end,
        limit: query.limit,
        search: query.person().is_some(),
    };
    let page = collect(
        reader,
        &sources(vault, permit.scope(), query),
        wanted,
        |mut reader, record| {
            let listed = look(&mut reader, permit, record)?;
            match listed.filter(|listed| matches(listed, query)) {
                Some(listed) if has_name(reader, vault, query, &listed.row, record)? => {
                    Ok(Some(listed))
                }
                Some(_) | None => Ok(None),
            }
        },
    )?;
    Ok(CaughtPage {
        notices: page.found,
        next_after: page.next_after,
        looked: page.looked,
    })
}

/// The keyed index of the number, else of the name, finds candidates; without either, direction and state do.
fn sources(vault: &Vault, scope: Scope, query: &CaughtQuery) -> Vec<Source> {
    if query.resident_number.is_some() || query.name.is_some() {
        return vault
            .ring()
            .buckets()
            // Nothing that people of another jurisdiction may find is looked for.
            .filter(|_| scope == Scope::Node)
            .map(|(month, keys)| {
                let month = month.number();
                let tag = match (&query.resident_number, &query.name) {
                    (Some(number), _) => keys.number_tag(number.as_str()),
                    (None, name) => keys.tag("name", name.as_deref().unwrap_or_default()),
                };
                Box::new(move |index| tables::subject(month, &tag, index).to_vec()) as Source
            })
            .collect();
    }
    let mut sources: Vec<Source> = Vec::new();
    for direction in Direction::ALL {
        for state in CaughtState::ALL {
            let asked = query.states.is_empty() || query.states.contains(state);
            if asked && query.direction.is_none_or(|asked| asked == direction) {
                let (direction, state) = (direction.key(), state_key(*state));
                sources.push(Box::new(move |index| {
                    tables::caught_by_state(direction, state, index).to_vec()
                }));
            }
        }
    }
    sources
}

/// Where both number and name are asked for, whether a candidate by number has the name.
fn has_name(
    mut reader: &Reader,
    vault: &Vault,
    query: &CaughtQuery,
    row: &CaughtRow,
    record: RecordId,
) -> Result<bool, DeskError> {
    let (Some(_), Some(name)) = (&query.resident_number, &query.name) else {
        return Ok(true);
    };
    let ring = vault.ring();
    let Some(keys) = PurgeMonth::new(row.purge_month).and_then(|month| ring.bucket(month)) else {
        return Ok(false);
    };
    let key = tables::subject(row.purge_month, &keys.tag("name", name), row.index);
    let found = reader.row(&key).map_err(RowsError::from)?;
    Ok(found.is_some_and(|id| id == record.as_bytes()))
}

/// What a record says is only matched for whom it says it.
fn matches(listed: &Listed<CaughtRow>, query: &CaughtQuery) -> bool {
    let row = &listed.row;
    (query.person().is_none() || listed.sight.is_content())
        && query
            .direction
            .is_none_or(|direction| row.direction == direction)
        && (query.states.is_empty() || query.states.contains(&row.state()))
        && query
            .counterpart
            .is_none_or(|who| row.from == who || row.to == who)
}
