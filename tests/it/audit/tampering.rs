//! One lie at a time, each found at its entry and under its own code.

use super::{
    answers::{answer, answer_lies, proof_lies},
    transfers::transfer_lies,
    two_logs::{
        COUNTY, HandLog, PROVINCE, card, code, invented, node, partners, person, proof_in, record,
        signer,
    },
};
use std::collections::BTreeSet;
use yichuan::{
    access::{Quota, QuotaReport, Role},
    audit::DefectCode as D,
    domain::Action,
    entry::{Cause, Consultation, Kind, PartnerChange, Refusal},
    merkle::{Hash, leaf_hash},
    note::LogSigner,
    seal,
};

/// What the lie is, the log that has it as its last entry, and how it must be found.
pub(crate) type Lie = (&'static str, HandLog, D);

#[test]
fn every_lie_is_found_at_its_entry_and_under_its_code() {
    let mut found = BTreeSet::new();
    for (lie, log, expected) in lies() {
        let report = log.inspect();
        let defects: Vec<_> = report
            .defects
            .first
            .iter()
            .map(|defect| (defect.index, defect.code))
            .collect();
        assert_eq!(defects, [(log.size() - 1, expected)], "{lie}");
        assert!(!report.is_clean());
        found.insert(expected);
    }
    // Those of the two tests below.
    found.extend([D::KeyNotPinned, D::TooLong]);
    let all: BTreeSet<_> = D::ALL.iter().copied().collect();
    assert_eq!(found, all, "every code stands for a lie that was tried");
}

fn lies() -> Vec<Lie> {
    [
        log_lies(),
        partner_lies(),
        arrival_lies(),
        answer_lies(),
        proof_lies(),
        transfer_lies(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn without_grounds(mut cause: Cause) -> Cause {
    cause.grounds = None;
    cause
}

/// A county log with partners, to which this was done.
pub(crate) fn county<R>(change: impl FnOnce(&mut HandLog) -> R) -> HandLog {
    let (mut county, _) = partners();
    change(&mut county);
    county
}

pub(crate) fn officer() -> Cause {
    person(COUNTY, Role::Officer, "001")
}

fn log_lies() -> Vec<Lie> {
    let consult = |cause: Cause| county(|log| log.consult(cause, vec![record(1)]));
    let overrides = |cause: Cause, overridden| {
        county(|log| {
            let kind = Kind::Consulted {
                how: Consultation::Act,
                records: vec![record(1)],
                overridden,
            };
            log.append(cause, kind);
        })
    };
    let mut other_key = HandLog::empty(COUNTY);
    other_key.append(
        node(COUNTY),
        Kind::LogStarted {
            origin: "520624.yichuan/log/1".to_owned(),
            verifier_key: signer(COUNTY, 1).verifier_key().to_string(),
            jurisdiction: code(COUNTY),
        },
    );
    let mut no_start = HandLog::empty(COUNTY);
    let policy = Kind::PolicyChanged {
        auditors: vec![],
        units: Default::default(),
    };
    no_start.append(node(COUNTY), policy);
    vec![
        ("started with another key", other_key, D::Start),
        ("not started", no_start, D::Start),
        (
            "started again",
            county(|log| log.append(node(COUNTY), log.start())),
            D::Start,
        ),
        (
            "bytes that are no entry",
            county(|log| log.append_leaf(b"entry".to_vec())),
            D::Undecodable,
        ),
        (
            "time going back",
            county(|log| {
                log.now_ms -= 2_000;
                log.consult(officer(), vec![record(1)]);
            }),
            D::TimeWentBack,
        ),
        (
            "a read without grounds",
            consult(without_grounds(officer())),
            D::MissingGrounds,
        ),
        (
            "a read by an admin",
            consult(person(COUNTY, Role::Admin, "1")),
            D::WrongActor,
        ),
        (
            "a read by an officer of no partner",
            consult(person("330000", Role::Officer, "1")),
            D::WrongActor,
        ),
        (
            "an assignment by an officer",
            county(|log| {
                let kind = Kind::RecordAssigned {
                    record: record(1),
                    assignee: None,
                };
                log.append(officer(), kind);
            }),
            D::WrongActor,
        ),
        (
            "a quota reached, as whoever reached it says",
            county(|log| {
                let kind = Kind::QuotaReached(QuotaReport {
                    principal: officer().principal,
                    quota: Quota::Misses,
                    limit: 100,
                    counted: 20,
                    window_s: 3_600,
                    refused: false,
                });
                log.append(officer(), kind);
            }),
            D::WrongActor,
        ),
        (
            "an override by an officer",
            overrides(officer(), true),
            D::WrongActor,
        ),
        (
            "an act by override that overrides nothing",
            overrides(person(COUNTY, Role::Supervisor, "1"), false),
            D::WrongActor,
        ),
        (
            "a dispatch by a partner's officer",
            county(|log| {
                let sent = log.dispatch(PROVINCE, Action::Open, 1);
                log.append(
                    person(PROVINCE, Role::Officer, "1"),
                    Kind::DispatchSent(sent),
                );
            }),
            D::WrongActor,
        ),
        (
            "a dispatch without grounds",
            county(|log| {
                let sent = log.dispatch(PROVINCE, Action::Open, 1);
                log.append(without_grounds(officer()), Kind::DispatchSent(sent));
            }),
            D::MissingGrounds,
        ),
        (
            "a dispatch in another's name",
            county(|log| {
                let mut sent = log.dispatch(PROVINCE, Action::Open, 1);
                sent.from = code("330000");
                log.append(officer(), Kind::DispatchSent(sent));
            }),
            D::Misaddressed,
        ),
        (
            "a dispatch to no partner",
            county(|log| log.send("330000", 1)),
            D::UnknownPartner,
        ),
    ]
}

fn partner_lies() -> Vec<Lie> {
    let newcomer = || signer("330000", 0);
    let draft = |log: &mut HandLog, cause: Cause| {
        let card = card(&newcomer());
        log.append(cause, Kind::PartnerProposed { card });
    };
    let approve = |log: &mut HandLog, cause: Cause, of: &LogSigner| {
        let approved = Kind::PartnerApproved {
            jurisdiction: code("330000"),
            card_sha256: seal::sha256(&card(of)),
            abandoned: None,
        };
        log.append(cause, approved);
    };
    let supervisor = |number| person(COUNTY, Role::Supervisor, number);
    let key = signer(PROVINCE, 0);
    let evidence = |by: &LogSigner, roots: [u8; 2]| {
        let kind = Kind::EvidenceKept {
            jurisdiction: code(PROVINCE),
            first: invented(&key, 9, roots[0]),
            second: invented(by, 9, roots[1]),
            shown_by: None,
        };
        county(|log| log.append(node(COUNTY), kind))
    };
    let propose =
        |card: Vec<u8>| county(|log| log.append(officer(), Kind::PartnerProposed { card }));
    let changed = |drafter: Cause, approver: Cause, approves: PartnerChange| {
        county(|log| {
            let drafted = Kind::PartnerChangeDrafted {
                jurisdiction: code(PROVINCE),
                change: PartnerChange::Resume,
            };
            log.append(drafter, drafted);
            let draft = leaf_hash(log.leaves.last().unwrap());
            let jurisdiction = code(PROVINCE);
            let approved = match approves {
                PartnerChange::Resume => Kind::PartnerResumed {
                    jurisdiction,
                    draft,
                },
                PartnerChange::Remove => Kind::PartnerRemoved {
                    jurisdiction,
                    draft,
                },
            };
            log.append(approver, approved);
        })
    };
    let suspended = |by: Cause, of: &str| {
        let jurisdiction = code(of);
        county(|log| log.append(by, Kind::PartnerSuspended { jurisdiction }))
    };
    vec![
        (
            "one person resumes a partner",
            changed(supervisor("002"), supervisor("002"), PartnerChange::Resume),
            D::ApproverDraftedIt,
        ),
        (
            "a partner is removed, and its resumption was drafted",
            changed(officer(), supervisor("002"), PartnerChange::Remove),
            D::ApprovalWithoutDraft,
        ),
        (
            "an officer resumes a partner",
            changed(supervisor("002"), officer(), PartnerChange::Resume),
            D::ApproverNotSupervisor,
        ),
        (
            "an officer suspends a partner",
            suspended(officer(), PROVINCE),
            D::ApproverNotSupervisor,
        ),
        (
            "somebody is suspended who is no partner",
            suspended(supervisor("002"), "330000"),
            D::UnknownPartner,
        ),
        ("a card that is none", propose(b"card".to_vec()), D::Card),
        (
            "the node's own card",
            propose(card(&signer(COUNTY, 0))),
            D::Card,
        ),
        (
            "approval of another card",
            county(|log| {
                draft(log, officer());
                approve(log, supervisor("002"), &signer("330000", 1));
            }),
            D::ApprovalWithoutDraft,
        ),
        (
            "approval by an officer",
            county(|log| {
                draft(log, officer());
                approve(log, person(COUNTY, Role::Officer, "003"), &newcomer());
            }),
            D::ApproverNotSupervisor,
        ),
        (
            "approval by who drafted it",
            county(|log| {
                draft(log, supervisor("002"));
                approve(log, supervisor("002"), &newcomer());
            }),
            D::ApproverDraftedIt,
        ),
        (
            "evidence that somebody else signed",
            evidence(&signer(PROVINCE, 1), [1, 2]),
            D::Evidence,
        ),
        ("evidence of one tree", evidence(&key, [1, 1]), D::Evidence),
    ]
}

/// Logs of the province, which receives.
fn arrival_lies() -> Vec<Lie> {
    let arrives = |change: &dyn Fn(&mut HandLog, &mut HandLog) -> Kind| {
        let (mut county, mut province) = partners();
        let kind = change(&mut county, &mut province);
        province.append(node(PROVINCE), kind);
        province
    };
    vec![
        (
            "a dispatch of no partner",
            arrives(&|_, _| {
                let mut stranger = HandLog::started("330000");
                let sent = stranger.send(PROVINCE, 1);
                Kind::DispatchReceived(stranger.proved(sent))
            }),
            D::UnknownPartner,
        ),
        (
            "a checkpoint signed with a foreign key",
            arrives(&|county, _| {
                let sent = county.send(PROVINCE, 1);
                county.signer = signer(COUNTY, 1);
                Kind::DispatchReceived(county.proved(sent))
            }),
            D::PartnerSignature,
        ),
        (
            "an altered sender entry",
            arrives(&|county, _| {
                let sent = county.send(PROVINCE, 1);
                let mut received = county.proved(sent);
                let at = received.sender_entry.len() - 1;
                received.sender_entry[at] ^= 1;
                Kind::DispatchReceived(received)
            }),
            D::NotIncluded,
        ),
        (
            "a wrong sender index",
            arrives(&|county, _| {
                let sent = county.send(PROVINCE, 1);
                let mut received = county.proved(sent);
                received.sender_index -= 1;
                Kind::DispatchReceived(received)
            }),
            D::NotIncluded,
        ),
        (
            "a refusal of what is beyond the sender's tree",
            arrives(&|county, _| {
                let sent = county.send(PROVINCE, 1);
                let mut received = county.proved(sent);
                received.sender_entry = Vec::new();
                received.sender_index = county.size();
                let reason = Refusal::Malformed;
                Kind::DispatchRefused { received, reason }
            }),
            D::NotIncluded,
        ),
        (
            "a dispatch for another jurisdiction",
            arrives(&|county, _| {
                let sent = county.send("330000", 1);
                Kind::DispatchReceived(county.proved(sent))
            }),
            D::NotADispatch,
        ),
        (
            "an entry that is no dispatch",
            arrives(&|county, _| Kind::DispatchReceived(county.proved(0))),
            D::NotADispatch,
        ),
        (
            "a dispatch without grounds",
            arrives(&|county, _| {
                let sent = county.dispatch(PROVINCE, Action::Open, 1);
                let sent = county.append(without_grounds(officer()), Kind::DispatchSent(sent));
                Kind::DispatchReceived(county.proved(sent))
            }),
            D::NotADispatch,
        ),
        (
            "two trees of one size",
            arrives(&|county, province| {
                let (mut fork, _) = partners();
                let sent = county.send(PROVINCE, 1);
                fork.send(PROVINCE, 2);
                province.receive(county, sent);
                Kind::DispatchReceived(fork.proved(sent))
            }),
            D::PartnerForked,
        ),
    ]
}

#[test]
fn a_card_with_another_key_than_the_auditor_holds_is_found_and_not_believed() {
    let (mut county, mut province) = partners();
    // The card that was approved, and all that follows, are of a key that the true province does not have.
    let pinned = vec![signer(PROVINCE, 1).verifier_key()];
    let sent = county.send(PROVINCE, 1);
    let received = province.receive(&county, sent);
    let answered = county.log_answer(&province, sent, received);
    let own_word = county.inspect();
    assert!(own_word.is_clean());
    let named = province.signer.verifier_key().to_string();
    assert_eq!(
        own_word.keys_from_log,
        [named],
        "nobody but the log says so"
    );
    let report = county.inspect_with(pinned).unwrap();
    assert!(report.keys_from_log.is_empty());
    let found: Vec<_> = report
        .defects
        .first
        .iter()
        .map(|d| (d.index, d.code))
        .collect();
    assert_eq!(
        found,
        [(3, D::KeyNotPinned), (answered, D::PartnerSignature)]
    );
    assert_eq!(report.unanswered.total, 1, "such a receipt answers nothing");
    // A key that was replaced counts beside the newer one, where the auditor holds both.
    let both = [1, 0].map(|seed| signer(PROVINCE, seed).verifier_key());
    assert!(county.inspect_with(both.to_vec()).unwrap().is_clean());
}

#[test]
fn an_entry_longer_than_its_kind_may_be_is_found() {
    let log = answer(|county, province, sent| {
        let path = vec![Hash::from([1; 32]); 64];
        let mut received = county.proved(sent);
        received.inclusion.clone_from(&path);
        let received = province.append(node(PROVINCE), Kind::DispatchReceived(received));
        let mut kind = county.answer(province, sent, received);
        proof_in(&mut kind).inclusion = path;
        kind
    });
    let found: Vec<_> = log.inspect().defects.first.iter().map(|d| d.code).collect();
    assert_eq!(found, [D::TooLong, D::NotIncluded]);
}

#[test]
fn defects_are_all_counted_and_the_first_listed() {
    let mut log = county(|_| {});
    let how = Consultation::List;
    for _ in 0..1_500 {
        let kind = Kind::Consulted {
            how,
            records: vec![],
            overridden: false,
        };
        log.append(without_grounds(officer()), kind);
    }
    let defects = log.inspect().defects;
    assert_eq!((defects.total, defects.first.len()), (1_500, 1_000));
}
