//! The power is back: the node's data directory is opened with the node's own code, and asked for what it owes.

use super::recording::{Owed, Told};
use std::{collections::BTreeSet, fmt, fs, path::Path, sync::Arc};
use tokio::runtime::Runtime;
use yichuan::{
    access::Policy,
    casework::{PartnerAdmin, ensure_policy, start_log},
    config::Config,
    domain::{DispatchId, Jurisdiction},
    entry::{Entry, Kind},
    exchange::{Directory, Payload, Vault, Witness},
    log::{Log, LogHealth, Reader},
    merkle::leaf_hash,
    node::{
        DataDirError, StartError,
        data_dir::{self, DataDir},
        open_log, rebuild_views,
    },
    seal::PurgeMonth,
    telemetry::SystemClock,
    tls::Cards,
};

/// A month that no dispatch has.
const NEW_MONTH: u32 = 209_901;
const NEW_AUDITOR: &str = "spiffe://520624.yichuan/auditor/after-the-cut";

/// What a node failed to do after a cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It says that `init` never ran, though `init` had said that it did.
    NotMade,
    /// It does not open for writing.
    Open(String),
    /// Entries that it had acknowledged or published are gone.
    Lost { owed: u64, held: u64 },
    /// An entry, or the root over some, is not what it was.
    Differs(u64),
    /// The payload of an entry does not open.
    Payload(u64, String),
    /// It takes no new entry, or no new key.
    Append(String),
    /// It opened, went on, and does not open again as it was.
    Again(String),
    /// Its views do not follow from its log.
    Views(String),
    /// Something panicked.
    Panic(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A node after a cut.
pub(crate) struct Reopened<'a> {
    /// Its configuration, with the data directory that the cut left.
    pub(crate) config: &'a Config,
    /// What the world was told of it.
    pub(crate) told: &'a Told,
    pub(crate) owed: Owed,
    /// Also make its views anew from its log and compare.
    pub(crate) views: bool,
}

impl Reopened<'_> {
    /// Opens the node twice, as `serve` would, with new entries in between.
    pub(crate) fn check(&self, runtime: &Runtime) -> Result<(), Failure> {
        self.make_where_init_was_cut_off()?;
        let (log, vault) = self.open().map_err(|e| Failure::Open(e.to_string()))?;
        let held = runtime.block_on(async {
            let held = self.holds(&log, &vault).await;
            let grown = match held {
                Ok(held) => self.append(&log, &vault, held).await,
                Err(failure) => Err(failure),
            };
            log.close().await;
            grown
        })?;
        drop((log, vault));

        let again = |said: String| Failure::Again(said);
        let (log, vault) = self.open().map_err(|e| again(e.to_string()))?;
        let size = log.checkpoint().size();
        let key_is_there = vault.has_bucket(month());
        runtime.block_on(log.close());
        drop((log, vault));
        if size != held || !key_is_there {
            return Err(again(format!(
                "{held} entries became {size}; new key: {key_is_there}"
            )));
        }
        if self.views {
            let rebuilt = rebuild_views(self.config, false, |_, _| {});
            let rebuilt = rebuilt.map_err(|e| Failure::Views(e.to_string()))?;
            if rebuilt.differing() > 0 {
                return Err(Failure::Views(format!("{:?}", rebuilt.families)));
            }
        }
        Ok(())
    }

    fn data(&self) -> &Path {
        &self.config.data
    }

    fn code(&self) -> Jurisdiction {
        self.config.jurisdiction
    }

    fn open(&self) -> Result<(Log, Arc<Vault>), StartError> {
        open_log(
            &DataDir::at(self.data()),
            self.code(),
            Arc::new(SystemClock),
            Box::new(|store| Arc::new(store)),
        )
    }

    /// Whoever saw `init` cut off gives the command again.
    fn make_where_init_was_cut_off(&self) -> Result<(), Failure> {
        let open = |e: &dyn fmt::Display| Failure::Open(e.to_string());
        let files = DataDir::at(self.data());
        let key = match files.signer() {
            Err(DataDirError::NotANode(_)) if self.owed.made => return Err(Failure::NotMade),
            Err(DataDirError::NotANode(_)) => data_dir::create(self.data(), self.code()),
            signer => signer.map(|signer| signer.verifier_key()),
        };
        let key = key.map_err(|e| open(&e))?;
        match fs::read_to_string(files.vkey()) {
            Ok(text) if text.trim_end() == key.to_string() => Ok(()),
            other => Err(open(&format!("vkey holds {other:?}"))),
        }
    }

    /// Gives the number of entries.
    async fn holds(&self, log: &Log, vault: &Arc<Vault>) -> Result<u64, Failure> {
        let open = |e: &dyn fmt::Display| Failure::Open(e.to_string());
        if let LogHealth::Closed { why } = log.health() {
            return Err(open(&why));
        }
        // What a node reads of its store before it serves.
        let directory = Directory::default();
        let (cards, keys) = (Arc::new(Cards), Arc::clone(vault));
        let partners = PartnerAdmin::new(log.clone(), self.code(), cards, keys);
        partners.refresh(&directory).await.map_err(|e| open(&e))?;
        let reader = log.reader();
        Witness::load(&mut &reader).map_err(|e| open(&e))?;

        let held = log.checkpoint().size();
        if held < self.owed.entries {
            let owed = self.owed.entries;
            return Err(Failure::Lost { owed, held });
        }
        let entries = reader.entries(0, usize::MAX, usize::MAX);
        let entries = entries.map_err(|e| open(&e))?;
        let mut read = 0;
        for (index, leaf) in entries {
            if index != read || self.told.leaves.get(as_usize(index)) != Some(&leaf) {
                return Err(Failure::Differs(index));
            }
            read += 1;
            payload_opens(&reader, vault, index, &leaf)?;
        }
        if read != held {
            return Err(Failure::Differs(read));
        }
        let proofs = reader.proofs();
        for (size, root) in self.told.published.range(..=held) {
            let stored = proofs.root(*size).map_err(|e| open(&e))?;
            if stored.to_string() != *root {
                return Err(Failure::Differs(*size));
            }
        }
        Ok(held)
    }

    /// Appends entries as a node does that starts under another policy, and makes a month's keys. Gives the new size.
    async fn append(&self, log: &Log, vault: &Vault, held: u64) -> Result<u64, Failure> {
        let failed = |e: &dyn fmt::Display| Failure::Append(e.to_string());
        let policy = Policy {
            own: self.code(),
            auditors: BTreeSet::from([NEW_AUDITOR.to_owned()]),
            units: Default::default(),
        };
        start_log(log, self.code()).await.map_err(|e| failed(&e))?;
        ensure_policy(log, &policy).await.map_err(|e| failed(&e))?;
        vault.ensure_bucket(month()).map_err(|e| failed(&e))?;
        let size = log.checkpoint().size();
        let new = size - held;
        if new != 1 + u64::from(held == 0) {
            return Err(failed(&format!("{held} entries became {size}")));
        }
        Ok(size)
    }
}

/// The payload of a dispatch lies beside its entry and opens; other entries have none.
fn payload_opens(reader: &Reader, vault: &Vault, index: u64, leaf: &[u8]) -> Result<(), Failure> {
    let failed = |said: String| Failure::Payload(index, said);
    let entry = Entry::decode(leaf).map_err(|e| failed(e.to_string()))?;
    let (month, dispatch) = match entry.kind {
        Kind::DispatchSent(sent) => (sent.terms.purge_month, sent.dispatch_id),
        Kind::DispatchReceived(received) => sent_in(&received.sender_entry)?,
        _ => return Ok(()),
    };
    match vault.open_payload(&mut &*reader, index, month, dispatch) {
        Ok(Payload::Open(_)) => Ok(()),
        Ok(Payload::Erased) => Err(failed("its key is gone".into())),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn sent_in(sender_entry: &[u8]) -> Result<(PurgeMonth, DispatchId), Failure> {
    match Entry::decode(sender_entry).map(|entry| entry.kind) {
        Ok(Kind::DispatchSent(sent)) => Ok((sent.terms.purge_month, sent.dispatch_id)),
        other => panic!(
            "a received dispatch without one in it: {} in {}",
            other.is_ok(),
            leaf_hash(sender_entry)
        ),
    }
}

fn month() -> PurgeMonth {
    PurgeMonth::new(NEW_MONTH).unwrap()
}

fn as_usize(index: u64) -> usize {
    usize::try_from(index).unwrap()
}
