//! Traces of reading: each look is a `Consulted` entry, durable before anything is shown. The same look again is not
//! another: for a minute it is answered under its first entry. One that shows something else is not the same: the log
//! would say that it was read before it was there.

use super::{
    Desk, DeskError, Listed,
    rows::RowsError,
    service::log_error,
    sight::{clear, shown},
};
use crate::{
    access::{Clearance, Grounds, OfFamily, Permit, Principal, ReadLog, Visibility},
    domain::{EntryId, RecordId, Timestamp},
    entry::{Cause, Consultation, Entry, Kind},
    log::{Durable, Proposal, ProposeError, Txn, TxnError},
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

/// The entry that a look left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Its index.
    pub index: u64,
    /// Bytes that it added to the log; none where the same look had left it before.
    pub bytes: usize,
}

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
    fn key(&self, who: &Principal, grounds: &Grounds, look: &Look) -> u64 {
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

    fn before(&self, key: u64, now: Timestamp) -> Option<Durable<u64>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, entry) = recent.get(&key)?;
        is_recent(*since, now).then(|| entry.clone())
    }

    fn remember(&self, key: u64, now: Timestamp, entry: Durable<u64>) {
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

impl Desk {
    /// The durable trace of a look.
    pub(super) async fn consulted<A>(
        &self,
        permit: &Permit<A>,
        look: Look,
    ) -> Result<Durable<Trace>, DeskError> {
        let (who, grounds) = (permit.principal().clone(), permit.grounds().clone());
        let (key, now) = (self.looks.key(&who, &grounds, &look), self.clock.now());
        if let Some(entry) = self.looks.before(key, now) {
            return Ok(entry.map(|index| Trace { index, bytes: 0 }));
        }
        self.vault.admit_reading()?;
        let proposal = Proposal::new(move |txn| -> Result<Trace, TxnError> {
            append(txn, who, grounds, look)
        });
        let trace = self.log.propose(proposal).await;
        let trace = trace.map_err(log_error::<TxnError>)?;
        let entry = trace.clone().map(|trace| trace.index);
        self.looks.remember(key, now, entry);
        Ok(trace)
    }

    /// The trace of an auditor's look at entries of the log. None where the log takes no writes: an auditor reads above all
    /// the log of a node that failed, which then says so in its own log file alone.
    pub async fn log_read(
        &self,
        permit: &Permit<ReadLog>,
        first: u64,
        count: u64,
    ) -> Option<Trace> {
        let look = Look {
            how: Consultation::Log { first, count },
            // Which never change.
            ..Look::list(Vec::new(), Vec::new())
        };
        match self.consulted(permit, look).await {
            Ok(trace) => Some(trace.into_inner()),
            Err(error) => {
                let auditor = permit.principal();
                tracing::error!(%auditor, first, count, %error, "an auditor reads the log, which takes no entry of it");
                None
            }
        }
    }

    /// Clears one record for opening and logs that it is opened, in one step: no assignment comes in between.
    pub(super) async fn clear_to_open<A: OfFamily>(
        &self,
        permit: &Permit<A>,
        record: RecordId,
    ) -> Result<Durable<(Clearance, Trace)>, DeskError> {
        let permit = permit.clone();
        let asking = permit.clone();
        let reading = self.log.read(move |mut reader| {
            let clearance = clear(&mut reader, &asking, record)?;
            let shown = shown(&mut reader, record)?;
            Ok::<_, DeskError>((clearance, shown))
        });
        let (clearance, shown) = reading.await??;
        let (who, grounds) = (permit.principal(), permit.grounds());
        let opened = move |clearance: &Clearance, shown| Look {
            how: Consultation::Open,
            records: vec![record],
            overridden: clearance.overridden(),
            asked: None,
            shown,
        };
        let key = self.looks.key(who, grounds, &opened(&clearance, shown));
        let now = self.clock.now();
        if let Some(entry) = self.looks.before(key, now) {
            return Ok(entry.map(|index| (clearance, Trace { index, bytes: 0 })));
        }
        self.vault.admit_reading()?;
        let proposal = Proposal::new(move |txn| -> Result<(Clearance, Trace), DeskError> {
            let clearance = clear(txn, &permit, record)?;
            let trace = consult(txn, &permit, opened(&clearance, Vec::new()))?;
            Ok((clearance, trace))
        });
        match self.log.propose(proposal).await {
            Ok(cleared) => {
                let entry = cleared.clone().map(|(_, trace)| trace.index);
                self.looks.remember(key, now, entry);
                Ok(cleared)
            }
            Err(ProposeError::Rejected(refused)) => Err(refused),
            Err(error) => Err(DeskError::Log(error.to_string())),
        }
    }
}

/// Clears one record for acting on it; an override is logged before the act.
pub(super) fn clear_to_act<A: OfFamily>(
    txn: &mut Txn<'_>,
    permit: &Permit<A>,
    record: RecordId,
) -> Result<Clearance, DeskError> {
    let clearance = clear(txn, permit, record)?;
    if clearance.overridden() {
        let look = Look {
            how: Consultation::Act,
            records: vec![record],
            overridden: true,
            asked: None,
            shown: Vec::new(),
        };
        consult(txn, permit, look)?;
    }
    Ok(clearance)
}

fn consult<A>(txn: &mut Txn<'_>, permit: &Permit<A>, look: Look) -> Result<Trace, DeskError> {
    let (who, grounds) = (permit.principal().clone(), permit.grounds().clone());
    Ok(append(txn, who, grounds, look).map_err(RowsError::from)?)
}

fn append(
    txn: &mut Txn<'_>,
    principal: Principal,
    grounds: Grounds,
    look: Look,
) -> Result<Trace, TxnError> {
    let entry = Entry {
        time: txn.now(),
        id: EntryId::new(txn.now()),
        cause: Cause {
            principal,
            grounds: Some(grounds),
        },
        kind: Kind::Consulted {
            how: look.how,
            records: look.records,
            overridden: look.overridden,
        },
    };
    let leaf = entry.encode();
    let bytes = leaf.len();
    let index = txn.append(leaf)?;
    Ok(Trace { index, bytes })
}
