//! Logs, metrics and health. Never anything about a person.
