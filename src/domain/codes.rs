//! Closed lists: urgency, handling, outcomes, return reasons.

use std::{fmt, str::FromStr};

/// Not a member of the list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of: {expected}")]
pub struct UnknownCode {
    /// The members.
    pub expected: &'static str,
}

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident: $expected:literal {
        $($(#[$vdoc:meta])* $variant:ident = $key:literal $(| $other:literal)* ,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable key, as in commands, JSON and payloads.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $key,)+ }
            }
        }

        impl FromStr for $name {
            type Err = UnknownCode;

            fn from_str(text: &str) -> Result<Self, UnknownCode> {
                match text {
                    $($key $(| $other)* => Ok(Self::$variant),)+
                    _ => Err(UnknownCode { expected: $expected }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

pub(super) use codes;

codes! {
    /// How soon the recipient must sign, 紧急程度.
    Urgency: "普通 normal, 紧急 urgent, 特急 critical" {
        /// 普通: within 24 hours.
        Normal = "normal" | "普通",
        /// 紧急: within 8 hours.
        Urgent = "urgent" | "紧急",
        /// 特急: within 8 hours, and shown first.
        Critical = "critical" | "特急",
    }
}

codes! {
    /// What the recipient may do without the originator's consent, 处理限制.
    Handling: "H0, H1, H2, H3" {
        /// Police use.
        H0 = "H0",
        /// Police use, not as evidence.
        H1 = "H1",
        /// Use by the recipient's unit: no forwarding, sharing or carrying into another referral.
        H2 = "H2",
        /// Use by the unit named: nobody else there opens it, and all that H2 blocks.
        H3 = "H3",
    }
}

codes! {
    /// Why a recipient returns a dispatch, 退回理由. Incomplete material is a request for a supplement, never a return.
    ReturnReason: "not_competent, formalities_incomplete, subject_mismatch, duplicate_of, out_of_purpose" {
        /// 不具管辖权.
        NotCompetent = "not_competent",
        /// 手续不全.
        FormalitiesIncomplete = "formalities_incomplete",
        /// 人员不符.
        SubjectMismatch = "subject_mismatch",
        /// 重复.
        DuplicateOf = "duplicate_of",
        /// 超出用途.
        OutOfPurpose = "out_of_purpose",
    }
}

codes! {
    /// What the assessment of a lead found, 核查结果.
    AssessmentOutcome: "verified, unfounded, arrested" {
        /// 属实.
        Verified = "verified",
        /// 不实: both sides purge the record within 30 days.
        Unfounded = "unfounded",
        /// 已抓获.
        Arrested = "arrested",
    }
}

codes! {
    /// Where a lead stands, as one of the two nodes sees it.
    LeadState: "sent, delivered, signed_for, assessed, returned, refused" {
        /// 已发: in the sender's log.
        Sent = "sent",
        /// 已送达: in both logs.
        Delivered = "delivered",
        /// 已签收.
        SignedFor = "signed_for",
        /// 已核查.
        Assessed = "assessed",
        /// 已退回.
        Returned = "returned",
        /// 对方节点拒收: the recipient's node refused it, with proof.
        Refused = "refused",
    }
}

impl Handling {
    /// True where the recipient may pass the content on to another jurisdiction without the originator's consent.
    pub const fn allows_forwarding(self) -> bool {
        matches!(self, Self::H0 | Self::H1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_reads_back() {
        for code in Urgency::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
        }
        for code in Handling::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
        }
        for code in ReturnReason::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
        }
        for code in AssessmentOutcome::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
        }
        assert_eq!("特急".parse(), Ok(Urgency::Critical));
        assert!("h0".parse::<Handling>().is_err());
    }

    #[test]
    fn h2_and_h3_are_not_forwarded() {
        let may: Vec<_> = Handling::ALL
            .iter()
            .map(|h| h.allows_forwarding())
            .collect();
        assert_eq!(may, [true, true, false, false]);
    }
}
