//! Audits the primary rows beside the log: whether they are those that follow from its entries. They lie outside the
//! tree, so no root covers them; the entries do.

use super::DispatchRow;
use crate::{
    domain::{DispatchId, Jurisdiction},
    entry::{DispatchSent, Entry, Kind, Received, checkpoint_from_bytes, checkpoint_to_bytes},
    merkle::leaf_hash,
    note::{Checkpoint, VerifierKey},
    seal::{self, Keyring},
    store::{Order, Row, Store, StoreError, long_values, tables},
};
use std::collections::{BTreeMap, BTreeSet};

/// How many payloads are listed. All are counted.
const MAX_NAMED: usize = 100;
/// How many rows are counted at once.
const ROWS_AT_ONCE: usize = 512;

/// What is wrong with rows that follow from the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowReport {
    /// Rows that find a dispatch by its id: missing, changed or made up.
    pub dispatches: u64,
    /// The same of refused dispatches.
    pub refusals: u64,
    /// The same of dispatches that wait for their receipt.
    pub outbox: u64,
    /// Entries whose payload is damaged, the first hundred.
    pub payloads: Vec<u64>,
    /// How many there are.
    pub payload_count: u64,
    /// Partners whose newest verified checkpoint is damaged, or older than what the log holds of it.
    pub witness: BTreeSet<Jurisdiction>,
    /// Rows that find evidence against a partner: missing, changed or made up.
    pub evidence: u64,
}

/// Visits the entries of a log and compares the rows beside it. Memory grows with the dispatches that wait for their
/// receipt, and with the number of partners.
pub(crate) struct RowAudit<'a> {
    store: &'a dyn Store,
    /// Copies of the store that may have what is damaged in it.
    spares: &'a [&'a dyn Store],
    own: Jurisdiction,
    ring: Option<&'a Keyring>,
    report: RowReport,
    dispatches: u64,
    refusals: u64,
    evidence: u64,
    unanswered: BTreeMap<u64, (Jurisdiction, DispatchId)>,
    /// By origin.
    shown: BTreeMap<String, (Checkpoint, [u8; 64])>,
}

impl<'a> RowAudit<'a> {
    /// Audits the rows in `store`. Without `ring`, payloads are not checked.
    pub(crate) fn new(
        store: &'a dyn Store,
        spares: &'a [&'a dyn Store],
        own: Jurisdiction,
        ring: Option<&'a Keyring>,
    ) -> Self {
        Self {
            store,
            spares,
            own,
            ring,
            report: RowReport::default(),
            dispatches: 0,
            refusals: 0,
            evidence: 0,
            unanswered: BTreeMap::new(),
            shown: BTreeMap::new(),
        }
    }

    /// Takes the entry at `index`, and returns the rows that follow from it alone, as they should be. An entry that
    /// does not decode has none.
    pub(crate) fn take(&mut self, index: u64, leaf: &[u8]) -> Vec<Row> {
        let Ok(entry) = Entry::decode(leaf) else {
            return Vec::new();
        };
        let mut rows = Vec::new();
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "rows beside the log follow from entries about dispatches and evidence alone"
        )]
        match entry.kind {
            Kind::DispatchSent(sent) => {
                self.unanswered.insert(index, (sent.to, sent.dispatch_id));
                let row = DispatchRow {
                    index,
                    leaf_hash: leaf_hash(leaf),
                    record: sent.record,
                };
                self.dispatch(self.own, sent.dispatch_id, row, &mut rows);
                self.payload(index, &sent, &mut rows);
            }
            Kind::DispatchReceived(received) => {
                self.show(&received.checkpoint, &received.signature);
                let Some(sent) = sent_in(&received) else {
                    return rows;
                };
                let row = DispatchRow {
                    index,
                    leaf_hash: received.leaf_hash(),
                    record: sent.record,
                };
                self.dispatch(sent.from, sent.dispatch_id, row, &mut rows);
                self.payload(index, &sent, &mut rows);
            }
            Kind::DispatchRefused { received, .. } => {
                self.show(&received.checkpoint, &received.signature);
                self.refusal(index, &received, &mut rows);
            }
            Kind::ReceiptLogged {
                sent_index, proof, ..
            }
            | Kind::RefusalLogged {
                sent_index, proof, ..
            } => {
                self.unanswered.remove(&sent_index);
                self.show(&proof.checkpoint, &proof.signature);
            }
            Kind::EvidenceKept {
                jurisdiction,
                first: (first, _),
                second: (second, _),
                ..
            } => {
                let is_proof = first.size == second.size;
                let key = tables::evidence(jurisdiction, is_proof, second.root.as_bytes());
                let row = (key.to_vec(), index.to_be_bytes().to_vec());
                self.evidence += 1;
                self.report.evidence += u64::from(!self.holds(&row));
                rows.push(row);
            }
            Kind::ReferralDrafted(drafted) => self.payload(index, &drafted, &mut rows),
            _ => {}
        }
        rows
    }

    /// Compares what follows from all entries together, and returns the report and those rows, as they should be:
    /// outbox and witness. `partners` are the keys of the partners' logs, all that were ever approved.
    pub(crate) fn finish(
        mut self,
        partners: &BTreeMap<Jurisdiction, Vec<VerifierKey>>,
    ) -> (RowReport, Vec<Row>) {
        let mut rows = Vec::new();
        for (index, (to, id)) in std::mem::take(&mut self.unanswered) {
            let row = (tables::outbox(to, index).to_vec(), id.as_bytes().to_vec());
            self.report.outbox += u64::from(!self.holds(&row));
            rows.push(row);
        }
        let due = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        self.report.outbox += self.surplus(tables::OUTBOX.range(), due);
        self.report.dispatches += self.surplus(tables::DISPATCH.range(), self.dispatches);
        self.report.refusals += self.surplus(tables::REFUSED.range(), self.refusals);
        self.report.evidence += self.surplus(tables::EVIDENCE.range(), self.evidence);
        for (code, keys) in partners {
            rows.extend(self.witness(*code, keys));
        }
        (self.report, rows)
    }

    /// Counts stored rows beyond those that follow. Rows that cannot be read are damage like any other: they follow
    /// from the entries, and none of them is needed to write them again.
    fn surplus(&self, family: ([u8; 1], [u8; 1]), due: u64) -> u64 {
        self.count(family)
            .map_or(1, |stored| stored.saturating_sub(due))
    }

    fn holds(&self, (key, value): &Row) -> bool {
        self.store.get(key).ok().flatten().as_ref() == Some(value)
    }

    fn dispatch(
        &mut self,
        from: Jurisdiction,
        id: DispatchId,
        row: DispatchRow,
        rows: &mut Vec<Row>,
    ) {
        let row = (tables::dispatch(from, id).to_vec(), row.to_bytes());
        self.dispatches += 1;
        self.report.dispatches += u64::from(!self.holds(&row));
        rows.push(row);
    }

    fn refusal(&mut self, index: u64, received: &Received, rows: &mut Vec<Row>) {
        let Some(from) = owner(&received.checkpoint.origin) else {
            return;
        };
        let row = (
            super::accept::refusal_key(from, received).to_vec(),
            index.to_be_bytes().to_vec(),
        );
        self.refusals += 1;
        self.report.refusals += u64::from(!self.holds(&row));
        rows.push(row);
    }

    /// The rows of a payload, complete, from the store or from a spare. Half a payload would keep the views from being
    /// built; without either half it reads as erased.
    fn payload(&mut self, index: u64, sent: &DispatchSent, rows: &mut Vec<Row>) {
        let month = sent.terms.purge_month;
        let Some(bucket) = self.ring.and_then(|ring| ring.bucket(month)) else {
            // Without the month's key, destroyed or not available, nothing can be verified: keep what is stored.
            rows.extend(self.payload_as_it_lies(index, month.number()));
            return;
        };
        let whole = |store: &dyn Store| -> Option<Vec<Row>> {
            let key = tables::payload_key(month.number(), index);
            let wrapped = store.get(&key).ok()??;
            let base = tables::payload(index);
            let ciphertext = long_values::join(&base, |part| store.get(part)).ok()??;
            let sound = bucket.unwrap(&wrapped, sent.dispatch_id).is_ok()
                && seal::sha256(&ciphertext) == sent.ciphertext_sha256;
            // Cut up again: a scan for what else is stored there could touch an unreadable page beside it.
            let mut rows = sound.then(|| long_values::split(&base, &ciphertext).ok())??;
            rows.push((key.to_vec(), wrapped));
            Some(rows)
        };
        if let Some(own) = whole(self.store) {
            rows.extend(own);
            return;
        }
        self.report.payload_count += 1;
        if self.report.payloads.len() < MAX_NAMED {
            self.report.payloads.push(index);
        }
        rows.extend(
            self.spares
                .iter()
                .find_map(|spare| whole(*spare))
                .unwrap_or_default(),
        );
    }

    fn payload_as_it_lies(&self, index: u64, month: u32) -> Vec<Row> {
        let key = tables::payload_key(month, index);
        let base = tables::payload(index);
        let wrapped = self.store.get(&key).ok().flatten();
        let ciphertext = long_values::join(&base, |part| self.store.get(part))
            .ok()
            .flatten();
        let parts = ciphertext.and_then(|bytes| long_values::split(&base, &bytes).ok());
        let mut rows = parts.unwrap_or_default();
        rows.extend(wrapped.map(|wrapped| (key.to_vec(), wrapped)));
        rows
    }

    /// Notes a partner's checkpoint that an entry rests on: the witness row is never older.
    fn show(&mut self, checkpoint: &Checkpoint, signature: &[u8; 64]) {
        let newest = self.shown.get(&checkpoint.origin);
        if newest.is_none_or(|(newest, _)| newest.size < checkpoint.size) {
            let shown = (checkpoint.clone(), *signature);
            self.shown.insert(checkpoint.origin.clone(), shown);
        }
    }

    /// The witness rows of a partner: as stored if they verify and are new enough, else from the entries.
    fn witness(&mut self, partner: Jurisdiction, keys: &[VerifierKey]) -> Vec<Row> {
        let verify = |checkpoint: &Checkpoint, signature: &[u8; 64]| {
            keys.iter()
                .find_map(|key| key.verify_parts(checkpoint, signature).ok())
        };
        let (mut rows, mut newest) = (Vec::new(), BTreeMap::new());
        let mut damaged = false;
        let first = tables::witness(partner, "");
        let end = [first.as_slice(), &[0xff]].concat();
        match self
            .store
            .range(&first, &end, Order::Ascending, ROWS_AT_ONCE)
        {
            Ok(stored) => {
                for (key, bytes) in stored {
                    let row = checkpoint_from_bytes(&bytes).ok();
                    let Some(signed) = row.and_then(|(it, by)| verify(&it, &by)) else {
                        damaged = true;
                        continue;
                    };
                    let size: &mut u64 = newest.entry(signed.origin().to_owned()).or_default();
                    *size = signed.size().max(*size);
                    rows.push((key, bytes));
                }
            }
            Err(_) => damaged = true,
        }
        let shown = self
            .shown
            .values()
            .filter(|(it, _)| owner(&it.origin) == Some(partner));
        for shown in shown.filter_map(|(it, by)| verify(it, by)) {
            if newest
                .get(shown.origin())
                .is_none_or(|size| *size < shown.size())
            {
                damaged = true;
                let row = tables::witness(partner, shown.origin());
                rows.retain(|(key, _)| *key != row);
                rows.push((row, checkpoint_to_bytes(&shown)));
            }
        }
        if damaged {
            self.report.witness.insert(partner);
        }
        rows
    }

    fn count(&self, (from, to): ([u8; 1], [u8; 1])) -> Result<u64, StoreError> {
        let (mut next, mut count) = (from.to_vec(), 0);
        loop {
            let rows = self
                .store
                .range(&next, &to, Order::Ascending, ROWS_AT_ONCE)?;
            let Some((last, _)) = rows.last() else {
                return Ok(count);
            };
            count += u64::try_from(rows.len()).unwrap_or(u64::MAX);
            next = [last.as_slice(), &[0]].concat();
        }
    }
}

/// The dispatch that was received.
fn sent_in(received: &Received) -> Option<DispatchSent> {
    let Kind::DispatchSent(sent) = Entry::decode(&received.sender_entry).ok()?.kind else {
        return None;
    };
    Some(sent)
}

/// The jurisdiction whose log has this origin.
fn owner(origin: &str) -> Option<Jurisdiction> {
    origin.split_once('.')?.0.parse().ok()
}
