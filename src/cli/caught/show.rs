//! `caught show`: one notice, opened: what it says, and what proves it.

use super::list::{Row, standing};
use crate::{
    cli::{
        context::{Context, block_on},
        exit::{Exit, Failure},
        labels::{Sent, refused},
        listing::{JsonReceipt, receipt_line},
        print::{self, Format, lines, plain},
    },
    domain::{CaughtColumn, CaughtFields, Lang, RecordId},
    entry::{self, pb},
};
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::Write;

pub(super) fn run(
    notice: RecordId,
    standing_only: bool,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let shown = block_on(async {
        let node = context.connect()?;
        let request = pb::ShowCaughtRequest {
            grounds: node.grounds(),
            caught_id: notice.to_string(),
            standing_only,
        };
        let shown = node
            .patient(async || node.caught().show_caught(request.clone()).await)
            .await?;
        match (shown.summary, shown.notice) {
            (Some(summary), notice) if notice.is_some() || standing_only => Ok(Shown {
                summary,
                fields: notice.map(entry::caught_from_wire),
                principal: shown.principal,
                receipt: shown.receipt,
                consulted_index: shown.consulted_index,
            }),
            _ => Err(node.nonsense("a notice without its content")),
        }
    })?;
    match context.format() {
        Format::Json => print::json(out, &shown.to_json(context.lang()))?,
        Format::Table => shown.print(context.lang(), out)?,
    }
    Ok(Exit::Done)
}

struct Shown {
    summary: pb::CaughtSummary,
    fields: Option<CaughtFields>,
    principal: String,
    receipt: Option<pb::ReceiptSummary>,
    consulted_index: u64,
}

#[derive(Serialize)]
struct JsonNotice<'a> {
    #[serde(flatten)]
    summary: Row<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<Map<String, Value>>,
    principal: &'a str,
    receipt: Option<JsonReceipt<'a>>,
    consulted_index: u64,
}

impl Shown {
    fn to_json(&self, lang: Lang) -> JsonNotice<'_> {
        let says = |fields: &CaughtFields| {
            let field = |column: &CaughtColumn| {
                let text = fields.get(*column).to_owned();
                (column.as_str().to_owned(), Value::String(text))
            };
            CaughtColumn::ALL.iter().map(field).collect()
        };
        JsonNotice {
            summary: Row::of(&self.summary, lang),
            notice: self.fields.as_ref().map(says),
            principal: &self.principal,
            receipt: self.receipt.as_ref().map(JsonReceipt::from),
            consulted_index: self.consulted_index,
        }
    }

    fn print(&self, lang: Lang, out: &mut dyn Write) -> Result<(), Failure> {
        let summary = &self.summary;
        let mut facts = print::unheaded();
        let receipt = receipt_line(self.receipt.as_ref(), lang);
        let above = [
            ("通报标识", "caught id", plain(&summary.caught_id)),
            ("时间", "time", print::time(summary.time_ms)),
            ("来自", "from", plain(&summary.origin)),
            ("发往", "to", plain(&summary.destination)),
            ("状态", "state", standing(summary, lang)),
            ("何人", "by", plain(&self.principal)),
            ("对方回执", "partner's receipt", receipt),
        ];
        let says = CaughtColumn::ALL.iter().map(|column| {
            let text = self.fields.as_ref().map(|it| lines(it.get(*column)));
            let text = text.unwrap_or_default();
            (column.header_zh(), column.as_str(), text)
        });
        for (zh, en, value) in above.into_iter().chain(says) {
            if !value.is_empty() {
                facts.add_row([lang.pick(zh, en), &value]);
            }
        }
        writeln!(out, "{facts}")?;
        if let Some(refused) = refused(&summary.refusal, Sent::Row, lang) {
            writeln!(out, "{refused}")?;
        }
        let logged = self.consulted_index;
        match lang {
            Lang::Zh => writeln!(out, "本次查看已记入日志第 {logged} 条")?,
            Lang::En => writeln!(out, "that you opened it is entry {logged} of the log")?,
        }
        Ok(())
    }
}
