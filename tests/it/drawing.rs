//! The transition table and the deadlines as people read them.

use std::fmt;
use yichuan::domain::{
    Action, Deadline, Family, Lang, Rank, RecordKind, Side, Span, Start, State, Transition,
};

/// `docs/referral-states.md`: a Mermaid drawing and tables, in Markdown.
pub(crate) fn draw() -> String {
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

/// Assistances and transfers have one table.
const DRAWN: RecordKind = RecordKind::Transfer;

const HEAD: &str = "\
# The states of a referral 协查、移送

<!-- Drawn by tests/it/drawing.rs. Write it again with: UPDATE_DOCS=1 cargo test --test it docs:: -->

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
    for state in states().filter(|state| *state != State::Recalled) {
        let chinese = state.label(Lang::Zh);
        line(
            &mut text,
            format_args!("    state \"{chinese} {state}\" as {state}"),
        );
    }
    for kind in Family::Referral.kinds() {
        let (start, chinese) = (kind.start(), kind.label(Lang::Zh));
        line(
            &mut text,
            format_args!("    [*] --> {start}: {chinese} {kind}"),
        );
    }
    for Transition {
        from,
        action,
        by,
        to,
    } in DRAWN.spec().table
    {
        if !matches!(action.rank(), Rank::Recall | Rank::Correction) {
            let chinese = action.label(Lang::Zh);
            line(
                &mut text,
                format_args!(
                    "    {from} --> {to}: {chinese} {action} ({by}{})",
                    only(*from, *action)
                ),
            );
        }
    }
    let ends = |state: &State| DRAWN.is_final(*state) && *state != State::Recalled;
    for end in states().filter(ends) {
        line(&mut text, format_args!("    {end} --> [*]"));
    }
    text.push_str("```\n");
    text
}

/// The states that the table has.
fn states() -> impl Iterator<Item = State> {
    let has = |state: &&State| {
        let mut lines = DRAWN.spec().table.iter();
        lines.any(|line| line.from == **state || line.to == **state)
    };
    State::ALL.iter().filter(has).copied()
}

fn transitions() -> String {
    let mut text = "\
| from 现状态 | step 操作 | who 操作方 | to 新状态 | deadlines that start 起算时限 |
|---|---|---|---|---|
"
    .to_owned();
    for Transition {
        from,
        action,
        by,
        to,
    } in DRAWN.spec().table
    {
        let deadlines: Vec<_> = Deadline::ALL
            .into_iter()
            .filter(|d| action.starts().contains(&d.rule().start) && is_for_referrals(*d))
            .map(|d| format!("{}: {}", d.rule().english, span(d.rule().span)))
            .collect();
        line(
            &mut text,
            format_args!(
                "| {} `{from}` | {} `{action}` | {} {by}{} | {} `{to}` | {} |",
                from.label(Lang::Zh),
                action.label(Lang::Zh),
                by.chinese(),
                if action.is_local() {
                    ", a supervisor who is not the drafter"
                } else {
                    only(*from, *action)
                },
                to.label(Lang::Zh),
                deadlines.join("; ")
            ),
        );
    }
    text
}

/// Said of an action that a transfer does not take there.
fn only(from: State, action: Action) -> &'static str {
    match RecordKind::Transfer.withheld(from, action) {
        Some(_) => ", of an assistance 限办案协作",
        None => "",
    }
}

fn is_for_referrals(deadline: Deadline) -> bool {
    Family::Referral
        .kinds()
        .any(|kind| deadline.rule().kinds.contains(&kind))
}

fn ranks() -> String {
    let mut text = String::new();
    let ranks = [Rank::Recall, Rank::Correction, Rank::Return];
    for (number, rank) in (1..).zip(ranks) {
        for action in Action::ALL.iter().filter(|a| a.rank() == rank) {
            let chinese = action.label(Lang::Zh);
            line(&mut text, format_args!("{number}. {chinese} `{action}`"));
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
        let kinds: Vec<_> = rule
            .kinds
            .iter()
            .map(|k| format!("{k} {}", k.label(Lang::Zh)))
            .collect();
        line(
            &mut text,
            format_args!(
                "| {} {} | {} | {} | {} | {} | {} |",
                rule.chinese,
                rule.english,
                span(rule.span),
                start(rule.start),
                obliged(rule.obliged),
                kinds.join(", "),
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

fn line(text: &mut String, line: fmt::Arguments<'_>) {
    text.push_str(&line.to_string());
    text.push('\n');
}
