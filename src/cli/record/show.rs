//! One record, opened: what it says, what happened, what proves it, and what may be done now.

use super::{
    client,
    row::{Event, Opened, Said, Term},
    told::{Told, receipt_line},
};
use crate::{
    cli::{
        args::LookArgs,
        context::{Context, block_on},
        exit::{Exit, Failure},
        print::{self, Format, lines, plain, rfc3339},
    },
    domain::{Family, Lang, RecordId},
};
use comfy_table::Table;
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use std::io::Write;

/// Opens a record, which the node logs, and prints it.
pub(in crate::cli) fn run(
    family: Family,
    record: RecordId,
    look: LookArgs,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let opened = block_on(async {
        let node = context.connect()?;
        client::show(family, &node, record, look).await
    })?;
    let shown = Shown {
        opened: &opened,
        told: Told {
            row: &opened.row,
            family,
            lang: context.lang(),
        },
    };
    match context.format() {
        Format::Json => print::json(context.out, &shown)?,
        Format::Table => shown.print(context.out)?,
    }
    Ok(Exit::Done)
}

struct Shown<'a> {
    opened: &'a Opened,
    told: Told<'a>,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (row, opened, family) = (self.told.row, self.opened, self.told.family);
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.told.entries() {
            map.serialize_entry(key, &value)?;
        }
        if let Some(content) = &opened.content {
            map.serialize_entry(family.one(), &Content(family, content))?;
        }
        match &opened.events {
            Some(events) => map.serialize_entry("events", events)?,
            None => {
                map.serialize_entry("principal", &row.sender)?;
                map.serialize_entry("receipt", &row.receipt)?;
            }
        }
        if let Some(allowed) = &opened.allowed {
            map.serialize_entry("allowed", allowed)?;
            map.serialize_entry("notice_due", &rfc3339(row.notice_due_ms))?;
        }
        map.serialize_entry("consulted_index", &opened.consulted_index)?;
        map.end()
    }
}

/// What a record says: of a referral in the order of the table, else by key.
struct Content<'a>(Family, &'a [Said]);

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut said: Vec<_> = self.1.iter().map(|said| (said.key, &said.value)).collect();
        if self.0 != Family::Referral {
            said.sort_unstable_by_key(|(key, _)| *key);
        }
        serializer.collect_map(said)
    }
}

impl Shown<'_> {
    fn print(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let (opened, lang) = (self.opened, self.told.lang);
        writeln!(out, "{}", self.facts())?;
        if let Some(refused) = self.told.refused() {
            writeln!(out, "{refused}")?;
        }
        if let Some(events) = &opened.events {
            writeln!(out, "{}", table(events, lang))?;
        }
        if let Some([zh, en]) = opened.advice {
            writeln!(out, "{}", lang.pick(zh, en))?;
        }
        if let Some(allowed) = &opened.allowed {
            let steps: Vec<_> = allowed.iter().map(|step| command(*step, lang)).collect();
            let steps = match steps.join(lang.pick("、", ", ")) {
                none if none.is_empty() => lang.pick("无", "nothing").to_owned(),
                steps => steps,
            };
            let may = lang.pick("本方现在可办：", "this side may now: ");
            writeln!(out, "{may}{steps}")?;
        }
        let logged = opened.consulted_index;
        match lang {
            Lang::Zh => writeln!(out, "本次查看已记入日志第 {logged} 条")?,
            Lang::En => {
                let did = match opened.content {
                    Some(_) => "opened it",
                    None => "looked where it stands",
                };
                writeln!(out, "that you {did} is entry {logged} of the log")?;
            }
        }
        Ok(())
    }

    fn facts(&self) -> Table {
        let (told, lang) = (&self.told, self.told.lang);
        let id = (told.family.id_label(lang), plain(&told.row.id));
        let above = told.family.opened().iter();
        let above = above.map(|([zh, en], text)| (lang.pick(zh, en), text(told)));
        let said = self.opened.content.iter().flatten();
        let said = said.map(|said| (lang.pick(said.label[0], said.label[1]), said.text.clone()));
        let mut facts = print::unheaded();
        for (label, text) in std::iter::once(id).chain(above).chain(said) {
            if !text.is_empty() {
                facts.add_row([label, &text]);
            }
        }
        facts
    }
}

fn table(events: &[Event], lang: Lang) -> Table {
    let mut table = print::table(
        lang,
        ["条目", "时间", "动作", "何人", "说明", "对方回执"],
        ["entry", "time", "action", "by", "says", "partner's receipt"],
    );
    for event in events {
        let ended = [event.outcome.flatten(), event.return_reason].into_iter();
        let ended = ended.flatten().map(|term| term.label(lang));
        let words: Vec<_> = ended.chain(event.note.as_deref()).collect();
        let counts = match (event.superseded, event.waiting) {
            (true, _) => lang.pick("（已被取代）", " (superseded)"),
            (false, true) => lang.pick("（等待前序）", " (waits for what it follows)"),
            (false, false) => "",
        };
        table.add_row([
            event.log_index.to_string(),
            print::time(event.time_ms),
            format!("{}{counts}", event.action.label(lang)),
            plain(&event.principal),
            lines(&words.join(lang.pick("；", "; "))),
            receipt_line(event.receipt.as_ref(), lang),
        ]);
    }
    table
}

/// A step by its command: `签收 sign`.
fn command(step: Term, lang: Lang) -> String {
    let command = match step.key {
        "referral_request_supplement" => "supplement",
        key => key.strip_prefix("referral_").unwrap_or(key),
    };
    match lang {
        Lang::Zh => format!("{} {command}", step.zh),
        Lang::En => command.to_owned(),
    }
}
