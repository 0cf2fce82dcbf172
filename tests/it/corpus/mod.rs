//! What fuzzing kept is read again by the same functions, without a fuzzer: a crash that was found once stays found, on
//! every machine. `fuzz/README.md` says how inputs get here.

mod seeds;
#[path = "../../../fuzz/targets/mod.rs"]
mod targets;

use crate::common::two_logs;
use std::{
    collections::BTreeSet,
    fs, panic,
    path::{Path, PathBuf},
};
use targets::TARGETS;
use yichuan::domain::ResidentNumber;

/// Found by the fuzzer and minimised; and what once broke a promise, for good.
const KEPT: [&str; 2] = ["corpus", "regressions"];
/// All of them together stay in the repository.
const MOST_BYTES: usize = 1 << 20;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn inputs(kept: &str, target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(items) = fs::read_dir(fuzz().join(kept).join(target)) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = items.map(|item| item.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn every_kept_input_still_holds() {
    let mut broken = Vec::new();
    for target in TARGETS {
        for (path, bytes) in KEPT.iter().flat_map(|kept| inputs(kept, target.name)) {
            if panic::catch_unwind(|| (target.run)(&bytes)).is_err() {
                broken.push(path);
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let named: BTreeSet<_> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    for target in &named {
        assert!(
            !inputs("corpus", target).is_empty(),
            "{target} has no corpus"
        );
    }
    for kept in KEPT {
        for item in fs::read_dir(fuzz().join(kept)).into_iter().flatten() {
            let name = item.unwrap().file_name().into_string().unwrap();
            assert!(named.contains(&name), "{kept}/{name} is of no target");
        }
    }
}

/// The fuzzer makes numbers of its own; one that might be somebody's is not kept.
#[test]
fn what_is_kept_is_little_and_about_nobody() {
    let mut total = 0;
    for target in TARGETS {
        for (path, bytes) in KEPT.iter().flat_map(|kept| inputs(kept, target.name)) {
            total += bytes.len();
            for window in bytes.windows(18) {
                let number = std::str::from_utf8(window).ok();
                let number = number.and_then(|text| ResidentNumber::parse(text).ok());
                let born = number.map(|number| number.born().year());
                assert!(born.is_none_or(|year| year < 1910), "{}", path.display());
            }
        }
    }
    assert!(total <= MOST_BYTES, "{total} bytes");
}
