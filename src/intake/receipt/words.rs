//! The words of a receipt.

use super::COLUMNS;
use crate::domain::Lang;

/// The words in one language.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) sheet: &'static str,
    pub(super) title: &'static str,
    pub(super) footer: &'static str,
    pub(super) node: &'static str,
    pub(super) principal: &'static str,
    pub(super) grounds: &'static str,
    pub(super) time: &'static str,
    pub(super) file: &'static str,
    pub(super) sha256: &'static str,
    pub(super) totals: &'static str,
    pub(super) broken_off: &'static str,
    pub(super) push_again: &'static str,
    pub(super) columns: [&'static str; COLUMNS],
    pub(super) proof: &'static str,
    pub(super) what_it_proves: &'static str,
    pub(super) no_proof: &'static str,
    pub(super) origin: &'static str,
    pub(super) size: &'static str,
    pub(super) root: &'static str,
    pub(super) signature: &'static str,
    pub(super) verified: &'static str,
    pub(super) not_verified: &'static str,
    pub(super) note: &'static str,
    pub(super) how: &'static str,
    pub(super) how_to_verify: &'static str,
    pub(super) signatures: [&'static str; 3],
}

pub(super) const fn words(lang: Lang) -> &'static Words {
    match lang {
        Lang::Zh => &ZH,
        Lang::En => &EN,
    }
}

static ZH: Words = Words {
    sheet: "回执单",
    title: "线索发送回执单",
    footer: "&L线索发送回执单&R第 &P 页，共 &N 页",
    node: "节点",
    principal: "发送人",
    grounds: "用途和依据",
    time: "时间",
    file: "文件",
    sha256: "文件 SHA-256",
    totals: "合计",
    broken_off: "未完成",
    push_again: "有日志条目的行已入日志，断电也不会丢失。“未得到答复”的行是否已入日志不能确定：把同一份表再推一次即可，不会重复发送。",
    columns: [
        "工作表",
        "行",
        "线索编号",
        "结果",
        "线索标识",
        "日志条目",
        "发往",
        "状态",
        "原因",
    ],
    proof: "证明",
    what_it_proves: "下列签名的树覆盖本单所列的全部日志条目。节点此后如删改其中任何一条，就与这份签名相矛盾。",
    no_proof: "节点没有给出签名的树。有日志条目的行仍已入日志；再推一次可重新取得回执单。",
    origin: "日志",
    size: "条目数",
    root: "根",
    signature: "签名",
    verified: "已用本机保存或名片所载的日志验证公钥核验，签名有效",
    not_verified: "本机没有该日志的验证公钥，签名未经核验；核验须用线下核对过的公钥",
    note: "签名原文",
    how: "怎样核验",
    how_to_verify: "民警：yichuan lead show 线索标识，查看该线索的经过和对方节点的回执（查看会记入日志）。\n\
                    审计人员：yichuan audit verify --vkey 公钥，逐条重算整个日志；yichuan audit prove 线索标识 --out 目录，取得该线索的证明，可离线核验。",
    signatures: ["经办人：", "审核人：", "日期："],
};

static EN: Words = Words {
    sheet: "receipt",
    title: "Receipt of pushed leads",
    footer: "&LReceipt of pushed leads&R&P / &N",
    node: "node",
    principal: "pushed by",
    grounds: "purpose, basis",
    time: "time",
    file: "file",
    sha256: "its SHA-256",
    totals: "totals",
    broken_off: "broken off",
    push_again: "Rows with a log entry are in the log and survive a power cut. Whether those without an answer are in the log \
                 is not known: push the same sheet again, nothing is sent twice.",
    columns: [
        "worksheet",
        "row",
        "lead number",
        "outcome",
        "lead id",
        "log entry",
        "to",
        "state",
        "reason",
    ],
    proof: "proof",
    what_it_proves: "The signed tree below covers every log entry that this sheet names. A node that drops or changes one of \
                     them afterwards contradicts this signature.",
    no_proof: "The node gave no signed tree. Rows with a log entry are in the log all the same; pushing again brings another \
               receipt.",
    origin: "log",
    size: "entries",
    root: "root",
    signature: "signature",
    verified: "verified here with the log's key that is kept on this machine or stands on the node's card",
    not_verified: "not verified: this machine has no key of the log; verify with one that was compared out of band",
    note: "signed note",
    how: "to verify",
    how_to_verify: "Officers: yichuan lead show ID shows what happened to a lead and the partner's receipt. (Looking is \
                    logged.)\nAuditors: yichuan audit verify --vkey KEY recomputes the whole log; yichuan audit prove ID \
                    --out DIR brings the proofs of one lead, to be verified offline.",
    signatures: ["officer:", "reviewed by:", "date:"],
};
