//! Maps columns of a sheet to fields of its rows: by Chinese header, by key or by a name in use, in any order.

use super::{Note, SheetError, aliases::is_alias};
use crate::domain::{SheetColumn, is_invisible};

/// Headers of a column that only numbers the rows.
const SERIAL: [&str; 5] = ["序号", "顺序号", "no", "no.", "#"];

/// The longest text that is considered as a header, in bytes: each cell of a sheet may be one.
const MAX_HEADER_BYTES: usize = 512;

/// The column that a header cell names.
pub fn column<C: SheetColumn>(header: &str) -> Option<C> {
    if header.len() > MAX_HEADER_BYTES {
        return None;
    }
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
    let header = Plain::of(header);
    if header.says_value {
        return None;
    }
    let column = known(&header.name)?;
    let is_same = |note: &String| is_filler(note) || known::<C>(&bare(note)) == Some(column);
    if header.notes.iter().all(is_same) {
        return Some(column);
    }
    // 户籍地（代码） means 户籍地代码.
    let together = header
        .notes
        .iter()
        .fold(header.name, |all, note| all + &bare(note));
    known(&together)
}

fn known<C: SheetColumn>(name: &str) -> Option<C> {
    let is = |column: &C| {
        let key = column.as_str();
        name == column.header_zh()
            || name.chars().eq(key.chars().filter(|c| *c != '_'))
            || is_alias(column.header_zh(), name)
    };
    C::ALL.iter().copied().find(is)
}

/// A header in parts, without case, width, space and invisible characters.
struct Plain {
    /// The text outside brackets, without a number before it, a star for 'required', quotation marks and a colon at its
    /// end.
    name: String,
    /// The texts in brackets.
    notes: Vec<String>,
    /// Whether something follows a colon: `姓名：` with a name behind it is not a header.
    says_value: bool,
}

impl Plain {
    fn of(header: &str) -> Self {
        let (mut name, mut notes) = (String::new(), Vec::new());
        let mut note: Option<String> = None;
        let visible = header
            .chars()
            .filter(|c| !c.is_whitespace() && !c.is_control() && !is_invisible(*c))
            .map(narrow)
            .flat_map(char::to_lowercase);
        for c in visible {
            match (c, &mut note) {
                ('(' | '[' | '【' | '〔', None) => note = Some(String::new()),
                (')' | ']' | '】' | '〕', open) => notes.extend(open.take()),
                (c, Some(note)) => note.push(c),
                (c, None) => name.push(c),
            }
        }
        notes.extend(note);
        let named = name.trim_end_matches(':');
        let says_value = named.contains(':');
        // 1.姓名, 2、性别
        let unnumbered = named.trim_start_matches(|c: char| c.is_ascii_digit());
        let named = match unnumbered.strip_prefix(['.', '、', ')']) {
            Some(rest) if unnumbered.len() < named.len() => rest,
            Some(_) | None => named,
        };
        Self {
            name: bare(named),
            notes,
            says_value,
        }
    }
}

/// Strips characters between and around words that mean nothing. Not `"`: if one is left in a header, the CSV file has
/// a space before its marks, and its values have one too.
fn bare(text: &str) -> String {
    const MARKS: [char; 11] = ['*', '★', '_', '-', '\'', '“', '”', '‘', '’', '「', '」'];
    text.chars().filter(|c| !MARKS.contains(c)).collect()
}

/// Whether a note tells how to fill in the column, and not which one it is: that it is required, how long its values
/// are, or what they may be.
fn is_filler(note: &str) -> bool {
    const WORDS: [&str; 18] = [
        "必填",
        "选填",
        "可填",
        "必录",
        "选录",
        "可选",
        "可空",
        "非空",
        "下拉",
        "格式",
        "文本",
        "年月日",
        "如",
        "例",
        "yyyy",
        "required",
        "optional",
        "text",
    ];
    const VALUES: [&str; 5] = ["男", "女", "普通", "紧急", "特急"];
    // 18位, 6、9或12位
    let is_length = note.ends_with('位') && note.contains(|c: char| c.is_ascii_digit());
    let is_value = |part: &str| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        VALUES.contains(&part)
            || (part.len() - rest.len() <= 1 && rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    is_length
        || WORDS
            .iter()
            .any(|word| note.starts_with(word) || note.ends_with(word))
        || note
            .split(['/', '、', ',', '或', '至', '-', '–', '~'])
            .all(is_value)
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
    /// Reads the texts of a header, column by column.
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

    /// Whether most of the required columns are missing: this may be the rest of a header, a form for one person, or a
    /// row that happens to hold two names of columns.
    pub(super) fn is_in_part(&self) -> bool {
        let required = C::ALL.iter().filter(|column| column.is_required()).count();
        self.missing().len() * 2 > required
    }

    /// A note on each column that has a name and is none of a record's, except serial numbers, which most sheets have.
    /// No notes if the header may not be one, because its text may be about a person; that it is doubtful has a note of
    /// its own.
    pub(super) fn unknown(&self, sheet: Option<&str>, texts: &[String]) -> Vec<Note> {
        if self.is_in_part() {
            return Vec::new();
        }
        let others = texts
            .iter()
            .zip(0..)
            .filter(|(text, at)| !text.trim().is_empty() && self.at(*at).is_none())
            .filter(|(text, _)| !SERIAL.contains(&Plain::of(text).name.as_str()));
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
            ("（必填）姓名", Column::Name),
            ("【必填】事实依据", Column::Facts),
            ("处理限制\u{2060}", Column::Handling),
            ("联系电话\u{200c}", Column::Phone),
            ("公民身份号码\n(18位)", Column::ResidentNumber),
            ("流入地代码（6、9或12位）", Column::DestinationCode),
            ("性别（男/女）", Column::Sex),
            ("信息可信度(1-6)", Column::InformationGrade),
            ("采集时间（如2026-06-01", Column::CollectedOn),
            ("户籍地（代码）", Column::RegisteredCode),
            ("姓名（Name）", Column::Name),
            ("10.涉嫌行为", Column::Conduct),
            ("“姓名”", Column::Name),
            ("手机", Column::Phone),
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
            "联系电话（办案民警）",
            "姓名（同案人）",
            "姓名：王癸甲",
            "车牌号: 贵D54321",
            "姓名(accomplice)",
            "1姓名",
            " \"姓名\"",
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
