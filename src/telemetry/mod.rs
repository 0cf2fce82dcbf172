//! Logs, metrics and health. Never anything about a person.
//!
//! Begin with `logs.rs` and `admin.rs`. Everything that is printed passes through `screen.rs`.

mod admin;
mod clock;
mod log_rate_limit;
mod logs;
mod metrics;
mod screen;

pub(crate) use admin::{ADMIN_SOCKETS, bind_admin, serve_admin};
pub use admin::{AdminError, Probe, Readiness};
pub use clock::SystemClock;
pub use logs::{LogError, LogFormat, UnknownLogFormat, init_logs};
pub use metrics::{Metrics, MetricsError};
pub(crate) use screen::{Escape, stderr, stdout, stdout_by_line};
