//! Calls to a node about records of any kind. Only this file knows their messages.

use super::row::{Answer, Event, Opened, Page, Query, Receipt, Row, Said, Step, Term};
use crate::{
    access::Assignee,
    cli::{
        args::LookArgs,
        client::Connection,
        exit::Failure,
        print::{lines, plain},
    },
    domain::{
        AssessmentOutcome, Family, Handling, Lang, RecordId, RecordKind, ReturnReason, State,
        Urgency, content::referral::ReferralFields,
    },
    entry::{self, Content, DispatchAction, RowVisitor, SheetRow, pb},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

/// One page of records without what they say.
pub(super) async fn list(family: Family, node: &Connection, query: Query) -> Result<Page, Failure> {
    let states = query.states.into_iter().map(entry::state_to_wire);
    let request = pb::ListRecordsRequest {
        grounds: node.grounds(),
        family: entry::family_to_wire(family),
        kind: query.kind.map_or(0, entry::kind_to_wire),
        direction: query.direction.map_or(0, |way| way.to_wire().into()),
        states: states.collect(),
        origin: query.origin,
        destination: query.destination,
        counterpart: query.counterpart,
        urgency: query.urgency.map_or(0, entry::urgency_to_wire),
        since_ms: query.since_ms,
        before_ms: query.before_ms,
        due_before_ms: query.due_before_ms,
        resident_number: query.number,
        name: query.name,
        place_code: query.place,
        substance: query.substance,
        after_index: query.after,
        limit: query.limit,
        override_assignment: query.overriding,
    };
    let page = node
        .patient(async || node.records().list_records(request.clone()).await)
        .await?;
    Ok(Page {
        rows: page.records.into_iter().map(row).collect(),
        next: page.next_after,
    })
}

/// Opens a record. What it says is there, unless only the standing was asked for.
pub(super) async fn show(
    family: Family,
    node: &Connection,
    record: RecordId,
    look: LookArgs,
) -> Result<Opened, Failure> {
    let request = pb::ShowRecordRequest {
        grounds: node.grounds(),
        family: entry::family_to_wire(family),
        record_id: record.to_string(),
        override_assignment: look.over.assignment,
        standing_only: look.standing,
    };
    let shown = node
        .patient(async || node.records().show_record(request.clone()).await)
        .await?;
    let content = shown.content.and_then(said);
    let nonsense = || node.nonsense(&format!("a {} without its content", family.one()));
    if content.is_none() && !look.standing {
        return Err(nonsense());
    }
    let summary = shown.summary.ok_or_else(nonsense)?;
    let mut opened = Opened {
        advice: advice(&summary),
        row: Row {
            notice_due_ms: shown.notice_due_ms,
            ..row(summary)
        },
        content,
        events: None,
        allowed: None,
        consulted_index: shown.consulted_index,
    };
    let mut events = shown.events.into_iter().map(|it| event(family, it));
    if family.has_steps() {
        opened.events = Some(events.collect());
    } else if let Some(sent) = events.next() {
        (opened.row.sender, opened.row.receipt) = (sent.principal, sent.receipt);
    }
    if family.is_two_sided() {
        opened.allowed = Some(shown.allowed.into_iter().map(action).collect());
    }
    Ok(opened)
}

/// Takes a step on a record.
pub(in crate::cli) async fn act(
    family: Family,
    node: &Connection,
    record: RecordId,
    step: &Step,
) -> Result<Answer, Failure> {
    let request = pb::ActOnRecordRequest {
        grounds: node.grounds(),
        family: entry::family_to_wire(family),
        record_id: record.to_string(),
        action: DispatchAction::act_to_wire(family, step.action),
        outcome: step.outcome.map_or(0, entry::outcome_to_wire),
        return_reason: step.reason.map_or(0, entry::return_reason_to_wire),
        note: step.note.clone(),
        referral: step.restated.clone(),
        override_assignment: step.overriding,
    };
    node.patient(async || node.records().act_on_record(request.clone()).await)
        .await
        .map(answer)
}

/// Opens a referral; the grounds are added here.
pub(in crate::cli) async fn open_referral(
    node: &Connection,
    request: &pb::OpenReferralRequest,
) -> Result<Answer, Failure> {
    let request = pb::OpenReferralRequest {
        grounds: node.grounds(),
        ..request.clone()
    };
    node.patient(async || node.records().open_referral(request.clone()).await)
        .await
        .map(answer)
}

/// Approves a draft.
pub(in crate::cli) async fn approve(
    node: &Connection,
    record: RecordId,
) -> Result<Answer, Failure> {
    let request = pb::ApproveRecordRequest {
        grounds: node.grounds(),
        record_id: record.to_string(),
    };
    node.patient(async || node.records().approve_record(request.clone()).await)
        .await
        .map(answer)
}

/// Assigns a record, or opens it again to all officers. Gives the index of the entry.
pub(super) async fn assign(
    node: &Connection,
    record: RecordId,
    assignee: Option<&Assignee>,
) -> Result<u64, Failure> {
    let request = pb::AssignRecordRequest {
        grounds: node.grounds(),
        record_id: record.to_string(),
        assignee: assignee.map_or_else(String::new, Assignee::to_string),
    };
    let assigned = node
        .patient(async || node.records().assign_record(request.clone()).await)
        .await?;
    Ok(assigned.log_index)
}

/// Pushes rows on one stream, which answers with one verdict a row.
pub(super) async fn push(
    node: &Connection,
    rows: ReceiverStream<pb::PushRecordsRequest>,
) -> Result<Streaming<pb::PushRecordsResponse>, Failure> {
    node.call(node.records().push_records(rows)).await
}

/// Follows records from behind an entry of the log, or from now on.
pub(super) async fn watch(
    family: Family,
    node: &Connection,
    after_index: Option<u64>,
) -> Result<Streaming<pb::WatchRecordsResponse>, Failure> {
    let request = pb::WatchRecordsRequest {
        grounds: node.grounds(),
        family: entry::family_to_wire(family),
        after_index,
    };
    node.call(node.records().watch_records(request)).await
}

pub(super) fn row(record: pb::RecordSummary) -> Row {
    let is_lead = record.kind() == pb::RecordKind::Lead;
    Row {
        id: record.record_id,
        log_index: record.log_index,
        time_ms: record.time_ms,
        kind: term(record.kind, entry::kind_from_wire, RecordKind::label),
        origin: record.origin,
        destination: record.destination,
        state: state(record.state),
        outcome: outcome(record.outcome),
        return_reason: reason(record.return_reason),
        refusal: record.refusal,
        number: record.number,
        put_off: record.put_off,
        urgency: term(record.urgency, entry::urgency_from_wire, Urgency::label),
        handling: term(record.handling, entry::handling_from_wire, |it, _| {
            Handling::as_str(it)
        }),
        due_ms: if is_lead {
            record.sign_by_ms
        } else {
            record.due_ms
        },
        obliged: record.obliged,
        assigned_to: record.assigned_to,
        ..Row::default()
    }
}

/// A term of a closed list; nothing where none is stated, or this program does not know it.
fn term<T: Copy>(
    value: i32,
    known: fn(i32) -> Option<T>,
    label: fn(T, Lang) -> &'static str,
) -> Option<Term> {
    known(value).map(|value| Term::of(value, label))
}

/// Where a record stands.
pub(in crate::cli) fn state(value: i32) -> Option<Term> {
    term(value, entry::state_from_wire, State::label)
}

fn outcome(value: i32) -> Option<Term> {
    term(value, entry::outcome_from_wire, AssessmentOutcome::label)
}

fn reason(value: i32) -> Option<Term> {
    term(value, entry::return_reason_from_wire, ReturnReason::label)
}

/// What an action is called. `unknown` where the node is newer.
pub(in crate::cli) fn action(value: i32) -> Term {
    let Some(action) = DispatchAction::from_wire(value) else {
        return Term::UNKNOWN;
    };
    let opens = action.opens().map(RecordKind::opening_zh);
    let zh = opens.unwrap_or_else(|| action.action().label(Lang::Zh));
    Term {
        key: action.as_str(),
        zh,
    }
}

fn event(family: Family, event: pb::RecordEvent) -> Event {
    Event {
        log_index: event.log_index,
        time_ms: event.time_ms,
        action: action(event.action),
        principal: event.principal,
        superseded: event.superseded,
        waiting: event.waiting,
        outcome: (family == Family::Lead).then(|| outcome(event.outcome)),
        return_reason: reason(event.return_reason),
        note: Some(event.note).filter(|note| !note.is_empty()),
        receipt: event.receipt.map(|receipt| Receipt {
            log_index: receipt.log_index,
            partner_origin: receipt.partner_origin,
            partner_index: receipt.partner_index,
            tree_size: receipt.tree_size,
            time_ms: receipt.time_ms,
        }),
    }
}

fn answer(answer: pb::ActionTaken) -> Answer {
    Answer {
        id: answer.record_id,
        state: state(answer.state),
        log_index: answer.log_index,
    }
}

/// What a record says; nothing where that is no record's content.
fn said(content: pb::PayloadContent) -> Option<Vec<Said>> {
    let content = Content::from_wire(content).ok()?;
    if let Content::Referral(referral) = content {
        return Some(referral_said(*referral));
    }
    content.visit_row(Columns)
}

/// What a record says whose fields are the columns of a sheet.
struct Columns;

impl RowVisitor<'_> for Columns {
    type Output = Vec<Said>;

    fn visit<C: SheetRow>(self, fields: &C::Fields) -> Vec<Said> {
        let said = |column: &C| {
            let text = column.text(fields);
            Said {
                key: column.as_str(),
                label: [column.header_zh(), column.as_str()],
                text: lines(text),
                value: text.into(),
            }
        };
        C::ALL.iter().map(said).collect()
    }
}

fn referral_said(referral: ReferralFields) -> Vec<Said> {
    let field = |key, label, text: String, shown: fn(&str) -> String| Said {
        key,
        label,
        text: shown(&text),
        value: text.into(),
    };
    let (case, name, number) = (
        referral.case_number,
        referral.subject_name,
        referral.subject_number,
    );
    vec![
        field("title", ["标题", "title"], referral.title, lines),
        field("matter", ["事项", "matter"], referral.matter, lines),
        field("case_number", ["案件编号", "case"], case, plain),
        field("subject_name", ["人员姓名", "subject's name"], name, plain),
        field(
            "subject_number",
            ["公民身份号码", "subject's number"],
            number,
            plain,
        ),
        field(
            "place_code",
            ["指向地代码", "place"],
            referral.place_code,
            plain,
        ),
        field(
            "substance",
            ["毒品种类", "substance"],
            referral.substance,
            plain,
        ),
        Said {
            key: "lead_ids",
            label: ["所附线索", "leads"],
            text: lines(&referral.lead_ids.join("\n")),
            value: referral.lead_ids.into(),
        },
    ]
}

/// What to know before the next step, in Chinese and in English.
fn advice(record: &pb::RecordSummary) -> Option<[&'static str; 2]> {
    if record.state() == pb::RecordState::Drafted {
        return Some([
            "拟稿尚未发出：须由起草人以外的主管审批（referral approve）",
            "a draft, not sent: a supervisor who did not draft it approves it (referral approve)",
        ]);
    }
    let is_transfer = record.kind() == pb::RecordKind::Transfer;
    (is_transfer && record.state() == pb::RecordState::Disputed).then_some([
        "移送案件有异议，一方不能自行办结（程序规定第22条、第356条）：系统外商定或报请共同的上级公安机关，再由接收方重新反馈，\
         发起方确认、办结",
        "a disputed transfer is ended by neither side alone (程序规定 arts. 22 and 356): agree, or ask the common superior, \
         outside the exchange; then the recipient gives feedback again, and the originator confirms and closes",
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::record::told::Told;

    #[test]
    fn what_a_node_says_of_an_end_stands_behind_the_state() {
        let standing = |summary: &pb::RecordSummary, lang| {
            let (row, family) = (&row(summary.clone()), Family::Referral);
            Told { row, family, lang }.standing()
        };
        let mut summary = pb::RecordSummary {
            state: pb::RecordState::Returned.into(),
            return_reason: pb::ReturnReason::NotCompetent.into(),
            ..pb::RecordSummary::default()
        };
        assert_eq!(standing(&summary, Lang::En), "returned (not_competent)");
        assert_eq!(standing(&summary, Lang::Zh), "已退回（不具管辖权）");
        summary.state = 99;
        summary.return_reason = 0;
        assert_eq!(standing(&summary, Lang::En), "unknown");
    }

    #[test]
    fn every_state_that_is_seen_reads_back() {
        for family in Family::ALL {
            for state in family.states() {
                let read = entry::state_from_wire(entry::state_to_wire(state));
                assert_eq!(read, Some(state));
            }
        }
    }
}
