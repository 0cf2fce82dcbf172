//! Notes on what of a file was not read, so that nobody assumes that it was.

use super::{rejected::is_added, template::is_side_page};
use crate::domain::{Lang, redacted};

/// Longer names are cut in notes, in characters.
const MAX_CHARS: usize = 40;

/// Something in a file that was not read, and is not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A visible worksheet without a header.
    NoHeader {
        /// Its name.
        sheet: String,
    },
    /// A hidden worksheet.
    Hidden {
        /// Its name.
        sheet: String,
    },
    /// A column that records do not have.
    UnknownColumn {
        /// The worksheet's name; `None` for a CSV file.
        sheet: Option<String>,
        /// Its letters: `A`, `AB`.
        letters: String,
        /// The text of its header.
        header: String,
    },
    /// Cells without a heading above them.
    NoHeading {
        /// The worksheet's name; `None` for a CSV file.
        sheet: Option<String>,
        /// Letters of the first such column.
        letters: String,
    },
    /// A header that names less than half of the required columns.
    PartHeader {
        /// The worksheet's name; `None` for a CSV file.
        sheet: Option<String>,
        /// The row in which it ends.
        row: u32,
    },
    /// Rows that the worksheet hides, and that are read like all others.
    HiddenRows {
        /// The worksheet's name.
        sheet: Option<String>,
        /// How many.
        rows: u32,
    },
    /// Rows above the header that look like a table of their own.
    AboveHeader {
        /// The worksheet's name; `None` for a CSV file.
        sheet: Option<String>,
        /// The first and the last of them.
        rows: [u32; 2],
    },
}

impl Note {
    /// Whether it is about something that this program wrote itself: the template's other pages, or the columns added
    /// to refused rows. Nobody takes these for leads.
    pub fn is_expected(&self) -> bool {
        match self {
            Self::NoHeader { sheet } | Self::Hidden { sheet } => is_side_page(sheet),
            Self::UnknownColumn { header, .. } => is_added(header),
            Self::NoHeading { .. }
            | Self::AboveHeader { .. }
            | Self::PartHeader { .. }
            | Self::HiddenRows { .. } => false,
        }
    }

    /// In words.
    pub fn message(&self, lang: Lang) -> String {
        match (self, lang) {
            (Self::NoHeader { sheet }, Lang::Zh) => {
                format!("工作表“{}”中没有表头，未读取", shown(sheet))
            }
            (Self::NoHeader { sheet }, Lang::En) => {
                format!(
                    "worksheet \"{}\" has no header and was not read",
                    shown(sheet)
                )
            }
            (Self::Hidden { sheet }, Lang::Zh) => {
                format!("工作表“{}”是隐藏的，未读取", shown(sheet))
            }
            (Self::Hidden { sheet }, Lang::En) => {
                format!("worksheet \"{}\" is hidden and was not read", shown(sheet))
            }
            (Self::NoHeading { sheet, letters }, lang) => {
                let at = place(sheet.as_deref(), lang);
                match lang {
                    Lang::Zh => format!("{at}{letters} 列上方没有列名，其中内容未读取"),
                    Lang::En => {
                        format!(
                            "{at}column {letters} has no heading; what stands in it was not read"
                        )
                    }
                }
            }
            (Self::AboveHeader { sheet, rows }, lang) => {
                let (at, [first, last]) = (place(sheet.as_deref(), lang), rows);
                match lang {
                    Lang::Zh if first == last => format!("{at}第{first}行在表头之上，未读取"),
                    Lang::En if first == last => {
                        format!("{at}row {first} stands above the header and was not read")
                    }
                    Lang::Zh => format!("{at}第{first}至{last}行在表头之上，未读取"),
                    Lang::En => {
                        format!(
                            "{at}rows {first} to {last} stand above the header and were not read"
                        )
                    }
                }
            }
            (Self::PartHeader { sheet, row }, lang) => {
                let at = place(sheet.as_deref(), lang);
                match lang {
                    Lang::Zh => format!(
                        "{at}第{row}行被当作表头，但其中的列名不到必填列的一半：可能是表头分成了三行以上、登记表，或缺少表头"
                    ),
                    Lang::En => format!(
                        "{at}row {row} was taken for the header, though it names less than half of the required columns: the \
                         header may have three rows or more, the sheet may be a form, or it may have no header"
                    ),
                }
            }
            (Self::HiddenRows { sheet, rows }, lang) => {
                let at = place(sheet.as_deref(), lang);
                match lang {
                    Lang::Zh => format!("{at}其中 {rows} 行是隐藏的（如被筛选），也已读取"),
                    Lang::En => {
                        format!(
                            "{at}hidden rows (filtered ones, say) are read like all others: {rows}"
                        )
                    }
                }
            }
            (
                Self::UnknownColumn {
                    sheet,
                    letters,
                    header,
                },
                lang,
            ) => {
                let (at, header) = (place(sheet.as_deref(), lang), heading(header, lang));
                match lang {
                    Lang::Zh => format!("{at}{letters} 列{header}未读取：不是记录的内容"),
                    Lang::En => {
                        format!("{at}column {letters}{header} was not read: no record has it")
                    }
                }
            }
        }
    }
}

/// In which worksheet, if there are several.
fn place(sheet: Option<&str>, lang: Lang) -> String {
    match (sheet, lang) {
        (None, _) => String::new(),
        (Some(sheet), Lang::Zh) => format!("工作表“{}”的", shown(sheet)),
        (Some(sheet), Lang::En) => format!("worksheet \"{}\", ", shown(sheet)),
    }
}

/// The text of a header, in quotation marks, without what follows a colon: `住址：…` is how a form is filled in.
fn heading(header: &str, lang: Lang) -> String {
    let said = match header.split_once(['：', ':']) {
        Some((label, value)) if !value.trim().is_empty() => format!("{label}：…"),
        Some(_) | None => header.to_owned(),
    };
    let said = shown(&said);
    match lang {
        Lang::Zh => format!("“{said}”"),
        Lang::En => format!(" \"{said}\""),
    }
}

/// A name from a file, made fit for display: on one line, short, without characters that move a cursor or reorder text,
/// and without a number that may identify a person.
pub(super) fn shown(name: &str) -> String {
    let fit = |c: char| match c {
        c if c.is_control() => ' ',
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => ' ',
        c => c,
    };
    let name: String = name.chars().map(fit).collect();
    let one_line: Vec<&str> = name.split_whitespace().collect();
    let one_line = redacted(&one_line.join(" "));
    match one_line.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => format!("{}…", one_line.get(..at).unwrap_or_default()),
        None => one_line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_file_are_shown_on_one_short_line() {
        assert_eq!(shown("东\u{1b}[2J片\n\u{202e}表 "), "东 [2J片 表");
        assert_eq!(shown("甲 522225190010142478"), "甲 …");
        assert_eq!(shown(&"表".repeat(99)).chars().count(), MAX_CHARS + 1);
    }
}
