//! Why a call was refused, as a word that travels beside the sentence: callers say it in their own language.

use crate::{
    access::Denial,
    desk::{AnswerRefused, AssignRefused, DeskError, PartnerRefused, ReferralRefused},
    domain::Withheld,
};
use tonic::{Status, metadata::MetadataValue};

/// The header of a status that carries the word.
const HEADER: &str = "yichuan-reason";

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)+) => {
        /// Why a call was refused. Words are stable; a newer node may have others.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum RefusedFor { $($(#[$doc])* $variant,)+ }

        impl RefusedFor {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

reasons! {
    /// A field that must be stated is not.
    Missing = "missing",
    /// A field that says nothing known.
    Malformed = "malformed",
    /// An id that is not spelled in small letters and with hyphens.
    Spelling = "spelling",
    /// A field that is longer, or has more elements, than it may.
    TooLong = "too_long",
    /// A number beyond its limit.
    TooMuch = "too_much",
    /// Not a message of this kind.
    Unreadable = "unreadable",
    /// Rows on one stream with different purposes or bases.
    MixedGrounds = "mixed_grounds",
    /// Against the rules of a stream between nodes.
    Protocol = "protocol",
    /// No purpose or basis, or a malformed one.
    NoGrounds = "no_grounds",
    /// The role does not do this.
    Role = "role",
    /// People of another jurisdiction only list.
    Foreign = "foreign",
    /// The purpose does not cover the action.
    Purpose = "purpose",
    /// The auditor is not on the policy's list.
    UnlistedAuditor = "unlisted_auditor",
    /// The record is assigned to somebody else.
    Assigned = "assigned",
    /// Somebody who is no supervisor asked to override an assignment.
    Override = "override",
    /// What it says is read at the caller's own node.
    Elsewhere = "elsewhere",
    /// Somebody other than a partner's node tried to relay.
    NotAPartnerNode = "not_a_partner_node",
    /// No such record for this caller.
    NotFound = "not_found",
    /// The content is erased.
    Erased = "erased",
    /// No unit of that name.
    NoUnit = "no_unit",
    /// The recipient answers a lead, not its sender.
    OwnLead = "own_lead",
    /// The state does not allow the step.
    NotNow = "not_now",
    /// One side alone does not end a dispute over a transfer.
    DisputedTransfer = "disputed_transfer",
    /// One side alone does not recall a transfer that was taken over.
    TakenOver = "taken_over",
    /// The note is too long.
    NoteTooLong = "note_too_long",
    /// The record has had as many actions as it may have.
    Full = "full",
    /// What a referral says breaks a rule.
    Content = "content",
    /// A step without what it needs, or with what it must not have.
    Needs = "needs",
    /// No partner covers the destination.
    NoPartner = "no_partner",
    /// A referral goes to another jurisdiction.
    OwnDestination = "own_destination",
    /// H1 forbids use as evidence.
    NotAsEvidence = "not_as_evidence",
    /// A referral carries only leads between the two.
    ForeignLead = "foreign_lead",
    /// A draft is approved first.
    Draft = "draft",
    /// Nothing waits for approval.
    NotADraft = "not_a_draft",
    /// Who drafted does not approve.
    SamePerson = "same_person",
    /// The node card does not hold.
    BadCard = "bad_card",
    /// The node's own card.
    OwnCard = "own_card",
    /// The same card is approved already.
    KnownCard = "known_card",
    /// No card of theirs waits for approval.
    NoCard = "no_card",
    /// The fingerprint is another card's.
    Fingerprint = "fingerprint",
    /// A card is no newer than the one in force.
    OlderCard = "older_card",
    /// A card changes something else than was named.
    CardChanges = "card_changes",
    /// A card is of another log than the partner had.
    NewLog = "new_log",
    /// It is no partner of this node.
    NotAPartner = "not_a_partner",
    /// The partner is suspended already.
    Suspended = "suspended",
    /// The partner is not suspended.
    NotSuspended = "not_suspended",
    /// Nobody drafted that change of the partner.
    NoChange = "no_change",
    /// The node takes no writes.
    Closed = "closed",
    /// The node's log does not contain what it signed: it was rolled back or replaced.
    RolledBack = "rolled_back",
    /// The node's disk has no room for new records.
    DiskShort = "disk_short",
    /// The caller has as many streams open as it may.
    Streams = "streams",
    /// The call was not answered in time.
    Late = "late",
}

impl RefusedFor {
    /// The word beside a status; none from an older node, or where the word is not known here.
    pub fn of(status: &Status) -> Option<Self> {
        let word = status.metadata().get(HEADER)?.to_str().ok()?;
        Self::ALL.iter().copied().find(|r| r.as_str() == word)
    }

    /// Puts the word beside a status.
    pub(super) fn beside(self, mut status: Status) -> Status {
        let word = MetadataValue::from_static(self.as_str());
        status.metadata_mut().insert(HEADER, word);
        status
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

/// Failures of this node have no word: their statuses say nothing either.
pub(super) fn desk(error: &DeskError) -> Option<RefusedFor> {
    match error {
        DeskError::NotFound(_) => Some(RefusedFor::NotFound),
        DeskError::Erased(_) => Some(RefusedFor::Erased),
        DeskError::Denied(denial) => Some(denial.into()),
        DeskError::Log(_) => Some(RefusedFor::Closed),
        DeskError::Disk(_) => Some(RefusedFor::DiskShort),
        DeskError::Rows(_) | DeskError::Read(_) | DeskError::Vault(_) => None,
    }
}

pub(super) fn assign(refused: &AssignRefused) -> Option<RefusedFor> {
    match refused {
        AssignRefused::Desk(error) => desk(error),
        AssignRefused::NoUnit(_) => Some(RefusedFor::NoUnit),
    }
}

pub(super) fn answer(refused: &AnswerRefused) -> Option<RefusedFor> {
    Some(match refused {
        AnswerRefused::Desk(error) => return desk(error),
        AnswerRefused::OwnLead(_) => RefusedFor::OwnLead,
        AnswerRefused::NotNow { .. } => RefusedFor::NotNow,
        AnswerRefused::NoteTooLong => RefusedFor::NoteTooLong,
        AnswerRefused::Full(_) => RefusedFor::Full,
        AnswerRefused::Stage(_) => return None,
    })
}

pub(super) fn referral(refused: &ReferralRefused) -> Option<RefusedFor> {
    Some(match refused {
        ReferralRefused::Desk(error) => return desk(error),
        ReferralRefused::Content(_) => RefusedFor::Content,
        ReferralRefused::Needs(_) => RefusedFor::Needs,
        ReferralRefused::NoPartner(_) => RefusedFor::NoPartner,
        ReferralRefused::Own => RefusedFor::OwnDestination,
        ReferralRefused::NotAsEvidence => RefusedFor::NotAsEvidence,
        ReferralRefused::ForeignLead => RefusedFor::ForeignLead,
        ReferralRefused::NotNow(refused) => match refused.withheld() {
            Some(Withheld::Disputed) => RefusedFor::DisputedTransfer,
            Some(Withheld::TakenOver) => RefusedFor::TakenOver,
            None => RefusedFor::NotNow,
        },
        ReferralRefused::Draft(_) => RefusedFor::Draft,
        ReferralRefused::NotADraft(_) => RefusedFor::NotADraft,
        ReferralRefused::SamePerson(_) => RefusedFor::SamePerson,
        ReferralRefused::Full(_) => RefusedFor::Full,
        ReferralRefused::Stage(_) => return None,
    })
}

pub(super) fn partner(refused: &PartnerRefused) -> Option<RefusedFor> {
    Some(match refused {
        PartnerRefused::Card(_) | PartnerRefused::TooLong => RefusedFor::BadCard,
        PartnerRefused::Own => RefusedFor::OwnCard,
        PartnerRefused::Known(_) => RefusedFor::KnownCard,
        PartnerRefused::NoDraft(_) => RefusedFor::NoCard,
        PartnerRefused::SamePerson(_) => RefusedFor::SamePerson,
        PartnerRefused::Fingerprint(_) => RefusedFor::Fingerprint,
        PartnerRefused::Log(_) => RefusedFor::Closed,
        PartnerRefused::Disk(_) => RefusedFor::DiskShort,
        PartnerRefused::Older { .. } => RefusedFor::OlderCard,
        PartnerRefused::Changes { .. } => RefusedFor::CardChanges,
        PartnerRefused::NewLog { .. } => RefusedFor::NewLog,
        PartnerRefused::NoPartner(_) => RefusedFor::NotAPartner,
        PartnerRefused::Suspended(_) => RefusedFor::Suspended,
        PartnerRefused::NotSuspended(_) => RefusedFor::NotSuspended,
        PartnerRefused::NoChange(_) => RefusedFor::NoChange,
        PartnerRefused::Rows(_) | PartnerRefused::Witness(_) => return None,
    })
}

/// The same status, with the word beside it where there is one.
pub(super) fn worded(status: Status, reason: Option<RefusedFor>) -> Status {
    match reason {
        Some(reason) => reason.beside(status),
        None => status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn words_travel_and_differ() {
        for reason in RefusedFor::ALL {
            let status = reason.beside(Status::permission_denied("why"));
            let arrived = Status::from_header_map(&status.into_http::<()>().into_parts().0.headers);
            assert_eq!(RefusedFor::of(&arrived.unwrap()), Some(*reason));
        }
        let words: BTreeSet<_> = RefusedFor::ALL.iter().map(|r| r.as_str()).collect();
        assert_eq!(words.len(), RefusedFor::ALL.len());
        assert_eq!(RefusedFor::of(&Status::internal("why")), None);
    }
}
