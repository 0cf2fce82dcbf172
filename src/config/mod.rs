//! The configuration that a person writes.
//!
//! [`Config::load`] reads it as written, overlays the environment, and resolves it: paths are made absolute, defaults
//! filled in, rules between keys checked.
//!
//! Begin with `resolved.rs` for the result; `schema.rs` is the file's form.

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

/// Where the configuration is by default.
pub const DEFAULT_PATH: &str = "/etc/yichuan/node.toml";
/// Environment variable with the path of the configuration.
pub const PATH_VARIABLE: &str = "YICHUAN_CONFIG";
