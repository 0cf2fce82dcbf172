//! `doctor`: what is damaged is named, what can be repaired is, and what cannot is said plainly.

use super::{
    leads,
    processes::Logs,
    stopped::{COUNTY, Copy, Stopped, push, stop},
};
use std::{fs, path::Path};
use yichuan::{
    domain::Timestamp,
    entry::Entry,
    store::{Store, keys},
};

fn flipped(mut row: Vec<u8>) -> Option<Vec<u8>> {
    *row.last_mut().unwrap() ^= 1;
    Some(row)
}

fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Puts the repaired directory in the place of the damaged one.
fn swap(copy: &Copy, repaired: &Path) {
    fs::rename(copy.data(), copy.beside("damaged")).unwrap();
    fs::rename(repaired, copy.data()).unwrap();
}

/// A repaired node starts with the same log, delivers what waited, and takes leads.
async fn goes_on(stopped: &Stopped, copy: &Copy) {
    let home = copy.home(&stopped.home);
    let partner = stopped.partner.serve(Logs::INFO);
    let process = home.serve(Logs::INFO);
    let export = tempfile::tempdir().unwrap();
    let leaves = home.export(&export.path().join("again")).await;
    assert_eq!(leaves[..stopped.leaves.len()], stopped.leaves);
    let verdicts = push(&home, vec![leads::lead(99, "440305")]).await;
    assert_eq!(verdicts[0].verdict(), yichuan::rpc::pb::Verdict::Accept);
    // The partner, who remembers the log as it was, receipts.
    process.wait_for("the node is up");
    let waiting = async {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(20));
        // Three wait for a partner that is away.
        while home.outbox().await.unwrap() > 3 {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(super::processes::DEADLINE, waiting)
        .await
        .unwrap();
    stop(process);
    stop(partner);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_directory_is_sound_and_stays_as_it_is() {
    let stopped = Stopped::new().await;
    let copy = stopped.copy();
    let before = copy.bytes();
    let checked = copy.doctor(&[]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert_eq!(checked.report["sound"], true);
    assert_eq!(checked.report["entries"], stopped.leaves.len());
    assert_eq!(checked.report["parts"].as_array().unwrap().len(), 11);
    assert!(copy.bytes() == before, "a sound directory was changed");

    // A repair of what is sound is a copy, row by row.
    let into = copy.beside("repaired");
    let repaired = copy.doctor(&["--repair-into", arg(&into)]);
    assert_eq!(repaired.code, 0, "{repaired:?}");
    assert!(copy.bytes() == before, "a sound directory was changed");
    let sound = without_frames(copy.rows());
    swap(&copy, &into);
    assert!(without_frames(copy.rows()) == sound);
    goes_on(&stopped, &copy).await;
    let again = copy.doctor(&["--repair-into", arg(&copy.data())]);
    assert_eq!(again.code, 77, "{again:?}");
}

/// A start opened the store first and looked for word of a failure then: sled had cut off what it could not read before
/// `doctor` saw it.
#[tokio::test(flavor = "multi_thread")]
async fn regression_a_directory_that_failed_stays_as_it_is_until_doctor_comes() {
    let copy = Stopped::new().await.copy();
    fs::write(copy.data().join("checkpoint.failed"), "an error\n").unwrap();
    let before = copy.bytes();
    for command in [&["serve"][..], &["audit", "replay", "--rebuild"]] {
        let ran = copy.run(command);
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(!ran.status.success(), "{said}");
        let refused = said.contains("a storage error closed this log before");
        assert!(refused, "{command:?}: {said}");
        assert!(copy.bytes() == before, "{command:?} changed something");
    }
    let checked = copy.doctor(&[]);
    assert_eq!((checked.code, checked.state("store")), (65, "damaged"));
}

/// A node does not start with a blob and asks for `doctor`, which did not open a copy with one either.
#[tokio::test(flavor = "multi_thread")]
async fn regression_a_store_with_an_unsynced_blob_is_repaired() {
    let stopped = Stopped::new().await;
    let copy = stopped.copy();
    // Named by its place in sled's log: one that sled does not clear away.
    fs::write(copy.data().join("sled/blobs/0"), "unsynced").unwrap();
    let served = copy.run(&["serve"]);
    let said = String::from_utf8_lossy(&served.stderr).into_owned();
    assert!(said.contains("never synced"), "{said}");
    let into = copy.beside("repaired");
    let repaired = copy.doctor(&["--repair-into", arg(&into)]);
    assert_eq!(repaired.unsound(), [("store", "damaged")], "{repaired:?}");
    assert_eq!(repaired.code, 0, "{repaired:?}");
    swap(&copy, &into);
    goes_on(&stopped, &copy).await;
}

/// Frames hold the leaves of a commit; a copy has larger commits. The leaves are compared elsewhere.
fn without_frames(rows: Vec<yichuan::store::Row>) -> Vec<yichuan::store::Row> {
    let mut rows = rows;
    rows.retain(|(key, _)| key[0] != keys::FRAME);
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_node_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let home = super::processes::Home::make(dir.path(), COUNTY);
    let process = home.serve(Logs::INFO);
    let mut command = home.command(Logs::INFO);
    let refused = command.args(["--lang", "en", "doctor"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(69), "{refused:?}");
    stop(process);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_entry_comes_back_from_an_export_or_a_copy_and_from_nowhere_else() {
    let stopped = Stopped::new().await;
    let sound = stopped.copy();
    let copy = stopped.copy();
    let frame = copy.open().get(&keys::frame(0)).unwrap().unwrap();
    copy.tamper(&[(keys::frame(0).to_vec(), flipped(frame))]);

    // It does not start, and says what to type.
    let served = copy.run(&["serve"]);
    let said = String::from_utf8_lossy(&served.stderr).into_owned();
    assert_eq!(served.status.code(), Some(70), "{said}");
    assert!(said.contains("is not what was signed"), "{said}");
    assert!(said.contains("node.toml doctor"), "{said}");

    let before = copy.bytes();
    let checked = copy.doctor(&[]);
    assert_eq!(checked.code, 65);
    assert!(copy.bytes() == before, "a damaged directory was changed");
    assert_eq!(checked.state("log"), "lost");
    assert_eq!(checked.report["lost"], serde_json::json!([[0, 1]]));
    let command = checked.report["commands"][0].as_str().unwrap();
    assert!(command.contains("doctor --repair-into"), "{command}");
    assert!(checked.stderr.contains("must not go on"), "{checked:?}");

    let into = copy.beside("repaired");
    let refused = copy.doctor(&["--repair-into", arg(&into)]);
    assert_eq!(refused.code, 65);
    assert!(!into.exists(), "a log with a hole was made");
    // Another log's export is none of this log's.
    let others = tempfile::tempdir().unwrap();
    let partner = stopped.partner.serve(Logs::INFO);
    stopped.partner.export(&others.path().join("export")).await;
    stop(partner);
    let foreign = others.path().join("export");
    let refused = copy.doctor(&["--repair-into", arg(&into), "--from", arg(&foreign)]);
    assert_eq!(refused.code, 65, "{refused:?}");
    assert!(!into.exists());

    let replica = sound.data();
    for from in [&stopped.export, &replica] {
        let repaired = copy.doctor(&["--repair-into", arg(&into), "--from", arg(from)]);
        assert_eq!(repaired.code, 0, "{repaired:?}");
        assert_eq!(repaired.report["lost"], serde_json::json!([]));
        if from == &stopped.export {
            fs::remove_dir_all(&into).unwrap();
        }
    }
    swap(&copy, &into);
    assert!(without_frames(copy.rows()) == without_frames(sound.rows()));
    goes_on(&stopped, &copy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_beside_the_entries_is_checked_and_put_right() {
    let stopped = Stopped::new().await;
    let sound = stopped.copy().rows();
    let of = |prefix: u8| sound.iter().filter(move |(key, _)| key[0] == prefix);
    let first = |prefix: u8| of(prefix).next().unwrap().clone();
    // What is lost or changed, where it is found, and whether a copy has it back without help.
    let made_up = (vec![0x12; 23], Some(vec![1; 56]));
    let cases = [
        (0x03, "log", "damaged", true),
        (0x10, "payloads", "lost", false),
        (0x11, "payloads", "lost", false),
        (0x12, "dispatches", "damaged", true),
        (0x14, "outbox", "damaged", true),
        (0x15, "witness", "damaged", true),
        (0x40, "views", "damaged", true),
    ];
    for (prefix, part, state, mended) in cases {
        for lose in [true, false] {
            let (key, value) = first(prefix);
            let copy = stopped.copy();
            let damaged = if lose { None } else { flipped(value) };
            copy.tamper(&[(key, damaged)]);
            let checked = copy.doctor(&[]);
            assert_eq!(checked.code, 65, "{prefix:#x} {checked:?}");
            assert_eq!(checked.state(part), state, "{prefix:#x} {checked:?}");

            let into = copy.beside("repaired");
            let repaired = copy.doctor(&["--repair-into", arg(&into)]);
            // What no copy can have back is said.
            assert_eq!(
                repaired.code,
                i32::from(!mended),
                "{prefix:#x} {repaired:?}"
            );
            swap(&copy, &into);
            let rows = copy.rows();
            let restored = without_frames(rows) == without_frames(sound.clone());
            assert_eq!(restored, mended, "{prefix:#x} {part} lost: {lose}");
        }
    }
    let copy = stopped.copy();
    copy.tamper(&[made_up]);
    assert_eq!(copy.doctor(&[]).state("dispatches"), "damaged");

    // A copy of the directory has the payload that the store lost.
    let (copy, replica) = (stopped.copy(), stopped.copy());
    copy.tamper(&[(first(0x10).0, None), (first(0x11).0, None)]);
    let into = copy.beside("repaired");
    let data = replica.data();
    let repaired = copy.doctor(&["--repair-into", arg(&into), "--from", arg(&data)]);
    swap(&copy, &into);
    assert!(
        without_frames(copy.rows()) == without_frames(sound),
        "{repaired:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_beside_the_store_is_checked_too() {
    let stopped = Stopped::new().await;
    type Damage = fn(&Copy);
    let cases: [(Damage, &str, &str); 6] = [
        (
            |copy| fs::remove_file(copy.data().join("bucket.keys")).unwrap(),
            "bucket_keys",
            "lost",
        ),
        (
            |copy| fs::write(copy.data().join("log.key"), "nonsense").unwrap(),
            "log_key",
            "lost",
        ),
        (
            |copy| fs::remove_file(copy.data().join("vkey")).unwrap(),
            "log_key",
            "damaged",
        ),
        (
            |copy| fs::write(copy.data().join("checkpoint"), "nonsense").unwrap(),
            "checkpoint",
            "damaged",
        ),
        (
            |copy| fs::write(copy.data().join("sled/conf"), "segment_size: 1\nnonsense").unwrap(),
            "store",
            "damaged",
        ),
        (
            |copy| fs::write(copy.data().join("checkpoint.failed"), "full").unwrap(),
            "store",
            "damaged",
        ),
    ];
    for (damage, part, state) in cases {
        let copy = stopped.copy();
        damage(&copy);
        let checked = copy.doctor(&[]);
        assert_eq!(checked.code, 65, "{part} {checked:?}");
        assert_eq!(checked.state(part), state, "{checked:?}");
        let into = copy.beside("repaired");
        let repaired = copy.doctor(&["--repair-into", arg(&into)]);
        assert_eq!(repaired.code == 0, state == "damaged", "{repaired:?}");
        assert_eq!(into.exists(), state == "damaged");
        if state == "damaged" {
            swap(&copy, &into);
            assert_eq!(copy.doctor(&[]).code, 0);
        }
    }
}

/// A store behind its published checkpoint was rolled back: what is missing is named, and nothing goes on from it.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_rolled_back_is_not_repaired() {
    let stopped = Stopped::new().await;
    let copy = stopped.copy();
    let partner = stopped.partner.serve(Logs::INFO);
    let process = stopped.home.serve(Logs::INFO);
    push(&stopped.home, vec![leads::lead(77, "330106")]).await;
    stop(process);
    stop(partner);
    fs::copy(
        stopped.home.config.data.join("checkpoint"),
        copy.data().join("checkpoint"),
    )
    .unwrap();
    let checked = copy.doctor(&[]);
    assert_eq!(checked.code, 65);
    let lost = checked.report["lost"][0].as_array().unwrap();
    assert_eq!(lost[0], stopped.leaves.len(), "{checked:?}");
    // No export has what a newer store signed: none is asked for.
    assert_eq!(checked.report["commands"], serde_json::json!([]));
    assert!(
        checked.stderr.contains("bring back the newer store"),
        "{checked:?}"
    );
    let into = copy.beside("repaired");
    assert_eq!(copy.doctor(&["--repair-into", arg(&into)]).code, 65);
    assert!(!into.exists());
}

/// The head took the time of the damaged entry with it, and what was called repaired did not start.
#[tokio::test(flavor = "multi_thread")]
async fn regression_the_newest_entry_mended_is_a_directory_that_starts() {
    let stopped = Stopped::new().await;
    let copy = stopped.copy();
    let newest = stopped.leaves.last().unwrap();
    let mut entry = Entry::decode(newest).unwrap();
    entry.time = Timestamp::from_millis(entry.time.millis() + 1000);
    let changed = entry.encode();
    assert_eq!(changed.len(), newest.len());
    let frames = copy.rows();
    let (key, frame) = frames
        .iter()
        .rfind(|(key, _)| keys::frame_index(key).is_some())
        .unwrap();
    let at = frame
        .windows(newest.len())
        .position(|bytes| bytes == newest);
    let at = at.unwrap();
    let mut frame = frame.clone();
    frame[at..at + newest.len()].copy_from_slice(&changed);
    copy.tamper(&[(key.clone(), Some(frame))]);
    assert_eq!(copy.doctor(&[]).unsound()[0], ("log", "lost"));
    let into = copy.beside("repaired");
    let from = ["--repair-into", arg(&into), "--from", arg(&stopped.export)];
    let repaired = copy.doctor(&from);
    assert_eq!(repaired.code, 0, "{repaired:?}");
    assert_eq!(
        repaired.report["parts"][4]["what"]
            .as_str()
            .unwrap()
            .matches("head")
            .count(),
        0
    );
    swap(&copy, &into);
    goes_on(&stopped, &copy).await;
}

/// Pages of rows that follow from the log ended the examination, and every repair, though nothing of them is needed.
#[tokio::test(flavor = "multi_thread")]
async fn regression_pages_that_cannot_be_read_are_made_anew() {
    let stopped = Stopped::new().await;
    for family in [0x12_u8, 0x14, 0x40, 0x42] {
        let copy = stopped.copy();
        {
            let store = sled::open(copy.data().join("sled")).unwrap();
            let (key, _) = store.scan_prefix([family]).next().unwrap().unwrap();
            store.insert(key, b"no page").unwrap();
            store.flush().unwrap();
        }
        let checked = copy.doctor(&[]);
        assert_eq!(checked.code, 65, "{family:#x} {checked:?}");
        let commands = checked.report["commands"].as_array().unwrap();
        let command = commands[0].as_str().unwrap();
        assert!(
            command.contains("doctor --repair-into"),
            "{family:#x} {command}"
        );
        let into = copy.beside("repaired");
        let repaired = copy.doctor(&["--repair-into", arg(&into)]);
        assert_eq!(repaired.code, 0, "{family:#x} {repaired:?}");
        swap(&copy, &into);
        assert_eq!(copy.doctor(&[]).code, 0, "{family:#x}");
        if family == 0x42 {
            goes_on(&stopped, &copy).await;
        }
    }
}
