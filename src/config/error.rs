//! What is wrong with a configuration, and where.

use std::{io, path::Path};

/// Why a configuration could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "cannot read the configuration {path}: {source}; `yichuan init` makes one, --config says where it is"
    )]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file is invalid.
    #[error("{path}, line {line}, column {column}: {message}")]
    File {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong; names the expected keys.
        message: String,
    },
    /// The environment is invalid; the file alone is not.
    #[error("environment ({variables}): {message}")]
    Environment {
        /// The variables that override the file.
        variables: String,
        /// What is wrong.
        message: String,
    },
    /// Keys contradict each other.
    #[error("{path}, {key}: {message}")]
    Rule {
        /// The file.
        path: String,
        /// The key.
        key: &'static str,
        /// What is wrong, and what to do.
        message: &'static str,
    },
}

impl ConfigError {
    pub(super) fn in_file(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or(text);
        let last = before.rsplit('\n').next().unwrap_or_default();
        Self::File {
            path: path.display().to_string(),
            line: before.matches('\n').count() + 1,
            column: last.chars().count() + 1,
            message: error.message().trim().to_owned(),
        }
    }
}
