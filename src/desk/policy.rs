//! The first entries of a log: what log it is, and who may read it.

use super::rows::RowDamaged;
use crate::{
    access::{Policy, Principal},
    domain::{EntryId, Jurisdiction},
    log::{Log, Proposal, ProposeError, Txn, TxnError, View, ViewError},
    merkle::Hash,
    record::{Cause, Entry, Kind},
    store::tables,
};

/// Keeps the newest policy.
#[derive(Debug)]
pub struct PolicyView;

impl View for PolicyView {
    fn name(&self) -> &'static str {
        "policy"
    }

    fn apply(
        &mut self,
        txn: &mut Txn<'_>,
        _index: u64,
        leaf: &[u8],
        _leaf_hash: &Hash,
    ) -> Result<(), ViewError> {
        let entry = Entry::decode(leaf).map_err(ViewError::entry)?;
        if let Kind::PolicyChanged { auditors } = entry.kind {
            txn.put(tables::POLICY, encode(&auditors).map_err(ViewError::entry)?)?;
        }
        Ok(())
    }
}

fn encode(auditors: &[String]) -> Result<Vec<u8>, RowDamaged> {
    serde_json::to_vec(auditors).map_err(|_| RowDamaged)
}

fn append(txn: &mut Txn<'_>, own: Jurisdiction, kind: Kind) -> Result<u64, TxnError> {
    let cause = Cause {
        principal: Principal::node(own),
        grounds: None,
    };
    let entry = Entry {
        time: txn.now(),
        id: EntryId::new(txn.now()),
        cause,
        kind,
    };
    txn.append(entry.encode())
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

/// Writes `PolicyChanged` where the policy is not the newest one in the log.
///
/// # Errors
/// The log takes no writes.
pub async fn ensure_policy(log: &Log, policy: &Policy) -> Result<(), ProposeError<TxnError>> {
    let own = policy.own;
    let auditors: Vec<String> = policy.auditors.iter().cloned().collect();
    log.propose(Proposal::new(move |txn| {
        let newest = txn.get(&tables::POLICY)?;
        if newest != encode(&auditors).ok() {
            append(txn, own, Kind::PolicyChanged { auditors })?;
        }
        Ok(())
    }))
    .await
    .map(|_| ())
}
