//! The configuration that a person writes.
//!
//! [`Config::load`] reads it as written, lays the environment over it, and resolves it: paths are absolute, defaults
//! filled in, rules between keys checked.

mod error;
mod overlay;
mod render;
mod resolved;
mod schema;
mod shown;
#[cfg(test)]
mod tests;

pub use error::ConfigError;
pub use overlay::environment;
pub use render::{NewNode, SAMPLE, render};
pub use resolved::{Access, Check, Client, Config, Exchange, Limits, Listen, TlsFiles};
pub use shown::Shown;

/// Where the configuration is, if nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/yichuan/node.toml";
/// Environment variable that says where the configuration is.
pub const PATH_VARIABLE: &str = "YICHUAN_CONFIG";
