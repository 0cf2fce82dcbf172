//! The chapters on referrals.

use super::{
    super::{
        casework::{Case, Caught, Draft, SeenByPartners, Taken},
        officers::Refused,
        places::COUNTY,
    },
    Story,
};
use crate::{
    cli::record::client::{action, state},
    domain::Lang,
};

impl Story<'_> {
    pub(in crate::cli::demo) fn assisted(&mut self, case: &Case) -> anyhow::Result<()> {
        self.chapter(
            "办案协作：思南请广东协助，从签收到办结",
            "Assistance: Sinan asks Guangdong, from the first signature to the end",
        )?;
        say!(
            self,
            "   {}，所附线索 {} 条（只附标识，不再抄录人员信息）",
            "   {}, carrying {} lead by its id: nothing about the person is written again",
            case.id,
            case.leads.len()
        )?;
        self.steps(&case.taken)?;
        self.held(case)
    }

    pub(in crate::cli::demo) fn drafted(&mut self, draft: &Draft) -> anyhow::Result<()> {
        self.chapter(
            "案件移送：一人拟稿，另一名主管批准后才发出",
            "A transfer: one person drafts, and it leaves when a supervisor approves",
        )?;
        writeln!(self.out, "   {}", draft.id)?;
        self.steps(std::slice::from_ref(&draft.drafted))?;
        self.attempts(&draft.refused)
    }

    pub(in crate::cli::demo) fn seen_by_partners(
        &mut self,
        seen: &SeenByPartners,
    ) -> anyhow::Result<()> {
        let (guangdong, zhejiang) = (&seen.guangdong, &seen.zhejiang);
        say!(
            self,
            "   此时广东民警用本省证书查询思南节点：线索 {} 条，协查 {} 件，逐步可见 {} 步；看不到拟稿",
            "   Meanwhile an officer of Guangdong asks Sinan's node with their own certificate: {} leads and {} referral, all \
             {} steps of it; not the draft",
            guangdong.leads,
            guangdong.referrals.len(),
            seen.steps
        )?;
        say!(
            self,
            "   浙江民警同样查询：线索 {} 条，都是发给浙江的；协查 {} 件",
            "   An officer of Zhejiang asks the same: {} leads, all addressed to Zhejiang; {} referrals",
            zhejiang.leads,
            zhejiang.referrals.len()
        )?;
        self.attempts(std::slice::from_ref(&seen.refused))
    }

    pub(in crate::cli::demo) fn transferred(&mut self, case: &Case) -> anyhow::Result<()> {
        // The draft was told before.
        self.steps(case.taken.get(1..).unwrap_or_default())?;
        self.held(case)
    }

    pub(in crate::cli::demo) fn caught(&mut self, caught: &Caught) -> anyhow::Result<()> {
        self.chapter(
            "抓获通报：广东抓获线索所指人员，告知户籍地思南",
            "A caught notice: Guangdong caught the lead's subject, and tells Sinan",
        )?;
        say!(
            self,
            "   {}：广东日志第 {} 条，已送达；思南查看，先记入日志第 {} 条",
            "   {}: entry {} of Guangdong's log, delivered; Sinan's look at it was first logged as entry {}",
            caught.id,
            caught.index,
            caught.consulted
        )?;
        Ok(())
    }

    fn steps(&mut self, taken: &[Taken]) -> anyhow::Result<()> {
        for step in taken {
            let node = match (step.node == COUNTY, self.lang) {
                (true, Lang::Zh) => "思南",
                (false, Lang::Zh) => "广东",
                (true, Lang::En) => "Sinan",
                (false, Lang::En) => "Guangdong",
            };
            let action = action(step.action.into());
            let (key, zh) = if step.by.starts_with("supervisor") {
                ("approve", "批准")
            } else {
                (action.label(Lang::En), action.label(Lang::Zh))
            };
            let state = state(step.state.into()).map_or("", |it| it.label(self.lang));
            let en = key.strip_prefix("referral_").unwrap_or(key);
            say!(
                self,
                "     {}：{}，{}（{}，日志第 {} 条）",
                "     {}: {}, now {} ({}, entry {})",
                node,
                self.lang.pick(zh, en).replace('_', " "),
                state.replace('_', " "),
                step.by,
                step.index
            )?;
        }
        Ok(())
    }

    fn held(&mut self, case: &Case) -> anyhow::Result<()> {
        let [county, guangdong] = case.receipts;
        say!(
            self,
            "   两个节点所记一致；思南持有广东的回执 {} 份，广东持有思南的回执 {} 份，每步一份",
            "   Both nodes tell the same; receipts, one for each step: {} of Guangdong at Sinan, {} of Sinan at Guangdong",
            county,
            guangdong
        )?;
        Ok(())
    }

    fn attempts(&mut self, refused: &[Refused]) -> anyhow::Result<()> {
        for refusal in refused {
            let tried = self.lang.pick(refusal.zh, refusal.en);
            say!(
                self,
                "   不予办理：{}：{}",
                "   refused: {}: {}",
                tried,
                refusal.said(self.lang)
            )?;
        }
        Ok(())
    }
}
