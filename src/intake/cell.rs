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
    pub(super) fn with_format(self, format: &NumberFormat) -> Self {
        let shown = match &self {
            Self::Text(_) => format.text(),
            Self::Number(n, _) => format.number(*n),
            Self::Date(_) => format.day(),
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
#[path = "cell_tests.rs"]
mod tests;
