//! Yichuan 驿传: an exchange of intelligence between police jurisdictions in which every delivery is also an audit.
//!
//! `docs/ARCHITECTURE.md` is the map. Parts are listed here from the ground up; each knows only what stands above it in
//! this list, and `tests/it/architecture/mod.rs` keeps that true.

// Floor 0: pure. No runtime, transport, storage, files or clock reads.
pub mod domain;

pub mod merkle;

pub mod note;

pub mod access;

pub mod seal;

pub mod entry;

// Floor 1: storage.
pub mod store;

// Floor 2: services, free of transport.
pub mod log;

pub mod exchange;

pub mod casework;

pub mod audit;

// Floor 3: edges. What holds for a call whatever carries it comes first.
pub mod api;

pub mod rpc;

pub mod tls;

pub mod intake;

pub mod config;

pub mod telemetry;

// Floor 4: wiring and commands.
pub mod node;

pub mod cli;
