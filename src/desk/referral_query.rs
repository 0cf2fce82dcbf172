//! Listing and following referrals.

use super::{
    Desk, DeskError, Direction, Listed,
    assignment::listed,
    pages::{Source, collect, first_at},
    referral_rows::{ReferralRow, ReferralState, referral},
    rows::{RowDamaged, RowsError},
};
use crate::{
    access::{ListReferrals, Parties, Permit, Scope},
    domain::{Jurisdiction, RecordId, ReferralKind, Timestamp, Urgency},
    exchange::{Rows as _, Vault},
    log::{Durable, Reader},
    record::Consultation,
    store::tables,
};
use std::sync::Arc;

/// Which referrals. All that is given must hold.
#[derive(Clone, Default)]
pub struct ReferralQuery {
    /// Which way they went.
    pub direction: Option<Direction>,
    /// In one of these states; empty for any.
    pub states: Vec<ReferralState>,
    /// Of this kind.
    pub kind: Option<ReferralKind>,
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
    /// Exact values of the keyed indexes: `number`, `name`, `place`, `substance`.
    pub about: Vec<(&'static str, String)>,
    /// After this index in this log.
    pub after_index: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

impl std::fmt::Debug for ReferralQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What it is about may be somebody.
        let about: Vec<_> = self.about.iter().map(|(kind, _)| kind).collect();
        f.debug_struct("ReferralQuery")
            .field("states", &self.states)
            .field("about", &about)
            .finish_non_exhaustive()
    }
}

impl ReferralQuery {
    /// Whom it is about, with all else that is asked of them: each other value is another guess. Nothing where it is about
    /// no person.
    pub fn person(&self) -> Option<String> {
        let is_person = |(kind, _): &(&str, String)| matches!(*kind, "number" | "name");
        let about = self.about.iter().map(|(kind, value)| [*kind, value]);
        let asked = || about.flatten().collect::<Vec<_>>().join("\0");
        self.about.iter().any(is_person).then(asked)
    }
}

/// One page.
#[derive(Clone, Debug, Default)]
pub struct ReferralPage {
    /// In the order of this log.
    pub referrals: Vec<(RecordId, Listed<ReferralRow>)>,
    /// Where the next page starts; nothing on the last.
    pub next_after: Option<u64>,
    /// Rows looked at to find them.
    pub looked: usize,
}

/// A referral changed.
#[derive(Clone, Debug)]
pub struct ReferralChange {
    /// The entry that changed it.
    pub index: u64,
    /// Which.
    pub record: RecordId,
    /// As it stands now.
    pub referral: Listed<ReferralRow>,
}

/// What changed for somebody who follows.
#[derive(Clone, Debug, Default)]
pub struct ReferralChanges {
    /// Those that concern them.
    pub changes: Vec<ReferralChange>,
    /// The last change that was looked at, whether or not it concerns them; nothing where there were none.
    pub looked_to: Option<u64>,
}

impl Desk {
    /// Lists referrals. The consultation, naming every one on the page, is durable before the page is returned.
    ///
    /// # Errors
    /// The log failed.
    pub async fn list_referrals(
        &self,
        permit: &Permit<ListReferrals>,
        query: ReferralQuery,
    ) -> Result<Durable<(ReferralPage, u64)>, DeskError> {
        let (scope, vault) = (permit.scope(), Arc::clone(&self.vault));
        // A place or a substance is nobody.
        let how = match query.person() {
            None => Consultation::List,
            Some(_) => Consultation::Number,
        };
        let page = self
            .log
            .read(move |reader| page(reader, &vault, scope, &query))
            .await??;
        let records = page.referrals.iter().map(|(record, _)| *record).collect();
        let consulted = self
            .consulted(permit.principal(), permit.grounds(), how, records)
            .await?;
        Ok(consulted.map(|index| (page, index)))
    }

    /// Changes after an index, of the next `limit`, for whoever follows; and up to where they are complete.
    ///
    /// # Errors
    /// The log failed.
    pub async fn referral_changes(
        &self,
        scope: Scope,
        after: Option<u64>,
        limit: usize,
    ) -> Result<ReferralChanges, DeskError> {
        let from = after.map_or(0, |after| after.saturating_add(1));
        self.log
            .read(move |reader| changes(reader, scope, from, limit))
            .await?
    }

    /// The log's newest size, and a way to wait for it to grow.
    pub fn follow(&self) -> tokio::sync::watch::Receiver<Arc<crate::note::SignedCheckpoint>> {
        self.log.subscribe()
    }
}

fn in_scope(scope: Scope, row: &ReferralRow) -> bool {
    scope.covers(Parties {
        from: row.from,
        to: row.to,
    }) && (scope == Scope::Node || row.draft.is_none())
}

fn changes(
    mut reader: &Reader,
    scope: Scope,
    from: u64,
    limit: usize,
) -> Result<ReferralChanges, DeskError> {
    let (from, to) = (
        tables::referral_change(from),
        tables::referral_change(u64::MAX),
    );
    let mut seen = ReferralChanges::default();
    for (key, value) in reader.rows(&from, &to, limit).map_err(RowsError::from)? {
        let damaged = || RowsError::from(RowDamaged);
        let index = tables::last_index(&key).ok_or_else(damaged)?;
        let record = RecordId::from_slice(&value).map_err(|_| damaged())?;
        seen.looked_to = Some(index);
        if let Some(row) = referral(&mut reader, record)?.filter(|row| in_scope(scope, row)) {
            let referral = listed(&mut reader, scope, record, row)?;
            seen.changes.push(ReferralChange {
                index,
                record,
                referral,
            });
        }
    }
    Ok(seen)
}

fn page(
    reader: &Reader,
    vault: &Vault,
    scope: Scope,
    query: &ReferralQuery,
) -> Result<ReferralPage, DeskError> {
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
            let row = referral(&mut reader, record)?;
            let row = row.filter(|row| in_scope(scope, row) && matches(row, query));
            match row {
                Some(row) if about_all(reader, vault, query, &row, record)? => {
                    listed(&mut reader, scope, record, row).map(Some)
                }
                Some(_) | None => Ok(None),
            }
        },
    )?;
    Ok(ReferralPage {
        referrals: page.found,
        next_after: page.next_after,
        looked: page.looked,
    })
}

/// The keyed index of the first value that is asked about finds candidates; the others are looked up for each.
fn sources(vault: &Vault, query: &ReferralQuery) -> Vec<Source> {
    if let Some((kind, value)) = query.about.first() {
        return vault
            .ring()
            .buckets()
            .map(|(month, keys)| {
                let (month, tag) = (month.number(), keys.tag(kind, value));
                Box::new(move |index| tables::subject(month, &tag, index).to_vec()) as Source
            })
            .collect();
    }
    let mut sources: Vec<Source> = Vec::new();
    for direction in Direction::ALL {
        for state in ReferralState::all() {
            let asked = query.states.is_empty() || query.states.contains(&state);
            if asked && query.direction.is_none_or(|asked| asked == direction) {
                let (direction, state) = (direction.key(), state.key());
                sources.push(Box::new(move |index| {
                    tables::referral_by_state(direction, state, index).to_vec()
                }));
            }
        }
    }
    sources
}

fn about_all(
    mut reader: &Reader,
    vault: &Vault,
    query: &ReferralQuery,
    row: &ReferralRow,
    record: RecordId,
) -> Result<bool, DeskError> {
    let ring = vault.ring();
    let keys = crate::seal::PurgeMonth::new(row.purge_month).and_then(|month| ring.bucket(month));
    for (kind, value) in query.about.iter().skip(1) {
        let Some(keys) = keys else { return Ok(false) };
        let key = tables::subject(row.purge_month, &keys.tag(kind, value), row.index);
        let found = reader.row(&key).map_err(RowsError::from)?;
        if found.is_none_or(|id| id != record.as_bytes()) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn matches(row: &ReferralRow, query: &ReferralQuery) -> bool {
    query
        .direction
        .is_none_or(|direction| row.direction == direction)
        && (query.states.is_empty() || query.states.contains(&row.state()))
        && query.kind.is_none_or(|kind| row.kind == kind)
        && query
            .counterpart
            .is_none_or(|who| row.from == who || row.to == who)
        && query.urgency.is_none_or(|urgency| row.urgency == urgency)
        && query
            .due_before
            .is_none_or(|before| row.due().is_some_and(|(due, _)| due < before))
}
