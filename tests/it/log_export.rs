//! Exports of a real log, on sled, verify with independent programs: `tlog_tiles`, `signed_note`, `sigstore-merkle`.

use crate::common::oracle;
use std::{sync::Arc, time::Duration};
use yichuan::{
    audit::{TileWriter, verify_export},
    domain::{Clock, Timestamp},
    log::{Log, LogOptions, Proposal, TxnError},
    note::LogSigner,
    store::SledStore,
};

#[derive(Debug)]
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_772_640_000_000)
    }
}

#[tokio::test]
async fn exports_of_a_real_log_verify_at_every_border_of_a_tile() {
    let dir = tempfile::tempdir().unwrap();
    let signer = LogSigner::from_seed("520624.yichuan/log/1", &[7; 32]).unwrap();
    let key = signer.verifier_key();
    let store = Arc::new(SledStore::open(&dir.path().join("data")).unwrap());
    let options = LogOptions::new(signer, Arc::new(Fixed), dir.path().join("checkpoint"));
    let log = Log::open(store, options).unwrap();

    for size in [0_u64, 1, 255, 256, 257, 1_000, 70_000] {
        while log.checkpoint().size() < size {
            let add = (size - log.checkpoint().size()).min(2_000);
            let proposal = Proposal::new(move |txn| -> Result<(), TxnError> {
                for _ in 0..add {
                    // Short ones and, now and then, one that spans several rows.
                    let length = if txn.size() % 997 == 5 { 20_000 } else { 40 };
                    let mut leaf = txn.size().to_be_bytes().to_vec();
                    leaf.resize(length, b'.');
                    txn.append(leaf)?;
                }
                Ok(())
            });
            log.propose(proposal).await.unwrap();
        }
        let export = dir.path().join(format!("export-{size}"));
        let mut writer = TileWriter::create(&export).unwrap();
        let reader = log.reader();
        let mut next = 0;
        while next < size {
            for (index, leaf) in reader.entries(next, 5_000, 1 << 20).unwrap() {
                assert_eq!(index, next);
                writer.push(&leaf).unwrap();
                next += 1;
            }
        }
        writer.finish(&log.checkpoint()).unwrap();
        assert_eq!(
            verify_export(&export, &key, |_, _| {}).unwrap().size(),
            size
        );
        oracle::check_export(&export, &key.to_string(), size);
    }
    tokio::time::timeout(Duration::from_secs(30), log.close())
        .await
        .unwrap();
}
