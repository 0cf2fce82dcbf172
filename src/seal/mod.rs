//! Encryption of payloads, and the keys that purge them.
