//! Caught notices of a partner that lies: each is refused with proof and its reason, and none is shown as a notice.

use super::{
    leads,
    sender::{World, received},
    world::COUNTY,
};
use yichuan::{
    domain::{ArrestNoticeFields, Handling, RecordId, Timestamp, Urgency},
    entry::{DispatchSent, Entry, Kind, Refusal},
    merkle,
};

fn notice(n: usize) -> ArrestNoticeFields {
    ArrestNoticeFields {
        number: format!("GD-2026-{n:04}"),
        name: format!("测试{n:06}"),
        sex: "M".into(),
        resident_number: leads::resident_number(n),
        registered_code: "520624101".into(),
        registered_place: "思南县".into(),
        caught_on: "2024-05-06".into(),
        caught_code: "440304".into(),
        caught_place: "深圳市福田区".into(),
        substance: "冰毒".into(),
        conduct: "贩卖毒品".into(),
        measure: "刑事拘留".into(),
        case_number: "A4403040000002024050001".into(),
        ..Default::default()
    }
}

type Change = fn(&mut Entry, &mut DispatchSent);

fn as_it_is(_: &mut Entry, _: &mut DispatchSent) {}

#[tokio::test]
async fn notices_that_do_not_hold_are_refused_with_proof() {
    let mut world = World::new().await;
    let mut line = world.line().await;
    let had = received(world.log());
    let honest = world.forger.caught_but(COUNTY, &notice(1), as_it_is);
    let answers = line
        .deliver(&world.forger, std::slice::from_ref(&honest))
        .await;
    let (kept_at, entry) = world.proved(&answers, 0);
    assert!(matches!(entry.kind, Kind::DispatchReceived(_)), "{entry:?}");

    let other = |change: fn(&mut ArrestNoticeFields)| {
        let mut fields = notice(2);
        change(&mut fields);
        fields
    };
    let changed = ArrestNoticeFields {
        conduct: "另案".into(),
        ..notice(1)
    };
    let invalid = Refusal::InvalidContent;
    let lies: Vec<(&str, ArrestNoticeFields, Change, Refusal)> = vec![
        (
            "somebody else's resident",
            other(|f| f.registered_code = "330106".into()),
            as_it_is,
            invalid,
        ),
        (
            "nobody's number",
            other(|f| f.resident_number = "520624190001010000".into()),
            as_it_is,
            invalid,
        ),
        ("no name", other(|f| f.name.clear()), as_it_is, invalid),
        (
            "a lead that is not between the two",
            other(|f| f.lead_id = RecordId::new(Timestamp::from_millis(1)).to_string()),
            as_it_is,
            invalid,
        ),
        (
            "more urgent than a notice is",
            notice(2),
            |_, sent| {
                sent.urgency = Urgency::Critical;
                sent.terms.sign_within_s = yichuan::domain::sign_within_seconds(sent.urgency);
            },
            invalid,
        ),
        (
            "handled otherwise",
            notice(2),
            |_, sent| sent.handling = Handling::H3,
            invalid,
        ),
        (
            "after something",
            notice(2),
            |_, sent| sent.predecessors = vec![merkle::leaf_hash(b"something")],
            invalid,
        ),
        (
            "its number with other words",
            changed,
            as_it_is,
            Refusal::ChangedContent,
        ),
        (
            "itself under another id",
            notice(1),
            as_it_is,
            Refusal::Conflict,
        ),
    ];
    for (what, fields, change, expected) in lies {
        let parcel = world.forger.caught_but(COUNTY, &fields, change);
        let answers = line.deliver(&world.forger, &[parcel]).await;
        let (_, entry) = world.proved(&answers, 0);
        let Kind::DispatchRefused { reason, .. } = entry.kind else {
            panic!("{what} is not refused");
        };
        assert_eq!(reason, expected, "{what}");
    }
    let record = honest.sent.record;
    let taken = world
        .forger
        .caught_but(COUNTY, &notice(2), |_, sent| sent.record = record);
    let answers = line.deliver(&world.forger, &[taken]).await;
    let refused = world.proved(&answers, 0).1.kind;
    assert!(
        matches!(
            refused,
            Kind::DispatchRefused {
                reason: Refusal::Conflict,
                ..
            }
        ),
        "a record that is taken"
    );

    // Replayed, it is answered as before; what nobody holds against it is still taken.
    let answers = line.deliver(&world.forger, &[honest]).await;
    assert_eq!(world.proved(&answers, 0).0, kept_at);
    let next = world.forger.caught_but(COUNTY, &notice(2), |entry, _| {
        // An hour ahead is a clock that is off, and no more.
        entry.time = entry.time.plus_seconds(3_600);
    });
    line.deliver(&world.forger, &[next]).await;
    assert_eq!(received(world.log()), had + 2);
    world.goes_on().await;
    world.cluster.stop().await;
}
