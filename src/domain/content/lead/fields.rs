//! The columns of a lead, and their raw text before anything was checked.

use crate::domain::content::column::{ColumnSpec, Form, SheetColumn, columns};

columns! {
    /// A column of a screening sheet, which is a field of a lead.
    Column,
    /// The raw text of a lead, field by field; empty means absent. Nothing in it has been checked: a
    /// [`Lead`](super::Lead) is what has been.
    LeadFields:
    /// 线索编号: unique within the originating jurisdiction.
    Number number "线索编号" required Code 64,
    /// 姓名.
    Name name "姓名" required Prose 50,
    /// 性别: 男 `M` or 女 `F`.
    Sex sex "性别" required Sex 8,
    /// 公民身份号码: 18 characters, GB 11643.
    ResidentNumber resident_number "公民身份号码" required ResidentNumber 18,
    /// 户籍地代码: 6, 9 or 12 digits.
    RegisteredCode registered_code "户籍地代码" required Place 12,
    /// 户籍地, in words.
    RegisteredPlace registered_place "户籍地" optional Prose 200,
    /// 流入地代码: 6, 9 or 12 digits.
    DestinationCode destination_code "流入地代码" required Place 12,
    /// 流入地, in words.
    DestinationPlace destination_place "流入地" optional Prose 200,
    /// 毒品种类; empty or 不详 where it is not known.
    Substance substance "毒品种类" optional Prose 100,
    /// 涉嫌行为.
    Conduct conduct "涉嫌行为" required Prose 200,
    /// 事实依据: the individual facts.
    Facts facts "事实依据" required Facts 2000,
    /// 采集方式: how they were collected.
    CollectionMethod collection_method "采集方式" required Prose 100,
    /// 采集时间: when they were collected, `YYYY-MM-DD`.
    CollectedOn collected_on "采集时间" required Day 40,
    /// 评级标准, the scheme of both grades: `admiralty` (also when empty), `europol-4x4`, `uk-3x5x2`.
    GradeScheme grade_scheme "评级标准" optional Code 20,
    /// 来源可靠性: reliability of the source.
    SourceGrade source_grade "来源可靠性" required SourceGrade 8,
    /// 信息可信度: credibility of the information.
    InformationGrade information_grade "信息可信度" required InformationGrade 8,
    /// 紧急程度: 普通 `normal`, 紧急 `urgent`, 特急 `critical`.
    Urgency urgency "紧急程度" required Urgency 16,
    /// 处理限制: `H0` to `H3`.
    Handling handling "处理限制" required Handling 8,
    /// 联系电话.
    Phone phone "联系电话" optional Words 60,
    /// 车辆号牌.
    Plate plate "车辆号牌" optional Words 40,
    /// 备注.
    Remarks remarks "备注" optional Prose 500,
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
