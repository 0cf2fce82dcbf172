//! The transition table and the deadlines as people read them.

use super::{ReferralKind, ReferralProgress, ReferralStep};
use crate::domain::{Deadline, Lang, Matter, Rank, Side, Span, Start, Step as _, Transition};
use std::fmt;

/// `docs/referral-states.md`: a Mermaid drawing and tables, in Markdown.
pub fn draw() -> String {
    [
        HEAD.to_owned(),
        diagram(),
        TABLE_HEAD.to_owned(),
        transitions(),
        CONCURRENT.to_owned(),
        ranks(),
        DEADLINES_HEAD.to_owned(),
        deadlines(),
    ]
    .concat()
}

const HEAD: &str = "\
# The states of a referral 协查、移送

<!-- Drawn by src/domain/referral/drawing.rs. Write it again with: UPDATE_DOCS=1 cargo test --test it docs:: -->

A referral is an assistance 办案协作 or a transfer 案件移送. The originator 发起方 opens it, the recipient 接收方 acts
on it. What was drafted or approved and not yet sent is at the originator's node only. The drawing leaves out `correct`
更正, which changes no state, and `recall` 撤回, which leads to `recalled` 已撤回; the table below has both.

";

const TABLE_HEAD: &str = "
## Transitions 状态转换

Any other step is refused, and the refusal names the legal ones. What is marked 'of an assistance' the originator does
not do alone with a transfer: 程序规定 arts. 22 and 356 leave a dispute over a case, and one that was taken over, to
agreement or to the common superior, whom the exchange cannot ask yet. A node refuses such a step of its own officers and
of its partner; where a log has one from before that rule, it counts as it did. A recall that crossed with an acceptance
is made in time.

";

const CONCURRENT: &str = "
## Actions at the same time 并发操作

Each action names the entries that it follows; one that follows an unknown entry waits. Of actions that could count at
the same time, the first in this list counts first, and among equals the one with the lower leaf hash. One that the
table then no longer allows is superseded, for good, and so is what relies on it; but a recall or a correction stands
by itself. Both nodes come to the same end, in whatever order the actions reach them.

";

const DEADLINES_HEAD: &str = "
## Deadlines 时限

Calendar time, Asia/Shanghai; the obliged node's own entry decides. Hours run from the entry itself; days to the end of
the last one, the day of the entry not counted. 程序规定 is 公安机关办理刑事案件程序规定 (2020).

";

fn diagram() -> String {
    let mut text = "```mermaid\nstateDiagram-v2\n".to_owned();
    for progress in ReferralProgress::ALL.iter().filter(|p| !is_recalled(**p)) {
        let chinese = progress.label(Lang::Zh);
        line(
            &mut text,
            format_args!("    state \"{chinese} {progress}\" as {progress}"),
        );
    }
    for kind in ReferralKind::ALL {
        let (start, chinese) = (kind.start(), kind.label(Lang::Zh));
        line(
            &mut text,
            format_args!("    [*] --> {start}: {chinese} {kind}"),
        );
    }
    for Transition { from, step, by, to } in ReferralStep::TABLE {
        if !matches!(step.rank(), Rank::Recall | Rank::Correction) {
            let chinese = step.label(Lang::Zh);
            line(
                &mut text,
                format_args!(
                    "    {from} --> {to}: {chinese} {step} ({by}{})",
                    only(*from, *step)
                ),
            );
        }
    }
    for end in ReferralProgress::ALL
        .iter()
        .filter(|p| p.is_final() && !is_recalled(**p))
    {
        line(&mut text, format_args!("    {end} --> [*]"));
    }
    text.push_str("```\n");
    text
}

fn is_recalled(progress: ReferralProgress) -> bool {
    progress == ReferralProgress::Recalled
}

fn transitions() -> String {
    let mut text = "\
| from 现状态 | step 操作 | who 操作方 | to 新状态 | deadlines that start 起算时限 |
|---|---|---|---|---|
"
    .to_owned();
    for Transition { from, step, by, to } in ReferralStep::TABLE {
        let deadlines: Vec<_> = Deadline::ALL
            .into_iter()
            .filter(|d| step.starts().contains(&d.rule().start) && is_for_referrals(*d))
            .map(|d| format!("{}: {}", d.rule().english, span(d.rule().span)))
            .collect();
        line(
            &mut text,
            format_args!(
                "| {} `{from}` | {} `{step}` | {} {by}{} | {} `{to}` | {} |",
                from.label(Lang::Zh),
                step.label(Lang::Zh),
                by.chinese(),
                if step.is_local() {
                    ", a supervisor who is not the drafter"
                } else {
                    only(*from, *step)
                },
                to.label(Lang::Zh),
                deadlines.join("; ")
            ),
        );
    }
    text
}

/// Said of a step that a transfer does not take there.
fn only(from: ReferralProgress, step: ReferralStep) -> &'static str {
    match from.withheld(ReferralKind::Transfer, step) {
        Some(_) => ", of an assistance 限办案协作",
        None => "",
    }
}

fn is_for_referrals(deadline: Deadline) -> bool {
    ReferralKind::ALL
        .iter()
        .any(|kind| deadline.rule().matters.contains(&kind.matter()))
}

fn ranks() -> String {
    let mut text = String::new();
    let ranks = [Rank::Recall, Rank::Correction, Rank::Return];
    for (number, rank) in (1..).zip(ranks) {
        for step in ReferralStep::ALL.iter().filter(|s| s.rank() == rank) {
            let chinese = step.label(Lang::Zh);
            line(&mut text, format_args!("{number}. {chinese} `{step}`"));
        }
    }
    line(&mut text, format_args!("4. every other step 其他"));
    text
}

fn deadlines() -> String {
    let mut text = "\
| deadline 时限 | value 期限 | starts with 起算 | obliged 责任方 | concerns 适用 | source 依据 |
|---|---|---|---|---|---|
"
    .to_owned();
    for rule in Deadline::ALL.map(Deadline::rule) {
        let matters: Vec<_> = rule.matters.iter().map(|m| matter(*m)).collect();
        line(
            &mut text,
            format_args!(
                "| {} {} | {} | {} | {} | {} | {} |",
                rule.chinese,
                rule.english,
                span(rule.span),
                start(rule.start),
                obliged(rule.obliged),
                matters.join(", "),
                rule.source
            ),
        );
    }
    text
}

fn span(span: Span) -> String {
    match span {
        Span::Hours(hours) => format!("{hours} h"),
        Span::Days(days) => format!("{days} d"),
        Span::DaysExtended { days, most } => {
            format!("{days} d, to {most} d by the recipient's own leader")
        }
    }
}

const fn start(start: Start) -> &'static str {
    match start {
        Start::Sent => "`DispatchSent`",
        Start::Received => "`DispatchReceived`",
        Start::SignedFor => "signed for 签收",
        Start::SupplementRequested => "asked 要求补充",
        Start::Accepted => "accepted 受理",
    }
}

fn obliged(side: Side) -> String {
    format!("{} {side}", side.chinese())
}

const fn matter(matter: Matter) -> &'static str {
    match matter {
        Matter::Lead => "lead 线索",
        Matter::Assistance => "assistance 办案协作",
        Matter::Transfer => "transfer 案件移送",
    }
}

fn line(text: &mut String, line: fmt::Arguments<'_>) {
    text.push_str(&line.to_string());
    text.push('\n');
}
