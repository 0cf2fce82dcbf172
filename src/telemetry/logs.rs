//! Logs on stderr.

use super::{
    clock::SystemClock,
    log_rate_limit::LogRateLimit,
    screen::{Escape, Screen},
};
use std::{
    env,
    io::{self, IsTerminal, Write},
    str::FromStr,
    sync::Arc,
};
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::ParseError,
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    util::{SubscriberInitExt as _, TryInitError},
};

/// Environment variable with the log filter: `info`, `yichuan::tls=debug,warn`.
const VARIABLE: &str = "YICHUAN_LOG";

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object for each line.
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

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The variable is not a valid filter.
    #[error("{VARIABLE}: {0}; write a level such as info, or yichuan::tls=debug,info")]
    Filter(#[from] ParseError),
    /// The variable is not text.
    #[error(
        "{VARIABLE} is not text in UTF-8; write a level such as info, or yichuan::tls=debug,info"
    )]
    NotText,
    /// Logging has been started already.
    #[error("cannot start logging: {0}")]
    Init(#[from] TryInitError),
}

/// Starts logging to stderr: what `YICHUAN_LOG` selects, else `default` and above, at most 100 lines of a kind in ten
/// seconds. Colours only on a terminal, and not with `NO_COLOR`.
///
/// # Errors
/// An invalid filter, or a second start.
pub fn init_logs(format: LogFormat, default: &str) -> Result<(), LogError> {
    let wanted = env::var_os(VARIABLE).filter(|text| !text.is_empty());
    let wanted = wanted
        .as_ref()
        .map(|text| text.to_str().ok_or(LogError::NotText));
    let filter = EnvFilter::try_new(wanted.transpose()?.unwrap_or(default))?;
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_plain = plain || format == LogFormat::Json || !io::stderr().is_terminal();
    let lines = Lines {
        escape: match format {
            LogFormat::Text => Escape::Text,
            LogFormat::Json => Escape::Json,
        },
        has_colours: !is_plain,
    };
    let layer = fmt::layer().with_writer(lines).with_ansi(false);
    let pace = LogRateLimit::new(Arc::new(SystemClock));
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry.with(layer.with_filter(pace)).try_init()?,
        LogFormat::Json => registry
            .with(layer.json().flatten_event(true).with_filter(pace))
            .try_init()?,
    }
    Ok(())
}

/// Writes one line of printable characters for each event, whatever its fields contain. Colours are added afterwards.
struct Lines {
    escape: Escape,
    has_colours: bool,
}

struct Line {
    escape: Escape,
    colour: Option<Level>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            escape: self.escape,
            colour: None,
        }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Line {
        Line {
            escape: self.escape,
            colour: self.has_colours.then(|| *event.level()),
        }
    }
}

impl Write for Line {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = line(event, self.escape, self.colour)?;
        io::stderr().lock().write_all(&text)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Formats an event. A line end inside it would begin a line that no event wrote.
fn line(event: &[u8], escape: Escape, colour: Option<Level>) -> io::Result<Vec<u8>> {
    let text = String::from_utf8_lossy(event);
    let text = text.trim_end_matches('\n').replace('\n', "\\n");
    let mut shown = Vec::with_capacity(text.len() + 16);
    let mut screen = Screen::new(&mut shown, escape);
    // The level comes before everything that is not our own text.
    match colour.and_then(|level| Some((level, text.split_once(level.as_str())?))) {
        Some((level, (before, after))) => {
            let code = match level {
                Level::ERROR => 31,
                Level::WARN => 33,
                Level::INFO => 32,
                Level::DEBUG => 34,
                Level::TRACE => 35,
            };
            write!(screen, "{before}")?;
            write!(screen.unscreened(), "\x1b[{code}m{level}\x1b[0m")?;
            writeln!(screen, "{after}")?;
        }
        None => writeln!(screen, "{text}")?,
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regression_a_field_of_a_log_line_prints_nothing_but_text() {
        let event =
            "2026-01-01T00:00:00Z  WARN yichuan: refused reason=\u{1b}[32mINFO\n\u{202e}x\n";
        let plain = line(event.as_bytes(), Escape::Text, None).unwrap();
        let plain = String::from_utf8(plain).unwrap();
        let end = "yichuan: refused reason=\\u{1b}[32mINFO\\n\\u{202e}x\n";
        assert_eq!(plain, format!("2026-01-01T00:00:00Z  WARN {end}"));
        let coloured = line(event.as_bytes(), Escape::Text, Some(Level::WARN)).unwrap();
        let coloured = String::from_utf8(coloured).unwrap();
        let level = "2026-01-01T00:00:00Z  \u{1b}[33mWARN\u{1b}[0m ";
        assert_eq!(coloured, format!("{level}{end}"));
    }
}
