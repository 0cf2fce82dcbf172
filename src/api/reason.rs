//! Why a call is refused: a key that travels beside the sentence and never changes, and what to do about it in Chinese. The
//! English sentence is the error's own, which names ids, states and steps.

use crate::{access::Denial, domain::keyed};

keyed! {
    /// Why a call was refused. A newer node may have reasons that are not here.
    pub enum RefusedFor {
        /// A field that must be stated is not.
        Missing = "missing" ("缺少必填内容，字段见原文"),
        /// A field that says nothing known.
        Malformed = "malformed" ("内容写法不对，字段见原文"),
        /// An id that is not spelled in small letters and with hyphens.
        Spelling = "spelling" ("标识须用小写字母并带连字符"),
        /// A field that is longer, or has more elements, than it may.
        TooLong = "too_long" ("内容过长，字段见原文"),
        /// A number beyond its limit.
        TooMuch = "too_much" ("数值超出上限，字段见原文"),
        /// Not a message of this kind.
        Unreadable = "unreadable" ("节点读不懂此消息，请核对双方程序版本"),
        /// Rows on one stream with different purposes or bases.
        MixedGrounds = "mixed_grounds" ("一次发送只能有一个用途和依据，请分开发送"),
        /// Against the rules of a stream between nodes.
        Protocol = "protocol" ("消息不合节点之间的协议，请核对双方程序版本"),
        /// No purpose or basis, or a malformed one.
        NoGrounds = "no_grounds" ("没有写明用途和依据，或写法不对"),
        /// The role does not do this.
        Role = "role" ("此身份的角色在本节点不能办理此事"),
        /// People of another jurisdiction only list.
        Foreign = "foreign" ("其他辖区的人员在此只能列出，办理请用自己的节点"),
        /// The purpose does not cover the action.
        Purpose = "purpose" ("所写的用途不包括此事；审计用途只供审计人员，审计人员也只用审计用途"),
        /// The auditor is not on the policy's list.
        UnlistedAuditor = "unlisted_auditor" ("节点的策略中没有这位审计人员，请管理员登记"),
        /// The record is assigned to somebody else.
        Assigned = "assigned" ("此记录已指派给他人；可由主管改派，或由主管越过指派查看，会记入日志"),
        /// Somebody who is no supervisor asked to override an assignment.
        Override = "override" ("此记录已指派给他人；只有本节点的主管可以越过指派"),
        /// What it says is read at the caller's own node.
        Elsewhere = "elsewhere" ("其他辖区的人员在此只能看到标识、状态、期限和证明；内容请在自己的节点打开"),
        /// Somebody other than a partner's node tried to relay.
        NotAPartnerNode = "not_a_partner_node" ("只有对方节点可以投递"),
        /// No such record for this caller.
        NotFound = "not_found" ("没有可供您查看的这条记录，请先列出"),
        /// The content is erased.
        Erased = "erased" ("内容已删除，日志仍可证明其往来"),
        /// No unit of that name.
        NoUnit = "no_unit" ("本节点没有这个单位，请用配置 access.units 中的单位"),
        /// The recipient answers a lead, not its sender.
        OwnLead = "own_lead" ("这是本节点发出的线索，由接收地答复"),
        /// The state does not allow the step.
        NotNow = "not_now" ("按现在的状态不能这样办理，可办的步骤见原文"),
        /// One side alone does not end a dispute over a transfer.
        DisputedTransfer = "disputed_transfer" (
            "移送案件有异议的，一方不能自行办结：由双方协商，协商不成的由共同的上级公安机关决定（程序规定第22条、第356条）。\
             系统尚不能提请上级：请在系统外商定，由接收方重新反馈，再确认、办结"
        ),
        /// One side alone does not recall a transfer that was taken over.
        TakenOver = "taken_over" (
            "移送案件接收方已受理的，一方不能自行撤回：由双方协商，协商不成的由共同的上级公安机关决定（程序规定第22条、第356条）。\
             系统尚不能提请上级：请在系统外商定，由接收方把处理情况作为结果反馈"
        ),
        /// The note is too long.
        NoteTooLong = "note_too_long" ("说明过长，请压缩"),
        /// The record has had as many actions as it may have.
        Full = "full" ("此记录的办理次数已达上限"),
        /// What a referral says breaks a rule.
        Content = "content" ("内容不合规定，请按原文改正"),
        /// A step without what it needs, or with what it must not have.
        Needs = "needs" ("此步骤缺少必填内容，或带有不应有的内容，请按原文改正"),
        /// No partner covers the destination.
        NoPartner = "no_partner" ("没有已登记名片的节点管辖该地，请先交换名片"),
        /// A referral goes to another jurisdiction.
        OwnDestination = "own_destination" ("协查、移送须发往其他辖区"),
        /// H1 forbids use as evidence.
        NotAsEvidence = "not_as_evidence" ("H1 信息不得作为证据，而移送即作证据使用；请先征得来源方同意"),
        /// A referral carries only leads between the two.
        ForeignLead = "foreign_lead" ("协查只能带双方之间的线索"),
        /// A draft is approved first.
        Draft = "draft" ("尚是拟稿，须由另一名主管先审批"),
        /// Nothing waits for approval.
        NotADraft = "not_a_draft" ("没有待审批的拟稿"),
        /// Who drafted does not approve.
        SamePerson = "same_person" ("须两人经手：拟稿人不能自己审批"),
        /// The node card does not hold.
        BadCard = "bad_card" ("名片不合规定"),
        /// The node's own card.
        OwnCard = "own_card" ("这是本节点自己的名片"),
        /// The same card is approved already.
        KnownCard = "known_card" ("同一张名片已批准"),
        /// No card of theirs waits for approval.
        NoCard = "no_card" ("没有该辖区待批准的名片，请先登记"),
        /// The fingerprint is another card's.
        Fingerprint = "fingerprint" ("指纹与登记的名片不符：请再与对方当面或电话核对，不符的不得批准"),
        /// A card is no newer than the one in force.
        OlderCard = "older_card" ("名片不比在用的新，请向对方索取最新的名片"),
        /// A card changes something else than was named.
        CardChanges = "card_changes" (
            "此名片所改的与 --change 所写的不一致；请与对方逐项核实，并写明全部改动：key（日志公钥）、ca、origin（日志）、endpoint（地址）"
        ),
        /// A card is of another log than the partner had.
        NewLog = "new_log" (
            "名片上是另一份日志，不能证明是原日志的接续；放弃对原日志的核验须写 --accept-new-log 和新日志名，并记入日志"
        ),
        /// It is no partner of this node.
        NotAPartner = "not_a_partner" ("本节点没有这个对方节点"),
        /// The partner is suspended already.
        Suspended = "suspended" ("该对方已停用"),
        /// The partner is not suspended.
        NotSuspended = "not_suspended" ("该对方没有停用"),
        /// Nobody drafted that change of the partner.
        NoChange = "no_change" ("没有待批准的恢复或移除：须先由一人提出；其后又批准了新名片的，须重新提出"),
        /// The node takes no writes.
        Closed = "closed" ("节点现在不能写入，请与其管理员联系"),
        /// The node's log does not contain what it signed: it was rolled back or replaced.
        RolledBack = "rolled_back" (
            "节点的日志缺少它已签署的内容：数据被回退或替换。请其管理员停机，放回较新的数据；已丢失的只能另立后续日志"
        ),
        /// The node's disk has no room for new records.
        DiskShort = "disk_short" ("节点磁盘将满，暂不接收新记录，所余无几时亦不可查阅，请与其管理员联系"),
        /// The caller has as many streams open as it may.
        Streams = "streams" ("同时打开的流已达上限，请先结束一个"),
        /// The call was not answered in time.
        Late = "late" ("节点没有在限期内答复；是否已办理不能确定，可重做同一命令"),
    }
}

impl From<&Denial> for RefusedFor {
    fn from(denial: &Denial) -> Self {
        match denial {
            Denial::Role { .. } => Self::Role,
            Denial::Foreign { .. } => Self::Foreign,
            Denial::Purpose { .. } => Self::Purpose,
            Denial::UnlistedAuditor => Self::UnlistedAuditor,
            Denial::Assigned(_) => Self::Assigned,
            Denial::Override(_) => Self::Override,
            Denial::Elsewhere { .. } => Self::Elsewhere,
            Denial::NotAPartnerNode => Self::NotAPartnerNode,
        }
    }
}
