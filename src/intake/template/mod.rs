//! The empty sheet that officers fill in: headers, formats that keep digits, drop-downs, and a page that explains each
//! column.

mod guide;
mod lists;

use super::{MAX_ROWS, header::letters, page};
use crate::domain::{Column, Lang, SheetColumn as _};
use guide::guide;
use lists::{Choice, List, lists};
use rust_xlsxwriter::{
    DataValidation, DataValidationRule, Format, FormatAlign, Formula, Workbook, Worksheet,
    XlsxError,
};

/// Excel cuts prompts and error texts after this many characters.
const MAX_PROMPT: usize = 255;
/// A list's range on the hidden page.
struct Placed {
    column: Column,
    list: List,
    /// `'选项'!$A$1:$A$3`.
    range: String,
}

/// A workbook to fill in: the first page has the columns of a lead, with headers that reading recognises; the second
/// one explains them.
///
/// # Errors
/// The workbook breaks a limit of the format, which is a defect here.
pub fn template(lang: Lang) -> Result<Workbook, XlsxError> {
    let mut workbook = Workbook::new();
    workbook.add_worksheet();
    workbook.add_worksheet();
    let placed = write_lists(workbook.add_worksheet(), lang)?;
    write_guide(workbook.worksheet_from_index(1)?, lang)?;
    write_form(workbook.worksheet_from_index(0)?, &placed, lang)?;
    Ok(workbook)
}

/// Whether this is the name of a page other than the one to fill in.
pub(super) fn is_side_page(name: &str) -> bool {
    [Lang::Zh, Lang::En]
        .into_iter()
        .any(|lang| [guide_name(lang), lists_name(lang)].contains(&name))
}

const fn guide_name(lang: Lang) -> &'static str {
    lang.pick("填写说明", "how to fill")
}

const fn lists_name(lang: Lang) -> &'static str {
    lang.pick("选项", "lists")
}

/// The hidden page: values of the drop-downs, one list for each column. Excel does not accept an inline list of more
/// than 255 characters.
fn write_lists(sheet: &mut Worksheet, lang: Lang) -> Result<Vec<Placed>, XlsxError> {
    let name = lists_name(lang);
    sheet.set_name(name)?.set_hidden(true);
    let mut placed = Vec::new();
    let all = Column::ALL.iter();
    for ((column, list), at) in all
        .flat_map(|column| lists(*column, lang).into_iter().map(|list| (*column, list)))
        .zip(0_u16..)
    {
        for (choice, row) in list.choices.iter().zip(0..) {
            sheet.write_string(row, at, choice.value)?;
        }
        let letters = letters(at.into());
        let last = list.choices.len();
        placed.push(Placed {
            column,
            list,
            range: format!("'{name}'!${letters}$1:${letters}${last}"),
        });
    }
    Ok(placed)
}

/// The page to fill in.
fn write_form(sheet: &mut Worksheet, placed: &[Placed], lang: Lang) -> Result<(), XlsxError> {
    sheet
        .set_name(lang.pick("线索", "leads"))?
        .set_row_height(0, 36)?
        .set_freeze_panes(1, 2)?
        .set_landscape()
        .set_paper_size(page::A4)
        .set_print_fit_to_pages(2, 0)
        .set_repeat_rows(0, 0)?
        .set_repeat_columns(0, 1)?;
    for (column, at) in Column::ALL.iter().copied().zip(0_u16..) {
        let format = if column == Column::CollectedOn {
            Format::new().set_num_format("yyyy-mm-dd")
        } else {
            // As text, nothing that is typed loses digits or zeros.
            Format::new().set_num_format("@")
        };
        let format = if is_prose(column) {
            format.set_text_wrap()
        } else {
            format
        };
        sheet
            .set_column_width(at, width(column, lang))?
            .set_column_format(at, &format.set_align(FormatAlign::Top))?
            .write_string_with_format(0, at, headed(column, lang), &header_format(column))?;
        if let Some(validation) = validation(column, at, placed, lang)? {
            sheet.add_data_validation(1, at, MAX_ROWS - 1, at, &validation)?;
        }
    }
    Ok(())
}

/// The header, with a star if a lead without the column is refused.
fn headed(column: Column, lang: Lang) -> String {
    let name = lang.pick(column.header_zh(), column.as_str());
    if column.is_required() {
        format!("{name} *")
    } else {
        name.to_owned()
    }
}

fn header_format(column: Column) -> Format {
    if column.is_required() {
        page::strong_header()
    } else {
        page::pale_header()
    }
}

const fn is_prose(column: Column) -> bool {
    matches!(column, Column::Facts | Column::Remarks | Column::Conduct)
}

/// In characters; a Chinese one counts as two.
fn width(column: Column, lang: Lang) -> f64 {
    // No line breaks within a key.
    let key = match lang {
        Lang::Zh => 0,
        Lang::En => u8::try_from(column.as_str().len() + 4).unwrap_or(u8::MAX),
    };
    let width: f64 = match column {
        Column::Facts => 48.0,
        Column::Remarks => 30.0,
        Column::ResidentNumber => 23.0,
        Column::RegisteredPlace | Column::DestinationPlace => 26.0,
        Column::Number | Column::Conduct | Column::GradeScheme | Column::CollectionMethod => 18.0,
        Column::RegisteredCode | Column::DestinationCode | Column::Phone | Column::Plate => 16.0,
        Column::Name
        | Column::Sex
        | Column::Substance
        | Column::CollectedOn
        | Column::SourceGrade
        | Column::InformationGrade
        | Column::Urgency
        | Column::Handling => 13.0,
    };
    width.max(key.into())
}

/// What Excel refuses during input, and the prompt beside the cell. Pasted values escape it, and `lead check` reports
/// them.
fn validation(
    column: Column,
    at: u16,
    placed: &[Placed],
    lang: Lang,
) -> Result<Option<DataValidation>, XlsxError> {
    let cell = format!("{}2", letters(at.into()));
    let rule = DataValidation::new();
    let rule = if let Some(list) = list_formula(column, placed) {
        rule.allow_list_formula(Formula::new(list))
    } else if column == Column::CollectedOn {
        rule.allow_date_formula(DataValidationRule::Between(
            Formula::new("=DATE(2000,1,1)"),
            Formula::new("=TODAY()"),
        ))
    } else if column == Column::ResidentNumber {
        rule.allow_custom(Formula::new(check_digit(&cell)))
    } else if matches!(column, Column::RegisteredCode | Column::DestinationCode) {
        rule.allow_custom(Formula::new(format!(
            "=AND(ISNUMBER(--{cell}),OR(LEN({cell})=6,LEN({cell})=9,LEN({cell})=12))"
        )))
    } else {
        let most = u32::try_from(column.max_chars()).unwrap_or(u32::MAX);
        rule.allow_text_length(DataValidationRule::LessThanOrEqualTo(most))
    };
    let said = guide(column, lang);
    let name = lang.pick(column.header_zh(), column.as_str());
    rule.set_input_title(name)?
        .set_input_message(prompt(said.meaning))?
        .set_error_title(name)?
        .set_error_message(prompt(&refused(column, lang)))
        .map(Some)
}

/// Excel's message for a value that it refuses.
fn refused(column: Column, lang: Lang) -> String {
    let allowed = allowed(column, lang);
    let page = lang.pick("详见第二页的填写说明。", "See the second page.");
    match lang {
        Lang::Zh => format!("不能填写此内容。应为：{allowed}。{page}"),
        Lang::En => format!("This value is not taken. Expected: {allowed}. {page}"),
    }
}

fn prompt(text: &str) -> String {
    text.chars().take(MAX_PROMPT).collect()
}

/// The citizen number's check character, as GB 11643 computes it. (The weights are 2^17 … 2^1 modulo 11.)
fn check_digit(cell: &str) -> String {
    format!(
        "=AND(LEN({cell})=18,MID(\"10X98765432\",MOD(SUMPRODUCT(MID({cell},ROW($1:$17),1)*2^(18-ROW($1:$17))),11)+1,1)\
         =UPPER(RIGHT({cell},1)))"
    )
}

/// The drop-down of a column: its list, or the one of the scheme in the same row.
fn list_formula(column: Column, placed: &[Placed]) -> Option<String> {
    let mut lists = placed.iter().filter(|placed| placed.column == column);
    let first = lists.next()?.range.clone();
    let scheme = Column::ALL.iter().position(|c| *c == Column::GradeScheme)?;
    let scheme = letters(u32::try_from(scheme).ok()?);
    let chosen = lists.fold(first, |otherwise, placed| match placed.list.scheme {
        Some(key) => format!(
            "IF(${scheme}2=\"{}\",{},{otherwise})",
            key.as_str(),
            placed.range
        ),
        None => otherwise,
    });
    Some(format!("={chosen}"))
}

/// The page that explains the columns. A column's name is written beside its letter, so that no row is taken for a
/// header.
fn write_guide(sheet: &mut Worksheet, lang: Lang) -> Result<(), XlsxError> {
    let cell = page::cell();
    let name = page::cell().set_bold();
    let head = page::strong_header();
    sheet
        .set_name(guide_name(lang))?
        .set_landscape()
        .set_paper_size(page::A4)
        .set_print_fit_to_pages(1, 0)
        .set_repeat_rows(TABLE_ROW, TABLE_ROW)?
        .set_footer("&C&P / &N")
        .set_screen_gridlines(false)
        .set_row_height(0, 28)?
        .write_string_with_format(
            0,
            0,
            lang.pick("外流贩毒线索表填写说明", "How to fill the sheet of leads"),
            &page::title(),
        )?;
    for (line, row) in preface(lang).into_iter().zip(1..) {
        sheet
            .set_row_height(row, page::height([(line, f64::MAX)]))?
            .write_string(row, 0, line)?;
    }
    let heads = match lang {
        Lang::Zh => ["列", "必填", "含义", "可填内容", "示例", "常见错误"],
        Lang::En => [
            "column",
            "required",
            "meaning",
            "what may stand there",
            "example",
            "common mistakes",
        ],
    };
    let widths = [24.0, 9.0, 38.0, 44.0, 28.0, 34.0];
    for ((head_text, width), at) in heads.into_iter().zip(widths).zip(0_u16..) {
        sheet
            .set_column_width(at, width)?
            .write_string_with_format(TABLE_ROW, at, head_text, &head)?;
    }
    for (column, at) in Column::ALL.iter().copied().zip(0_u32..) {
        let row = TABLE_ROW + 1 + at;
        let said = guide(column, lang);
        let required = if column.is_required() {
            lang.pick("是", "yes")
        } else {
            lang.pick("否", "no")
        };
        let named = lang.pick(column.header_zh(), column.as_str());
        let allowed = explained(column, lang);
        let texts = [
            &format!("{}　{named}", letters(at)),
            required,
            said.meaning,
            &allowed,
            said.example,
            said.mistakes,
        ];
        sheet.set_row_height(row, page::height(texts.into_iter().zip(widths)))?;
        for (text, at) in texts.into_iter().zip(0_u16..) {
            let format = if at == 0 { &name } else { &cell };
            sheet.write_string_with_format(row, at, text, format)?;
        }
    }
    Ok(())
}

/// Where the table of columns begins on the second page: below the title and [`preface`].
const TABLE_ROW: u32 = 6;

fn preface(lang: Lang) -> [&'static str; 4] {
    match lang {
        Lang::Zh => [
            "一行一人。带 * 的列必填。列的次序可以改变，可以另加列，另加的列不会被读取，也不会发出。",
            "没有针对本人的具体事实，不得发送。不填民族、宗教。",
            "填好后先核对：yichuan lead check 文件；再发送：yichuan lead push 文件。同一份表再推一次，不会重复。",
            "示例中的人员是虚构的。填好的表含个人信息，按规定保管，不经互联网传送。",
        ],
        Lang::En => [
            "One person a row. Columns with a star are required. Their order may change; columns of your own are neither read nor sent.",
            "Without facts about the person nothing is sent. Neither ethnicity nor religion is stated.",
            "Check what you filled with: yichuan lead check FILE; then send it: yichuan lead push FILE. Pushing again sends nothing twice.",
            "The person in the examples is invented. A filled sheet holds personal data: keep it as such.",
        ],
    }
}

/// The values that a column accepts, in one line.
fn allowed(column: Column, lang: Lang) -> String {
    let lists = lists(column, lang);
    if lists.is_empty() {
        return free(column, lang);
    }
    lists
        .iter()
        .map(|list| listed(list, lang))
        .collect::<Vec<_>>()
        .join(lang.pick("；", "; "))
}

fn listed(list: &List, lang: Lang) -> String {
    let values: Vec<_> = list.choices.iter().map(|choice| choice.value).collect();
    let values = values.join(lang.pick("、", ", "));
    match list.scheme {
        Some(scheme) => format!("{scheme}: {values}", scheme = scheme.as_str()),
        None => values,
    }
}

fn free(column: Column, lang: Lang) -> String {
    let most = column.max_chars();
    match (column, lang) {
        (Column::ResidentNumber, Lang::Zh) => "18位，末位为校验码（0–9 或 X）".to_owned(),
        (Column::ResidentNumber, Lang::En) => {
            "18 characters, the last a check character (0–9 or X)".to_owned()
        }
        (Column::RegisteredCode | Column::DestinationCode, Lang::Zh) => {
            "6、9或12位数字代码".to_owned()
        }
        (Column::RegisteredCode | Column::DestinationCode, Lang::En) => {
            "a code of 6, 9 or 12 digits".to_owned()
        }
        (Column::CollectedOn, Lang::Zh) => "2000年以后、不晚于今天的日期".to_owned(),
        (Column::CollectedOn, Lang::En) => "a day since 2000, not after today".to_owned(),
        (_, Lang::Zh) => format!("文字，至多{most}字"),
        (_, Lang::En) => format!("text, at most {most} characters"),
    }
}

/// The values that a column accepts, each with its meaning.
fn explained(column: Column, lang: Lang) -> String {
    let lists = lists(column, lang);
    if lists.is_empty() {
        return free(column, lang);
    }
    let mut lines = Vec::new();
    for list in &lists {
        lines.extend(list.scheme.map(|scheme| format!("{}：", scheme.as_str())));
        lines.extend(list.choices.iter().map(meant));
    }
    lines.join("\n")
}

fn meant(choice: &Choice) -> String {
    match choice.meaning {
        "" => choice.value.to_owned(),
        meaning => format!("{}　{meaning}", choice.value),
    }
}
