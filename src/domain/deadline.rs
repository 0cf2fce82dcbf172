//! The table of deadlines. They run in calendar time, Asia/Shanghai, from the entry named; the obliged node's own entry
//! time decides.

use super::{Side, Timestamp, Urgency};

/// A deadline of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deadline {
    /// Sign for what is 特急 or 紧急.
    SignUrgent,
    /// Sign for what is 普通.
    SignNormal,
    /// Return it or pass it on, when not competent.
    ReturnOrForward,
    /// Ask for a supplement.
    RequestSupplement,
    /// Supply what was asked for.
    Supply,
    /// Identity and record check within the province.
    CheckNear,
    /// Identity and record check from another province.
    CheckRemote,
    /// Notice after a transfer: what became of the case.
    TransferNotice,
    /// Assess a lead.
    Assess,
    /// Give feedback on a referral.
    Feedback,
}

/// What a deadline is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Matter {
    /// 线索.
    Lead,
    /// 办案协作.
    Assistance,
    /// 案件移送.
    Transfer,
}

/// The entry that starts a deadline, as it stands in the log of the node that is obliged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Start {
    /// `DispatchReceived` of what opened the record, or of a new attempt.
    Received,
    /// Signed for.
    SignedFor,
    /// A supplement was asked for.
    SupplementRequested,
    /// Accepted.
    Accepted,
}

/// How long a deadline runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    /// To the millisecond from the entry.
    Hours(u32),
    /// To the end of the last day, Asia/Shanghai; the day of the entry is not counted.
    Days(u32),
    /// As [`Days`](Self::Days), unless the two sides agreed on another number.
    DaysUnlessAgreed(u32),
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadlineRule {
    /// The Chinese term.
    pub chinese: &'static str,
    /// The English term.
    pub english: &'static str,
    /// How long.
    pub span: Span,
    /// From when.
    pub start: Start,
    /// Who has to act.
    pub obliged: Side,
    /// What it is about.
    pub matters: &'static [Matter],
    /// What it rests on. 程序规定 is 公安机关办理刑事案件程序规定 (2020).
    pub source: &'static str,
}

/// What decides which deadlines a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What it is.
    pub matter: Matter,
    /// How urgent.
    pub urgency: Urgency,
    /// Whether it asks for an identity or record check, and how far away.
    pub check: Option<CheckReach>,
}

/// How far away an identity or record check is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckReach {
    /// Within the province.
    Near,
    /// From another province.
    Remote,
}

impl Deadline {
    /// All of them, in the table's order.
    pub const ALL: [Self; 10] = [
        Self::SignUrgent,
        Self::SignNormal,
        Self::ReturnOrForward,
        Self::RequestSupplement,
        Self::Supply,
        Self::CheckNear,
        Self::CheckRemote,
        Self::TransferNotice,
        Self::Assess,
        Self::Feedback,
    ];

    /// Its line of the table.
    pub const fn rule(self) -> DeadlineRule {
        use Matter::{Assistance, Lead, Transfer};
        use Side::{Originator, Recipient};
        const SIGN: DeadlineRule = DeadlineRule {
            chinese: "签收（普通）",
            english: "sign for (普通 normal)",
            span: Span::Hours(24),
            start: Start::Received,
            obliged: Recipient,
            matters: &[Lead, Assistance, Transfer],
            source: "house rule, after Directive (EU) 2023/977 and 程序规定 art. 175",
        };
        match self {
            Self::SignUrgent => DeadlineRule {
                chinese: "签收（特急、紧急）",
                english: "sign for (特急 critical, 紧急 urgent)",
                span: Span::Hours(8),
                ..SIGN
            },
            Self::SignNormal => SIGN,
            Self::ReturnOrForward => DeadlineRule {
                chinese: "不具管辖权的退回或转办",
                english: "return or pass on when not competent",
                span: Span::Hours(24),
                start: Start::SignedFor,
                obliged: Recipient,
                matters: &[Lead, Assistance, Transfer],
                source: "程序规定 art. 175",
            },
            Self::RequestSupplement => DeadlineRule {
                chinese: "要求补充",
                english: "ask for a supplement",
                span: Span::Hours(24),
                start: Start::SignedFor,
                obliged: Recipient,
                matters: &[Assistance, Transfer],
                source: "house rule, after 程序规定 art. 180",
            },
            Self::Supply => DeadlineRule {
                chinese: "补充材料",
                english: "supply what was asked for",
                span: Span::Days(3),
                start: Start::SupplementRequested,
                obliged: Originator,
                matters: &[Assistance, Transfer],
                source: "house rule, after 程序规定 art. 180",
            },
            Self::CheckNear => DeadlineRule {
                chinese: "身份和记录核查（省内）",
                english: "identity and record check, near",
                span: Span::Days(7),
                start: Start::Accepted,
                obliged: Recipient,
                matters: &[Assistance],
                source: "程序规定 art. 353",
            },
            Self::CheckRemote => DeadlineRule {
                chinese: "身份和记录核查（跨省）",
                english: "identity and record check, remote (other province)",
                span: Span::Days(15),
                start: Start::Accepted,
                obliged: Recipient,
                matters: &[Assistance],
                source: "程序规定 art. 353",
            },
            Self::TransferNotice => DeadlineRule {
                chinese: "移送后告知",
                english: "notice after a transfer",
                span: Span::Days(3),
                start: Start::Accepted,
                obliged: Recipient,
                matters: &[Transfer],
                source: "程序规定 art. 184",
            },
            Self::Assess => DeadlineRule {
                chinese: "线索核查",
                english: "assess a lead",
                span: Span::DaysUnlessAgreed(30),
                start: Start::SignedFor,
                obliged: Recipient,
                matters: &[Lead],
                source: "house rule",
            },
            Self::Feedback => DeadlineRule {
                chinese: "结果反馈",
                english: "feedback on a referral",
                span: Span::DaysUnlessAgreed(30),
                start: Start::Accepted,
                obliged: Recipient,
                matters: &[Assistance, Transfer],
                source: "house rule",
            },
        }
    }

    /// Whether a record of these facts has it.
    pub fn applies(self, facts: Facts) -> bool {
        let urgent = facts.urgency != Urgency::Normal;
        let in_question = match self {
            Self::SignUrgent => urgent,
            Self::SignNormal => !urgent,
            Self::CheckNear => facts.check == Some(CheckReach::Near),
            Self::CheckRemote => facts.check == Some(CheckReach::Remote),
            Self::ReturnOrForward
            | Self::RequestSupplement
            | Self::Supply
            | Self::TransferNotice
            | Self::Assess
            | Self::Feedback => true,
        };
        in_question && self.rule().matters.contains(&facts.matter)
    }

    /// The deadlines that this entry starts for a record of these facts.
    pub fn starting(start: Start, facts: Facts) -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(move |deadline| deadline.rule().start == start && deadline.applies(facts))
    }

    /// The last moment in time for it: what the obliged node writes later is late. `started` is the time of the entry
    /// that starts it.
    pub const fn due(self, started: Timestamp) -> Timestamp {
        match self.rule().span {
            Span::Hours(hours) => started.plus_seconds(hours as u64 * 3600),
            Span::Days(days) | Span::DaysUnlessAgreed(days) => end_of_day(started, days as u64),
        }
    }

    /// [`due`](Self::due) with the number of days that the two sides agreed on; nothing where the table leaves them
    /// no say.
    pub fn due_as_agreed(self, started: Timestamp, days: u32) -> Option<Timestamp> {
        match self.rule().span {
            Span::DaysUnlessAgreed(_) => Some(end_of_day(started, days.into())),
            Span::Hours(_) | Span::Days(_) => None,
        }
    }
}

/// The last millisecond of the day so many days after this one, in Asia/Shanghai.
const fn end_of_day(from: Timestamp, days_later: u64) -> Timestamp {
    // China Standard Time has been UTC+8 without daylight saving since 1992, and no time here is older.
    const OFFSET: u64 = 8 * 3600 * 1000;
    const DAY: u64 = 24 * 3600 * 1000;
    let day = from.millis().saturating_add(OFFSET) / DAY;
    let next_midnight = day
        .saturating_add(days_later)
        .saturating_add(1)
        .saturating_mul(DAY);
    Timestamp::from_millis(next_midnight.saturating_sub(OFFSET + 1))
}

/// How long the recipient of a dispatch has to sign for it, in seconds, from its `DispatchReceived`.
pub const fn sign_within_seconds(urgency: Urgency) -> u32 {
    let deadline = match urgency {
        Urgency::Critical | Urgency::Urgent => Deadline::SignUrgent,
        Urgency::Normal => Deadline::SignNormal,
    };
    match deadline.rule().span {
        Span::Hours(hours) => hours * 3600,
        Span::Days(days) | Span::DaysUnlessAgreed(days) => days * 86_400,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-05 14:07:09.250 in Shanghai.
    const AFTERNOON: Timestamp = Timestamp::from_millis(1_772_690_829_250);

    fn due(deadline: Deadline, started: Timestamp) -> String {
        deadline.due(started).shanghai_text()
    }

    #[test]
    fn hours_run_from_the_entry_itself() {
        assert_eq!(AFTERNOON.shanghai_text(), "2026-03-05 14:07:09");
        let sign = Deadline::SignUrgent.due(AFTERNOON);
        assert_eq!(sign, AFTERNOON.plus_seconds(8 * 3600));
        assert_eq!(due(Deadline::SignNormal, AFTERNOON), "2026-03-06 14:07:09");
    }

    #[test]
    fn days_run_to_the_end_of_the_last_day_in_shanghai() {
        assert_eq!(due(Deadline::Supply, AFTERNOON), "2026-03-08 23:59:59");
        assert_eq!(due(Deadline::Feedback, AFTERNOON), "2026-04-04 23:59:59");
        // Just before and at midnight in Shanghai: one day apart, though the same day in UTC.
        let midnight = Timestamp::from_millis(1_772_640_000_000);
        let before = Timestamp::from_millis(midnight.millis() - 1);
        assert_eq!(due(Deadline::CheckNear, before), "2026-03-11 23:59:59");
        assert_eq!(due(Deadline::CheckNear, midnight), "2026-03-12 23:59:59");
        // The last moment in time is the day's last millisecond.
        let last = Deadline::Supply.due(AFTERNOON).millis();
        assert_eq!(
            Timestamp::from_millis(last + 1).shanghai_text(),
            "2026-03-09 00:00:00"
        );
        // No start is so late that the time comes round again.
        let end = Timestamp::from_millis(u64::MAX);
        assert!(Deadline::Feedback.due(end) > AFTERNOON);
    }

    #[test]
    fn only_house_rules_may_be_agreed_otherwise() {
        let agreed: Vec<_> = Deadline::ALL
            .into_iter()
            .filter_map(|d| Some((d, d.due_as_agreed(AFTERNOON, 60)?.shanghai_text())))
            .collect();
        let by = "2026-05-04 23:59:59".to_owned();
        assert_eq!(
            agreed,
            [(Deadline::Assess, by.clone()), (Deadline::Feedback, by)]
        );
    }

    #[test]
    fn each_matter_has_its_own_deadlines() {
        let of = |matter, urgency, check| {
            let facts = Facts {
                matter,
                urgency,
                check,
            };
            let applies = move |d: &Deadline| d.applies(facts);
            Deadline::ALL
                .into_iter()
                .filter(applies)
                .collect::<Vec<_>>()
        };
        use Deadline as D;
        let lead = [D::SignUrgent, D::ReturnOrForward, D::Assess];
        assert_eq!(of(Matter::Lead, Urgency::Critical, None), lead);
        assert_eq!(
            of(
                Matter::Assistance,
                Urgency::Normal,
                Some(CheckReach::Remote)
            ),
            [
                D::SignNormal,
                D::ReturnOrForward,
                D::RequestSupplement,
                D::Supply,
                D::CheckRemote,
                D::Feedback
            ]
        );
        let transfer = of(Matter::Transfer, Urgency::Urgent, None);
        assert!(transfer.contains(&D::TransferNotice) && transfer.contains(&D::SignUrgent));
        assert!(!transfer.contains(&D::CheckNear) && !transfer.contains(&D::CheckRemote));
    }

    #[test]
    fn signing_has_eight_or_twenty_four_hours() {
        let hours = Urgency::ALL.iter().map(|u| sign_within_seconds(*u) / 3600);
        assert!(hours.eq([24, 8, 8]));
    }
}
