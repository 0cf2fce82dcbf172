//! Two logs against each other.

use super::{
    inspect::honest,
    two_logs::{COUNTY, HandLog, PROVINCE, node, partners, proof_in, signer},
};
use yichuan::{
    audit::{
        DifferenceCode as D, ExportedLog, Flow, NotTheLog, ReconcileError, Reconciler,
        Reconciliation, Side, feed,
    },
    entry::{Kind, Refusal},
    note::VerifierKey,
};

fn keys() -> [VerifierKey; 2] {
    [COUNTY, PROVINCE].map(|of| signer(of, 0).verifier_key())
}

/// Two logs, each shown to the auditor up to its head.
fn reconcile(a: &HandLog, b: &HandLog) -> Reconciliation {
    let [a_key, b_key] = keys();
    let exports = (export(&a_key, a), export(&b_key, b));
    let mut reconciler = Reconciler::new(&exports.0, &exports.1).unwrap();
    let leaves = |log: &HandLog| log.leaves.clone().into_iter().map(Ok::<_, ReconcileError>);
    feed(&mut reconciler, leaves(a), leaves(b)).unwrap();
    reconciler.finish(&a.head(), &b.head()).unwrap()
}

fn export<'a>(key: &'a VerifierKey, log: &'a HandLog) -> ExportedLog<'a, super::two_logs::Tree> {
    ExportedLog {
        key,
        size: log.size(),
        tree: &log.tree,
    }
}

/// The log as it was when it had so many entries.
fn cut(log: &HandLog, size: u64) -> HandLog {
    let mut older = HandLog::empty(log.of);
    for index in 0..size {
        older.append_leaf(log.leaf(index));
    }
    older
}

/// Codes and the indexes that they are about.
type Found = Vec<(D, u64)>;

/// What is pending, and what differs.
fn codes(report: &Reconciliation) -> (Found, Found) {
    let list = |listed: &yichuan::audit::CappedList<yichuan::audit::Difference>| {
        listed.first.iter().map(|d| (d.code, d.index)).collect()
    };
    (list(&report.pending), list(&report.differences))
}

#[test]
fn honest_logs_agree_but_for_what_is_under_way() {
    let (county, province) = honest();
    let report = reconcile(&county, &province);
    assert_eq!(
        codes(&report),
        (vec![(D::InFlight, county.size() - 1)], vec![])
    );
    let (received, refused) = (2, 1);
    assert_eq!(
        report.a_to_b,
        Flow {
            sent: 4,
            received,
            refused
        }
    );
    assert_eq!(
        report.b_to_a,
        Flow {
            sent: 1,
            received: 1,
            refused: 0
        }
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["pending"]["first"][0]["code"], "in_flight");
    assert_eq!(json["pending"]["first"][0]["from"], COUNTY);
}

#[test]
fn the_order_in_which_leaves_arrive_changes_nothing() {
    let (county, province) = honest();
    let [a_key, b_key] = keys();
    for sides in [[Side::A, Side::B], [Side::B, Side::A]] {
        let exports = (export(&a_key, &county), export(&b_key, &province));
        let mut reconciler = Reconciler::new(&exports.0, &exports.1).unwrap();
        for side in sides {
            let log = match side {
                Side::A => &county,
                Side::B => &province,
            };
            for leaf in &log.leaves {
                reconciler.push(side, leaf).unwrap();
            }
        }
        let report = reconciler.finish(&county.head(), &province.head());
        assert_eq!(report, Ok(reconcile(&county, &province)));
    }
}

#[test]
fn at_every_moment_of_an_honest_exchange_there_is_nothing_but_pending() {
    let (county, province) = honest();
    for a in 4..=county.size() {
        for b in 4..=province.size() {
            let report = reconcile(&cut(&county, a), &cut(&province, b));
            assert!(report.differences.is_empty(), "{a} {b}: {report:?}");
        }
    }
}

#[test]
fn leaves_that_are_not_the_logs_get_no_report() {
    let (county, province) = honest();
    let [a_key, b_key] = keys();
    let exports = (export(&a_key, &county), export(&b_key, &province));
    let empty = || Reconciler::new(&exports.0, &exports.1).unwrap();
    let heads = (county.head(), province.head());
    let cut = empty().finish(&heads.0, &heads.1);
    assert!(matches!(cut, Err(NotTheLog::Leaves(_))));
    let swapped = empty().finish(&heads.1, &heads.0);
    assert!(matches!(swapped, Err(NotTheLog::Head(_))));
}

#[test]
fn what_has_not_arrived_yet_is_told_from_what_was_overtaken() {
    let (mut county, mut province) = partners();
    let lost = county.send(PROVINCE, 1);
    let received = county.send(PROVINCE, 2);
    let flying = county.send(PROVINCE, 3);
    province.receive(&county, received);
    let report = reconcile(&county, &province);
    let expected = vec![
        (D::Overtaken, lost),
        (D::ReceiptInFlight, received),
        (D::InFlight, flying),
    ];
    assert_eq!(codes(&report), (expected, vec![]));
    assert_eq!(
        report.pending.first[0].dispatch_id.as_deref(),
        Some("01010101-0101-0101-0101-010101010101")
    );
}

#[test]
fn a_recipient_that_drops_what_it_receipted_is_found() {
    let (mut county, mut province) = partners();
    let (_, mut dropped) = partners();
    let sent = county.send(PROVINCE, 1);
    let received = province.receive(&county, sent);
    let answered = county.log_answer(&province, sent, received);
    dropped.append(
        node(PROVINCE),
        Kind::PolicyChanged {
            auditors: vec![],
            units: Default::default(),
        },
    );
    // Its signature on the tree that had the dispatch convicts it.
    let report = reconcile(&county, &dropped);
    let expected = vec![(D::TwoVersions, answered), (D::NotKept, sent)];
    assert_eq!(codes(&report), (vec![], expected));
}

#[test]
fn a_sender_that_denies_what_it_sent_is_found() {
    let (mut county, mut province) = partners();
    let (mut denying, _) = partners();
    let sent = county.send(PROVINCE, 1);
    let received = province.receive(&county, sent);
    denying.append(
        node(COUNTY),
        Kind::PolicyChanged {
            auditors: vec![],
            units: Default::default(),
        },
    );
    let report = reconcile(&denying, &province);
    let expected = vec![(D::TwoVersions, received), (D::NeverSent, sent)];
    assert_eq!(codes(&report), (vec![], expected));
}

#[test]
fn other_bytes_and_other_answers_are_found() {
    let (mut county, mut province) = partners();
    let sent = county.send(PROVINCE, 1);
    let mut altered = county.proved(sent);
    altered.sender_entry[20] ^= 1;
    province.append(node(PROVINCE), Kind::DispatchReceived(altered));
    let report = reconcile(&county, &province);
    assert_eq!(codes(&report), (vec![], vec![(D::OtherLeaf, sent)]));

    let (mut county, mut province) = partners();
    let first = county.send(PROVINCE, 1);
    let second = county.send(PROVINCE, 2);
    let one = province.receive(&county, first);
    let other = province.refuse(&county, second, Refusal::NotAllowed);
    county.log_answer(&province, first, one);
    let mut kind = county.answer(&province, second, other);
    *proof_in(&mut kind) = county.proof(&province, one);
    county.append(node(COUNTY), kind);
    let report = reconcile(&county, &province);
    assert_eq!(codes(&report), (vec![], vec![(D::OtherAnswer, second)]));
    assert_eq!((report.a_to_b.received, report.a_to_b.refused), (1, 0));
}

#[test]
fn repeats_and_foreign_signatures_are_found() {
    let (mut county, mut province) = partners();
    let sent = county.send(PROVINCE, 1);
    let received = province.receive(&county, sent);
    province.receive(&county, sent);
    let report = reconcile(&county, &province);
    assert_eq!(
        codes(&report),
        (vec![(D::ReceiptInFlight, sent)], vec![(D::KeptTwice, sent)])
    );
    county.log_answer(&province, sent, received);
    let again = county.answer(&province, sent, received);
    county.append(node(COUNTY), again);
    let report = reconcile(&county, &province);
    let (pending, found) = codes(&report);
    assert!(pending.is_empty());
    let expected = [(D::NeverSent, sent), (D::AnswerToNothing, sent)];
    assert_eq!(found, expected, "each repeat, on its own");

    let (mut county, mut province) = partners();
    let sent = county.send(PROVINCE, 1);
    let mut forged = county.proved(sent);
    forged.signature = [1; 64];
    let received = province.append(node(PROVINCE), Kind::DispatchReceived(forged));
    let unread = county.append_leaf(b"entry".to_vec());
    let report = reconcile(&county, &province);
    let expected = vec![(D::Undecodable, unread), (D::Signature, received)];
    let (_, mut found) = codes(&report);
    found.sort_by_key(|(code, _)| *code != D::Undecodable);
    assert_eq!(found, expected);
}
