//! The environment laid over the file: `YICHUAN__SECTION__KEY=value`.

use toml::{Table, Value};

const PREFIX: &str = "YICHUAN__";

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

/// Sets the key that a variable names. What is no table on the way becomes one; that it is wrong there, reading says.
pub(super) fn lay(table: &mut Table, name: &str, value: &str) {
    let path = name.strip_prefix(PREFIX).unwrap_or(name).to_lowercase();
    let typed = typed(&path, value);
    set(table, &path, typed);
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

/// Lists, limits and quotas are written as in the file; all else is text, so that a code of six digits is no number.
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
