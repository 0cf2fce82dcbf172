//! Transfers in a case file: who drafted and who approved cannot be told otherwise afterwards.

use super::{
    gather, keys, of_record, proof_at,
    two_logs::{COUNTY, HandLog, PROVINCE, partners, person, record},
};
use std::{fs, path::Path};
use yichuan::{
    access::Role,
    audit::{CaseDefect, FolderDefect, Proved, TransferDefect, Wanted, check_folder, write_folder},
    domain::{Action, DispatchId, RecordKind},
    entry::{Cause, DispatchAction, DispatchSent, Entry, Kind},
    merkle::{Hash, leaf_hash},
};

fn officer() -> Cause {
    person(COUNTY, Role::Officer, "001")
}

fn supervisor() -> Cause {
    person(COUNTY, Role::Supervisor, "002")
}

fn opening(log: &HandLog) -> DispatchSent {
    DispatchSent {
        action: DispatchAction::open(RecordKind::Transfer),
        ..log.dispatch(PROVINCE, Action::Open, 1)
    }
}

fn approval(draft: Hash) -> Kind {
    let record = record(1);
    Kind::ReferralApproved { record, draft }
}

/// The draft and what follows it, by index: draft, approval, dispatch.
type Steps = [u64; 3];

/// Drafted by an officer, approved and sent by a supervisor.
fn transfer(log: &mut HandLog) -> Steps {
    let dispatch = opening(log);
    let draft = log.append(officer(), Kind::ReferralDrafted(dispatch.clone()));
    let hash = leaf_hash(&log.leaf(draft));
    let approved = log.append(supervisor(), approval(hash));
    let sent = log.append(supervisor(), Kind::DispatchSent(dispatch));
    [draft, approved, sent]
}

/// A transfer that was received and receipted, then other things; and its case file.
fn delivered(dir: &Path) -> (HandLog, Steps, Proved) {
    let (mut county, mut province) = partners();
    let steps = transfer(&mut county);
    county.send(PROVINCE, 2);
    let received = province.receive(&county, steps[2]);
    county.log_answer(&province, steps[2], received);
    county.send(PROVINCE, 3);
    let (case, stated) = gather(&county, of_record(1)).unwrap();
    let proved = case.verify(&stated).unwrap();
    write_folder(dir, &case, &proved).unwrap();
    (county, steps, proved)
}

#[test]
fn draft_and_approval_stand_in_the_tree_that_the_recipient_cosigned() {
    let dir = tempfile::tempdir().unwrap();
    let (county, [draft, approved, sent], proved) = delivered(dir.path());
    let ours = proved
        .statements
        .iter()
        .filter(|s| s.log.starts_with(COUNTY));
    let told: Vec<_> = ours
        .map(|s| (s.entry.index, s.tree_size, s.cosigned.len()))
        .collect();
    let tree = sent + 2;
    let receipt = (sent + 2, county.size(), 0);
    assert_eq!(
        told,
        [
            (draft, tree, 1),
            (approved, tree, 1),
            (sent, tree, 1),
            receipt
        ]
    );
    assert_eq!(check_folder(dir.path(), &keys()).unwrap(), proved);
}

/// Delivered again, it is answered with the old entry and a cosignature on a newer tree. The old entry keeps the old tree.
#[test]
fn they_stand_in_the_tree_that_the_recipient_keeps_where_it_cosigned_a_later_one() {
    let (mut county, mut province) = partners();
    let [draft, _, sent] = transfer(&mut county);
    let received = province.receive(&county, sent);
    county.send(PROVINCE, 2);
    county.log_answer(&province, sent, received);
    let (case, _) = gather(&county, of_record(1)).unwrap();
    let proved = case.verify(&keys()).unwrap();
    let ours = proved
        .statements
        .iter()
        .filter(|s| s.log.starts_with(COUNTY));
    let sizes: Vec<_> = ours.map(|s| s.tree_size).collect();
    assert_eq!(sizes, [sent + 1, sent + 1, sent + 1, county.size()]);
    assert_eq!(draft + 2, sent);
    assert!(proved.statements.iter().all(|s| s.cosigned.is_empty()));
}

/// Entry `index` of a log told otherwise, under the same key.
fn fork(log: &HandLog, index: u64, change: impl Fn(&mut Entry)) -> HandLog {
    let mut fork = HandLog::empty(COUNTY);
    for (at, leaf) in (0..).zip(&log.leaves) {
        let mut leaf = leaf.clone();
        if at == index {
            let mut entry = Entry::decode(&leaf).unwrap();
            change(&mut entry);
            leaf = entry.encode();
        }
        fork.append_leaf(leaf);
    }
    fork.append_leaf(b"one more".to_vec());
    fork
}

/// What the check says of a case file in which these entries are proved under the fork's tree of that size.
fn told(dir: &Path, fork: &HandLog, entries: &[u64], size: u64) -> FolderDefect {
    let mut intact = Vec::new();
    for index in entries {
        let file = dir.join(format!("{COUNTY}-1-{index}.tlog-proof"));
        intact.push((file.clone(), fs::read(&file).unwrap()));
        fs::write(file, proof_at(fork, *index, size).to_string()).unwrap();
    }
    let found = check_folder(dir, &keys()).unwrap_err();
    for (file, bytes) in intact {
        fs::write(file, bytes).unwrap();
    }
    found
}

/// The log's key can sign another tree at any time. What was cosigned then goes before what is signed now.
#[test]
fn regression_who_drafted_and_who_approved_cannot_be_told_otherwise_later() {
    let dir = tempfile::tempdir().unwrap();
    let (county, [draft, approved, sent], _) = delivered(dir.path());
    let (cosigned, head) = (sent + 2, county.size());
    let another_approver = fork(&county, approved, |entry| {
        entry.cause = person(COUNTY, Role::Supervisor, "003");
    });
    let another_drafter = fork(&county, draft, |entry| {
        entry.cause = person(COUNTY, Role::Officer, "009");
    });
    let its_drafter = fork(&county, approved, |entry| entry.cause = officer());
    for (fork, entries) in [
        (&another_approver, &[draft, approved][..]),
        (&another_approver, &[approved]),
        (&another_drafter, &[draft]),
        (&its_drafter, &[approved]),
    ] {
        for size in [cosigned, head] {
            let found = told(dir.path(), fork, entries, size);
            assert!(
                matches!(&found, FolderDefect::Case(CaseDefect::TwoTrees { size: at, .. }) if *at == size),
                "{found:?}"
            );
        }
        // Nor where the dispatch, which is as it was, is shown in the other tree too.
        let all = [draft, approved, sent];
        for (entries, size) in [
            (entries, approved + 1),
            (entries, head - 1),
            (entries, head + 1),
            (&all[..], sent + 1),
            (&all[..], head + 1),
        ] {
            let found = told(dir.path(), fork, entries, size);
            assert!(
                matches!(found, FolderDefect::Case(CaseDefect::Transfer { .. })),
                "{found:?}"
            );
        }
    }
    // Not even the true entries are taken from a tree that nobody has seen.
    let later = fork(&county, head, |_| {});
    let found = told(dir.path(), &later, &[draft, approved], head + 1);
    assert!(
        matches!(
            found,
            FolderDefect::Case(CaseDefect::Transfer {
                source: TransferDefect::OtherTree,
                ..
            })
        ),
        "{found:?}"
    );
    assert!(check_folder(dir.path(), &keys()).is_ok());
}

/// What a log says of a transfer.
type Lie = fn(&mut HandLog);

/// And where the log itself tells it wrong, in one tree, that is no case file of a transfer.
#[test]
fn regression_what_is_proved_of_a_transfer_must_fit_together() {
    use TransferDefect as T;
    let lies: [(Lie, T); 8] = [
        (
            |log| {
                let dispatch = opening(log);
                log.append(officer(), Kind::ReferralDrafted(dispatch.clone()));
                log.append(supervisor(), approval(Hash::from([7; 32])));
                log.append(supervisor(), Kind::DispatchSent(dispatch));
            },
            T::AnotherDraft,
        ),
        (|log| approved_by(log, officer()), T::People),
        (
            |log| approved_by(log, person(COUNTY, Role::Officer, "003")),
            T::People,
        ),
        (
            |log| approved_by(log, person(PROVINCE, Role::Supervisor, "002")),
            T::People,
        ),
        (
            |log| {
                let dispatch = opening(log);
                let draft = log.append(supervisor(), Kind::ReferralDrafted(dispatch));
                let hash = leaf_hash(&log.leaf(draft));
                log.append(supervisor(), approval(hash));
            },
            T::People,
        ),
        (
            |log| {
                let dispatch = opening(log);
                let draft = log.append(officer(), Kind::ReferralDrafted(dispatch.clone()));
                let hash = leaf_hash(&log.leaf(draft));
                log.append(supervisor(), approval(hash));
                log.send(PROVINCE, 2);
                log.append(supervisor(), Kind::DispatchSent(dispatch));
            },
            T::NotTheNext,
        ),
        (
            |log| sent(log, person(COUNTY, Role::Supervisor, "003"), |_| {}),
            T::AnotherName,
        ),
        (
            |log| {
                sent(log, supervisor(), |dispatch| {
                    dispatch.dispatch_id = DispatchId::from([9; 16])
                });
            },
            T::NotAsDrafted,
        ),
    ];
    for (lie, expected) in lies {
        let (mut county, _) = partners();
        lie(&mut county);
        let (case, _) = gather(&county, of_record(1)).unwrap();
        match case.verify(&keys()) {
            Err(CaseDefect::Transfer { source, .. }) => assert_eq!(source, expected),
            other => panic!("{expected:?}: {other:?}"),
        }
        // An auditor can still show that the log says so, entry by entry.
        for index in 4..county.size() {
            let (alone, _) = gather(&county, Wanted::Entry(index)).unwrap();
            assert!(alone.verify(&keys()).is_ok());
        }
    }
}

fn approved_by(log: &mut HandLog, by: Cause) {
    let dispatch = opening(log);
    let draft = log.append(officer(), Kind::ReferralDrafted(dispatch));
    let hash = leaf_hash(&log.leaf(draft));
    log.append(by, approval(hash));
}

/// Approved by the supervisor, and then this is sent by that person.
fn sent(log: &mut HandLog, by: Cause, change: impl FnOnce(&mut DispatchSent)) {
    approved_by(log, supervisor());
    let mut dispatch = opening(log);
    change(&mut dispatch);
    log.append(by, Kind::DispatchSent(dispatch));
}
