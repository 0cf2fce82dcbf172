//! The template's explanation of each column: what belongs there, an example, and common mistakes.

use crate::domain::{Column, Lang};

/// One column, explained. The person in the examples is invented, born in 1900.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guide {
    pub(super) meaning: &'static str,
    pub(super) example: &'static str,
    pub(super) mistakes: &'static str,
}

/// A column's text in both languages.
struct Both {
    meaning: [&'static str; 2],
    example: [&'static str; 2],
    mistakes: [&'static str; 2],
}

pub(super) fn guide(column: Column, lang: Lang) -> Guide {
    let both = both(column);
    let pick = |[zh, en]: [&'static str; 2]| lang.pick(zh, en);
    Guide {
        meaning: pick(both.meaning),
        example: pick(both.example),
        mistakes: pick(both.mistakes),
    }
}

const fn both(column: Column) -> Both {
    match column {
        Column::Number => Both {
            meaning: [
                "本辖区内唯一的编号。同一编号、同一内容再次发送，不会重复",
                "Unique in your jurisdiction. The same number with the same content is never sent twice.",
            ],
            example: ["SN202600001", "SN202600001"],
            mistakes: [
                "同一编号用于两个人，或改了内容仍用旧编号",
                "One number for two persons; changed content under an old number.",
            ],
        },
        Column::Name => Both {
            meaning: [
                "本人姓名，按身份证件填写",
                "The person's name, as in the document.",
            ],
            example: ["钱癸子", "钱癸子"],
            mistakes: [
                "写绰号；绰号请写入备注",
                "A nickname: that belongs into the remarks.",
            ],
        },
        Column::Sex => Both {
            meaning: ["男或女", "男 (M) or 女 (F)."],
            example: ["男", "M"],
            mistakes: [
                "与公民身份号码第17位不一致",
                "Contradicts the 17th digit of the citizen number.",
            ],
        },
        Column::ResidentNumber => Both {
            meaning: [
                "18位公民身份号码（GB 11643），单元格须为文本格式",
                "The citizen number of 18 characters (GB 11643), in a cell formatted as text.",
            ],
            example: ["522225190010142478", "522225190010142478"],
            mistakes: [
                "从其他表以数值粘贴，末三位变成 000；15位旧号码",
                "Pasted as a number, so that the last digits are lost; a 15-digit number.",
            ],
        },
        Column::RegisteredCode => Both {
            meaning: [
                "户籍地的行政区划代码（GB/T 2260）：县6位、乡镇9位、村社12位",
                "Division code of the registered residence (GB/T 2260): county 6, township 9, community 12 digits.",
            ],
            example: ["520624111", "520624111"],
            mistakes: ["写成地名", "A name instead of a code."],
        },
        Column::RegisteredPlace => Both {
            meaning: ["户籍地的文字写法", "The registered residence in words."],
            example: ["贵州省铜仁市思南县", "Sinan, Tongren, Guizhou"],
            mistakes: ["", ""],
        },
        Column::DestinationCode => Both {
            meaning: [
                "线索指向的辖区的代码，决定发给哪个节点：有县级节点的发县，否则发市、省",
                "Code of the jurisdiction that the lead points to. It decides which node gets it: the county's, else the \
                 prefecture's, else the province's.",
            ],
            example: ["440232", "440232"],
            mistakes: [
                "写本辖区的代码；对方尚未登记节点名片",
                "Your own jurisdiction; a jurisdiction with which no cards were exchanged.",
            ],
        },
        Column::DestinationPlace => Both {
            meaning: ["流入地的文字写法，可写到街道", "The destination in words."],
            example: ["广东省韶关市乳源县", "Ruyuan, Shaoguan, Guangdong"],
            mistakes: ["", ""],
        },
        Column::Substance => Both {
            meaning: [
                "毒品种类；不清楚的写 不详 或留空",
                "Which drug; 不详 or empty where it is not known.",
            ],
            example: ["不详", "不详"],
            mistakes: ["", ""],
        },
        Column::Conduct => Both {
            meaning: ["涉嫌的行为", "What the person is suspected of."],
            example: ["贩卖", "贩卖 (selling)"],
            mistakes: ["", ""],
        },
        Column::Facts => Both {
            meaning: [
                "针对此人的具体事实：何时、何地、何事、从何得知",
                "The facts about this person: when, where, what, and how it is known.",
            ],
            example: [
                "2026年5月流入地查获的包裹指向该人寄递",
                "A parcel seized at the destination in May 2026 points to this sender.",
            ],
            mistakes: [
                "只写结论（如“涉毒”），或多人共用一段文字；仅有名单的不得发送",
                "A conclusion only, or one text for many persons. A bare list of names is not sent.",
            ],
        },
        Column::CollectionMethod => Both {
            meaning: ["事实从何采集", "How the facts were collected."],
            example: ["讯问笔录", "讯问笔录 (record of questioning)"],
            mistakes: ["", ""],
        },
        Column::CollectedOn => Both {
            meaning: [
                "采集日期，年-月-日",
                "The day on which they were collected, year-month-day.",
            ],
            example: ["2026-06-01", "2026-06-01"],
            mistakes: [
                "晚于今天；只写年月",
                "A day after today; no day of the month.",
            ],
        },
        Column::GradeScheme => Both {
            meaning: [
                "来源可靠性和信息可信度所用的标准；留空即 admiralty。各标准之间从不换算",
                "The scheme of both grades; empty means admiralty. Grades are never converted between schemes.",
            ],
            example: ["admiralty", "admiralty"],
            mistakes: ["评级不属于所选标准", "Grades that are not of the scheme."],
        },
        Column::SourceGrade => Both {
            meaning: [
                "来源可靠性，按评级标准选",
                "How reliable the source is, in the scheme.",
            ],
            example: ["B", "B"],
            mistakes: [
                "把两项评级写在一格（如 B2）",
                "Both grades in one cell, such as B2.",
            ],
        },
        Column::InformationGrade => Both {
            meaning: [
                "信息可信度，按评级标准选",
                "How credible the information is, in the scheme.",
            ],
            example: ["2", "2"],
            mistakes: [
                "把两项评级写在一格（如 B2）",
                "Both grades in one cell, such as B2.",
            ],
        },
        Column::Urgency => Both {
            meaning: [
                "紧急程度，决定对方签收的时限",
                "How soon the recipient must sign for it.",
            ],
            example: ["普通", "normal"],
            mistakes: ["写成“急”“加急”", "Other words than those of the list."],
        },
        Column::Handling => Both {
            meaning: [
                "未经本方同意，接收方可以怎样使用",
                "What the recipient may do without your consent.",
            ],
            example: ["H0", "H0"],
            mistakes: ["写成 0、1", "0 or 1 without the H."],
        },
        Column::Phone => Both {
            meaning: [
                "本人使用的电话；多个用分号隔开",
                "Telephones; more than one with semicolons between.",
            ],
            example: ["", ""],
            mistakes: ["", ""],
        },
        Column::Plate => Both {
            meaning: [
                "车辆号牌；多个用分号隔开",
                "Plates of vehicles; more than one with semicolons between.",
            ],
            example: ["", ""],
            mistakes: ["", ""],
        },
        Column::Remarks => Both {
            meaning: ["其他需要说明的", "Whatever else matters."],
            example: ["", ""],
            mistakes: [
                "写民族、宗教：线索中没有、也不得有这些内容",
                "Ethnicity or religion: no lead says them.",
            ],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Jurisdiction, LeadFields, Rules},
        intake::{Verdict, check_form},
    };
    use std::collections::BTreeSet;

    #[test]
    fn the_examples_together_are_a_lead_that_is_taken() {
        let partners = BTreeSet::from(["440000".parse::<Jurisdiction>().unwrap()]);
        let rules = Rules {
            own: "520624".parse().unwrap(),
            partners: &partners,
            today: jiff::civil::date(2026, 8, 1),
        };
        for lang in [Lang::Zh, Lang::En] {
            let mut fields = LeadFields::default();
            for column in Column::ALL {
                guide(*column, lang)
                    .example
                    .clone_into(fields.get_mut(*column));
            }
            let verdict = check_form::<Column>(fields, &rules);
            assert_eq!(verdict.verdict, Verdict::Accept, "{:?}", verdict.findings);
            assert!(verdict.findings.is_empty(), "{:?}", verdict.findings);
        }
    }
}
