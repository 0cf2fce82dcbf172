use super::*;
use crate::domain::{Finding, FindingCode as Code, Jurisdiction, Lang, Parsed, Rules, Sex};
use jiff::civil::Date;
use proptest::prelude::*;
use std::collections::BTreeSet;

const TODAY: Date = jiff::civil::date(2026, 8, 1);

fn jurisdiction(code: &str) -> Jurisdiction {
    code.parse().unwrap()
}

fn partners(codes: &[&str]) -> BTreeSet<Jurisdiction> {
    codes.iter().map(|code| jurisdiction(code)).collect()
}

/// An invented person, as a sheet has it.
fn sample() -> LeadFields {
    LeadFields {
        number: "SN202600001".into(),
        name: "钱癸子".into(),
        sex: "男".into(),
        resident_number: "522225190010142478".into(),
        registered_code: "520624111".into(),
        registered_place: "贵州省铜仁市思南县凉水井镇".into(),
        destination_code: "440232".into(),
        destination_place: "广东省韶关市乳源瑶族自治县".into(),
        substance: "海洛因".into(),
        conduct: "贩卖".into(),
        facts: "流入地查获包裹指向该人寄递".into(),
        collection_method: "讯问笔录".into(),
        collected_on: "2026-06-01".into(),
        source_grade: "D".into(),
        information_grade: "1".into(),
        urgency: "普通".into(),
        handling: "H0".into(),
        ..LeadFields::default()
    }
}

fn changed(column: Column, text: &str) -> LeadFields {
    let mut fields = sample();
    *fields.get_mut(column) = text.to_owned();
    fields
}

fn parse(fields: LeadFields) -> Result<Parsed, Vec<Finding>> {
    let partners = partners(&["440000", "330000"]);
    Lead::parse(
        &fields,
        &Rules {
            own: jurisdiction("520624"),
            partners: &partners,
            today: TODAY,
        },
    )
}

fn codes(fields: LeadFields) -> Vec<(Column, Code)> {
    match parse(fields) {
        Ok(parsed) => parsed.warnings,
        Err(findings) => findings,
    }
    .iter()
    .map(|f| (f.column.unwrap(), f.code))
    .collect()
}

#[test]
fn a_lead_reads_into_its_meaning() {
    let Parsed {
        record: lead,
        route,
        warnings,
    } = parse(sample()).unwrap();
    assert_eq!(route, jurisdiction("440000"));
    assert_eq!(warnings, []);
    assert_eq!(lead.sex(), Sex::Male);
    assert_eq!(lead.place().unwrap().as_str(), "440232");
    assert_eq!(lead.day(), jiff::civil::date(2026, 6, 1));
    assert_eq!(lead.terms(), (Urgency::Normal, Handling::H0));
    let fields = lead.to_fields();
    assert_eq!(fields.registered_code, "520624111");
    assert_eq!(
        (&*fields.source_grade, &*fields.information_grade),
        ("D", "1")
    );
    assert_eq!(
        (
            fields.sex.as_str(),
            fields.urgency.as_str(),
            fields.grade_scheme.as_str()
        ),
        ("M", "normal", "admiralty")
    );
    assert_eq!(Lead::reread(&fields).unwrap(), lead);
}

#[test]
fn each_defect_has_its_code_and_column() {
    use Column as C;
    for (column, text, code) in [
        (C::Number, "", Code::MissingValue),
        (C::Name, " \u{3000}\u{200b}", Code::MissingValue),
        (C::Name, &"甲".repeat(51), Code::TooLong),
        (C::Sex, "女", Code::SexMismatch),
        (C::Sex, "不详", Code::Unreadable),
        (C::ResidentNumber, "", Code::MissingValue),
        (C::ResidentNumber, "522225001014247", Code::Legacy15Digit),
        (C::ResidentNumber, "522225190010142479", Code::BadCheckDigit),
        (C::ResidentNumber, "5222251900101424781", Code::BadLength),
        (C::RegisteredCode, "52062", Code::Unreadable),
        (C::RegisteredCode, "520624999", Code::UnknownDivision),
        (C::DestinationCode, "", Code::MissingValue),
        (C::DestinationCode, "4401", Code::BadDestination),
        (C::DestinationCode, "990000", Code::BadDestination),
        (C::DestinationCode, "520624101", Code::OwnCountyDestination),
        (C::DestinationCode, "110101", Code::NoPartnerCard),
        (C::Name, "张三、李四", Code::SeveralNames),
        (C::Name, "不详", Code::NotAName),
        (C::Name, "张\u{3164}三", Code::OddCharacter),
        (C::Number, "-", Code::MissingValue),
        (C::Conduct, "—", Code::MissingValue),
        (C::Facts, "无", Code::NoFactualBasis),
        (C::Facts, " \n ", Code::NoFactualBasis),
        (C::Facts, &"实".repeat(2001), Code::TooLong),
        (C::CollectionMethod, "", Code::MissingValue),
        (C::CollectedOn, "2026-08-02", Code::FutureCollection),
        (C::CollectedOn, "六月", Code::Unreadable),
        (C::CollectedOn, "2026/6/1", Code::Normalised),
        (C::GradeScheme, "nato", Code::UnknownGrade),
        (C::SourceGrade, "Z", Code::UnknownGrade),
        (C::SourceGrade, "d", Code::Normalised),
        (C::InformationGrade, "7", Code::UnknownGrade),
        (C::InformationGrade, "", Code::MissingValue),
        (C::Urgency, "加急", Code::UnknownUrgency),
        (C::Handling, "H4", Code::UnknownHandling),
        (C::Handling, "ｈ１", Code::Normalised),
        (C::Remarks, &"备".repeat(501), Code::TooLong),
    ] {
        assert_eq!(
            codes(changed(column, text)),
            [(column, code)],
            "{column} {text:?}"
        );
    }
    assert!(parse(changed(C::CollectedOn, "2026-08-01")).is_ok());
    assert!(parse(changed(C::Substance, "")).is_ok());
}

#[test]
fn all_findings_of_a_row_are_given_the_most_important_first() {
    let fields = LeadFields {
        resident_number: "522225190010142479".into(),
        destination_code: "520624".into(),
        collected_on: "2099-01-01".into(),
        handling: String::new(),
        urgency: "特 急".into(),
        ..sample()
    };
    assert_eq!(
        codes(fields),
        [
            (Column::ResidentNumber, Code::BadCheckDigit),
            (Column::DestinationCode, Code::OwnCountyDestination),
            (Column::CollectedOn, Code::FutureCollection),
            (Column::Handling, Code::MissingValue),
            (Column::Urgency, Code::Normalised),
        ]
    );
}

#[test]
fn numbers_are_tidied_with_a_warning() {
    for text in [
        " 52222519040926 870x\u{3000}",
        "５２２２２５１９０４０９２６８７０Ｘ",
        "52222519040926870x",
    ] {
        let fields = LeadFields {
            sex: "女".into(),
            ..changed(Column::ResidentNumber, text)
        };
        let parsed = parse(fields).unwrap();
        assert_eq!(
            parsed.record.resident_number().as_str(),
            "52222519040926870X"
        );
        assert_eq!(
            parsed.warnings,
            [Finding::new(Column::ResidentNumber, Code::Normalised)],
            "{text}"
        );
    }
}

#[test]
fn a_birth_after_today_is_no_birth() {
    let partners = partners(&["440000"]);
    let rules = Rules {
        own: jurisdiction("520624"),
        partners: &partners,
        today: jiff::civil::date(1900, 10, 13),
    };
    let findings = Lead::parse(&sample(), &rules).unwrap_err();
    assert_eq!(
        findings,
        [
            Finding::new(Column::ResidentNumber, Code::BadBirthDate),
            Finding::new(Column::CollectedOn, Code::FutureCollection),
        ]
    );
    // Who reads it again has no such opinion.
    assert!(Lead::reread(&sample()).is_ok());
}

#[test]
fn the_most_specific_of_own_and_partners_decides() {
    let route = |own: &str, with: &[&str], to: &str| {
        let partners = partners(with);
        let rules = Rules {
            own: jurisdiction(own),
            partners: &partners,
            today: TODAY,
        };
        rules
            .route::<Column>(jurisdiction(to))
            .map(|j| j.to_string())
    };
    let to = |code: &str| Ok(code.to_owned());
    assert_eq!(
        route("520624", &["440000", "440200", "440232"], "440232"),
        to("440232")
    );
    assert_eq!(
        route("520624", &["440000", "440200"], "440232"),
        to("440200")
    );
    assert_eq!(
        route("520624", &["440000", "440200"], "440305"),
        to("440000")
    );
    assert_eq!(route("520624", &["520000"], "520601"), to("520000"));
    assert_eq!(
        route("520624", &["520000"], "520624"),
        Err(Code::OwnCountyDestination)
    );
    assert_eq!(route("440000", &["440300"], "440305"), to("440300"));
    assert_eq!(
        route("440000", &["440300"], "440232"),
        Err(Code::OwnCountyDestination)
    );
    assert_eq!(
        route("520624", &["440232"], "440200"),
        Err(Code::NoPartnerCard)
    );
    // A card of one's own is no partner's.
    assert_eq!(
        route("520624", &["520624"], "520624"),
        Err(Code::OwnCountyDestination)
    );
}

#[test]
fn content_is_the_same_only_where_every_field_is() {
    let content = |fields| Lead::reread(&fields).unwrap().canonical_content();
    let same = LeadFields {
        sex: "M".into(),
        urgency: "normal".into(),
        grade_scheme: "admiralty".into(),
        ..sample()
    };
    assert_eq!(content(sample()), content(same));
    let shifted = LeadFields {
        phone: "甲".into(),
        ..sample()
    };
    let other = LeadFields {
        plate: "甲".into(),
        ..sample()
    };
    assert_ne!(content(shifted), content(other));
}

#[test]
fn nothing_that_is_printed_shows_a_value() {
    let fields = LeadFields {
        phone: "13800000000".into(),
        plate: "贵D00000".into(),
        ..sample()
    };
    let parsed = parse(fields.clone()).unwrap();
    let mut said = format!("{fields:?}{parsed:?}{:?}", parsed.record);
    for column in Column::ALL {
        for finding in parse(changed(*column, "机密机密"))
            .err()
            .unwrap_or_default()
        {
            said += &format!(
                "{finding:?}{}{}",
                finding.message(Lang::Zh),
                finding.message(Lang::En)
            );
        }
    }
    for secret in [
        "钱癸子",
        "52222519",
        "13800",
        "贵D",
        "SN2026",
        "机密",
        "440232101",
    ] {
        assert!(!said.contains(secret), "{secret}");
    }
}

proptest! {
    #[test]
    fn what_was_read_reads_again_as_the_same(
        number in "[!-~]{1,64}", name in "\\PC{1,20}", facts in "\\PC{1,200}", remarks in "(\\PC|\n){0,100}",
    ) {
        let fields = LeadFields { number, name, facts, remarks, ..sample() };
        if let Ok(lead) = Lead::reread(&fields) {
            let again = Lead::reread(&lead.to_fields()).unwrap();
            prop_assert_eq!(again.canonical_content(), lead.canonical_content());
        }
    }

    #[test]
    fn no_text_panics(text in "(\\PC|[０-９Ｘ年月日/.-]|\\PC){0,40}", at in 0..Column::ALL.len()) {
        let column = Column::ALL[at];
        if let Err(findings) = parse(changed(column, &text)) {
            prop_assert!(findings.iter().any(|f| f.column == Some(column) && !f.is_warning()));
        }
    }
}
