//! Exports, signatures and proofs are what independent implementations of the same specifications say they are.

use crate::common::oracle;
use oracle::check_export;
use signed_note::{StandardVerifier, Verifier};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use yichuan::{
    audit::{LogVerifier, TileWriter, verify_export},
    merkle::leaf_hash,
    note::{Checkpoint, LogSigner},
};

const ORIGIN: &str = "520624.yichuan/log/1";

fn signer() -> LogSigner {
    LogSigner::from_seed(ORIGIN, &[7; 32]).unwrap()
}

fn vkey() -> String {
    signer().verifier_key().to_string()
}

fn export(size: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = TileWriter::create(dir.path()).unwrap();
    let mut log = LogVerifier::new();
    for index in 0..size {
        // From nothing to a few hundred bytes.
        let leaf = vec![index.to_le_bytes()[0]; usize::try_from(index % 257).unwrap()];
        log.push(&leaf).unwrap();
        writer.push(&leaf).unwrap();
    }
    writer.finish(&signer().sign(size, log.root())).unwrap();
    dir
}

#[test]
fn small_exports_are_what_the_oracles_say() {
    for size in [0, 1, 2, 255, 256, 257, 1000] {
        check_export(export(size).path(), &vkey(), size);
    }
}

#[test]
fn an_export_of_three_levels_is_what_the_oracles_say() {
    check_export(export(70_000).path(), &vkey(), 70_000);
}

#[test]
fn the_oracles_refuse_what_is_not_the_log() {
    let other = LogSigner::from_seed(ORIGIN, &[8; 32])
        .unwrap()
        .verifier_key()
        .to_string();
    let flip = |file: &'static str| {
        move |dir: &Path| {
            let path = dir.join(file);
            let mut bytes = fs::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(path, bytes).unwrap();
        }
    };
    let refused = |change: &dyn Fn(&Path), vkey: &str, size, why| {
        let dir = export(257);
        change(dir.path());
        let verdict = std::panic::catch_unwind(|| check_export(dir.path(), vkey, size));
        let panic = verdict.expect_err(why);
        let said = panic.downcast_ref::<String>().unwrap();
        assert!(said.contains(why), "{said}");
    };
    refused(&|_| {}, &other, 257, "signed with the key");
    refused(&|_| {}, &vkey(), 256, "entries in the checkpoint");
    let remove = |dir: &Path| fs::remove_file(dir.join("tile/1/000.p/1")).unwrap();
    refused(&remove, &vkey(), 257, "tile/1/000.p/1");
    refused(&flip("tile/0/000"), &vkey(), 257, "authentic hashes");
    refused(&flip("tile/0/001.p/1"), &vkey(), 257, "authentic hashes");
    refused(&flip("tile/1/000.p/1"), &vkey(), 257, "authentic hashes");
    refused(
        &flip("tile/entries/000"),
        &vkey(),
        257,
        "tile/entries/000 does not hash",
    );
}

#[test]
fn a_flipped_bit_in_any_file_of_an_export_is_found() {
    let dir = export(66_000);
    let key = signer().verifier_key();
    let files = [
        "checkpoint",
        "tile/0/000",
        "tile/0/257.p/208",
        "tile/1/000",
        "tile/1/001.p/1",
        "tile/2/000.p/1",
        "tile/entries/000",
        "tile/entries/257.p/208",
    ];
    for file in files {
        let path: PathBuf = dir.path().join(file);
        let intact = fs::read(&path).unwrap();
        let last = intact.len() - 1;
        for at in [0, last / 2, last] {
            let mut bytes = intact.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&path, bytes).unwrap();
            let defect = verify_export(dir.path(), &key, |_, _| {}).unwrap_err();
            assert!(
                defect.to_string().contains(file),
                "{file}, byte {at}: {defect}"
            );
        }
        fs::write(&path, intact).unwrap();
    }
    verify_export(dir.path(), &key, |_, _| {}).unwrap();
}

#[test]
fn no_single_bit_of_a_small_export_can_change() {
    let dir = export(3);
    let key = signer().verifier_key();
    for file in ["checkpoint", "tile/0/000.p/3", "tile/entries/000.p/3"] {
        let path = dir.path().join(file);
        let intact = fs::read(&path).unwrap();
        for bit in 0..intact.len() * 8 {
            let mut bytes = intact.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, bytes).unwrap();
            assert!(
                verify_export(dir.path(), &key, |_, _| {}).is_err(),
                "{file}, bit {bit}"
            );
        }
        fs::write(&path, intact).unwrap();
    }
}

#[test]
fn a_cosignature_is_what_another_implementation_verifies() {
    let witness = LogSigner::from_seed("530102.yichuan/log/1", &[9; 32]).unwrap();
    let signed = signer().sign(7, leaf_hash(b"root"));
    let cosignature = witness.cosign(signed.checkpoint(), 1_700_000_000);
    // C2SP tlog-cosignature, written out.
    let message = format!(
        "cosignature/v1\ntime 1700000000\n{}",
        signed.note().split("\n\n").next().unwrap()
    );
    let message = format!("{message}\n");
    let verifier = StandardVerifier::new(&witness.verifier_key().to_string()).unwrap();
    assert!(verifier.verify(message.as_bytes(), &cosignature.signature));
    assert!(!verifier.verify(signed.note().as_bytes(), &cosignature.signature));

    let line = cosignature
        .line("530102.yichuan", &witness.verifier_key())
        .unwrap();
    let theirs = signed_note::Signature::from_bytes(line.trim_end().as_bytes()).unwrap();
    let typed_key = [&[0x04], &witness.verifier_key().public_key()[..]].concat();
    assert_eq!(theirs.name(), "530102.yichuan");
    assert_eq!(
        theirs.id(),
        signed_note::key_id("530102.yichuan", &typed_key)
    );
    let payload = [&1_700_000_000_u64.to_be_bytes()[..], &cosignature.signature].concat();
    assert_eq!(theirs.signature(), payload);
}

#[test]
fn a_checkpoint_signed_by_another_implementation_verifies() {
    let seed = [5; 32];
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: 7,
        root: leaf_hash(b"root"),
    };
    let ours = LogSigner::from_seed(ORIGIN, &seed).unwrap();
    // Go's format of a private key: the vkey's id, and the seed in place of the public key.
    let text = ours.verifier_key().to_string();
    let id = text.split('+').nth(1).unwrap();
    let secret = [&[0x01], &seed[..]].concat();
    let skey = format!("PRIVATE+KEY+{ORIGIN}+{id}+{}", base64(&secret));
    let theirs = signed_note::StandardSigner::new(&skey).unwrap();
    let mut note = signed_note::Note::new(checkpoint.body().as_bytes(), &[]).unwrap();
    note.add_sigs(&[&theirs]).unwrap();
    let verified = ours.verifier_key().verify(&note.to_bytes()).unwrap();
    assert_eq!(verified, ours.sign(checkpoint.size, checkpoint.root));
}

fn base64(bytes: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(bytes)
}
