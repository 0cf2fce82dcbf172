//! What people give to commands: texts that are too long or too private for a command line, and points in time.

use super::{
    exit::{Exit, Failure},
    print::remark,
};
use crate::{
    access::{Basis, GroundsDefect},
    domain::{Lang, MalformedId, ResidentNumber},
    entry::pb,
};
use clap::Args;
use std::{
    fs,
    io::{BufRead as _, Read as _},
    path::Path,
    str::FromStr,
};

/// The longest text that is read from stdin, in bytes.
const MAX_STDIN: u64 = 64 * 1024;

#[derive(Args, Debug)]
pub(super) struct NoteArgs {
    /// 说明 / In words, at most 2,000 characters; @ and a path reads them from that file, - from stdin. Goes into the
    /// payload only.
    #[arg(
        long,
        value_name = "TEXT|@FILE|-",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub(super) note: String,
}

/// Over an assignment to somebody else.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct OverrideArgs {
    /// 越权办理 / Override an assignment to somebody else. For supervisors; is logged.
    #[arg(long = "override")]
    pub(super) assignment: bool,
}

/// What goes with a step.
#[derive(Args, Debug)]
pub(super) struct StepArgs {
    #[command(flatten)]
    pub(super) note: NoteArgs,
    #[command(flatten)]
    pub(super) over: OverrideArgs,
}

/// How much of a record to look at.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct LookArgs {
    #[command(flatten)]
    pub(super) over: OverrideArgs,
    /// 只看状态 / Only where it stands and what proves it, also of what is not yours to open here.
    #[arg(long, conflicts_with = "assignment")]
    pub(super) standing: bool,
}

/// What was typed; with `@`, what stands in the file of that name; with `-`, what stands on stdin: command lines are
/// public on a machine, and stay in histories.
pub(super) fn text(typed: &str) -> Result<String, Failure> {
    if let Some(path) = typed.strip_prefix('@') {
        let bytes = read(Path::new(path))?;
        let text = String::from_utf8(bytes).map_err(|_| {
            Failure::new(Exit::BadData, "不是 UTF-8 文本", "not text in UTF-8").at(path)
        })?;
        return Ok(text.trim().to_owned());
    }
    if typed != "-" {
        return Ok(typed.to_owned());
    }
    let mut text = String::new();
    std::io::stdin()
        .take(MAX_STDIN)
        .read_to_string(&mut text)
        .map_err(|error| Failure::of(Exit::NoInput, &error).at("stdin"))?;
    Ok(text.trim().to_owned())
}

/// About whom.
#[derive(Args, Debug)]
pub(super) struct NumberArgs {
    /// 公民身份号码 / About this citizen number. Write - and give it on stdin: command lines are public on a machine.
    #[arg(
        long,
        value_name = "-",
        env = NUMBER_ENV,
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    number: Option<String>,
}

const NUMBER_ENV: &str = "YICHUAN_NUMBER";

impl NumberArgs {
    /// The number; empty where none was given.
    pub(super) fn value(&self, lang: Lang) -> Result<String, Failure> {
        let Some(typed) = &self.number else {
            return Ok(String::new());
        };
        if std::env::var_os(NUMBER_ENV).is_some() && typed != "-" {
            return sound(typed.clone()).map_err(|failure| failure.at(NUMBER_ENV));
        }
        number("--number", typed, lang)
    }
}

/// A citizen number, checked before anybody is asked.
pub(super) fn number(option: &str, typed: &str, lang: Lang) -> Result<String, Failure> {
    sound(line(option, typed, lang)?).map_err(|failure| failure.at(option))
}

fn sound(number: String) -> Result<String, Failure> {
    match ResidentNumber::parse(&number) {
        Ok(_) => Ok(number),
        Err(code) => Err(Failure::new(
            Exit::BadData,
            code.message(Lang::Zh),
            code.message(Lang::En),
        )),
    }
}

/// What is about a person and fits on one line; with `-`, the next line on stdin, so that several options may take one
/// each.
pub(super) fn line(option: &str, typed: &str, lang: Lang) -> Result<String, Failure> {
    if typed != "-" {
        remark(&match lang {
            Lang::Zh => {
                format!("注意：命令行对本机所有人可见；请用 {option} - 从标准输入给出")
            }
            Lang::En => format!(
                "take care: command lines are public on a machine; write {option} - and give it on stdin"
            ),
        });
        return Ok(typed.to_owned());
    }
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .take(MAX_STDIN)
        .read_line(&mut line)
        .map_err(|error| Failure::of(Exit::NoInput, &error).at("stdin"))?;
    match line.trim() {
        // An empty filter would be none.
        "" => Err(Failure::new(
            Exit::NoInput,
            "标准输入中没有这一行",
            "stdin has no line for it",
        )
        .at(option)),
        line => Ok(line.to_owned()),
    }
}

/// A file that was named on the command line.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::of(Exit::NoInput, &error).at(path.display()))
}

/// An id. Other programs show them in capitals, nodes take small letters only: one id, one spelling.
pub(super) fn id<T: FromStr<Err = MalformedId>>(typed: &str) -> Result<T, MalformedId> {
    typed.to_ascii_lowercase().parse()
}

/// A basis, which may name a record by its id.
pub(super) fn basis(typed: &str) -> Result<Basis, GroundsDefect> {
    match typed.split_once(':') {
        Some(("lead" | "referral", _)) => typed.to_ascii_lowercase().parse(),
        Some(_) | None => typed.parse(),
    }
}

/// Which way records went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Direction {
    /// 发出 / From this node.
    Sent,
    /// 收到 / To this node.
    Received,
    /// 全部 / Both ways.
    Both,
}

impl Direction {
    pub(super) const fn to_wire(self) -> pb::Direction {
        match self {
            Self::Sent => pb::Direction::Sent,
            Self::Received => pb::Direction::Received,
            Self::Both => pb::Direction::Unspecified,
        }
    }
}

/// A point in time, as people in Asia/Shanghai write it, or with an offset of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct When(u64);

/// Not a point in time since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a date or time such as 2026-03-05, '2026-03-05 14:00' or 2026-03-05T14:00:00+08:00"
)]
pub(super) struct MalformedWhen;

impl When {
    pub(super) const fn millis(self) -> u64 {
        self.0
    }
}

impl FromStr for When {
    type Err = MalformedWhen;

    fn from_str(text: &str) -> Result<Self, MalformedWhen> {
        let offset = jiff::tz::offset(8);
        let timestamp = text
            .parse::<jiff::Timestamp>()
            .or_else(|_| {
                let civil = text.parse::<jiff::civil::DateTime>()?;
                offset.to_timestamp(civil)
            })
            .map_err(|_| MalformedWhen)?;
        u64::try_from(timestamp.as_millisecond())
            .map(Self)
            .map_err(|_| MalformedWhen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::RecordId;

    #[test]
    fn ids_are_taken_in_capitals_and_said_in_small_letters() {
        let text = "0198c6de-7f3a-7cc0-b0f3-0123456789ab";
        let capitals = text.to_uppercase();
        assert_eq!(id::<RecordId>(&capitals).unwrap().to_string(), text);
        for kind in ["lead", "referral"] {
            let typed = basis(&format!("{kind}:{capitals}")).unwrap();
            assert_eq!(typed.to_string(), format!("{kind}:{text}"));
        }
        assert!(id::<RecordId>("0198c6de").is_err());
    }

    #[test]
    fn times_are_shanghais_unless_they_say_otherwise() {
        let midnight = Ok(When(1_772_640_000_000));
        for text in [
            "2026-03-05",
            "2026-03-05 00:00",
            "2026-03-05T00:00:00",
            "2026-03-05T00:00:00+08:00",
            "2026-03-04T16:00:00Z",
        ] {
            assert_eq!(text.parse::<When>(), midnight, "{text}");
        }
        for bad in ["", "yesterday", "2026-02-30", "1969-12-31"] {
            assert_eq!(bad.parse::<When>(), Err(MalformedWhen), "{bad}");
        }
    }
}
