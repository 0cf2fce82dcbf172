//! Rows below a header that are not records and were never meant to be: the header repeated on each printed page,
//! totals, who filled in the sheet.

use super::{
    RawRow,
    cell::Cell,
    header::{Header, column},
};
use crate::domain::{FindingCode, SheetColumn};

/// How the last lines of a list begin.
const FOOTERS: [&str; 20] = [
    "合计",
    "总计",
    "小计",
    "共计",
    "填表人",
    "填报人",
    "制表人",
    "审核人",
    "审批人",
    "经办人",
    "负责人",
    "填表单位",
    "填报单位",
    "填表日期",
    "填报日期",
    "以下空白",
    "以下无正文",
    "注:",
    "注：",
    "说明：",
];
/// In characters.
const LONGEST_FOOTER: usize = 5;
/// The columns that say whom a row is about: without any of them it is about nobody.
const ABOUT: [&str; 3] = ["name", "resident_number", "facts"];

/// Why a row is skipped, if it is.
pub(super) fn reason_to_skip<C: SheetColumn>(
    row: &RawRow,
    header: &Header<C>,
) -> Option<FindingCode> {
    if is_header_again(row, header) {
        return Some(FindingCode::RepeatedHeader);
    }
    is_footer(row, header).then_some(FindingCode::FooterRow)
}

/// Whether at least two columns hold their own names, and all other columns nothing.
fn is_header_again<C: SheetColumn>(row: &RawRow, header: &Header<C>) -> bool {
    let read = row.cells.iter().filter_map(|(at, cell)| {
        let here = header.at(*at)?;
        Some(cell.as_text().and_then(column::<C>) == Some(here))
    });
    let (mut names, mut others) = (0, 0);
    for is_name in read {
        if is_name {
            names += 1;
        } else {
            others += 1;
        }
    }
    names >= 2 && others == 0
}

fn is_footer<C: SheetColumn>(row: &RawRow, header: &Header<C>) -> bool {
    let Some((first, cell)) = row.cells.first() else {
        return false;
    };
    let is_about = |at: &u32| {
        let column = header.at(*at);
        column.is_some_and(|column| ABOUT.contains(&column.as_str()))
    };
    let mut others = row.cells.iter().filter(|(at, _)| at != first);
    says_footer(cell)
        && others.all(|(at, cell)| is_count(cell) || says_footer(cell) || !is_about(at))
}

fn says_footer(cell: &Cell) -> bool {
    cell.as_text().is_some_and(|text| {
        let text = text.chars().filter(|c| !c.is_whitespace());
        let text: String = text.take(LONGEST_FOOTER).collect();
        FOOTERS.iter().any(|footer| text.starts_with(footer))
    })
}

/// Whether a cell may be a total or empty: `12`, `12人`.
fn is_count(cell: &Cell) -> bool {
    match cell {
        Cell::Text(text) => {
            let digits = text.trim().trim_end_matches(['人', '名', '条', '件']);
            digits.len() <= 6 && digits.bytes().all(|byte| byte.is_ascii_digit())
        }
        Cell::Number(n, _) => n.abs() < 1e6,
        Cell::Covered => true,
        Cell::Rendered(_, held) => is_count(held),
        Cell::Date(_) | Cell::Error(_) | Cell::Uncomputed | Cell::Picture => false,
    }
}
