//! Which column of a sheet is which field of its rows: by Chinese header or by key, in any order.

use super::SheetError;
use crate::domain::SheetColumn;

/// Headers of the citizen number that sheets in use have beside the official ones.
const CITIZEN_NUMBER: [&str; 3] = ["身份证号", "身份证号码", "公民身份证号码"];

/// The column that a header cell names.
pub fn column<C: SheetColumn>(header: &str) -> Option<C> {
    let name = plain(header);
    C::ALL
        .iter()
        .copied()
        .find(|column| name == column.header_zh() || name.eq_ignore_ascii_case(column.as_str()))
        .or_else(|| {
            let mut columns = C::ALL.iter().copied();
            columns.find(|c| c.is_citizen_number() && CITIZEN_NUMBER.contains(&name.as_str()))
        })
}

/// A header without what people add to it: spaces, line breaks, a star for 'required', a note in brackets.
fn plain(header: &str) -> String {
    let name: String = header
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '*' | '＊' | '\u{feff}'))
        .collect();
    let end = name
        .find(['(', '（', '[', '【', '：', ':'])
        .unwrap_or(name.len());
    name.get(..end).unwrap_or_default().to_owned()
}

/// The columns of a sheet: which field stands where.
#[derive(Debug)]
pub(super) struct Header<C> {
    /// Field and zero-based position.
    columns: Vec<(C, u32)>,
}

impl<C: SheetColumn> Header<C> {
    /// From the cells of a header row, each with its zero-based position.
    pub(super) fn new<'a>(cells: impl Iterator<Item = (u32, &'a str)>) -> Result<Self, SheetError> {
        let mut columns: Vec<(C, u32)> = Vec::new();
        for (at, text) in cells {
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
        ] {
            assert_eq!(column(header), Some(known), "{header}");
        }
        for other in ["", "序号", "民族", "(姓名)", "姓名拼音"] {
            assert_eq!(column::<Column>(other), None, "{other}");
        }
    }

    #[test]
    fn columns_have_letters() {
        let all: Vec<_> = [0, 25, 26, 701, 702, 16_383].map(letters).into();
        assert_eq!(all, ["A", "Z", "AA", "ZZ", "AAA", "XFD"]);
    }
}
