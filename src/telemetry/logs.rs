//! Logs on stderr.

use super::{clock::SystemClock, pace::Pace};
use std::{
    env,
    io::{self, IsTerminal},
    str::FromStr,
    sync::Arc,
};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::ParseError,
    fmt,
    layer::SubscriberExt as _,
    util::{SubscriberInitExt as _, TryInitError},
};

/// Environment variable that says what is logged: `info`, `yichuan::tls=debug,warn`.
const VARIABLE: &str = "YICHUAN_LOG";

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Not a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown log format: expected text or json")]
pub struct UnknownLogFormat;

impl FromStr for LogFormat {
    type Err = UnknownLogFormat;

    fn from_str(text: &str) -> Result<Self, UnknownLogFormat> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(UnknownLogFormat),
        }
    }
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The variable says nothing that can be followed.
    #[error("{VARIABLE}: {0}; write a level such as info, or yichuan::tls=debug,info")]
    Filter(#[from] ParseError),
    /// There are some already.
    #[error("cannot start logging: {0}")]
    Init(#[from] TryInitError),
}

/// Starts logging to stderr: what `YICHUAN_LOG` says, else `default` and above, at most 100 lines of a kind in ten seconds.
/// Colours only on a terminal, and not with `NO_COLOR`.
///
/// # Errors
/// A filter that cannot be followed, or a second start.
pub fn init_logs(format: LogFormat, default: &str) -> Result<(), LogError> {
    let wanted = env::var(VARIABLE).ok().filter(|text| !text.is_empty());
    let filter = EnvFilter::try_new(wanted.as_deref().unwrap_or(default))?;
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_plain = plain || format == LogFormat::Json || !io::stderr().is_terminal();
    let layer = fmt::layer().with_writer(io::stderr).with_ansi(!is_plain);
    let pace = Pace::new(Arc::new(SystemClock));
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry.with(layer.with_filter(pace)).try_init()?,
        LogFormat::Json => registry
            .with(layer.json().flatten_event(true).with_filter(pace))
            .try_init()?,
    }
    Ok(())
}
