//! What a running node keeps in its memory, and who may look at it.

use super::processes::Process;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
};

/// How often each of these stands in the memory of a process. Nothing where this user may not read it.
fn in_memory(process: &Process, sought: &[Vec<u8>]) -> Option<Vec<usize>> {
    let of = |file: &str| format!("/proc/{}/{file}", process.id());
    let memory = File::open(of("mem")).ok()?;
    let maps = fs::read_to_string(of("maps")).ok()?;
    let mut found = vec![0; sought.len()];
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        // What cannot be written is a file's, and the kernel's own pages are not read.
        if !rest.starts_with("rw") || rest.ends_with("[vvar]") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let hex = |text| u64::from_str_radix(text, 16).unwrap();
        let mut bytes = vec![0; usize::try_from(hex(to) - hex(from)).unwrap()];
        // It may have been given back meanwhile.
        if memory.read_exact_at(&mut bytes, hex(from)).is_err() {
            continue;
        }
        for (count, sought) in found.iter_mut().zip(sought) {
            *count += memchr::memmem::find_iter(&bytes, sought).count();
        }
    }
    Some(found)
}

/// It stood there nine times, and a crash wrote it into a file.
#[tokio::test(flavor = "multi_thread")]
async fn regression_the_logs_private_key_stands_in_memory_once_and_in_no_dump() {
    let served = super::served().await;
    let mut push = super::Push::begin(&served.home, 0).await;
    push.verdict(yichuan::rpc::pb::Verdict::Accept).await;

    let limits = fs::read_to_string(format!("/proc/{}/limits", served.process.id())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let words: Vec<_> = core.unwrap().split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{core:?}");

    let text = fs::read_to_string(served.home.config.data.join("log.key")).unwrap();
    let written = text.lines().nth(2).unwrap();
    let seed = BASE64.decode(written).unwrap();
    assert_eq!(seed.len(), 32);
    let sought = [
        seed.clone(),
        written.as_bytes().to_vec(),
        hex::encode(&seed).into_bytes(),
        // What is there for certain, so that finding nothing means something.
        served.home.vkey.public_key().to_vec(),
    ];
    match in_memory(&served.process, &sought) {
        Some(found) => {
            assert!(found[3] > 0, "nothing was read");
            assert_eq!(found[..3], [1, 0, 0], "seed, base64, hexadecimal");
        }
        // Not root: then nobody like this user reads it, which is as good.
        None => assert!(File::open(format!("/proc/{}/mem", served.process.id())).is_err()),
    }
}
