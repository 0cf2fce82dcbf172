//! A case file as a directory: the proofs, the keys that they rest on, and pages that state in words what is proved.
//!
//! Nothing in it is believed. The keys must be those that the checker holds, and the pages are written again from what
//! was proved and compared: a page that states anything else is detected.

use super::{CaseDefect, CaseFile, MAX_PROOFS, PROOF, Proved, claimed_origin, file_name, page};
use crate::{
    audit::{
        export::{ExportError, create_empty, sync, write_file},
        tiles::{ExportDefect, read_file},
    },
    domain::Lang,
    note::{MAX_TLOG_PROOF_BYTES, MalformedTlogProof, TlogProof, VerifierKey},
};
use std::{collections::BTreeSet, fs, path::Path};

/// The file with the keys, one on each line.
const KEYS: &str = "keys";

/// The pages.
const PAGES: [(&str, Lang); 2] = [("page.zh.txt", Lang::Zh), ("page.en.txt", Lang::En)];

/// The longest page or list of keys that is read: some two kilobytes for each proof, and as much again.
const MAX_PAGE_BYTES: usize = MAX_PROOFS * 4096;

/// Why a directory is not a case file that proves what it states. Files are named as in the directory.
#[derive(Debug, thiserror::Error)]
pub enum FolderDefect {
    /// The file system failed.
    #[error(transparent)]
    Read(#[from] ExportDefect),
    /// A file that belongs to every case file is missing.
    #[error("{file} is missing, or not a regular file")]
    Missing {
        /// The file.
        file: String,
    },
    /// There is another file.
    #[error("{file} is not part of a case file: remove it or find out who put it there")]
    Extra {
        /// The file.
        file: String,
    },
    /// A proof's file is malformed.
    #[error("{file} is not a proof")]
    Malformed {
        /// The file.
        file: String,
        /// Why.
        source: MalformedTlogProof,
    },
    /// A proof has no entry.
    #[error("{file} has no line `extra` with the entry that it proves")]
    NoEntry {
        /// The file.
        file: String,
    },
    /// A proof has another entry's file name.
    #[error("{file} is the proof of another entry and should be named {expected}")]
    Misnamed {
        /// The file.
        file: String,
        /// The name that matches its content.
        expected: String,
    },
    /// The proofs do not hold.
    #[error(transparent)]
    Case(#[from] CaseDefect),
    /// The keys named are not those with which the proofs were checked.
    #[error(
        "{KEYS} names other keys than those that the proofs rest on: compare the keys that you have with the \
         jurisdictions themselves"
    )]
    Keys,
    /// A page states something else than is proved.
    #[error(
        "{file} is not what this program writes of what is proved here: do not rely on it, but on what this check prints"
    )]
    Page {
        /// The page.
        file: String,
    },
}

/// Writes a case file into a new directory.
///
/// # Errors
/// The directory is not empty, or cannot be written.
pub fn write_folder(dir: &Path, case: &CaseFile, proved: &Proved) -> Result<(), ExportError> {
    create_empty(dir)?;
    for (name, proof) in case.files() {
        write_file(&dir.join(name), proof.to_string().as_bytes())?;
    }
    write_file(&dir.join(KEYS), keys_text(proved).as_bytes())?;
    for (name, lang) in PAGES {
        write_file(&dir.join(name), page::render(proved, lang).as_bytes())?;
    }
    sync(dir)
}

/// Verifies a case file in a directory, with these keys and nothing else, and that every file in it states what is
/// proved.
///
/// # Errors
/// The first defect found.
pub fn check_folder(dir: &Path, keys: &[VerifierKey]) -> Result<Proved, FolderDefect> {
    let mut case = CaseFile::default();
    for file in names(dir)? {
        if !file.ends_with(&format!(".{PROOF}")) {
            continue;
        }
        let proof = proof(&dir.join(&file), &file)?;
        let expected = file_name(claimed_origin(&proof), proof.index);
        if file != expected {
            return Err(FolderDefect::Misnamed { file, expected });
        }
        case.add(proof);
    }
    let proved = case.verify(keys)?;
    if read(dir, KEYS)? != keys_text(&proved).as_bytes() {
        return Err(FolderDefect::Keys);
    }
    for (name, lang) in PAGES {
        if read(dir, name)? != page::render(&proved, lang).as_bytes() {
            let file = name.to_owned();
            return Err(FolderDefect::Page { file });
        }
    }
    Ok(proved)
}

/// Reads one proof, wherever it is and whatever its name.
///
/// # Errors
/// It is missing, or has no entry.
pub fn read_proof(path: &Path) -> Result<CaseFile, FolderDefect> {
    let name = path.file_name().unwrap_or(path.as_os_str());
    proof(path, &name.to_string_lossy()).map(CaseFile::of)
}

fn proof(path: &Path, name: &str) -> Result<TlogProof, FolderDefect> {
    let missing = || FolderDefect::Missing {
        file: name.to_owned(),
    };
    let text = read_file(path, MAX_TLOG_PROOF_BYTES)?.ok_or_else(missing)?;
    let proof = TlogProof::parse(&text).map_err(|source| FolderDefect::Malformed {
        file: name.to_owned(),
        source,
    })?;
    if proof.extra.is_empty() {
        let file = name.to_owned();
        return Err(FolderDefect::NoEntry { file });
    }
    Ok(proof)
}

/// The files in the directory, sorted. Fails on anything that a case file does not have.
fn names(dir: &Path) -> Result<BTreeSet<String>, FolderDefect> {
    let failed = |source| {
        FolderDefect::Read(ExportDefect::Io {
            file: dir.to_owned(),
            source,
        })
    };
    let mut names = BTreeSet::new();
    for item in fs::read_dir(dir).map_err(failed)? {
        let name = item.map_err(failed)?.file_name();
        let file = name.to_string_lossy().into_owned();
        let known = file == KEYS || PAGES.iter().any(|(page, _)| file == *page);
        if !known && !file.ends_with(&format!(".{PROOF}")) {
            return Err(FolderDefect::Extra { file });
        }
        names.insert(file);
        if names.len() > MAX_PROOFS + PAGES.len() + 1 {
            return Err(CaseDefect::TooMany.into());
        }
    }
    Ok(names)
}

fn read(dir: &Path, name: &str) -> Result<Vec<u8>, FolderDefect> {
    read_file(&dir.join(name), MAX_PAGE_BYTES)?.ok_or_else(|| FolderDefect::Missing {
        file: name.to_owned(),
    })
}

fn keys_text(proved: &Proved) -> String {
    proved.keys.iter().map(|key| format!("{key}\n")).collect()
}
