//! What a sheet's columns are: the one table of them that each kind of record declares, and what it says of each.

use crate::domain::Lang;
use std::{fmt, hash::Hash};

/// How a column's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A code, in which neither space nor width means anything.
    Code,
    /// Words without prose, such as telephone numbers: space separates.
    Words,
    /// Words in which an apostrophe or a point belongs to what was written.
    Prose,
    /// Prose that has to state facts.
    Facts,
    /// 男 or 女.
    Sex,
    /// A citizen number.
    ResidentNumber,
    /// A division code.
    Place,
    /// A day.
    Day,
    /// The reliability of a source.
    SourceGrade,
    /// The credibility of information.
    InformationGrade,
    /// An urgency.
    Urgency,
    /// A handling code.
    Handling,
    /// `A` and 22 digits.
    CaseNumber,
}

/// What a kind's table says of a column.
#[derive(Clone, Copy, Debug)]
pub struct ColumnSpec {
    /// The stable key, as in JSON and on the wire: `resident_number`.
    pub key: &'static str,
    /// The header in a Chinese sheet: 公民身份号码.
    pub header_zh: &'static str,
    /// True where a row without it is refused.
    pub is_required: bool,
    /// How its value is written.
    pub form: Form,
    /// The longest value, in characters.
    pub max_chars: usize,
}

/// A column of one kind of sheet, which is a field of what a row says.
pub trait SheetColumn: Copy + Eq + Ord + Hash + fmt::Debug + fmt::Display + 'static {
    /// The raw text of a row, column by column.
    type Fields: Clone + Default + PartialEq + Eq + fmt::Debug;

    /// All of them, in the order of the sheet and of the wire message.
    const ALL: &'static [Self];
    /// The number of the record, unique within a jurisdiction.
    const NUMBER: Self;
    /// 姓名.
    const NAME: Self;
    /// 性别.
    const SEX: Self;
    /// 公民身份号码.
    const RESIDENT_NUMBER: Self;
    /// 户籍地代码.
    const REGISTERED_CODE: Self;

    /// What the table says of it.
    fn spec(self) -> ColumnSpec;

    /// Its text.
    fn text(self, fields: &Self::Fields) -> &str;

    /// Its text, to be set.
    fn text_mut(self, fields: &mut Self::Fields) -> &mut String;

    /// The stable key.
    fn as_str(self) -> &'static str {
        self.spec().key
    }

    /// The header in a Chinese sheet.
    fn header_zh(self) -> &'static str {
        self.spec().header_zh
    }

    /// True where a row without it is refused.
    fn is_required(self) -> bool {
        self.spec().is_required
    }

    /// The longest value, in characters.
    fn max_chars(self) -> usize {
        self.spec().max_chars
    }

    /// How it wants its value written, where that is not plain text.
    fn form(self, lang: Lang) -> Option<&'static str> {
        let (zh, en) = match self.spec().form {
            Form::Sex => ("写 男 或 女", "write 男 (M) or 女 (F)"),
            Form::Place => ("写6、9或12位数字代码", "write a code of 6, 9 or 12 digits"),
            Form::Day => ("写成 2026-06-01", "write it as 2026-06-01"),
            Form::SourceGrade => ("写 A–F", "write A–F"),
            Form::InformationGrade => ("写 1–6", "write 1–6"),
            Form::Urgency => ("写 普通、紧急 或 特急", "write normal, urgent or critical"),
            Form::Handling => ("写 H0–H3", "write H0–H3"),
            Form::CaseNumber => ("写 A 加22位数字", "write A and 22 digits"),
            Form::Code | Form::Words | Form::Prose | Form::Facts | Form::ResidentNumber => {
                return None;
            }
        };
        Some(lang.pick(zh, en))
    }

    /// True for the citizen number, which is never read from a number cell.
    fn is_citizen_number(self) -> bool {
        self == Self::RESIDENT_NUMBER
    }

    /// True where words stand and no code: an apostrophe or a point belongs to what was written.
    fn is_prose(self) -> bool {
        matches!(self.spec().form, Form::Prose | Form::Facts)
    }

    /// True where space separates, and is kept.
    fn is_words(self) -> bool {
        self.is_prose() || self.is_day() || self.spec().form == Form::Words
    }

    /// True for a day.
    fn is_day(self) -> bool {
        self.spec().form == Form::Day
    }
}

/// Declares the columns of a kind of sheet, and the raw text of a row. Each line is a column: its variant, its field, which
/// is also its key, its header, whether it is required, its [`Form`], and its longest value.
macro_rules! columns {
    (
        $(#[$cdoc:meta])* $column:ident,
        $(#[$fdoc:meta])* $fields:ident:
        $($(#[$doc:meta])* $variant:ident $field:ident $header:literal $need:ident $form:ident $limit:literal,)+
    ) => {
        $(#[$cdoc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $column { $($(#[$doc])* $variant,)+ }

        $(#[$fdoc])*
        #[derive(Clone, Default, PartialEq, Eq)]
        pub struct $fields { $($(#[$doc])* pub $field: String,)+ }

        impl $column {
            /// All of them, in the order of the sheet and of the wire message.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable key, as in JSON and on the wire: `resident_number`.
            pub fn as_str(self) -> &'static str {
                self.spec().key
            }

            /// The header in a Chinese sheet: 公民身份号码.
            pub fn header_zh(self) -> &'static str {
                self.spec().header_zh
            }

            /// True where a row without it is refused.
            pub fn is_required(self) -> bool {
                self.spec().is_required
            }
        }

        impl $fields {
            /// The text of a column.
            pub fn get(&self, column: $column) -> &str {
                match column { $($column::$variant => &self.$field,)+ }
            }

            /// The text of a column, to be set.
            pub fn get_mut(&mut self, column: $column) -> &mut String {
                match column { $($column::$variant => &mut self.$field,)+ }
            }
        }

        impl std::fmt::Display for $column {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        /// Which columns are filled, never with what.
        impl std::fmt::Debug for $fields {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let filled = $column::ALL.iter().filter(|c| !self.get(**c).is_empty());
                write!(f, "{} ", stringify!($fields))?;
                f.debug_set().entries(filled.map(|c| c.as_str())).finish()
            }
        }

        impl SheetColumn for $column {
            type Fields = $fields;

            const ALL: &'static [Self] = Self::ALL;
            const NUMBER: Self = Self::Number;
            const NAME: Self = Self::Name;
            const SEX: Self = Self::Sex;
            const RESIDENT_NUMBER: Self = Self::ResidentNumber;
            const REGISTERED_CODE: Self = Self::RegisteredCode;

            fn spec(self) -> ColumnSpec {
                match self {
                    $(Self::$variant => ColumnSpec {
                        key: stringify!($field),
                        header_zh: $header,
                        is_required: columns!(@$need),
                        form: Form::$form,
                        max_chars: $limit,
                    },)+
                }
            }

            fn text(self, fields: &$fields) -> &str {
                fields.get(self)
            }

            fn text_mut(self, fields: &mut $fields) -> &mut String {
                fields.get_mut(self)
            }
        }
    };
    (@required) => { true };
    (@optional) => { false };
}

pub(super) use columns;
