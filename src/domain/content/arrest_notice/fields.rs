//! The columns of an arrest notice, and their raw text before anything was checked.

use crate::domain::content::column::{ColumnSpec, Form, SheetColumn, columns};

columns! {
    /// A column of a sheet of caught notices, which is a field of a notice.
    ArrestNoticeColumn,
    /// The raw text of a caught notice, field by field; empty means absent. Nothing in it has been checked: a
    /// [`ArrestNotice`](super::ArrestNotice) is what has been.
    ArrestNoticeFields:
    /// 通报编号: unique within the jurisdiction that notifies.
    Number number "通报编号" required Code 64,
    /// 姓名.
    Name name "姓名" required Prose 50,
    /// 性别: 男 `M` or 女 `F`.
    Sex sex "性别" required Sex 8,
    /// 公民身份号码: 18 characters, GB 11643.
    ResidentNumber resident_number "公民身份号码" required ResidentNumber 18,
    /// 户籍地代码: 6, 9 or 12 digits. Decides whom the notice goes to.
    RegisteredCode registered_code "户籍地代码" required Place 12,
    /// 户籍地, in words.
    RegisteredPlace registered_place "户籍地" optional Prose 200,
    /// 抓获时间: the day, `YYYY-MM-DD`.
    CaughtOn caught_on "抓获时间" required Day 40,
    /// 抓获地代码: 6, 9 or 12 digits.
    CaughtCode caught_code "抓获地代码" required Place 12,
    /// 抓获地, in words.
    CaughtPlace caught_place "抓获地" optional Prose 200,
    /// 毒品种类; empty or 不详 where it is not known.
    Substance substance "毒品种类" optional Prose 100,
    /// 涉嫌行为.
    Conduct conduct "涉嫌行为" required Prose 500,
    /// 强制措施, in words.
    Measure measure "强制措施" required Prose 100,
    /// 案件编号: `A` and 22 digits. There is no notice without a case.
    CaseNumber case_number "案件编号" required CaseNumber 23,
    /// 线索标识: the lead before, if there was one.
    LeadId lead_id "线索标识" optional Code 36,
    /// 备注.
    Remarks remarks "备注" optional Prose 500,
}
