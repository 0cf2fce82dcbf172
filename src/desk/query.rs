//! Listing leads: filters, and pages by log index that neither skip nor repeat while the log grows.

use super::{
    Desk, DeskError, Direction, LeadRow, Listed, Trace,
    lead_rows::state_key,
    leads::went,
    looks::Look,
    pages::{Source, Wanted, collect, first_at},
    rows::{RowsError, events},
    sight::look,
};
use crate::{
    access::{ListLeads, Permit, Scope},
    domain::{Column, Jurisdiction, LeadState, RecordId, ResidentNumber, Timestamp, Urgency},
    entry::Content,
    exchange::{NotYet, Payload, Vault},
    log::{Durable, Reader},
    store::tables,
};
use std::{collections::BTreeMap, sync::Arc};

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
    /// At most so many; 1 to [`PAGE_LIMIT`](super::PAGE_LIMIT).
    pub limit: usize,
}

impl LeadQuery {
    /// Whom it is about.
    pub fn person(&self) -> Option<&str> {
        self.resident_number.as_ref().map(ResidentNumber::as_str)
    }
}

/// One page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// In the order of this log.
    pub leads: Vec<(RecordId, Listed<LeadRow>)>,
    /// The numbers that their sheets gave to refused leads from here, for people of this node: by them a row is found
    /// again. Of leads that the caller may open alone.
    pub numbers: BTreeMap<RecordId, String>,
    /// Where the next page starts; nothing on the last.
    pub next_after: Option<u64>,
    /// Rows looked at to find them.
    pub looked: usize,
}

impl Desk {
    /// Why a lead of ours is still on its way, where the recipient's node has said that it cannot take it yet.
    pub fn put_off(&self, row: &LeadRow) -> Option<NotYet> {
        let is_waiting = row.direction == Direction::Sent && row.state == LeadState::Sent;
        is_waiting.then(|| self.outbox.deferred(row.to, row.index))?
    }

    /// Lists leads. The consultation, naming every lead on the page, is durable before the page is returned.
    ///
    /// # Errors
    /// The log failed.
    pub async fn list(
        &self,
        permit: &Permit<ListLeads>,
        query: LeadQuery,
    ) -> Result<Durable<(Page, Trace)>, DeskError> {
        let (asking, vault) = (permit.clone(), Arc::clone(&self.vault));
        let asked = query.person().map(str::to_owned);
        let page = self
            .log
            .read(move |reader| page(reader, &vault, &asking, &query))
            .await??;
        let consulted = self
            .consulted(permit, Look::page(&page.leads, asked)?)
            .await?;
        Ok(consulted.map(|trace| (page, trace)))
    }
}

fn page(
    reader: &Reader,
    vault: &Vault,
    permit: &Permit<ListLeads>,
    query: &LeadQuery,
) -> Result<Page, DeskError> {
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
            Ok(listed.filter(|listed| matches(listed, query)))
        },
    )?;
    let mut numbers = BTreeMap::new();
    for (record, found) in &page.found {
        let is_shown = found.row.state == LeadState::Refused
            && found.row.direction == Direction::Sent
            && found.sight.is_content();
        if is_shown && let Some(number) = sheet_number(reader, vault, *record, found.row.index)? {
            numbers.insert(*record, number);
        }
    }
    Ok(Page {
        leads: page.found,
        numbers,
        next_after: page.next_after,
        looked: page.looked,
    })
}

/// What the sheet called a lead; nothing where its content is erased.
fn sheet_number(
    mut reader: &Reader,
    vault: &Vault,
    record: RecordId,
    index: u64,
) -> Result<Option<String>, DeskError> {
    let rows = events(&mut reader, record)?;
    let Some((_, event)) = rows.into_iter().find(|(at, _)| *at == index) else {
        return Ok(None);
    };
    let month = event.month().map_err(RowsError::from)?;
    let opened = vault.open_payload(&mut reader, index, month, event.dispatch)?;
    let Payload::Open(plaintext) = opened else {
        return Ok(None);
    };
    Ok(match plaintext.content() {
        Ok(Content::Lead(lead)) => Some(lead.get(Column::Number).to_owned()),
        Ok(_) | Err(_) => None,
    })
}

fn sources(vault: &Vault, scope: Scope, query: &LeadQuery) -> Vec<Source> {
    if let Some(number) = &query.resident_number {
        return vault
            .ring()
            .buckets()
            // Nothing that people of another jurisdiction may find is looked for.
            .filter(|_| scope == Scope::Node)
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

/// What a record says is only matched for whom it says it.
fn matches(listed: &Listed<LeadRow>, query: &LeadQuery) -> bool {
    let row = &listed.row;
    (query.person().is_none() || listed.sight.is_content())
        && went(row, query.direction)
        && (query.states.is_empty() || query.states.contains(&row.state))
        && query.origin.is_none_or(|origin| row.from == origin)
        && query
            .destination
            .is_none_or(|destination| row.to == destination)
        && query.urgency.is_none_or(|urgency| row.urgency == urgency)
}
