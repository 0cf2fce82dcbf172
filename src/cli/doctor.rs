//! `yichuan doctor`: what of a stopped node's directory is sound, and a repaired copy of it.

use super::{
    context::Context,
    exit::{Exit, Failure},
    print::{self, Format, plain, progress},
};
use crate::{
    config::Config,
    domain::Lang,
    log::OpenError,
    node::{
        data_dir::DataDir,
        doctor::{
            DoctorError, Examination, Finding, Part, RepairOptions, Repaired, State, examine,
            repair,
        },
    },
    store::{ExposedPath, LockError},
};
use clap::Args;
use serde::Serialize;
use std::{
    env,
    io::Write,
    path::{Path, PathBuf},
};

/// 检查修复 / Examine the directory of a stopped node, or copy what is proved of it into a fresh one. Never changes it.
#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    /// 新目录 / Copy all that is proved into this directory, which must not be there yet.
    #[arg(long, value_name = "DIR")]
    repair_into: Option<PathBuf>,
    /// 他处副本 / Take damaged entries from this export, or from this copy of the data directory, where they prove to be
    /// those that were signed. May be repeated.
    #[arg(long, value_name = "DIR", requires = "repair_into")]
    from: Vec<PathBuf>,
    /// 工作目录 / Where copies are made and removed again; takes as much room as the store. Else the system's.
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

pub(super) fn run(args: &DoctorArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let config = context.config()?;
    let scratch = args.scratch.clone().unwrap_or_else(env::temp_dir);
    let bar = progress(0, context.lang(), "检查", "examining");
    let advance = |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    };
    let (examination, into) = match &args.repair_into {
        None => (examine(&config, &scratch, advance), None),
        Some(into) => {
            let options = RepairOptions {
                into: into.clone(),
                from: args.from.clone(),
                scratch,
            };
            let repaired = repair(&config, &options, advance);
            match repaired {
                Ok(Repaired { examination, done }) => (Ok(examination), Some((into, done))),
                Err(error) => (Err(error), None),
            }
        }
    };
    bar.finish_and_clear();
    let found = examination.map_err(|error| failure(&error))?;
    let exposed = match into {
        None => DataDir::at(&config.data).exposed(),
        Some(_) => Vec::new(),
    };
    let chmod =
        |exposed: &ExposedPath| format!("chmod {:o} {}", exposed.wanted, exposed.path.display());
    let mut commands = commands(&found, &config, into);
    commands.splice(..0, exposed.iter().map(chmod));
    match context.format() {
        Format::Json => print::json(context.out, &Report::of(&found, &commands))?,
        Format::Table => table(&found, &commands, context.lang(), context.out)?,
    }
    let exit = verdict(&found, &config, into)?;
    // Sound, and a node does not start with it.
    match exposed.first() {
        Some(exposed) => Err(Failure::of(Exit::Configuration, exposed)),
        None => Ok(exit),
    }
}

/// What to type next, in order.
fn commands(found: &Examination, config: &Config, into: Option<(&PathBuf, bool)>) -> Vec<String> {
    let (program, data) = (
        format!("yichuan --config {}", config.path.display()),
        config.data.display(),
    );
    match into {
        Some((into, true)) => vec![
            format!("mv {data} {data}.damaged"),
            format!("mv {} {data}", into.display()),
            format!("{program} serve"),
        ],
        Some((_, false)) => Vec::new(),
        None if found.is_sound() => Vec::new(),
        None if found.only_views() => vec![format!("{program} audit replay --rebuild --write")],
        None if is_lost(found) && !may_be_had(found) => Vec::new(),
        None if is_lost(found) => vec![format!(
            "{program} doctor --repair-into {data}.repaired --from EXPORT_OR_COPY"
        )],
        None => vec![format!("{program} doctor --repair-into {data}.repaired")],
    }
}

/// Whether something is gone without which the log does not go on.
fn is_lost(found: &Examination) -> bool {
    let of_log = |found: &&Finding| found.state == State::Lost && found.part != Part::Payloads;
    found.findings.iter().any(|found| of_log(&found))
}

/// Whether what is lost of the log lies within what the store has signed: then an export or a copy may have it. A tail
/// that is gone was signed by a newer store, and only that brings it back.
fn may_be_had(found: &Examination) -> bool {
    !found.lost.is_empty() && found.lost.iter().all(|range| range.start < found.entries)
}

fn verdict(
    found: &Examination,
    config: &Config,
    into: Option<(&PathBuf, bool)>,
) -> Result<Exit, Failure> {
    let data = config.data.display();
    let lost = ranges(found);
    if is_lost(found) {
        let (zh, en) = if lost.is_empty() {
            (
                format!("{data}：已有部分损坏且此处无从修复，见上表；请从其备份恢复后再执行"),
                format!(
                    "{data}: what the table calls lost cannot be repaired from here; restore it from its backup and run \
                         this again"
                ),
            )
        } else if !may_be_had(found) {
            (
                format!(
                    "{data}：存储中没有已签名公布的条目 {lost}，无法修复，此日志不得继续写入：请找回较新的存储（镜像盘，或整个目录的较新\
                     副本）；找不到的，保留该目录备查，只能另起后继日志"
                ),
                format!(
                    "{data}: the store does not reach entries {lost}, which were signed and published. No repair brings \
                     them back, and this log must not go on: bring back the newer store, from the disk's mirror or a newer \
                     copy of the whole directory; where there is none, keep the directory, and only a successor log can \
                     follow"
                ),
            )
        } else {
            (
                format!(
                    "{data}：已签名公布的条目 {lost} 已丢失。此日志不得继续写入：保留该目录，用 --from \
                     给出含这些条目的导出或数据目录副本；若都没有，只能另起后继日志"
                ),
                format!(
                    "{data}: entries {lost} were signed and published, and are lost. This log must not go on: keep the \
                     directory, and name exports or copies of the data directory that have them with --from; where there \
                     are none, only a successor log can follow"
                ),
            )
        };
        return Err(Failure::new(Exit::BadData, zh, en));
    }
    match into {
        Some(_) if found.state(Part::Payloads) == Some(State::Lost) => Ok(Exit::SomeRejected),
        Some(_) => Ok(Exit::Done),
        None if found.is_sound() => Ok(Exit::Done),
        None => Err(Failure::new(
            Exit::BadData,
            format!("{data}：有损坏，但日志可以修复，修复命令见上；该目录未作改动"),
            format!(
                "{data}: damaged, and can be repaired with the command above; nothing was changed"
            ),
        )),
    }
}

fn ranges(found: &Examination) -> String {
    let mut texts: Vec<_> = found
        .lost
        .iter()
        .take(10)
        .map(|range| format!("{}..{}", range.start, range.end))
        .collect();
    if found.lost.len() > texts.len() {
        texts.push("…".to_owned());
    }
    texts.join(", ")
}

fn failure(error: &DoctorError) -> Failure {
    let exit = match error {
        DoctorError::Lock(LockError::Held { .. }) => {
            return Failure::of(Exit::Unreachable, error).hint(
                "只能检查已停止的节点：先停止该节点（TERM），再执行本命令",
                "only a stopped node is examined: stop it (TERM), then run this again",
            );
        }
        DoctorError::Files(_)
        | DoctorError::Log(OpenError::WrongKey { .. } | OpenError::WrongOrigin { .. }) => {
            Exit::Configuration
        }
        DoctorError::Exists(_) => Exit::Refused,
        DoctorError::Store(_)
        | DoctorError::Log(_)
        | DoctorError::Leaves(_)
        | DoctorError::Vault(_)
        | DoctorError::Views(_)
        | DoctorError::Export { .. } => Exit::BadData,
        DoctorError::Lock(LockError::Io { .. })
        | DoctorError::Io { .. }
        | DoctorError::Copy { .. }
        | DoctorError::Row(_) => Exit::Internal,
    };
    Failure::of(exit, error)
}

#[derive(Serialize)]
struct Report<'a> {
    sound: bool,
    origin: &'a str,
    entries: u64,
    parts: Vec<JsonPart<'a>>,
    lost: Vec<[u64; 2]>,
    commands: &'a [String],
}

#[derive(Serialize)]
struct JsonPart<'a> {
    part: &'static str,
    state: &'static str,
    what: &'a str,
}

impl<'a> Report<'a> {
    fn of(found: &'a Examination, commands: &'a [String]) -> Self {
        let part = |found: &'a Finding| JsonPart {
            part: found.part.as_str(),
            state: found.state.as_str(),
            what: &found.what,
        };
        let lost = found.lost.iter().map(|range| [range.start, range.end]);
        Self {
            sound: found.is_sound(),
            origin: &found.origin,
            entries: found.entries,
            parts: found.findings.iter().map(part).collect(),
            lost: lost.collect(),
            commands,
        }
    }
}

fn table(
    found: &Examination,
    commands: &[String],
    lang: Lang,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut table = print::table(lang, ["部分", "状态", "说明"], ["part", "state", "what"]);
    for Finding { part, state, what } in &found.findings {
        table.add_row([
            part.label(lang).replace('_', " "),
            state.label(lang).replace('_', " "),
            plain(what),
        ]);
    }
    let (origin, entries) = (&found.origin, found.entries);
    writeln!(out, "{table}")?;
    match lang {
        Lang::Zh => writeln!(out, "{origin}：{entries} 条")?,
        Lang::En => writeln!(out, "{origin}: {entries} entries")?,
    }
    for command in commands {
        writeln!(out, "  {command}")?;
    }
    Ok(())
}

/// What to type where a node does not start, because of what is on its disk.
pub(super) fn hint(failure: Failure, config: &Path) -> Failure {
    let command = format!("yichuan --config {} doctor", config.display());
    failure.hint(
        &format!("{command} 说明何处损坏、如何修复，不改动该目录"),
        &format!("{command} says what is damaged and how to repair it, and changes nothing"),
    )
}
