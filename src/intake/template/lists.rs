//! The drop-downs of the template: which columns have one, their values, and what each value means.

use crate::domain::{Column, GradeScheme, Handling, Lang, Urgency};

/// A value that may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The value in the cell.
    pub(super) value: &'static str,
    /// Its meaning; empty if the value is self-explanatory.
    pub(super) meaning: &'static str,
}

/// A closed list of values for a column; several if another column decides which one applies.
#[derive(Clone, Debug)]
pub(super) struct List {
    /// The grading scheme for which it applies; `None` if it always does.
    pub(super) scheme: Option<GradeScheme>,
    pub(super) choices: Vec<Choice>,
}

/// The lists of a column; empty if it has none. The first one applies if no scheme is stated.
pub(super) fn lists(column: Column, lang: Lang) -> Vec<List> {
    let one = |choices: Vec<Choice>| {
        vec![List {
            scheme: None,
            choices,
        }]
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all others are free text, codes of places or days"
    )]
    match column {
        Column::Sex => one(vec![
            choice(lang.pick("男", "M"), lang.pick("", "male, 男")),
            choice(lang.pick("女", "F"), lang.pick("", "female, 女")),
        ]),
        Column::Urgency => one(Urgency::ALL.iter().map(|u| urgency(*u, lang)).collect()),
        Column::Handling => one(Handling::ALL.iter().map(|h| handling(*h, lang)).collect()),
        Column::GradeScheme => one(GradeScheme::ALL.iter().map(|s| scheme(*s, lang)).collect()),
        Column::SourceGrade => graded(GradeScheme::source_grades, source_meaning, lang),
        Column::InformationGrade => {
            graded(GradeScheme::information_grades, information_meaning, lang)
        }
        _ => Vec::new(),
    }
}

const fn choice(value: &'static str, meaning: &'static str) -> Choice {
    Choice { value, meaning }
}

const fn urgency(urgency: Urgency, lang: Lang) -> Choice {
    let meaning = match urgency {
        Urgency::Normal => lang.pick("24小时内签收", "sign within 24 hours"),
        Urgency::Urgent => lang.pick("8小时内签收", "sign within 8 hours"),
        Urgency::Critical => lang.pick("8小时内签收，列在最前", "sign within 8 hours, shown first"),
    };
    choice(urgency.label(lang), meaning)
}

const fn handling(handling: Handling, lang: Lang) -> Choice {
    let meaning = match handling {
        Handling::H0 => lang.pick("供公安机关使用", "police use"),
        Handling::H1 => lang.pick(
            "供公安机关使用，不得作为证据",
            "police use, not as evidence",
        ),
        Handling::H2 => lang.pick(
            "仅供接收单位使用，不得转发、共享或带入其他协查",
            "use by the recipient's unit: no forwarding, sharing or carrying into another referral",
        ),
        Handling::H3 => lang.pick(
            "仅供指明的单位使用，他人不得打开，其余同 H2",
            "use by the unit named: nobody else opens it, and all that H2 blocks",
        ),
    };
    choice(handling.as_str(), meaning)
}

const fn scheme(scheme: GradeScheme, lang: Lang) -> Choice {
    let meaning = match scheme {
        GradeScheme::Admiralty => lang.pick(
            "海军部制：来源 A–F，信息 1–6",
            "Admiralty: source A–F, information 1–6",
        ),
        GradeScheme::Europol4x4 => lang.pick(
            "欧洲刑警 4×4：来源 A、B、C、X，信息 1–4",
            "Europol 4×4: source A, B, C, X, information 1–4",
        ),
        GradeScheme::Uk3x5x2 => lang.pick(
            "英国 3×5×2：来源 1–3，信息 A–E",
            "UK 3×5×2: source 1–3, information A–E",
        ),
    };
    choice(scheme.as_str(), meaning)
}

fn graded(
    grades: impl Fn(GradeScheme) -> &'static str,
    meaning: impl Fn(GradeScheme, &str, Lang) -> &'static str,
    lang: Lang,
) -> Vec<List> {
    GradeScheme::ALL
        .iter()
        .map(|scheme| {
            // Every grade is one ASCII character.
            let grades = grades(*scheme).split_inclusive(|_: char| true);
            List {
                scheme: Some(*scheme),
                choices: grades
                    .map(|grade| choice(grade, meaning(*scheme, grade, lang)))
                    .collect(),
            }
        })
        .collect()
}

/// The meaning from the scheme's own handbook.
fn source_meaning(scheme: GradeScheme, grade: &str, lang: Lang) -> &'static str {
    let (zh, en) = match (scheme, grade) {
        (GradeScheme::Admiralty, "A") => ("完全可靠", "completely reliable"),
        (GradeScheme::Admiralty, "B") => ("通常可靠", "usually reliable"),
        (GradeScheme::Admiralty, "C") => ("比较可靠", "fairly reliable"),
        (GradeScheme::Admiralty, "D") => ("通常不可靠", "not usually reliable"),
        (GradeScheme::Admiralty, "E") => ("不可靠", "unreliable"),
        (GradeScheme::Admiralty, "F") => ("无法判断", "cannot be judged"),
        (GradeScheme::Europol4x4, "A") => ("可靠性没有疑问", "no doubt of its reliability"),
        (GradeScheme::Europol4x4, "B") => ("多数情况下可靠", "reliable in most instances"),
        (GradeScheme::Europol4x4, "C") => ("多数情况下不可靠", "unreliable in most instances"),
        (GradeScheme::Europol4x4, "X") => ("无法判断", "cannot be judged"),
        (GradeScheme::Uk3x5x2, "1") => ("可靠", "reliable"),
        (GradeScheme::Uk3x5x2, "2") => ("未经检验", "untested"),
        (GradeScheme::Uk3x5x2, "3") => ("不可靠", "not reliable"),
        _ => ("", ""),
    };
    lang.pick(zh, en)
}

fn information_meaning(scheme: GradeScheme, grade: &str, lang: Lang) -> &'static str {
    let (zh, en) = match (scheme, grade) {
        (GradeScheme::Admiralty, "1") => ("已被其他来源证实", "confirmed by other sources"),
        (GradeScheme::Admiralty, "2") => ("很可能属实", "probably true"),
        (GradeScheme::Admiralty, "3") => ("可能属实", "possibly true"),
        (GradeScheme::Admiralty, "4") => ("存疑", "doubtful"),
        (GradeScheme::Admiralty, "5") => ("不太可能", "improbable"),
        (GradeScheme::Admiralty, "6") => ("无法判断", "cannot be judged"),
        (GradeScheme::Europol4x4, "1") => ("准确性没有疑问", "no doubt of its accuracy"),
        (GradeScheme::Europol4x4, "2") => (
            "来源亲知，报送人员不知",
            "known personally to the source, not to the officer who passes it on",
        ),
        (GradeScheme::Europol4x4, "3") => (
            "来源非亲知，有其他材料印证",
            "not known personally to the source, but corroborated",
        ),
        (GradeScheme::Europol4x4, "4") => (
            "来源非亲知，无法印证",
            "not known personally to the source, and not corroborated",
        ),
        (GradeScheme::Uk3x5x2, "A") => ("来源直接知悉", "known directly to the source"),
        (GradeScheme::Uk3x5x2, "B") => (
            "来源间接知悉，有印证",
            "known indirectly to the source, but corroborated",
        ),
        (GradeScheme::Uk3x5x2, "C") => ("来源间接知悉", "known indirectly to the source"),
        (GradeScheme::Uk3x5x2, "D") => ("不清楚来源如何知悉", "not known how the source knows"),
        (GradeScheme::Uk3x5x2, "E") => ("疑为虚假", "suspected to be false"),
        _ => ("", ""),
    };
    lang.pick(zh, en)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{GradeScheme, Sex};

    fn values(column: Column, lang: Lang) -> Vec<(Option<GradeScheme>, Choice)> {
        let lists = lists(column, lang).into_iter();
        lists
            .flat_map(|list| list.choices.into_iter().map(move |c| (list.scheme, c)))
            .collect()
    }

    #[test]
    fn every_value_is_one_that_is_read() {
        for lang in [Lang::Zh, Lang::En] {
            for (_, sex) in values(Column::Sex, lang) {
                assert!(Sex::parse(sex.value).is_some(), "{sex:?}");
            }
            for (_, urgency) in values(Column::Urgency, lang) {
                assert!(urgency.value.parse::<Urgency>().is_ok(), "{urgency:?}");
            }
            for (_, handling) in values(Column::Handling, lang) {
                assert!(handling.value.parse::<Handling>().is_ok(), "{handling:?}");
            }
            for (source_scheme, source) in values(Column::SourceGrade, lang) {
                let stated = source_scheme.unwrap().as_str();
                let mut informations = values(Column::InformationGrade, lang);
                informations.retain(|(scheme, _)| *scheme == source_scheme);
                assert!(informations.len() > 3);
                for (_, information) in informations {
                    let read = GradeScheme::of_grades(stated, source.value, information.value);
                    assert!(read.is_ok(), "{stated} {source:?} {information:?}");
                }
            }
        }
    }

    #[test]
    fn every_grade_has_a_meaning() {
        for lang in [Lang::Zh, Lang::En] {
            for column in [Column::SourceGrade, Column::InformationGrade] {
                for (scheme, grade) in values(column, lang) {
                    assert!(!grade.meaning.is_empty(), "{scheme:?} {grade:?}");
                }
            }
        }
    }
}
