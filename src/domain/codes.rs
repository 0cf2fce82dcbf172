//! Closed lists: urgency, handling, outcomes, return reasons.

use super::keyed;

keyed! {
    /// How soon the recipient must sign, 紧急程度.
    pub enum Urgency {
        /// 普通: within 24 hours.
        Normal = "normal" | "普通",
        /// 紧急: within 8 hours.
        Urgent = "urgent" | "紧急",
        /// 特急: within 8 hours, and shown first.
        Critical = "critical" | "特急",
    }
}

keyed! {
    /// What the recipient may do without the originator's consent, 处理限制.
    pub enum Handling {
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

keyed! {
    /// Why a recipient returns a dispatch, 退回理由. Incomplete material is a request for a supplement, never a return.
    pub enum ReturnReason {
        /// 不具管辖权.
        NotCompetent = "not_competent" ("不具管辖权"),
        /// 手续不全.
        FormalitiesIncomplete = "formalities_incomplete" ("手续不全"),
        /// 人员不符.
        SubjectMismatch = "subject_mismatch" ("人员不符"),
        /// 重复.
        DuplicateOf = "duplicate_of" ("重复"),
        /// 超出用途.
        OutOfPurpose = "out_of_purpose" ("超出用途"),
    }
}

keyed! {
    /// What the assessment of a lead found, 核查结果.
    pub enum AssessmentOutcome {
        /// 属实.
        Verified = "verified" ("属实"),
        /// 不实: both sides purge the record within 30 days.
        Unfounded = "unfounded" ("不实"),
        /// 已抓获.
        Arrested = "arrested" ("已抓获"),
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
