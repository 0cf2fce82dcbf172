//! Traces of reading: each look is a `Consulted` entry, durable before anything is shown. The same look again is not
//! another: for a minute it is answered under its first entry. One that shows something else is not the same: the log
//! would say that it was read before it was there.

use super::{
    Casework,
    error::{CaseworkError, log_error},
    recent_looks::Look,
    row_codec::RowsError,
    sight::{clear, shown},
};
use crate::{
    access::{Clearance, Grounds, OfFamily, Permit, Principal, ReadLog},
    domain::RecordId,
    entry::{Cause, Consultation, Entry, Kind},
    log::{Durable, Proposal, Txn, TxnError},
};

/// The entry that a look left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Its index.
    pub index: u64,
    /// Bytes that it added to the log; none where the same look had left it before.
    pub bytes: usize,
}

impl Casework {
    /// The durable trace of a look.
    pub(super) async fn consulted<A>(
        &self,
        permit: &Permit<A>,
        look: Look,
    ) -> Result<Durable<Trace>, CaseworkError> {
        let (who, grounds) = (permit.principal().clone(), permit.grounds().clone());
        let (key, now) = (self.looks.key(&who, &grounds, &look), self.clock.now());
        if let Some(entry) = self.looks.before(key, now) {
            return Ok(entry.map(|index| Trace { index, bytes: 0 }));
        }
        self.vault.admit_reading()?;
        let proposal = Proposal::new(move |txn| consult(txn, &who, &grounds, look));
        let trace = self.log.propose(proposal).await.map_err(log_error)?;
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
    ) -> Result<Durable<(Clearance, Trace)>, CaseworkError> {
        let permit = permit.clone();
        let asking = permit.clone();
        let reading = self.log.read(move |mut reader| {
            let clearance = clear(&mut reader, &asking, record)?;
            let shown = shown(&mut reader, record)?;
            Ok::<_, CaseworkError>((clearance, shown))
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
        let cleared = self.commit(move |txn| {
            let clearance = clear(txn, &permit, record)?;
            let look = opened(&clearance, Vec::new());
            let trace = consult(txn, permit.principal(), permit.grounds(), look)
                .map_err(RowsError::from)?;
            Ok::<_, CaseworkError>((clearance, trace))
        });
        let cleared = cleared.await?;
        let entry = cleared.clone().map(|(_, trace)| trace.index);
        self.looks.remember(key, now, entry);
        Ok(cleared)
    }
}

/// Clears one record for acting on it; an override is logged before the act.
pub(super) fn clear_to_act<A: OfFamily>(
    txn: &mut Txn<'_>,
    permit: &Permit<A>,
    record: RecordId,
) -> Result<Clearance, CaseworkError> {
    let clearance = clear(txn, permit, record)?;
    if clearance.overridden() {
        let look = Look {
            how: Consultation::Act,
            records: vec![record],
            overridden: true,
            asked: None,
            shown: Vec::new(),
        };
        consult(txn, permit.principal(), permit.grounds(), look).map_err(RowsError::from)?;
    }
    Ok(clearance)
}

fn consult(
    txn: &mut Txn<'_>,
    principal: &Principal,
    grounds: &Grounds,
    look: Look,
) -> Result<Trace, TxnError> {
    let kind = Kind::Consulted {
        how: look.how,
        records: look.records,
        overridden: look.overridden,
    };
    let leaf = Entry::new(txn.now(), Cause::of(principal, grounds), kind).encode();
    let bytes = leaf.len();
    let index = txn.append(leaf)?;
    Ok(Trace { index, bytes })
}
