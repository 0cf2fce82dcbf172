//! What of a file was not read, so that nobody believes that it was.

use super::{rejected::is_added, template::is_side_page};
use crate::domain::{Lang, redacted};

/// Longer names are cut in notes, in characters.
const MAX_CHARS: usize = 40;

/// Something of a file that was not read, and is no error.
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
    /// A column that no record has.
    UnknownColumn {
        /// The worksheet's name; none in a CSV file.
        sheet: Option<String>,
        /// Its letters: `A`, `AB`.
        letters: String,
        /// What its header says.
        header: String,
    },
    /// Cells without a heading above them.
    NoHeading {
        /// The worksheet's name; none in a CSV file.
        sheet: Option<String>,
        /// Letters of the first such column.
        letters: String,
    },
    /// Rows above the header that look like a table of their own.
    AboveHeader {
        /// The worksheet's name; none in a CSV file.
        sheet: Option<String>,
        /// The first and the last of them.
        rows: [u32; 2],
    },
}

impl Note {
    /// True where it is about what this program wrote itself: the template's other pages, the columns added to refused rows.
    /// Nobody takes these for leads.
    pub fn is_expected(&self) -> bool {
        match self {
            Self::NoHeader { sheet } | Self::Hidden { sheet } => is_side_page(sheet),
            Self::UnknownColumn { header, .. } => is_added(header),
            Self::NoHeading { .. } | Self::AboveHeader { .. } => false,
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
                    Lang::Zh => format!("{at}第{first}至{last}行在表头之上，未读取"),
                    Lang::En => {
                        format!(
                            "{at}rows {first} to {last} stand above the header and were not read"
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
                let header = shown(header);
                match (sheet, lang) {
                    (None, Lang::Zh) => format!("{letters} 列“{header}”未读取：不是记录的内容"),
                    (Some(sheet), Lang::Zh) => format!(
                        "工作表“{}”的 {letters} 列“{header}”未读取：不是记录的内容",
                        shown(sheet)
                    ),
                    (None, Lang::En) => {
                        format!("column {letters} \"{header}\" was not read: no record has it")
                    }
                    (Some(sheet), Lang::En) => format!(
                        "worksheet \"{}\", column {letters} \"{header}\" was not read: no record has it",
                        shown(sheet)
                    ),
                }
            }
        }
    }
}

/// In which worksheet, where there are several.
fn place(sheet: Option<&str>, lang: Lang) -> String {
    match (sheet, lang) {
        (None, _) => String::new(),
        (Some(sheet), Lang::Zh) => format!("工作表“{}”的", shown(sheet)),
        (Some(sheet), Lang::En) => format!("worksheet \"{}\", ", shown(sheet)),
    }
}

/// A name that stands in a file, fit to be shown: on one line, short, without what moves a cursor or reorders text, and
/// without a number that is about a person.
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
