//! What holds for a call whatever carries it: who calls, may they, how often, and how a refusal is said. It knows no
//! transport: `rpc/` stands on it, and a browser console can stand beside `rpc/` under the same rules.
//!
//! Begin at `authorizer.rs`, through which every call comes. What it does not let through is a `Refused`.

pub(crate) mod authorizer;
pub(crate) mod json;
pub(crate) mod labels;
pub(crate) mod rate_limit;
mod reason;
mod refused;

pub(crate) use rate_limit::Meter;
pub use reason::RefusedFor;
pub(crate) use refused::{RefusalKind, Refused, Violation};
