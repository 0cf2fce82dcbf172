//! The columns of a caught notice, and their raw text before anything was checked.

use crate::domain::{Lang, SheetColumn, content::lead_fields::columns};
use std::fmt;

columns! {
    /// A column of a sheet of caught notices, which is a field of a notice.
    CaughtColumn,
    /// The raw text of a caught notice, field by field; empty means absent. Nothing in it has been checked: a
    /// [`CaughtNotice`](super::CaughtNotice) is what has been.
    CaughtFields:
    /// 通报编号: unique within the jurisdiction that notifies.
    Number number "通报编号" required 64,
    /// 姓名.
    Name name "姓名" required 50,
    /// 性别: 男 `M` or 女 `F`.
    Sex sex "性别" required 8,
    /// 公民身份号码: 18 characters, GB 11643.
    ResidentNumber resident_number "公民身份号码" required 18,
    /// 户籍地代码: 6, 9 or 12 digits. Decides whom the notice goes to.
    RegisteredCode registered_code "户籍地代码" required 12,
    /// 户籍地, in words.
    RegisteredPlace registered_place "户籍地" optional 200,
    /// 抓获时间: the day, `YYYY-MM-DD`.
    CaughtOn caught_on "抓获时间" required 40,
    /// 抓获地代码: 6, 9 or 12 digits.
    CaughtCode caught_code "抓获地代码" required 12,
    /// 抓获地, in words.
    CaughtPlace caught_place "抓获地" optional 200,
    /// 毒品种类; empty or 不详 where it is not known.
    Substance substance "毒品种类" optional 100,
    /// 涉嫌行为.
    Conduct conduct "涉嫌行为" required 500,
    /// 强制措施, in words.
    Measure measure "强制措施" required 100,
    /// 案件编号: `A` and 22 digits. There is no notice without a case.
    CaseNumber case_number "案件编号" required 23,
    /// 线索标识: the lead before, if there was one.
    LeadId lead_id "线索标识" optional 36,
    /// 备注.
    Remarks remarks "备注" optional 500,
}

impl CaughtColumn {
    /// How it wants its value written, where that is not plain text.
    fn form(self, lang: Lang) -> Option<&'static str> {
        let (zh, en) = match self {
            Self::Sex => ("写 男 或 女", "write 男 (M) or 女 (F)"),
            Self::RegisteredCode | Self::CaughtCode => {
                ("写6、9或12位数字代码", "write a code of 6, 9 or 12 digits")
            }
            Self::CaughtOn => ("写成 2026-06-01", "write it as 2026-06-01"),
            Self::CaseNumber => ("写 A 加22位数字", "write A and 22 digits"),
            Self::Number
            | Self::Name
            | Self::ResidentNumber
            | Self::RegisteredPlace
            | Self::CaughtPlace
            | Self::Substance
            | Self::Conduct
            | Self::Measure
            | Self::LeadId
            | Self::Remarks => return None,
        };
        Some(lang.pick(zh, en))
    }

    /// True where spaces separate words; the others are codes, in which space and width mean nothing.
    pub(super) const fn is_words(self) -> bool {
        matches!(
            self,
            Self::Name
                | Self::RegisteredPlace
                | Self::CaughtOn
                | Self::CaughtPlace
                | Self::Substance
                | Self::Conduct
                | Self::Measure
                | Self::Remarks
        )
    }
}
