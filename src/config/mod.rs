//! The configuration that a person writes.
