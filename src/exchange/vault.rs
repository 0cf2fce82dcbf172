//! The payload vault: encrypted rows, and the keys that open them.

use super::{RowError, Rows};
use crate::{
    domain::DispatchId,
    entry::{EntryDefect, Plaintext},
    log::{Log, ReadError, Txn},
    seal::{self, Keyring, NoRandomness, PayloadKey, PurgeMonth},
    store::{DiskReserve, DiskShort, KeyFile, KeyFileError, Order, Store, StoreError, tables},
};
use arc_swap::ArcSwap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use zeroize::Zeroizing;

/// A node's payloads and keys.
#[derive(Debug)]
pub struct Vault {
    ring: ArcSwap<Keyring>,
    /// Held while the file is written; the ring is swapped only when the file is durable.
    file: Mutex<KeyFile>,
    /// Disk space that payloads must leave free, if set.
    reserve: OnceLock<Arc<DiskReserve>>,
}

/// A payload could not be stored or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key file failed.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// There is no key file, though the store has payloads.
    #[error("there is no key file; restore it from its own backup")]
    NoKeyFile,
    /// No key can be generated.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The store failed.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The key file is older than the store.
    #[error(
        "the key file has no keys for payloads that are purged in {month}, which the store holds: it is an older copy, \
         and with it they would read as erased. Put the newest copy of bucket.keys in its place"
    )]
    OldKeyFile {
        /// The first month that it lacks.
        month: PurgeMonth,
    },
    /// A row that must be there is missing or does not open: the store or the key file is damaged.
    #[error("the payload of log entry {index} is damaged: {what}")]
    Damaged {
        /// Index of its entry.
        index: u64,
        /// What is wrong.
        what: &'static str,
    },
}

/// A payload, as far as it can be opened.
#[derive(Debug)]
pub enum Payload {
    /// Open.
    Open(Plaintext),
    /// Its key is destroyed: purged or erased.
    Erased,
}

/// The first month for which the store has payload keys and the ring has no key to open them with.
///
/// # Errors
/// The store failed.
pub(crate) fn month_without_keys(
    ring: &Keyring,
    store: &dyn Store,
) -> Result<Option<PurgeMonth>, StoreError> {
    let (from, end) = tables::PAYLOAD_KEY.range();
    let mut next = from.to_vec();
    loop {
        let rows = store.range(&next, &end, Order::Ascending, 1)?;
        let Some(number) = rows.first().and_then(|(key, _)| tables::payload_month(key)) else {
            return Ok(None);
        };
        let month = PurgeMonth::new(number).filter(|month| ring.bucket(*month).is_none());
        if month.is_some() {
            return Ok(month);
        }
        next = tables::payload_key(number.saturating_add(1), 0).to_vec();
    }
}

impl Vault {
    /// Reads the key file, or creates one if the log is still empty.
    ///
    /// # Errors
    /// The file is damaged, or missing beside a log that has entries.
    pub fn open(file: KeyFile, log_is_empty: bool) -> Result<Self, VaultError> {
        let ring = match file.load()? {
            Some(ring) => ring,
            None if log_is_empty => {
                let ring = Keyring::generate()?;
                file.save(&ring)?;
                ring
            }
            None => return Err(VaultError::NoKeyFile),
        };
        Ok(Self {
            ring: ArcSwap::from_pointee(ring),
            file: Mutex::new(file),
            reserve: OnceLock::new(),
        })
    }

    /// The current keys.
    pub fn ring(&self) -> Arc<Keyring> {
        self.ring.load_full()
    }

    /// Whether a month has keys, so that [`Vault::ensure_bucket`] would not touch the disk.
    pub fn has_bucket(&self, month: PurgeMonth) -> bool {
        self.ring.load().bucket(month).is_some()
    }

    /// Creates a month's keys, durably, if it has none. Blocks on the disk if it does: once a month.
    ///
    /// # Errors
    /// The file or the random source failed.
    pub fn ensure_bucket(&self, month: PurgeMonth) -> Result<(), VaultError> {
        if self.has_bucket(month) {
            return Ok(());
        }
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ring = Keyring::clone(&self.ring.load());
        ring.add_bucket(month)?;
        file.save(&ring)?;
        self.ring.store(Arc::new(ring));
        Ok(())
    }

    /// Makes payloads leave this reserve free on the disk from now on. Only the first call counts.
    pub fn keep_free(&self, reserve: Arc<DiskReserve>) {
        drop(self.reserve.set(reserve));
    }

    /// Checks that there is room for something new.
    ///
    /// # Errors
    /// There is none.
    pub fn admit(&self) -> Result<(), DiskShort> {
        self.reserve.get().map_or(Ok(()), |reserve| reserve.admit())
    }

    /// Checks that there is room for the trace that a read leaves.
    ///
    /// # Errors
    /// There is none.
    pub fn admit_reading(&self) -> Result<(), DiskShort> {
        let reserve = self.reserve.get();
        reserve.map_or(Ok(()), |reserve| reserve.admit_reading())
    }

    /// As [`Vault::ensure_bucket`], off the async workers. A key file that fails closes the log (I2): after a failed
    /// sync, keys that look stored may be lost in the next power cut, and with them what they open.
    ///
    /// # Errors
    /// As [`Vault::ensure_bucket`].
    pub async fn ready(self: &Arc<Self>, log: &Log, month: PurgeMonth) -> Result<(), VaultError> {
        if self.has_bucket(month) {
            return Ok(());
        }
        let (vault, closing) = (Arc::clone(self), log.clone());
        log.read(move |_| {
            vault.ensure_bucket(month).inspect_err(|error| {
                if let VaultError::KeyFile(error) = error {
                    closing.close_for_keys(error);
                }
            })
        })
        .await?
    }

    /// Checks that the key file has keys for each month whose payloads the store holds. With an older copy of the file
    /// they would read as erased, and the month would get other keys. Takes a few reads for each month, however long
    /// the log.
    ///
    /// # Errors
    /// A month has no keys, or the store failed.
    pub fn covers(&self, store: &dyn Store) -> Result<(), VaultError> {
        match month_without_keys(&self.ring(), store).map_err(ReadError::Store)? {
            Some(month) => Err(VaultError::OldKeyFile { month }),
            None => Ok(()),
        }
    }

    /// Puts a payload and its wrapped key beside the entry that is about to get `index`.
    ///
    /// # Errors
    /// The month has no keys ([`Vault::ensure_bucket`] comes first), or the random source failed.
    pub fn stage(
        &self,
        txn: &mut Txn<'_>,
        index: u64,
        month: PurgeMonth,
        dispatch: DispatchId,
        ciphertext: &[u8],
        key: &PayloadKey,
    ) -> Result<(), VaultError> {
        let ring = self.ring.load();
        let bucket = ring.bucket(month).ok_or(VaultError::Damaged {
            index,
            what: "its purge month has no keys",
        })?;
        let wrapped = bucket.wrap(key, dispatch)?;
        txn.put(tables::payload_key(month.number(), index), wrapped)
            .map_err(RowError::from)?;
        // The index is new, and so is the key.
        txn.put_new_long(&tables::payload(index), ciphertext)
            .map_err(RowError::from)?;
        Ok(())
    }

    /// The ciphertext beside an entry and the key that opens it; `None` if the key is destroyed.
    ///
    /// # Errors
    /// The store failed, or a row is damaged.
    pub fn sealed(
        &self,
        rows: &mut dyn Rows,
        index: u64,
        month: PurgeMonth,
        dispatch: DispatchId,
    ) -> Result<Option<(Vec<u8>, PayloadKey)>, VaultError> {
        let ring = self.ring.load();
        let wrapped = rows.row(&tables::payload_key(month.number(), index))?;
        let (Some(bucket), Some(wrapped)) = (ring.bucket(month), wrapped) else {
            return Ok(None);
        };
        let damaged = |what| VaultError::Damaged { index, what };
        let key = bucket
            .unwrap(&wrapped, dispatch)
            .map_err(|_| damaged("its wrapped key does not open"))?;
        let ciphertext = rows
            .long_row(&tables::payload(index))?
            .ok_or(damaged("its ciphertext is missing"))?;
        Ok(Some((ciphertext, key)))
    }

    /// Opens the payload beside an entry.
    ///
    /// # Errors
    /// The store failed, or the payload is damaged.
    pub fn open_payload(
        &self,
        rows: &mut dyn Rows,
        index: u64,
        month: PurgeMonth,
        dispatch: DispatchId,
    ) -> Result<Payload, VaultError> {
        let Some((ciphertext, key)) = self.sealed(rows, index, month, dispatch)? else {
            return Ok(Payload::Erased);
        };
        let damaged = |what| VaultError::Damaged { index, what };
        let plaintext = seal::open(&ciphertext, &key, dispatch)
            .map(Zeroizing::new)
            .map_err(|_| damaged("it does not open with its key"))?;
        let plaintext = Plaintext::from_bytes(&plaintext)
            .map_err(|_: EntryDefect| damaged("it is not a payload"))?;
        Ok(Payload::Open(plaintext))
    }
}
