//! The first entries of a log: what log it is, and who may read it.

use super::row_codec::{RowDamaged, RowsError, decode, encode};
use crate::{
    access::{Policy, UnitName, Units},
    domain::Jurisdiction,
    entry::{Cause, Entry, Kind},
    exchange::{RowError, Rows},
    log::{Log, Proposal, ProposeError, Txn, TxnError, ViewError},
    store::tables,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The newest policy.
#[derive(Debug, Serialize, Deserialize)]
struct PolicyRow {
    auditors: Vec<String>,
    units: BTreeMap<String, BTreeSet<String>>,
}

impl PolicyRow {
    fn bytes(auditors: &[String], units: &Units) -> Result<Vec<u8>, RowDamaged> {
        let units = units.iter().map(|(name, members)| {
            let members = members.iter().map(ToString::to_string).collect();
            (name.to_string(), members)
        });
        encode(&Self {
            auditors: auditors.to_vec(),
            units: units.collect(),
        })
    }
}

/// True where the newest policy names the unit.
pub(super) fn knows_unit(rows: &mut dyn Rows, unit: &UnitName) -> Result<bool, RowsError> {
    let Some(bytes) = rows.row(&tables::POLICY)? else {
        return Ok(false);
    };
    let row: PolicyRow = decode(&bytes)?;
    Ok(row.units.contains_key(&unit.to_string()))
}

/// Keeps the newest policy.
#[derive(Debug)]
pub(super) struct PolicyView;

impl PolicyView {
    /// An entry that may be about the policy.
    #[expect(clippy::unused_self, reason = "as the other views")]
    pub(super) fn take(&self, txn: &mut Txn<'_>, entry: &Entry) -> Result<(), ViewError> {
        if let Kind::PolicyChanged { auditors, units } = &entry.kind {
            let row = PolicyRow::bytes(auditors, units).map_err(ViewError::entry)?;
            txn.put(tables::POLICY, row)?;
        }
        Ok(())
    }
}

fn append(txn: &mut Txn<'_>, own: Jurisdiction, kind: Kind) -> Result<u64, TxnError> {
    txn.append(Entry::new(txn.now(), Cause::node(own), kind).encode())
}

/// Writes `LogStarted` where the log is empty.
///
/// # Errors
/// The log takes no writes.
pub async fn start_log(log: &Log, own: Jurisdiction) -> Result<(), ProposeError<TxnError>> {
    let kind = Kind::LogStarted {
        origin: log.origin().to_owned(),
        verifier_key: log.verifier_key().to_string(),
        jurisdiction: own,
    };
    log.propose(Proposal::new(move |txn| {
        if txn.size() == 0 {
            append(txn, own, kind)?;
        }
        Ok(())
    }))
    .await
    .map(|_| ())
}

/// Whether the policy is the newest one in the log, so that [`ensure_policy`] would write nothing.
///
/// # Errors
/// The store failed.
pub fn has_policy(rows: &mut dyn Rows, policy: &Policy) -> Result<bool, RowError> {
    let auditors: Vec<String> = policy.auditors.iter().cloned().collect();
    Ok(rows.row(&tables::POLICY)? == PolicyRow::bytes(&auditors, &policy.units).ok())
}

/// Writes `PolicyChanged` where the policy is not the newest one in the log.
///
/// # Errors
/// The log takes no writes.
pub async fn ensure_policy(log: &Log, policy: &Policy) -> Result<(), ProposeError<TxnError>> {
    let own = policy.own;
    let auditors: Vec<String> = policy.auditors.iter().cloned().collect();
    let units = policy.units.clone();
    log.propose(Proposal::new(move |txn| {
        let newest = txn.get(&tables::POLICY)?;
        if newest != PolicyRow::bytes(&auditors, &units).ok() {
            append(txn, own, Kind::PolicyChanged { auditors, units })?;
        }
        Ok(())
    }))
    .await
    .map(|_| ())
}
