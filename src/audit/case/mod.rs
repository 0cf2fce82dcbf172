//! Proofs for a case file: single entries of a log, each with its proof. Checking them takes only the logs' keys.
//!
//! [`Search`] selects the entries of a log about one dispatch or record and makes a [`CaseFile`] of them;
//! [`CaseFile::verify`] trusts nothing but the keys that it is given; [`write_folder`] and [`check_folder`] keep it in
//! a directory, with pages that state in words what it proves.

mod consistency;
mod folder;
mod link;
mod page;
mod search;
mod transfer;

pub use folder::{FolderDefect, check_folder, read_proof, write_folder};
pub use link::{Delivery, LinkDefect, Place};
pub use search::{Found, Search, SearchError, Wanted};
pub use transfer::TransferDefect;

use super::{
    reading::{as_rfc3339, owner_of},
    row::{ReplayRow, Subject},
};
use crate::{
    domain::{Jurisdiction, Timestamp},
    entry::{Entry, Kind},
    merkle::leaf_hash,
    note::{NoteError, SignedCheckpoint, TlogProof, TlogProofInvalid, VerifierKey},
    seal,
};
use consistency::SeenTrees;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The most proofs in one case file.
pub const MAX_PROOFS: usize = 4096;

/// Proofs that belong together, each with its entry as extra data. They are claims until [`CaseFile::verify`] has
/// checked them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseFile {
    /// By the log that each claims to be from, and its index there.
    proofs: BTreeMap<(String, u64), TlogProof>,
}

/// What a case file proves under the given keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proved {
    /// Entries, by log and index.
    pub statements: Vec<Statement>,
    /// Dispatches on which two logs agree.
    pub deliveries: Vec<Delivery>,
    /// The verifier keys that this rests on, C2SP vkey text, sorted.
    pub keys: Vec<String>,
}

/// An entry that is proved to be in a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// The file that proves it.
    pub file: String,
    /// SHA-256 of that file, hexadecimal. With it on a page, the page also vouches for lines of the file that are not
    /// proved.
    pub file_sha256: String,
    /// The log's origin.
    pub log: String,
    /// The size of the tree that the log's key signed.
    pub tree_size: u64,
    /// That tree's root, hexadecimal.
    pub root: String,
    /// Who else signed that tree.
    pub cosigned: Vec<Cosigned>,
    /// For a dispatch that was sent or drafted: digests that identify its payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<PayloadDigests>,
    /// What the entry says.
    #[serde(flatten)]
    pub entry: ReplayRow,
}

/// What a dispatch's entry says of its payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PayloadDigests {
    /// SHA-256 of the ciphertext, hexadecimal.
    pub ciphertext_sha256: String,
    /// Keyed commitment to the content, hexadecimal.
    pub commitment: String,
}

impl PayloadDigests {
    fn of(kind: &Kind) -> Option<Self> {
        let (Kind::DispatchSent(sent) | Kind::ReferralDrafted(sent)) = kind else {
            return None;
        };
        Some(Self {
            ciphertext_sha256: hex::encode(sent.ciphertext_sha256),
            commitment: hex::encode(sent.commitment),
        })
    }
}

/// A cosignature on a tree, verified.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cosigned {
    /// The cosigner.
    pub by: String,
    /// When, by the cosigner's clock, RFC 3339.
    #[serde(serialize_with = "as_rfc3339")]
    pub at: Timestamp,
}

/// Why a case file does not prove what it states. Files are named as in its directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaseDefect {
    /// It is empty.
    #[error("there is no proof in it")]
    Empty,
    /// More than [`MAX_PROOFS`].
    #[error("there are more than {MAX_PROOFS} proofs in it")]
    TooMany,
    /// The key of a log that signed something in it was not given.
    #[error(
        "{file} rests on the key of {origin}, which was not given: get it from that jurisdiction, and give it too"
    )]
    NoKey {
        /// The file.
        file: String,
        /// The log.
        origin: String,
    },
    /// The proof proves nothing.
    #[error("{file} proves nothing")]
    Unproved {
        /// The file.
        file: String,
        /// Why.
        source: TlogProofInvalid,
    },
    /// A cosignature under a known name is not that cosigner's.
    #[error("{file}: a cosignature is not its cosigner's")]
    Cosignature {
        /// The file.
        file: String,
        /// Why.
        source: NoteError,
    },
    /// The entry's proof from another log does not hold.
    #[error("{file}: the entry is in its log, but what it keeps of the other log proves nothing")]
    Link {
        /// The file.
        file: String,
        /// Why.
        source: LinkDefect,
    },
    /// Two proofs show different entries at one place.
    #[error("{file}: entry {index} of {origin} differs here from elsewhere in the case file")]
    Contradiction {
        /// The file.
        file: String,
        /// The log.
        origin: String,
        /// The index in it.
        index: u64,
    },
    /// One log is shown in two versions.
    #[error(
        "{file}: {origin} is shown in two versions here, both of {size} entries: keep this, it is evidence against that log"
    )]
    TwoTrees {
        /// The file where the second was found.
        file: String,
        /// The log.
        origin: String,
        /// The size of both trees.
        size: u64,
    },
    /// Draft, approval and dispatch of a transfer that do not belong together.
    #[error("{file}: this step of a transfer does not fit what is proved beside it")]
    Transfer {
        /// The step's file.
        file: String,
        /// Why.
        source: TransferDefect,
    },
}

impl CaseFile {
    /// Adds a proof, unless there is one of the same entry.
    fn add(&mut self, proof: TlogProof) {
        let place = (claimed_origin(&proof).to_owned(), proof.index);
        self.proofs.entry(place).or_insert(proof);
    }

    /// A case file of one proof.
    pub fn of(proof: TlogProof) -> Self {
        let mut case = Self::default();
        case.add(proof);
        case
    }

    /// The proofs, each with the name of its file.
    fn files(&self) -> impl Iterator<Item = (String, &TlogProof)> {
        let files = self.proofs.iter();
        files.map(|((origin, index), proof)| (file_name(origin, *index), proof))
    }

    /// Verifies that each entry is in its log, that each answer in them is its partner's, that no log is shown in two
    /// versions, and that all of them agree. Trusts these keys and nothing else; the key of a log that is not in it
    /// does no harm.
    ///
    /// # Errors
    /// The first defect found.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<Proved, CaseDefect> {
        if self.proofs.is_empty() {
            return Err(CaseDefect::Empty);
        }
        if self.proofs.len() > MAX_PROOFS {
            return Err(CaseDefect::TooMany);
        }
        let mut check = Check {
            case: self,
            keys: Keys(keys),
            used: BTreeSet::new(),
            deliveries: BTreeMap::new(),
            shown: SeenTrees::default(),
            transfers: Vec::new(),
            answered: transfer::Answered::default(),
        };
        let mut statements = Vec::new();
        for ((origin, _), proof) in &self.proofs {
            statements.push(check.statement(origin, proof)?);
        }
        transfer::check(&check.transfers, &check.answered).map_err(|(step, source)| {
            let file = step.file.clone();
            CaseDefect::Transfer { file, source }
        })?;
        Ok(Proved {
            statements,
            deliveries: check.deliveries.into_values().collect(),
            keys: check.used.into_iter().collect(),
        })
    }
}

/// The keys that the checker holds. One log may have had two: a new card may bring a new key.
#[derive(Clone, Copy, Debug)]
struct Keys<'a>(&'a [VerifierKey]);

impl<'a> Keys<'a> {
    fn of(self, origin: &str) -> impl Iterator<Item = &'a VerifierKey> {
        self.0.iter().filter(move |key| key.name() == origin)
    }

    fn of_code(self, code: Jurisdiction) -> impl Iterator<Item = &'a VerifierKey> {
        let is_theirs = move |key: &&VerifierKey| owner_of(key.name()) == Some(code);
        self.0.iter().filter(is_theirs)
    }
}

/// The first of several keys with which a check succeeds, or the error with the last one.
fn first_that<'a, T, E>(
    keys: impl Iterator<Item = &'a VerifierKey>,
    holds: impl Fn(&'a VerifierKey) -> Result<T, E>,
) -> Option<Result<(&'a VerifierKey, T), E>> {
    let mut failed = None;
    for key in keys {
        match holds(key) {
            Ok(found) => return Some(Ok((key, found))),
            Err(error) => failed = Some(Err(error)),
        }
    }
    failed
}

/// A check under way.
struct Check<'a> {
    case: &'a CaseFile,
    keys: Keys<'a>,
    used: BTreeSet<String>,
    /// By the place of the answer.
    deliveries: BTreeMap<Place, Delivery>,
    shown: SeenTrees,
    transfers: Vec<transfer::Step>,
    answered: transfer::Answered,
}

impl Check<'_> {
    fn statement(&mut self, origin: &str, proof: &TlogProof) -> Result<Statement, CaseDefect> {
        let file = file_name(origin, proof.index);
        let verified = first_that(self.keys.of(origin), |key| proof.verify(key, &proof.extra));
        let (key, head) = match verified {
            Some(Ok(verified)) => verified,
            Some(Err(source)) => return Err(CaseDefect::Unproved { file, source }),
            None => {
                let origin = origin.to_owned();
                return Err(CaseDefect::NoKey { file, origin });
            }
        };
        self.used.insert(key.to_string());
        self.shown.tree(&file, head.checkpoint())?;
        self.shown.entry(&file, origin, proof.index, &proof.extra)?;
        let hash = leaf_hash(&proof.extra);
        let (entry, payload) = match Entry::decode(&proof.extra) {
            Ok(entry) => {
                self.link(&file, key, proof.index, &entry)?;
                let place = (proof.index, hash);
                let step = transfer::Step::of(&file, place, head.checkpoint(), &entry);
                self.transfers.extend(step);
                let subject = Subject::of(&entry.kind);
                let row = ReplayRow::of_entry(proof.index, &hash, &entry, &subject);
                (row, PayloadDigests::of(&entry.kind))
            }
            // It is in the log all the same, for a newer program to read.
            Err(defect) => (ReplayRow::of_unread(proof.index, &hash, &defect), None),
        };
        Ok(Statement {
            cosigned: self.cosigned(&file, &head)?,
            file,
            file_sha256: hex::encode(seal::sha256(proof.to_string().as_bytes())),
            log: origin.to_owned(),
            tree_size: head.size(),
            root: head.root().to_string(),
            payload,
            entry,
        })
    }

    /// The cosigners under a checkpoint whose keys are held.
    fn cosigned(
        &mut self,
        file: &str,
        head: &SignedCheckpoint,
    ) -> Result<Vec<Cosigned>, CaseDefect> {
        let mut found = Vec::new();
        let own = owner_of(head.origin());
        for key in self.keys.0 {
            // A log cannot witness itself, whatever epoch its key has.
            let Some(code) = owner_of(key.name()).filter(|code| Some(*code) != own) else {
                continue;
            };
            let cosignature = head
                .cosignature_of(&code.trust_domain(), key)
                .map_err(|source| CaseDefect::Cosignature {
                    file: file.to_owned(),
                    source,
                })?;
            if let Some(cosignature) = cosignature {
                self.used.insert(key.to_string());
                found.push(Cosigned {
                    by: code.trust_domain(),
                    at: Timestamp::from_millis(cosignature.at_seconds.saturating_mul(1000)),
                });
            }
        }
        // Neither the order of the keys nor a repeated one changes the page.
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// Takes what the entry keeps of another log.
    fn link(
        &mut self,
        file: &str,
        own: &VerifierKey,
        index: u64,
        entry: &Entry,
    ) -> Result<(), CaseDefect> {
        let place = Place::new(own.name(), index);
        let case = self.case;
        let beside = |index| {
            let proof = case.proofs.get(&(own.name().to_owned(), index));
            proof.map(|proof| proof.extra.as_slice())
        };
        let linked = link::check(self.keys, own, &place, entry, beside).map_err(|source| {
            let file = file.to_owned();
            if let LinkDefect::NoKey { origin } = source {
                return CaseDefect::NoKey { file, origin };
            }
            CaseDefect::Link { file, source }
        })?;
        let Some(linked) = linked else {
            return Ok(());
        };
        for tree in &linked.trees {
            self.shown.tree(file, tree)?;
        }
        for (origin, index, leaf) in &linked.kept {
            self.shown.entry(file, origin, *index, leaf)?;
            self.answered.take(origin, leaf, &linked.trees);
        }
        self.used.extend(linked.keys);
        let delivery = linked.delivery;
        let known = self.deliveries.entry(delivery.answered.clone());
        // The receipt states more than the entry that it is about.
        let known = known.or_insert_with(|| delivery.clone());
        if known.logged.is_none() {
            *known = delivery;
        }
        Ok(())
    }
}

/// The log that a proof claims to be of.
fn claimed_origin(proof: &TlogProof) -> &str {
    proof.note.lines().next().unwrap_or_default()
}

/// `520624-1-12.tlog-proof`: jurisdiction, epoch, index.
fn file_name(origin: &str, index: u64) -> String {
    let short: String = origin
        .replace(".yichuan/log/", "-")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(64)
        .collect();
    format!("{short}-{index}.{PROOF}")
}

/// The file extension of a proof, as the specification has it.
const PROOF: &str = "tlog-proof";
