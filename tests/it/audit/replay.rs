//! Reading back, and choosing what to read.

use super::{
    inspect::honest,
    two_logs::{COUNTY, HandLog, PROVINCE, START_MS, code, node, person, record},
};
use yichuan::{
    access::{Quota, QuotaReport, Role},
    audit::{KindName, PrincipalFilter, ReplayFilter, ReplayRow},
    domain::Timestamp,
    entry::{Consultation, Kind},
};

fn rows(log: &HandLog, filter: &ReplayFilter) -> Vec<ReplayRow> {
    let leaves = (0..).zip(&log.leaves);
    let rows = leaves.filter_map(|(index, leaf)| filter.row(index, leaf));
    rows.collect()
}

fn indexes(log: &HandLog, filter: ReplayFilter) -> Vec<u64> {
    rows(log, &filter).iter().map(|row| row.index).collect()
}

#[test]
fn every_entry_is_a_row_and_every_kind_has_its_name() {
    let (county, province) = honest();
    for log in [&county, &province] {
        let rows = rows(log, &ReplayFilter::default());
        assert_eq!(rows.len(), log.leaves.len());
        for row in rows {
            let kind: KindName = row.kind.parse().unwrap();
            let only = ReplayFilter {
                kinds: [kind].into(),
                from: row.index,
                to: Some(row.index + 1),
                ..ReplayFilter::default()
            };
            assert_eq!(indexes(log, only), [row.index]);
        }
    }
    assert_eq!(KindName::all().count(), 20);
    assert!("dispatch".parse::<KindName>().is_err());
}

#[test]
fn a_row_says_what_the_entry_says_under_names_that_stay() {
    let (county, _) = honest();
    let rows = rows(&county, &ReplayFilter::default());
    let json = |index: usize| serde_json::to_value(&rows[index]).unwrap();
    let sent = json(4);
    assert_eq!(sent["kind"], "dispatch_sent");
    assert_eq!(sent["index"], 4);
    assert_eq!(sent["time"], "2026-03-05T00:00:05.000+08:00");
    assert_eq!(sent["time_ms"], START_MS + 5_000);
    assert_eq!(sent["principal"], "spiffe://520624.yichuan/officer/001");
    assert_eq!(sent["purpose"], "screening");
    assert_eq!(sent["basis"], "campaign:520624-2026-01");
    assert_eq!(sent["dispatch_id"], "01010101-0101-0101-0101-010101010101");
    assert_eq!(
        (&sent["from"], &sent["to"]),
        (&COUNTY.into(), &PROVINCE.into())
    );
    assert_eq!(
        (&sent["action"], &sent["handling"]),
        (&"lead".into(), &"H0".into())
    );
    assert!(sent.get("refusal").is_none() && sent.get("records").is_none());

    let receipt = json(6);
    assert_eq!(receipt["kind"], "receipt_logged");
    assert_eq!(
        (&receipt["sender_index"], &receipt["partner_index"]),
        (&4.into(), &4.into())
    );
    assert_eq!(receipt["partner_time"], "2026-03-05T00:00:05.000+08:00");
    assert_eq!(receipt["origin"], "440000.yichuan/log/1");
    assert!(receipt.get("purpose").is_none());

    let refusal = json(7);
    assert_eq!(refusal["refusal"], "changed_content");
    let returned = json(8);
    assert_eq!(returned["return_reason"], "not_competent");
    let consulted = json(10);
    assert_eq!(consulted["how"], "open");
    assert_eq!(consulted["records"][0], record(4).to_string());
}

#[test]
fn assignments_and_overrides_are_in_the_rows() {
    let (mut county, _) = honest();
    let supervisor = || person(COUNTY, Role::Supervisor, "001");
    let assigned = Kind::RecordAssigned {
        record: record(1),
        assignee: Some("unit/narcotics".parse().unwrap()),
    };
    let overridden = Kind::Consulted {
        how: Consultation::Open,
        records: vec![record(1)],
        overridden: true,
    };
    let first = county.append(supervisor(), assigned);
    county.append(supervisor(), overridden);
    let filter = ReplayFilter {
        from: first,
        record: Some(record(1)),
        ..ReplayFilter::default()
    };
    let rows = rows(&county, &filter);
    assert_eq!(rows[0].assignee.as_deref(), Some("unit/narcotics"));
    assert_eq!(rows[0].overridden, None);
    assert_eq!(rows[1].overridden, Some(true));
    assert!(county.inspect().is_clean());
}

#[test]
fn who_reached_a_quota_is_in_the_rows() {
    let (mut county, _) = honest();
    let report = QuotaReport {
        principal: person("440000", Role::Officer, "007").principal,
        quota: Quota::Misses,
        limit: 100,
        counted: 100,
        window_s: 3_600,
        refused: true,
    };
    let first = county.append(node(COUNTY), Kind::QuotaReached(report));
    let filter = ReplayFilter {
        from: first,
        ..ReplayFilter::default()
    };
    // Whoever asks what an officer did finds it, though it is the node that says so.
    let of_007 = ReplayFilter {
        principal: Some("spiffe://440000.yichuan/officer/007".parse().unwrap()),
        ..ReplayFilter::default()
    };
    assert_eq!(indexes(&county, of_007), [first]);
    let rows = rows(&county, &filter);
    let row = serde_json::to_value(&rows[0]).unwrap();
    assert_eq!(row["kind"], "quota_reached");
    assert_eq!(row["principal"], "spiffe://520624.yichuan/node");
    assert_eq!(row["who"], "spiffe://440000.yichuan/officer/007");
    assert_eq!(
        (&row["quota"], &row["refused"]),
        (&"misses_per_hour".into(), &true.into())
    );
    assert_eq!(
        (&row["limit"], &row["window_s"]),
        (&100.into(), &3_600.into())
    );
    assert!(county.inspect().is_clean());
}

#[test]
fn each_part_of_a_filter_restricts() {
    let (county, province) = honest();
    let principal = |who: &str| ReplayFilter {
        principal: Some(who.parse().unwrap()),
        ..ReplayFilter::default()
    };
    let all = county.size();
    assert_eq!(indexes(&county, principal("auditor")), [10]);
    assert_eq!(
        indexes(&county, principal("spiffe://520624.yichuan/supervisor/002")),
        [3]
    );
    assert_eq!(indexes(&county, principal(PROVINCE)), [0; 0]);
    assert_eq!(indexes(&province, principal(COUNTY)), [7]);
    assert_eq!(indexes(&county, principal(COUNTY)).len() as u64, all);
    assert!("officer/001".parse::<PrincipalFilter>().is_err());

    // The lead, its receipt and its return: through entries within entries.
    let about = |number| ReplayFilter {
        record: Some(record(number)),
        ..ReplayFilter::default()
    };
    assert_eq!(indexes(&county, about(1)), [4, 6, 8]);
    assert_eq!(indexes(&province, about(1)), [4, 6, 7, 8, 10]);
    assert_eq!(indexes(&county, about(9)), [0; 0]);

    let with = |other| ReplayFilter {
        counterpart: Some(code(other)),
        ..ReplayFilter::default()
    };
    assert_eq!(
        indexes(&county, with(PROVINCE)),
        [3, 4, 5, 6, 7, 8, 9, 11, 12]
    );
    assert_eq!(indexes(&county, with("330000")), [0; 0]);

    let between = ReplayFilter {
        since: Some(Timestamp::from_millis(START_MS + 2_000)),
        before: Some(Timestamp::from_millis(START_MS + 4_000)),
        ..ReplayFilter::default()
    };
    assert_eq!(indexes(&county, between), [1, 2]);
    let purpose = |purpose: &str| ReplayFilter {
        purpose: Some(purpose.parse().unwrap()),
        ..ReplayFilter::default()
    };
    assert_eq!(
        indexes(&county, purpose("screening")),
        [2, 3, 4, 5, 9, 10, 12]
    );
    assert_eq!(indexes(&county, purpose("case")), [0; 0]);
}

#[test]
fn what_cannot_be_read_is_shown_whatever_is_looked_for() {
    let (mut county, _) = honest();
    let newer = county.append_leaf(vec![0x08, 0x02]);
    let unreadable = county.append_leaf(b"entry".to_vec());
    let filter = ReplayFilter {
        record: Some(record(5)),
        ..ReplayFilter::default()
    };
    let rows = rows(&county, &filter);
    let shown: Vec<_> = rows.iter().map(|row| (row.index, row.kind)).collect();
    assert_eq!(
        shown,
        [
            (newer - 1, "dispatch_sent"),
            (newer, ReplayRow::UNKNOWN),
            (unreadable, ReplayRow::UNREADABLE)
        ]
    );
    assert!(rows[1].defect.as_deref().unwrap().contains("version 2"));
}

#[test]
fn reading_stops_where_the_range_ends() {
    let filter = ReplayFilter {
        from: 11,
        to: Some(13),
        ..ReplayFilter::default()
    };
    let read = |index: &u64| filter.row(*index, b"entry").is_some();
    assert_eq!((9..20).filter(read).collect::<Vec<_>>(), [11, 12]);
}
