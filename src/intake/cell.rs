//! Cells: what a spreadsheet made of what was typed, and what of that can be taken back.

use crate::domain::{FindingCode, ResidentNumber, SheetColumn};
use calamine::{DataRef, ExcelDateTime, ExcelDateTimeType};
use std::borrow::Cow;

/// Longer text is cut: it is beyond every column's limit already, and is refused for that.
const MAX_CHARS: usize = 4_096;
/// Numbers from here on have more digits than the fifteen that a number cell keeps.
const TOO_LONG: f64 = 1e15;
const APOSTROPHES: [char; 3] = ['\'', '‘', '’'];
/// Serial days that are dates and nothing else: 2000 to 2099.
const SERIALS: std::ops::RangeInclusive<f64> = 36_526.0..=73_050.0;

/// A cell as it was found.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// Text.
    Text(String),
    /// A number; also a count of days, if it is one.
    Number(f64, ExcelDateTime),
    /// A number shown as a date.
    Date(ExcelDateTime),
}

impl Cell {
    /// From what the workbook reader gives; none where there is nothing to read, which an error cell (`#REF!`) is too.
    pub(super) fn new(data: &DataRef<'_>, is_1904: bool) -> Option<Self> {
        let number = |n: f64| {
            Self::Number(
                n,
                ExcelDateTime::new(n, ExcelDateTimeType::DateTime, is_1904),
            )
        };
        match data {
            DataRef::String(text) => Self::text(text),
            DataRef::SharedString(text) => Self::text(text),
            DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Self::text(text),
            DataRef::Bool(value) => Self::text(if *value { "TRUE" } else { "FALSE" }),
            #[expect(
                clippy::cast_precision_loss,
                reason = "the file has decimal text, which is read as f64 everywhere else"
            )]
            DataRef::Int(n) => Some(number(*n as f64)),
            DataRef::Float(n) => Some(number(*n)),
            DataRef::DateTime(when) if when.is_datetime() => Some(Self::Date(*when)),
            DataRef::DateTime(when) => Some(number(when.as_f64())),
            DataRef::Error(_) | DataRef::Empty => None,
        }
    }

    /// From a field of comma-separated text. `="012"` is how such a file says that a field is text.
    pub(super) fn from_csv(field: &str) -> Option<Self> {
        let inner = field.strip_prefix("=\"").and_then(|f| f.strip_suffix('"'));
        Self::text(inner.unwrap_or(field))
    }

    fn text(text: &str) -> Option<Self> {
        (!text.trim().is_empty()).then(|| Self::Text(text.to_owned()))
    }

    /// Bytes of text that it holds.
    pub(super) fn text_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Number(..) | Self::Date(_) => 0,
        }
    }

    /// As it is given back to be mended: what reads as before. What a cell no longer holds is left out, so that it cannot
    /// be taken for what was typed.
    pub(super) fn as_given_back(&self, column: Option<impl SheetColumn>) -> String {
        match (self, column) {
            (Self::Number(n, when), Some(column)) if column.is_day() && SERIALS.contains(n) => {
                iso_date(*when)
            }
            (_, Some(column)) if !column.is_citizen_number() && self.is_not_as_typed(column) => {
                String::new()
            }
            _ => self.as_written(),
        }
    }

    /// True where a spreadsheet program has made something else of what was typed.
    fn is_not_as_typed(&self, column: impl SheetColumn) -> bool {
        match self {
            Self::Date(_) => !column.is_day(),
            Self::Number(n, _) => n.abs() >= TOO_LONG,
            Self::Text(text) => is_scientific(text.trim()),
        }
    }

    /// As a person would type it.
    pub(super) fn as_written(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(n, _) => number_text(*n).into_owned(),
            Self::Date(when) => iso_date(*when),
        }
    }

    /// The text for a column, and what was found on the way to it.
    pub(super) fn into_text(self, column: impl SheetColumn) -> (String, Option<FindingCode>) {
        let is_citizen_number = column.is_citizen_number();
        if !is_citizen_number && self.is_not_as_typed(column) {
            return (String::new(), Some(FindingCode::NotAsTyped));
        }
        match self {
            // Fifteen digits are all that a number cell keeps: what stands there is not what was typed.
            Self::Number(..) | Self::Date(_) if is_citizen_number => {
                (String::new(), Some(FindingCode::NumericId))
            }
            Self::Text(text) if is_citizen_number && has_lost_digits(&text) => {
                (String::new(), Some(FindingCode::NumericId))
            }
            // What spreadsheet programs show of an apostrophe typed to make a cell text.
            Self::Text(text) if is_citizen_number && text.starts_with(APOSTROPHES) => (
                cut(&text).trim_start_matches(APOSTROPHES).to_owned(),
                Some(FindingCode::Normalised),
            ),
            Self::Text(text) => (cut(&text).to_owned(), None),
            Self::Date(when) => (iso_date(when), None),
            Self::Number(n, when) if column.is_day() && SERIALS.contains(&n) => {
                (iso_date(when), Some(FindingCode::Normalised))
            }
            Self::Number(n, _) => (number_text(n).into_owned(), None),
        }
    }
}

/// A citizen number that went through a number cell before it became text: `5.22225E+17`, or zeros for the last three
/// digits, since fifteen are all that such a cell keeps.
fn has_lost_digits(text: &str) -> bool {
    let text = text.trim();
    let is_scientific = text.contains(['E', 'e']) && text.parse::<f64>().is_ok_and(f64::is_finite);
    let is_rounded = text.len() == 18
        && text.ends_with("000")
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && ResidentNumber::parse(text).is_err();
    is_scientific || is_rounded
}

/// A number cell's long number as CSV files have it: `5.20624E+16`. Nothing in any column is written so.
fn is_scientific(text: &str) -> bool {
    text.contains(['E', 'e']) && text.contains('+') && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// No more than any column takes.
fn cut(text: &str) -> &str {
    let end = text
        .char_indices()
        .nth(MAX_CHARS)
        .map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or_default()
}

fn iso_date(when: ExcelDateTime) -> String {
    let (year, month, day, ..) = when.to_ymd_hms_milli();
    format!("{year:04}-{month:02}-{day:02}")
}

/// Whole numbers without a point: codes and telephones are often typed as numbers, and keep their digits up to 15.
fn number_text(n: f64) -> Cow<'static, str> {
    if n.is_finite() {
        Cow::Owned(n.to_string())
    } else {
        Cow::Borrowed("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Column;

    fn cell(data: DataRef<'_>, column: Column) -> (String, Option<FindingCode>) {
        Cell::new(&data, false).unwrap().into_text(column)
    }

    #[test]
    fn a_number_is_no_citizen_number() {
        let lost = (String::new(), Some(FindingCode::NumericId));
        for data in [
            DataRef::Float(5.222_251_902_051_408e17),
            DataRef::Int(522_225),
            DataRef::String("5.22225190205141E+17".into()),
            DataRef::String(" 5.22225e+17".into()),
            DataRef::String("522225190205141000".into()),
        ] {
            assert_eq!(cell(data, Column::ResidentNumber), lost);
        }
    }

    #[test]
    fn codes_and_telephones_typed_as_numbers_keep_their_digits() {
        for (number, text) in [
            (440_232.0, "440232"),
            (520_624_111_201.0, "520624111201"),
            (13_800_000_000.0, "13800000000"),
            (1.0, "1"),
            (f64::NAN, ""),
        ] {
            assert_eq!(cell(DataRef::Float(number), Column::Phone).0, text);
        }
    }

    /// `3-1` becomes the first of March, and long numbers end in zeros: leads went out under such numbers.
    #[test]
    fn regression_what_a_program_made_of_a_number_is_not_taken_for_it() {
        let day = ExcelDateTime::new(46_082.0, ExcelDateTimeType::DateTime, false);
        for data in [
            DataRef::DateTime(day),
            DataRef::Float(52_062_420_260_305_001.0),
            DataRef::String("5.20624E+16".into()),
        ] {
            for column in [Column::Number, Column::Phone, Column::Remarks] {
                let found = (String::new(), Some(FindingCode::NotAsTyped));
                assert_eq!(cell(data.clone(), column), found);
                let back = Cell::new(&data, false).unwrap();
                assert_eq!(back.as_given_back(Some(column)), "");
            }
        }
        let longest = DataRef::Float(999_999_999_999_999.0);
        assert_eq!(cell(longest, Column::Number).0, "999999999999999");
        for number in ["2026E01", "E-5", "1E5", "+8613800000000"] {
            assert_eq!(
                cell(DataRef::String(number.into()), Column::Number).0,
                number
            );
        }
    }

    #[test]
    fn serial_days_are_dates_where_dates_belong() {
        let date = ("2026-06-01".to_owned(), Some(FindingCode::Normalised));
        assert_eq!(cell(DataRef::Float(46_174.0), Column::CollectedOn), date);
        assert_eq!(cell(DataRef::Float(46_174.0), Column::Number).0, "46174");
        let back = Cell::new(&DataRef::Float(46_174.0), false).unwrap();
        assert_eq!(back.as_given_back(Some(Column::CollectedOn)), "2026-06-01");
        assert_eq!(back.as_given_back(Some(Column::Number)), "46174");
        assert_eq!(
            cell(DataRef::Float(20_260_601.0), Column::CollectedOn).0,
            "20260601"
        );
        let shown = ExcelDateTime::new(46_174.75, ExcelDateTimeType::DateTime, false);
        assert_eq!(
            cell(DataRef::DateTime(shown), Column::CollectedOn),
            ("2026-06-01".to_owned(), None)
        );
        let since_1904 = Cell::new(&DataRef::Float(44_712.0), true).unwrap();
        assert_eq!(since_1904.into_text(Column::CollectedOn), date);
    }

    #[test]
    fn fields_say_that_they_are_text_in_more_than_one_way() {
        let of = |field: &str, column: Column| Cell::from_csv(field).unwrap().into_text(column);
        let number = || "522225190010142478".to_owned();
        assert_eq!(
            of("=\"522225190010142478\"", Column::ResidentNumber),
            (number(), None)
        );
        assert_eq!(
            of("'522225190010142478", Column::ResidentNumber),
            (number(), Some(FindingCode::Normalised))
        );
        assert_eq!(of("'甲", Column::Name).0, "'甲");
        assert_eq!(Cell::from_csv("=\"\""), None);
    }

    #[test]
    fn endless_text_is_cut_before_it_is_judged() {
        let text = "实".repeat(32_767);
        let (kept, _) = cell(DataRef::SharedString(&text), Column::Facts);
        assert_eq!(kept.chars().count(), MAX_CHARS);
        assert_eq!(Cell::new(&DataRef::String(" \u{3000}".into()), false), None);
    }
}
