//! What can be wrong with a lead, in stable codes and in words that never hold a value.

use super::{Column, Lang, SheetColumn};
use std::fmt;

macro_rules! findings {
    ($($(#[$doc:meta])* $variant:ident $key:literal $kind:ident $zh:literal $en:literal,)+) => {
        /// What is wrong with a row, or worth a warning. Declared, and so ordered, from the most important to the least.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingCode { $($(#[$doc])* $variant,)+ }

        impl FindingCode {
            /// All of them, the most important first.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable code: `bad_check_digit`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $key,)+ }
            }

            /// True where the lead is taken all the same.
            pub const fn is_warning(self) -> bool {
                match self { $(Self::$variant => findings!(@$kind),)+ }
            }

            /// What is wrong and what to do, without the value.
            pub const fn message(self, lang: Lang) -> &'static str {
                match self { $(Self::$variant => lang.pick($zh, $en),)+ }
            }
        }
    };
    (@error) => { false };
    (@warning) => { true };
}

findings! {
    /// A required column is not in the sheet.
    MissingColumn "missing_column" error
        "表中缺少此列，请按模板补列后重新导入"
        "the sheet lacks this column: add it as in the template, and check again",
    /// A row of a CSV file is longer than its header.
    SurplusFields "surplus_fields" error
        "本行的列比表头多：多半是某处内容里的分隔符没有加引号，各列可能已错位，请与原件核对后重新导出"
        "the row has more fields than the header: most likely a separator inside a value is not in quotation marks, and \
         columns may have shifted; compare it with its source and export it again",
    /// Nothing in the row.
    BlankRow "blank_row" error
        "空行，已跳过"
        "blank row, skipped",
    /// The end of a list on paper: a sum, who filled it in.
    FooterRow "footer_row" error
        "表尾的合计、填表人等，不是记录，已跳过"
        "a sum, or who filled the sheet in: no record, skipped",
    /// The header once more.
    RepeatedHeader "repeated_header" error
        "重复的表头，已跳过"
        "the header once more, skipped",
    /// The same stands further up.
    DuplicateInFile "duplicate_in_file" error
        "与表中前面一行内容相同，不重复发送"
        "the same stands further up in the file: it is not sent twice",
    /// The number stands for other content already.
    ChangedContent "changed_content" error
        "编号已用于内容不同的记录，请改用新编号，或对原记录作更正"
        "this number already stands for other content: use a new number, or correct the first record",
    /// The citizen number is a number cell, which has lost digits.
    NumericId "numeric_id" error
        "公民身份号码存成了数值，末位已失真：请把单元格设为文本格式，按证件重新录入"
        "the citizen number is stored as a number and has lost its last digits: format the cell as text and type it again \
         from the document",
    /// The citizen number is text, and lost digits before it became text.
    RoundedId "rounded_id" error
        "号码末位已失真（末三位为000，或是科学计数法）：这段文本来自数值单元格，请把单元格设为文本格式，按证件重新录入"
        "the number is text that came from a number cell (it ends in 000, or is written as 5.2E+17) and has lost its last \
         digits: type it again from the document, in a cell formatted as text",
    /// A mark that stands in place of a value which was lost, and which nobody has mended.
    Unmended "unmended" error
        "这里是退回时代替已失真内容的记号，还没有改正：请填写应有的内容"
        "the mark that was put here in place of what was lost is still there: type what belongs here",
    /// The cell is a date or a number of more digits than a number cell keeps, where neither belongs.
    NotAsTyped "not_as_typed" error
        "单元格存成了日期或长数值，已不是录入的内容：请把单元格设为文本格式，重新录入"
        "the cell became a date or a long number and no longer holds what was typed: format it as text and type it again",
    /// The cell holds an error in place of a value: `#N/A`.
    ErrorValue "error_value" error
        "单元格是错误值（如 #N/A），不是内容：请填写应有的内容，没有的清空"
        "the cell holds an error such as #N/A and no value: type what belongs there, or clear it",
    /// A formula that no spreadsheet program has computed.
    NotComputed "not_computed" error
        "公式没有计算结果：请用 Excel 或 WPS 打开表格，保存一次后再导入，或直接填写内容"
        "a formula without a result: open the sheet in Excel or WPS and save it once, or type the value itself",
    /// The cell shows something else than it holds.
    ShownOtherwise "shown_otherwise" error
        "单元格显示的与其中存的不同（数字格式加了前缀、零、单位，或隐藏了内容）：请把单元格设为文本格式，录入应有的内容"
        "the cell shows something else than it holds, by its number format (a prefix, zeros, a unit, a part left out): format \
         it as text and type what belongs there",
    /// A picture, or another thing that is no text, in place of a value.
    PictureInCell "picture_in_cell" error
        "单元格里是图片，不是文字：请填写应有的内容，图片另附"
        "the cell holds a picture and no text: type what belongs there, and keep the picture for the file",
    /// The cell, or all of the row, is struck through.
    StruckOut "struck_out" error
        "有删除线，不知是否作废：作废的删去本行，有效的去掉删除线"
        "struck through, so that nobody knows whether it still holds: delete the row if it does not, else remove the line",
    /// Below or beside another cell that it is merged with.
    MergedCell "merged_cell" error
        "单元格已与其他行或列合并，本格没有自己的内容：请取消合并并逐行填写"
        "the cell is merged with another and holds nothing of its own: unmerge the cells and fill in each row",
    /// A citizen number of the first generation.
    Legacy15Digit "legacy_15_digit" error
        "15位旧号码不再使用，请查明并填写18位号码"
        "15-digit numbers are out of use: look up the number of 18 characters",
    /// Not 18 characters.
    BadLength "bad_length" error
        "公民身份号码应为18位，请与证件核对"
        "a citizen number has 18 characters: compare it with the document",
    /// A character that looks like a digit or the letter X, and is another.
    LookAlike "look_alike" error
        "号码中有一个字符看起来像数字或 X，其实是别的字符，请改为数字或字母 X"
        "a character of the number looks like a digit or the letter X and is another one: type the digit, or the letter X",
    /// A character that cannot stand there.
    OddCharacter "odd_character" error
        "内容中有一个不应有的字符，请与证件核对后改正"
        "a character that cannot stand here: compare it with the document, and type what belongs there",
    /// The check character does not fit.
    BadCheckDigit "bad_check_digit" error
        "公民身份号码的校验码不符，请与证件核对"
        "the citizen number's check digit does not fit: compare it with the document",
    /// No such day of birth.
    BadBirthDate "bad_birth_date" error
        "号码中的出生日期不存在或晚于今天，请与证件核对"
        "the date of birth in the number does not exist or lies in the future: compare it with the document",
    /// The number says another sex than the column.
    SexMismatch "sex_mismatch" error
        "性别与公民身份号码第17位不一致，请核对是否填错人"
        "the sex contradicts the citizen number's 17th digit: check that both are the same person's",
    /// The lead points to the own jurisdiction.
    OwnCountyDestination "own_county_destination" error
        "流入地在本辖区内，应由本地办理，不作为外发线索"
        "the destination lies in your own jurisdiction: handle it there, it is no lead for a partner",
    /// Not a division code.
    BadDestination "bad_destination" error
        "流入地代码应为6、9或12位数字，例如 440232"
        "the destination code must have 6, 9 or 12 digits, such as 440232",
    /// No node answers for the destination.
    NoPartnerCard "no_partner_card" error
        "流入地的县、市、省均无已登记的节点名片，请先与对方交换名片，或按原渠道移送"
        "no partner with a card covers the destination's county, prefecture or province: exchange cards first, or use \
         the old channel",
    /// No individual facts.
    NoFactualBasis "no_factual_basis" error
        "缺少事实依据：请写明针对此人的具体事实，仅有名单不得发送"
        "no facts: state what is known of this person; a bare name is not sent",
    /// Collected after today.
    FutureCollection "future_collection" error
        "采集时间晚于今天，请更正"
        "collected after today: correct the date",
    /// Not a grade of the scheme.
    UnknownGrade "unknown_grade" error
        "评级不属于所用标准：默认来源 A–F、信息 1–6（海军部制）；另用标准须写明 europol-4x4 或 uk-3x5x2"
        "not a grade of the scheme: source A–F and information 1–6 (Admiralty) unless the scheme says europol-4x4 or \
         uk-3x5x2",
    /// Not a handling code.
    UnknownHandling "unknown_handling" error
        "处理限制应为 H0、H1、H2 或 H3"
        "handling must be H0, H1, H2 or H3",
    /// Not an urgency.
    UnknownUrgency "unknown_urgency" error
        "紧急程度应为 普通、紧急 或 特急"
        "urgency must be normal (普通), urgent (紧急) or critical (特急)",
    /// Required, and empty, or says that there is nothing to say.
    MissingValue "missing_value" error
        "必填内容为空"
        "required, but empty",
    /// Not what the column holds.
    Unreadable "unreadable" error
        "内容不是本列应有的形式"
        "not in a form that this column has",
    /// A word or mark in place of a name.
    NotAName "not_a_name" error
        "不是姓名（符号、“不详”“无”一类的词，或只有姓的化名），请按证件填写姓名"
        "no name, but a mark, a word for 'unknown', or a name with parts left out: write the name as in the document",
    /// More than one name.
    SeveralNames "several_names" error
        "一格里有多个姓名：一行只写一人，别名写入备注"
        "more than one name in a cell: one person a row, other names of the person go into the remarks",
    /// A day that says neither where its year stands nor which number is the month.
    AmbiguousDate "ambiguous_date" error
        "日期有歧义（分不清年、月、日），请写成 2026-06-01"
        "the date can be read in more than one way: write year, month, day, as in 2026-06-01",
    /// A day that no calendar has.
    NoSuchDay "no_such_day" error
        "没有这一天，请与材料核对，写成 2026-06-01"
        "no calendar has this day: compare it with the file, and write it as 2026-06-01",
    /// Before the year 2000, which no campaign reaches back to.
    DayTooEarly "day_too_early" error
        "日期早于2000年，多半不是录入的日期，请与材料核对，写成 2026-06-01"
        "before the year 2000, and most likely not what was typed: compare it with the file, and write it as 2026-06-01",
    /// Longer than the column holds.
    TooLong "too_long" error
        "内容过长，请压缩，细节另附材料"
        "too long: shorten it, and keep details for the file",
    /// The person caught is registered in the own jurisdiction.
    OwnResident "own_resident" error
        "户籍地在本辖区内，不需通报"
        "registered in your own jurisdiction: there is nobody to notify",
    /// No node answers for the registered residence.
    NoOriginPartner "no_origin_partner" error
        "户籍地的县、市、省均无已登记的节点名片，请先与对方交换名片，或按原渠道通报"
        "no partner with a card covers the registered county, prefecture or province: exchange cards first, or use the \
         old channel",
    /// Caught after today.
    FutureCatch "future_catch" error
        "抓获时间晚于今天，请更正"
        "caught after today: correct the date",
    /// Not a case number.
    BadCaseNumber "bad_case_number" error
        "案件编号应为 A 加22位数字"
        "a case number is A and 22 digits",
    /// No lead of that id between the two jurisdictions.
    UnknownLead "unknown_lead" error
        "与对方之间没有此标识的线索；无在先线索的，请留空"
        "no lead of this id is between you and the recipient: leave it empty where there was none",
    /// A citizen number that may have been rounded, and passes for one all the same.
    MaybeRounded "maybe_rounded" warning
        "号码末三位为000，可能被表格软件改动过，请与证件核对"
        "the number ends in 000 and may have been rounded by a spreadsheet program: compare it with the document",
    /// The cell shows a number with separators that it does not hold.
    ShownStyled "shown_styled" warning
        "单元格显示的数字带分隔符或小数位，读取的是其中存的数字，请核对"
        "the cell shows its number with separators or decimals; the number that it holds was read: compare them",
    /// Was tidied: spaces, full-width digits, lower case.
    Normalised "normalised" warning
        "已规范书写（空格、全角字符、大小写或日期格式）"
        "was tidied (spaces, full-width characters, case or form of date)",
    /// Not in the division table, which lags.
    UnknownDivision "unknown_division" warning
        "代码不在区划表中（区划表可能滞后），请核对"
        "not in the division table, which may lag: check the code",
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One finding on a row: the code, and the column that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Finding<C = Column> {
    /// The column; none where it is about the row.
    pub column: Option<C>,
    /// What it is.
    pub code: FindingCode,
    /// The one character that it is about; none where it is about more.
    pub character: Option<char>,
}

impl<C: SheetColumn> Finding<C> {
    /// A finding on a column.
    pub const fn new(column: C, code: FindingCode) -> Self {
        Self {
            column: Some(column),
            code,
            character: None,
        }
    }

    /// A finding on one character of a column.
    pub const fn on_character(column: C, code: FindingCode, character: Option<char>) -> Self {
        Self {
            column: Some(column),
            code,
            character,
        }
    }

    /// A finding on the whole row.
    pub const fn on_row(code: FindingCode) -> Self {
        Self {
            column: None,
            code,
            character: None,
        }
    }

    /// True where the lead is taken all the same.
    pub const fn is_warning(&self) -> bool {
        self.code.is_warning()
    }

    /// What is wrong and what to do, with the column's limit or form where that helps; never the value.
    pub fn message(&self, lang: Lang) -> String {
        let said = self.code.message(lang);
        if let Some(character) = self.character {
            let named = named(character);
            return match lang {
                Lang::Zh => format!("{said}：{named}"),
                Lang::En => format!("{said} ({named})"),
            };
        }
        match (self.code, self.column) {
            (FindingCode::TooLong, Some(column)) => {
                let limit = column.max_chars();
                match lang {
                    Lang::Zh => format!("{said}（至多{limit}字）"),
                    Lang::En => format!("{said} (at most {limit} characters)"),
                }
            }
            (FindingCode::MissingValue | FindingCode::Unreadable, Some(column)) => {
                match column.form(lang) {
                    Some(form) => format!("{said}{}{form}", lang.pick("：", ": ")),
                    None => said.to_owned(),
                }
            }
            _ => said.to_owned(),
        }
    }

    /// Sorts findings so that the first is the reason to show: the most important, then the leftmost.
    pub fn sort(findings: &mut [Self]) {
        findings.sort_by_key(|finding| (finding.code, finding.column));
    }
}

/// A character by its number, and as it looks where it can be seen.
fn named(character: char) -> String {
    let number = format!("U+{:04X}", u32::from(character));
    if character.is_alphanumeric()
        || (character.is_ascii_punctuation())
        || SEEN.contains(&character)
    {
        format!("{character} {number}")
    } else {
        number
    }
}

/// Characters that are no letters and look like something.
const SEEN: [char; 12] = [
    '×', '✕', '✖', '╳', '⨯', '○', '□', '、', '，', '；', '／', '　',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_finding_is_the_most_important() {
        let mut findings = vec![
            Finding::new(Column::RegisteredCode, FindingCode::UnknownDivision),
            Finding::new(Column::Urgency, FindingCode::MissingValue),
            Finding::new(Column::Sex, FindingCode::MissingValue),
            Finding::new(Column::ResidentNumber, FindingCode::NumericId),
        ];
        Finding::sort(&mut findings);
        let codes: Vec<_> = findings.iter().map(|f| f.code).collect();
        assert_eq!(
            codes,
            [
                FindingCode::NumericId,
                FindingCode::MissingValue,
                FindingCode::MissingValue,
                FindingCode::UnknownDivision
            ]
        );
        assert_eq!(findings[1].column, Some(Column::Sex));
        // A warning never hides an error.
        assert!(FindingCode::ALL.is_sorted_by_key(|code| code.is_warning()));
    }
}
