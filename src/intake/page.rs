//! The appearance of the sheets that this program writes: colours, cells, heights.

use rust_xlsxwriter::{Color, Format, FormatAlign, FormatBorder, Worksheet, XlsxError};
use std::borrow::Cow;

/// Paper of 210 by 297 millimetres, by its number in the format.
pub(super) const A4: u8 = 9;
/// The longest text that the format allows in a cell, and in a note with what the writer adds to it, in UTF-16 units.
pub(super) const MAX_TEXT: usize = 32_767;
pub(super) const MAX_NOTE: usize = MAX_TEXT - 54;
/// Height of one line in points, and of one with Chinese characters, whose fonts are taller.
const LINE_HEIGHT: f64 = 15.0;
const WIDE_LINE_HEIGHT: f64 = 18.0;
/// The tallest row that the format allows, in points.
const MAX_HEIGHT: f64 = 409.0;

const INK: Color = Color::RGB(0x001F_3864);
const PALE: Color = Color::RGB(0x00D9_E2F3);
const ROSE: Color = Color::RGB(0x00F8_CBAD);
const LINE: Color = Color::RGB(0x00A6_A6A6);

/// A page's title.
pub(super) fn title() -> Format {
    Format::new()
        .set_bold()
        .set_font_size(16)
        .set_font_color(INK)
        .set_align(FormatAlign::VerticalCenter)
}

/// A cell of a table, as text.
pub(super) fn cell() -> Format {
    Format::new()
        .set_num_format("@")
        .set_text_wrap()
        .set_align(FormatAlign::Top)
        .set_border(FormatBorder::Thin)
        .set_border_color(LINE)
}

/// A cell in which something is wrong.
pub(super) fn bad_cell() -> Format {
    cell().set_background_color(ROSE)
}

/// A header that matters.
pub(super) fn strong_header() -> Format {
    header()
        .set_background_color(INK)
        .set_font_color(Color::White)
}

/// A header that matters less.
pub(super) fn pale_header() -> Format {
    header().set_background_color(PALE).set_font_color(INK)
}

fn header() -> Format {
    cell()
        .set_bold()
        .set_align(FormatAlign::Center)
        .set_align(FormatAlign::VerticalCenter)
}

/// Ends a worksheet whose rows are written as they come, with a row below the last one. In that mode the writer writes
/// its last row twice if it has a height of its own, and readers keep one of the two or neither; this extra row has
/// none.
///
/// # Errors
/// The row lies beyond the format's last one.
pub(super) fn end(sheet: &mut Worksheet, row: u32) -> Result<(), XlsxError> {
    let blank = Format::new().set_num_format("@");
    sheet.write_blank(row, 0, &blank).map(drop)
}

/// Whether [`fitting`] cuts this text.
pub(super) fn is_cut(text: &str, most: usize) -> bool {
    // A text has at most as many units as bytes.
    text.len() > most && text.encode_utf16().count() > most
}

/// Cuts a text to this many UTF-16 units, with `…` at its end. The writer fails on a longer text.
pub(super) fn fitting(text: &str, most: usize) -> Cow<'_, str> {
    if !is_cut(text, most) {
        return Cow::Borrowed(text);
    }
    let mut room = most.saturating_sub(1);
    let cut = text.chars().take_while(|c| {
        let left = room.checked_sub(c.len_utf16());
        room = left.unwrap_or(0);
        left.is_some()
    });
    Cow::Owned(cut.chain(['…']).collect())
}

/// The height in points of a row with cells `(text, width of the column)`. Not all programs adjust heights when they
/// open a file.
pub(super) fn height<'a>(cells: impl IntoIterator<Item = (&'a str, f64)>) -> f64 {
    let heights = cells.into_iter().map(|(text, width)| {
        let line = if text.is_ascii() {
            LINE_HEIGHT
        } else {
            WIDE_LINE_HEIGHT
        };
        f64::from(lines(text, width)) * line
    });
    heights.fold(LINE_HEIGHT, f64::max).min(MAX_HEIGHT)
}

/// How many lines a text takes in a column of this width.
fn lines(text: &str, width: f64) -> u32 {
    let mut lines = 0;
    for line in text.split('\n') {
        // A little less than the column, because words are not broken.
        let (mut used, room) = (0.0, width - 1.5);
        lines += 1;
        for c in line.chars() {
            let wide = if c.is_ascii() { 1.0 } else { 2.0 };
            if used + wide > room && used > 0.0 {
                lines += 1;
                used = 0.0;
            }
            used += wide;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_to_what_a_cell_takes() {
        for (text, fits) in [
            ("", ""),
            ("甲乙丙丁", "甲乙丙丁"),
            ("甲乙丙丁戊", "甲乙丙…"),
            ("𠀀𠀀", "𠀀𠀀"),
            ("𠀀𠀀𠀀", "𠀀…"),
            ("甲𠀀𠀀", "甲𠀀…"),
        ] {
            assert_eq!(fitting(text, 4), fits);
            assert_eq!(is_cut(text, 4), text != fits);
        }
    }

    #[test]
    fn a_row_is_as_high_as_its_longest_cell() {
        for (text, height_of) in [
            ("", 15.0),
            ("甲乙", 18.0),
            ("甲乙丙丁戊己", 36.0),
            ("a\nb\nc", 45.0),
            (&"a\n".repeat(99), 409.0),
        ] {
            let got = height([("x", 10.0), (text, 10.0)]);
            assert!((got - height_of).abs() < 0.1, "{text} {got}");
        }
    }
}
