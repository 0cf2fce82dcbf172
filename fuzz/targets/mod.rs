//! Every decoder that a stranger's bytes reach, as a function of those bytes that panics where a promise is broken. The
//! fuzzer calls them, and `tests/it/corpus/mod.rs` with what the fuzzer once found.

mod cards;
mod deliveries;
mod exports;
mod input;
mod keys;
mod logs;
mod messages;
mod notes;
mod payloads;
mod proofs;
pub(crate) mod reading;
mod sheets;
mod steps;
mod words;
pub(crate) mod world;

/// A decoder under test.
pub(crate) struct Target {
    /// Its name, and that of its corpus.
    pub(crate) name: &'static str,
    /// Reads the bytes; panics where a promise is broken.
    pub(crate) run: fn(&[u8]),
}

macro_rules! targets {
    ($($name:literal => $run:path,)+) => {
        /// All of them.
        pub(crate) const TARGETS: &[Target] = &[$(Target { name: $name, run: $run },)+];
    };
}

targets! {
    "answers" => deliveries::answers,
    "card" => cards::card,
    "certificate" => cards::certificate,
    "checkpoint" => notes::checkpoint,
    "consistency" => proofs::consistency,
    "crl" => cards::crl,
    "csv" => sheets::csv,
    "delivery" => deliveries::delivery,
    "dispatch" => deliveries::dispatch,
    "entry" => logs::entry,
    "export" => exports::export,
    "history" => steps::history,
    "inclusion" => proofs::inclusion,
    "keys" => keys::keys,
    "lead" => payloads::lead,
    "log" => logs::log,
    "note" => notes::note,
    "payload" => payloads::payload,
    "reconcile" => logs::reconcile,
    "proof" => notes::proof,
    "relay" => messages::relay,
    "request" => messages::request,
    "sealed" => keys::sealed,
    "words" => words::words,
    "workbook" => sheets::workbook,
    "xlsx" => sheets::xlsx,
}
