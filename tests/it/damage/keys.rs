//! The key file fails, or is an older copy.

use super::{
    full_disk::fetch,
    leads,
    processes::{Home, Logs},
    stopped::{GUANGDONG, Stopped, push, stop},
};
use std::fs;
use yichuan::{
    access::Purpose,
    rpc::pb,
    seal::Keyring,
    store::{KeyFile, tables},
};

/// A month's keys are made by its first lead.
#[tokio::test(flavor = "multi_thread")]
async fn i2_a_key_file_that_cannot_be_written_closes_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::make(dir.path(), "520624");
    let away = Home::make(dir.path(), GUANGDONG);
    let process = home.serve(Logs::INFO);
    home.introduce(&away).await;
    // Where the new file is written first; no file can be put in the place of a directory.
    fs::create_dir(home.config.data.join("bucket.new")).unwrap();
    let request = pb::PushRecordsRequest {
        grounds: home.grounds(Purpose::Screening),
        row: 1,
        content: Some(leads::lead(1, "440305").into()),
    };
    let pushed = home
        .records()
        .push_records(tokio_stream::iter([request]))
        .await;
    let refused = match pushed {
        Ok(answered) => answered.into_inner().message().await.map(drop),
        Err(status) => Err(status),
    }
    .unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused}");
    let ready = fetch(home.admin, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    assert!(
        ready.contains("key file") && ready.contains("yichuan doctor"),
        "{ready}"
    );
    let metrics = fetch(home.admin, "/metrics");
    assert!(metrics.contains("yichuan_log_closed 1"), "{metrics}");
    stop(process);
    let again = home.spawn(Logs::INFO).ended();
    assert!(!again.status.success(), "{}", again.text());
}

/// With an older copy the newest leads would read as erased, and their month would get other keys: the right copy could
/// then never be put back.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_key_file_does_not_make_payloads_read_as_erased() {
    let stopped = Stopped::new().await;
    let copy = stopped.copy();
    let (path, right) = (copy.data().join("bucket.keys"), copy.beside("right"));
    fs::rename(&path, &right).unwrap();
    KeyFile::at(&path)
        .save(&Keyring::generate().unwrap())
        .unwrap();
    let home = copy.home(&stopped.home);
    let refused = home.spawn(Logs::INFO).ended();
    assert!(!refused.status.success());
    assert!(
        refused.text().contains("newest copy of bucket.keys"),
        "{}",
        refused.text()
    );
    let rebuilt = copy.run(&["audit", "replay", "--rebuild", "--write"]);
    assert!(!rebuilt.status.success(), "{rebuilt:?}");

    let checked = copy.doctor(&[]);
    assert_eq!(
        checked.unsound(),
        [
            ("bucket_keys", "lost"),
            ("payloads", "not_examined"),
            ("views", "not_examined")
        ]
    );
    let into = copy.beside("repaired");
    assert_eq!(
        copy.doctor(&["--repair-into", into.to_str().unwrap()]).code,
        65
    );
    assert!(!into.exists());

    fs::rename(&right, &path).unwrap();
    let process = home.serve(Logs::INFO);
    let verdicts = push(&home, vec![leads::lead(0, "440305")]).await;
    assert_eq!(
        verdicts[0].verdict(),
        pb::Verdict::Duplicate,
        "the lead is still known by its number"
    );
    stop(process);
}

/// A lead whose payload key was lost with a page of the store was taken for purged, and passed over without a word.
#[tokio::test(flavor = "multi_thread")]
async fn regression_a_waiting_lead_whose_key_is_missing_is_not_passed_over_in_silence() {
    let stopped = Stopped::new().await;
    let copy = stopped.copy();
    let (first, end) = tables::PAYLOAD_KEY.range();
    let newest = copy.rows().into_iter().map(|(key, _)| key);
    let newest = newest.filter(|key| (first.as_slice()..end.as_slice()).contains(&key.as_slice()));
    // By index within the month; what went to Zhejiang was written last.
    copy.tamper(&[(newest.max().unwrap(), None)]);
    let home = copy.home(&stopped.home);
    let processes = [&home, &stopped.away].map(|home| home.serve(Logs::INFO));
    stopped.away.introduce(&home).await;
    tokio::task::block_in_place(|| processes[0].wait_for("its payload key is missing"));
    let metrics = fetch(home.admin, "/metrics");
    let counted = r#"yichuan_outbox_keys_missing_total{partner="330000"} "#;
    assert!(metrics.contains(counted), "{metrics}");
    processes.into_iter().for_each(stop);
}
