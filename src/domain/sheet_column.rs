//! What reading a sheet needs to know of its columns.

use super::Lang;
use std::{fmt, hash::Hash};

/// A column of one kind of sheet, which is a field of what a row says.
pub trait SheetColumn: Copy + Eq + Ord + Hash + fmt::Debug + fmt::Display + 'static {
    /// The raw text of a row, column by column.
    type Fields: Clone + Default + PartialEq + Eq + fmt::Debug;

    /// All of them, in the order of the sheet.
    const ALL: &'static [Self];

    /// The stable key.
    fn as_str(self) -> &'static str;

    /// The header in a Chinese sheet.
    fn header_zh(self) -> &'static str;

    /// True where a row without it is refused.
    fn is_required(self) -> bool;

    /// The longest value, in characters.
    fn max_chars(self) -> usize;

    /// How it wants its value written, where that is not plain text.
    fn form(self, lang: Lang) -> Option<&'static str>;

    /// The text of the column, to be set.
    fn text_mut(self, fields: &mut Self::Fields) -> &mut String;

    /// True for the citizen number, which is never read from a number cell.
    fn is_citizen_number(self) -> bool {
        self.as_str() == "resident_number"
    }

    /// True where words stand and no code: an apostrophe or a point belongs to what was written.
    fn is_prose(self) -> bool {
        let key = self.as_str();
        key.ends_with("_place")
            || [
                "name",
                "substance",
                "conduct",
                "facts",
                "collection_method",
                "measure",
                "remarks",
            ]
            .contains(&key)
    }

    /// True for a day, by the end of its key.
    fn is_day(self) -> bool {
        self.as_str().ends_with("_on")
    }
}
