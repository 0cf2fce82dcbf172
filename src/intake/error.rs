//! Why a file cannot be read as a sheet.

use super::{
    MAX_FILE_BYTES, MAX_ROWS, MAX_UNPACKED_BYTES,
    guard::{FileKind, MAX_COLUMNS, MAX_ROW_BYTES},
    note::shown,
};
use crate::domain::Lang;
use std::io;

const MIB: u64 = 1024 * 1024;

/// Why a file could not be read as a sheet. None of its rows is used.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.message(Lang::En))]
#[non_exhaustive]
pub enum SheetError {
    /// The file is missing, or may not be read.
    Unreadable(#[source] io::Error),
    /// Larger than [`MAX_FILE_BYTES`].
    FileTooLarge,
    /// A workbook of Excel 97 to 2003, or of WPS.
    LegacyXls,
    /// A workbook protected by a password.
    Encrypted,
    /// A file of another kind.
    WrongType(FileKind),
    /// An xlsx workbook that is truncated or inconsistent.
    Damaged,
    /// A workbook that is ambiguous about which part is its main one, a worksheet or the text of its cells.
    AmbiguousParts,
    /// Cells hold errors that the reader does not know (`#SPILL!`), and it is unclear which cells.
    ErrorCell,
    /// Too many formulas that were never computed.
    NotComputed,
    /// It unpacks to more than [`MAX_UNPACKED_BYTES`], to far more than its size, or into too many parts.
    Bomb,
    /// It claims more strings, rows or columns than it can hold.
    FalseClaim,
    /// Markup nested deeper than in any workbook.
    TooDeep,
    /// Markup that declares entities, as no workbook does.
    Doctype,
    /// A cell with more text than a spreadsheet program allows.
    LongCell,
    /// More distinct texts than fit into memory.
    TooMuchText,
    /// Nothing in the file, or in any visible worksheet.
    Empty,
    /// No worksheet is visible.
    NoneVisible,
    /// No row names the columns.
    NoHeader,
    /// Two rows name the columns equally well.
    TwoHeaders {
        /// The rows.
        rows: [u32; 2],
    },
    /// Two columns have the same header.
    DuplicateColumn {
        /// The column's key.
        key: &'static str,
        /// Its Chinese header.
        header_zh: &'static str,
        /// Column letters of both in the sheet.
        letters: [String; 2],
    },
    /// More than [`MAX_ROWS`] rows.
    TooManyRows,
    /// A row below the first [`MAX_ROWS`].
    FarRow {
        /// The row, or record.
        row: u32,
    },
    /// A row with more columns than the limit.
    TooManyColumns {
        /// The row, or record.
        row: u32,
    },
    /// A row with more text than the limit.
    LongRow {
        /// The row, or record.
        row: u32,
    },
    /// Bytes that are not text in the file's encoding.
    BadText {
        /// The record.
        record: u32,
        /// The encoding of the rest of the file.
        encoding: &'static str,
    },
    /// A record that ends with the file, before its last field.
    BreaksOff {
        /// The record.
        record: u32,
    },
    /// A control character, such as the one with code 0.
    ControlCharacter {
        /// The record.
        record: u32,
    },
    /// A quotation mark that opens and does not close: the file is truncated, or the mark is stray.
    OpenQuote {
        /// The record in which it opens.
        record: u32,
    },
    /// Text after a closing quotation mark: one of the two marks is stray.
    StrayQuote {
        /// The record that has it; rows may have been merged into it.
        record: u32,
    },
    /// An error in one of several worksheets.
    InSheet {
        /// Its name.
        sheet: String,
        /// What is wrong with it.
        error: Box<Self>,
    },
}

impl SheetError {
    /// What happened and what to do.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "those that name nothing are below"
    )]
    pub fn message(&self, lang: Lang) -> String {
        let (zh, en) = match self {
            Self::Unreadable(error) => {
                (unreadable(error), format!("cannot read the file: {error}"))
            }
            Self::FileTooLarge => {
                let limit = MAX_FILE_BYTES / MIB;
                (
                    format!("文件超过 {limit} MiB，请拆分后导入"),
                    format!("the file is larger than {limit} MiB: split it"),
                )
            }
            Self::TooManyRows => (
                format!("各工作表合计超过 {MAX_ROWS} 行，请拆分后导入"),
                format!("more than {MAX_ROWS} rows in all worksheets together: split the file"),
            ),
            Self::FarRow { row } => (
                format!(
                    "第{row}行已超出上限（各工作表合计 {MAX_ROWS} 行）：误填的请清空该行，行数确实多的请拆分后导入"
                ),
                format!(
                    "row {row} lies beyond the limit, more than {MAX_ROWS} rows in all worksheets together: clear it if it \
                     is there by mistake, or split the file"
                ),
            ),
            Self::BreaksOff { record } => (
                format!(
                    "第{record}条记录不完整：文件到此中断，列比表头少，行尾也没有换行。请重新取得文件；内容确实齐全的，在末尾补一个换行"
                ),
                format!(
                    "record {record} is not whole: the file ends in it, with fewer fields than the header and without a line \
                     end. Fetch the file again; if nothing is missing, end it with a line break"
                ),
            ),
            Self::ControlCharacter { record } => (
                format!(
                    "第{record}条记录中有控制字符，文件可能已损坏：请用表格软件打开，核对该行后另存为 UTF-8 CSV"
                ),
                format!(
                    "record {record} has a control character, and the file may be damaged: open it in a spreadsheet program, \
                     look at that row, and save it as CSV UTF-8"
                ),
            ),
            Self::WrongType(kind @ FileKind::Protected) => (
                format!(
                    "这是{}，本机读不出内容：请在装有该软件的电脑上解密，另存为 .xlsx 或 CSV",
                    kind.label(Lang::Zh)
                ),
                format!(
                    "this is {}, and cannot be read here: decrypt it where that client is installed, and save it as .xlsx \
                     or CSV",
                    kind.label(Lang::En)
                ),
            ),
            Self::WrongType(kind @ FileKind::Other) => (
                format!(
                    "这是{}，不是表格（也可能由文档保护软件加密，须先解密）：请用 lead template 生成模板，或另存为 .xlsx 或 CSV",
                    kind.label(Lang::Zh)
                ),
                format!(
                    "this is {}, not a sheet (or one that a document-protection client has encrypted: decrypt it first): start \
                     from `lead template`, or save it as .xlsx or CSV",
                    kind.label(Lang::En)
                ),
            ),
            Self::WrongType(kind) => (
                format!(
                    "这是{}，不是表格：请用 lead template 生成模板，或另存为 .xlsx 或 CSV",
                    kind.label(Lang::Zh)
                ),
                format!(
                    "this is {}, not a sheet: start from `lead template`, or save it as .xlsx or CSV",
                    kind.label(Lang::En)
                ),
            ),
            Self::DuplicateColumn {
                key,
                header_zh,
                letters: [first, second],
            } => (
                format!("{first} 列和 {second} 列的表头都是“{header_zh}”，请只保留一列"),
                format!("columns {first} and {second} are both {key}: keep one of them"),
            ),
            Self::TwoHeaders {
                rows: [first, second],
            } => (
                format!("第{first}行和第{second}行都像表头，请只保留一行"),
                format!("rows {first} and {second} both look like the header: keep one of them"),
            ),
            Self::Bomb => {
                let limit = MAX_UNPACKED_BYTES / MIB;
                (
                    format!(
                        "文件解压后过大或部件过多（上限 {limit} MiB），已拒绝读取；请只复制数据到新工作簿"
                    ),
                    format!(
                        "the file unpacks to too much (limit {limit} MiB) or too many parts and was not read: copy only \
                         the data into a new workbook"
                    ),
                )
            }
            Self::TooManyColumns { row } => (
                format!("第{row}行超过 {MAX_COLUMNS} 列，请删去右侧多余的内容"),
                format!(
                    "row {row} has more than {MAX_COLUMNS} columns: clear what stands far right"
                ),
            ),
            Self::LongRow { row } => {
                let limit = MAX_ROW_BYTES / 1024;
                (
                    format!("第{row}行超过 {limit} KiB，请核对此行（CSV 中可能缺少引号）"),
                    format!(
                        "row {row} is longer than {limit} KiB: look at it (in a CSV file a quotation mark may be missing)"
                    ),
                )
            }
            Self::BadText { record, encoding } => (
                format!(
                    "第{record}条记录中有不属于 {encoding} 编码的字节：请用表格软件打开，核对该行后另存为 UTF-8 CSV"
                ),
                format!(
                    "record {record} has bytes that are no {encoding} text: open the file in a spreadsheet program, look at \
                     that row, and save it as CSV UTF-8"
                ),
            ),
            Self::OpenQuote { record } => (
                format!("第{record}条记录中的引号没有闭合：文件不完整，或多了一个引号"),
                format!(
                    "a quotation mark in record {record} is never closed: the file breaks off, or the mark is one too many"
                ),
            ),
            Self::StrayQuote { record } => (
                format!(
                    "从第{record}条记录起引号不成对：引号后还有文字，后面的行可能并入了这一条。请补齐或删去多余的引号，内容中的引号写成两个"
                ),
                format!(
                    "quotation marks do not pair from record {record} on: text follows a closing mark, and rows after it may \
                     have run into it. Take the stray mark away; a mark inside a value is written twice"
                ),
            ),
            Self::InSheet { sheet, error } => (
                format!("工作表“{}”：{}", shown(sheet), error.message(Lang::Zh)),
                format!(
                    "worksheet \"{}\": {}",
                    shown(sheet),
                    error.message(Lang::En)
                ),
            ),
            _ => return self.plain(lang).to_owned(),
        };
        match lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }

    /// Errors that name no part of the file.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "those that name something are above"
    )]
    fn plain(&self, lang: Lang) -> &'static str {
        let (zh, en) = match self {
            Self::LegacyXls => (
                "这是旧版 .xls 或 .et 文件，不予读取：请另存为 .xlsx",
                "this is an old .xls (or .et) workbook, which is not read: save it as .xlsx",
            ),
            Self::Encrypted => (
                "工作簿有打开密码：请去掉密码后另存",
                "the workbook has a password: save it without one",
            ),
            Self::AmbiguousParts => (
                "工作簿对自身各部分的指向互相矛盾（不同软件会读出不同内容），可能是恶意文件，已拒绝读取；请核实来源，或用 Excel、WPS \
                 打开后另存",
                "the workbook contradicts itself about which of its parts is which, so that programs would read different \
                 things; it may be hostile and was not read: ask where it came from, or open it in Excel or WPS and save it \
                 anew",
            ),
            Self::ErrorCell => (
                "表中有错误值单元格（如 #SPILL!）：请改为文本或清空后另存",
                "a cell holds an error such as #SPILL!: replace it with text or clear it, and save",
            ),
            Self::NotComputed => (
                "表中的公式没有计算结果：请用 Excel 或 WPS 打开，保存一次后再导入",
                "the formulas have no results: open the sheet in Excel or WPS and save it once",
            ),
            Self::FalseClaim => (
                "工作簿声称的内容多于实有内容，可能是恶意文件，已拒绝读取；请核实来源",
                "the workbook claims more than it can hold, may be hostile, and was not read: ask where it came from",
            ),
            Self::TooDeep => (
                "工作簿的标记嵌套过深，可能是恶意文件，已拒绝读取；请核实来源",
                "the workbook's markup is nested too deep, may be hostile, and was not read: ask where it came from",
            ),
            Self::Doctype => (
                "工作簿中声明了实体，可能是恶意文件，已拒绝读取；请核实来源",
                "the workbook declares entities, which none does, may be hostile, and was not read: ask where it came from",
            ),
            Self::LongCell => (
                "有单元格的文字超出表格软件的上限（32767字），已拒绝读取；请核对后只保留要点",
                "a cell holds more than the 32,767 characters that spreadsheet programs put into one: shorten it",
            ),
            Self::TooMuchText => (
                "工作簿中的文字过多，请拆分后导入",
                "the workbook holds too many different texts: split it",
            ),
            Self::Empty => (
                "文件或表中没有内容",
                "there is nothing in the file, or in its worksheets",
            ),
            Self::NoneVisible => (
                "工作表都是隐藏的：请取消隐藏要导入的工作表",
                "all worksheets are hidden: unhide the one to be read",
            ),
            Self::NoHeader => (
                "前20行中没有表头：请用 lead template 的表头（线索编号、姓名、公民身份号码……）；CSV 各列须以半角逗号、分号或制表符分隔",
                "no header in the first 20 rows: use the one from `lead template` (线索编号, 姓名, 公民身份号码, … or number, \
                 name, resident_number, …); in a CSV file between commas, semicolons or tabs",
            ),
            _ => (
                "工作簿已损坏或不完整：请重新取得文件，或用 Excel、WPS 打开后另存",
                "the workbook is damaged or incomplete: fetch it again, or open it in Excel or WPS and save it anew",
            ),
        };
        lang.pick(zh, en)
    }
}

/// Why a file cannot be read, in words of our own rather than the system's English where we have some.
fn unreadable(error: &io::Error) -> String {
    const KNOWN: [(io::ErrorKind, &str); 3] = [
        (io::ErrorKind::NotFound, "没有这个文件，请核对路径和文件名"),
        (
            io::ErrorKind::PermissionDenied,
            "没有读取权限，请换有权限的账户",
        ),
        (io::ErrorKind::IsADirectory, "这是目录，请写明其中的文件"),
    ];
    match KNOWN.iter().find(|(kind, _)| *kind == error.kind()) {
        Some((_, why)) => format!("无法读取文件：{why}"),
        None => format!("无法读取文件：{error}"),
    }
}
