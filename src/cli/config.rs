//! `yichuan config`: what counts, and whether it holds.

use super::{
    context::Context,
    exit::{Exit, Failure},
    print::{self, Format},
};
use crate::{
    config::{Config, Shown},
    domain::{Clock, Lang},
    node::{Check, Found, check_config},
    telemetry::SystemClock,
};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::{io::Write, sync::Arc};

/// 配置 / The configuration.
#[derive(Args, Debug)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum ConfigCommand {
    /// 核对配置 / Check it, and the certificates and keys that it names. Nothing is changed.
    Check,
    /// 显示配置 / Show it as it counts: defaults filled in, the environment laid over it.
    Show,
}

pub(super) fn run(args: &ConfigArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let config = context.config()?;
    match args.command {
        ConfigCommand::Show => show(&config, context.format(), context.out),
        ConfigCommand::Check => check(&config, context),
    }
}

fn show(config: &Config, format: Format, out: &mut dyn Write) -> Result<Exit, Failure> {
    let shown = Shown::from(config);
    match format {
        Format::Json => print::json(out, &shown)?,
        Format::Table => {
            let text =
                toml::to_string(&shown).map_err(|error| Failure::of(Exit::Internal, &error))?;
            writeln!(out, "# {}", config.path.display())?;
            write!(out, "{text}")?;
        }
    }
    Ok(Exit::Done)
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    key: &'static str,
    /// Whether a node starts with it.
    ok: bool,
    /// Whether somebody should see to it all the same.
    warning: bool,
    message: String,
}

/// What a start would say, by the same looks. Nothing else is known here of what it takes.
fn check(config: &Config, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let lang = context.lang();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let findings: Vec<_> = check_config(config, &clock)
        .into_iter()
        .map(|looked| finding(looked, lang))
        .collect();
    let good = findings.iter().all(|finding| finding.ok);
    match context.format() {
        Format::Json => {
            for finding in &findings {
                print::json(context.out, finding)?;
            }
        }
        Format::Table => {
            writeln!(context.out, "# {}", config.path.display())?;
            let mut table =
                print::table(lang, ["键", "结果", "说明"], ["key", "result", "message"]);
            for finding in findings {
                let result = match (finding.ok, finding.warning) {
                    (true, false) => lang.pick("通过", "ok"),
                    (true, true) => lang.pick("注意", "see to it"),
                    (false, _) => lang.pick("有误", "wrong"),
                };
                table.add_row([finding.key, result, &finding.message]);
            }
            writeln!(context.out, "{table}")?;
        }
    }
    if good {
        return Ok(Exit::Done);
    }
    Err(Failure::new(
        Exit::Configuration,
        format!("{} 中有不能用的内容，见上表", config.path.display()),
        format!(
            "{} names what cannot be used, see above",
            config.path.display()
        ),
    ))
}

fn finding(looked: Check, lang: Lang) -> Finding {
    let key = looked.key;
    let found = match looked.found {
        Ok(found) => found,
        Err(error) => {
            let message = Failure::of(Exit::Configuration, &error)
                .message(lang)
                .to_owned();
            return Finding {
                key,
                ok: false,
                warning: false,
                message,
            };
        }
    };
    let warning = matches!(found, Found::Taken | Found::List { fresh: false, .. });
    let valid = lang.pick("有效期至", "valid until");
    let message = match found {
        Found::Sound => String::new(),
        Found::Taken => lang
            .pick(
                "已被占用：本节点正在运行时如此；否则请换地址或停止占用者",
                "taken: by this node, if it runs; else by another process, and a start would fail",
            )
            .to_owned(),
        Found::Log(key) => key.to_string(),
        Found::Authority { until } => format!("{valid} {}", until.shanghai_text()),
        Found::List { until, fresh: true } => {
            let label = lang.pick("下次更新不晚于", "next update by");
            format!("{label} {}", until.shanghai_text())
        }
        Found::List {
            until,
            fresh: false,
        } => match lang {
            Lang::Zh => format!(
                "已于 {} 到期：节点可以启动，但不接纳本辖区任何人；请用 certs revoke 续期",
                until.shanghai_text()
            ),
            Lang::En => format!(
                "expired on {}: a node starts with it and admits nobody of its own jurisdiction; renew it with `certs revoke`",
                until.shanghai_text()
            ),
        },
        Found::Certificate { principal, until } => {
            format!("{principal} {valid} {}", until.shanghai_text())
        }
    };
    Finding {
        key,
        ok: true,
        warning,
        message,
    }
}
