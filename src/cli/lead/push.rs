//! `lead push FILE`: a sheet's accepted rows on one stream, and one verdict a row.

use super::{
    check_failure, exit_of,
    outputs::{Outputs, RejectedArgs},
    receipt::Acknowledged,
    sheet_failure,
};
use crate::{
    cli::{
        client::Connection,
        context::{Context, block_on},
        exit::{Exit, Failure},
        labels::refused_before,
        lead_check::{Added, Ids, Report, tell},
        partner::partners,
        print::{self, plain},
    },
    domain::{Finding, FindingCode, Jurisdiction, Lang, LeadRules, RecordId, SheetColumn},
    entry::{self, pb},
    intake::{JsonReason, RowVerdict, Sheet, Verdict, check},
};
use jiff::civil::Date;
use std::{
    collections::{BTreeSet, HashMap},
    io::Write,
    path::Path,
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

/// Rows that may be under way: checked and not sent, or sent and without a verdict.
const WINDOW: usize = 256;

pub(super) fn run(
    file: &Path,
    rejected: &RejectedArgs,
    receipt: Option<&Path>,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    // Whoever has mistyped a file, or a purpose, hears of it before anybody is asked anything.
    let mut outputs = Outputs::begin(file, rejected, receipt, context)?;
    let sheet = Sheet::open(file).map_err(|error| sheet_failure(&error, file))?;
    if let Some(receipt) = &outputs.receipt {
        receipt.unchanged(file)?;
    }
    tell(sheet.notes(), context.lang());
    block_on(async {
        let node = context.connect()?;
        let partners = approved(&partners(&node).await?);
        let mut report = Report::new(context.format(), context.lang(), Ids::Leads, out)
            .naming_sheets(sheet.tables().len());
        let length = u64::try_from(sheet.len()).unwrap_or(u64::MAX);
        let today = context.clock().now().shanghai_date();
        let (rows, checking) = checked(sheet, node.node(), partners.clone(), today);
        let pushed = push(&node, rows, length, &mut report, &mut outputs, context).await;
        if let Err(failed) = checking.await
            && let Ok(panic) = failed.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
        // The verdicts that came are the officer's, whatever became of the rest.
        let summary = report
            .finish()
            .map_err(|error| check_failure(error, file))?;
        let broken_off = pushed.as_ref().err();
        let rules = LeadRules {
            own: node.node(),
            partners: &partners,
            today,
        };
        let kept = outputs.keep(&node, file, &rules, broken_off, context).await;
        pushed.map_err(|failure| {
            failure.hint(
                "已有结果的行已入日志；重新发送同一表格即可，不会重复",
                "rows with a verdict are in the node's log; push the same sheet again, nothing is sent twice",
            )
        })?;
        kept.map_err(|failure| {
            failure.hint(
                "发送已完成；再推一次同一表格即可重新写出，不会重复发送",
                "all was pushed; push the same sheet again to have it written, nothing is sent twice",
            )
        })?;
        Ok(exit_of(&summary))
    })
}

/// Reads and checks the rows on a thread of their own, as they are taken.
fn checked(
    sheet: Sheet,
    own: Jurisdiction,
    partners: BTreeSet<Jurisdiction>,
    today: Date,
) -> (mpsc::Receiver<RowVerdict>, JoinHandle<()>) {
    let (verdicts, rows) = mpsc::channel(WINDOW);
    let checking = tokio::task::spawn_blocking(move || {
        let rules = LeadRules {
            own,
            partners: &partners,
            today,
        };
        for verdict in check(sheet, &rules) {
            // Nobody takes them any more: the push has failed, and says so.
            if verdicts.blocking_send(verdict).is_err() {
                return;
            }
        }
    });
    (rows, checking)
}

pub(in crate::cli) fn approved(partners: &[pb::PartnerSummary]) -> BTreeSet<Jurisdiction> {
    let approved = partners.iter().filter(|partner| partner.approved);
    approved
        .filter_map(|partner| partner.jurisdiction.parse().ok())
        .collect()
}

/// Sends the accepted rows and reports all, in the sheet's order. At most [`WINDOW`] rows are under way, however long the
/// sheet is.
async fn push(
    node: &Connection,
    rows: mpsc::Receiver<RowVerdict>,
    length: u64,
    report: &mut Report<'_>,
    outputs: &mut Outputs,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let bar = print::progress(length, context.lang(), "发送", "pushing");
    let told = Told {
        lang: context.lang(),
        report,
        outputs,
        lead_ids: HashMap::new(),
        bar: &bar,
    };
    let (requests, queued) = mpsc::channel(WINDOW);
    let (under_way, sent) = mpsc::channel(WINDOW);
    // Sending ends with the stream, whose end the other half reports.
    let (answered, ()) = tokio::join!(
        answers(node, sent, ReceiverStream::new(queued), told),
        send(node.grounds(), rows, requests, under_way)
    );
    bar.finish_and_clear();
    answered
}

/// A row on its way to the report; with the node's verdict, or decided here.
enum UnderWay {
    /// With the node that it goes to.
    Sent(RowVerdict, Jurisdiction),
    Here(RowVerdict),
}

/// Reports each row when its turn has come and its verdict is there.
async fn answers(
    node: &Connection,
    mut sent: mpsc::Receiver<UnderWay>,
    requests: ReceiverStream<pb::PushLeadsRequest>,
    mut told: Told<'_, '_>,
) -> Result<(), Failure> {
    let mut desk = node.desk();
    let mut requests = Some(requests);
    let mut verdicts = None;
    while let Some(row) = sent.recv().await {
        let (row, route) = match row {
            UnderWay::Here(row) => {
                told.here(&row)?;
                continue;
            }
            UnderWay::Sent(row, route) => (row, route),
        };
        // A sheet without a lead to send calls nobody.
        if let Some(requests) = requests.take() {
            verdicts = Some(node.call(desk.push_leads(requests)).await?);
        }
        let stream = verdicts
            .as_mut()
            .ok_or_else(|| node.nonsense("fewer verdicts than leads"))?;
        let verdict = next(node, stream, &row).await?;
        told.there(row, route, verdict)
            .map_err(|what| what.unwrap_or_else(|| node.nonsense("a verdict that is none")))?;
    }
    Ok(())
}

async fn send(
    mut grounds: Option<pb::Grounds>,
    mut rows: mpsc::Receiver<RowVerdict>,
    requests: mpsc::Sender<pb::PushLeadsRequest>,
    under_way: mpsc::Sender<UnderWay>,
) {
    while let Some(mut row) = rows.recv().await {
        // Room for a row is given back when it has been reported.
        let Ok(room) = under_way.reserve().await else {
            return;
        };
        let Some(parsed) = row.parsed.take() else {
            room.send(UnderWay::Here(row));
            continue;
        };
        let request = pb::PushLeadsRequest {
            grounds: grounds.take(),
            row: row.place.nth.into(),
            lead: Some(entry::lead_to_wire(&parsed.lead.to_fields())),
        };
        let is_taken = requests.send(request).await.is_ok();
        // Also where the stream has ended: whoever waits for this row's verdict then finds out why.
        room.send(UnderWay::Sent(row, parsed.route));
        if !is_taken {
            return;
        }
    }
}

async fn next(
    node: &Connection,
    verdicts: &mut Streaming<pb::PushLeadsResponse>,
    row: &RowVerdict,
) -> Result<pb::PushLeadsResponse, Failure> {
    match node.next(verdicts).await? {
        Some(verdict) if verdict.row == u64::from(row.place.nth) => Ok(verdict),
        Some(_) => Err(node.nonsense("verdicts out of order")),
        None => Err(node.nonsense("fewer verdicts than leads")),
    }
}

/// Brings the verdicts of both sides together.
struct Told<'a, 'out> {
    lang: Lang,
    report: &'a mut Report<'out>,
    outputs: &'a mut Outputs,
    /// By the row's number in the file, for the rows further down that repeat it.
    lead_ids: HashMap<u32, RecordId>,
    bar: &'a indicatif::ProgressBar,
}

impl Told<'_, '_> {
    /// A row that was decided here.
    fn here(&mut self, row: &RowVerdict) -> Result<(), Failure> {
        let first = row
            .first
            .as_ref()
            .filter(|_| row.verdict == Verdict::Duplicate);
        let added = Added {
            lead_id: first
                .and_then(|first| self.lead_ids.get(&first.nth))
                .map(ToString::to_string),
            reasons: Vec::new(),
        };
        self.row(row, added, None)
    }

    /// A row that the node decided; no failure where its answer means nothing.
    fn there(
        &mut self,
        mut row: RowVerdict,
        route: Jurisdiction,
        answer: pb::PushLeadsResponse,
    ) -> Result<(), Option<Failure>> {
        let verdict = match pb::Verdict::try_from(answer.verdict) {
            Ok(pb::Verdict::Accept) => Verdict::Accept,
            Ok(pb::Verdict::Duplicate) => Verdict::Duplicate,
            Ok(pb::Verdict::Reject) => Verdict::Reject,
            Ok(pb::Verdict::Unspecified) | Err(_) => return Err(None),
        };
        let lead_id = answer.lead_id.parse::<RecordId>().ok();
        if lead_id.is_none() && verdict != Verdict::Reject {
            return Err(None);
        }
        if let Some(id) = lead_id {
            self.lead_ids.insert(row.place.nth, id);
        }
        row.verdict = verdict;
        let mut reasons = Vec::from_iter(refused_before(&answer.refusal, self.lang));
        for reason in answer.reasons {
            match known(&reason) {
                Some(finding) if row.findings.contains(&finding) => {}
                Some(finding) => row.findings.push(finding),
                None => reasons.push(foreign(&reason)),
            }
        }
        Finding::sort(&mut row.findings);
        // Only what was taken has an entry.
        let acknowledged = lead_id.is_some().then(|| Acknowledged {
            log_index: answer.log_index,
            destination: route.to_string(),
        });
        let lead_id = lead_id.map(|id| id.to_string());
        let added = Added { lead_id, reasons };
        self.row(&row, added, acknowledged.as_ref()).map_err(Some)
    }

    fn row(
        &mut self,
        row: &RowVerdict,
        added: Added,
        acknowledged: Option<&Acknowledged>,
    ) -> Result<(), Failure> {
        self.bar.inc(1);
        self.outputs.row(row, &added, acknowledged)?;
        // The name of the file helps nobody here: only output fails.
        self.report
            .row(row, added)
            .map_err(|error| check_failure(error, Path::new("stdout")))
    }
}

/// A reason that this program can say in both languages.
pub(in crate::cli) fn known<C: SheetColumn>(reason: &pb::Reason) -> Option<Finding<C>> {
    let code = FindingCode::ALL
        .iter()
        .find(|code| code.as_str() == reason.code)?;
    if reason.column.is_empty() {
        return Some(Finding::on_row(*code));
    }
    let column = C::ALL
        .iter()
        .find(|column| column.as_str() == reason.column)?;
    Some(Finding::new(*column, *code))
}

pub(in crate::cli) fn foreign(reason: &pb::Reason) -> JsonReason {
    JsonReason {
        column: Some(plain(&reason.column)).filter(|column| !column.is_empty()),
        code: plain(&reason.code),
        message: plain(&reason.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::print::Format,
        domain::Column,
        intake::{JsonRow, Place, RawCells},
    };
    use std::sync::Arc;

    const ID: &str = "0198c6de-7f3a-7cc0-b0f3-0123456789ab";

    fn to() -> Jurisdiction {
        "440000".parse().unwrap()
    }

    fn place(row: u32) -> Place {
        Place {
            table: Arc::default(),
            row,
            nth: row,
        }
    }

    fn row(row: u32, verdict: Verdict, first_row: Option<u32>) -> RowVerdict {
        RowVerdict {
            place: place(row),
            verdict,
            findings: Vec::new(),
            parsed: None,
            first: first_row.map(place),
            cells: RawCells::default(),
        }
    }

    fn reason(column: &str, code: &str) -> pb::Reason {
        pb::Reason {
            column: column.into(),
            code: code.into(),
            message: "said\u{1b}".into(),
        }
    }

    fn answer(
        verdict: pb::Verdict,
        lead_id: &str,
        reasons: Vec<pb::Reason>,
    ) -> pb::PushLeadsResponse {
        pb::PushLeadsResponse {
            row: 2,
            verdict: verdict as i32,
            reasons,
            lead_id: lead_id.into(),
            log_index: 7,
            refusal: String::new(),
        }
    }

    fn told(tell: impl FnOnce(&mut Told<'_, '_>)) -> Vec<JsonRow> {
        let mut out = Vec::new();
        let mut report = Report::new(Format::Json, Lang::En, Ids::Leads, &mut out);
        let bar = indicatif::ProgressBar::hidden();
        tell(&mut Told {
            lang: Lang::En,
            report: &mut report,
            outputs: &mut Outputs::default(),
            lead_ids: HashMap::new(),
            bar: &bar,
        });
        report.finish().unwrap();
        let lines = String::from_utf8(out).unwrap();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn both_sides_reasons_come_together_and_repeats_share_an_id() {
        let rows = told(|told| {
            let reasons = vec![
                reason("registered_code", "unknown_division"),
                reason("", "of_the_future"),
            ];
            let mut first = row(2, Verdict::Accept, None);
            first.findings = vec![Finding::new(Column::Phone, FindingCode::Normalised)];
            told.there(first, to(), answer(pb::Verdict::Accept, ID, reasons))
                .unwrap();
            told.here(&row(3, Verdict::Duplicate, Some(2))).unwrap();
            told.here(&row(4, Verdict::Reject, Some(2))).unwrap();
        });
        let codes: Vec<_> = rows[0].reasons.iter().map(|r| r.code.as_str()).collect();
        assert_eq!(codes, ["normalised", "unknown_division", "of_the_future"]);
        assert_eq!(rows[0].reasons[2].message, r"said\u{1b}");
        let ids: Vec<_> = rows.iter().map(|row| row.lead_id.as_deref()).collect();
        assert_eq!(ids, [Some(ID), Some(ID), None]);
    }

    #[test]
    fn regression_a_duplicate_of_what_the_partner_refused_says_why_and_what_next() {
        let rows = told(|told| {
            let refused = pb::PushLeadsResponse {
                refusal: "invalid_content".to_owned(),
                ..answer(pb::Verdict::Duplicate, ID, vec![])
            };
            told.there(row(2, Verdict::Accept, None), to(), refused)
                .unwrap();
        });
        assert_eq!(rows[0].verdict, "duplicate");
        let reason = &rows[0].reasons[0];
        assert_eq!(reason.code, "refused_by_partner");
        let said = "duplicate, refused by the partner: content against the rules; next: ";
        assert!(reason.message.starts_with(said), "{}", reason.message);
    }

    #[test]
    fn the_node_has_the_last_word() {
        let rows = told(|told| {
            let changed = vec![reason("number", "changed_content")];
            let accepted = row(2, Verdict::Accept, None);
            told.there(
                accepted.clone(),
                to(),
                answer(pb::Verdict::Reject, "", changed),
            )
            .unwrap();
            assert!(
                told.there(
                    accepted.clone(),
                    to(),
                    answer(pb::Verdict::Accept, "", vec![])
                )
                .is_err(),
                "an accepted lead has an id"
            );
            assert!(
                told.there(accepted, to(), answer(pb::Verdict::Unspecified, ID, vec![]))
                    .is_err()
            );
        });
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].verdict, "reject");
        assert_eq!(rows[0].reasons[0].code, "changed_content");
    }
}
