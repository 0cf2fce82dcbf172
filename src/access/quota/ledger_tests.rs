use super::*;
use crate::access::Role;

const QUOTAS: Quotas = Quotas {
    calls_per_minute: 10,
    pushed_per_minute: 10,
    pushed_per_day: 100,
    opened_per_hour: 5,
    searches_per_hour: 300,
    misses_per_hour: 100,
    conflicts_per_hour: 5,
    dispatches_per_minute: 10,
    dispatches_per_day: 10,
    logged_bytes_per_day: 1_000,
    streams: 2,
};

fn ledger() -> Ledger {
    Ledger::new("520624".parse().unwrap(), QUOTAS)
}

fn officer(of: &str, number: usize) -> Principal {
    Principal::person(of.parse().unwrap(), Role::Officer, &number.to_string()).unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_772_640_000_000).plus_seconds(seconds)
}

#[test]
fn one_principal_does_not_use_up_anothers_and_a_refusal_says_when_to_come_back() {
    let (mut ledger, one, other) = (ledger(), officer("520624", 1), officer("520624", 2));
    for _ in 0..5 {
        ledger.spend(&one, Quota::Opened, 1, at(0)).unwrap();
    }
    let reach = ledger.spend(&one, Quota::Opened, 1, at(0)).unwrap_err();
    assert_eq!(reach.exceeded.quota, Quota::Opened);
    assert_eq!(
        (reach.exceeded.limit, reach.exceeded.retry_after_s),
        (5, 720)
    );
    ledger.spend(&other, Quota::Opened, 1, at(0)).unwrap();
    ledger.spend(&one, Quota::Opened, 1, at(720)).unwrap();
}

#[test]
fn regression_what_was_spent_of_a_small_quota_is_given_back_once() {
    let (mut ledger, who) = (ledger(), officer("520624", 1));
    let limit = QUOTAS.logged_bytes_per_day;
    // More than the quota, which counts as all of it. Given back but for what was used, that stays used.
    ledger
        .spend(&who, Quota::Logged, limit * 18, at(0))
        .unwrap();
    ledger.give_back(&who, Quota::Logged, (limit * 18, limit / 4), at(0));
    let rest = limit - limit / 4;
    ledger.spend(&who, Quota::Logged, rest, at(0)).unwrap();
    ledger.spend(&who, Quota::Logged, 1, at(0)).unwrap_err();
}

#[test]
fn it_is_reported_once_a_window() {
    let (mut ledger, who) = (ledger(), officer("520624", 1));
    let mut reports = Vec::new();
    for second in 0..7_200 {
        if let Err(reach) = ledger.spend(&who, Quota::Opened, 1, at(second)) {
            reports.extend(reach.report.map(|report| (second, report)));
        }
    }
    let when: Vec<_> = reports.iter().map(|(second, _)| *second).collect();
    assert_eq!(when, [5, 3_605]);
    let (_, report) = reports.remove(0);
    assert_eq!((report.principal, report.refused), (who, true));
}

#[test]
fn identities_without_end_gain_no_more_than_a_jurisdictions_share() {
    let mut ledger = ledger();
    let mut opened = 0;
    for number in 0..10_000 {
        let spent = ledger.spend(&officer("440000", number), Quota::Opened, 1, at(0));
        opened += u32::from(spent.is_ok());
    }
    assert_eq!(opened, QUOTAS.opened_per_hour * CROWD);
    let kept = |of: &str| ledger.books[&of.parse().unwrap()].people.len();
    assert_eq!(kept("440000"), FOREIGN_ACCOUNTS);
    // The node's own people, and another partner's, are where they were.
    ledger
        .spend(&officer("520624", 1), Quota::Opened, 1, at(0))
        .unwrap();
    ledger
        .spend(&officer("330000", 1), Quota::Opened, 1, at(0))
        .unwrap();

    let mut searched = 0;
    for number in 0..10_000 {
        let found = ledger.search(&officer("330000", number), &number.to_string(), at(0));
        searched += u32::from(found.is_ok());
    }
    assert!(searched < QUOTAS.searches_per_hour * CROWD, "{searched}");
}

#[test]
fn regression_a_partner_that_makes_officers_without_end_gets_no_new_day() {
    let mut ledger = ledger();
    let node = Principal::node("440000".parse().unwrap());
    let mut passed = 0;
    for round in 0..5 {
        while ledger.spend(&node, Quota::Dispatches, 1, at(0)).is_ok() {
            passed += 1;
        }
        for number in 0..=FOREIGN_ACCOUNTS {
            let officer = officer("440000", round * 1_000 + number);
            drop(ledger.spend(&officer, Quota::Calls, 1, at(0)));
        }
    }
    assert_eq!(passed, QUOTAS.dispatches_per_day);
}

#[test]
fn enumeration_is_reported_when_it_is_slowed_and_when_it_is_refused() {
    let (mut ledger, who) = (ledger(), officer("520624", 1));
    let (mut reports, mut now) = (Vec::new(), 0);
    for number in 0..400 {
        now += 8;
        match ledger.search(&who, &number.to_string(), at(now)) {
            Ok(search) => {
                reports.extend(search.report);
                ledger.missed(&who, at(now));
            }
            Err(reach) => reports.extend(reach.report),
        }
    }
    let said: Vec<_> = reports.iter().map(|r| (r.quota, r.refused)).collect();
    assert_eq!(said[..2], [(Quota::Misses, false), (Quota::Misses, true)]);
    assert_eq!((reports[1].limit, reports[1].counted), (100, 100));
}

#[test]
fn streams_are_counted_up_and_down() {
    let (mut ledger, who) = (ledger(), officer("520624", 1));
    assert!(ledger.open_stream(&who).is_some());
    assert!(ledger.open_stream(&who).is_some());
    assert!(ledger.open_stream(&who).is_none());
    ledger.close_stream(&who);
    assert!(ledger.open_stream(&who).is_some());
}

#[test]
fn who_has_a_stream_open_is_not_forgotten_for_others() {
    let mut ledger = ledger();
    let busy = officer("440000", 99_999);
    ledger.open_stream(&busy).unwrap();
    ledger.open_stream(&busy).unwrap();
    for number in 0..FOREIGN_ACCOUNTS * 2 {
        drop(ledger.spend(&officer("440000", number), Quota::Calls, 1, at(0)));
    }
    assert!(ledger.open_stream(&busy).is_none());
}
