//! The table of deadlines. They run in calendar time, Asia/Shanghai, from the entry named; the obliged node's own entry
//! time decides.

use super::{RecordKind, Side};
use crate::domain::{Timestamp, Urgency};

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
    /// Identity, age and record check.
    Check,
    /// Identity, age and record check in an area that is hard to reach.
    CheckRemote,
    /// Give feedback on any other assistance.
    Feedback,
    /// Tell whoever reported the case that it was transferred.
    TransferNotice,
    /// Check a lead.
    Assess,
}

/// The entry that starts a deadline, as it stands in the log of the node that is obliged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Start {
    /// `DispatchSent` of what opened the record.
    Sent,
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
    /// As [`Days`](Self::Days); the recipient's own leader may make it so many.
    DaysExtended {
        /// Unless extended.
        days: u32,
        /// At most.
        most: u32,
    },
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
    /// Of which kinds of records.
    pub kinds: &'static [RecordKind],
    /// What it rests on. 程序规定 is 公安机关办理刑事案件程序规定 (2020).
    pub source: &'static str,
}

/// What decides which deadlines a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its kind.
    pub kind: RecordKind,
    /// How urgent.
    pub urgency: Urgency,
    /// Where, if it asks for an identity, age or record check.
    pub check: Option<Area>,
}

/// How well the recipient's area can be reached. Which areas are remote is somebody's decision: another province is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// Any that is not remote.
    Ordinary,
    /// 交通十分不便的边远地区.
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
        Self::Check,
        Self::CheckRemote,
        Self::Feedback,
        Self::TransferNotice,
        Self::Assess,
    ];

    /// Its line of the table.
    pub const fn rule(self) -> DeadlineRule {
        use RecordKind::{Assistance, Lead, Transfer};
        use Side::{Originator, Recipient};
        const SIGN: DeadlineRule = DeadlineRule {
            chinese: "签收（普通）",
            english: "sign for (普通 normal)",
            span: Span::Hours(24),
            start: Start::Received,
            obliged: Recipient,
            kinds: &[Lead, Assistance, Transfer],
            source: "house rule",
        };
        const CHECK: DeadlineRule = DeadlineRule {
            chinese: "身份、年龄和违法犯罪记录核查",
            english: "identity, age and record check",
            span: Span::Days(7),
            start: Start::Received,
            obliged: Recipient,
            kinds: &[Assistance],
            source: "程序规定 art. 353",
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
                chinese: "不属本地管辖的退回或移交（先采取紧急措施）",
                english: "return or pass on what is not one's own, urgent measures first",
                span: Span::Hours(24),
                start: Start::SignedFor,
                obliged: Recipient,
                kinds: &[Lead, Assistance, Transfer],
                source: "程序规定 art. 175 (cases); else house rule, after arts. 175 and 349",
            },
            Self::RequestSupplement => DeadlineRule {
                chinese: "要求补充",
                english: "ask for a supplement",
                span: Span::Hours(24),
                start: Start::SignedFor,
                obliged: Recipient,
                kinds: &[Assistance, Transfer],
                source: "house rule, after 程序规定 art. 180",
            },
            Self::Supply => DeadlineRule {
                chinese: "补充材料",
                english: "supply what was asked for",
                span: Span::Days(3),
                start: Start::SupplementRequested,
                obliged: Originator,
                kinds: &[Assistance, Transfer],
                source: "house rule, after 程序规定 art. 180",
            },
            Self::Check => CHECK,
            Self::CheckRemote => DeadlineRule {
                chinese: "身份、年龄和违法犯罪记录核查（边远地区）",
                english: "identity, age and record check, remote area",
                span: Span::Days(15),
                ..CHECK
            },
            Self::Feedback => DeadlineRule {
                chinese: "其他协作事项反馈",
                english: "feedback on any other assistance",
                span: Span::Days(30),
                start: Start::Accepted,
                obliged: Recipient,
                kinds: &[Assistance],
                source: "house rule (程序规定 art. 353: without delay)",
            },
            Self::TransferNotice => DeadlineRule {
                chinese: "移送后告知报案人",
                english: "notify whoever reported the case of its transfer",
                span: Span::Days(3),
                start: Start::Sent,
                obliged: Originator,
                kinds: &[Transfer],
                source: "程序规定 art. 184",
            },
            Self::Assess => DeadlineRule {
                chinese: "线索核查",
                english: "check a lead",
                span: Span::DaysExtended { days: 7, most: 30 },
                start: Start::SignedFor,
                obliged: Recipient,
                kinds: &[Lead],
                source: "house rule, after 公通字〔2015〕32号",
            },
        }
    }

    /// Whether a record of these facts has it.
    pub fn applies(self, facts: Facts) -> bool {
        let urgent = facts.urgency != Urgency::Normal;
        let in_question = match self {
            Self::SignUrgent => urgent,
            Self::SignNormal => !urgent,
            Self::Check => facts.check == Some(Area::Ordinary),
            Self::CheckRemote => facts.check == Some(Area::Remote),
            Self::Feedback => facts.check.is_none(),
            Self::ReturnOrForward
            | Self::RequestSupplement
            | Self::Supply
            | Self::TransferNotice
            | Self::Assess => true,
        };
        in_question && self.rule().kinds.contains(&facts.kind)
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
            Span::Days(days) | Span::DaysExtended { days, .. } => end_of_day(started, days as u64),
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
        Span::Days(days) | Span::DaysExtended { days, .. } => days * 86_400,
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
        assert_eq!(due(Deadline::Check, before), "2026-03-11 23:59:59");
        assert_eq!(due(Deadline::Check, midnight), "2026-03-12 23:59:59");
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

    /// Regression: a check ran from acceptance, 15 days for another province; the recipient owed the notice after a
    /// transfer; a lead had 30 days at once.
    #[test]
    fn regression_each_deadline_is_as_the_law_or_the_house_rule_has_it() {
        use Side::{Originator, Recipient};
        let rules = Deadline::ALL.map(|deadline| {
            let rule = deadline.rule();
            let span = match rule.span {
                Span::Hours(hours) => format!("{hours} h"),
                Span::Days(days) => format!("{days} d"),
                Span::DaysExtended { days, most } => format!("{days} to {most} d"),
            };
            (deadline, span, rule.start, rule.obliged)
        });
        let expected = [
            (Deadline::SignUrgent, "8 h", Start::Received, Recipient),
            (Deadline::SignNormal, "24 h", Start::Received, Recipient),
            (
                Deadline::ReturnOrForward,
                "24 h",
                Start::SignedFor,
                Recipient,
            ),
            (
                Deadline::RequestSupplement,
                "24 h",
                Start::SignedFor,
                Recipient,
            ),
            (
                Deadline::Supply,
                "3 d",
                Start::SupplementRequested,
                Originator,
            ),
            (Deadline::Check, "7 d", Start::Received, Recipient),
            (Deadline::CheckRemote, "15 d", Start::Received, Recipient),
            (Deadline::Feedback, "30 d", Start::Accepted, Recipient),
            (Deadline::TransferNotice, "3 d", Start::Sent, Originator),
            (Deadline::Assess, "7 to 30 d", Start::SignedFor, Recipient),
        ];
        assert_eq!(
            rules,
            expected.map(|(d, span, start, who)| (d, span.to_owned(), start, who))
        );
    }

    #[test]
    fn each_kind_has_its_own_deadlines() {
        let of = |kind, urgency, check| {
            let facts = Facts {
                kind,
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
        assert_eq!(of(RecordKind::Lead, Urgency::Critical, None), lead);
        assert_eq!(
            of(RecordKind::Assistance, Urgency::Normal, Some(Area::Remote)),
            [
                D::SignNormal,
                D::ReturnOrForward,
                D::RequestSupplement,
                D::Supply,
                D::CheckRemote
            ]
        );
        let other = of(RecordKind::Assistance, Urgency::Normal, None);
        assert_eq!(other.last(), Some(&D::Feedback));
        assert_eq!(
            of(RecordKind::Transfer, Urgency::Urgent, None),
            [
                D::SignUrgent,
                D::ReturnOrForward,
                D::RequestSupplement,
                D::Supply,
                D::TransferNotice
            ]
        );
    }

    #[test]
    fn signing_has_eight_or_twenty_four_hours() {
        let hours = Urgency::ALL.iter().map(|u| sign_within_seconds(*u) / 3600);
        assert!(hours.eq([24, 8, 8]));
    }
}
