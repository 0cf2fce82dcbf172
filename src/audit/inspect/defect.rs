//! The findings of an inspection, under stable codes.

use crate::audit::{CappedList, codes::codes};
use serde::Serialize;
use std::fmt;

codes! {
    /// What is wrong with an entry. An honest node with this program never writes any of these.
    DefectCode {
        Undecodable = "undecodable":
            "the bytes are no entry",
        Start = "start":
            "a log starts with LogStarted of the origin, key and jurisdiction that the auditor trusts, and only once",
        TimeWentBack = "time_went_back":
            "the entry is dated before the one before it",
        WrongActor = "wrong_actor":
            "this principal may not cause such an entry in this log",
        MissingGrounds = "missing_grounds":
            "a person acted without purpose and basis",
        TooLong = "too_long":
            "the entry is longer than one of its kind may be",
        Card = "card":
            "the node card cannot be relied on",
        ApprovalWithoutDraft = "approval_without_draft":
            "no card of this jurisdiction with this digest, or no such change of a partner, was drafted before",
        ApproverNotSupervisor = "approver_not_supervisor":
            "only a supervisor approves a partner or a transfer, and suspends a partner",
        ApproverDraftedIt = "approver_drafted_it":
            "the same person drafted it and approved it",
        KeyNotPinned = "key_not_pinned":
            "the card approved has another log key than the auditor holds for this jurisdiction",
        UnknownPartner = "unknown_partner":
            "no approved partner has this log or jurisdiction",
        PartnerSignature = "partner_signature":
            "the partner's checkpoint is not signed by the partner's key",
        PartnerForked = "partner_forked":
            "the partner signed two trees of one size: it showed its log in two versions",
        NotIncluded = "not_included":
            "the inclusion proof does not lead from the entry to the checkpoint",
        NotADispatch = "not_a_dispatch":
            "the sender's entry is no dispatch from that partner to this jurisdiction, with grounds",
        Misaddressed = "misaddressed":
            "a dispatch leaves in the name of this jurisdiction, and for another",
        AnswerWithoutDispatch = "answer_without_dispatch":
            "no unanswered dispatch of this log stands at the index that the answer is for",
        AnswerToAnotherDispatch = "answer_to_another_dispatch":
            "the dispatch at that index has another id or recipient than the answer",
        PartnerEntry = "partner_entry":
            "the partner's entry is not such an answer in the partner's own name",
        AnswerOfAnotherLeaf = "answer_of_another_leaf":
            "the partner's entry is of other bytes or another index than our dispatch",
        OwnSignature = "own_signature":
            "the checkpoint that the partner claims to have got is not signed by this log's key",
        RootMismatch = "root_mismatch":
            "a checkpoint of this log that the partner holds is not of this log's entries",
        Cosignature = "cosignature":
            "the partner's key did not cosign that checkpoint, or it does not cover the dispatch",
        Evidence = "evidence":
            "what is kept as evidence against a partner does not speak against it",
        DraftOfNoTransfer = "draft_of_no_transfer":
            "what was drafted is not the opening of a transfer",
        TransferWithoutDraft = "transfer_without_draft":
            "no draft of this referral with this leaf hash waits for approval",
        ApprovedAndNotSent = "approved_and_not_sent":
            "a transfer was approved, and the next entry does not send it",
        TransferWithoutApproval = "transfer_without_approval":
            "a transfer leaves, and the entry before is not its approval by the same supervisor",
        TransferNotAsDrafted = "transfer_not_as_drafted":
            "the transfer that leaves is not the one that was drafted and approved",
    }
}

codes! {
    /// Something an auditor should know, though nothing is proved wrong.
    RemarkCode {
        NewerProgram = "newer_program":
            "a newer program wrote the entry: inspect with that one",
        RootNotCompared = "root_not_compared":
            "the root at that size is out of reach: inspect an export, whose tiles have all sizes",
        LeafNotKept = "leaf_not_kept":
            "the dispatch was refused without keeping its bytes, so only its index is proved",
        RefusalNotReproduced = "refusal_not_reproduced":
            "this program would not refuse the dispatch for that reason, or would for another",
        EarlierKey = "earlier_key":
            "signed with a key of the partner that a newer card had replaced",
    }
}

/// Something wrong with one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Defect {
    /// The entry.
    pub index: u64,
    /// What is wrong.
    pub code: DefectCode,
    /// The same in words, with what was found.
    pub what: String,
}

/// Something to know about one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The entry.
    pub index: u64,
    /// The code.
    pub code: RemarkCode,
    /// The same in words.
    pub what: &'static str,
}

/// A defect of the entry under inspection.
#[derive(Debug)]
pub(super) struct Fault {
    code: DefectCode,
    detail: Option<String>,
}

impl From<DefectCode> for Fault {
    fn from(code: DefectCode) -> Self {
        Self { code, detail: None }
    }
}

impl DefectCode {
    /// Adds what was found. The detail names indexes, sizes, digests and codes, and no person.
    pub(super) fn with(self, detail: impl fmt::Display) -> Fault {
        Fault {
            code: self,
            detail: Some(detail.to_string()),
        }
    }
}

/// Everything found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) defects: CappedList<Defect>,
    pub(super) remarks: CappedList<Remark>,
}

impl Findings {
    pub(super) fn take<T>(&mut self, index: u64, checked: Result<T, Fault>) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(Fault { code, detail }) => {
                let what = match detail {
                    Some(detail) => format!("{}: {detail}", code.meaning()),
                    None => code.meaning().to_owned(),
                };
                self.defects.push(Defect { index, code, what });
                None
            }
        }
    }

    pub(super) fn remark(&mut self, index: u64, code: RemarkCode) {
        self.remarks.push(Remark {
            index,
            code,
            what: code.meaning(),
        });
    }
}
