//! The story, in the words of a police officer.

use super::{
    auditor::{Compared, Verdict},
    cluster::Cluster,
    officers::{Pushed, Read, Refused, Seen},
    places::{COUNTY, GUANGDONG},
};
use crate::{domain::Lang, rpc::pb};
use std::{io::Write, path::Path};

/// Tells what happens, in one language.
pub(super) struct Story<'a> {
    out: &'a mut dyn Write,
    lang: Lang,
    chapter: u32,
}

macro_rules! say {
    ($story:expr, $zh:literal, $en:literal $(, $arg:expr)* $(,)?) => {
        match $story.lang {
            Lang::Zh => writeln!($story.out, $zh $(, $arg)*),
            Lang::En => writeln!($story.out, $en $(, $arg)*),
        }
    };
}

mod referrals;

impl<'a> Story<'a> {
    pub(super) fn new(out: &'a mut dyn Write, lang: Lang) -> Self {
        Self {
            out,
            lang,
            chapter: 0,
        }
    }

    fn chapter(&mut self, zh: &str, en: &str) -> std::io::Result<()> {
        self.chapter += 1;
        let title = match self.lang {
            Lang::Zh => zh,
            Lang::En => en,
        };
        writeln!(self.out, "\n{}. {title}", self.chapter)
    }

    pub(super) fn nodes(&mut self, cluster: &Cluster) -> anyhow::Result<()> {
        say!(
            self,
            "驿传演示：三个公安机关，各有一个节点；真实的双向 TLS，真实的日志，虚构的人员（均生于 1900 至 1909 年）。",
            "Yichuan: three police jurisdictions, a node each; real mutual TLS, real logs, invented people (all born 1900 to 1909)."
        )?;
        self.chapter("节点就位", "The nodes are up")?;
        for member in cluster.members() {
            let origin = member.node.log().origin().to_owned();
            writeln!(
                self.out,
                "   {} {}  {}  {}",
                member.code,
                member.name,
                member.node.address(),
                origin
            )?;
        }
        Ok(())
    }

    pub(super) fn introduced(&mut self, cluster: &Cluster) -> anyhow::Result<()> {
        self.chapter(
            "互换节点名片：管理员登记，另一名主管当面或电话核对指纹后批准",
            "Node cards are exchanged: an admin drafts, a supervisor compares the fingerprint and approves",
        )?;
        let card = cluster.card(GUANGDONG)?;
        say!(
            self,
            "   广东名片指纹：{}",
            "   Guangdong's card: {}",
            card.fingerprint()
        )?;
        Ok(())
    }

    pub(super) fn pushed(&mut self, pushed: &Pushed) -> anyhow::Result<()> {
        self.chapter(
            "思南民警推送一份排查表",
            "An officer of Sinan pushes a screening sheet",
        )?;
        say!(
            self,
            "   {} 行：{} 条发出，{} 行表内重复，{} 行空白，{} 行退回修改，用时 {} 毫秒",
            "   {} rows: {} leads sent, {} duplicate in the sheet, {} blank, {} to be mended; {} ms",
            pushed.rows,
            pushed.accepted,
            pushed.duplicates,
            pushed.skipped,
            pushed.rejected.len(),
            pushed.took.as_millis()
        )?;
        for (row, column, code) in &pushed.rejected {
            say!(
                self,
                "     第 {} 行 {}：{}",
                "     row {} {}: {}",
                row,
                column,
                code
            )?;
        }
        for (to, count) in &pushed.to {
            say!(self, "   发往 {}：{} 条", "   to {}: {} leads", to, count)?;
        }
        Ok(())
    }

    pub(super) fn delivered(&mut self, cluster: &Cluster) -> anyhow::Result<()> {
        self.chapter(
            "送达：对方先验证思南的整个日志只增不改，才收下；每一条都有对方签名的回执",
            "Delivered: each recipient first verified that Sinan's whole log only grew; every lead has a signed receipt",
        )?;
        for member in cluster.members() {
            let checkpoint = member.node.log().checkpoint();
            say!(
                self,
                "   {} 日志 {} 条，根 {:.16}…",
                "   {}: a log of {} entries, root {:.16}…",
                member.name,
                checkpoint.size(),
                checkpoint.root().to_string()
            )?;
        }
        Ok(())
    }

    pub(super) fn pushed_again(&mut self, again: &Pushed) -> anyhow::Result<()> {
        say!(
            self,
            "   同一份表再推一次：新发 {} 条，重复 {} 条，什么都没有改变。",
            "   The same sheet once more: {} new, {} duplicates; nothing changed.",
            again.accepted,
            again.duplicates
        )?;
        Ok(())
    }

    pub(super) fn read(&mut self, read: &Read) -> anyhow::Result<()> {
        self.chapter(
            "两省签收、核查、退回",
            "The two provinces sign, assess and return",
        )?;
        for (code, count) in &read.waiting {
            say!(
                self,
                "   {} 收件箱 {} 条",
                "   {} had {} leads in its inbox",
                code,
                count
            )?;
        }
        say!(
            self,
            "   广东查看并核查属实：{}\n   浙江以不具管辖权退回：{}\n   其余逐条签收",
            "   Guangdong opened and verified {}\n   Zhejiang returned {}: not competent\n   all others are signed for",
            read.verified,
            read.returned
        )?;
        Ok(())
    }

    pub(super) fn seen_by_county(&mut self, seen: &[Seen]) -> anyhow::Result<()> {
        self.chapter(
            "思南看到结果和回执",
            "Sinan sees the outcome, and holds the receipts",
        )?;
        for lead in seen {
            let state = match (self.lang, lead.state) {
                (Lang::Zh, pb::RecordState::Assessed) => "已核查",
                (Lang::Zh, pb::RecordState::Returned) => "已退回",
                (Lang::En, pb::RecordState::Assessed) => "assessed",
                (Lang::En, pb::RecordState::Returned) => "returned",
                _ => anyhow::bail!("a lead is neither assessed nor returned"),
            };
            say!(
                self,
                "   {} {}；回执：{} 第 {} 条，签名树 {} 条。本次查看已先记入日志第 {} 条",
                "   {} {}; receipt: {} entry {}, in its signed tree of {}. This look was first logged as entry {}",
                lead.lead_id,
                state,
                lead.receipt.partner_origin,
                lead.receipt.partner_index,
                lead.receipt.tree_size,
                lead.consulted_index
            )?;
        }
        Ok(())
    }

    pub(super) fn refused(&mut self, refused: &[Refused]) -> anyhow::Result<()> {
        self.chapter("不该做的，做不成", "What nobody may do is refused")?;
        for refusal in refused {
            let tried = match self.lang {
                Lang::Zh => refusal.zh,
                Lang::En => refusal.en,
            };
            say!(
                self,
                "   {}：{}",
                "   {}: {}",
                tried,
                refusal.said(self.lang)
            )?;
        }
        Ok(())
    }

    pub(super) fn audited(
        &mut self,
        verdicts: &[Verdict],
        compared: &[Compared],
    ) -> anyhow::Result<()> {
        self.chapter(
            "审计：不信任何节点，在自己的机器上重算每一条，核验其含义，再两两对账",
            "The audit: trusting no node, every entry is recomputed and read on the auditor's machine, every two logs compared",
        )?;
        for verdict in verdicts {
            let log = &verdict.inspection;
            say!(
                self,
                "   {} {}：{} 条，根 {:.16}…，{}",
                "   {} {}: {} entries, root {:.16}…, {}",
                verdict.name,
                log.origin,
                log.entries,
                log.root,
                match (self.lang, verdict.is_clean()) {
                    (Lang::Zh, true) => "核验通过",
                    (Lang::Zh, false) => "有问题",
                    (Lang::En, true) => "verified and inspected",
                    (Lang::En, false) => "DEFECTS",
                }
            )?;
            let kinds: Vec<String> = log
                .by_kind
                .iter()
                .map(|(kind, count)| format!("{kind} {count}"))
                .collect();
            writeln!(self.out, "     {}", kinds.join(", "))?;
            for defect in &log.defects.first {
                writeln!(self.out, "     {}: {}", defect.index, defect.what)?;
            }
            for remark in &log.remarks.first {
                writeln!(self.out, "     {}: {}", remark.index, remark.what)?;
            }
        }
        for pair in compared {
            self.compared(pair)?;
        }
        Ok(())
    }

    fn compared(&mut self, pair: &Compared) -> anyhow::Result<()> {
        let told = &pair.told;
        say!(
            self,
            "   {} ⇄ {}：发出 {} 与 {} 件，送达并有双方证据 {} 与 {} 件，{}",
            "   {} ⇄ {}: {} and {} sent, {} and {} received and proved in both logs, {}",
            pair.names[0],
            pair.names[1],
            told.a_to_b.sent,
            told.b_to_a.sent,
            told.a_to_b.received,
            told.b_to_a.received,
            match (self.lang, pair.is_clean()) {
                (Lang::Zh, true) => "对账一致",
                (Lang::Zh, false) => "对账不符",
                (Lang::En, true) => "reconciled",
                (Lang::En, false) => "NOT RECONCILED",
            }
        )?;
        let found = told.pending.first.iter().chain(&told.differences.first);
        for difference in found {
            writeln!(
                self.out,
                "     {} {}: {}",
                difference.from, difference.index, difference.what
            )?;
        }
        Ok(())
    }

    pub(super) fn end(&mut self) -> anyhow::Result<()> {
        say!(
            self,
            "\n审计结论：三个日志全部核验通过，两两对账一致。谁发了什么、谁收了什么、谁看了什么，都有对方签名的证据，谁也改不了、赖不掉。",
            "\nThe auditor's verdict: all three logs are inspected and in order, and every two reconciled. Who sent, received and \
             read what is proved by the other side's signature; nobody can alter or deny it."
        )?;
        Ok(())
    }

    pub(super) fn kept(&mut self, dir: &Path) -> anyhow::Result<()> {
        say!(
            self,
            "数据保留在 {}；各日志导出在 <辖区代码>/export，验证公钥在 <辖区代码>/vkey。",
            "Kept in {}: each log exported to <code>/export, its verifier key in <code>/vkey.",
            dir.display()
        )?;
        Ok(())
    }

    pub(super) fn what_to_try(&mut self, cluster: &Cluster) -> anyhow::Result<()> {
        let county = cluster.member(COUNTY);
        let config = county.config.path.display();
        say!(
            self,
            "\n节点仍在运行，可以试试：",
            "\nThe nodes are up. Try:"
        )?;
        for command in [
            "--as officer-001 --purpose screening --basis campaign:520624-2026-01 lead list",
            "--as officer-001 --purpose case --basis case:A5206240000002026110001 referral list",
            "--as auditor-001 --purpose audit --basis campaign:520624-2026-01 audit replay --kind consulted",
            "--as auditor-001 --purpose audit --basis campaign:520624-2026-01 audit verify",
        ] {
            writeln!(self.out, "  yichuan --config {config} {command}")?;
        }
        say!(self, "按 Ctrl-C 停止。", "Ctrl-C stops them.")?;
        self.out.flush()?;
        Ok(())
    }
}
