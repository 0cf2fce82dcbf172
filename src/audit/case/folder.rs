//! A case file as a directory: the proofs, the keys that they rest on, and pages that say in words what is proved.
//!
//! Nothing in it is taken at its word. The keys must be those that the checker holds, and the pages are written again from
//! what was proved and compared: a page that says something else is found out.

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

/// The file that names the keys, one a line.
const KEYS: &str = "keys";

/// The pages.
const PAGES: [(&str, Lang); 2] = [("page.zh.txt", Lang::Zh), ("page.en.txt", Lang::En)];

/// The longest page or list of keys that is read: some two kilobytes a proof, and as much again.
const MAX_PAGE_BYTES: usize = MAX_PROOFS * 4096;

/// Why a directory is no case file that proves what it says. Files are named as in the directory.
#[derive(Debug, thiserror::Error)]
pub enum FolderDefect {
    /// The file system failed.
    #[error(transparent)]
    Read(#[from] ExportDefect),
    /// A file that belongs to every case file is not there.
    #[error("{file} is missing, or no plain file")]
    Missing {
        /// The file.
        file: String,
    },
    /// Something else lies there.
    #[error("{file} is no part of a case file: remove it or find out who put it there")]
    Extra {
        /// The file.
        file: String,
    },
    /// A proof's file holds none.
    #[error("{file} is no proof")]
    Malformed {
        /// The file.
        file: String,
        /// Why not.
        source: MalformedTlogProof,
    },
    /// There is no entry in a proof.
    #[error("{file} has no line `extra` with the entry that it proves")]
    NoEntry {
        /// The file.
        file: String,
    },
    /// A proof under another entry's name.
    #[error("{file} is the proof of another entry and should be named {expected}")]
    Misnamed {
        /// The file.
        file: String,
        /// Its name by what it says.
        expected: String,
    },
    /// The proofs do not hold.
    #[error(transparent)]
    Case(#[from] CaseDefect),
    /// The keys named are not those that the proofs were checked with.
    #[error(
        "{KEYS} names other keys than those that the proofs rest on: compare the keys that you have with the \
         jurisdictions themselves"
    )]
    Keys,
    /// A page says something else than is proved.
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
/// The directory holds something, or cannot be written.
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

/// Verifies a case file in a directory, with these keys and nothing else, and that every file in it says what is proved.
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

/// Reads one proof, wherever it lies and whatever its name is.
///
/// # Errors
/// There is none, or it carries no entry.
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

/// What lies in the directory, sorted; nothing that a case file does not have.
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
