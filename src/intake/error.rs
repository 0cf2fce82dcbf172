//! Why a file is no sheet of leads.

use super::{MAX_FILE_BYTES, MAX_ROWS, MAX_UNPACKED_BYTES};
use crate::domain::Lang;
use std::io;

const MIB: u64 = 1024 * 1024;

/// Why a file could not be read as a sheet of leads. Nothing of it was taken.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.message(Lang::En))]
pub enum SheetError {
    /// The file is not there, or may not be read.
    Unreadable(#[source] io::Error),
    /// Larger than [`MAX_FILE_BYTES`].
    FileTooLarge,
    /// A workbook of Excel 97 to 2003.
    LegacyXls,
    /// A workbook under a password.
    Encrypted,
    /// Comma-separated text.
    Csv,
    /// Not an xlsx workbook at all.
    NotXlsx,
    /// An xlsx workbook that breaks off or does not hold together.
    Damaged,
    /// A cell holds an error that the reader does not know (`#SPILL!`).
    ErrorCell,
    /// Unpacks to more than [`MAX_UNPACKED_BYTES`], to far more than it is long, or into too many parts.
    Bomb,
    /// Claims more strings, rows or columns than it can hold.
    FalseClaim,
    /// No visible worksheet, or nothing in it.
    Empty,
    /// No row names a column of a lead.
    NoHeader,
    /// Two columns have the same header.
    DuplicateColumn {
        /// The column's key.
        key: &'static str,
        /// Its Chinese header.
        header_zh: &'static str,
        /// Letters of both in the sheet.
        letters: [String; 2],
    },
    /// More than [`MAX_ROWS`] rows.
    TooManyRows,
}

impl SheetError {
    /// What happened and what to do.
    pub fn message(&self, lang: Lang) -> String {
        let (zh, en) = match self {
            Self::Unreadable(error) => {
                return match lang {
                    Lang::Zh => format!("无法读取文件：{error}"),
                    Lang::En => format!("cannot read the file: {error}"),
                };
            }
            Self::FileTooLarge => {
                let limit = MAX_FILE_BYTES / MIB;
                return match lang {
                    Lang::Zh => format!("文件超过 {limit} MiB，请拆分后导入"),
                    Lang::En => format!("the file is larger than {limit} MiB: split it"),
                };
            }
            Self::TooManyRows => {
                return match lang {
                    Lang::Zh => format!("超过 {MAX_ROWS} 行，请拆分后导入"),
                    Lang::En => format!("more than {MAX_ROWS} rows: split the file"),
                };
            }
            Self::DuplicateColumn {
                key,
                header_zh,
                letters,
            } => {
                let [first, second] = letters;
                return match lang {
                    Lang::Zh => {
                        format!("{first} 列和 {second} 列的表头都是“{header_zh}”，请只保留一列")
                    }
                    Lang::En => {
                        format!("columns {first} and {second} are both {key}: keep one of them")
                    }
                };
            }
            Self::Bomb => {
                let limit = MAX_UNPACKED_BYTES / MIB;
                return match lang {
                    Lang::Zh => format!(
                        "文件解压后过大或部件过多（上限 {limit} MiB），已拒绝读取；请只复制数据到新工作簿"
                    ),
                    Lang::En => format!(
                        "the file unpacks to too much (limit {limit} MiB) or too many parts and was not read: copy only \
                         the data into a new workbook"
                    ),
                };
            }
            Self::LegacyXls => (
                "这是旧版 .xls 文件，不予读取：请另存为 .xlsx",
                "this is an old .xls workbook, which is not read: save it as .xlsx",
            ),
            Self::Encrypted => (
                "工作簿有打开密码：请去掉密码后另存",
                "the workbook has a password: save it without one",
            ),
            Self::Csv => (
                "尚不支持 csv：请用 Excel 或 WPS 打开，证件号码列设为文本，另存为 .xlsx",
                "csv is not supported yet: open it in Excel or WPS with the number columns as text, and save it as .xlsx",
            ),
            Self::NotXlsx => (
                "不是 .xlsx 工作簿：请用 lead template 生成模板，或另存为 .xlsx",
                "not an .xlsx workbook: start from `lead template`, or save it as .xlsx",
            ),
            Self::Damaged => (
                "工作簿已损坏或不完整：请重新取得文件，或用 Excel、WPS 打开后另存",
                "the workbook is damaged or incomplete: fetch it again, or open it in Excel or WPS and save it anew",
            ),
            Self::ErrorCell => (
                "表中有错误值单元格（如 #SPILL!）：请改为文本或清空后另存",
                "a cell holds an error such as #SPILL!: replace it with text or clear it, and save",
            ),
            Self::FalseClaim => (
                "工作簿声称的内容多于实有内容，可能是恶意文件，已拒绝读取；请核实来源",
                "the workbook claims more than it can hold, may be hostile, and was not read: ask where it came from",
            ),
            Self::Empty => (
                "没有可见的工作表，或表中没有内容",
                "no visible worksheet, or nothing in it",
            ),
            Self::NoHeader => (
                "前10行中没有表头：请用 lead template 的表头（线索编号、姓名、公民身份号码……）",
                "no header in the first 10 rows: use the one from `lead template` (线索编号, 姓名, 公民身份号码, … or number, \
                 name, resident_number, …)",
            ),
        };
        lang.pick(zh, en).to_owned()
    }
}
