//! Part by part: sound or damaged.

use super::{
    DoctorError,
    source::{Copied, Elsewhere, Scratch, open_copy, write_synced},
};
use crate::{
    config::Config,
    domain::Jurisdiction,
    exchange::{RowReport, RowSurvey, Vault},
    log::{self, Damage, LeafSource, OpenError, Survey, failure_file, kept_checkpoint},
    node::{files::Files, views},
    note::{SignedCheckpoint, VerifierKey},
    record::{Entry, Kind},
    seal::{self, Keyring},
    store::{DirectoryLock, KeyFile, SledStore, Store, StoreError, long, tables},
    tls::{Authority, Cards, Crl},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A part of a node's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// `log.key` and `vkey`.
    LogKey,
    /// `bucket.keys`.
    BucketKeys,
    /// `checkpoint`.
    Checkpoint,
    /// sled's files.
    Store,
    /// Entries, tiles and the signed head.
    Log,
    /// Rows that find dispatches and refusals.
    Dispatches,
    /// What waits for its receipt.
    Outbox,
    /// Ciphertexts and their wrapped keys.
    Payloads,
    /// Newest verified checkpoints of partners.
    Witness,
    /// Revocation lists of partners.
    RevocationLists,
    /// What lists and searches show.
    Views,
}

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Sound,
    /// Not as it should be, and a repair puts it right.
    Damaged,
    /// Damaged, and nothing here can put it right.
    Lost,
    /// Not looked at, because another part is damaged.
    NotExamined,
}

/// What was found of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of which.
    pub part: Part,
    /// How it is.
    pub state: State,
    /// What exactly. Ids and indexes only.
    pub what: String,
}

/// What an examination found.
#[derive(Clone, Debug, Default)]
pub struct Examination {
    /// The log's origin, where its key is readable.
    pub origin: String,
    /// Entries under the newest signed head that is there.
    pub entries: u64,
    /// Part by part, in order.
    pub findings: Vec<Finding>,
    /// Entries that were signed and are nowhere to be had.
    pub lost: Vec<Range<u64>>,
    /// Where the log's history is another than the one that was published: at this size.
    pub forked: Option<u64>,
}

impl Examination {
    /// Whether all is as it should be.
    pub fn is_sound(&self) -> bool {
        self.findings
            .iter()
            .all(|found| found.state == State::Sound)
    }

    /// Whether the views alone are damaged, so that making them anew is enough.
    pub fn only_views(&self) -> bool {
        let mut damaged = self.findings.iter().filter(|f| f.state != State::Sound);
        damaged.all(|found| found.part == Part::Views)
    }

    /// Whether a part is as it should be.
    pub fn state(&self, part: Part) -> Option<State> {
        let found = self.findings.iter().find(|found| found.part == part);
        found.map(|found| found.state)
    }

    pub(super) fn note(&mut self, part: Part, state: State, what: impl Into<String>) {
        let what = what.into();
        self.findings.push(Finding { part, state, what });
    }
}

/// Examines the directory of a stopped node. Copies of its store are made in `scratch`, and gone afterwards. `progress`
/// gets entries done and entries in all, from the start for each pass. Blocks.
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
    if let Some(patient) = Patient::open(config, &mut scratch, &[], &mut found, &mut progress)? {
        patient.rows(&mut found, |_, _| {})?;
        patient.views(&mut scratch, &mut found, &mut progress)?;
    }
    Ok(found)
}

/// An opened copy of a damaged node, and what was found of its log.
pub(super) struct Patient<'a> {
    pub(super) config: &'a Config,
    pub(super) files: Files,
    pub(super) key: VerifierKey,
    pub(super) copied: Copied,
    pub(super) elsewhere: Vec<Elsewhere>,
    pub(super) survey: Survey,
    pub(super) ring: Option<Keyring>,
    // Held to the end: nobody starts the node meanwhile.
    _lock: Option<DirectoryLock>,
}

impl<'a> Patient<'a> {
    /// Files, store and log. Nothing where there is too little left to go on with.
    pub(super) fn open(
        config: &'a Config,
        scratch: &mut Scratch,
        from: &[PathBuf],
        found: &mut Examination,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<Option<Self>, DoctorError> {
        let files = Files::at(&config.data);
        let lock = DirectoryLock::hold_unchanged(&config.data)?;
        let Some(key) = log_key(&files, found)? else {
            return Ok(None);
        };
        found.origin = key.name().to_owned();
        let ring = bucket_keys(&files, found);
        let kept = checkpoint_file(&files, &key, found);
        let published = kept.as_ref().map_or(0, SignedCheckpoint::size);
        let copied = match open_copy(&config.data, scratch, published) {
            Ok(copied) => copied,
            Err(DoctorError::Store(error)) => {
                found.note(Part::Store, State::Lost, error.to_string());
                found.lost.push(0..published);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let elsewhere = from
            .iter()
            .map(|path| Elsewhere::open(path, &key, scratch, &mut *progress))
            .collect::<Result<Vec<_>, _>>()?;
        let mut sources: Vec<_> = elsewhere.iter().map(Elsewhere::leaves).collect();
        let store = copied.store.as_ref();
        let survey = Survey::of(store, &key, kept.as_ref(), &mut sources, progress);
        let survey = match survey {
            Ok(survey) => survey,
            Err(error @ (OpenError::WrongKey { .. } | OpenError::WrongOrigin { .. })) => {
                return Err(error.into());
            }
            Err(error) => {
                store_state(&files, &copied, found);
                found.note(Part::Log, State::Lost, error.to_string());
                found.lost.push(0..published);
                return Ok(None);
            }
        };
        store_state(&files, &copied, found);
        log_state(&survey, found);
        Ok(Some(Self {
            config,
            files,
            key,
            copied,
            elsewhere,
            survey,
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

    /// Compares the rows beside the log, and hands over those that follow from it as they should be.
    pub(super) fn rows(
        &self,
        found: &mut Examination,
        mut right: impl FnMut(Vec<u8>, Vec<u8>),
    ) -> Result<RowReport, DoctorError> {
        let spares: Vec<&dyn Store> = self.elsewhere.iter().filter_map(Elsewhere::store).collect();
        let own = self.config.jurisdiction;
        let mut rows = RowSurvey::new(self.store(), &spares, own, self.ring.as_ref());
        let mut partners = Partners::default();
        self.survey
            .each_leaf(self.store(), &mut self.leaves(), |index, leaf| {
                partners.take(leaf);
                for (key, value) in rows.take(index, leaf) {
                    right(key, value);
                }
            });
        let (report, last) = rows.finish(&partners.keys)?;
        for (key, value) in last {
            right(key, value);
        }
        row_states(&report, self.ring.is_some(), found);
        self.revocation_lists(&partners, found, &mut right);
        Ok(report)
    }

    /// A list that is damaged is dropped: the partner brings its newest with its next stream.
    fn revocation_lists(
        &self,
        partners: &Partners,
        found: &mut Examination,
        right: &mut impl FnMut(Vec<u8>, Vec<u8>),
    ) {
        let mut damaged = BTreeSet::new();
        for (code, authority) in &partners.authorities {
            let base = tables::crl(*code);
            let list = long::join(&base, |key| self.store().get(key));
            match list {
                Ok(None) => {}
                Ok(Some(list)) if Crl::parse(&list, authority).is_ok() => {
                    let rows = long::split(&base, &list).unwrap_or_default();
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

    /// Makes the views anew and compares them.
    fn views(
        &self,
        scratch: &mut Scratch,
        found: &mut Examination,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<(), DoctorError> {
        if self.ring.is_none() || !self.survey.is_sound() {
            let what = "needs a sound log and the bucket keys";
            found.note(Part::Views, State::NotExamined, what);
            return Ok(());
        }
        let made = SledStore::open(&scratch.fresh()?).map_err(DoctorError::Store)?;
        // Where no word of an earlier failure lies beside.
        let beside = scratch.fresh()?.join("checkpoint");
        write_synced(&beside, self.survey.checkpoint().note().as_bytes(), 0o600)
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
            Ok(rebuilt) => rebuilt.compare()?,
            Err(error) => {
                found.note(Part::Views, State::Damaged, error.to_string());
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
    keys: BTreeMap<Jurisdiction, VerifierKey>,
    authorities: BTreeMap<Jurisdiction, Authority>,
}

impl Partners {
    fn take(&mut self, leaf: &[u8]) {
        let Ok(entry) = Entry::decode(leaf) else {
            return;
        };
        if let Kind::PartnerProposed { card } = entry.kind {
            self.drafts.insert(seal::sha256(&card), card);
        } else if let Kind::PartnerApproved { card_sha256, .. } = entry.kind {
            let card = self.drafts.remove(&card_sha256);
            let Some(partner) = card.and_then(|card| {
                let cards: &dyn crate::desk::CardReader = &Cards;
                cards.read(&card).ok()
            }) else {
                return;
            };
            if let Ok(authority) = Authority::parse(&partner.ca) {
                self.authorities.insert(partner.code, authority);
            }
            self.keys.insert(partner.code, partner.key);
        }
    }
}

/// The key that the log's checkpoints verify with.
fn log_key(files: &Files, found: &mut Examination) -> Result<Option<VerifierKey>, DoctorError> {
    let public = fs::read_to_string(files.vkey())
        .ok()
        .and_then(|text| text.trim().parse::<VerifierKey>().ok());
    let signer = match files.signer() {
        Err(error @ super::FilesError::NotANode(_)) if public.is_none() => return Err(error.into()),
        signer => signer.map(|signer| signer.verifier_key()),
    };
    Ok(match (signer, public) {
        (Ok(key), Some(public)) if key == public => {
            found.note(Part::LogKey, State::Sound, "");
            Some(key)
        }
        (Ok(key), Some(public)) if key.name() == public.name() => {
            let what = "log.key and vkey are not of one pair: restore log.key from its backup, and vkey from a node card";
            found.note(Part::LogKey, State::Lost, what);
            // The public one is copied often, so it is the likelier to be right.
            Some(public)
        }
        (Ok(key), Some(_) | None) => {
            let what = "vkey is missing or no verifier key; a repair writes it anew from log.key";
            found.note(Part::LogKey, State::Damaged, what);
            Some(key)
        }
        (Err(error), public) => {
            let what = format!("{error}; without it this log never goes on");
            found.note(Part::LogKey, State::Lost, what);
            public
        }
    })
}

fn bucket_keys(files: &Files, found: &mut Examination) -> Option<Keyring> {
    match KeyFile::at(files.bucket_keys()).load() {
        Ok(Some(ring)) => {
            found.note(Part::BucketKeys, State::Sound, "");
            Some(ring)
        }
        Ok(None) => {
            let what = "bucket.keys is missing: restore it from its own backup";
            found.note(Part::BucketKeys, State::Lost, what);
            None
        }
        Err(error) => {
            found.note(Part::BucketKeys, State::Lost, error.to_string());
            None
        }
    }
}

fn checkpoint_file(
    files: &Files,
    key: &VerifierKey,
    found: &mut Examination,
) -> Option<SignedCheckpoint> {
    match kept_checkpoint(&files.checkpoint(), key) {
        Ok(Some(kept)) => {
            found.note(Part::Checkpoint, State::Sound, "");
            Some(kept)
        }
        Ok(None) => {
            let what = "there is none; a repair writes it from the store, which it cannot then be held against";
            found.note(Part::Checkpoint, State::Damaged, what);
            None
        }
        Err(error) => {
            found.note(Part::Checkpoint, State::Damaged, error.to_string());
            None
        }
    }
}

fn store_state(files: &Files, copied: &Copied, found: &mut Examination) {
    let failed = failure_file(&files.checkpoint());
    if let Some(without) = copied.without {
        let what = format!("opens only without {without}");
        found.note(Part::Store, State::Damaged, what);
    } else if failed.exists() {
        let said = fs::read_to_string(&failed).unwrap_or_default();
        let what = format!("a storage error closed it: {}", said.trim());
        found.note(Part::Store, State::Damaged, what);
    } else {
        found.note(Part::Store, State::Sound, "");
    }
}

fn log_state(survey: &Survey, found: &mut Examination) {
    found.entries = survey.checkpoint().size();
    found.lost = survey.lost().to_vec();
    found.forked = survey.forked();
    if survey.is_sound() {
        return found.note(Part::Log, State::Sound, "");
    }
    let named: Vec<String> = survey
        .damages()
        .iter()
        .take(5)
        .map(Damage::to_string)
        .collect();
    let mut what = named.join("; ");
    if survey.damage_count() > 5 {
        what = format!("{what}; {} in all", survey.damage_count());
    }
    if survey.mended() > 0 {
        what = format!("{what}; {} entries are had from elsewhere", survey.mended());
    }
    let state = if survey.can_go_on() {
        State::Damaged
    } else {
        State::Lost
    };
    if what.is_empty() {
        "what was published is not there".clone_into(&mut what);
    }
    found.note(Part::Log, state, what);
}

fn row_states(report: &RowReport, keyed: bool, found: &mut Examination) {
    let mut rows = |part, count: u64, what: &str| {
        if count == 0 {
            found.note(part, State::Sound, "");
        } else {
            found.note(part, State::Damaged, format!("{count} {what}"));
        }
    };
    let index = report.dispatches + report.refusals;
    rows(Part::Dispatches, index, "rows do not follow from the log");
    rows(
        Part::Outbox,
        report.outbox,
        "rows do not follow from the log",
    );
    if !keyed {
        found.note(Part::Payloads, State::NotExamined, "needs the bucket keys");
    } else if report.payload_count == 0 {
        found.note(Part::Payloads, State::Sound, "");
    } else {
        let named: Vec<_> = report
            .payloads
            .iter()
            .take(20)
            .map(u64::to_string)
            .collect();
        let what = format!(
            "{} damaged, of entries {}",
            report.payload_count,
            named.join(", ")
        );
        found.note(Part::Payloads, State::Lost, what);
    }
    if report.witness.is_empty() {
        found.note(Part::Witness, State::Sound, "");
    } else {
        let what = format!("damaged: {}", codes(&report.witness));
        found.note(Part::Witness, State::Damaged, what);
    }
}

fn codes(codes: &BTreeSet<Jurisdiction>) -> String {
    let texts: Vec<_> = codes.iter().map(ToString::to_string).collect();
    texts.join(", ")
}
