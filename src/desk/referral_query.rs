//! Listing and following referrals.

use super::{
    Desk, DeskError, Direction, Listed, Trace,
    looks::Look,
    pages::{Source, Wanted, collect, first_at},
    referral_rows::{ReferralRow, ReferralState},
    rows::{RowDamaged, RowsError},
    sight::look,
};
use crate::{
    access::{ListReferrals, Permit, Scope},
    domain::{Jurisdiction, RecordId, ReferralKind, Timestamp, Urgency},
    exchange::{Rows as _, Vault},
    log::{Durable, Reader},
    store::tables,
};
use std::{collections::BTreeSet, sync::Arc};

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
    /// What is asked of what referrals say, all of it together: each other value is another guess, at a place or a
    /// substance as at a person. Nothing where only what everybody sees is asked for.
    pub fn searched(&self) -> Option<String> {
        let about = self.about.iter().map(|(kind, value)| [*kind, value]);
        let asked = || about.flatten().collect::<Vec<_>>().join("\0");
        (!self.about.is_empty()).then(asked)
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
    ) -> Result<Durable<(ReferralPage, Trace)>, DeskError> {
        let (asking, vault) = (permit.clone(), Arc::clone(&self.vault));
        let asked = query.searched();
        let page = self
            .log
            .read(move |reader| page(reader, &vault, &asking, &query))
            .await??;
        let look = Look::page(&page.referrals, asked)?;
        let consulted = self.consulted(permit, look).await?;
        Ok(consulted.map(|trace| (page, trace)))
    }

    /// Changes after an index, of the next `limit`, for whoever follows; and up to where they are complete. As with a list,
    /// the consultation, naming every referral among them, is durable before any is returned. Where there is none, nothing
    /// was looked at, and nothing is written.
    ///
    /// # Errors
    /// The log failed.
    pub async fn referral_changes(
        &self,
        permit: &Permit<ListReferrals>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<(ReferralChanges, Option<Trace>), DeskError> {
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
            change.referral.write(&mut shown)?;
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
    permit: &Permit<ListReferrals>,
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
        if let Some(referral) = look(&mut reader, permit, record)? {
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
    permit: &Permit<ListReferrals>,
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
    let wanted = Wanted {
        within: from..end,
        limit: query.limit,
        search: !query.about.is_empty(),
    };
    let page = collect(
        reader,
        &sources(vault, permit.scope(), query),
        wanted,
        |mut reader, record| {
            let listed = look(&mut reader, permit, record)?;
            match listed.filter(|listed| matches(listed, query)) {
                Some(listed) if about_all(reader, vault, query, &listed.row, record)? => {
                    Ok(Some(listed))
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
fn sources(vault: &Vault, scope: Scope, query: &ReferralQuery) -> Vec<Source> {
    if let Some((kind, value)) = query.about.first() {
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

/// What a record says is only matched for whom it says it.
fn matches(listed: &Listed<ReferralRow>, query: &ReferralQuery) -> bool {
    let row = &listed.row;
    (query.about.is_empty() || listed.sight.is_content())
        && query
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
