//! `audit replay --rebuild`: what a node shows of its log is a function of the log (I8), and where it is not, that is
//! found and mended.

use crate::common::{leads, processes};
use processes::{Home, Logs, Process, Signal};
use serde_json::Value;
use std::{fs, path::Path, process::Output};
use yichuan::{
    access::Purpose,
    rpc::pb,
    store::{Batch, Order, Row, SledStore, Store, keys, tables},
};

const COUNTY: &str = "520624";
const GUANGDONG: &str = "440000";

async fn push(home: &Home, leads: Vec<pb::Lead>) {
    let grounds = home.grounds(Purpose::Screening);
    let requests = (1..)
        .zip(leads)
        .map(move |(row, lead)| pb::PushRecordsRequest {
            grounds: grounds.clone(),
            row,
            content: Some(lead.into()),
        });
    let requests = tokio_stream::iter(requests.collect::<Vec<_>>());
    let mut verdicts = home
        .records()
        .push_records(requests)
        .await
        .unwrap()
        .into_inner();
    while let Some(verdict) = verdicts.message().await.unwrap() {
        assert_ne!(verdict.verdict(), pb::Verdict::Reject);
    }
}

async fn open_referral(home: &Home) {
    let request = pb::OpenReferralRequest {
        grounds: home.grounds(Purpose::Case),
        kind: pb::RecordKind::Assistance.into(),
        to: "440300".into(),
        referral: Some(pb::Referral {
            title: "协查".into(),
            matter: "核实居住情况和资金往来".into(),
            subject_name: "钱癸子".into(),
            subject_number: "522225190010142478".into(),
            place_code: "440304".into(),
            substance: "海洛因".into(),
            ..Default::default()
        }),
        urgency: pb::Urgency::Urgent.into(),
        handling: pb::Handling::H0.into(),
    };
    let channel = home.channel("officer-001");
    let mut client = pb::records_client::RecordsClient::new(channel);
    client.open_referral(request).await.unwrap();
}

fn stop(process: Process) {
    process.signal(Signal::Term);
    assert!(process.ended().status.success());
}

fn rebuild(home: &Home, more: &[&str]) -> Output {
    let mut command = home.command(Logs::INFO);
    command.args(["--lang", "en", "--format", "json", "audit", "replay"]);
    command.arg("--rebuild").args(more).output().unwrap()
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn stored(data: &Path) -> Vec<Row> {
    let store = SledStore::open(data).unwrap();
    let (from, to) = ([keys::FIRST_SERVICE], [keys::LAST_VIEW + 1]);
    store
        .range(&from, &to, Order::Ascending, usize::MAX)
        .unwrap()
}

/// An older program kept other rows, under keys that no view has any more.
#[tokio::test(flavor = "multi_thread")]
async fn views_of_another_layout_are_rebuilt_when_a_node_starts() {
    let dir = tempfile::tempdir().unwrap();
    let county = Home::make(dir.path(), COUNTY);
    let guangdong = Home::make(dir.path(), GUANGDONG);
    let process = county.serve(Logs::INFO);
    county.introduce(&guangdong).await;
    push(&county, (0..3).map(|n| leads::lead(n, "440305")).collect()).await;
    stop(process);
    let sound = stored(&county.config.data);
    {
        let store = SledStore::open(&county.config.data).unwrap();
        let mut older = Batch::new();
        older.delete(tables::LAYOUT.to_vec());
        for (key, _) in sound.iter().filter(|(key, _)| key[0] == 0x40) {
            older.put(key.clone(), b"{}".as_slice());
            older.put([&[0x47], &key[1..]].concat(), b"{}".as_slice());
        }
        for prefix in [0x48_u8, 0x50, 0x51, 0x52] {
            older.put([[prefix; 11].as_slice(), &[0; 8]].concat(), b"x".as_slice());
        }
        let head = store.get(&keys::HEAD).unwrap().unwrap();
        store
            .commit(keys::head_size(&head).unwrap(), &older)
            .unwrap();
    }
    let again = county.serve(Logs::INFO);
    assert_eq!(again.count("the views are rebuilt"), 1);
    stop(again);
    let views = |rows: Vec<Row>| {
        let views = rows
            .into_iter()
            .filter(|(key, _)| key[0] >= keys::FIRST_VIEW);
        views.collect::<Vec<_>>()
    };
    let made = views(stored(&county.config.data));
    assert!(made == views(sound), "not as the log has it");
    let third = county.serve(Logs::INFO);
    assert_eq!(third.count("the views are rebuilt"), 0, "once is enough");
    stop(third);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_views_are_found_and_made_again_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let homes = [COUNTY, GUANGDONG].map(|code| Home::make(dir.path(), code));
    let [county, guangdong] = &homes;
    let processes = homes.each_ref().map(|home| home.serve(Logs::INFO));
    county.introduce(guangdong).await;
    guangdong.introduce(county).await;
    push(county, (0..30).map(|n| leads::lead(n, "440305")).collect()).await;
    open_referral(county).await;
    county.drained().await;

    // A node that runs is left alone.
    let refused = rebuild(county, &["--write"]);
    assert_eq!(refused.status.code(), Some(69), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("stop it (TERM)"), "{said}");

    processes.into_iter().for_each(stop);
    for home in &homes {
        let before = stored(&home.config.data);
        let whole = rebuild(home, &["--write"]);
        assert_eq!(whole.status.code(), Some(0), "{whole:?}");
        let counted = report(&whole);
        assert_eq!(
            (&counted["differing"], &counted["written"]),
            (&0.into(), &0.into())
        );
        let rows: u64 = counted["families"]
            .as_array()
            .unwrap()
            .iter()
            .map(|family| family["rows"].as_u64().unwrap())
            .sum();
        let views = before.iter().filter(|(key, _)| key[0] >= keys::FIRST_VIEW);
        assert_eq!(usize::try_from(rows).unwrap(), views.count());
        assert!(rows > 90, "{rows} rows");
        assert!(
            stored(&home.config.data) == before,
            "a sound store was changed"
        );
    }

    // One row is lost, two are changed, one is made up.
    let data = &county.config.data;
    let sound = stored(data);
    let of = |prefix: u8| sound.iter().filter(move |(key, _)| key[0] == prefix);
    let made_up = [&[0x41_u8][..], &[7; 10]].concat();
    let mut damage = Batch::new();
    damage.delete(of(0x40).nth(3).unwrap().0.clone());
    for (key, value) in [of(0x40).nth(4).unwrap(), of(0x49).next().unwrap()] {
        damage.put(key.clone(), [value.as_slice(), b" "].concat());
    }
    damage.put(made_up, b"nobody's".as_slice());
    {
        let store = SledStore::open(data).unwrap();
        let head = store.get(&keys::HEAD).unwrap().unwrap();
        store
            .commit(keys::head_size(&head).unwrap(), &damage)
            .unwrap();
    }
    let damaged = stored(data);

    let found = rebuild(county, &[]);
    assert_eq!(found.status.code(), Some(65), "{found:?}");
    let counted = report(&found);
    assert_eq!(counted["differing"], 4);
    let family = |prefix: &str| {
        let families = counted["families"].as_array().unwrap();
        families
            .iter()
            .find(|f| f["prefix"] == prefix)
            .unwrap()
            .clone()
    };
    for (prefix, name, expected) in [
        ("40", "record", [1, 1, 0]),
        ("41", "record by state", [0, 0, 1]),
        ("42", "record event", [0, 0, 0]),
        ("49", "record change", [0, 1, 0]),
    ] {
        let family = family(prefix);
        assert_eq!(family["name"], name);
        let counts = ["missing", "changed", "surplus"].map(|what| family[what].as_u64().unwrap());
        assert_eq!(counts, expected, "{name}");
    }
    assert!(
        stored(data) == damaged,
        "without --write nothing is changed"
    );

    let mended = rebuild(county, &["--write"]);
    assert_eq!(mended.status.code(), Some(0), "{mended:?}");
    assert_eq!(report(&mended)["written"], 4);
    assert!(stored(data) == sound, "not what it was");
    assert!(!data.join("views.rebuilt").exists());
    stop(county.serve(Logs::INFO));
}

#[tokio::test(flavor = "multi_thread")]
async fn views_are_made_of_nothing_but_what_was_signed() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::make(dir.path(), COUNTY);
    stop(home.serve(Logs::INFO));
    let data = &home.config.data;
    let whole = rebuild(&home, &[]);
    assert_eq!(whole.status.code(), Some(0), "{whole:?}");

    // One bit of an entry is turned.
    let checkpoint = fs::read(data.join("checkpoint")).unwrap();
    {
        let store = SledStore::open(data).unwrap();
        let head = store.get(&keys::HEAD).unwrap().unwrap();
        let mut frame = store.get(&keys::frame(0)).unwrap().unwrap();
        *frame.last_mut().unwrap() ^= 1;
        let mut batch = Batch::new();
        batch.put(keys::frame(0), frame);
        store
            .commit(keys::head_size(&head).unwrap(), &batch)
            .unwrap();
    }
    let views = stored(data);
    let refused = rebuild(&home, &["--write"]);
    assert_eq!(refused.status.code(), Some(65), "{refused:?}");
    assert!(stored(data) == views);
    assert_eq!(fs::read(data.join("checkpoint")).unwrap(), checkpoint);
}

#[test]
fn without_a_node_there_is_nothing_to_rebuild() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::make(dir.path(), COUNTY);
    fs::remove_file(home.config.data.join("log.key")).unwrap();
    let refused = rebuild(&home, &[]);
    assert_eq!(refused.status.code(), Some(78), "{refused:?}");
    let usage = rebuild(&home, &["--kind", "consulted"]);
    assert_eq!(usage.status.code(), Some(64), "{usage:?}");
}
