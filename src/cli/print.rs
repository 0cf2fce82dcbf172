//! What commands print: tables for people, JSON lines for programs.

use super::exit::Failure;
pub(super) use crate::domain::redacted;
pub(super) use crate::domain::{printable as plain, printable_lines as lines};
use crate::{
    domain::{Lang, Timestamp},
    telemetry::stderr,
};
use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::Write;

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// 表格 / For people.
    Table,
    /// 每行一个 JSON / One JSON object a line, nothing else.
    Json,
}

/// One JSON object on one line.
pub(super) fn json(out: &mut dyn Write, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, value)?;
    Ok(writeln!(out)?)
}

/// A table with a header in one of two languages.
pub(super) fn table<const N: usize>(lang: Lang, zh: [&str; N], en: [&str; N]) -> Table {
    let mut table = unheaded();
    table.set_header(match lang {
        Lang::Zh => zh,
        Lang::En => en,
    });
    table
}

/// A table without a header.
pub(super) fn unheaded() -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// A bar on stderr; hidden where that is no terminal.
pub(super) fn progress(length: u64, lang: Lang, zh: &str, en: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let template = format!("{} {{wide_bar}} {{pos}}/{{len}}", lang.pick(zh, en));
    // Without a style the bar is plain, and still a bar.
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

/// A remark on stderr, beside the data, on one line.
pub(super) fn remark(text: &str) {
    // Where stderr is gone there is nobody to tell.
    drop(writeln!(stderr(), "{}", plain(text)));
}

/// RFC 3339 in Asia/Shanghai: `2026-03-05T14:07:09.000+08:00`; none for a time that is not stated.
pub(super) fn rfc3339(millis: u64) -> Option<String> {
    if millis == 0 {
        return None;
    }
    let date_time = Timestamp::from_millis(millis)
        .shanghai_text()
        .replace(' ', "T");
    Some(format!("{date_time}.{:03}+08:00", millis % 1000))
}

/// As people write it; empty for a time that is not stated.
pub(super) fn time(millis: u64) -> String {
    match millis {
        0 => String::new(),
        millis => Timestamp::from_millis(millis).shanghai_text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_say_their_offset() {
        assert_eq!(
            rfc3339(1_772_640_000_007).as_deref(),
            Some("2026-03-05T00:00:00.007+08:00")
        );
        assert_eq!(rfc3339(0), None);
    }
}
