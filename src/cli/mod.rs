//! Commands: what is typed, what is printed, and the exit codes.
//!
//! Data goes to stdout; errors, progress and logs to stderr.

mod args;
mod audit;
mod caught;
pub mod certs;
mod client;
mod config;
mod context;
pub mod demo;
mod doctor;
mod exit;
mod global;
mod init;
mod lead;
mod options;
mod out_file;
mod partner;
mod print;
mod record;
mod referral;
mod refusal;
mod serve;

pub use exit::{Exit, Failure};
pub use print::Format;
pub use record::sheet::check as lead_check;

use crate::{
    domain::{Lang, printable, printable_lines},
    node::forbid_dumps,
    telemetry::{Escape, LogFormat, SystemClock, init_logs, stderr, stdout, stdout_by_line},
};
use clap::{
    Parser as _,
    builder::styling::AnsiColor,
    error::{ContextKind, ContextValue, ErrorKind},
};
use context::Context;
use demo::DemoOptions;
use options::{Command, CommandLine, DemoArgs};
use std::{
    backtrace::{Backtrace, BacktraceStatus},
    env,
    ffi::OsString,
    fmt::Display,
    io::{self, Write as _},
    panic,
};

/// The whole program: arguments and environment of this process, its stdout and stderr.
pub fn main() -> Exit {
    let typed = match CommandLine::try_parse() {
        Ok(typed) => typed,
        Err(error) => return not_parsed(error, lang_of_process(env::args_os())),
    };
    let lang = typed.global.lang.unwrap_or_else(lang_of_locale);
    // A defect's message may have text of others in it.
    panic::set_hook(Box::new(|panic| {
        say_defect(&panic, &Backtrace::capture(), &mut stderr());
    }));
    // Before a key or a payload is read.
    if let Err(error) = forbid_dumps() {
        let warning = lang.pick(
            "警告：无法禁止内存转储：",
            "warning: core dumps cannot be forbidden: ",
        );
        drop(writeln!(stderr(), "{warning}{error}"));
    }
    let mut out = stdout(match typed.global.format {
        Format::Table => Escape::Text,
        Format::Json => Escape::Json,
    });
    let mut context = Context::new(&typed.global, lang, &SystemClock, &mut out);
    let ended = run(&typed.command, &mut context);
    // What was done is shown before what failed.
    let flushed = out.flush().map_err(Failure::from);
    match ended.and_then(|exit| flushed.map(|()| exit)) {
        Ok(exit) => exit,
        Err(failure) => {
            report(&failure, lang);
            failure.exit()
        }
    }
}

/// What the standard library would print of a panic past the screen.
fn say_defect(panic: &dyn Display, trace: &Backtrace, out: &mut dyn io::Write) {
    // Where stderr is gone there is nobody to tell.
    drop(writeln!(out, "{}", printable(&panic.to_string())));
    if trace.status() == BacktraceStatus::Captured {
        drop(writeln!(out, "{trace}"));
    }
}

fn run(command: &Command, context: &mut Context<'_>) -> Result<Exit, Failure> {
    // Commands say themselves what went wrong: logs are for whoever asks for them. The node always logs.
    if !matches!(command, Command::Serve(_)) && env::var_os("YICHUAN_LOG").is_some() {
        init_logs(LogFormat::Text, "warn")?;
    }
    match command {
        Command::Demo(args) => run_demo(args, context),
        Command::Init(args) => init::run(args, context),
        Command::Serve(args) => serve::run(args, context),
        Command::Config(args) => config::run(args, context),
        Command::Certs(args) => certs::run(args, context.clock(), context.out)
            .map(|()| Exit::Done)
            .map_err(certs::failure),
        Command::Partner(args) => partner::run(args, context),
        Command::Lead(args) => lead::run(args, context),
        Command::Referral(args) => referral::run(args, context),
        Command::Caught(args) => caught::run(args, context),
        Command::Audit(args) => audit::run(args, context),
        Command::Doctor(args) => doctor::run(args, context),
    }
}

/// On a stdout of its own: a story is read while it happens.
fn run_demo(args: &DemoArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    if let Some(keep) = &args.keep {
        init::empty(keep)?;
    }
    let options = DemoOptions {
        keep: args.keep.clone(),
        serve: args.serve,
        lang: context.lang(),
    };
    context::runtime(tokio::runtime::Builder::new_multi_thread())?
        .block_on(demo::run(&options, &mut stdout_by_line()))
        .map_err(|error| match error.downcast::<io::Error>() {
            Ok(output) => output.into(),
            Err(error) => Failure::of(Exit::Internal, error.as_ref()),
        })?;
    Ok(Exit::Done)
}

/// Help and version are data; all else is an error of usage.
fn not_parsed(error: clap::Error, lang: Lang) -> Exit {
    if !error.use_stderr() {
        // There is nobody to tell that nobody reads.
        drop(error.print());
        return Exit::Done;
    }
    let rendered = without_what_was_typed(error).render();
    let plain = print::redacted(&rendered.to_string());
    let mut stderr = stderr();
    if printable_lines(&plain) == plain {
        let styled = print::redacted(&rendered.ansi().to_string());
        drop(write!(stderr.unscreened(), "{styled}"));
    } else {
        drop(write!(stderr, "{plain}"));
    }
    if lang == Lang::Zh {
        drop(writeln!(stderr, "提示：用法见 yichuan --help"));
    }
    Exit::Usage
}

/// What was typed where it does not belong may be about a person, and stderr is often kept: it is not repeated. A mistyped
/// option is, and names and values that would have done are shown either way.
fn without_what_was_typed(mut error: clap::Error) -> clap::Error {
    let typed = if error.kind() == ErrorKind::UnknownArgument {
        ContextKind::InvalidArg
    } else if error.kind() == ErrorKind::InvalidSubcommand {
        ContextKind::InvalidSubcommand
    } else {
        ContextKind::InvalidValue
    };
    let is_harmless = match error.get(typed) {
        Some(ContextValue::String(text)) => text.is_empty() || is_option(text),
        Some(_) | None => false,
    };
    if !is_harmless && error.get(typed).is_some() {
        error.insert(typed, ContextValue::String("…".to_owned()));
        // 'To pass it as a value …' repeats it.
        error.remove(ContextKind::Suggested);
    }
    error
}

/// Whether it looks like `--an-option`.
fn is_option(text: &str) -> bool {
    text.strip_prefix("--")
        .is_some_and(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
}

fn report(failure: &Failure, lang: Lang) {
    let message = failure.message(lang);
    if message.is_empty() {
        return;
    }
    let red = AnsiColor::Red.on_default().bold();
    let label = lang.pick("错误：", "error: ");
    let mut stderr = stderr();
    // Where stderr is gone there is nobody to tell.
    drop(write!(stderr.unscreened(), "{red}{label}{red:#}"));
    drop(writeln!(stderr, "{message}"));
}

/// The language that was asked for, where the command line as a whole could not be read.
fn lang_of_process(args: impl Iterator<Item = OsString>) -> Lang {
    let args: Vec<_> = args.filter_map(|arg| arg.into_string().ok()).collect();
    let after = args.iter().skip_while(|arg| *arg != "--lang").nth(1);
    let joined = args.iter().find_map(|arg| arg.strip_prefix("--lang="));
    joined
        .or(after.map(String::as_str))
        .and_then(|lang| lang.parse().ok())
        .unwrap_or_else(lang_of_locale)
}

/// As POSIX has it: the first of these that is set and not empty.
fn lang_of_locale() -> Lang {
    let set = |name: &&str| env::var_os(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set);
    Lang::from_locale(&locale.unwrap_or_default().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regression_a_defect_s_message_begins_no_line_and_moves_no_cursor() {
        let mut out = Vec::new();
        let panic = "panicked at a.rs:1:1:\n\u{1b}[32mverified";
        say_defect(&panic, &Backtrace::disabled(), &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "panicked at a.rs:1:1:\\n\\u{1b}[32mverified\n"
        );
    }
}
