//! One bit turned, anywhere: it is found and named, or nothing that was acknowledged is other than before.
//!
//! Files of a few kilobytes are tried bit by bit, and so is an export (`oracles`). Of sled's files each bit is a start of the store, so CI
//! draws some hundreds from a seed that is printed (`YICHUAN_SEED` repeats it, `YICHUAN_FLIPS` says how many), and
//! `YICHUAN_FLIPS=all` tries every byte that is in use, each with another bit.

use super::{
    leads,
    processes::{DEADLINE, Home, Logs},
    stopped::{Copy, Stopped, copy_directory, push, rows, stop},
};
use std::{
    collections::BTreeMap,
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};
use yichuan::{
    log::{Log, LogOptions},
    node::data_dir::DataDir,
    note::VerifierKey,
    store::{KeyFile, Row, SledStore},
    telemetry::SystemClock,
};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

/// Turns every bit of a file, one at a time, and puts it back.
fn each_bit(path: &Path, mut check: impl FnMut(usize)) -> usize {
    let sound = fs::read(path).unwrap();
    let mut bytes = sound.clone();
    for bit in 0..sound.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(path, &bytes).unwrap();
        check(bit);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    fs::write(path, &sound).unwrap();
    sound.len() * 8
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bit_of_a_file_beside_the_store_turns_unnoticed() {
    let stopped = Stopped::new().await;
    let copy = stopped.copy();
    let files = DataDir::at(&copy.data());
    let key = &stopped.home.vkey;

    let mut harmless = 0;
    let bits = each_bit(&files.bucket_keys(), |bit| {
        assert!(KeyFile::at(files.bucket_keys()).load().is_err(), "{bit}");
    });
    let bits = bits
        + each_bit(&files.log_key(), |bit| match files.signer() {
            Err(_) => {}
            // Another way of writing the same key.
            Ok(signer) => {
                assert_eq!(signer.verifier_key(), *key, "{bit}");
                harmless += 1;
            }
        });
    let bits = bits
        + each_bit(&files.vkey(), |bit| {
            let text = fs::read_to_string(files.vkey()).unwrap_or_default();
            match text.trim().parse::<VerifierKey>() {
                Err(_) => {}
                Ok(read) => {
                    assert_eq!(read, *key, "{bit}");
                    harmless += 1;
                }
            }
        });
    let bits = bits
        + each_bit(&files.checkpoint(), |bit| {
            let kept = yichuan::log::kept_checkpoint(&files.checkpoint(), key);
            assert!(kept.is_err(), "bit {bit}");
        });
    println!(
        "{bits} bits of files beside the store: {harmless} change nothing, all others are found"
    );
    assert!(harmless < 32, "{harmless}");
}

/// How a start on a damaged store ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// All is as before.
    Harmless,
    /// The store or the log does not open, and says what to do.
    RefusedToOpen,
    /// It opens, and the scrub finds it.
    Scrubbed,
    /// It opens and the scrub passes; a row beside the log is other than before.
    OnlyDoctor,
}

/// Opens the store in `data` as a node does.
async fn start(data: &Path, sound: &[Row]) -> (End, String) {
    let files = DataDir::at(data);
    let store = match SledStore::open(data) {
        Ok(store) => Arc::new(store),
        Err(error) => {
            let said = error.to_string();
            assert!(said.contains("yichuan doctor"), "{said}");
            return (End::RefusedToOpen, said);
        }
    };
    let options = LogOptions::new(
        files.signer().unwrap(),
        Arc::new(SystemClock),
        files.checkpoint(),
    );
    let log = match Log::open(Arc::clone(&store) as Arc<_>, options) {
        Ok(log) => log,
        Err(error) => return (End::RefusedToOpen, error.to_string()),
    };
    let scrubbed = log.scrub(std::time::Duration::ZERO).await;
    log.close().await;
    if let Err(error) = scrubbed {
        return (End::Scrubbed, error.to_string());
    }
    let now = catch_unwind(AssertUnwindSafe(|| rows(store.as_ref())));
    match now {
        Ok(now) if now == sound => (End::Harmless, String::new()),
        Ok(_) | Err(_) => (End::OnlyDoctor, "other rows".to_owned()),
    }
}

/// Bytes in use: sled fills the rest of a segment with zeros or leaves it.
fn live(bytes: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|at| bytes[*at] != 0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turned_bit_in_the_store_is_found_or_harmless() {
    let stopped = Stopped::new().await;
    let base = stopped.copy();
    let sound = base.rows();
    let flips = env::var("YICHUAN_FLIPS").unwrap_or_else(|_| "24".to_owned());
    turn_bits(&base, &sound, &flips).await;
}

/// More than a start reads: sled looks at what is older than its snapshot only when it is asked for, and what was written
/// since it reads as a log with damage in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn a_turned_bit_in_a_store_of_many_segments_is_found_or_harmless() {
    let stopped = Stopped::new().await;
    let flips = env::var("YICHUAN_FLIPS").unwrap_or_else(|_| "6".to_owned());
    for is_killed in [true, false] {
        let mut process = stopped.home.serve(Logs::INFO);
        let (from, to) = if is_killed { (100, 700) } else { (700, 1300) };
        for first in (from..to).step_by(20) {
            let leads = (first..first + 20).map(|n| leads::lead(n, "330106"));
            push(&stopped.home, leads.collect()).await;
        }
        if is_killed {
            // Until then a store that lost its tail is behind what partners saw, and not behind its own file.
            checkpoint_file_is_current(&stopped.home).await;
            process.kill();
            drop(process);
        } else {
            stop(process);
        }
        let base = stopped.copy();
        let segments = fs::metadata(base.data().join("sled/db")).unwrap().len() / (512 * 1024);
        println!("{segments} segments, killed: {is_killed}");
        assert!(segments >= 4, "{segments}");
        turn_bits(&base, &stopped.copy().rows(), &flips).await;
    }
}

async fn checkpoint_file_is_current(home: &Home) {
    let size = home.checkpoint().await.size();
    let file = DataDir::at(&home.config.data).checkpoint();
    let asking = async {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(5));
        let kept = || yichuan::log::kept_checkpoint(&file, &home.vkey);
        while kept().unwrap().map(|kept| kept.size()) != Some(size) {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(DEADLINE, asking).await.unwrap();
}

/// Turns bits of sled's files, each in a copy of its own.
async fn turn_bits(base: &Copy, sound: &[Row], flips: &str) {
    let seed = env::var("YICHUAN_SEED").map_or(7, |seed| seed.parse().unwrap());
    println!("seed {seed}");
    let mut random = Random(seed);
    let mut moments = Vec::new();
    for item in fs::read_dir(base.data().join("sled")).unwrap() {
        let path = item.unwrap().path();
        if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            moments.extend(live(&bytes).into_iter().map(|at| (name.clone(), at)));
        }
    }
    let chosen: Vec<_> = if flips == "all" {
        moments
    } else {
        let count: usize = flips.parse().unwrap();
        (0..count)
            .map(|_| moments[random.below(moments.len())].clone())
            .collect()
    };
    let mut ends: BTreeMap<(String, End, &str), usize> = BTreeMap::new();
    let chosen_count = chosen.len();
    for (file, at) in chosen {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        copy_directory(&base.data(), &data);
        let path = data.join("sled").join(&file);
        let mut bytes = fs::read(&path).unwrap();
        let bit = random.below(8);
        bytes[at] ^= 1 << bit;
        fs::write(&path, bytes).unwrap();
        // A start lets sled cut off what it cannot read; the doctor looks at what was there before.
        let patient = base.again_with(&data);
        let (end, said) = start(&data, sound).await;
        let kind = file.split('.').next().unwrap().to_owned();
        let mut doctor = "not asked";
        if end != End::Harmless {
            let checked = patient.doctor(&[]);
            let what = format!("{file} byte {at} bit {bit}: {said}");
            let mended = checked.code == 0 && end == End::RefusedToOpen;
            assert!(checked.code == 65 || mended, "{what}: {checked:?}");
            let lost = checked.unsound().iter().any(|(_, state)| *state == "lost");
            doctor = if lost { "lost" } else { "repairable" };
            println!("{what}: {:?}", checked.unsound());
        }
        *ends.entry((kind, end, doctor)).or_default() += 1;
    }
    println!("{chosen_count} bits of sled's files: {ends:?}");
}
