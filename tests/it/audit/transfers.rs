//! Transfers, which take two people: one drafts, another approves, and what was drafted leaves.

use super::{
    tampering::{Lie, county, officer},
    two_logs::{COUNTY, HandLog, PROVINCE, code, person, record},
};
use yichuan::{
    access::Role,
    audit::{DefectCode as D, ReplayFilter, ReplayRow},
    domain::{Action, RecordKind},
    entry::{Cause, DispatchAction, DispatchSent, Kind},
    merkle::leaf_hash,
};

fn supervisor(number: &str) -> Cause {
    person(COUNTY, Role::Supervisor, number)
}

/// What opens referral `number`.
fn opening(log: &HandLog, kind: RecordKind, number: u8) -> DispatchSent {
    DispatchSent {
        action: DispatchAction::open(kind),
        ..log.dispatch(PROVINCE, Action::Open, number)
    }
}

fn transfer(log: &HandLog, number: u8) -> DispatchSent {
    opening(log, RecordKind::Transfer, number)
}

/// Drafts transfer `number`; gives the draft's index.
fn draft(log: &mut HandLog, by: Cause, number: u8) -> u64 {
    let dispatch = transfer(log, number);
    log.append(by, Kind::ReferralDrafted(dispatch))
}

fn approve(log: &mut HandLog, by: Cause, number: u8, draft: u64) -> u64 {
    let kind = Kind::ReferralApproved {
        record: record(number),
        draft: leaf_hash(&log.leaf(draft)),
    };
    log.append(by, kind)
}

/// Drafted by an officer and approved by supervisor 002, as it should be.
fn approved(log: &mut HandLog, number: u8) {
    let index = draft(log, officer(), number);
    approve(log, supervisor("002"), number, index);
}

fn send(log: &mut HandLog, by: Cause, dispatch: DispatchSent) -> u64 {
    log.append(by, Kind::DispatchSent(dispatch))
}

/// An assistance, and two transfers drafted before the second of them, and then the first, was approved.
fn honest() -> HandLog {
    county(|log| {
        let assistance = opening(log, RecordKind::Assistance, 1);
        send(log, officer(), assistance);
        let first = draft(log, officer(), 2);
        let second = draft(log, supervisor("003"), 3);
        for (number, index) in [(3, second), (2, first)] {
            approve(log, supervisor("002"), number, index);
            let dispatch = transfer(log, number);
            send(log, supervisor("002"), dispatch);
        }
        draft(log, officer(), 4);
    })
}

#[test]
fn a_transfer_that_two_people_made_holds_and_one_that_waits_is_no_defect() {
    let report = honest().inspect();
    assert!(report.is_clean(), "{:?}", report.defects);
    assert!(report.remarks.is_empty(), "{:?}", report.remarks);
    assert_eq!(report.dispatches_sent, 3, "a draft is not sent");
    assert_eq!(report.unanswered.total, 3);
    assert_eq!(report.by_kind["referral_drafted"], 3);
    assert_eq!(report.by_kind["referral_approved"], 2);
}

#[test]
fn a_transfers_draft_approval_and_dispatch_are_found_by_its_record() {
    let log = honest();
    let about = ReplayFilter {
        record: Some(record(2)),
        ..ReplayFilter::default()
    };
    let leaves = (0..).zip(&log.leaves);
    let rows: Vec<ReplayRow> = leaves
        .filter_map(|(index, leaf)| about.row(index, leaf))
        .collect();
    let kinds: Vec<_> = rows.iter().map(|row| row.kind).collect();
    assert_eq!(
        kinds,
        ["referral_drafted", "referral_approved", "dispatch_sent"]
    );
    let [drafted, approved, sent] = &rows[..] else {
        panic!("three rows")
    };
    assert_eq!(drafted.action, Some("referral_transfer"));
    assert_eq!(drafted.to.as_deref(), Some(PROVINCE));
    assert_eq!(drafted.dispatch_id, sent.dispatch_id);
    assert_eq!(approved.draft.as_ref(), Some(&drafted.leaf_hash));
    assert_eq!(approved.record, sent.record);
}

/// What is wrong is the last entry.
pub(crate) fn transfer_lies() -> Vec<Lie> {
    let drafts = |change: fn(&mut DispatchSent)| {
        county(|log| {
            let mut dispatch = transfer(log, 1);
            change(&mut dispatch);
            log.append(officer(), Kind::ReferralDrafted(dispatch));
        })
    };
    vec![
        (
            "a draft by a partner's officer",
            county(|log| draft(log, person(PROVINCE, Role::Officer, "1"), 1)),
            D::WrongActor,
        ),
        (
            "a draft without grounds",
            county(|log| {
                let mut by = officer();
                by.grounds = None;
                draft(log, by, 1);
            }),
            D::MissingGrounds,
        ),
        (
            "a draft in another's name",
            drafts(|dispatch| dispatch.from = code("330000")),
            D::Misaddressed,
        ),
        (
            "a draft to no partner",
            drafts(|dispatch| dispatch.to = code("330000")),
            D::UnknownPartner,
        ),
        (
            "a draft of what needs no approval",
            drafts(|dispatch| dispatch.action = DispatchAction::open(RecordKind::Assistance)),
            D::DraftOfNoTransfer,
        ),
        (
            "approval of what nobody drafted",
            county(|log| approve(log, supervisor("002"), 1, 0)),
            D::TransferWithoutDraft,
        ),
        (
            "approval of another referral's draft",
            county(|log| {
                let index = draft(log, officer(), 1);
                approve(log, supervisor("002"), 2, index);
            }),
            D::TransferWithoutDraft,
        ),
        (
            "approval of a draft twice",
            county(|log| {
                let index = draft(log, officer(), 1);
                approve(log, supervisor("002"), 1, index);
                let dispatch = transfer(log, 1);
                send(log, supervisor("002"), dispatch);
                approve(log, supervisor("002"), 1, index);
            }),
            D::TransferWithoutDraft,
        ),
        (
            "approval of a transfer by an officer",
            county(|log| {
                let index = draft(log, officer(), 1);
                approve(log, person(COUNTY, Role::Officer, "003"), 1, index);
            }),
            D::ApproverNotSupervisor,
        ),
        (
            "approval of a transfer by who drafted it",
            county(|log| {
                let index = draft(log, supervisor("002"), 1);
                approve(log, supervisor("002"), 1, index);
            }),
            D::ApproverDraftedIt,
        ),
        (
            "approval of what is never sent",
            county(|log| approved(log, 1)),
            D::ApprovedAndNotSent,
        ),
        (
            "a transfer that nobody approved",
            county(|log| {
                draft(log, officer(), 1);
                let dispatch = transfer(log, 1);
                send(log, supervisor("002"), dispatch);
            }),
            D::TransferWithoutApproval,
        ),
        (
            "a transfer sent by another than its approver",
            county(|log| {
                approved(log, 1);
                let dispatch = transfer(log, 1);
                send(log, supervisor("003"), dispatch);
            }),
            D::TransferWithoutApproval,
        ),
        (
            "a transfer sent twice on one approval",
            county(|log| {
                approved(log, 1);
                for _ in 0..2 {
                    let dispatch = transfer(log, 1);
                    send(log, supervisor("002"), dispatch);
                }
            }),
            D::TransferWithoutApproval,
        ),
        (
            "a transfer that says another thing than its draft",
            county(|log| {
                approved(log, 1);
                let mut dispatch = transfer(log, 1);
                dispatch.commitment[0] ^= 1;
                send(log, supervisor("002"), dispatch);
            }),
            D::TransferNotAsDrafted,
        ),
    ]
}

#[test]
fn an_approval_whose_dispatch_does_not_follow_at_once_is_found_and_so_is_the_dispatch() {
    let between: [fn(&mut HandLog); 2] = [
        |log| {
            log.consult(officer(), vec![record(1)]);
        },
        // An entry of version 2: field 1, varint 2.
        |log| {
            log.append_leaf(vec![0x08, 0x02]);
        },
    ];
    for squeeze_in in between {
        let log = county(|log| {
            approved(log, 1);
            squeeze_in(log);
            let dispatch = transfer(log, 1);
            send(log, supervisor("002"), dispatch);
        });
        let report = log.inspect();
        let found = report.defects.first.iter();
        let found: Vec<_> = found.map(|d| (d.index, d.code)).collect();
        let last = log.size() - 1;
        assert_eq!(
            found,
            [
                (last - 2, D::ApprovedAndNotSent),
                (last, D::TransferWithoutApproval)
            ]
        );
    }
}
