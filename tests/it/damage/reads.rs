//! A store one of whose reads fails once while it opens, below sled: it does not open, and nothing in it is changed.

use super::{
    leads,
    processes::Logs,
    stopped::{Copy, Stopped, push, stop},
    syncs::compile,
};
use std::{collections::BTreeMap, fs, path::Path};

/// Opens the store, as somebody who changes nothing, with its nth read failing. Whether that went well, what was said, and
/// how many reads reached the disk.
fn open(copy: &Copy, like: &Stopped, library: &Path, nth: u64) -> (bool, String, u64) {
    let reads = copy.beside("reads");
    let mut command = copy.home(&like.home).command(Logs::INFO);
    command
        .args(["audit", "replay", "--rebuild"])
        .env("LD_PRELOAD", library)
        .env("READS_OF", "/data/sled/db")
        .env("READS_FILE", &reads)
        .env("READS_FAIL", nth.to_string());
    let ran = command.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    let count = fs::metadata(&reads).map_or(0, |file| file.len());
    (ran.status.success(), said, count)
}

/// The store's files.
fn sled(copy: &Copy) -> BTreeMap<String, Vec<u8>> {
    let files = copy.bytes().into_iter();
    files
        .filter(|(path, _)| path.starts_with(copy.data().join("sled")))
        .map(|(path, bytes)| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                bytes,
            )
        })
        .collect()
}

/// sled took a read that failed for the end of its log, and wrote over what followed.
#[tokio::test(flavor = "multi_thread")]
async fn regression_a_read_that_fails_once_while_a_store_opens_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let library = compile("failing_read", dir.path());
    let stopped = Stopped::new().await;
    for is_killed in [true, false] {
        let mut process = stopped.home.serve(Logs::INFO);
        let from = if is_killed { 100 } else { 500 };
        for first in (from..from + 300).step_by(20) {
            let leads = (first..first + 20).map(|n| leads::lead(n, "330106"));
            push(&stopped.home, leads.collect()).await;
        }
        if is_killed {
            process.kill();
            drop(process);
        } else {
            stop(process);
        }
        let before = sled(&stopped.copy());
        let (opened, said, all) = open(&stopped.copy(), &stopped, &library, 0);
        assert!(opened && all > 1, "{all}: {said}");
        for nth in 1..=all {
            let copy = stopped.copy();
            let (opened, said, _) = open(&copy, &stopped, &library, nth);
            let what = format!("read {nth}, killed: {is_killed}: {said}");
            assert!(!opened && said.contains("yichuan doctor"), "{what}");
            assert!(sled(&copy) == before, "the store was changed; {what}");
            assert!(copy.data().join("checkpoint.failed").exists(), "{what}");
        }
        println!("{all} reads of a start, killed: {is_killed}");
    }
}
