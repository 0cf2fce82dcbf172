//! Overlays the environment on the file: `YICHUAN__SECTION__KEY=value`.

use super::error::ConfigError;
use std::{env, ffi::OsString};
use toml::{Table, Value};

const PREFIX: &str = "YICHUAN__";

/// Prefix of all variables of this program.
const OURS: &str = "YICHUAN_";

/// This program's variables in the environment of the process. No others are read, whatever they hold.
///
/// # Errors
/// One of them is not text in UTF-8. The error omits its value.
pub fn environment() -> Result<Vec<(String, String)>, ConfigError> {
    ours(env::vars_os())
}

fn ours(
    all: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, ConfigError> {
    all.into_iter()
        .filter(|(name, _)| name.as_encoded_bytes().starts_with(OURS.as_bytes()))
        .map(|(name, value)| match (name.to_str(), value.to_str()) {
            (Some(name), Some(value)) => Ok((name.to_owned(), value.to_owned())),
            (..) => Err(ConfigError::Environment {
                variables: name.to_string_lossy().into_owned(),
                message: "name and value must be text in UTF-8".to_owned(),
            }),
        })
        .collect()
}

/// Variables that override keys, sorted by name.
pub(super) fn overrides(
    environment: impl IntoIterator<Item = (String, String)>,
) -> Vec<(String, String)> {
    let mut found: Vec<_> = environment
        .into_iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    found.sort();
    found
}

/// Sets the key that a variable names. Anything on the way that is not a table becomes one; if that is wrong, parsing
/// reports it.
pub(super) fn set_key(table: &mut Table, name: &str, value: &str) {
    let path = name.strip_prefix(PREFIX).unwrap_or(name).to_lowercase();
    let typed = typed(&path, value);
    set(table, &path, typed);
}

/// What is wrong, on one line and without the values: an environment may contain what a log must not.
pub(super) fn without_values(message: &str, overrides: &[(String, String)]) -> String {
    let without_value = |message: String, (_, value): &(String, String)| {
        let message = message.replace(&format!("{value:?}"), "…");
        message.replace(&format!("`{value}`"), "…")
    };
    overrides
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .fold(message.replace('\n', " "), without_value)
}

fn set(table: &mut Table, path: &str, value: Value) {
    let Some((section, rest)) = path.split_once("__") else {
        table.insert(path.to_owned(), value);
        return;
    };
    let below = table
        .entry(section)
        .or_insert_with(|| Value::Table(Table::new()));
    if !below.is_table() {
        *below = Value::Table(Table::new());
    }
    if let Value::Table(below) = below {
        set(below, rest, value);
    }
}

/// Parses lists, limits and quotas as in the file. Everything else is text, so that a code of six digits is not a
/// number.
fn typed(path: &str, value: &str) -> Value {
    let as_in_file = value.trim_start().starts_with('[')
        || ["limits__", "quotas__"]
            .iter()
            .any(|numbers| path.starts_with(numbers));
    format!("value = {value}")
        .parse::<Table>()
        .ok()
        .filter(|_| as_in_file)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt as _;

    #[test]
    fn regression_variables_of_others_are_not_looked_at() {
        let bytes = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let others = [
            (bytes(b"SECRET"), bytes(b"s\xe9cret")),
            (bytes(b"\xff"), bytes(b"")),
            (bytes(b"YICHUAN__TLS__CA"), bytes(b"ca.pem")),
        ];
        let kept = [("YICHUAN__TLS__CA".to_owned(), "ca.pem".to_owned())];
        assert_eq!(ours(others).unwrap(), kept);
        let wrong = (bytes(b"YICHUAN__TLS__CA"), bytes(b"s\xe9cret"));
        let error = ours([wrong]).unwrap_err().to_string();
        assert!(error.contains("YICHUAN__TLS__CA"), "{error}");
        assert!(!error.contains("cret"), "{error}");
        let laid = [("YICHUAN__LIMITS__X".to_owned(), "s\"ecret".to_owned())];
        let said = r#"invalid type: string "s\"ecret", expected u32"#;
        assert_eq!(
            without_values(said, &laid),
            "invalid type: string …, expected u32"
        );
    }
}
