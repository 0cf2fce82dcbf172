//! A log that is shown in two versions within one case file.

use super::{
    gather, keys, of_record, proof_at,
    two_logs::{HandLog, PROVINCE, partners},
};
use std::{fs, path::Path};
use yichuan::{
    audit::{CaseDefect, CaseFile, FolderDefect, check_folder, write_folder},
    note::TlogProof,
};

/// The recipient's own entry under a tree of the size of that which its receipt keeps, with another beginning.
#[test]
fn regression_two_trees_of_one_size_are_refused_wherever_they_stand() {
    let (mut county, mut province) = partners();
    let sent = county.send(PROVINCE, 1);
    let received = province.receive(&county, sent);
    county.log_answer(&province, sent, received);
    let dir = tempfile::tempdir().unwrap();
    let (case, stated) = gather(&county, of_record(1)).unwrap();
    write_folder(dir.path(), &case, &case.verify(&stated).unwrap()).unwrap();

    let mut other = HandLog::empty(PROVINCE);
    other.append_leaf(b"another beginning".to_vec());
    for leaf in &province.leaves[1..] {
        other.append_leaf(leaf.clone());
    }
    keep(dir.path(), &other, received);
    let found = check_folder(dir.path(), &keys()).unwrap_err();
    assert!(
        matches!(&found, FolderDefect::Case(CaseDefect::TwoTrees { origin, size: 5, .. })
            if *origin == province.signer.origin()),
        "{found:?}"
    );
}

/// Writes the proof of an entry in a log's newest tree into a case file.
fn keep(dir: &Path, log: &HandLog, index: u64) -> TlogProof {
    let proof = proof_at(log, index, log.size());
    let file = dir.join(format!("{}-1-{index}.tlog-proof", log.of));
    fs::write(file, proof.to_string()).unwrap();
    proof
}

/// Two receptions, each of another dispatch at one place of a log.
#[test]
fn regression_two_entries_at_one_place_are_refused_though_neither_is_proved_itself() {
    let (mut county, mut province) = partners();
    let (mut fork, _) = partners();
    let sent = county.send(PROVINCE, 1);
    fork.send(PROVINCE, 2);
    // Of two sizes, so that the trees themselves do not tell.
    county.send(PROVINCE, 3);
    let dir = tempfile::tempdir().unwrap();
    let received = [&county, &fork].map(|log| province.receive(log, sent));
    for index in received {
        let alone = CaseFile::of(keep(dir.path(), &province, index));
        assert!(alone.verify(&keys()).is_ok());
    }
    let found = check_folder(dir.path(), &keys()).unwrap_err();
    assert!(
        matches!(&found, FolderDefect::Case(CaseDefect::Contradiction { origin, index, .. })
            if *origin == county.signer.origin() && *index == sent),
        "{found:?}"
    );
}
