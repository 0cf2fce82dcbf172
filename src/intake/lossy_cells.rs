//! Cells that have lost their value: a spreadsheet program has rounded it, converted it, or never computed it. What is
//! left may not pass for what was typed, not even when it comes back in a sheet of refused rows.

use crate::domain::{FindingCode, Lang, ResidentNumber, SheetColumn};

/// Written into a returned cell instead of its lost value. Whoever reads it again knows that nobody has corrected it.
const MARKERS: [(FindingCode, [&str; 2]); 7] = [
    (
        FindingCode::NumericId,
        ["…末位失真，请重填", "… lost digits"],
    ),
    (
        FindingCode::RoundedId,
        ["…末位失真，请重填", "… lost digits"],
    ),
    (
        FindingCode::ShownOtherwise,
        ["…与显示不符，请重填", "… shown otherwise"],
    ),
    (
        FindingCode::PictureInCell,
        ["…原为图片，请填写", "… a picture, fill in"],
    ),
    (
        FindingCode::NotAsTyped,
        ["…已失真，请重填", "… not as typed"],
    ),
    (
        FindingCode::NotComputed,
        ["…公式未计算，请重填", "… not computed"],
    ),
    (
        FindingCode::MergedCell,
        ["…原为合并单元格，请填写", "… merged, fill in"],
    ),
];

/// The marker of a cell that has lost its value in this way; `None` if its text can be returned.
pub(super) fn marker(code: FindingCode, lang: Lang) -> Option<&'static str> {
    MARKERS
        .iter()
        .find(|(of, _)| *of == code)
        .map(|(_, [zh, en])| lang.pick(zh, en))
}

/// What is wrong with a text, whoever wrote it: a marker that nobody has replaced, the name of an error, a number that
/// has lost digits. `is_rounded` tells whether others in its column have.
pub(super) fn in_text(
    text: &str,
    column: impl SheetColumn,
    is_rounded: bool,
) -> Option<FindingCode> {
    let is_marked = MARKERS
        .iter()
        .any(|(_, marks)| marks.iter().any(|mark| text.ends_with(mark)));
    if is_marked {
        return Some(FindingCode::Unmended);
    }
    if is_error(text) {
        return Some(FindingCode::ErrorValue);
    }
    if column.is_citizen_number() {
        let is_lost = has_lost_digits(text) || (is_rounded && ends_in_zeros(text));
        return is_lost.then_some(FindingCode::RoundedId);
    }
    let is_long_float = !column.is_prose() && whole(text).is_some_and(|digits| digits.len() > 15);
    (is_scientific(text) || is_long_float).then_some(FindingCode::NotAsTyped)
}

/// Whether this is the name of an error, as spreadsheet programs show it instead of a value.
fn is_error(text: &str) -> bool {
    let named = |name: &str| {
        name.chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '/' | '_'))
    };
    match text.strip_prefix('#') {
        Some("N/A" | "GETTING_DATA") => true,
        Some(rest) => rest
            .strip_suffix(['!', '?'])
            .is_some_and(|name| name.len() > 2 && named(name)),
        None => {
            let code = text.strip_prefix("Err:").unwrap_or_default();
            ["NaN", "nan"].contains(&text)
                || (code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()))
        }
    }
}

/// Whether this is a citizen number that went through a number cell before it became text: `5.22225E+17`, a fraction,
/// or zeros for the last three digits, because such a cell keeps only fifteen.
pub(super) fn has_lost_digits(text: &str) -> bool {
    let is_scientific = text.contains(['E', 'e']) && text.parse::<f64>().is_ok_and(f64::is_finite);
    let is_rounded = ends_in_zeros(text) && ResidentNumber::parse(text).is_err();
    is_scientific || is_rounded || whole(text).is_some_and(|digits| digits.len() > 15)
}

/// Whether this is eighteen digits of which the last three are zeros. One woman's number in eleven hundred is like
/// this, and one in eleven of the rounded numbers passes for a valid one.
pub(super) fn ends_in_zeros(text: &str) -> bool {
    text.len() == 18 && text.ends_with("000") && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether this is a long number as a number cell writes it to a CSV file: `5.20624E+16`. No column has values of that
/// form.
fn is_scientific(text: &str) -> bool {
    text.contains(['E', 'e']) && text.contains('+') && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// The digits before the `.0` that programs append to a whole number.
pub(super) fn whole(text: &str) -> Option<&str> {
    let digits = text.strip_suffix(".0")?;
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Column;

    #[test]
    fn names_of_errors_are_no_values() {
        for error in [
            "#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#SPILL!", "#ERROR!", "Err:508", "NaN",
        ] {
            let found = in_text(error, Column::Phone, false);
            assert_eq!(found, Some(FindingCode::ErrorValue), "{error}");
        }
        for text in [
            "#1",
            "#!",
            "# 备注!",
            "3号楼#A!",
            "Err:5",
            "Nan",
            "N/A",
            "#5楼!",
        ] {
            assert_eq!(in_text(text, Column::Remarks, false), None, "{text}");
        }
    }

    #[test]
    fn a_mark_is_known_again_in_either_language() {
        for (code, marks) in MARKERS {
            for (lang, mark) in [Lang::Zh, Lang::En].into_iter().zip(marks) {
                assert_eq!(marker(code, lang), Some(mark));
                let found = in_text(mark, Column::Remarks, false);
                assert_eq!(found, Some(FindingCode::Unmended));
            }
        }
        assert_eq!(marker(FindingCode::MissingValue, Lang::Zh), None);
    }
}
