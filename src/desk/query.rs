//! Listing leads: filters, and pages by log index that neither skip nor repeat while the log grows.

use super::{
    Desk, DeskError, Direction, LeadRow, Listed,
    assignment::listed,
    lead_rows::{lead, state_key},
    leads::went,
    pages::{Source, collect, first_at},
    rows::{RowsError, events},
};
use crate::{
    access::{ListLeads, Parties, Permit, Scope},
    domain::{Column, Jurisdiction, LeadState, RecordId, ResidentNumber, Timestamp, Urgency},
    exchange::{NotYet, Payload, Vault},
    log::{Durable, Reader},
    record::{Consultation, Content},
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

/// One page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// In the order of this log.
    pub leads: Vec<(RecordId, Listed<LeadRow>)>,
    /// The numbers that their sheets gave to refused leads from here, for people of this node: by them a row is found
    /// again. Of leads that are assigned to nobody alone.
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
        is_waiting.then(|| self.outbox.put_off(row.to, row.index))?
    }

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
    let mut from = query.after_index.map_or(0, |after| after.saturating_add(1));
    if let Some(since) = query.since {
        from = from.max(first_at(reader, since)?);
    }
    let end = match query.before {
        Some(before) => first_at(reader, before)?,
        None => u64::MAX,
    };
    let page = collect(
        reader,
        &sources(vault, query),
        from..end,
        query.limit,
        |mut reader, record| {
            lead(&mut reader, record)?
                .filter(|row| matches(row, query, scope))
                .map(|row| listed(&mut reader, scope, record, row))
                .transpose()
        },
    )?;
    let mut numbers = BTreeMap::new();
    for (record, found) in &page.found {
        let is_shown = found.row.state == LeadState::Refused
            && found.row.direction == Direction::Sent
            && scope == Scope::Node
            && found.assigned.is_none();
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
