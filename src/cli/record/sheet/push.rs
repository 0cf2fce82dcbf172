//! The push of a sheet: its accepted rows on one stream, and one verdict a row.

use super::{
    outputs::Outputs,
    receipt::Acknowledged,
    report::{Added, Report},
    submission::{Checked, Judged, Rules, Source},
};
use crate::{
    api::labels::{Sent, refused},
    cli::{
        client::Connection,
        context::{Context, block_on},
        exit::{Exit, Failure},
        partner::partners,
        print::{self, plain},
        record::{client, family::family_of},
    },
    domain::{Finding, FindingCode, Jurisdiction, Lang, RecordId, SheetColumn},
    entry::{Content, SheetRow, pb},
    intake::{JsonReason, Verdict},
};
use std::collections::{BTreeSet, HashMap};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::ReceiverStream;

/// Rows that may be under way: checked and not sent, or sent and without a verdict.
const WINDOW: usize = 256;

/// Sends what is accepted of a sheet or a form, and reports all rows. The same again changes nothing.
pub(in crate::cli) fn run<C: SheetRow>(
    source: Source<C>,
    mut outputs: Outputs<C>,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let lang = context.lang();
    source.tell(lang);
    block_on(async {
        let node = context.connect()?;
        let rules = Rules {
            own: node.node(),
            partners: approved(&partners(&node).await?),
            today: context.clock().now().shanghai_date(),
        };
        let (family, worksheets) = (Some(family_of::<C>()), source.worksheets());
        let mut report = Report::new(family, worksheets, context.format(), lang, context.out);
        let length = u64::try_from(source.rows()).unwrap_or(u64::MAX);
        let bar = print::progress(length, lang, "发送", "pushing");
        let (rows, checking) = checked(source, rules.clone());
        let told = Told {
            lang,
            report: &mut report,
            outputs: &mut outputs,
            ids: HashMap::new(),
            bar: &bar,
        };
        let pushed = push(&node, rows, told).await;
        bar.finish_and_clear();
        if let Err(failed) = checking.await
            && let Ok(panic) = failed.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
        // The verdicts that came are the officer's, whatever became of the rest.
        let summary = report.finish()?;
        let broken_off = pushed.as_ref().err();
        let kept = outputs.keep(&node, &rules, broken_off, context).await;
        let [zh, en] = family_of::<C>().again();
        pushed.map_err(|failure| {
            failure.hint(
                &format!("已有结果的行已入日志；{zh}，不会重复"),
                &format!("rows with a verdict are in the node's log; {en}, nothing is sent twice"),
            )
        })?;
        kept.map_err(|failure| {
            failure.hint(
                "发送已完成；再推一次同一表格即可重新写出，不会重复发送",
                "all was pushed; push the same sheet again to have it written, nothing is sent twice",
            )
        })?;
        Ok(summary.exit())
    })
}

/// Reads and checks the rows on a thread of their own, as they are taken.
fn checked<C: SheetRow>(
    source: Source<C>,
    rules: Rules,
) -> (mpsc::Receiver<Checked<C>>, JoinHandle<()>) {
    let (verdicts, rows) = mpsc::channel(WINDOW);
    let checking = tokio::task::spawn_blocking(move || {
        // Where nobody takes them any more, the push has failed, and says so.
        source.check(&rules, &mut |row| verdicts.blocking_send(row).is_ok());
    });
    (rows, checking)
}

fn approved(partners: &[pb::PartnerSummary]) -> BTreeSet<Jurisdiction> {
    let approved = partners.iter().filter(|partner| partner.approved);
    approved
        .filter_map(|partner| partner.jurisdiction.parse().ok())
        .collect()
}

/// Sends the accepted rows and reports all, in the sheet's order. At most [`WINDOW`] rows are under way, however long the
/// sheet is.
async fn push<C: SheetRow>(
    node: &Connection,
    rows: mpsc::Receiver<Checked<C>>,
    told: Told<'_, '_, C>,
) -> Result<(), Failure> {
    let (requests, queued) = mpsc::channel(WINDOW);
    let (under_way, sent) = mpsc::channel(WINDOW);
    // Sending ends with the stream, whose end the other half reports.
    let (answered, ()) = tokio::join!(
        answers(node, sent, ReceiverStream::new(queued), told),
        send(node.grounds(), rows, requests, under_way)
    );
    answered
}

/// A row on its way to the report; with the node's verdict, or decided here.
enum UnderWay<C: SheetRow> {
    /// With the node that it goes to.
    Sent(Checked<C>, Jurisdiction),
    Here(Checked<C>),
}

/// Reports each row when its turn has come and its verdict is there.
async fn answers<C: SheetRow>(
    node: &Connection,
    mut sent: mpsc::Receiver<UnderWay<C>>,
    requests: ReceiverStream<pb::PushRecordsRequest>,
    mut told: Told<'_, '_, C>,
) -> Result<(), Failure> {
    let fewer = || node.nonsense(&format!("fewer verdicts than {}", family_of::<C>().many()));
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
        // A sheet without a row to send calls nobody.
        if let Some(requests) = requests.take() {
            verdicts = Some(client::push(node, requests).await?);
        }
        let stream = verdicts.as_mut().ok_or_else(fewer)?;
        let verdict = node.next(stream).await?.ok_or_else(fewer)?;
        let verdict = Judged::of(verdict).ok_or_else(|| node.nonsense("a verdict that is none"))?;
        if verdict.row != u64::from(row.place.nth) {
            return Err(node.nonsense("verdicts out of order"));
        }
        told.there(row, route, verdict)?;
    }
    Ok(())
}

async fn send<C: SheetRow>(
    mut grounds: Option<pb::Grounds>,
    mut rows: mpsc::Receiver<Checked<C>>,
    requests: mpsc::Sender<pb::PushRecordsRequest>,
    under_way: mpsc::Sender<UnderWay<C>>,
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
        let request = pb::PushRecordsRequest {
            grounds: grounds.take(),
            row: row.place.nth.into(),
            content: Some(Content::to_wire(&parsed.record.to_fields().into())),
        };
        let is_taken = requests.send(request).await.is_ok();
        // Also where the stream has ended: whoever waits for this row's verdict then finds out why.
        room.send(UnderWay::Sent(row, parsed.route));
        if !is_taken {
            return;
        }
    }
}

/// Brings the verdicts of both sides together.
struct Told<'a, 'out, C> {
    lang: Lang,
    report: &'a mut Report<'out>,
    outputs: &'a mut Outputs<C>,
    /// By the row's number in the file, for the rows further down that repeat it.
    ids: HashMap<u32, RecordId>,
    bar: &'a indicatif::ProgressBar,
}

impl<C: SheetRow> Told<'_, '_, C> {
    /// A row that was decided here.
    fn here(&mut self, row: &Checked<C>) -> Result<(), Failure> {
        let first = row
            .first
            .as_ref()
            .filter(|_| row.verdict == Verdict::Duplicate);
        let added = Added {
            id: first
                .and_then(|first| self.ids.get(&first.nth))
                .map(ToString::to_string),
            reasons: Vec::new(),
        };
        self.row(row, added, None)
    }

    /// A row that the node decided.
    fn there(
        &mut self,
        mut row: Checked<C>,
        route: Jurisdiction,
        judged: Judged,
    ) -> Result<(), Failure> {
        if let Some(id) = judged.id {
            self.ids.insert(row.place.nth, id);
        }
        row.verdict = judged.verdict;
        let mut reasons = Vec::from_iter(refused_before(&judged.refusal, self.lang));
        for reason in judged.reasons {
            match known(&reason) {
                Some(finding) if row.findings.contains(&finding) => {}
                Some(finding) => row.findings.push(finding),
                None => reasons.push(foreign(&reason)),
            }
        }
        Finding::sort(&mut row.findings);
        // Only what was taken has an entry.
        let acknowledged = judged.id.map(|_| Acknowledged {
            log_index: judged.log_index,
            destination: route.to_string(),
        });
        let id = judged.id.map(|id| id.to_string());
        self.row(&row, Added { id, reasons }, acknowledged.as_ref())
    }

    fn row(
        &mut self,
        row: &Checked<C>,
        added: Added,
        acknowledged: Option<&Acknowledged>,
    ) -> Result<(), Failure> {
        self.bar.inc(1);
        self.outputs.row(row, &added, acknowledged)?;
        self.report.row(row, added)
    }
}

/// A duplicate of what the partner refused: a reason of its verdict.
fn refused_before(word: &str, lang: Lang) -> Option<JsonReason> {
    let said = refused(word, Sent::Row, lang)?;
    Some(JsonReason {
        column: None,
        code: "refused_by_partner".to_owned(),
        message: format!("{}{said}", lang.pick("重复，", "duplicate, ")),
    })
}

/// A reason that this program can say in both languages.
fn known<C: SheetColumn>(reason: &pb::Reason) -> Option<Finding<C>> {
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

fn foreign(reason: &pb::Reason) -> JsonReason {
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
        domain::{Column, Family},
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

    fn row(row: u32, verdict: Verdict, first_row: Option<u32>) -> Checked<Column> {
        Checked::<Column> {
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
        record_id: &str,
        reasons: Vec<pb::Reason>,
    ) -> pb::PushRecordsResponse {
        pb::PushRecordsResponse {
            row: 2,
            verdict: verdict as i32,
            reasons,
            record_id: record_id.into(),
            log_index: 7,
            refusal: String::new(),
        }
    }

    fn judged(answer: pb::PushRecordsResponse) -> Judged {
        Judged::of(answer).unwrap()
    }

    fn told(tell: impl FnOnce(&mut Told<'_, '_, Column>)) -> Vec<JsonRow> {
        let mut out = Vec::new();
        let mut report = Report::new(Some(Family::Lead), 1, Format::Json, Lang::En, &mut out);
        let bar = indicatif::ProgressBar::hidden();
        tell(&mut Told {
            lang: Lang::En,
            report: &mut report,
            outputs: &mut Outputs::none(),
            ids: HashMap::new(),
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
            let accepted = judged(answer(pb::Verdict::Accept, ID, reasons));
            told.there(first, to(), accepted).unwrap();
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
            let refused = pb::PushRecordsResponse {
                refusal: "invalid_content".to_owned(),
                ..answer(pb::Verdict::Duplicate, ID, vec![])
            };
            told.there(row(2, Verdict::Accept, None), to(), judged(refused))
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
            let rejected = judged(answer(pb::Verdict::Reject, "", changed));
            told.there(accepted, to(), rejected).unwrap();
            let without_id = answer(pb::Verdict::Accept, "", vec![]);
            assert!(
                Judged::of(without_id).is_none(),
                "an accepted lead has an id"
            );
            let none = answer(pb::Verdict::Unspecified, ID, vec![]);
            assert!(Judged::of(none).is_none());
        });
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].verdict, "reject");
        assert_eq!(rows[0].reasons[0].code, "changed_content");
    }
}
