//! Proofs for a case file: what they prove to somebody who has nothing but two keys, that nothing in them can be changed,
//! and that other people's code comes to the same verdict.

mod command;
mod forks;
mod hostile;
mod lies;
mod transfers;

use crate::common::{leads, processes, two_logs};
use signed_note::{Note, StandardVerifier, VerifierList};
use std::{collections::BTreeSet, fs, path::Path};
use two_logs::{COUNTY, HandLog, PROVINCE, PlainCards, partners, person, signer};
use yichuan::{
    access::Role,
    audit::{
        CaseDefect, CaseFile, FolderDefect, Proved, Search, SearchError, Wanted, check_folder,
        read_proof, write_folder,
    },
    domain::DispatchId,
    entry::Refusal,
    merkle::{inclusion_proof, leaf_hash},
    note::{TlogProof, VerifierKey},
};

fn keys() -> [VerifierKey; 2] {
    [COUNTY, PROVINCE].map(|of| signer(of, 0).verifier_key())
}

/// What `audit prove` makes of a log.
fn gather(log: &HandLog, wanted: Wanted) -> Result<(CaseFile, Vec<VerifierKey>), SearchError> {
    gather_with(log, wanted, Vec::new())
}

/// The same, of an auditor who holds keys of partners.
fn gather_with(
    log: &HandLog,
    wanted: Wanted,
    held: Vec<VerifierKey>,
) -> Result<(CaseFile, Vec<VerifierKey>), SearchError> {
    let key = log.signer.verifier_key();
    let mut search = Search::new(wanted, key, held, &PlainCards);
    for leaf in &log.leaves {
        search.push(leaf)?;
    }
    let (found, head) = (search.finish()?, log.head());
    let needed = found.needed(&head);
    let proof = |(index, size)| inclusion_proof(&log.tree, index, size).unwrap();
    found.into_case(&head, needed.into_iter().map(proof).collect())
}

/// That an entry is in a log's tree of that size.
fn proof_at(log: &HandLog, index: u64, size: u64) -> TlogProof {
    TlogProof {
        extra: log.leaf(index),
        index,
        hashes: inclusion_proof(&log.tree, index, size).unwrap(),
        note: log.head_at(size).note().to_owned(),
    }
}

fn of_record(number: u8) -> Wanted {
    Wanted::Id([number; 16])
}

/// A lead that was sent, received and receipted, among others.
fn delivered() -> (HandLog, HandLog) {
    let (mut county, mut province) = partners();
    let other = county.send(PROVINCE, 2);
    let sent = county.send(PROVINCE, 1);
    let received = province.receive(&county, sent);
    county.log_answer(&province, sent, received);
    let reader = person(COUNTY, Role::Officer, "001");
    county.consult(reader, vec![two_logs::record(1)]);
    let received = province.receive(&county, other);
    county.log_answer(&province, other, received);
    (county, province)
}

/// A case file of the lead, written down.
fn written(dir: &Path) -> Proved {
    let (county, _) = delivered();
    let (case, keys) = gather(&county, of_record(1)).unwrap();
    let proved = case.verify(&keys).unwrap();
    write_folder(dir, &case, &proved).unwrap();
    proved
}

fn files(dir: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(dir).unwrap();
    names
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_lead_is_proved_from_its_dispatch_to_its_receipt_and_by_both_logs() {
    let dir = tempfile::tempdir().unwrap();
    let made = written(dir.path());
    let proved = check_folder(dir.path(), &keys()).unwrap();
    assert_eq!(proved, made, "what was made is what is checked");
    let told: Vec<_> = proved
        .statements
        .iter()
        .map(|s| (&s.log[..6], s.entry.index, s.entry.kind))
        .collect();
    assert_eq!(
        told,
        [
            (PROVINCE, 4, "dispatch_received"),
            (COUNTY, 5, "dispatch_sent"),
            (COUNTY, 6, "receipt_logged"),
        ],
        "who read the lead is nobody's business outside"
    );
    // The dispatch stands under the very tree that the recipient cosigned.
    let sent = &proved.statements[1];
    assert_eq!(sent.tree_size, 6);
    assert_eq!(sent.cosigned[0].by, "440000.yichuan");
    let [delivery] = proved.deliveries.as_slice() else {
        panic!("{:?}", proved.deliveries)
    };
    assert_eq!((&*delivery.from, &*delivery.to), (COUNTY, PROVINCE));
    assert_eq!((delivery.sent.index, delivery.answered.index), (5, 4));
    assert_eq!(delivery.logged.as_ref().unwrap().index, 6);
    assert_eq!(delivery.refusal, None);
    assert_eq!(proved.keys.len(), 2);
}

#[test]
fn the_recipient_proves_the_same_from_its_own_log() {
    let (_, province) = delivered();
    let (case, stated) = gather(&province, of_record(1)).unwrap();
    assert_eq!(case.verify(&stated), case.verify(&keys()));
    let proved = case.verify(&keys()).unwrap();
    let kinds: Vec<_> = proved.statements.iter().map(|s| s.entry.kind).collect();
    assert_eq!(kinds, ["dispatch_received", "dispatch_sent"]);
    let delivery = &proved.deliveries[0];
    assert_eq!((delivery.sent.index, delivery.answered.index), (5, 4));
    assert_eq!(delivery.logged, None, "the recipient has no receipt");
}

#[test]
fn one_dispatch_or_one_entry_can_be_proved_alone() {
    let (county, _) = delivered();
    let (case, _) = gather(&county, Wanted::Entry(0)).unwrap();
    let proved = case.verify(&keys()[..1]).unwrap();
    assert_eq!(proved.statements[0].entry.kind, "log_started");
    assert_eq!(proved.keys, [keys()[0].to_string()]);
    let id = DispatchId::from([1; 16]);
    let (case, _) = gather(&county, Wanted::Id(*id.as_bytes())).unwrap();
    assert_eq!(case.verify(&keys()).unwrap().statements.len(), 3);
    assert_eq!(
        gather(&county, of_record(9)).map(|_| ()),
        Err(SearchError::Nothing)
    );
    assert_eq!(
        gather(&county, Wanted::Entry(county.size())).map(|_| ()),
        Err(SearchError::Nothing)
    );
}

#[test]
fn a_refusal_is_proved_with_its_reason() {
    let (mut county, mut province) = partners();
    let sent = county.send(PROVINCE, 1);
    let refused = province.refuse(&county, sent, Refusal::NotAllowed);
    county.log_answer(&province, sent, refused);
    let (case, _) = gather(&county, of_record(1)).unwrap();
    let proved = case.verify(&keys()).unwrap();
    assert_eq!(proved.deliveries[0].refusal, Some("not_allowed"));
}

#[test]
fn a_cosignature_on_a_later_tree_is_no_word_on_the_dispatch() {
    let (mut county, mut province) = partners();
    let sent = county.send(PROVINCE, 1);
    let received = province.receive(&county, sent);
    // Delivered again: the old entry, and a cosignature on what the log is now.
    county.send(PROVINCE, 2);
    county.log_answer(&province, sent, received);
    let (case, _) = gather(&county, of_record(1)).unwrap();
    let proved = case.verify(&keys()).unwrap();
    assert_eq!(proved.deliveries[0].cosigned_size, None);
    assert!(proved.statements.iter().all(|s| s.cosigned.is_empty()));
}

#[test]
fn every_key_must_come_from_the_checker() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let [county, province] = keys();
    for key in [&county, &province] {
        let found = check_folder(dir.path(), std::slice::from_ref(key)).unwrap_err();
        assert!(
            matches!(found, FolderDefect::Case(CaseDefect::NoKey { .. })),
            "{found}"
        );
    }
    let false_key = signer(PROVINCE, 1).verifier_key();
    let found = check_folder(dir.path(), &[county.clone(), false_key.clone()]).unwrap_err();
    assert!(
        matches!(found, FolderDefect::Case(CaseDefect::Unproved { .. })),
        "{found}"
    );
    // A key that the log had before, or one given twice, does no harm beside the right one.
    let keys = [false_key, province.clone(), county, province];
    assert!(check_folder(dir.path(), &keys).is_ok());
}

#[test]
fn a_key_that_the_auditor_holds_goes_before_the_logs_card() {
    let (county, _) = delivered();
    let [_, province] = keys();
    let made = gather_with(&county, of_record(1), vec![province]);
    assert_eq!(made, gather(&county, of_record(1)));
    let other = signer(PROVINCE, 1).verifier_key();
    let origin = other.name().to_owned();
    let refused = gather_with(&county, of_record(1), vec![other]);
    assert_eq!(refused, Err(SearchError::NoKey { origin }));
}

#[test]
fn no_byte_of_any_file_can_be_changed() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let mut files_changed = 0;
    for name in files(dir.path()) {
        let path = dir.path().join(&name);
        let intact = fs::read(&path).unwrap();
        // Each byte of a proof with a bit of its own; pages are compared as a whole, and some of their bytes will do.
        let step = if name.ends_with(".tlog-proof") { 1 } else { 7 };
        for at in (0..intact.len()).step_by(step) {
            let mut changed = intact.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&path, &changed).unwrap();
            assert!(
                check_folder(dir.path(), &keys()).is_err(),
                "byte {at} of {name}"
            );
        }
        fs::write(&path, intact).unwrap();
        files_changed += 1;
    }
    assert_eq!(files_changed, 6);
    assert!(check_folder(dir.path(), &keys()).is_ok());
}

#[test]
fn no_line_can_be_taken_out_doubled_or_swapped() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    for name in files(dir.path()) {
        let path = dir.path().join(&name);
        let intact = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = intact.split_inclusive('\n').collect();
        for at in 0..lines.len() {
            let mut taken = lines.clone();
            taken.remove(at);
            let mut doubled = lines.clone();
            doubled.insert(at, lines[at]);
            let mut swapped = lines.clone();
            swapped.swap(at, (at + 1) % lines.len());
            for changed in [taken, doubled, swapped] {
                if changed == lines {
                    continue;
                }
                fs::write(&path, changed.concat()).unwrap();
                assert!(
                    check_folder(dir.path(), &keys()).is_err(),
                    "line {at} of {name}"
                );
            }
        }
        fs::write(&path, intact).unwrap();
    }
}

#[test]
fn files_are_missed_and_others_are_not_let_in() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    for name in files(dir.path()) {
        let path = dir.path().join(&name);
        let intact = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(check_folder(dir.path(), &keys()).is_err(), "{name}");
        fs::write(&path, &intact).unwrap();
        let elsewhere = dir.path().join(format!("0{name}"));
        fs::rename(&path, &elsewhere).unwrap();
        assert!(check_folder(dir.path(), &keys()).is_err(), "0{name}");
        fs::rename(elsewhere, path).unwrap();
    }
    fs::write(dir.path().join("note.txt"), "believe me").unwrap();
    let found = check_folder(dir.path(), &keys()).unwrap_err();
    assert!(
        matches!(&found, FolderDefect::Extra { file } if file == "note.txt"),
        "{found}"
    );
}

/// Other people's code reads the notes and computes the roots.
#[test]
fn other_programs_believe_the_same_proofs() {
    let dir = tempfile::tempdir().unwrap();
    let proved = written(dir.path());
    for statement in &proved.statements {
        let path = dir.path().join(&statement.file);
        assert!(read_proof(&path).unwrap().verify(&keys()).is_ok());
        let proof = TlogProof::parse(&fs::read(path).unwrap()).unwrap();
        let vkey = proved
            .keys
            .iter()
            .find(|key| key.starts_with(&statement.log));
        let verifier = StandardVerifier::new(vkey.unwrap()).unwrap();
        let note = Note::from_bytes(proof.note.as_bytes()).unwrap();
        let known = VerifierList::new(vec![Box::new(verifier)]);
        let (verified, others) = note.verify(&known).unwrap();
        assert_eq!(verified.len(), 1);
        assert_eq!(others.len(), statement.cosigned.len());
        let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
        let (size, root) = (checkpoint.size(), checkpoint.hash());
        let leaf = leaf_hash(&proof.extra);
        sigstore_merkle::verify_inclusion_proof(
            &(*leaf.as_bytes()).into(),
            proof.index,
            size,
            &proof
                .hashes
                .iter()
                .map(|hash| (*hash.as_bytes()).into())
                .collect::<Vec<_>>(),
            &root.0.into(),
        )
        .unwrap();
        let theirs = proof.hashes.iter().map(|h| tlog_tiles::Hash(*h.as_bytes()));
        tlog_tiles::check_record(
            &theirs.collect(),
            size,
            *root,
            proof.index,
            tlog_tiles::Hash(*leaf.as_bytes()),
        )
        .unwrap();
    }
}

/// Case files outlive programs. Where this fails, the layout of the pages or the form of a proof was changed: make a new
/// one, and keep this.
#[test]
fn a_case_file_of_the_first_layout_is_made_and_verified_as_ever() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/casefile/layout-1");
    check_folder(&kept, &keys()).unwrap();
    let made = tempfile::tempdir().unwrap();
    written(made.path());
    assert_eq!(files(made.path()), files(&kept));
    for name in files(&kept) {
        let [made, kept] = [made.path(), &kept].map(|dir| fs::read_to_string(dir.join(&name)));
        assert_eq!(made.unwrap(), kept.unwrap(), "{name}");
    }
}

#[test]
fn the_pages_say_what_is_proved_and_nothing_about_a_person() {
    let dir = tempfile::tempdir().unwrap();
    let proved = written(dir.path());
    let page = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    let (zh, en) = (page("page.zh.txt"), page("page.en.txt"));
    for text in [&zh, &en] {
        for statement in &proved.statements {
            assert!(text.contains(&statement.file) && text.contains(&statement.entry.leaf_hash));
        }
        for key in &proved.keys {
            assert!(text.contains(key));
        }
    }
    assert!(en.contains("440000 received the very same bytes"), "{en}");
    assert!(zh.contains("440000 收到逐字节相同的条目"), "{zh}");
    assert!(
        en.contains("440000 cosigned 520624's tree of 6 entries"),
        "{en}"
    );
}
