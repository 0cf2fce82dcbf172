use super::{ArrestNoticeColumn as Column, *};
use crate::domain::{Finding, Jurisdiction, Parsed, Rules};
use std::collections::BTreeSet;

fn fields() -> ArrestNoticeFields {
    ArrestNoticeFields {
        number: "GD-2026-0001".into(),
        name: "钱癸子".into(),
        sex: "男".into(),
        resident_number: "522225190010142478".into(),
        registered_code: "520624101".into(),
        caught_on: "2026/6/1".into(),
        caught_code: "440304".into(),
        conduct: "贩卖毒品".into(),
        measure: "刑事拘留".into(),
        case_number: "a4403040000002026060001".into(),
        ..ArrestNoticeFields::default()
    }
}

fn parse(
    change: impl FnOnce(&mut ArrestNoticeFields),
) -> Result<Parsed<Column>, Vec<Finding<Column>>> {
    let partners: BTreeSet<Jurisdiction> = ["520624".parse().unwrap()].into();
    let mut fields = fields();
    change(&mut fields);
    let rules = Rules {
        own: "440000".parse().unwrap(),
        partners: &partners,
        today: jiff::civil::date(2026, 6, 2),
    };
    ArrestNotice::parse(&fields, &rules)
}

#[test]
fn a_notice_goes_to_the_origin_in_one_spelling() {
    let parsed = parse(|_| {}).unwrap();
    assert_eq!(parsed.route.as_str(), "520624");
    let said = parsed.record.to_fields();
    assert_eq!(
        (said.sex.as_str(), said.caught_on.as_str()),
        ("M", "2026-06-01")
    );
    assert_eq!(said.case_number, "A4403040000002026060001");
    // Read again, it says the same, and another spelling of the same is the same.
    let again = ArrestNotice::reread(&said).unwrap();
    assert_eq!(again.canonical_content(), parsed.record.canonical_content());
    let other = parse(|f| f.measure = "取保候审".into()).unwrap().record;
    assert_ne!(other.canonical_content(), again.canonical_content());
}

#[test]
fn each_defect_has_its_column_and_code() {
    let found = |change: fn(&mut ArrestNoticeFields)| {
        let findings = parse(change).unwrap_err();
        let worst = findings.first().unwrap();
        (worst.column.unwrap(), worst.code)
    };
    use Column as C;
    use FindingCode as F;
    assert_eq!(
        found(|f| f.case_number.clear()),
        (C::CaseNumber, F::MissingValue)
    );
    assert_eq!(
        found(|f| f.case_number = "A1".into()),
        (C::CaseNumber, F::BadCaseNumber)
    );
    assert_eq!(
        found(|f| f.caught_on = "2026-06-03".into()),
        (C::CaughtOn, F::FutureCatch)
    );
    assert_eq!(
        found(|f| f.registered_code = "440304".into()),
        (C::RegisteredCode, F::OwnResident)
    );
    assert_eq!(
        found(|f| f.registered_code = "330106".into()),
        (C::RegisteredCode, F::NoOriginPartner)
    );
    assert_eq!(
        found(|f| f.resident_number = "522225190010142470".into()),
        (C::ResidentNumber, F::BadCheckDigit)
    );
    assert_eq!(found(|f| f.sex = "女".into()), (C::Sex, F::SexMismatch));
    assert_eq!(
        found(|f| f.lead_id = "1".into()),
        (C::LeadId, F::UnknownLead)
    );
    assert_eq!(
        found(|f| f.conduct = "长".repeat(501)),
        (C::Conduct, F::TooLong)
    );
    // Nobody is left out: a bare name names all that it lacks.
    let bare = ArrestNoticeFields {
        name: "钱癸子".into(),
        ..ArrestNoticeFields::default()
    };
    let missing = ArrestNotice::reread(&bare).unwrap_err();
    let required = Column::ALL.iter().filter(|c| c.is_required()).count();
    assert_eq!(missing.len(), required - 1);
}

#[test]
fn debug_shows_nothing_about_anybody() {
    let parsed = parse(|_| {}).unwrap();
    let shown = format!("{parsed:?}{:?}", parsed.record.to_fields());
    assert!(
        !shown.contains("钱癸子") && !shown.contains("5222"),
        "{shown}"
    );
}
