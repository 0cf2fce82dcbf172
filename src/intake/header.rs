//! Which column of a sheet is which field of its rows: by Chinese header, by key or by a name in use, in any order.

use super::{Note, SheetError, aliases::is_alias};
use crate::domain::SheetColumn;

/// Headers of a column that only numbers the rows.
const SERIAL: [&str; 5] = ["序号", "顺序号", "no", "no.", "#"];

/// The column that a header cell names.
pub fn column<C: SheetColumn>(header: &str) -> Option<C> {
    if let Some(column) = named(header) {
        return Some(column);
    }
    // In two languages: 姓名/Name, or one below the other. Both parts must mean the same.
    let mut parts = header
        .split(['/', '／', '|', '\n'])
        .filter(|part| !part.trim().is_empty());
    let first = named::<C>(parts.next()?)?;
    parts
        .all(|part| named(part) == Some(first))
        .then_some(first)
}

fn named<C: SheetColumn>(header: &str) -> Option<C> {
    let name = plain(header);
    let is = |column: &C| {
        let key = column.as_str();
        name == column.header_zh()
            || name.chars().eq(key.chars().filter(|c| *c != '_'))
            || is_alias(column.header_zh(), &name)
    };
    C::ALL.iter().copied().find(is)
}

/// A header without what people add to it: case, width, spaces, line breaks, a star for 'required', a note in brackets.
fn plain(header: &str) -> String {
    let name: String = header
        .chars()
        .map(narrow)
        .filter(|c| {
            !c.is_whitespace() && !matches!(c, '*' | '★' | '_' | '-' | '\u{feff}' | '\u{200b}')
        })
        .flat_map(char::to_lowercase)
        .collect();
    let end = name.find(['(', '[', '【', '〔', ':']).unwrap_or(name.len());
    name.get(..end).unwrap_or_default().to_owned()
}

/// The ASCII character of a full-width form.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

/// The columns of a sheet: which field stands where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header<C> {
    /// Field and zero-based position.
    columns: Vec<(C, u32)>,
}

impl<C: SheetColumn> Header<C> {
    /// From the texts of a header, column by column.
    pub(super) fn new(texts: &[String]) -> Result<Self, SheetError> {
        let mut columns: Vec<(C, u32)> = Vec::new();
        for (text, at) in texts.iter().zip(0..) {
            let Some(column) = column::<C>(text) else {
                continue;
            };
            if let Some((_, first)) = columns.iter().find(|(other, _)| *other == column) {
                return Err(SheetError::DuplicateColumn {
                    key: column.as_str(),
                    header_zh: column.header_zh(),
                    letters: [letters(*first), letters(at)],
                });
            }
            columns.push((column, at));
        }
        Ok(Self { columns })
    }

    /// The field at a zero-based position.
    pub(super) fn at(&self, position: u32) -> Option<C> {
        self.columns
            .iter()
            .find(|(_, at)| *at == position)
            .map(|(column, _)| *column)
    }

    /// The required columns that the sheet lacks.
    pub(super) fn missing(&self) -> Vec<C> {
        C::ALL
            .iter()
            .copied()
            .filter(|c| c.is_required() && self.columns.iter().all(|(other, _)| other != c))
            .collect()
    }

    /// A note on each column that has a name and is none of a record's. Rows are numbered on most sheets: that is no news.
    pub(super) fn unknown(&self, sheet: Option<&str>, texts: &[String]) -> Vec<Note> {
        let others = texts
            .iter()
            .zip(0..)
            .filter(|(text, at)| !text.trim().is_empty() && self.at(*at).is_none())
            .filter(|(text, _)| !SERIAL.contains(&plain(text).as_str()));
        others
            .map(|(text, at)| Note::UnknownColumn {
                sheet: sheet.map(str::to_owned),
                letters: letters(at),
                header: text.clone(),
            })
            .collect()
    }
}

/// Letters of a zero-based column: `A`, `Z`, `AA`.
pub(super) fn letters(mut at: u32) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from_digit(10 + at % 26, 36).unwrap_or('?'));
        match (at / 26).checked_sub(1) {
            Some(next) => at = next,
            None => break,
        }
    }
    letters.iter().rev().map(char::to_ascii_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Column;

    #[test]
    fn headers_are_known_with_what_people_add() {
        for (header, known) in [
            ("公民身份号码", Column::ResidentNumber),
            (" 身份证号 *", Column::ResidentNumber),
            ("采集时间\n（YYYY-MM-DD）", Column::CollectedOn),
            ("Resident_Number", Column::ResidentNumber),
            ("流 入 地", Column::DestinationPlace),
            ("＊姓　名", Column::Name),
            ("姓名/Name", Column::Name),
            ("性别\nSex", Column::Sex),
            ("Resident number *", Column::ResidentNumber),
            ("ＩＤ Number", Column::ResidentNumber),
            ("车牌号码：", Column::Plate),
            ("Date collected", Column::CollectedOn),
        ] {
            assert_eq!(column(header), Some(known), "{header}");
        }
        for other in [
            "",
            "序号",
            "民族",
            "(姓名)",
            "姓名拼音",
            "姓名/性别",
            "姓名\n拼音",
            "编号",
        ] {
            assert_eq!(column::<Column>(other), None, "{other}");
        }
    }

    #[test]
    fn columns_have_letters() {
        let all: Vec<_> = [0, 25, 26, 701, 702, 16_383].map(letters).into();
        assert_eq!(all, ["A", "Z", "AA", "ZZ", "AAA", "XFD"]);
    }
}
