//! Examines a data directory part by part.

use super::{
    DoctorError,
    parts::{bucket_keys, checkpoint_file, codes, log_key, log_state, row_states, store_state},
    source::{Copied, Elsewhere, Scratch, open_copy, write_synced},
};
use crate::{
    config::Config,
    domain::{Jurisdiction, keyed},
    entry::{Entry, Kind},
    exchange::{RowAudit, Vault, VaultError, month_without_keys},
    log::{self, DamageReport, LeafSource, OpenError},
    node::{data_dir::DataDir, views},
    note::{SignedCheckpoint, VerifierKey},
    seal::{self, Keyring},
    store::{DirectoryLock, KeyFile, Order, SledStore, Store, StoreError, long_values, tables},
    tls::{Authority, Cards, Crl},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

/// How many rows are read at once.
const ROWS_AT_ONCE: usize = 512;

keyed! {
    /// A part of a node's directory.
    pub enum Part {
        /// `log.key` and `vkey`.
        LogKey = "log_key" ("日志密钥"),
        /// `bucket.keys`.
        BucketKeys = "bucket_keys" ("内容密钥"),
        /// `checkpoint`.
        Checkpoint = "checkpoint" ("检查点文件"),
        /// sled's files.
        Store = "store" ("存储"),
        /// Entries, tiles and the signed head.
        Log = "log" ("日志"),
        /// Rows that find dispatches and refusals.
        Dispatches = "dispatches" ("发件索引"),
        /// Dispatches that wait for their receipt.
        Outbox = "outbox" ("发件箱"),
        /// Ciphertexts and their wrapped keys.
        Payloads = "payloads" ("加密内容"),
        /// Newest verified checkpoints of partners.
        Witness = "witness" ("对方检查点"),
        /// Revocation lists of partners.
        RevocationLists = "revocation_lists" ("吊销列表"),
        /// Approved partners that TLS refuses; listed only if there are any.
        Partners = "partners" ("对方节点"),
        /// What lists and searches show.
        Views = "views" ("视图"),
    }
}

keyed! {
    /// The state of a part.
    pub enum State {
        /// As it should be.
        Sound = "sound" ("完好"),
        /// Damaged, and a repair fixes it.
        Damaged = "damaged" ("损坏，可修复"),
        /// Damaged, and nothing here can fix it.
        Lost = "lost" ("丢失"),
        /// Not examined, because another part is damaged.
        NotExamined = "not_examined" ("未检查"),
    }
}

/// What was found of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The part.
    pub part: Part,
    /// Its state.
    pub state: State,
    /// Details. Ids and indexes only.
    pub what: String,
}

/// What an examination found.
#[derive(Clone, Debug, Default)]
pub struct Examination {
    /// The log's origin, if its key is readable.
    pub origin: String,
    /// Entries under the newest signed head found.
    pub entries: u64,
    /// Part by part, in order.
    pub findings: Vec<Finding>,
    /// Entries that were signed and cannot be found anywhere.
    pub lost: Vec<Range<u64>>,
    /// The size at which the log's history differs from the published one, if it does.
    pub forked: Option<u64>,
}

impl Examination {
    /// Whether everything is sound.
    pub fn is_sound(&self) -> bool {
        self.findings
            .iter()
            .all(|found| found.state == State::Sound)
    }

    /// Whether only the views are damaged, so that rebuilding them is enough.
    pub fn only_views(&self) -> bool {
        let mut damaged = self.findings.iter().filter(|f| f.state != State::Sound);
        damaged.all(|found| found.part == Part::Views)
    }

    /// The state of a part, if it was examined.
    pub fn state(&self, part: Part) -> Option<State> {
        let found = self.findings.iter().find(|found| found.part == part);
        found.map(|found| found.state)
    }

    /// Lowers the state of a part that seemed sound.
    pub(super) fn worsen(&mut self, part: Part, state: State, what: impl Into<String>) {
        let mut found = self.findings.iter_mut().filter(|f| f.part == part);
        if let Some(sound) = found.find(|found| found.state == State::Sound) {
            (sound.state, sound.what) = (state, what.into());
        }
    }

    pub(super) fn note(&mut self, part: Part, state: State, what: impl Into<String>) {
        let what = what.into();
        self.findings.push(Finding { part, state, what });
    }
}

/// Examines the directory of a stopped node. Copies of its store are made in `scratch`, and removed afterwards.
/// `progress` gets the number of entries done and of all entries, from the start for each pass. Blocks.
///
/// # Errors
/// The node runs, there is none, or a copy could not be made.
pub fn examine(
    config: &Config,
    scratch: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<Examination, DoctorError> {
    let mut scratch = Scratch::within(scratch)?;
    let mut found = Examination::default();
    if let Some(copy) = OpenedCopy::open(config, &mut scratch, &[], &mut found, &mut progress)? {
        copy.rows(&mut found, |_, _| {});
        copy.views(&mut scratch, &mut found, &mut progress)?;
    }
    Ok(found)
}

/// An opened copy of a damaged node, and what was found of its log.
pub(super) struct OpenedCopy<'a> {
    pub(super) config: &'a Config,
    pub(super) files: DataDir,
    pub(super) key: VerifierKey,
    pub(super) copied: Copied,
    pub(super) elsewhere: Vec<Elsewhere>,
    pub(super) damage: DamageReport,
    pub(super) ring: Option<Keyring>,
    // Held to the end, so that nobody starts the node meanwhile.
    _lock: Option<DirectoryLock>,
}

impl<'a> OpenedCopy<'a> {
    /// Opens files, store and log. `None` if too little is left to continue.
    pub(super) fn open(
        config: &'a Config,
        scratch: &mut Scratch,
        from: &[PathBuf],
        found: &mut Examination,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<Option<Self>, DoctorError> {
        let files = DataDir::at(&config.data);
        let lock = DirectoryLock::hold_unchanged(&config.data)?;
        let Some(key) = log_key(&files, found)? else {
            return Ok(None);
        };
        found.origin = key.name().to_owned();
        let mut ring = bucket_keys(&files, found);
        let kept = checkpoint_file(&files, &key, found);
        let published = kept.as_ref().map_or(0, SignedCheckpoint::size);
        let copied = match open_copy(&config.data, scratch, published) {
            Ok(copied) => copied,
            Err(DoctorError::Store(error)) => {
                found.note(Part::Store, State::Lost, error.to_string());
                found.lost.extend((published > 0).then_some(0..published));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let without = |ring: &Keyring| month_without_keys(ring, copied.store.as_ref());
        if let Some(Ok(Some(month))) = ring.as_ref().map(without) {
            let old = VaultError::OldKeyFile { month };
            found.worsen(Part::BucketKeys, State::Lost, old.to_string());
            // Nothing can be verified with it.
            ring = None;
        }
        let elsewhere = from
            .iter()
            .map(|path| Elsewhere::open(path, &key, scratch, &mut *progress))
            .collect::<Result<Vec<_>, _>>()?;
        let mut sources: Vec<_> = elsewhere.iter().map(Elsewhere::leaves).collect();
        let store = copied.store.as_ref();
        let damage = DamageReport::of(store, &key, kept.as_ref(), &mut sources, progress);
        let damage = match damage {
            Ok(damage) => damage,
            Err(error @ (OpenError::WrongKey { .. } | OpenError::WrongOrigin { .. })) => {
                return Err(error.into());
            }
            Err(error) => {
                store_state(&files, &copied, found);
                found.note(Part::Log, State::Lost, error.to_string());
                found.lost.extend((published > 0).then_some(0..published));
                return Ok(None);
            }
        };
        store_state(&files, &copied, found);
        log_state(&damage, found);
        Ok(Some(Self {
            config,
            files,
            key,
            copied,
            elsewhere,
            damage,
            ring,
            _lock: lock,
        }))
    }

    pub(super) fn store(&self) -> &SledStore {
        self.copied.store.as_ref()
    }

    pub(super) fn leaves(&self) -> Vec<Box<dyn LeafSource>> {
        self.elsewhere.iter().map(Elsewhere::leaves).collect()
    }

    /// Compares the rows beside the log, and passes on the rows that follow from it, as they should be.
    pub(super) fn rows(&self, found: &mut Examination, mut right: impl FnMut(Vec<u8>, Vec<u8>)) {
        let spares: Vec<&dyn Store> = self.elsewhere.iter().filter_map(Elsewhere::store).collect();
        let own = self.config.jurisdiction;
        let mut rows = RowAudit::new(self.store(), &spares, own, self.ring.as_ref());
        let mut partners = Partners::default();
        self.damage
            .each_leaf(self.store(), &mut self.leaves(), |index, leaf| {
                partners.take(leaf);
                for (key, value) in rows.take(index, leaf) {
                    right(key, value);
                }
            });
        let (report, last) = rows.finish(&partners.keys);
        for (key, value) in last {
            right(key, value);
        }
        row_states(&report, self.ring.is_some(), found);
        self.revocation_lists(&partners, found, &mut right);
        if !partners.left_out.is_empty() {
            let left_out = partners.left_out.iter();
            let left_out: Vec<_> = left_out
                .map(|(code, why)| format!("{code} ({why})"))
                .collect();
            let what = format!("left out by a node that starts: {}", left_out.join(", "));
            found.note(Part::Partners, State::Sound, what);
        }
        self.other_rows(found, &mut right);
    }

    /// Passes on rows of families that no entry mentions, as they are stored. There are none yet; a later version may
    /// have some.
    fn other_rows(&self, found: &mut Examination, right: &mut impl FnMut(Vec<u8>, Vec<u8>)) {
        let (first, end) = tables::OTHERS;
        let mut next = first.to_vec();
        loop {
            let rows = match self
                .store()
                .range(&next, &end, Order::Ascending, ROWS_AT_ONCE)
            {
                Ok(rows) => rows,
                Err(error) => {
                    return found.worsen(Part::Store, State::Damaged, error.to_string());
                }
            };
            let Some((last, _)) = rows.last() else {
                return;
            };
            next = [last.as_slice(), &[0]].concat();
            rows.into_iter().for_each(|(key, value)| right(key, value));
        }
    }

    /// A damaged list is dropped: the partner sends its newest one with its next stream.
    fn revocation_lists(
        &self,
        partners: &Partners,
        found: &mut Examination,
        right: &mut impl FnMut(Vec<u8>, Vec<u8>),
    ) {
        let mut damaged = BTreeSet::new();
        for (code, authority) in &partners.authorities {
            let base = tables::crl(*code);
            let list = long_values::join(&base, |key| self.store().get(key));
            match list {
                Ok(None) => {}
                Ok(Some(list)) if Crl::parse(&list, authority).is_ok() => {
                    let rows = long_values::split(&base, &list).unwrap_or_default();
                    rows.into_iter().for_each(|(key, value)| right(key, value));
                }
                Ok(Some(_)) | Err::<_, StoreError>(_) => {
                    damaged.insert(*code);
                }
            }
        }
        if damaged.is_empty() {
            found.note(Part::RevocationLists, State::Sound, "");
        } else {
            let what = format!("damaged: {}", codes(&damaged));
            found.note(Part::RevocationLists, State::Damaged, what);
        }
    }

    /// Rebuilds the views and compares them.
    fn views(
        &self,
        scratch: &mut Scratch,
        found: &mut Examination,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<(), DoctorError> {
        if self.ring.is_none() || !self.damage.is_sound() {
            let what = "needs a sound log and the bucket keys";
            found.note(Part::Views, State::NotExamined, what);
            return Ok(());
        }
        let made = SledStore::open(&scratch.fresh()?).map_err(DoctorError::Store)?;
        // In a directory without a failure marker.
        let beside = scratch.fresh()?.join("checkpoint");
        write_synced(&beside, self.damage.checkpoint().note().as_bytes(), 0o600)
            .map_err(DoctorError::io("write", &beside))?;
        let vault = Arc::new(Vault::open(KeyFile::at(self.files.bucket_keys()), false)?);
        let rebuilt = log::rebuild_views(
            self.store(),
            (&self.key, &beside),
            &mut views(self.config.jurisdiction, &vault),
            &made,
            progress,
        );
        let compared = match rebuilt {
            Ok(rebuilt) => rebuilt.compare(),
            Err(error) => {
                found.note(Part::Views, State::Damaged, error.to_string());
                return Ok(());
            }
        };
        let compared = match compared {
            Ok(compared) => compared,
            Err(error) => {
                let what = format!("stored rows cannot be read: {error}");
                found.note(Part::Views, State::Damaged, what);
                // Nothing is written into a page that cannot be read: only a fresh store helps.
                let what = "rows of views cannot be read";
                found.worsen(Part::Store, State::Damaged, what);
                return Ok(());
            }
        };
        let differing: u64 = compared
            .values()
            .map(log::FamilyComparison::differing)
            .sum();
        if differing == 0 {
            found.note(Part::Views, State::Sound, "");
        } else {
            let what = format!("{differing} rows do not follow from the log");
            found.note(Part::Views, State::Damaged, what);
        }
        Ok(())
    }
}

/// Keys and CAs on the cards that a log approved.
#[derive(Default)]
struct Partners {
    drafts: BTreeMap<[u8; 32], Vec<u8>>,
    keys: BTreeMap<Jurisdiction, Vec<VerifierKey>>,
    authorities: BTreeMap<Jurisdiction, Authority>,
    /// The partners that a node leaves out, and why.
    left_out: BTreeMap<Jurisdiction, String>,
}

impl Partners {
    fn take(&mut self, leaf: &[u8]) {
        let Ok(entry) = Entry::decode(leaf) else {
            return;
        };
        if let Kind::PartnerRemoved { jurisdiction, .. } = entry.kind {
            self.left_out.remove(&jurisdiction);
        } else if let Kind::PartnerProposed { card } = entry.kind {
            self.drafts.insert(seal::sha256(&card), card);
        } else if let Kind::PartnerApproved { card_sha256, .. } = entry.kind {
            let card = self.drafts.remove(&card_sha256);
            let cards: &dyn crate::casework::CardReader = &Cards;
            let Some(partner) = card.and_then(|card| cards.read(&card).ok()) else {
                return;
            };
            match cards.fits(&partner, None) {
                Ok(()) => drop(self.left_out.remove(&partner.code)),
                Err(why) => drop(self.left_out.insert(partner.code, why)),
            }
            if let Ok(authority) = Authority::parse(&partner.ca) {
                self.authorities.insert(partner.code, authority);
            }
            let keys = self.keys.entry(partner.code).or_default();
            if !keys.contains(&partner.key) {
                keys.push(partner.key);
            }
        }
    }
}
