//! The columns of a lead, and their raw text before anything was checked. Other sheets have their columns declared alike.

use crate::domain::{Lang, SheetColumn};
use std::fmt;

macro_rules! columns {
    (
        $(#[$cdoc:meta])* $column:ident,
        $(#[$fdoc:meta])* $fields:ident:
        $($(#[$doc:meta])* $variant:ident $field:ident $header:literal $need:ident $limit:literal,)+
    ) => {
        $(#[$cdoc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $column { $($(#[$doc])* $variant,)+ }

        impl $column {
            /// All of them, in the order of the sheet and of the wire message.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable key, as in JSON and on the wire: `resident_number`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($field),)+ }
            }

            /// The header in a Chinese sheet: 公民身份号码.
            pub const fn header_zh(self) -> &'static str {
                match self { $(Self::$variant => $header,)+ }
            }

            /// True where a lead without it is refused.
            pub const fn is_required(self) -> bool {
                match self { $(Self::$variant => columns!(@$need),)+ }
            }

            /// The longest value, in characters.
            pub const fn max_chars(self) -> usize {
                match self { $(Self::$variant => $limit,)+ }
            }
        }

        $(#[$fdoc])*
        #[derive(Clone, Default, PartialEq, Eq)]
        pub struct $fields { $($(#[$doc])* pub $field: String,)+ }

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

        impl fmt::Display for $column {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        /// Which columns are filled, never with what.
        impl fmt::Debug for $fields {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let filled = $column::ALL.iter().filter(|c| !self.get(**c).is_empty());
                write!(f, "{} ", stringify!($fields))?;
                f.debug_set().entries(filled.map(|c| c.as_str())).finish()
            }
        }

        impl SheetColumn for $column {
            type Fields = $fields;

            const ALL: &'static [Self] = Self::ALL;

            fn as_str(self) -> &'static str {
                self.as_str()
            }

            fn header_zh(self) -> &'static str {
                self.header_zh()
            }

            fn is_required(self) -> bool {
                self.is_required()
            }

            fn max_chars(self) -> usize {
                self.max_chars()
            }

            fn form(self, lang: Lang) -> Option<&'static str> {
                self.form(lang)
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

columns! {
    /// A column of a screening sheet, which is a field of a lead.
    Column,
    /// The raw text of a lead, field by field; empty means absent. Nothing in it has been checked: a
    /// [`Lead`](super::Lead) is what has been.
    LeadFields:
    /// 线索编号: unique within the originating jurisdiction.
    Number number "线索编号" required 64,
    /// 姓名.
    Name name "姓名" required 50,
    /// 性别: 男 `M` or 女 `F`.
    Sex sex "性别" required 8,
    /// 公民身份号码: 18 characters, GB 11643.
    ResidentNumber resident_number "公民身份号码" required 18,
    /// 户籍地代码: 6, 9 or 12 digits.
    RegisteredCode registered_code "户籍地代码" required 12,
    /// 户籍地, in words.
    RegisteredPlace registered_place "户籍地" optional 200,
    /// 流入地代码: 6, 9 or 12 digits.
    DestinationCode destination_code "流入地代码" required 12,
    /// 流入地, in words.
    DestinationPlace destination_place "流入地" optional 200,
    /// 毒品种类; empty or 不详 where it is not known.
    Substance substance "毒品种类" optional 100,
    /// 涉嫌行为.
    Conduct conduct "涉嫌行为" required 200,
    /// 事实依据: the individual facts.
    Facts facts "事实依据" required 2000,
    /// 采集方式: how they were collected.
    CollectionMethod collection_method "采集方式" required 100,
    /// 采集时间: when they were collected, `YYYY-MM-DD`.
    CollectedOn collected_on "采集时间" required 40,
    /// 评级标准, the scheme of both grades: `admiralty` (also when empty), `europol-4x4`, `uk-3x5x2`.
    GradeScheme grade_scheme "评级标准" optional 20,
    /// 来源可靠性: reliability of the source.
    SourceGrade source_grade "来源可靠性" required 8,
    /// 信息可信度: credibility of the information.
    InformationGrade information_grade "信息可信度" required 8,
    /// 紧急程度: 普通 `normal`, 紧急 `urgent`, 特急 `critical`.
    Urgency urgency "紧急程度" required 16,
    /// 处理限制: `H0` to `H3`.
    Handling handling "处理限制" required 8,
    /// 联系电话.
    Phone phone "联系电话" optional 60,
    /// 车辆号牌.
    Plate plate "车辆号牌" optional 40,
    /// 备注.
    Remarks remarks "备注" optional 500,
}

impl Column {
    /// How it wants its value written, where that is not plain text.
    fn form(self, lang: Lang) -> Option<&'static str> {
        let (zh, en) = match self {
            Self::Sex => ("写 男 或 女", "write 男 (M) or 女 (F)"),
            Self::RegisteredCode | Self::DestinationCode => {
                ("写6、9或12位数字代码", "write a code of 6, 9 or 12 digits")
            }
            Self::CollectedOn => ("写成 2026-06-01", "write it as 2026-06-01"),
            Self::SourceGrade => ("写 A–F", "write A–F"),
            Self::InformationGrade => ("写 1–6", "write 1–6"),
            Self::Urgency => ("写 普通、紧急 或 特急", "write normal, urgent or critical"),
            Self::Handling => ("写 H0–H3", "write H0–H3"),
            Self::Number
            | Self::Name
            | Self::ResidentNumber
            | Self::RegisteredPlace
            | Self::DestinationPlace
            | Self::Substance
            | Self::Conduct
            | Self::Facts
            | Self::CollectionMethod
            | Self::GradeScheme
            | Self::Phone
            | Self::Plate
            | Self::Remarks => return None,
        };
        Some(lang.pick(zh, en))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_field_of_its_own() {
        let mut fields = LeadFields::default();
        for column in Column::ALL {
            *fields.get_mut(*column) = column.header_zh().to_owned();
        }
        for column in Column::ALL {
            assert_eq!(fields.get(*column), column.header_zh());
        }
        assert_eq!(Column::ALL.len(), 21);
        assert_eq!(Column::ResidentNumber.as_str(), "resident_number");
    }

    #[test]
    fn debug_shows_no_value() {
        let fields = LeadFields {
            name: "钱癸子".into(),
            ..LeadFields::default()
        };
        assert_eq!(format!("{fields:?}"), r#"LeadFields {"name"}"#);
    }
}
