//! Honest logs, and what is told of them.

use super::two_logs::{
    COUNTY, HandLog, PROVINCE, code, invented, node, partners, person, record, signer,
};
use yichuan::{
    access::Role,
    audit::{
        DefectCode, ExportedTree, Inspector, NotTheLog, RemarkCode, TileWriter, Trusted, entries,
        verify_export,
    },
    domain::{Action, ReturnReason},
    entry::{Kind, Refusal},
};

/// A lead received and signed for, one refused, one delivered again after its first answer was lost, one returned under
/// a newer key of the partner, and one on its way.
pub(crate) fn honest() -> (HandLog, HandLog) {
    let (mut county, mut province) = partners();
    let first = county.send(PROVINCE, 1);
    let second = county.send(PROVINCE, 2);
    let received = province.receive(&county, first);
    let refused = province.refuse(&county, second, Refusal::ChangedContent);
    county.log_answer(&province, first, received);
    county.log_answer(&province, second, refused);

    province.consult(person(PROVINCE, Role::Officer, "9"), vec![record(1)]);
    province.consult(
        person(COUNTY, Role::Officer, "001"),
        vec![record(1), record(2)],
    );
    let mut returned = province.dispatch(COUNTY, Action::Return, 3);
    returned.return_reason = Some(ReturnReason::NotCompetent);
    returned.record = record(1);
    let answer = province.append(
        person(PROVINCE, Role::Supervisor, "9"),
        Kind::DispatchSent(returned),
    );
    let arrived = county.receive(&province, answer);

    let third = county.send(PROVINCE, 4);
    let received = province.receive(&county, third);
    // The answer was lost. The repeat is answered with the old entry, and a cosignature on a larger tree.
    county.consult(person(COUNTY, Role::Auditor, "1"), vec![record(4)]);
    county.log_answer(&province, third, received);
    province.log_answer(&county, answer, arrived);
    county.send(PROVINCE, 5);
    (county, province)
}

#[test]
fn honest_logs_have_no_defects_and_their_counts_are_told() {
    let (county, province) = honest();
    let report = county.inspect();
    assert!(report.is_clean(), "{:?}", report.defects);
    assert!(report.remarks.is_empty(), "{:?}", report.remarks);
    assert_eq!(report.origin, "520624.yichuan/log/1");
    assert_eq!(report.entries, county.size());
    assert_eq!(report.root, county.head().root().to_string());
    let told = (report.dispatches_sent, report.receipts, report.refusals);
    assert_eq!(told, (4, 2, 1));
    assert_eq!((report.received, report.refused), (1, 0));
    assert_eq!(report.by_kind["partner_approved"], 1);
    assert_eq!(report.unanswered.total, 1);
    assert_eq!(report.unanswered.first[0].index, county.size() - 1);

    let report = province.inspect();
    assert!(report.is_clean(), "{:?}", report.defects);
    assert_eq!((report.received, report.refused), (2, 1));
    assert!(report.unanswered.is_empty());
    let reads: Vec<_> = report
        .consultations
        .iter()
        .map(|read| (read.principal.to_string(), read.entries, read.records))
        .collect();
    assert_eq!(
        reads,
        [
            ("spiffe://440000.yichuan/officer/9".to_owned(), 1, 1),
            ("spiffe://520624.yichuan/officer/001".to_owned(), 1, 2)
        ]
    );
}

#[test]
fn the_report_is_json_with_stable_names() {
    let (county, _) = honest();
    let json = serde_json::to_value(county.inspect()).unwrap();
    assert_eq!(json["unanswered"]["total"], 1);
    assert_eq!(json["unanswered"]["first"][0]["to"], PROVINCE);
    assert_eq!(json["consultations"][0]["purpose"], "screening");
    assert_eq!(json["consultations"][0]["how"], "open");
    assert_eq!(json["defects"]["total"], 0);
}

#[test]
fn an_export_is_inspected_as_the_log_is() {
    let (county, _) = honest();
    let dir = tempfile::tempdir().unwrap();
    let mut writer = TileWriter::create(dir.path()).unwrap();
    for leaf in &county.leaves {
        writer.push(leaf).unwrap();
    }
    writer.finish(&county.head()).unwrap();

    let key = signer(COUNTY, 0).verifier_key();
    let log = verify_export(dir.path(), &key, |_, _| {}).unwrap();
    let tree = ExportedTree::new(dir.path(), log.size());
    let trusted = Trusted {
        key,
        partners: Vec::new(),
    };
    let mut inspector = Inspector::new(trusted, &super::two_logs::PlainCards)
        .unwrap()
        .with_tree(&tree);
    for leaf in entries(dir.path(), log.size()) {
        inspector.push(&leaf.unwrap()).unwrap();
    }
    assert_eq!(inspector.finish(log.checkpoint()), Ok(county.inspect()));
}

#[test]
fn leaves_that_are_not_the_log_under_the_head_get_no_report() {
    let (county, _) = honest();
    let trusted = || Trusted {
        key: signer(COUNTY, 0).verifier_key(),
        partners: Vec::new(),
    };
    let inspector = || Inspector::new(trusted(), &super::two_logs::PlainCards).unwrap();
    let forged = signer(COUNTY, 1).sign(0, *county.head_at(0).root());
    assert!(matches!(
        inspector().finish(&forged),
        Err(NotTheLog::Head(_))
    ));
    let cut = inspector().finish(&county.head());
    assert!(matches!(cut, Err(NotTheLog::Leaves(_))));
}

#[test]
fn regression_a_log_without_an_entry_has_not_started() {
    let report = HandLog::empty(COUNTY).inspect();
    let found: Vec<_> = report.defects.first.iter().map(|d| d.code).collect();
    assert_eq!(found, [DefectCode::Start]);
}

#[test]
fn two_signed_trees_of_one_size_are_reported_as_proof_and_others_as_a_claim() {
    let (mut county, province) = partners();
    let key = &province.signer;
    let evidence = |first, second, shown_by| Kind::EvidenceKept {
        jurisdiction: code(PROVINCE),
        first,
        second,
        shown_by,
    };
    county.append(
        node(COUNTY),
        evidence(invented(key, 9, 1), invented(key, 9, 2), None),
    );
    county.append(
        node(COUNTY),
        evidence(
            invented(key, 9, 1),
            invented(key, 12, 2),
            Some(code("330000")),
        ),
    );
    let report = county.inspect();
    assert!(report.is_clean(), "{:?}", report.defects);
    let told: Vec<_> = report
        .evidence
        .first
        .iter()
        .map(|found| (found.sizes, found.proves_two_versions))
        .collect();
    assert_eq!(told, [([9, 9], true), ([9, 12], false)]);
}

#[test]
fn what_cannot_be_judged_is_remarked_on() {
    let (mut county, mut province) = partners();
    // An entry of version 2: field 1, varint 2.
    let newer = county.append_leaf(vec![0x08, 0x02]);
    let sent = county.send(PROVINCE, 1);
    let mut received = county.proved(sent);
    received.sender_entry = Vec::new();
    let refused = province.append(
        node(PROVINCE),
        Kind::DispatchRefused {
            received,
            reason: Refusal::Malformed,
        },
    );
    let sent = county.send(PROVINCE, 2);
    let unfounded = province.refuse(&county, sent, Refusal::Misaddressed);
    // The county's key is renewed under the same name while a stream of the old one goes on.
    province.befriend(&signer(COUNTY, 1));
    let sent = county.send(PROVINCE, 3);
    let late = province.receive(&county, sent);

    let told = |log: &HandLog| {
        let report = log.inspect();
        assert!(report.defects.is_empty(), "{:?}", report.defects);
        let remarks = report.remarks.first.iter();
        let remarks: Vec<_> = remarks.map(|told| (told.index, told.code)).collect();
        (report.is_clean(), remarks)
    };
    let newer = (newer, RemarkCode::NewerProgram);
    assert_eq!(told(&county), (false, vec![newer]));
    assert_eq!(
        told(&province),
        (
            true,
            vec![
                (refused, RemarkCode::LeafNotKept),
                (unfounded, RemarkCode::RefusalNotReproduced),
                (late, RemarkCode::EarlierKey)
            ]
        )
    );
}
