//! Headers that sheets in use have besides the official ones.

/// Other names by official Chinese header, which tells kinds of sheets apart as keys do not. English ones are without
/// case, spaces, hyphens and underscores. Only names that can mean nothing else on a sheet with one person a row.
const ALIASES: [(&str, &[&str]); 25] = [
    (
        "线索编号",
        &["线索号", "线索编码", "線索編號", "leadnumber", "leadno"],
    ),
    ("通报编号", &["通报号", "noticenumber", "noticeno"]),
    ("姓名", &["人员姓名", "嫌疑人姓名", "fullname"]),
    ("性别", &["gender"]),
    (
        "公民身份号码",
        &[
            "身份证号",
            "身份证号码",
            "公民身份证号码",
            "公民身份证号",
            "公民身份号",
            "身份号码",
            "居民身份证号",
            "居民身份证号码",
            "citizennumber",
            "citizenidnumber",
            "idnumber",
            "idcardnumber",
            "residentidnumber",
            "residentid",
        ],
    ),
    (
        "户籍地代码",
        &[
            "户籍代码",
            "户籍地区划代码",
            "户籍地行政区划代码",
            "户籍所在地代码",
        ],
    ),
    (
        "户籍地",
        &[
            "户籍所在地",
            "户籍地址",
            "户籍地名称",
            "户籍地详址",
            "registeredresidence",
        ],
    ),
    (
        "流入地代码",
        &[
            "流入地区划代码",
            "流入地行政区划代码",
            "destinationdivision",
        ],
    ),
    (
        "流入地",
        &[
            "流入地名称",
            "流入地址",
            "流入地地址",
            "流入地详址",
            "destination",
        ],
    ),
    (
        "毒品种类",
        &["毒品类型", "涉毒种类", "涉案毒品种类", "drug", "drugtype"],
    ),
    (
        "涉嫌行为",
        &["涉嫌违法犯罪行为", "嫌疑行为", "suspectedconduct"],
    ),
    ("事实依据", &["事实和依据", "事实及依据", "factualbasis"]),
    ("采集方式", &["线索采集方式", "获取方式"]),
    (
        "采集时间",
        &[
            "采集日期",
            "线索采集时间",
            "datecollected",
            "collectiondate",
        ],
    ),
    ("评级标准", &["分级标准", "gradingscheme"]),
    ("来源可靠性", &["来源评级", "来源等级", "sourcereliability"]),
    (
        "信息可信度",
        &["信息评级", "信息等级", "informationcredibility"],
    ),
    ("紧急程度", &["紧急等级", "缓急程度", "priority"]),
    ("处理限制", &["使用限制", "handlingcode"]),
    (
        "联系电话",
        &[
            "电话",
            "电话号码",
            "手机",
            "手机号",
            "手机号码",
            "联系方式",
            "phonenumber",
            "telephone",
            "mobile",
        ],
    ),
    (
        "车辆号牌",
        &[
            "车牌",
            "车牌号",
            "车牌号码",
            "号牌号码",
            "platenumber",
            "licenseplate",
            "licenceplate",
        ],
    ),
    ("备注", &["附注", "说明", "note", "notes", "comments"]),
    ("抓获时间", &["抓获日期", "datecaught", "dateofcatch"]),
    ("案件编号", &["案号", "caseno"]),
    ("线索标识", &["线索id"]),
];

/// Whether `name`, already without case, space and marks, is another name of the column with that Chinese header.
pub(super) fn is_alias(header_zh: &str, name: &str) -> bool {
    ALIASES
        .iter()
        .find(|(official, _)| *official == header_zh)
        .is_some_and(|(_, aliases)| aliases.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ArrestNoticeColumn, Column, SheetColumn};
    use std::collections::BTreeSet;

    #[test]
    fn an_alias_means_one_column() {
        fn check<C: SheetColumn>() {
            let mut names: BTreeSet<String> = C::ALL.iter().map(|c| c.header_zh().into()).collect();
            names.extend(C::ALL.iter().map(|c| c.as_str().replace('_', "")));
            assert_eq!(names.len(), C::ALL.len() * 2);
            for column in C::ALL {
                let of_column = ALIASES.iter().filter(|(zh, _)| *zh == column.header_zh());
                for alias in of_column.flat_map(|(_, aliases)| *aliases) {
                    assert!(names.insert((*alias).to_owned()), "{alias}");
                }
            }
        }
        check::<Column>();
        check::<ArrestNoticeColumn>();
        let known = |zh: &str| {
            let mut all = Column::ALL.iter().map(|c| c.header_zh());
            all.any(|h| h == zh) || ArrestNoticeColumn::ALL.iter().any(|c| c.header_zh() == zh)
        };
        assert!(ALIASES.iter().all(|(zh, _)| known(zh)));
    }
}
