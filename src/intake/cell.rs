//! Cells: what a spreadsheet program made of what was typed, and what of that can be reversed.

use super::{
    lossy_cells,
    number_format::{NumberFormat, Rendering},
};
use crate::domain::{FindingCode, SheetColumn, is_invisible};
use calamine::{CellErrorType, DataRef, ExcelDateTime, ExcelDateTimeType};
use std::borrow::Cow;

/// Longer text is cut: it exceeds every column's limit and is refused for that.
const MAX_CHARS: usize = 4_096;
/// Numbers from here on have more than the fifteen digits that a number cell keeps.
const TOO_LONG: f64 = 1e15;
/// Characters typed before a value to make a cell text, and their variants from input methods.
const APOSTROPHES: [char; 5] = ['\'', '‘', '’', '＇', '`'];
/// Years of dates that were probably typed as dates. What `3.5`, `2026.3` and an empty cell turn into lies outside.
const YEARS: std::ops::RangeInclusive<u16> = 2000..=2099;
/// Serial day numbers around those years, in either date system.
const SERIALS: std::ops::RangeInclusive<f64> = 30_000.0..=80_000.0;

/// A cell as it was found.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// Text.
    Text(String),
    /// A number, also as a date if it is one.
    Number(f64, ExcelDateTime),
    /// A number displayed as a date.
    Date(ExcelDateTime),
    /// An error instead of a value, by its name.
    Error(&'static str),
    /// A formula that was never computed.
    Uncomputed,
    /// Merged with another cell, which has the value.
    Covered,
    /// A picture.
    Picture,
    /// It displays something other than it holds.
    Rendered(Rendering, Box<Self>),
}

impl Cell {
    /// An error that the workbook reader does not know by name.
    pub(super) const UNKNOWN_ERROR: Self = Self::Error("#ERROR!");

    /// Converts a value of the workbook reader; `None` if there is nothing to read.
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
            DataRef::Error(error) => Some(Self::Error(name(error))),
            DataRef::Empty => None,
        }
    }

    /// Converts a field of comma-separated text. `="012"` marks a field as text in such a file; any other formula has
    /// no value here.
    pub(super) fn from_csv(field: &str) -> Option<Self> {
        let Some(formula) = field.strip_prefix('=').filter(|_| !is_picture(field)) else {
            return Self::text(field);
        };
        let quoted = formula
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        match quoted {
            Some(text) if !text.contains('"') => Self::text(text),
            _ if formula
                .starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '"' | '(' | '$')) =>
            {
                Some(Self::Uncomputed)
            }
            _ => Self::text(field),
        }
    }

    fn text(text: &str) -> Option<Self> {
        if is_picture(text) {
            return Some(Self::Picture);
        }
        (!text.trim().is_empty()).then(|| Self::Text(text.to_owned()))
    }

    /// Applies the number format of its style.
    pub(super) fn looking(self, look: &NumberFormat) -> Self {
        let shown = match &self {
            Self::Text(_) => look.text(),
            Self::Number(n, _) => look.number(*n),
            Self::Date(_) => look.day(),
            Self::Error(_)
            | Self::Uncomputed
            | Self::Covered
            | Self::Picture
            | Self::Rendered(..) => Rendering::Same,
        };
        if shown == Rendering::Same {
            self
        } else {
            Self::Rendered(shown, Box::new(self))
        }
    }

    /// Its text, if it is text.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Rendered(_, held) => held.as_text(),
            Self::Number(..)
            | Self::Date(_)
            | Self::Error(_)
            | Self::Uncomputed
            | Self::Covered
            | Self::Picture => None,
        }
    }

    /// How many bytes of text it holds.
    pub(super) fn text_bytes(&self) -> usize {
        self.as_text().map_or(0, str::len)
    }

    /// The text that goes back to the officer for correction: it reads as before. A value that the cell has lost is
    /// left out, so that what is left of it is not taken for what was typed.
    pub(super) fn as_given_back(&self, column: Option<impl SheetColumn>) -> String {
        match (self, column) {
            (Self::Number(_, when), Some(column)) if column.is_day() && is_likely(*when) => {
                iso_date(*when)
            }
            (_, Some(column))
                if !column.is_citizen_number()
                    && matches!(
                        self.lost(column, false),
                        Some(FindingCode::NotAsTyped | FindingCode::ShownOtherwise)
                    ) =>
            {
                String::new()
            }
            _ => self.as_written(),
        }
    }

    /// How a spreadsheet program has changed what was typed, if it has.
    fn lost(&self, column: impl SheetColumn, is_rounded: bool) -> Option<FindingCode> {
        match self {
            Self::Error(_) => Some(FindingCode::ErrorValue),
            Self::Uncomputed => Some(FindingCode::NotComputed),
            Self::Covered => Some(FindingCode::MergedCell),
            Self::Picture => Some(FindingCode::PictureInCell),
            Self::Rendered(shown, held) => held
                .lost(column, is_rounded)
                .or((*shown == Rendering::Otherwise).then_some(FindingCode::ShownOtherwise)),
            // A number cell keeps only fifteen digits, so its value is not what was typed.
            Self::Number(..) | Self::Date(_) if column.is_citizen_number() => {
                Some(FindingCode::NumericId)
            }
            Self::Date(when) => {
                (!column.is_day() || !is_likely(*when)).then_some(FindingCode::NotAsTyped)
            }
            Self::Number(n, _) => {
                (!n.is_finite() || n.abs() >= TOO_LONG).then_some(FindingCode::NotAsTyped)
            }
            Self::Text(text) => lossy_cells::in_text(bare(text), column, is_rounded),
        }
    }

    /// Whether it is a citizen number as text that has lost its last digits: then others in its column have too.
    pub(super) fn is_rounded_number(&self) -> bool {
        self.as_text()
            .is_some_and(|text| lossy_cells::has_lost_digits(bare(text)))
    }

    /// The value as a person would type it.
    pub(super) fn as_written(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(n, _) => number_text(*n).into_owned(),
            Self::Date(when) => iso_date(*when),
            Self::Error(name) => (*name).to_owned(),
            Self::Rendered(_, held) => held.as_written(),
            Self::Uncomputed | Self::Covered | Self::Picture => String::new(),
        }
    }

    /// The text for a column, and the findings made on the way. `is_rounded` tells whether other numbers of the column
    /// were rounded.
    pub(super) fn into_text(
        self,
        column: impl SheetColumn,
        is_rounded: bool,
    ) -> (String, Option<FindingCode>) {
        if let Some(code) = self.lost(column, is_rounded) {
            return (String::new(), Some(code));
        }
        match self {
            Self::Text(text) => typed(&text, column),
            Self::Date(when) => (iso_date(when), None),
            Self::Number(_, when) if column.is_day() && is_likely(when) => {
                (iso_date(when), Some(FindingCode::Normalised))
            }
            Self::Number(n, _) => (number_text(n).into_owned(), None),
            Self::Rendered(_, held) => {
                let (text, found) = held.into_text(column, is_rounded);
                (text, found.or(Some(FindingCode::ShownStyled)))
            }
            Self::Error(_) | Self::Uncomputed | Self::Covered | Self::Picture => {
                (String::new(), None)
            }
        }
    }
}

/// Whether this is the formula that WPS keeps for a picture in a cell: `=DISPIMG("ID_…",1)`.
fn is_picture(text: &str) -> bool {
    let formula = text.trim().trim_start_matches(['=', '@']);
    let formula = formula.strip_prefix("_xlfn.").unwrap_or(formula);
    formula
        .get(..8)
        .is_some_and(|name| name.eq_ignore_ascii_case("DISPIMG("))
}

/// The text as it was typed, without the prefix that made it text.
fn typed(text: &str, column: impl SheetColumn) -> (String, Option<FindingCode>) {
    let whole_text = cut(text);
    if column.is_prose() {
        return (whole_text.to_owned(), None);
    }
    let bare = bare(whole_text);
    // What programs show of an apostrophe that was typed to make a cell text.
    let value = if bare.starts_with(APOSTROPHES) {
        bare.trim_matches(APOSTROPHES)
    } else {
        bare
    };
    // A whole number that a program kept as a fraction. A lead's own number may end like this.
    let value = match lossy_cells::whole(value) {
        Some(digits) if column.as_str() != "number" => digits,
        Some(_) | None => value,
    };
    if column.is_citizen_number() && lossy_cells::ends_in_zeros(value) {
        return (value.to_owned(), Some(FindingCode::MaybeRounded));
    }
    if value == bare {
        (whole_text.to_owned(), None)
    } else {
        (value.to_owned(), Some(FindingCode::Normalised))
    }
}

/// Strips space and invisible characters at both ends.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c))
}

/// Cuts text to what any column takes.
fn cut(text: &str) -> &str {
    let end = text
        .char_indices()
        .nth(MAX_CHARS)
        .map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or_default()
}

/// Whether somebody may have typed this date.
fn is_likely(when: ExcelDateTime) -> bool {
    SERIALS.contains(&when.as_f64()) && YEARS.contains(&when.to_ymd_hms_milli().0)
}

fn iso_date(when: ExcelDateTime) -> String {
    let (year, month, day, ..) = when.to_ymd_hms_milli();
    format!("{year:04}-{month:02}-{day:02}")
}

/// Whole numbers without a point: codes and telephone numbers are often typed as numbers, and keep up to 15 digits.
fn number_text(n: f64) -> Cow<'static, str> {
    if n.is_finite() {
        Cow::Owned(n.to_string())
    } else {
        Cow::Borrowed("")
    }
}

const fn name(error: &CellErrorType) -> &'static str {
    match error {
        CellErrorType::Div0 => "#DIV/0!",
        CellErrorType::NA => "#N/A",
        CellErrorType::Name => "#NAME?",
        CellErrorType::Null => "#NULL!",
        CellErrorType::Num => "#NUM!",
        CellErrorType::Ref => "#REF!",
        CellErrorType::Value => "#VALUE!",
        CellErrorType::GettingData => "#GETTING_DATA",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Column;

    fn cell(data: DataRef<'_>, column: Column) -> (String, Option<FindingCode>) {
        Cell::new(&data, false).unwrap().into_text(column, false)
    }

    #[test]
    fn a_number_is_no_citizen_number() {
        let lost = (String::new(), Some(FindingCode::NumericId));
        for data in [
            DataRef::Float(5.222_251_902_051_408e17),
            DataRef::Int(522_225),
        ] {
            assert_eq!(cell(data, Column::ResidentNumber), lost);
        }
        let rounded = (String::new(), Some(FindingCode::RoundedId));
        for data in [
            DataRef::String("5.22225190205141E+17".into()),
            DataRef::String(" 5.22225e+17".into()),
            DataRef::String("522225190205141000".into()),
        ] {
            assert_eq!(cell(data, Column::ResidentNumber), rounded);
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
        assert_eq!(since_1904.into_text(Column::CollectedOn, false), date);
    }

    #[test]
    fn fields_say_that_they_are_text_in_more_than_one_way() {
        let of =
            |field: &str, column: Column| Cell::from_csv(field).unwrap().into_text(column, false);
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

    /// `3.5`, `2026.3`, a formula over an empty cell: a program shows all of these as days.
    #[test]
    fn regression_days_that_nobody_typed_are_not_taken() {
        for serial in [0.0, 3.5, 2026.3, -5.0, 1e9, f64::NAN, f64::INFINITY, -1e300] {
            let day = ExcelDateTime::new(serial, ExcelDateTimeType::DateTime, false);
            let lost = (String::new(), Some(FindingCode::NotAsTyped));
            assert_eq!(
                cell(DataRef::DateTime(day), Column::CollectedOn),
                lost,
                "{serial}"
            );
            let back = Cell::new(&DataRef::DateTime(day), false).unwrap();
            assert_eq!(back.as_given_back(Some(Column::CollectedOn)), "");
        }
    }

    #[test]
    fn regression_an_error_is_not_an_empty_cell() {
        let lost = (String::new(), Some(FindingCode::ErrorValue));
        for column in [Column::Phone, Column::GradeScheme, Column::Remarks] {
            assert_eq!(cell(DataRef::Error(CellErrorType::NA), column), lost);
            assert_eq!(cell(DataRef::String(" #N/A".into()), column), lost);
        }
        let back = Cell::new(&DataRef::Error(CellErrorType::Ref), false).unwrap();
        assert_eq!(back.as_given_back(Some(Column::Phone)), "#REF!");
    }

    #[test]
    fn regression_marks_that_make_a_cell_text_are_no_part_of_any_code() {
        let of = |text: &str, column| cell(DataRef::String(text.into()), column);
        let tidied = |text: &str| (text.to_owned(), Some(FindingCode::Normalised));
        for mark in ["'", "‘", "＇", "`", " '", "\t'", "\u{200b}'"] {
            let marked = |text: &str| format!("{mark}{text}");
            for (text, column) in [
                ("SN1", Column::Number),
                ("522225190010142478", Column::ResidentNumber),
                ("440232", Column::DestinationCode),
                ("2026-03-05", Column::CollectedOn),
                ("贵D54321", Column::Plate),
                ("13800000001", Column::Phone),
            ] {
                assert_eq!(of(&marked(text), column), tidied(text), "{mark}{text}");
            }
            let said = marked("甲");
            assert_eq!(of(&said, Column::Remarks).0, said);
        }
        assert_eq!(of("13800000001.0", Column::Phone), tidied("13800000001"));
        assert_eq!(of("2026.0", Column::Number), ("2026.0".to_owned(), None));
        let long = of("52062420260305001.0", Column::Phone);
        assert_eq!(long.1, Some(FindingCode::NotAsTyped));
        let id = of("522225190010142000.0", Column::ResidentNumber);
        assert_eq!(id.1, Some(FindingCode::RoundedId));
    }

    #[test]
    fn regression_a_formula_in_a_csv_file_is_no_value() {
        for formula in ["=\"a\"&\"b\"", "=A1&B1", "=(1)", "=TEXT(A1,\"0\")"] {
            assert_eq!(Cell::from_csv(formula), Some(Cell::Uncomputed), "{formula}");
        }
        assert_eq!(
            Cell::from_csv("=见附件"),
            Some(Cell::Text("=见附件".into()))
        );
    }

    /// One wrong number in eleven has a fitting check character.
    #[test]
    fn regression_a_rounded_number_that_passes_is_told_by_its_column() {
        let kept = || Cell::Text("522225190001010000".into());
        let (text, found) = kept().into_text(Column::ResidentNumber, false);
        assert_eq!((text.len(), found), (18, Some(FindingCode::MaybeRounded)));
        let (text, found) = kept().into_text(Column::ResidentNumber, true);
        assert_eq!((text.len(), found), (0, Some(FindingCode::RoundedId)));
        assert!(!kept().is_rounded_number());
        assert!(Cell::Text("522225190001011000".into()).is_rounded_number());
    }

    /// A picture's formula became a person's name.
    #[test]
    fn regression_a_picture_in_a_cell_is_no_text() {
        let formula = "=DISPIMG(\"ID_0123\",1)";
        for cell in [
            Cell::new(&DataRef::String(formula.into()), false),
            Cell::from_csv(formula),
        ] {
            let (text, found) = cell.unwrap().into_text(Column::Name, false);
            assert_eq!(
                (text.as_str(), found),
                ("", Some(FindingCode::PictureInCell))
            );
        }
    }

    #[test]
    fn endless_text_is_cut_before_it_is_judged() {
        let text = "实".repeat(32_767);
        let (kept, _) = cell(DataRef::SharedString(&text), Column::Facts);
        assert_eq!(kept.chars().count(), MAX_CHARS);
        assert_eq!(Cell::new(&DataRef::String(" \u{3000}".into()), false), None);
    }
}
