//! Listing leads: filters, and pages by log index that neither skip nor repeat while the log grows.

use super::{
    Desk, DeskError, Direction, LeadRow,
    lead_rows::{lead, state_key},
    leads::went,
    rows::{RowDamaged, RowsError},
};
use crate::{
    access::{ListLeads, Parties, Permit, Scope},
    domain::{Jurisdiction, LeadState, RecordId, ResidentNumber, Timestamp, Urgency},
    exchange::{Rows as _, Vault},
    log::{Durable, ReadError, Reader},
    record::{CONSULTED_LIMIT, Consultation, Entry},
    store::tables,
};
use std::{collections::BTreeMap, sync::Arc};

/// A page has at most so many leads: what one `Consulted` entry can name.
pub const PAGE_LIMIT: usize = CONSULTED_LIMIT;

/// A call looks at no more rows than this; a page that finds less goes on where it stopped.
const LOOK_LIMIT: usize = 20_000;

/// Rows read at once.
const CHUNK: usize = 256;

/// Which leads. All that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct LeadQuery {
    /// Which way they went.
    pub direction: Option<Direction>,
    /// In one of these states; empty for any.
    pub states: Vec<LeadState>,
    /// From this jurisdiction.
    pub origin: Option<Jurisdiction>,
    /// To the node of this jurisdiction.
    pub destination: Option<Jurisdiction>,
    /// As urgent.
    pub urgency: Option<Urgency>,
    /// Entered in this log at or after.
    pub since: Option<Timestamp>,
    /// Entered before.
    pub before: Option<Timestamp>,
    /// About this person, by the keyed index.
    pub resident_number: Option<ResidentNumber>,
    /// After this index in this log.
    pub after_index: Option<u64>,
    /// At most so many; 1 to [`PAGE_LIMIT`].
    pub limit: usize,
}

/// One page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// In the order of this log.
    pub leads: Vec<(RecordId, LeadRow)>,
    /// Where the next page starts; nothing on the last.
    pub next_after: Option<u64>,
}

impl Desk {
    /// Lists leads. The consultation, naming every lead on the page, is durable before the page is returned.
    ///
    /// # Errors
    /// The log failed.
    pub async fn list(
        &self,
        permit: &Permit<ListLeads>,
        query: LeadQuery,
    ) -> Result<Durable<(Page, u64)>, DeskError> {
        let (scope, vault) = (permit.scope(), Arc::clone(&self.vault));
        let how = match query.resident_number {
            Some(_) => Consultation::Number,
            None => Consultation::List,
        };
        let page = self
            .log
            .read(move |reader| page(reader, &vault, scope, &query))
            .await??;
        let records = page.leads.iter().map(|(record, _)| *record).collect();
        let consulted = self
            .consulted(permit.principal(), permit.grounds(), how, records)
            .await?;
        Ok(consulted.map(|index| (page, index)))
    }
}

fn page(
    reader: &Reader,
    vault: &Vault,
    scope: Scope,
    query: &LeadQuery,
) -> Result<Page, DeskError> {
    let limit = query.limit.clamp(1, PAGE_LIMIT);
    let mut from = query.after_index.map_or(0, |after| after.saturating_add(1));
    if let Some(since) = query.since {
        from = from.max(first_at(reader, since)?);
    }
    let end = match query.before {
        Some(before) => first_at(reader, before)?,
        None => u64::MAX,
    };
    let sources = sources(vault, query);
    let mut page = Page::default();
    let mut looked = 0;
    // Every round reads on from `from`, so it ends when the sources do.
    while looked < LOOK_LIMIT {
        let (chunk, covered) = next_chunk(reader, &sources, from, end)?;
        for (index, record) in chunk {
            looked += 1;
            from = index.saturating_add(1);
            let mut rows = reader;
            let Some(row) = lead(&mut rows, record)? else {
                continue;
            };
            if matches(&row, query, scope) {
                page.leads.push((record, row));
                if page.leads.len() == limit {
                    page.next_after = Some(index);
                    return Ok(page);
                }
            }
        }
        match covered {
            Some(covered) => from = from.max(covered.saturating_add(1)),
            None => return Ok(page),
        }
    }
    page.next_after = from.checked_sub(1);
    Ok(page)
}

/// Where candidates are found: ranges of keys that end in the log index.
type Source = Box<dyn Fn(u64) -> Vec<u8>>;

fn sources(vault: &Vault, query: &LeadQuery) -> Vec<Source> {
    if let Some(number) = &query.resident_number {
        return vault
            .ring()
            .buckets()
            .map(|(month, keys)| {
                let (month, tag) = (month.number(), keys.number_tag(number.as_str()));
                Box::new(move |index| tables::subject(month, &tag, index).to_vec()) as Source
            })
            .collect();
    }
    let mut sources: Vec<Source> = Vec::new();
    for direction in Direction::ALL {
        for state in LeadState::ALL {
            let asked = query.states.is_empty() || query.states.contains(state);
            if asked && query.direction.is_none_or(|asked| asked == direction) {
                let (direction, state) = (direction.key(), state_key(*state));
                sources.push(Box::new(move |index| {
                    tables::lead_by_state(direction, state, index).to_vec()
                }));
            }
        }
    }
    sources
}

/// Candidates from `from` on in index order, and up to which index they are complete; nothing where they are the last.
fn next_chunk(
    mut reader: &Reader,
    sources: &[Source],
    from: u64,
    end: u64,
) -> Result<(BTreeMap<u64, RecordId>, Option<u64>), DeskError> {
    let mut found = BTreeMap::new();
    let mut complete: Option<u64> = None;
    if from >= end {
        return Ok((found, None));
    }
    for source in sources {
        let rows = reader
            .rows(&source(from), &source(end), CHUNK)
            .map_err(RowsError::from)?;
        let full = rows.len() == CHUNK;
        let mut last = from;
        for (key, value) in rows {
            let damaged = |_| RowsError::from(RowDamaged);
            last = tables::last_index(&key)
                .ok_or(RowDamaged)
                .map_err(RowsError::from)?;
            found.insert(last, RecordId::from_slice(&value).map_err(damaged)?);
        }
        if full {
            // Beyond this one's last row there may be more of it, so nobody's later rows count yet.
            complete = Some(complete.map_or(last, |so_far| so_far.min(last)));
        }
    }
    if let Some(complete) = complete {
        found.retain(|index, _| *index <= complete);
    }
    Ok((found, complete))
}

fn matches(row: &LeadRow, query: &LeadQuery, scope: Scope) -> bool {
    scope.covers(Parties {
        from: row.from,
        to: row.to,
    }) && went(row, query.direction)
        && (query.states.is_empty() || query.states.contains(&row.state))
        && query.origin.is_none_or(|origin| row.from == origin)
        && query
            .destination
            .is_none_or(|destination| row.to == destination)
        && query.urgency.is_none_or(|urgency| row.urgency == urgency)
}

/// The first entry written at or after a time: entry times never decrease, so it is found by halving.
fn first_at(reader: &Reader, time: Timestamp) -> Result<u64, DeskError> {
    let (mut low, mut high) = (0, reader.size());
    while low < high {
        let middle = low + (high - low) / 2;
        let leaf = reader.entry(middle)?.ok_or(ReadError::NoSuchEntry {
            index: middle,
            size: high,
        })?;
        let at = Entry::decode(&leaf)
            .map_err(|_| RowsError::from(RowDamaged))?
            .time;
        if at < time {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
