//! The looks of the last minute, so that the same look again leaves no other entry.

use super::{row_codec::RowsError, sight::Listed};
use crate::{
    access::{Grounds, Principal, Visibility},
    domain::{RecordId, Timestamp},
    entry::Consultation,
    log::Durable,
};
use std::{
    collections::{BTreeMap, hash_map::RandomState},
    hash::BuildHasher as _,
    sync::{Mutex, PoisonError},
};

/// For so many seconds a look is answered under its first entry.
const REPEATED_S: u64 = 60;

/// Looks that are remembered. Beyond them a repeated one is an entry again.
const REMEMBERED: usize = 8_192;

/// What is looked at.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) how: Consultation,
    pub(super) records: Vec<RecordId>,
    /// True where a supervisor overrides an assignment.
    pub(super) overridden: bool,
    /// What a search asks for, which no entry says.
    pub(super) asked: Option<String>,
    /// What there was to see, which no entry says.
    pub(super) shown: Vec<u8>,
}

impl Look {
    /// At where records stand.
    pub(super) const fn list(records: Vec<RecordId>, shown: Vec<u8>) -> Self {
        Self {
            how: Consultation::List,
            records,
            overridden: false,
            asked: None,
            shown,
        }
    }

    /// At where one record stands.
    pub(super) fn one(record: RecordId, shown: Vec<u8>) -> Self {
        Self::list(vec![record], shown)
    }

    /// At a page of a list, or of a search for what is asked.
    pub(super) fn page(
        found: &[(RecordId, Listed)],
        asked: Option<String>,
    ) -> Result<Self, RowsError> {
        let overridden = |listed: &Listed| listed.sight == Visibility::Content { overridden: true };
        let mut shown = Vec::new();
        for (_, listed) in found {
            listed.write(&mut shown)?;
        }
        Ok(Self {
            how: match asked {
                Some(_) => Consultation::Number,
                None => Consultation::List,
            },
            records: found.iter().map(|(record, _)| *record).collect(),
            overridden: found.iter().any(|(_, listed)| overridden(listed)),
            asked,
            shown,
        })
    }
}

/// Looks of the last minute.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// By the look's hash, under a key of this process: what somebody searched for is kept nowhere.
    recent: Mutex<BTreeMap<u64, (Timestamp, Durable<u64>)>>,
    hasher: RandomState,
}

impl Looks {
    pub(super) fn key(&self, who: &Principal, grounds: &Grounds, look: &Look) -> u64 {
        let grounds = (grounds.purpose.as_str(), grounds.basis.to_string());
        self.hasher.hash_one((
            who,
            grounds,
            look.how,
            &look.records,
            look.overridden,
            &look.asked,
            &look.shown,
        ))
    }

    pub(super) fn before(&self, key: u64, now: Timestamp) -> Option<Durable<u64>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, entry) = recent.get(&key)?;
        is_recent(*since, now).then(|| entry.clone())
    }

    pub(super) fn remember(&self, key: u64, now: Timestamp, entry: Durable<u64>) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() >= REMEMBERED {
            recent.retain(|_, (since, _)| is_recent(*since, now));
        }
        if recent.len() >= REMEMBERED {
            recent.clear();
        }
        recent.insert(key, (now, entry));
    }
}

/// False too where the clock was set back.
fn is_recent(since: Timestamp, now: Timestamp) -> bool {
    since <= now && now < since.plus_seconds(REPEATED_S)
}
