//! `caught push`: a sheet's accepted rows, or one form, and one verdict a row.

use crate::{
    cli::{
        args,
        client::Connection,
        context::{Context, block_on},
        exit::{Exit, Failure},
        labels::refused_before,
        lead::{approved, check_failure, exit_of, foreign, known, sheet_failure},
        lead_check::{Added, Ids, Report, tell},
        partner::partners,
    },
    domain::{CaughtColumn, CaughtFields, CaughtRules, Finding, Lang, ParsedNotice, RecordId},
    entry::{self, pb},
    intake::{self, Sheet, Verdict, check, check_form},
};
use clap::Args;
use std::{
    collections::HashMap,
    io::Write,
    path::{Path, PathBuf},
};

type RowVerdict = intake::RowVerdict<CaughtColumn, ParsedNotice>;

/// A sheet, or one form.
#[derive(Args, Debug)]
pub(super) struct PushArgs {
    /// 表格 / The sheet: an .xlsx workbook, or CSV.
    #[arg(required_unless_present = "form", conflicts_with = "form")]
    file: Option<PathBuf>,
    /// 表单 / One notice, field by field, by key or Chinese header: number=… name=- resident_number=-. A value of - is the
    /// next line of stdin: command lines are public on a machine.
    #[arg(long, value_name = "FIELD=VALUE", num_args = 1..)]
    form: Vec<String>,
}

/// What was given, read before anybody is asked anything.
enum Given {
    Sheet(Sheet<CaughtColumn>),
    Form(Box<CaughtFields>),
}

impl PushArgs {
    fn read(&self, lang: Lang) -> Result<Given, Failure> {
        match &self.file {
            Some(file) => Sheet::of(file)
                .map(Given::Sheet)
                .map_err(|error| sheet_failure(&error, file)),
            None => form(&self.form, lang).map(|fields| Given::Form(Box::new(fields))),
        }
    }
}

fn form(typed: &[String], lang: Lang) -> Result<CaughtFields, Failure> {
    let mut fields = CaughtFields::default();
    for pair in typed {
        // What was typed may be about a person: it is not repeated.
        let unknown = || {
            Failure::new(
                Exit::Usage,
                "应写成 字段=值，字段用表头或键名，例如 number=… name=-",
                "write field=value, with a field's key or Chinese header, such as number=… name=-",
            )
            .at("--form")
        };
        let (name, value) = pair.split_once('=').ok_or_else(unknown)?;
        let column: CaughtColumn = intake::column_named(name).ok_or_else(unknown)?;
        let personal = matches!(column, CaughtColumn::Name | CaughtColumn::ResidentNumber);
        let text = if value == "-" || personal {
            args::line(column.as_str(), value, lang)?
        } else {
            value.to_owned()
        };
        *fields.get_mut(column) = text;
    }
    Ok(fields)
}

pub(super) fn run(
    args: &PushArgs,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    // Before stdin is waited for.
    context.grounds()?;
    let given = args.read(context.lang())?;
    block_on(async {
        let node = context.connect()?;
        let partners = approved(&partners(&node).await?);
        let rules = CaughtRules {
            own: node.node(),
            partners: &partners,
            today: context.clock().now().shanghai_date(),
        };
        let (rows, sheets) = match given {
            Given::Sheet(sheet) => {
                tell(sheet.notes(), context.lang());
                let sheets = sheet.tables().len();
                (check(sheet, &rules).collect(), sheets)
            }
            Given::Form(fields) => (vec![check_form(*fields, &rules)], 1),
        };
        let mut report =
            Report::new(context.format(), context.lang(), Ids::Caught, out).naming_sheets(sheets);
        let pushed = push(&node, rows, &mut report, context.lang()).await;
        // The verdicts that came are the officer's, whatever became of the rest.
        let summary = report
            .finish()
            .map_err(|error| check_failure(error, Path::new("stdout")))?;
        pushed.map_err(|failure| {
            failure.hint(
                "已有结果的行已入日志；重新发送即可，不会重复",
                "rows with a verdict are in the node's log; push again, nothing is sent twice",
            )
        })?;
        Ok(exit_of(&summary))
    })
}

/// Sends the accepted rows and reports all, in the sheet's order.
async fn push(
    node: &Connection,
    rows: Vec<RowVerdict>,
    report: &mut Report<'_>,
    lang: Lang,
) -> Result<(), Failure> {
    let mut grounds = node.grounds();
    let requests: Vec<_> = rows
        .iter()
        .filter_map(|row| {
            let parsed = row.parsed.as_ref()?;
            Some(pb::PushCaughtRequest {
                grounds: grounds.take(),
                row: row.place.nth.into(),
                notice: Some(entry::caught_to_wire(&parsed.notice.to_fields())),
            })
        })
        .collect();
    let mut verdicts = if requests.is_empty() {
        None
    } else {
        let mut client = node.caught();
        let answering = client.push_caught(tokio_stream::iter(requests));
        Some(node.call(answering).await?)
    };
    let mut ids: HashMap<u32, String> = HashMap::new();
    for mut row in rows {
        let first = row
            .first
            .as_ref()
            .filter(|_| row.verdict == Verdict::Duplicate);
        let mut added = Added {
            lead_id: first.and_then(|first| ids.get(&first.nth).cloned()),
            reasons: Vec::new(),
        };
        if row.parsed.is_some()
            && let Some(verdicts) = &mut verdicts
        {
            let answer = node.next(verdicts).await?;
            let answer = answer
                .filter(|answer| answer.row == u64::from(row.place.nth))
                .ok_or_else(|| node.nonsense("verdicts that are not of the rows sent"))?;
            added = there(&mut row, answer, lang)
                .ok_or_else(|| node.nonsense("a verdict that is none"))?;
            if let Some(id) = &added.lead_id {
                ids.insert(row.place.nth, id.clone());
            }
        }
        report
            .row(&row, added)
            .map_err(|error| check_failure(error, Path::new("stdout")))?;
    }
    Ok(())
}

/// Takes over what the node decided; nothing where its answer means nothing.
fn there(row: &mut RowVerdict, answer: pb::PushCaughtResponse, lang: Lang) -> Option<Added> {
    row.verdict = match pb::Verdict::try_from(answer.verdict) {
        Ok(pb::Verdict::Accept) => Verdict::Accept,
        Ok(pb::Verdict::Duplicate) => Verdict::Duplicate,
        Ok(pb::Verdict::Reject) => Verdict::Reject,
        Ok(pb::Verdict::Unspecified) | Err(_) => return None,
    };
    let id = answer.caught_id.parse::<RecordId>().ok();
    if id.is_none() && row.verdict != Verdict::Reject {
        return None;
    }
    let mut reasons = Vec::from_iter(refused_before(&answer.refusal, lang));
    for reason in &answer.reasons {
        match known(reason) {
            Some(finding) if row.findings.contains(&finding) => {}
            Some(finding) => row.findings.push(finding),
            None => reasons.push(foreign(reason)),
        }
    }
    Finding::sort(&mut row.findings);
    Some(Added {
        lead_id: id.map(|id| id.to_string()),
        reasons,
    })
}
