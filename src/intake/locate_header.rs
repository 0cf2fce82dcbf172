//! Finds the header of a table: below a title, a date or a county's name; in one row or in two.

use super::{
    RawRow, SheetError,
    header::{Header, column},
};
use crate::domain::SheetColumn;

/// How many rows that are not blank are searched for the header.
pub(super) const HEADER_WITHIN: usize = 20;
/// A row that names at least this many columns may be a header; with fewer it is a title or part of an explanation.
const HEADER_COLUMNS: usize = 2;

/// The header of a table.
pub(super) struct LocatedHeader<C> {
    /// Its text, column by column, as one row.
    pub(super) texts: Vec<String>,
    pub(super) header: Header<C>,
    /// The row in which it ends, from 1.
    pub(super) row: u32,
    /// The first and the last of the rows above it that look like a table of their own; they are not read.
    pub(super) above: Option<[u32; 2]>,
}

/// One row that may be the header, or two with group names in the upper one.
struct Candidate {
    texts: Vec<String>,
    rows: [u32; 2],
    named: usize,
}

/// Looks for the header in the first rows of a table; `None` if there is none.
pub(super) fn header<C: SheetColumn>(
    rows: &[RawRow],
) -> Result<Option<LocatedHeader<C>>, SheetError> {
    let rows = rows.get(..HEADER_WITHIN).unwrap_or(rows);
    let single = rows
        .iter()
        .map(|row| candidate::<C>(row.texts(), [row.row; 2]));
    let mut singles: Vec<Candidate> = single.collect();
    let pairs: Vec<Candidate> = rows
        .windows(2)
        .filter_map(|pair| match pair {
            [upper, lower] if upper.row + 1 == lower.row => {
                let texts = joined::<C>(&upper.texts(), lower.texts());
                Some(candidate::<C>(texts, [upper.row, lower.row]))
            }
            _ => None,
        })
        .collect();
    singles.sort_by_key(|candidate| std::cmp::Reverse(candidate.named));
    let pair = pairs.into_iter().max_by_key(|candidate| candidate.named);
    let mut singles = singles.into_iter();
    let (best, next) = (singles.next(), singles.next());
    let named = |candidate: &Option<Candidate>| candidate.as_ref().map_or(0, |c| c.named);
    // Two rows only if they name more columns together than either does alone.
    if named(&pair) > named(&best) && named(&pair) >= HEADER_COLUMNS {
        return found(pair, rows);
    }
    let best = best.filter(|best| best.named >= HEADER_COLUMNS);
    match (best, next) {
        // Sorting kept their order, so the best candidate is the first.
        (Some(upper), Some(lower)) if upper.named == lower.named => {
            let both = [upper.rows[0], lower.rows[0]];
            let header = Header::<C>::new(&upper.texts)?;
            let others = singles.take_while(|other| other.named == upper.named);
            for other in std::iter::once(&lower).chain(&others.collect::<Vec<_>>()) {
                if Header::<C>::new(&other.texts)? != header {
                    let rows = [upper.rows[0], other.rows[0]];
                    return Err(SheetError::TwoHeaders { rows });
                }
            }
            // As repeated on each printed page: those rows are skipped.
            if both[0] + 1 != both[1] {
                return found(Some(upper), rows);
            }
            // The same columns in two languages, one below the other.
            let lower = Candidate {
                rows: both,
                ..lower
            };
            found(Some(lower), rows)
        }
        (best, _) => found(best, rows),
    }
}

fn found<C: SheetColumn>(
    best: Option<Candidate>,
    all: &[RawRow],
) -> Result<Option<LocatedHeader<C>>, SheetError> {
    let Some(Candidate { texts, rows, .. }) = best else {
        return Ok(None);
    };
    let [first, row] = rows;
    let above = all
        .iter()
        .take_while(|above| above.row < first)
        .map(|above| candidate::<C>(above.texts(), [above.row; 2]))
        .find(|above| above.named >= HEADER_COLUMNS);
    if let Some(above) = &above
        && Header::<C>::new(&above.texts)?.missing().is_empty()
    {
        let rows = [above.rows[0], first];
        return Err(SheetError::TwoHeaders { rows });
    }
    Ok(Some(LocatedHeader {
        header: Header::new(&texts)?,
        texts,
        row,
        above: above.map(|above| [above.rows[0], first - 1]),
    }))
}

fn candidate<C: SheetColumn>(texts: Vec<String>, rows: [u32; 2]) -> Candidate {
    let mut columns: Vec<C> = texts.iter().filter_map(|text| column(text)).collect();
    columns.sort_unstable();
    columns.dedup();
    Candidate {
        named: columns.len(),
        texts,
        rows,
    }
}

/// Joins two header rows into one. The upper row has groups, each over the columns to its right up to the next group
/// (the cells are merged), and columns that span both rows.
fn joined<C: SheetColumn>(upper: &[String], lower: Vec<String>) -> Vec<String> {
    let mut group = "";
    let mut texts = lower;
    texts.resize(texts.len().max(upper.len()), String::new());
    for (at, text) in texts.iter_mut().enumerate() {
        let above = upper.get(at).map_or("", String::as_str);
        if !above.trim().is_empty() {
            group = above;
        }
        if text.trim().is_empty() {
            above.clone_into(text);
            continue;
        }
        // 户籍地 over 代码 means 户籍地代码; 基本情况 over 姓名 means 姓名.
        let together = format!("{}{}", group.trim(), text.trim());
        if column::<C>(text).is_none() && column::<C>(&together).is_some() {
            *text = together;
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::{super::cell::Cell, *};
    use crate::domain::Column;

    fn rows(rows: &[&[&str]]) -> Vec<RawRow> {
        let cells = |row: &[&str]| {
            let filled = row.iter().zip(0..).filter(|(text, _)| !text.is_empty());
            filled
                .map(|(text, at)| (at, Cell::Text((*text).to_owned())))
                .collect()
        };
        rows.iter()
            .zip(1..)
            .map(|(row, nth)| RawRow {
                cells: cells(row),
                ..RawRow::blank(nth)
            })
            .filter(|row| !row.cells.is_empty())
            .collect()
    }

    fn at(table: &[&[&str]]) -> Result<Option<(u32, Vec<String>)>, String> {
        header::<Column>(&rows(table))
            .map(|found| found.map(|found| (found.row, found.texts)))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_row_that_names_most_is_the_header() {
        let title: &[&str] = &["思南县姓名、性别统计表"];
        let by: &[&str] = &["", "备注", "单位：县局"];
        let head: &[&str] = &["序号", "姓名", "性别", "事实依据"];
        let (row, texts) = at(&[title, by, &[], head, &["1", "甲", "男"]])
            .unwrap()
            .unwrap();
        assert_eq!((row, texts.len()), (4, 4));
        assert_eq!(at(&[title, &["甲", "乙"]]), Ok(None));
        assert_eq!(at(&[&["姓名", "必填"], &["性别", "必填"]]), Ok(None));
    }

    #[test]
    fn two_rows_are_one_header_where_they_say_more_together() {
        let upper: &[&str] = &[
            "线索编号",
            "基本情况",
            "",
            "户籍地",
            "",
            "流入地",
            "",
            "备注",
        ];
        let lower: &[&str] = &["", "姓名", "性别", "代码", "名称", "代码", "名称"];
        let (row, texts) = at(&[&["标题"], upper, lower]).unwrap().unwrap();
        assert_eq!(row, 3);
        assert_eq!(
            texts,
            [
                "线索编号",
                "姓名",
                "性别",
                "户籍地代码",
                "户籍地名称",
                "流入地代码",
                "流入地名称",
                "备注"
            ]
        );
    }

    #[test]
    fn regression_a_table_above_the_table_is_not_passed_over_in_silence() {
        let all: Vec<&str> = Column::ALL.iter().map(|c| c.header_zh()).collect();
        let required = Column::ALL.iter().filter(|c| c.is_required());
        let required: Vec<&str> = required.map(|c| c.header_zh()).collect();
        assert!(required.len() < all.len());
        let error = at(&[&required, &["1"], &["2"], &all, &["3"]]).unwrap_err();
        assert!(error.contains("rows 1 and 4"), "{error}");
        // A box that says whom to call is no table of leads.
        let contact: &[&str] = &["姓名", "联系电话"];
        let found = header::<Column>(&rows(&[contact, &["王五", "1"], &[], &all, &["3"]]));
        let found = found.unwrap().unwrap();
        assert_eq!((found.row, found.above), (4, Some([1, 3])));
    }

    #[test]
    fn two_rows_that_could_both_be_it_are_named() {
        let zh: &[&str] = &["线索编号", "姓名", "性别"];
        let en: &[&str] = &["number", "name", "sex"];
        assert_eq!(
            at(&[zh, en]).unwrap().unwrap().0,
            2,
            "one header in two languages"
        );
        let again = at(&[zh, &["1", "甲", "男"], zh]).unwrap().unwrap();
        assert_eq!(again.0, 1, "the header once more");
        let other: &[&str] = &["姓名", "性别", "线索编号"];
        let error = at(&[zh, &["1", "甲", "男"], zh, other]).unwrap_err();
        assert!(error.contains("rows 1 and 4"), "{error}");
        let error = at(&[zh, &["姓名", "性别", "备注"]]).unwrap_err();
        assert!(error.contains("rows 1 and 2"), "{error}");
    }
}
