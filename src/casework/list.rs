//! Listing records: filters, and pages by log index that neither skip nor repeat while the log grows.

use super::{
    Casework, CaseworkError, Direction, Listed, Trace,
    event_row::events,
    pages::{Source, Wanted, collect, first_at},
    recent_looks::Look,
    record_row::{RecordRow, by_state},
    sight::look,
};
use crate::{
    access::{List, Permit, Scope},
    domain::{Column, Family, Jurisdiction, RecordId, RecordKind, State, Timestamp, Urgency},
    entry::Content,
    exchange::{NotYet, Payload, Rows as _, Vault},
    log::{Durable, Reader},
    seal::PurgeMonth,
    store::tables,
};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// Which records of a family. All that is given must hold.
#[derive(Clone, Default)]
pub struct Query {
    /// Which way they went.
    pub direction: Option<Direction>,
    /// In one of these states; empty for any.
    pub states: Vec<State>,
    /// Of this kind.
    pub kind: Option<RecordKind>,
    /// From this jurisdiction.
    pub origin: Option<Jurisdiction>,
    /// To the node of this jurisdiction.
    pub destination: Option<Jurisdiction>,
    /// With this jurisdiction, whichever way.
    pub counterpart: Option<Jurisdiction>,
    /// As urgent.
    pub urgency: Option<Urgency>,
    /// Entered in this log at or after.
    pub since: Option<Timestamp>,
    /// Entered before.
    pub before: Option<Timestamp>,
    /// Something is due before.
    pub due_before: Option<Timestamp>,
    /// What they say: exact values of the keyed indexes.
    pub about: About,
    /// After this index in this log.
    pub after_index: Option<u64>,
    /// At most so many; 1 to [`PAGE_LIMIT`](super::PAGE_LIMIT).
    pub limit: usize,
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("states", &self.states)
            .field("counterpart", &self.counterpart)
            .field("about", &self.about)
            .finish_non_exhaustive()
    }
}

/// Values that records are searched for, by the kind of their index.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct About(Vec<(&'static str, String)>);

impl fmt::Debug for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whom it is about is nobody's business.
        f.debug_list()
            .entries(self.0.iter().map(|(kind, _)| kind))
            .finish()
    }
}

impl About {
    /// Records with this value in the index of this kind: `number`, `name`, `place`, `substance`. Any, where it is empty.
    #[must_use]
    pub fn text(mut self, kind: &'static str, value: &str) -> Self {
        if !value.is_empty() {
            self.0.push((kind, value.to_owned()));
        }
        self
    }

    /// All that is asked for as one text: each other value is another guess, at a place or a substance as at a person. Nothing
    /// where only what everybody sees is asked for.
    pub fn asked(&self) -> Option<String> {
        let parts = self.0.iter().flat_map(|(kind, value)| [*kind, value]);
        let asked = || parts.collect::<Vec<_>>().join("\0");
        (!self.0.is_empty()).then(asked)
    }
}

/// One page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// In the order of this log.
    pub records: Vec<(RecordId, Listed)>,
    /// The numbers that their sheets gave to refused leads from here, for people of this node: by them a row is found
    /// again. Of leads that the caller may open alone.
    pub numbers: BTreeMap<RecordId, String>,
    /// Where the next page starts; nothing on the last.
    pub next_after: Option<u64>,
    /// Rows looked at to find them.
    pub looked: usize,
}

impl Casework {
    /// Why a record of ours is still on its way, where the recipient's node has said that it cannot take it yet.
    pub fn put_off(&self, row: &RecordRow) -> Option<NotYet> {
        let is_waiting = row.direction == Direction::Sent && row.state() == State::Sent;
        is_waiting.then(|| self.outbox.deferred(row.to, row.sent_index))?
    }

    /// Lists records of the permit's family. The consultation, naming every one on the page, is durable before the page is
    /// returned.
    ///
    /// # Errors
    /// The log failed.
    pub async fn list(
        &self,
        permit: &Permit<List>,
        query: Query,
    ) -> Result<Durable<(Page, Trace)>, CaseworkError> {
        let (asking, vault) = (permit.clone(), Arc::clone(&self.vault));
        // The same words asked of another family are another look.
        let family = permit.family();
        let asked = query
            .about
            .asked()
            .map(|asked| format!("{family}\0{asked}"));
        let page = self
            .log
            .read(move |reader| page(reader, &vault, &asking, &query))
            .await??;
        let look = Look::page(&page.records, asked)?;
        let consulted = self.consulted(permit, look).await?;
        Ok(consulted.map(|trace| (page, trace)))
    }
}

fn page(
    reader: &Reader,
    vault: &Vault,
    permit: &Permit<List>,
    query: &Query,
) -> Result<Page, CaseworkError> {
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
        search: !query.about.0.is_empty(),
    };
    let page = collect(
        reader,
        &sources(vault, permit.scope(), permit.family(), query),
        wanted,
        |mut reader, record| {
            let listed = look(&mut reader, permit, record)?;
            match listed.filter(|listed| matches(listed, query)) {
                Some(listed) if is_about(reader, vault, query, &listed.row, record)? => {
                    Ok(Some(listed))
                }
                Some(_) | None => Ok(None),
            }
        },
    )?;
    let mut numbers = BTreeMap::new();
    for (record, found) in &page.found {
        let is_shown = found.row.kind == RecordKind::Lead
            && found.row.state() == State::Refused
            && found.row.direction == Direction::Sent
            && found.sight.is_content();
        if is_shown && let Some(number) = sheet_number(reader, vault, *record, found.row.index)? {
            numbers.insert(*record, number);
        }
    }
    Ok(Page {
        records: page.found,
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
) -> Result<Option<String>, CaseworkError> {
    let rows = events(&mut reader, record)?;
    let Some((_, event)) = rows.into_iter().find(|(at, _)| *at == index) else {
        return Ok(None);
    };
    let month = event.month()?;
    let opened = vault.open_payload(&mut reader, index, month, event.dispatch)?;
    let Payload::Open(plaintext) = opened else {
        return Ok(None);
    };
    Ok(match plaintext.content() {
        Ok(Content::Lead(lead)) => Some(lead.get(Column::Number).to_owned()),
        Ok(_) | Err(_) => None,
    })
}

/// The keyed index of the first value that is asked about finds candidates; the others are looked up for each. Where nothing
/// is, direction and state do.
fn sources(vault: &Vault, scope: Scope, family: Family, query: &Query) -> Vec<Source> {
    if let Some((kind, value)) = query.about.0.first() {
        return vault
            .ring()
            .buckets()
            // Nothing that people of another jurisdiction may find is looked for.
            .filter(|_| scope == Scope::Node)
            .map(|(month, keys)| {
                let (month, tag) = (month.number(), keys.tag(kind, value));
                Box::new(move |index| tables::subject(month, &tag, index).to_vec()) as Source
            })
            .collect();
    }
    let mut sources: Vec<Source> = Vec::new();
    for direction in Direction::ALL {
        for state in family.states() {
            let asked = query.states.is_empty() || query.states.contains(&state);
            if asked && query.direction.is_none_or(|asked| asked == direction) {
                sources.push(Box::new(move |index| {
                    by_state(family, direction, state, index).to_vec()
                }));
            }
        }
    }
    sources
}

/// Whether a record has all values but the first, which found it.
fn is_about(
    mut reader: &Reader,
    vault: &Vault,
    query: &Query,
    row: &RecordRow,
    record: RecordId,
) -> Result<bool, CaseworkError> {
    let ring = vault.ring();
    let keys = PurgeMonth::new(row.purge_month).and_then(|month| ring.bucket(month));
    for (kind, value) in query.about.0.iter().skip(1) {
        let Some(keys) = keys else { return Ok(false) };
        let key = tables::subject(row.purge_month, &keys.tag(kind, value), row.index);
        let found = reader.row(&key)?;
        if found.is_none_or(|id| id != record.as_bytes()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What a record says is only matched for whom it says it.
fn matches(listed: &Listed, query: &Query) -> bool {
    let row = &listed.row;
    (query.about.0.is_empty() || listed.sight.is_content())
        && is(query.direction, row.direction)
        && (query.states.is_empty() || query.states.contains(&row.state()))
        && is(query.kind, row.kind)
        && is(query.origin, row.from)
        && is(query.destination, row.to)
        && (is(query.counterpart, row.from) || is(query.counterpart, row.to))
        && is(query.urgency, row.urgency)
        && query
            .due_before
            .is_none_or(|before| row.due().is_some_and(|(due, _)| due < before))
}

fn is<T: PartialEq>(asked: Option<T>, value: T) -> bool {
    asked.is_none_or(|asked| asked == value)
}
