//! A log of a million entries is verified and examined in memory that does not grow with it.
//!
//! CI tries small logs, one four times the other, and compares. The million:
//! `cargo test --release --test it million:: -- --ignored --nocapture`, of `YICHUAN_ENTRIES` entries where that is set.
#![allow(
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a test that panics has failed; the speed is what is measured"
)]

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Instant,
};
use yichuan::{
    access::{Grounds, Principal, Role},
    audit::TileWriter,
    casework::LAYOUT,
    cli::demo::cluster::write_node,
    config::Config,
    domain::{EntryId, Jurisdiction, RecordId, Timestamp},
    entry::{Cause, Consultation, Entry, Kind},
    exchange::Vault,
    log::{Log, LogOptions, Proposal, TxnError},
    node::{data_dir, data_dir::DataDir},
    store::{KeyFile, SledStore, tables},
    telemetry::SystemClock,
};

/// A node whose log has so many entries, with its export.
struct Grown {
    dir: tempfile::TempDir,
    config: Config,
}

fn entry(index: u64, config: &Config, files: &DataDir, time: Timestamp) -> Vec<u8> {
    let own: Jurisdiction = config.jurisdiction;
    let (cause, kind) = if index == 0 {
        let key = files.signer().unwrap().verifier_key();
        let cause = Cause {
            principal: Principal::node(own),
            grounds: None,
        };
        let kind = Kind::LogStarted {
            origin: key.name().to_owned(),
            verifier_key: key.to_string(),
            jurisdiction: own,
        };
        (cause, kind)
    } else {
        let cause = Cause {
            principal: Principal::person(own, Role::Officer, "001").unwrap(),
            grounds: Some(Grounds::parse("screening", "campaign:520624-2026-01").unwrap()),
        };
        let mut record = [7; 16];
        record[..8].copy_from_slice(&index.to_be_bytes());
        let kind = Kind::Consulted {
            how: Consultation::Open,
            records: vec![RecordId::from(record)],
            overridden: false,
        };
        (cause, kind)
    };
    let id = EntryId::new(time);
    Entry {
        time,
        id,
        cause,
        kind,
    }
    .encode()
}

impl Grown {
    async fn to(size: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let code: Jurisdiction = "520624".parse().unwrap();
        let config = write_node(&dir.path().join("node"), code, "127.0.0.1:1").unwrap();
        data_dir::create(&config.data, code).unwrap();
        let files = DataDir::at(&config.data);
        drop(Vault::open(KeyFile::at(files.bucket_keys()), true).unwrap());
        let store = Arc::new(SledStore::open(&config.data).unwrap());
        let options = LogOptions::new(
            files.signer().unwrap(),
            Arc::new(SystemClock),
            files.checkpoint(),
        );
        let log = Log::open(store, options).unwrap();
        let shared = Arc::new((config.clone(), files));
        let mut next = 0;
        while next < size {
            let end = size.min(next + 2_000);
            let of = Arc::clone(&shared);
            let appended = Proposal::<(), TxnError>::new(move |txn| {
                let now = txn.now();
                (next..end).try_for_each(|index| {
                    let leaf = entry(index, &of.0, &of.1, now);
                    txn.append(leaf).map(drop)
                })?;
                txn.put(tables::LAYOUT, vec![LAYOUT])
            });
            log.propose(appended).await.unwrap();
            next = end;
        }
        let mut tiles = TileWriter::create(&dir.path().join("export")).unwrap();
        while tiles.size() < size {
            let from = tiles.size();
            for (_, leaf) in log.reader().entries(from, 4_096, usize::MAX).unwrap() {
                tiles.push(&leaf).unwrap();
            }
        }
        tiles.finish(&log.checkpoint()).unwrap();
        log.close().await;
        Self { dir, config }
    }

    fn verify(&self) -> Measured {
        let export = self.dir.path().join("export");
        self.run(&["audit", "verify", "--export", export.to_str().unwrap()])
    }

    fn doctor(&self) -> Measured {
        let scratch = self.dir.path().to_str().unwrap();
        self.run(&["doctor", "--scratch", scratch])
    }

    /// Runs the program and watches its memory.
    fn run(&self, args: &[&str]) -> Measured {
        let began = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_yichuan"))
            .env_clear()
            .env("YICHUAN_CONFIG", &self.config.path)
            .args(["--lang", "en", "--format", "json"])
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let status = format!("/proc/{}/status", child.id());
        let mut peak_kib = 0;
        // Its high-water mark only rises: the last one that was read is it.
        while child.try_wait().unwrap().is_none() {
            peak_kib = high_water(Path::new(&status)).unwrap_or(peak_kib);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let seconds = began.elapsed().as_secs_f64();
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{args:?}: {said}");
        assert_eq!(said, "", "a bar is for terminals");
        Measured { seconds, peak_kib }
    }
}

fn high_water(status: &Path) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[derive(Debug)]
struct Measured {
    seconds: f64,
    peak_kib: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_four_times_as_much_takes_no_more_memory() {
    let (small, large) = (Grown::to(15_000).await, Grown::to(60_000).await);
    let (few, many) = (small.verify(), large.verify());
    println!("audit verify: 15,000 {few:?}, 60,000 {many:?}");
    assert!(
        many.peak_kib < few.peak_kib + few.peak_kib / 4,
        "{few:?} {many:?}"
    );
    let (few, many) = (small.doctor(), large.doctor());
    println!("doctor: 15,000 {few:?}, 60,000 {many:?}");
    // Up to its cache sled keeps what it reads: the bound is that, not the log.
    assert!(many.peak_kib < few.peak_kib + 32 * 1024, "{few:?} {many:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute and a gigabyte of disk; see the top of this file"]
async fn a_million_entries() {
    let size = env::var("YICHUAN_ENTRIES").map_or(1_000_000, |size| size.parse().unwrap());
    let began = Instant::now();
    let grown = Grown::to(size).await;
    println!(
        "{size} entries were made in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    for (what, measured) in [("audit verify", grown.verify()), ("doctor", grown.doctor())] {
        let Measured { seconds, peak_kib } = measured;
        println!(
            "{what}: {seconds:.1} s, {:.0} entries/s, peak RSS {} MiB",
            size as f64 / seconds,
            peak_kib / 1024
        );
        assert!(peak_kib < 512 * 1024, "{what}: {peak_kib} KiB");
    }
}
